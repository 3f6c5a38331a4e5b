//! The encoded buffers of all segments: made when a follower needs them, and dropped when all
//! together hold more than their bound.

use super::Tick;
use super::topics::Hub;

impl Hub {
    /// Drops the buffers that were last used before `limit`.
    pub(super) fn drop_encoded_before(&mut self, limit: Tick) {
        let mut kept = 0;
        for segment in self.topics.iter_mut().flatten().flat_map(|topic| topic.log.segments_mut()) {
            segment.drop_encoded_before(limit);
            kept += segment.encoded_memory();
        }
        self.encoded_bytes = kept;
        let topics = &self.topics;
        self.recency.retain(|buffer| {
            let topic = topics[buffer.topic.0 as usize].as_ref();
            let segment = topic.and_then(|topic| topic.log.segment(buffer.segment));
            segment.is_some_and(|segment| segment.use_number(buffer.encoding).is_some())
        });
    }

    /// Drops the least recently used encoded buffers until their bound holds. Those of the use
    /// `current` are kept: they are about to be written.
    ///
    /// A buffer's place in the order is corrected only when it comes to the front, so a use costs
    /// nothing more than its number.
    pub(super) fn drop_least_recently_used(&mut self, current: u64) {
        let mut left = self.recency.len() * 2;
        while self.encoded_bytes > self.limits.encoded_bytes && left > 0 {
            left -= 1;
            let Some(mut buffer) = self.recency.pop_front() else { return };
            let topic = self.topics[buffer.topic.0 as usize].as_mut();
            let Some(segment) = topic.and_then(|topic| topic.log.segment_mut(buffer.segment)) else {
                continue;
            };
            match segment.use_number(buffer.encoding) {
                None => {}
                Some(used) if used > buffer.used || used == current => {
                    buffer.used = used;
                    self.recency.push_back(buffer);
                }
                Some(_) => self.encoded_bytes -= segment.drop_buffer(buffer.encoding),
            }
        }
    }
}
