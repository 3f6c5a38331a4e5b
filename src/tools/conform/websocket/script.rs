//! Cases as scripts: the frames that the suite sends, and the sets of items with which an endpoint
//! may answer.

use std::fmt::Write;
use std::time::Duration;
use std::{mem, thread};

use super::frame::{Frame, close};
use super::opening::{Compression, open};
use super::peer::{Item, Next, Peer};
use crate::tools::conform::case::{Outcome, Verdict};
use crate::tools::conform::connection::End;
use crate::tools::conform::trial::{Finding, Trial};

/// How long an endpoint may take for what it has to do at once.
const PROMPTLY: Duration = Duration::from_secs(3);

/// The maximum number of items that an endpoint may send beyond the expected ones.
const MAX_SURPLUS: usize = 8;

/// One step of the suite.
#[derive(Clone, Debug)]
enum Step {
    /// Sends these bytes or frames in one write.
    Send(Vec<Frame>),
    /// Sends the frames in parts of so many bytes, each in a write of its own.
    SendInParts(Vec<Frame>, usize),
    /// Sends bytes that are not frames.
    SendBytes(Vec<u8>),
    Pause(Duration),
    /// Waits until the endpoint has sent this many items in all.
    Await(usize),
    /// Ends the suite's side of the TCP connection.
    FinishSending,
}

/// How a conversation ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// The suite closes with 1000 when all items have arrived. The endpoint responds with a close
    /// frame, with the same code or none.
    Clean,
    /// The endpoint's close frame has one of these codes; `None` is a frame without a code.
    Closes(&'static [Option<u16>]),
    /// The endpoint ends TCP without a close frame.
    Drops,
}

/// One way in which an endpoint may answer.
#[derive(Clone, Debug)]
struct Alternative {
    outcome: Outcome,
    items: Vec<Item>,
    ending: Ending,
}

/// Codes that say that the peer has done wrong.
const ERROR_CODES: &[Option<u16>] =
    &[Some(1002), Some(1003), Some(1007), Some(1008), Some(1009), Some(1010), Some(1011), None];

/// What the suite sends on an open WebSocket, and what an endpoint may answer.
#[derive(Clone, Debug, Default)]
pub struct Script {
    compression: Compression,
    steps: Vec<Step>,
    /// Whether the suite sends its own close frame as a step.
    closes: bool,
    alternatives: Vec<Alternative>,
}

impl Script {
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens the connection with compression.
    pub fn compressed(self, compression: Compression) -> Self {
        Self { compression, ..self }
    }

    /// Sends frames in one write.
    pub fn send(mut self, frames: impl Into<Vec<Frame>>) -> Self {
        let frames = frames.into();
        self.closes |= frames.iter().any(|frame| frame.opcode == super::frame::CLOSE);
        self.step(Step::Send(frames))
    }

    /// Sends frames in parts of `bytes` bytes, each in a write of its own.
    pub fn send_in_parts(mut self, frames: impl Into<Vec<Frame>>, bytes: usize) -> Self {
        let frames = frames.into();
        self.closes |= frames.iter().any(|frame| frame.opcode == super::frame::CLOSE);
        self.step(Step::SendInParts(frames, bytes))
    }

    /// Sends bytes that are not frames of this module.
    pub fn send_bytes(self, bytes: impl Into<Vec<u8>>) -> Self {
        self.step(Step::SendBytes(bytes.into()))
    }

    pub fn pause(self, time: Duration) -> Self {
        self.step(Step::Pause(time))
    }

    /// Waits until the endpoint has sent this many items in all.
    pub fn await_items(self, count: usize) -> Self {
        self.step(Step::Await(count))
    }

    /// Ends the suite's side of the TCP connection with a FIN.
    pub fn finish_sending(self) -> Self {
        self.step(Step::FinishSending)
    }

    /// The endpoint answers with these items, and the connection closes cleanly: a pass.
    pub fn pass(self, items: impl Into<Vec<Item>>) -> Self {
        self.alternative("answers and closes cleanly", Verdict::Pass, items, Ending::Clean)
    }

    /// As [`pass`](Self::pass), but the specification only allows this answer.
    pub fn allowed(self, name: &'static str, items: impl Into<Vec<Item>>) -> Self {
        self.alternative(name, Verdict::Allowed, items, Ending::Clean)
    }

    /// The endpoint answers with these items and then fails the connection: with a close frame of
    /// one of these codes, which is a pass. Another code, or the end of TCP alone, is allowed
    /// (RFC 6455 §7.1.7: SHOULD).
    pub fn fails(self, items: impl Into<Vec<Item>>, codes: &'static [Option<u16>]) -> Self {
        let items = items.into();
        self.alternative("fails the connection", Verdict::Pass, items.clone(), Ending::Closes(codes))
            .alternative(
                "fails the connection with another code",
                Verdict::Allowed,
                items.clone(),
                Ending::Closes(ERROR_CODES),
            )
            .alternative("ends TCP without a close frame", Verdict::Allowed, items, Ending::Drops)
    }

    /// As [`fails`](Self::fails), but the items are not those of the recommended answer.
    pub fn may_fail(
        self,
        name: &'static str,
        items: impl Into<Vec<Item>>,
        codes: &'static [Option<u16>],
    ) -> Self {
        let items = items.into();
        self.alternative(name, Verdict::Allowed, items.clone(), Ending::Closes(codes)).alternative(
            name,
            Verdict::Allowed,
            items,
            Ending::Drops,
        )
    }

    /// The endpoint answers the suite's close frame with one of these codes: a pass.
    pub fn closes(self, items: impl Into<Vec<Item>>, codes: &'static [Option<u16>]) -> Self {
        self.alternative("answers the close frame", Verdict::Pass, items, Ending::Closes(codes))
    }

    /// Changes the verdict of all alternatives so far to informational.
    pub fn informational(mut self) -> Self {
        self.alternatives
            .iter_mut()
            .for_each(|alternative| alternative.outcome.verdict = Verdict::Informational);
        self
    }

    /// Returns the outcomes that are not failures.
    pub fn outcomes(&self) -> Vec<Outcome> {
        let mut outcomes: Vec<Outcome> = Vec::new();
        for Alternative { outcome, .. } in &self.alternatives {
            if !outcomes.contains(outcome) {
                outcomes.push(*outcome);
            }
        }
        outcomes
    }

    /// Plays the script and returns the name of the outcome.
    ///
    /// # Errors
    /// A finding: no alternative fits what the endpoint did.
    pub fn play(&self, trial: &mut Trial) -> Result<&'static str, Finding> {
        let peer = open(trial, self.compression)?;
        let mut conversation = Conversation { script: self, peer, items: Vec::new(), end: None, offset: 0 };
        for step in &self.steps {
            conversation.play(step, trial)?;
        }
        conversation.finish(trial)?;
        conversation.judge()
    }

    fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    fn alternative(
        mut self,
        name: &'static str,
        verdict: Verdict,
        items: impl Into<Vec<Item>>,
        ending: Ending,
    ) -> Self {
        let outcome = Outcome { name, verdict };
        self.alternatives.push(Alternative { outcome, items: items.into(), ending });
        self
    }
}

/// A script being played.
struct Conversation<'s> {
    script: &'s Script,
    peer: Peer,
    /// What the endpoint has sent.
    items: Vec<Item>,
    end: Option<End>,
    /// The offset of the last item.
    offset: u64,
}

impl Conversation<'_> {
    fn play(&mut self, step: &Step, trial: &Trial) -> Result<(), Finding> {
        match step {
            Step::Send(frames) => self.peer.send(frames),
            Step::SendInParts(frames, bytes) => {
                let encoded = self.peer.encode(frames);
                encoded.chunks(*bytes).try_for_each(|part| self.peer.connection.send(part))
            }
            Step::SendBytes(bytes) => self.peer.connection.send(bytes),
            Step::Pause(time) => {
                thread::sleep(*time);
                Ok(())
            }
            Step::Await(count) => {
                let until = trial.after(PROMPTLY);
                while self.items.len() < *count && self.end.is_none() && self.receive(until)? {}
                Ok(())
            }
            Step::FinishSending => {
                self.peer.connection.finish_sending();
                Ok(())
            }
        }
    }

    /// Receives the rest of the conversation, and closes the connection where that is the suite's
    /// part.
    fn finish(&mut self, trial: &Trial) -> Result<(), Finding> {
        let mut has_closed = self.script.closes;
        let most = self.script.alternatives.iter().map(|one| one.items.len()).max().unwrap_or(0);
        loop {
            let is_closed = self.items.iter().any(|item| matches!(item, Item::Close(_)));
            if !has_closed && (is_closed || self.is_clean_so_far()) {
                // The code of the endpoint, or 1000.
                let code = match self.items.last() {
                    Some(Item::Close(Some(code))) => *code,
                    _ => 1000,
                };
                self.peer.send(&[close(code, "")])?;
                has_closed = true;
            }
            if is_closed && trial.endpoint() == crate::tools::conform::case::Endpoint::Client {
                // The server ends TCP (RFC 6455 §7.1.1).
                self.peer.connection.finish_sending();
            }
            if self.items.len() > most + MAX_SURPLUS || !self.receive(trial.after(PROMPTLY))? {
                return Ok(());
            }
        }
    }

    /// Returns whether all items of an alternative with a clean end have arrived.
    fn is_clean_so_far(&self) -> bool {
        let clean = |one: &&Alternative| one.ending == Ending::Clean;
        self.script.alternatives.iter().filter(clean).any(|one| one.items == self.items)
    }

    /// Receives one item; false if there is none.
    fn receive(&mut self, until: std::time::Instant) -> Result<bool, Finding> {
        match self.peer.next(until)? {
            Next::Item(item) => {
                self.offset = self.peer.item_offset();
                self.items.push(item);
                Ok(true)
            }
            Next::Ended(end) => {
                self.end = Some(end);
                Ok(false)
            }
            Next::Quiet => Ok(false),
        }
    }

    fn judge(mut self) -> Result<&'static str, Finding> {
        let is_close = |item: &Item| matches!(item, Item::Close(_));
        let close = match self.items.iter().position(is_close) {
            Some(at) if at + 1 == self.items.len() => self.items.pop(),
            _ => None,
        };
        let fits = |one: &&Alternative| {
            let ending = match (&close, one.ending) {
                (Some(Item::Close(code)), Ending::Clean) => matches!(code, None | Some(1000)),
                (Some(Item::Close(code)), Ending::Closes(codes)) => codes.contains(code),
                (None, Ending::Drops) => self.end.is_some(),
                _ => false,
            };
            ending && one.items == self.items
        };
        let outcome = self.script.alternatives.iter().find(fits).map(|one| one.outcome.name);
        self.items.extend(close);
        let expected = self.expected();
        let failed = |observed: String| {
            Finding::failed(expected, observed).at(self.peer.connection.number(), self.offset)
        };
        match (outcome, self.end) {
            (Some(name), Some(_)) => Ok(name),
            (Some(_), None) => {
                Err(failed(format!("{}, but TCP stays open (RFC 6455 §5.5.1)", list(&self.items))))
            }
            (None, end) => {
                let end = end.map_or("TCP stays open".to_owned(), |end| end.to_string());
                Err(failed(format!("{}, then {end}", list(&self.items))))
            }
        }
    }

    fn expected(&self) -> String {
        let mut texts: Vec<String> = Vec::new();
        for Alternative { items, ending, .. } in &self.script.alternatives {
            let ending = match ending {
                Ending::Clean => "then a response to the close frame".to_owned(),
                Ending::Closes(codes) if *codes == ERROR_CODES => continue,
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
                Ending::Drops => "then the end of TCP".to_owned(),
            };
            texts.push(format!("{}, {ending}", list(items)));
        }
        mem::take(&mut texts).join("; or ")
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
