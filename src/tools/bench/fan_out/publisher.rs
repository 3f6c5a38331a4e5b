//! The publisher of a fan-out: it writes the events of a burst.

use std::ops::Range;
use std::time::Instant;

use super::super::config::{BurstAs, PublishTarget, Target};
use super::super::event_tag::write_event;
use super::followers::{FanOut, Publisher};
use crate::protocol::websocket::frame::Opcode;
use crate::tools::load::Output;

impl FanOut<'_> {
    /// Starts a burst of `count` events, and appends what is to be sent now.
    pub(super) fn start_burst(&mut self, count: u64, out: &mut Vec<u8>) {
        let first = self.next_event;
        self.next_event += count;
        self.incomplete = self.connected_followers();
        self.burst = (first, Instant::now());
        let is_post = match self.target {
            Target::Ceiling(_) => self.burst_as == BurstAs::Sequential,
            Target::Server(server) => matches!(server.publish, Some(PublishTarget::Post(_))),
        };
        let (sent_now, requests) = match self.burst_as {
            BurstAs::Pipelined => (count, count),
            BurstAs::Sequential => (1, count),
            BurstAs::Batch => (count, 1),
        };
        self.unanswered = if is_post { requests as usize } else { 0 };
        if self.burst_as == BurstAs::Batch {
            self.write_batch(first..first + count, out);
        } else {
            (first..first + sent_now).for_each(|number| self.write_event(number, out));
        }
    }

    /// Appends one event as its request or message.
    fn write_event(&mut self, number: u64, out: &mut Vec<u8>) {
        let server = match self.target {
            Target::Ceiling(ceiling) => return write_event(number, ceiling.size, out),
            Target::Server(server) => server,
        };
        let mut data = Vec::new();
        write_event(number, self.size, &mut data);
        match &server.publish {
            Some(PublishTarget::Post(request)) => request.write_post("text/plain", &data, out),
            Some(PublishTarget::WebSocket(_)) => self.keys.write_frame(Opcode::Text, &data, out),
            None => {}
        }
    }

    /// Appends all events as one request. The bare program has none, and receives one piece.
    fn write_batch(&mut self, numbers: Range<u64>, out: &mut Vec<u8>) {
        let Target::Server(server) = self.target else {
            return numbers.for_each(|number| self.write_event(number, out));
        };
        let mut lines = Vec::new();
        for number in numbers {
            write_event(number, self.size, &mut lines);
            lines.push(b'\n');
        }
        if let Some(PublishTarget::Post(request)) = &server.publish {
            request.write_post("application/x-ndjson", &lines, out);
        }
    }

    /// Handles the response to a POST.
    pub(super) fn post_answered(&mut self, status: u16, persists: bool, output: &mut Output) {
        if !(200..=299).contains(&status) {
            self.publisher = Publisher::Failed(format!("publishing failed with status {status}"));
        } else if persists {
            self.event_answered(output.buffer());
        } else {
            output.close();
            self.unanswered = self.unanswered.saturating_sub(1);
            self.publisher = match self.unanswered {
                0 => Publisher::Disconnected,
                unanswered => Publisher::Failed(format!(
                    "the server closed the publisher's connection before it answered {unanswered} events"
                )),
            };
        }
    }

    /// Records an answer of the server or of the bare program. If each event awaits the answer to
    /// the previous one, the next is appended.
    pub(super) fn event_answered(&mut self, out: &mut Vec<u8>) {
        self.unanswered = self.unanswered.saturating_sub(1);
        if self.burst_as == BurstAs::Sequential && self.unanswered > 0 {
            self.write_event(self.next_event - self.unanswered as u64, out);
        }
    }
}
