//! The eviction of followers that are too slow: what they still have to read is no longer kept.
//!
//! A segment that leaves the window may have thousands of followers in it. They are evicted over
//! several loop iterations, and the segment is kept for them until then. No other byte may be
//! written to such a follower before it is evicted: it would land in the middle of an event.

use std::collections::HashMap;
use std::rc::Rc;

use super::byte_stream::ByteStream;
use super::connection::{Connection, RestOfEvent};
use super::context::LoopContext;
use super::memory::SharedBytes;
use super::work::cost;
use crate::hub::{DroppedSegment, Follower, Hub};

/// A segment that is no longer kept, and the followers that may be in it.
pub struct Eviction {
    /// The segment. Its topic is held, so that the key stays valid, and must be released.
    pub dropped: DroppedSegment,
    /// The followers that may be in the segment, except those that were looked at.
    pub lagging: Vec<Follower>,
    /// The segment's events in each encoding that a follower in the middle of an event needs.
    shared: HashMap<usize, Rc<SharedBytes>>,
}

impl Eviction {
    /// Creates the eviction of the followers that lag when the segment is dropped.
    pub fn new(dropped: DroppedSegment, hub: &mut Hub) -> Eviction {
        let lagging = hub.topic(dropped.topic).lagging().to_vec();
        hub.hold(dropped.topic);
        Eviction { dropped, lagging, shared: HashMap::new() }
    }

    /// Returns the memory of the segment and of the list of followers, in bytes.
    pub fn memory(&self) -> usize {
        self.dropped.memory() + self.lagging.len() * size_of::<Follower>()
    }

    /// Evicts a follower if its cursor is in the segment, or before it. Those in the middle of an
    /// event share the segment's encoded bytes until that event is written. What each of them is
    /// sent last is in `Connection::evict` (`connection/close.rs`).
    pub fn evict<S: ByteStream>(&mut self, connection: &mut Connection<S>, cx: &mut LoopContext) {
        cx.work.charge(cost::LOOK);
        let Some(following) = connection.following() else { return };
        let topic = self.dropped.topic;
        if following.topic != topic
            || following.segment() > self.dropped.number
            || !cx.service.hub.is_lagging(topic, connection.slot())
        {
            return;
        }
        let mut rest = None;
        if following.segment() == self.dropped.number {
            let slot = following.encoding.slot();
            let encoded = self.dropped.encoded(&mut cx.service.hub, slot);
            let (start, end) = (following.offset(), encoded.event_end(following.offset()));
            if start == encoded.bytes().len() {
                // The follower has been sent the whole segment; only its own output is pending.
                return;
            }
            if start < end {
                let shared = self.shared.entry(slot);
                let bytes = shared.or_insert_with(|| cx.memory.shared(encoded.bytes().to_vec()));
                rest = Some(RestOfEvent { bytes: Rc::clone(bytes), start, end });
            }
        }
        cx.charge_hub();
        connection.evict(rest, cx);
        connection.account_memory(cx);
    }
}
