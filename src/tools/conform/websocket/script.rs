//! Cases as scripts: the frames that the suite sends, and the sets of items with which an endpoint
//! may answer.

use std::time::Duration;

use super::frame::Frame;
use super::peer::Item;
use crate::tools::conform::case::{Outcome, Verdict};

/// How long an endpoint may take for what it has to do at once.
pub const PROMPTLY: Duration = Duration::from_secs(3);

/// One step of the suite.
#[derive(Clone, Debug)]
pub enum Step {
    /// Sends these bytes or frames in one write.
    Send(Vec<Frame>),
    /// Sends the frames in parts of so many bytes, each in a write of its own.
    SendInParts(Vec<Frame>, usize),
    /// Sends the frames in two writes, the first of which has this many bytes.
    SendCut(Vec<Frame>, usize),
    /// Sends bytes that are not frames.
    SendBytes(Vec<u8>),
    /// Sends more payload of the last frame, of which this many bytes were sent before.
    SendPayload(Vec<u8>, usize),
    /// Waits until the endpoint has sent this many items in all, or the time has passed.
    Await(usize, Duration),
    /// Ends the suite's side of the TCP connection.
    FinishSending,
}

/// How a conversation ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The suite closes with 1000 when all items have arrived. The endpoint responds with a close
    /// frame, with the same code or none.
    Clean,
    /// As `Clean`, but the endpoint's close frame has another code that reports no error.
    CleanWithOtherCode,
    /// The endpoint's close frame has one of these codes; `None` is a frame without a code.
    Closes(&'static [Option<u16>]),
    /// The endpoint ends TCP without a close frame.
    Drops,
    /// The endpoint ends TCP, with or without a close frame.
    Ends,
    /// The endpoint sends no close frame and keeps TCP open.
    StaysOpen,
}

/// One way in which an endpoint may answer.
#[derive(Clone, Debug)]
pub struct Alternative {
    pub outcome: Outcome,
    pub items: Vec<Item>,
    pub ending: Ending,
    /// Whether pongs may be at other places, and may be missing if another pong follows.
    pub has_free_pongs: bool,
    /// The number of sending steps after which the endpoint answers first, if it matters.
    pub stage: Option<usize>,
}

impl Alternative {
    /// Returns whether these are the items of the alternative.
    pub fn has_items(&self, items: &[Item]) -> bool {
        if !self.has_free_pongs {
            return self.items == items;
        }
        let is_pong = |item: &&Item| matches!(item, Item::Pong(_));
        let (pongs, others): (Vec<&Item>, Vec<&Item>) = items.iter().partition(is_pong);
        let (known, expected): (Vec<&Item>, Vec<&Item>) = self.items.iter().partition(is_pong);
        let mut left = known.iter();
        others == expected
            && pongs.last() == known.last()
            && pongs.iter().all(|pong| left.any(|one| one == pong))
    }
}

/// The code of a violation of the protocol.
pub const PROTOCOL_ERROR: &[Option<u16>] = &[Some(1002)];

/// Codes that say that the peer has done wrong.
pub const ERROR_CODES: &[Option<u16>] =
    &[Some(1002), Some(1003), Some(1007), Some(1008), Some(1009), Some(1010), Some(1011), None];

/// What the suite sends on an open WebSocket, and what an endpoint may answer.
#[derive(Clone, Debug, Default)]
pub struct Script {
    /// The frames that follow the suite's part of the handshake in one write.
    pub first: Vec<Frame>,
    pub steps: Vec<Step>,
    /// Whether the suite sends its own close frame as a step.
    pub closes: bool,
    pub alternatives: Vec<Alternative>,
}

impl Script {
    pub fn new() -> Self {
        Self::default()
    }

    /// Sends frames in one write with the request or response of the handshake.
    pub fn with_handshake(mut self, frames: impl Into<Vec<Frame>>) -> Self {
        self.first = frames.into();
        self.closes |= self.first.iter().any(|frame| frame.opcode == super::frame::CLOSE);
        self
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

    /// Sends frames in two writes, the first of which has `at` bytes.
    pub fn send_cut(mut self, frames: impl Into<Vec<Frame>>, at: usize) -> Self {
        let frames = frames.into();
        self.closes |= frames.iter().any(|frame| frame.opcode == super::frame::CLOSE);
        self.step(Step::SendCut(frames, at))
    }

    /// Sends bytes that are not frames of this module.
    pub fn send_bytes(self, bytes: impl Into<Vec<u8>>) -> Self {
        self.step(Step::SendBytes(bytes.into()))
    }

    /// Sends more payload of a frame that announced it, of which `offset` bytes were sent before.
    pub fn send_payload(self, payload: impl Into<Vec<u8>>, offset: usize) -> Self {
        self.step(Step::SendPayload(payload.into(), offset))
    }

    /// Waits until the endpoint has sent this many items in all.
    pub fn await_items(self, count: usize) -> Self {
        self.step(Step::Await(count, PROMPTLY))
    }

    /// As [`await_items`](Self::await_items), but for a shorter time.
    pub fn await_briefly(self, count: usize, time: Duration) -> Self {
        self.step(Step::Await(count, time))
    }

    /// Ends the suite's side of the TCP connection with a FIN.
    pub fn finish_sending(self) -> Self {
        self.step(Step::FinishSending)
    }

    /// The endpoint answers with these items, and the connection closes cleanly: a pass. An
    /// endpoint only typically echoes the code of a close frame (RFC 6455 §5.5.1).
    pub fn pass(self, items: impl Into<Vec<Item>>) -> Self {
        let items = items.into();
        self.alternative("answers and closes cleanly", Verdict::Pass, items.clone(), Ending::Clean)
            .alternative(
                "answers and closes with another code",
                Verdict::Allowed,
                items,
                Ending::CleanWithOtherCode,
            )
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
        let items = items.into();
        self.alternative("answers the close frame", Verdict::Pass, items.clone(), Ending::Closes(codes))
            .alternative(
                "answers the close frame with another code",
                Verdict::Allowed,
                items,
                Ending::CleanWithOtherCode,
            )
    }

    /// The endpoint answers with these items and ends TCP. A close frame of any code may come
    /// first.
    pub fn ends(self, name: &'static str, verdict: Verdict, items: impl Into<Vec<Item>>) -> Self {
        self.alternative(name, verdict, items, Ending::Ends)
    }

    /// Allows that pongs come later or earlier among these items, because only their payloads
    /// belong to pings, and that pongs are missing if another follows (RFC 6455 §5.5.2, §5.5.3).
    pub fn allowed_with_other_pongs(mut self, items: impl Into<Vec<Item>>) -> Self {
        self = self.allowed("answers a ping later, or only the latest of several", items);
        if let Some(last) = self.alternatives.last_mut() {
            last.has_free_pongs = true;
        }
        self
    }

    /// Allows that the endpoint reports with one of these codes that the message exceeds a limit of
    /// its own (RFC 6455 §10.4).
    pub fn allowed_refusal(self, name: &'static str, codes: &'static [Option<u16>]) -> Self {
        self.alternative(name, Verdict::Allowed, [], Ending::Closes(codes))
    }

    /// Requires of the alternatives added since the last call that the endpoint answers after this
    /// many sending steps, not earlier or later.
    pub fn in_stage(mut self, stage: usize) -> Self {
        let added = self.alternatives.iter_mut().filter(|one| one.stage.is_none());
        added.for_each(|one| one.stage = Some(stage));
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

    /// Adds a way in which the endpoint may answer.
    pub fn alternative(
        mut self,
        name: &'static str,
        verdict: Verdict,
        items: impl Into<Vec<Item>>,
        ending: Ending,
    ) -> Self {
        let outcome = Outcome { name, verdict };
        let items = items.into();
        self.alternatives.push(Alternative { outcome, items, ending, has_free_pongs: false, stage: None });
        self
    }

    fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pongs_may_move_and_only_the_last_is_needed() {
        let pong = |text: &str| Item::Pong(text.into());
        let message = |text: &str| Item::Text(text.into());
        let all = [pong("1"), message("a"), pong("2"), pong("3"), message("b")];
        let script = Script::new().allowed_with_other_pongs(all.clone());
        let has = |items: &[Item]| script.alternatives[0].has_items(items);
        assert!(has(&all));
        assert!(has(&[message("a"), pong("3"), message("b")]));
        assert!(has(&[message("a"), message("b"), pong("1"), pong("3")]));
        assert!(!has(&[pong("1"), message("a"), pong("2"), message("b")]));
        assert!(!has(&[pong("3"), message("a")]));
        assert!(!has(&[pong("3"), message("b"), message("a")]));
        assert!(!has(&[message("a"), pong("3"), pong("3"), message("b")]));
        assert!(!has(&[message("a"), pong("2"), pong("1"), pong("3"), message("b")]));
    }
}
