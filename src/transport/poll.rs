//! Short and long polling: the client holds the cursor.
//!
//! Both get the same response: the events after the cursor, and the cursor for the next request. A
//! short poll gets it at once. A long poll waits for an event or for its timeout as `State::Held`
//! (`server/connection/state.rs`).
//! The body is copied from the encoded JSON items, without the comma after the last one.

use super::following::{Encoding, Following, write_id};
use super::response::{Now, ResponseContext};
use crate::hub::{Gap, Hub, Sequence, TopicKey};
use crate::protocol::http::{ResponseHead, Status, fields};

/// One response holds at most this many bytes of events, but at least one event.
pub const MAX_EVENT_BYTES: usize = 256 * 1024;

/// A poll: everything that its response depends on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Poll {
    /// The cursor.
    pub after: Sequence,
    /// The context of the request.
    pub context: ResponseContext,
    /// The granted wait in seconds, if `Prefer` requested it (RFC 7240 §3).
    pub applied: Option<u8>,
    /// The value of `If-None-Match`.
    pub if_none_match: Option<Box<[u8]>>,
}

/// A long poll that waits for an event after its cursor.
#[derive(Debug)]
pub struct HeldPoll {
    /// The topic.
    pub topic: TopicKey,
    /// The poll.
    pub poll: Poll,
    /// The time after which the response goes out without an event, in seconds.
    pub wait: u8,
}

impl Poll {
    /// Returns the heap memory kept of the request, in bytes.
    pub fn memory(&self) -> usize {
        self.context.memory() + self.if_none_match.as_ref().map_or(0, |line| line.len())
    }

    /// Writes the response for the present state of the log and returns its status. `topic` is
    /// `None` for a topic that does not exist.
    pub fn respond(
        &self,
        hub: &mut Hub,
        topic: Option<TopicKey>,
        gap: Option<&Gap>,
        now: &Now<'_>,
        out: &mut Vec<u8>,
    ) -> Status {
        // Most polls find nothing, so that case does not look at the log.
        let topic = topic.filter(|key| hub.topic(*key).log.newest() > self.after);
        if let Some(key) = topic {
            let mut position = Following::after(hub, key, self.after, Encoding::JsonItems, now.tick);
            position.prepare(hub, MAX_EVENT_BYTES + 1, now.tick);
        }
        let (items, newest) = topic.map_or((Vec::new(), self.after), |key| self.items(hub, key));
        let mut next = Vec::with_capacity(32);
        write_id(hub.id(newest), &mut next);
        if gap.is_none() && self.matches(&next) {
            let head = self.cacheable(out, Status::NOT_MODIFIED, now);
            head.weak_tag(&next).end();
            return Status::NOT_MODIFIED;
        }
        let (start, middle) = (b"{\"events\":[", b"],\"next\":\"");
        let end: &[u8] = if gap.is_some() { b"\",\"gap\":true}" } else { b"\"}" };
        let events: usize = items.iter().map(|slice| slice.len()).sum();
        let length = start.len() + events.saturating_sub(1) + middle.len() + next.len() + end.len();

        let mut head = self.cacheable(out, Status::OK, now);
        if gap.is_none() {
            head = head.weak_tag(&next);
        }
        head.field("Content-Type", "application/json").length(length).end();
        if !self.context.head_only {
            out.reserve(length);
            out.extend_from_slice(start);
            for slice in &items {
                out.extend_from_slice(slice);
            }
            if !items.is_empty() {
                // The comma after the last item.
                out.pop();
            }
            for part in [middle, &next[..], end] {
                out.extend_from_slice(part);
            }
        }
        Status::OK
    }

    /// Returns the encoded items of the response, and the sequence of the last event in them.
    fn items<'h>(&self, hub: &'h Hub, key: TopicKey) -> (Vec<&'h [u8]>, Sequence) {
        let log = &hub.topic(key).log;
        let slot = Encoding::JsonItems.slot();
        let (mut items, mut newest, mut room) = (Vec::new(), self.after, MAX_EVENT_BYTES);
        let (segment, mut first) = log.first_after(self.after);
        for (_, segment) in log.segments_from(segment) {
            let Some(buffer) = segment.encoded(slot).filter(|_| first < segment.len()) else { break };
            let mut count = buffer.fitting(first, room);
            let start = buffer.end_of(first);
            let mut end = buffer.end_of(first + count);
            if end - start > room && !items.is_empty() {
                (count, end) = (0, start);
            }
            if count == 0 {
                break;
            }
            items.push(&buffer.bytes()[start..end]);
            newest = segment.sequence(first + count - 1);
            room = room.saturating_sub(end - start);
            if first + count < segment.len() {
                break;
            }
            first = 0;
        }
        (items, newest)
    }

    fn cacheable<'o>(&self, out: &'o mut Vec<u8>, status: Status, now: &Now<'_>) -> ResponseHead<'o> {
        let head = self.context.head(out, status, now).field("Cache-Control", "private, no-cache");
        match self.applied {
            Some(wait) => head.field("Preference-Applied", format!("wait={wait}")),
            None => head,
        }
    }

    fn matches(&self, next: &[u8]) -> bool {
        let line = self.if_none_match.as_deref();
        line.is_some_and(|line| fields::entity_tag_matches(std::iter::once(line), next))
    }
}
