//! A batch: a request that publishes each line of its content as an event (`application/x-ndjson`).
//!
//! A batch of 1 MiB may have half a million lines. Therefore it is published in pieces, between
//! which other connections are served. Everything that could refuse it is checked before the first
//! event.

use super::following::write_id;
use super::response::{Now, Refusal, ResponseContext};
use crate::hub::{Hub, Id, TopicKey};
use crate::protocol::http::Status;

/// How many events are published at once.
const PIECE: usize = 512;

/// A batch that is being published.
#[derive(Debug)]
pub struct Batch {
    /// The topic. It is held, and must be released if the batch is dropped before it is complete.
    pub topic: TopicKey,
    event: Box<str>,
    content: Box<str>,
    /// How many bytes of the content are published.
    position: usize,
    /// The response's content so far.
    json: Vec<u8>,
    context: ResponseContext,
}

/// Returns a line and the rest of the text after it.
fn split_line(text: &str) -> (&str, &str) {
    let (line, rest) = text.split_once('\n').unwrap_or((text, ""));
    (line.strip_suffix('\r').unwrap_or(line), rest)
}

impl Batch {
    /// Checks the content of a batch, each of whose lines may have `max` bytes.
    ///
    /// # Errors
    /// The content has no line that is not empty, or one that is too long.
    pub(super) fn check(content: &str, max: usize) -> Result<(), Refusal> {
        let (mut rest, mut longest) = (content, 0);
        while !rest.is_empty() {
            let (line, after) = split_line(rest);
            longest = longest.max(line.len());
            rest = after;
        }
        match longest {
            0 => Err(Refusal::bad_request("The content has no line that is not empty.")),
            _ if longest > max => {
                let detail = format!("A line exceeds the {max} bytes of one event's data.");
                Err(Refusal::new(Status::CONTENT_TOO_LARGE, detail))
            }
            _ => Ok(()),
        }
    }

    /// Creates a batch for a topic, which is held until the batch is complete.
    pub(super) fn new(
        hub: &mut Hub,
        topic: TopicKey,
        event: &str,
        content: &str,
        context: ResponseContext,
    ) -> Batch {
        hub.hold(topic);
        let json = b"{\"ids\":[".to_vec();
        Batch { topic, event: event.into(), content: content.into(), position: 0, json, context }
    }

    /// Writes the response to a batch that is complete. Returns whether the connection persists,
    /// which it may not after the shutdown has begun.
    pub fn respond(mut self, may_persist: bool, now: &Now<'_>, out: &mut Vec<u8>) -> bool {
        self.context.persists &= may_persist;
        self.context.complete(out, Status::CREATED, "application/json", &self.json, now);
        self.context.persists
    }

    /// Returns the memory of the batch in bytes.
    pub fn memory(&self) -> usize {
        self.event.len() + self.content.len() + self.json.capacity() + self.context.memory()
    }

    /// Passes the data of the next events to `append`, which returns their ids. Returns whether the
    /// batch is complete.
    pub(super) fn publish_next(&mut self, mut append: impl FnMut(TopicKey, &str, &str) -> Id) -> bool {
        let mut left = PIECE;
        while left > 0 && self.position < self.content.len() {
            let (line, rest) = split_line(&self.content[self.position..]);
            self.position = self.content.len() - rest.len();
            if !line.is_empty() {
                left -= 1;
                self.json.push(b'"');
                write_id(append(self.topic, &self.event, line), &mut self.json);
                self.json.extend_from_slice(b"\",");
            }
        }
        let is_complete = self.position == self.content.len();
        if is_complete {
            self.json.pop();
            self.json.extend_from_slice(b"]}");
        }
        is_complete
    }
}
