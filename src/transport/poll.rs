//! Short and long polling: the cursor lives in the client.
//!
//! Both have one answer: the events after the cursor, and the cursor for the next request. A short poll is
//! given it at once; a long poll waits for an event or the end of its time. The body is cut out of the JSON
//! items' runs, less the last comma.

use super::answer::{Moment, Terms};
use super::encoding::Encoding;
use crate::hub::{Gap, Hub, Sequence, TopicKey};
use crate::protocol::http::{Status, fields};

/// One answer holds at most this many bytes of events, and at least one event.
pub const ANSWER_BYTES: usize = 256 * 1024;

/// A poll, and what its answer depends on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Poll {
    /// The cursor.
    pub after: Sequence,
    /// On which terms the answer goes.
    pub terms: Terms,
    /// The wait in seconds that `Prefer` asked for and that was granted (RFC 7240 §3).
    pub applied: Option<u8>,
    /// The `If-None-Match` field's value, if there is one.
    pub if_none_match: Option<Box<[u8]>>,
}

/// A poll that waits for an event after its cursor.
#[derive(Debug)]
pub struct Held {
    /// The topic.
    pub topic: TopicKey,
    /// What is to be answered.
    pub poll: Poll,
    /// When the answer goes even without an event, in seconds from the request on.
    pub wait: u8,
}

impl Poll {
    /// What it keeps of the request, in bytes of memory.
    pub fn memory(&self) -> usize {
        self.terms.memory() + self.if_none_match.as_ref().map_or(0, |line| line.len())
    }

    /// Writes the answer as things stand, and returns its status. `topic` is `None` for one that does not exist.
    pub fn answer(
        &self,
        hub: &mut Hub,
        topic: Option<TopicKey>,
        gap: Option<&Gap>,
        moment: &Moment<'_>,
        out: &mut Vec<u8>,
    ) -> Status {
        let encoder = Encoding::JsonItems.encoder(0);
        if let Some(key) = topic {
            let cursor = hub.cursor(key, self.after, encoder, moment.tick);
            hub.prepare(key, cursor, encoder, ANSWER_BYTES + 1, moment.tick);
        }
        let (items, newest) = topic.map_or((Vec::new(), self.after), |key| self.items(hub, key));
        // It needs no escaping, neither in a tag nor in JSON.
        let mut next = Vec::with_capacity(32);
        hub.id(newest).write(&mut next);
        if gap.is_none() && self.is_known(&next) {
            let head = self.cacheable(out, Status::NOT_MODIFIED, moment);
            head.weak_tag(&next).end();
            return Status::NOT_MODIFIED;
        }
        let (before, behind) = (b"{\"events\":[", b"],\"next\":\"");
        let end: &[u8] = if gap.is_some() { b"\",\"gap\":true}" } else { b"\"}" };
        let events: usize = items.iter().map(|slice| slice.len()).sum();
        let length = before.len() + events.saturating_sub(1) + behind.len() + next.len() + end.len();

        let mut head = self.cacheable(out, Status::OK, moment);
        if gap.is_none() {
            head = head.weak_tag(&next);
        }
        head.field("Content-Type", "application/json").length(length).end();
        if !self.terms.head_only {
            out.reserve(length);
            out.extend_from_slice(before);
            for slice in &items {
                out.extend_from_slice(slice);
            }
            if !items.is_empty() {
                // The last item's comma.
                out.pop();
            }
            for part in [behind, &next[..], end] {
                out.extend_from_slice(part);
            }
        }
        Status::OK
    }

    /// The slices of the runs that the answer is made of, and the sequence of the last event in them.
    fn items<'h>(&self, hub: &'h Hub, key: TopicKey) -> (Vec<&'h [u8]>, Sequence) {
        let log = &hub.topic(key).log;
        let slot = Encoding::JsonItems.slot();
        let (mut items, mut newest, mut room) = (Vec::new(), self.after, ANSWER_BYTES);
        let (segment, mut first) = log.first_after(self.after);
        for (_, segment) in log.segments_from(segment) {
            let Some(run) = segment.run(slot).filter(|_| first < segment.len()) else { break };
            let mut count = run.fitting(first, room);
            let start = run.end_of(first);
            let mut end = run.end_of(first + count);
            if end - start > room && !items.is_empty() {
                (count, end) = (0, start);
            }
            if count == 0 {
                break;
            }
            items.push(&run.bytes()[start..end]);
            newest = segment.sequence(first + count - 1);
            room = room.saturating_sub(end - start);
            if first + count < segment.len() {
                break;
            }
            first = 0;
        }
        (items, newest)
    }

    fn cacheable<'o>(
        &self,
        out: &'o mut Vec<u8>,
        status: Status,
        moment: &Moment<'_>,
    ) -> crate::protocol::http::ResponseHead<'o> {
        let head = self.terms.head(out, status, moment).field("Cache-Control", "private, no-cache");
        match self.applied {
            Some(wait) => head.field("Preference-Applied", format!("wait={wait}")),
            None => head,
        }
    }

    fn is_known(&self, next: &[u8]) -> bool {
        let line = self.if_none_match.as_deref();
        line.is_some_and(|line| fields::entity_tag_matches(std::iter::once(line), next))
    }
}
