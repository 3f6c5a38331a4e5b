//! A script being played, and the judgement of what the endpoint did.

use std::fmt::Write;
use std::thread;
use std::time::{Duration, Instant};

use super::frame::{close, pong};
use super::opening::{Compression, open_with};
use super::peer::{Item, Next, Peer};
use super::script::{Alternative, ERROR_CODES, Ending, PROMPTLY, Script, Step};
use crate::tools::conform::case::{Endpoint, Verdict};
use crate::tools::conform::connection::End;
use crate::tools::conform::trial::{Finding, Trial};

/// The maximum number of items that an endpoint may send beyond the expected ones.
const MAX_SURPLUS: usize = 8;

/// The maximum number of pings that an endpoint may send.
const MAX_PINGS: usize = 16;

/// The time between two writes that an endpoint should read separately.
const BETWEEN_WRITES: Duration = Duration::from_millis(1);

impl Script {
    /// Plays the script and returns the name of the outcome.
    ///
    /// # Errors
    /// A finding: no alternative fits what the endpoint did.
    pub fn play(&self, trial: &mut Trial) -> Result<&'static str, Finding> {
        let peer = open_with(trial, Compression::None, &self.first)?;
        self.play_on(peer, trial)
    }

    /// Plays the script on an open connection and returns the name of the outcome.
    ///
    /// # Errors
    /// A finding: no alternative fits what the endpoint did.
    pub fn play_on(&self, peer: Peer, trial: &Trial) -> Result<&'static str, Finding> {
        Conversation::new(self, peer).play(trial)
    }
}

/// A script being played.
pub struct Conversation<'s> {
    script: &'s Script,
    peer: Peer,
    /// What the endpoint has sent.
    items: Vec<Item>,
    pings: usize,
    end: Option<End>,
    /// Whether the suite has sent a close frame or a FIN.
    has_closed: bool,
    /// The number of sending steps so far.
    stage: usize,
    /// The stage in which the endpoint answered first.
    answered_in: Option<usize>,
    /// The offset of each item.
    offsets: Vec<u64>,
}

impl<'s> Conversation<'s> {
    /// Returns the conversation on an open connection, before the first step.
    pub fn new(script: &'s Script, peer: Peer) -> Self {
        Self {
            script,
            peer,
            items: Vec::new(),
            pings: 0,
            end: None,
            has_closed: false,
            stage: 0,
            answered_in: None,
            offsets: Vec::new(),
        }
    }

    /// Plays all steps and returns the name of the outcome.
    ///
    /// # Errors
    /// A finding: no alternative fits what the endpoint did.
    pub fn play(mut self, trial: &Trial) -> Result<&'static str, Finding> {
        for step in &self.script.steps {
            self.step(step, trial)?;
        }
        self.finish(trial)?;
        self.judge()
    }

    fn step(&mut self, step: &Step, trial: &Trial) -> Result<(), Finding> {
        match step {
            Step::Await(..) | Step::FinishSending => {}
            _ => self.stage += 1,
        }
        match step {
            Step::Send(frames) => self.peer.send(frames),
            Step::SendInParts(frames, bytes) => {
                let encoded = self.peer.encode(frames);
                encoded.chunks(*bytes).try_for_each(|part| self.peer.connection.send(part))
            }
            Step::SendCut(frames, at) => {
                let encoded = self.peer.encode(frames);
                let (first, second) = encoded.split_at((*at).min(encoded.len()));
                self.peer.connection.send(first)?;
                thread::sleep(BETWEEN_WRITES);
                self.peer.connection.send(second)
            }
            Step::SendBytes(bytes) => self.peer.connection.send(bytes),
            Step::SendPayload(payload, offset) => self.peer.send_payload(payload, *offset),
            Step::Await(count, time) => {
                while self.items.len() < *count && self.end.is_none() && self.receive(trial, *time)? {}
                Ok(())
            }
            Step::FinishSending => {
                self.peer.connection.finish_sending();
                self.has_closed = true;
                Ok(())
            }
        }
    }

    /// Receives the rest of the conversation, and closes the connection where that is the suite's
    /// part.
    fn finish(&mut self, trial: &Trial) -> Result<(), Finding> {
        self.has_closed |= self.script.closes;
        let most = self.script.alternatives.iter().map(|one| one.items.len()).max().unwrap_or(0);
        loop {
            let is_closed = self.items.iter().any(|item| matches!(item, Item::Close(_)));
            if !self.has_closed && (is_closed || self.is_clean_so_far()) {
                // The code of the endpoint, or 1000.
                let code = match self.items.last() {
                    Some(Item::Close(Some(code))) => *code,
                    _ => 1000,
                };
                self.peer.send(&[close(code, "")])?;
                self.has_closed = true;
            }
            if is_closed && trial.endpoint() == Endpoint::Client {
                // The server ends TCP (RFC 6455 §7.1.1).
                self.peer.connection.finish_sending();
            }
            if self.items.len() > most + MAX_SURPLUS || !self.receive(trial, PROMPTLY)? {
                return Ok(());
            }
        }
    }

    /// Returns whether all items of an alternative with a clean end have arrived.
    fn is_clean_so_far(&self) -> bool {
        let clean = |one: &&Alternative| matches!(one.ending, Ending::Clean | Ending::CleanWithOtherCode);
        self.script.alternatives.iter().filter(clean).any(|one| one.has_items(&self.items))
    }

    /// Receives one item; false if there is none within `time`. Pings of the endpoint, which it may
    /// send at any time, are answered.
    fn receive(&mut self, trial: &Trial, time: Duration) -> Result<bool, Finding> {
        loop {
            let received = self.peer.connection.received();
            match self.peer.next(trial.after(time))? {
                Next::Item(Item::Ping(payload)) if self.pings < MAX_PINGS => {
                    self.pings += 1;
                    if !self.has_closed {
                        self.peer.send(&[pong(payload)])?;
                    }
                    continue;
                }
                Next::Item(item) => {
                    self.offsets.push(self.peer.item_offset());
                    self.items.push(item);
                }
                Next::Ended(end) => self.end = Some(end),
                // A large message is on its way.
                Next::Quiet
                    if self.peer.connection.received() > received && Instant::now() < trial.deadline() =>
                {
                    continue;
                }
                Next::Quiet => return Ok(false),
            }
            self.answered_in.get_or_insert(self.stage);
            return Ok(self.end.is_none());
        }
    }

    fn judge(mut self) -> Result<&'static str, Finding> {
        let is_close = |item: &Item| matches!(item, Item::Close(_));
        let close = match self.items.iter().position(is_close) {
            Some(at) if at + 1 == self.items.len() => self.items.pop(),
            _ => None,
        };
        let fits = |one: &&Alternative| {
            ends_as(one.ending, close.as_ref(), self.end)
                && one.has_items(&self.items)
                && (one.stage.is_none() || one.stage == self.answered_in)
        };
        let found = self.script.alternatives.iter().find(fits);
        self.items.extend(close);
        let expected = self.expected();
        let failed = |observed: String| {
            Finding::failed(expected, observed).at(self.peer.connection.number(), self.offset_of_failure())
        };
        match (found, self.end) {
            (Some(one), None) if one.ending != Ending::StaysOpen => {
                Err(failed(format!("{}, but TCP stays open (RFC 6455 §5.5.1)", list(&self.items))))
            }
            (Some(one), _) => Ok(one.outcome.name),
            (None, end) => {
                let end = end.map_or("TCP stays open".to_owned(), |end| end.to_string());
                Err(failed(format!("{}, then {end}", list(&self.items))))
            }
        }
    }

    /// Returns the offset of the first item that no alternative has at its place, or of the last
    /// item if all fit.
    fn offset_of_failure(&self) -> u64 {
        let fits = |at: usize, item: &Item| {
            let is_end = matches!(item, Item::Close(_)) && at + 1 == self.items.len();
            is_end || self.script.alternatives.iter().any(|one| one.items.get(at) == Some(item))
        };
        let unexpected = self.items.iter().enumerate().position(|(at, item)| !fits(at, item));
        let offset = unexpected.and_then(|at| self.offsets.get(at));
        offset.or(self.offsets.last()).copied().unwrap_or_default()
    }

    /// Returns the recommended answers, or all of them if none is recommended.
    fn expected(&self) -> String {
        let mut texts: Vec<String> = Vec::new();
        let is_pass = |one: &&Alternative| one.outcome.verdict == Verdict::Pass;
        let has_pass = self.script.alternatives.iter().any(|one| is_pass(&one));
        for one in self.script.alternatives.iter().filter(|one| !has_pass || is_pass(one)) {
            let text = format!("{}, {}", list(&one.items), ending(one.ending));
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        texts.join("; or ")
    }
}

/// Returns whether the endpoint's close frame and its end of TCP are those of the ending. Whether
/// TCP has to end after a close frame is judged later.
fn ends_as(ending: Ending, close: Option<&Item>, end: Option<End>) -> bool {
    let code = match close {
        Some(Item::Close(code)) => Some(code),
        _ => None,
    };
    match (code, ending) {
        (Some(code), Ending::Clean) => matches!(code, None | Some(1000)),
        (Some(code), Ending::CleanWithOtherCode) => !ERROR_CODES.contains(code),
        (Some(code), Ending::Closes(codes)) => codes.contains(code),
        (None, Ending::Drops) | (_, Ending::Ends) => end.is_some(),
        (None, Ending::StaysOpen) => end.is_none(),
        _ => false,
    }
}

fn ending(ending: Ending) -> String {
    match ending {
        Ending::Clean | Ending::CleanWithOtherCode => {
            "then a response to the close frame, with a code that reports no error".to_owned()
        }
        Ending::Closes(codes) => {
            let mut text = "then close".to_owned();
            for (index, code) in codes.iter().enumerate() {
                let or = if index > 0 { " or" } else { "" };
                // Writing to a String can't fail.
                let _ = match code {
                    Some(code) => write!(text, "{or} {code}"),
                    None => write!(text, "{or} without a code"),
                };
            }
            text
        }
        Ending::Drops | Ending::Ends => "then the end of TCP".to_owned(),
        Ending::StaysOpen => "and an open connection".to_owned(),
    }
}

fn list(items: &[Item]) -> String {
    if items.is_empty() {
        return "no message".into();
    }
    let shown: Vec<String> = items.iter().take(6).map(Item::to_string).collect();
    let more = items.len().saturating_sub(shown.len());
    let rest = if more > 0 { format!(", and {more} more") } else { String::new() };
    format!("{}{rest}", shown.join(", "))
}
