//! The bounds that hold for all topics together, and what goes when there is more: whole segments, encodings, topics.

use super::{Hub, NoRoom, TopicKey};
use crate::hub::{Encoder, Epoch, Log, Run, Segment, Tick};

/// What the hub keeps at most. Each bound is on by default, but for the age.
#[derive(Clone, Debug)]
pub struct HubLimits {
    /// Topics; beyond it the longest unused one without followers goes.
    pub topics: usize,
    /// Events that a topic keeps at least, while the bytes allow.
    pub window_events: usize,
    /// Bytes of events in all topics together, the log's own bookkeeping in them.
    pub window_bytes: usize,
    /// Age of an event in ticks, beyond which it may go; `None`: events do not age.
    pub window_age: Option<u32>,
    /// Bytes of encodings in all topics together. Beyond it the longest unused are dropped, and made anew
    /// when somebody needs them.
    pub encoded_bytes: usize,
}

impl Default for HubLimits {
    fn default() -> HubLimits {
        HubLimits {
            topics: 1024,
            window_events: 65_536,
            window_bytes: 64 << 20,
            window_age: None,
            encoded_bytes: 64 << 20,
        }
    }
}

/// An encoding that nobody has used for this long is dropped.
const ENCODING_UNUSED: u32 = 60 * Tick::PER_SECOND;

/// A segment that has gone out of a topic's window.
pub struct Dropped {
    /// The topic.
    pub topic: TopicKey,
    /// The segment's number.
    pub number: u32,
    segment: Segment,
    epoch: Epoch,
}

impl Dropped {
    /// The segment's run in an encoding, for those who stand in the middle of an event in it.
    pub fn run(&mut self, encoder: Encoder) -> &Run {
        self.segment.encode(encoder, self.epoch, Tick::default());
        self.segment.run(encoder.slot).expect("it was just made")
    }

    /// Takes out the bytes of a run.
    pub fn take_bytes(&mut self, slot: usize) -> Vec<u8> {
        self.segment.take_run(slot).map(Run::into_bytes).unwrap_or_default()
    }
}

impl Hub {
    /// Drops what is beyond the window of one topic, and beyond the bytes of all: whole segments, the oldest
    /// first. Each is handed to `dropped`, for followers that stand in it.
    pub fn trim(&mut self, key: TopicKey, mut dropped: impl FnMut(Dropped)) {
        let window_events = self.limits.window_events;
        loop {
            let log = &self.topic(key).log;
            let surplus =
                log.oldest_segment().is_some_and(|oldest| log.len() - oldest.len() >= window_events);
            if !surplus || !self.drop_oldest(key, &mut dropped) {
                break;
            }
        }
        while self.log_weight > self.limits.window_bytes {
            // Sequences count over all topics. A segment goes whole, so it is as old as the newest event in it: by its oldest
            // one, a topic that has an event now and then would lose what it got just now to another that is busy.
            let droppable = self.keys().filter(|key| {
                let topic = self.topic(*key);
                topic.log.first_segment() < topic.followers.floor()
            });
            let oldest = droppable
                .filter_map(|key| Some((self.topic(key).log.oldest_segment()?.last_sequence(), key)))
                .min_by_key(|(newest, _)| *newest);
            let Some((_, oldest)) = oldest else { break };
            if !self.drop_oldest(oldest, &mut dropped) {
                break;
            }
        }
    }

    /// Drops the oldest segments of a topic until it has no more than `bytes`, or one segment.
    pub fn trim_to(&mut self, key: TopicKey, bytes: usize, mut dropped: impl FnMut(Dropped)) {
        while self.topic(key).log.weight() > bytes && self.drop_oldest(key, &mut dropped) {}
    }

    /// What time asks for, once a second is enough: drops events over the age, and encodings that nobody has used for a minute.
    pub fn age(&mut self, now: Tick, mut dropped: impl FnMut(Dropped)) {
        if let Some(age) = self.limits.window_age {
            let keys: Vec<TopicKey> = self.keys().collect();
            for key in keys {
                let aged = |log: &Log| {
                    log.oldest_segment().is_some_and(|segment| segment.newest_at().after(age) < now)
                };
                while aged(&self.topic(key).log) && self.drop_oldest(key, &mut dropped) {}
            }
        }
        if now >= self.aged_at.after(ENCODING_UNUSED / 6) {
            self.aged_at = now;
            self.drop_runs_before(now.before(ENCODING_UNUSED));
        }
    }

    fn drop_oldest(&mut self, key: TopicKey, dropped: &mut impl FnMut(Dropped)) -> bool {
        let epoch = self.epoch;
        let topic = self.topic_mut(key);
        let (floor, stood_in) = (topic.followers.floor(), !topic.followers.behind().is_empty());
        let Some((number, segment)) = topic.log.drop_oldest(floor) else { return false };
        self.log_weight -= segment.log_weight();
        self.run_weight -= segment.run_weight();
        // Nobody else can stand in it; and a topic with followers stays, so the key stays right until they are told.
        if stood_in {
            dropped(Dropped { topic: key, number, segment, epoch });
        }
        true
    }

    fn drop_runs_before(&mut self, limit: Tick) {
        let mut kept = 0;
        for segment in self.topics.iter_mut().flatten().flat_map(|topic| topic.log.segments_mut()) {
            segment.drop_runs_before(limit);
            kept += segment.run_weight();
        }
        self.run_weight = kept;
    }

    /// Counts what encodings have grown by, and drops the longest unused ones beyond the bound, down to three
    /// quarters of it. What was used at `now` stays, so that nothing goes that is being written.
    pub(super) fn grow_runs(&mut self, grown: usize, now: Tick) {
        self.run_weight += grown;
        if grown == 0 || self.run_weight <= self.limits.encoded_bytes {
            return;
        }
        let segments = self.topics.iter().flatten().flat_map(|topic| topic.log.segments());
        let mut used: Vec<(Tick, usize)> = segments
            .flat_map(|segment| {
                let each = segment.run_weight() / segment.runs_used().count().max(1);
                segment.runs_used().map(move |tick| (tick, each))
            })
            .collect();
        used.sort_unstable();
        let mut over = self.run_weight - self.limits.encoded_bytes / 4 * 3;
        let limit = used.into_iter().find_map(|(tick, weight)| {
            over = over.saturating_sub(weight);
            (over == 0).then_some(tick)
        });
        self.drop_runs_before(limit.map_or(now, |limit| limit.after(1)).min(now));
    }

    /// Drops the topic that was used the longest ago, of those that nobody follows.
    pub(super) fn evict(&mut self) -> Result<(), NoRoom> {
        let unused = self
            .topics
            .iter_mut()
            .filter(|topic| topic.as_ref().is_some_and(|topic| topic.followers.is_empty()));
        let slot = unused.min_by_key(|topic| topic.as_ref().map(|topic| topic.used)).ok_or(NoRoom)?;
        if let Some(topic) = slot.take() {
            self.evicted_through = self.evicted_through.max(topic.log.newest());
            self.by_name.remove(&topic.name);
            for segment in topic.log.segments() {
                self.log_weight -= segment.log_weight();
                self.run_weight -= segment.run_weight();
            }
        }
        Ok(())
    }
}
