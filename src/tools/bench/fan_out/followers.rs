//! The followers of a fan-out: which events have reached which of them.

use std::mem;
use std::time::Instant;

use super::super::config::{BenchConfig, BurstAs, PublishTarget, Target};
use super::super::event_tag::scan_tags;
use super::super::keys::Keys;
use super::super::ramp_up::{RampUp, RampsUp};
use super::super::result::{Run, describe};
use super::super::session::{CompleteResponse, SessionEvent, SessionHandler};
use crate::client::follow::Transport;
use crate::protocol::websocket::frame::Opcode;
use crate::tools::load::{EndReason, Output};

/// The state of all connections. The followers have the ids from 0, the publisher the id after
/// them.
pub(super) struct FanOut<'t> {
    pub target: &'t Target,
    via: Transport,
    pub burst_as: BurstAs,
    /// The bytes of an event's data.
    pub size: usize,
    pub keys: Keys,
    pub ramp_up: RampUp,
    pub is_ramped_up: bool,
    pub followers: Vec<Follower>,
    /// The number of the first event of this run.
    first_event: u64,
    /// The number of the next event.
    pub next_event: u64,
    /// The first event of the current burst, and when it was published.
    pub burst: (u64, Instant),
    /// Connected followers that have not received every event.
    pub incomplete: usize,
    /// POSTs of the current burst that are not answered, sent or not.
    pub unanswered: usize,
    pub publisher: Publisher,
    /// Whether every follower has received an event, so that an event missing from now on is lost.
    pub is_counting: bool,
    pub is_measuring: bool,
    /// Connections to open again, each with its request.
    pub reopen: Vec<(usize, Vec<u8>)>,
    pub run: Run,
}

#[derive(Clone, Debug)]
pub(super) struct Follower {
    /// The next event to receive; `None` before the first.
    pub next_event: Option<u64>,
    /// The cursor of its last response, if it long polls.
    cursor: String,
    is_connected: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Publisher {
    Connected,
    Disconnected,
    Failed(String),
}

impl<'t> FanOut<'t> {
    pub(super) fn new(config: &BenchConfig, target: &'t Target, first_event: u64) -> Self {
        let follower = Follower { next_event: None, cursor: "now".into(), is_connected: true };
        Self {
            target,
            via: config.via,
            burst_as: config.burst_as,
            size: config.size,
            keys: Keys::default(),
            ramp_up: RampUp::default(),
            is_ramped_up: false,
            followers: vec![follower; config.connections],
            first_event,
            next_event: first_event,
            burst: (first_event, Instant::now()),
            incomplete: 0,
            unanswered: 0,
            publisher: Publisher::Disconnected,
            is_counting: false,
            is_measuring: false,
            reopen: Vec::new(),
            run: Run::default(),
        }
    }

    pub(super) fn publisher_id(&self) -> usize {
        self.followers.len()
    }

    pub(super) fn connected_followers(&self) -> usize {
        self.followers.iter().filter(|follower| follower.is_connected).count()
    }

    /// Returns whether every follower has received every event, and every POST is answered.
    pub(super) fn is_delivered(&self) -> bool {
        self.incomplete == 0 && self.unanswered == 0
    }

    /// Counts every event that has not arrived as lost.
    pub(super) fn count_missing(&mut self) {
        let next_event = self.next_event;
        let missing = |follower: &Follower| next_event - follower.next_event.unwrap_or(next_event);
        self.run.lost += self.followers.iter().map(missing).sum::<u64>();
    }

    /// Records that event `number` has reached follower `id`.
    fn event_arrived(&mut self, id: usize, number: u64, now: Instant) {
        let Some(follower) = self.followers.get_mut(id) else { return };
        if !(self.first_event..self.next_event).contains(&number) {
            return; // an event of another run
        }
        let expected = follower.next_event.unwrap_or(number);
        if number < expected {
            self.run.doubled += u64::from(self.is_counting);
            return;
        }
        follower.next_event = Some(number + 1);
        if self.is_counting {
            self.run.lost += number - expected;
            self.run.answered += 1;
        }
        if self.is_measuring && number >= self.burst.0 {
            self.run.delays.record(now.saturating_duration_since(self.burst.1));
        }
        if number + 1 == self.next_event {
            self.incomplete = self.incomplete.saturating_sub(1);
        }
    }

    /// Handles the response to a long poll, and sends the next request.
    fn poll_answered(
        &mut self,
        id: usize,
        response: CompleteResponse<'_>,
        output: &mut Output,
        now: Instant,
    ) {
        if !response.is_success() {
            self.run.wrong += 1;
            output.close();
            return self.follower_ended(id, format!("refused with {}", response.status));
        }
        scan_tags(response.content, &mut |number| self.event_arrived(id, number, now));
        let Target::Server(server) = self.target else { return };
        let cursor = &mut self.followers[id].cursor;
        if let Some(next) = response.cursor {
            *cursor = next;
        }
        if response.persists {
            server.request.write_get(cursor, id, None, output.buffer());
        } else {
            let mut request = Vec::new();
            server.request.write_get(cursor, id, None, &mut request);
            output.close();
            self.reopen.push((id, request));
        }
    }

    /// Removes a follower that will not reconnect.
    fn follower_ended(&mut self, id: usize, reason: String) {
        self.run.count_error(reason);
        let follower = &mut self.followers[id];
        let was_connected = mem::replace(&mut follower.is_connected, false);
        if was_connected && follower.next_event != Some(self.next_event) {
            self.incomplete = self.incomplete.saturating_sub(1);
        }
    }
}

impl SessionHandler for FanOut<'_> {
    fn connected(&mut self, id: usize, _: &mut Output) {
        let is_publisher = id == self.publisher_id();
        // These are ready without a response: a long poll, which the server holds, a publisher with
        // POST, and a connection without a protocol.
        let is_ready = match self.target {
            Target::Ceiling(_) => true,
            Target::Server(server) if is_publisher => matches!(server.publish, Some(PublishTarget::Post(_))),
            Target::Server(_) => self.via == Transport::LongPoll,
        };
        if is_publisher {
            self.publisher = Publisher::Connected;
        }
        self.ramp_up.ready += usize::from(is_ready && !self.is_ramped_up);
    }

    fn event(&mut self, id: usize, event: SessionEvent<'_>, output: &mut Output, now: Instant) {
        let is_publisher = id == self.publisher_id();
        match event {
            SessionEvent::Opened => self.ramp_up.ready += 1,
            SessionEvent::Message(data) => {
                scan_tags(data, &mut |number| self.event_arrived(id, number, now));
            }
            SessionEvent::Tag(number) => {
                self.event_arrived(id, number, now);
                if let Target::Ceiling(ceiling) = self.target
                    && ceiling.request_size > 0
                    && (self.burst_as == BurstAs::Sequential || number + 1 == self.next_event)
                {
                    let length = output.buffer().len() + ceiling.request_size;
                    output.buffer().resize(length, b'.');
                }
            }
            SessionEvent::Bytes(count) if is_publisher => {
                (0..count).for_each(|_| self.event_answered(output.buffer()));
            }
            SessionEvent::Bytes(_) => {}
            SessionEvent::Response(response) if is_publisher => {
                self.post_answered(response.status, response.persists, output);
            }
            SessionEvent::Response(response) => self.poll_answered(id, response, output, now),
            SessionEvent::Ping(payload) => self.keys.write_frame(Opcode::Pong, payload, output.buffer()),
            SessionEvent::Close(_) => {
                output.close();
                self.ended(id, EndReason::Closed);
            }
        }
    }

    fn ended(&mut self, id: usize, reason: EndReason) {
        if !self.is_ramped_up {
            self.ramp_up.failed.get_or_insert(reason);
        } else if id < self.publisher_id() {
            self.follower_ended(id, describe(&reason));
        } else {
            // Between two bursts the server may close the connection at any time (RFC 9112 §9.5).
            self.publisher = match (self.unanswered, &reason) {
                (0, EndReason::Closed) => Publisher::Disconnected,
                _ => Publisher::Failed(format!("publishing: {}", describe(&reason))),
            };
        }
    }
}

impl RampsUp for FanOut<'_> {
    fn ramp_up(&mut self) -> &mut RampUp {
        &mut self.ramp_up
    }
}
