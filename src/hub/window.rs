//! The retained window: how segments, encoded buffers and topics are dropped when a bound is
//! exceeded.

use super::log::Use;
use super::topics::{DroppedSegment, Hub, NoRoom, Opener, SCAN_WORK, TopicKey};
use super::{EncodedBuffer, Log, Tick};

/// An encoded buffer is dropped when it has not been used for this many ticks.
const ENCODING_UNUSED: u32 = 60 * Tick::PER_SECOND;

impl DroppedSegment {
    /// Returns the memory of the segment's events in bytes.
    pub fn memory(&self) -> usize {
        self.segment.event_memory()
    }

    /// Returns the segment's events in one encoding.
    pub fn encoded(&mut self, hub: &mut Hub, encoding: usize) -> &EncodedBuffer {
        let used = Use { tick: Tick::default(), number: 0 };
        hub.work += self.segment.encode(encoding, &hub.encoders, hub.epoch, used).work;
        self.segment.encoded(encoding).expect("the buffer was made just now")
    }
}

impl Hub {
    /// Returns the next segment that has been dropped while followers of its topic lag: their
    /// cursors may be in it.
    pub fn next_dropped(&mut self) -> Option<DroppedSegment> {
        self.dropped.pop_front()
    }

    /// Returns whether more is kept than the bound allows: a fan-out still needs it.
    pub fn is_full(&self) -> bool {
        self.event_bytes > self.limits.window_bytes
    }

    /// Enforces the windows of the topics that have grown.
    ///
    /// The event loop calls this after each connection that it serves, never in the middle: the
    /// cursor of the follower that publishes may itself be in a segment to be dropped.
    pub fn trim(&mut self) {
        for key in std::mem::take(&mut self.grown) {
            // A topic without followers may have been evicted since it has grown.
            while self.exists(key) && self.exceeds_window(key) && self.drop_oldest(key) {}
        }
        while self.event_bytes > self.limits.window_bytes
            && let Some(oldest) = self.topic_with_oldest_segment()
            && self.drop_oldest(oldest)
        {
            self.work += self.topics.len() as u64 * SCAN_WORK;
        }
    }

    /// Returns whether the topic keeps more than its window. A topic with its own limit of bytes
    /// has no other window; the others keep enough events without the oldest segment.
    fn exceeds_window(&self, key: TopicKey) -> bool {
        let topic = self.topic(key);
        if topic.max_bytes < usize::MAX {
            return topic.log.event_memory() > topic.max_bytes;
        }
        let oldest = topic.log.oldest_segment();
        oldest.is_some_and(|oldest| topic.log.len() - oldest.len() >= self.limits.window_events)
    }

    /// Returns the topic whose oldest segment is the oldest of all that may be dropped.
    ///
    /// Sequences count over all topics. A segment is dropped as a whole, so its age is that of its
    /// newest event; by its oldest event, a quiet topic would lose an event that was published just
    /// now to a busy topic.
    fn topic_with_oldest_segment(&self) -> Option<TopicKey> {
        let droppable = self.keys().filter(|key| {
            let topic = self.topic(*key);
            topic.log.first_segment() < topic.followers.floor()
        });
        let oldest =
            droppable.filter_map(|key| Some((self.topic(key).log.oldest_segment()?.last_sequence(), key)));
        oldest.min_by_key(|(newest, _)| *newest).map(|(_, key)| key)
    }

    /// Drops events beyond the age limit, and encoded buffers that have not been used for a minute.
    /// One call per second is enough.
    pub fn age(&mut self, now: Tick) {
        if let Some(age) = self.limits.window_age {
            let keys: Vec<TopicKey> = self.keys().collect();
            for key in keys {
                let aged = |log: &Log| {
                    log.oldest_segment().is_some_and(|segment| segment.newest_at().after(age) < now)
                };
                while aged(&self.topic(key).log) && self.drop_oldest(key) {}
            }
        }
        if now >= self.encodings_checked_at.after(ENCODING_UNUSED / 6) {
            self.encodings_checked_at = now;
            self.drop_encoded_before(now.before(ENCODING_UNUSED));
        }
    }

    /// Drops a topic's oldest segment, unless its fan-out still needs it.
    fn drop_oldest(&mut self, key: TopicKey) -> bool {
        let topic = self.topic_mut(key);
        let any_lagging = topic.followers.any_lagging();
        let Some((number, segment)) = topic.log.drop_oldest(topic.followers.floor()) else { return false };
        self.event_bytes -= segment.event_memory();
        self.encoded_bytes -= segment.encoded_memory();
        // Only a lagging follower's cursor can be in the segment. A topic with followers is not
        // evicted, so the key stays valid.
        if any_lagging {
            let mut segment = segment;
            // Few followers are in the middle of an event, and for them it is encoded again.
            segment.drop_encoded();
            self.dropped.push_back(DroppedSegment { topic: key, number, segment });
        }
        true
    }

    /// Keeps a topic from being evicted until [`Hub::release`].
    pub fn hold(&mut self, key: TopicKey) {
        self.topic_mut(key).held += 1;
    }

    /// Ends a [`Hub::hold`].
    pub fn release(&mut self, key: TopicKey) {
        self.topic_mut(key).held -= 1;
    }

    /// Evicts the least recently used topic without events that may be evicted for `opener`, or the
    /// least recently used one with events if there is no other.
    ///
    /// Topics without events are evicted first even for a publisher. Otherwise a follower could
    /// create such topics up to the limit, poll them, and so make every other topic the least
    /// recently used one.
    pub(super) fn evict_for(&mut self, opener: Opener) -> Result<(), NoRoom> {
        let evictable = self
            .topics
            .iter_mut()
            .filter(|slot| slot.as_ref().is_some_and(|topic| topic.is_evictable_for(opener)));
        let slot = evictable
            .min_by_key(|slot| slot.as_ref().map(|topic| (topic.log.len() > 0, topic.last_used)))
            .ok_or(NoRoom)?;
        if let Some(topic) = slot.take() {
            self.evicted_through = self.evicted_through.max(topic.log.newest());
            self.by_name.remove(&topic.name);
            for segment in topic.log.segments() {
                self.event_bytes -= segment.event_memory();
                self.encoded_bytes -= segment.encoded_memory();
            }
        }
        Ok(())
    }
}
