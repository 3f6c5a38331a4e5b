//! The topics, and the bounds that hold for all of them together.

use std::collections::HashMap;

use super::followers::Places;
use super::{Cursor, Encoder, Epoch, Follower, Followers, Id, Log, Run, Segment, Sequence, Tick};

/// What the hub keeps at most. Each bound is on by default, but for the age.
#[derive(Clone, Debug)]
pub struct Limits {
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

impl Default for Limits {
    fn default() -> Limits {
        Limits {
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

/// A topic, as long as it exists.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TopicKey(u32);

/// One topic.
pub struct Topic {
    name: Box<str>,
    /// Its events.
    pub log: Log,
    /// Those who follow it with the connection held open.
    pub followers: Followers,
    used: Tick,
}

impl Topic {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// From where a client wants to follow.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Since {
    /// From the oldest event kept.
    Start,
    /// Only what comes after now.
    Now,
    /// After the event with this id, as the client gave it.
    After(String),
}

impl Since {
    /// What it keeps of what the client gave, in bytes of memory.
    pub fn memory(&self) -> usize {
        match self {
            Since::Start | Since::Now => 0,
            Since::After(id) => id.len(),
        }
    }
}

/// The client can't be given all that it has not seen: what it asked for, and from where it will be served.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Gap {
    /// The cursor that the client gave.
    pub since: String,
    /// The oldest event kept, if there is one.
    pub oldest: Option<Id>,
}

/// Where a client begins to follow.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Placement {
    /// It gets what comes after this.
    pub after: Sequence,
    /// What it has to be told first.
    pub gap: Option<Gap>,
}

/// All topics are in use and there may be no more: a passing limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoRoom;

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

/// All topics of one life of the server.
pub struct Hub {
    epoch: Epoch,
    newest: Sequence,
    evicted_through: Sequence,
    topics: Vec<Option<Topic>>,
    by_name: HashMap<Box<str>, TopicKey>,
    places: Places,
    limits: Limits,
    log_weight: usize,
    run_weight: usize,
    aged_at: Tick,
}

impl Hub {
    /// No topics yet.
    pub fn new(epoch: Epoch, limits: Limits) -> Hub {
        Hub {
            epoch,
            newest: 0,
            evicted_through: 0,
            topics: Vec::new(),
            by_name: HashMap::new(),
            places: Places::default(),
            limits,
            log_weight: 0,
            run_weight: 0,
            aged_at: Tick::default(),
        }
    }

    /// The id of an event of this life, or of the place after it.
    pub fn id(&self, sequence: Sequence) -> Id {
        Id { epoch: self.epoch, sequence }
    }

    /// How many topics there are.
    pub fn topic_count(&self) -> usize {
        self.by_name.len()
    }

    /// How many events were published, in all topics and in all.
    pub fn published(&self) -> Sequence {
        self.newest
    }

    /// The bytes that all logs hold, and the bytes that all encodings hold.
    pub fn weights(&self) -> (usize, usize) {
        (self.log_weight, self.run_weight)
    }

    /// The topic of that name, if it exists.
    pub fn find(&self, name: &str) -> Option<TopicKey> {
        self.by_name.get(name).copied()
    }

    /// The topic of that name, which begins to exist with this. The longest unused one without followers goes
    /// for it where there are too many.
    pub fn open(&mut self, name: &str, now: Tick) -> Result<TopicKey, NoRoom> {
        if let Some(key) = self.find(name) {
            self.topic_mut(key).used = now;
            return Ok(key);
        }
        if self.by_name.len() >= self.limits.topics {
            self.evict()?;
        }
        let topic = Topic {
            name: name.into(),
            log: Log::new(self.evicted_through, self.limits.window_events),
            followers: Followers::default(),
            used: now,
        };
        let free = self.topics.iter().position(Option::is_none);
        let key = TopicKey(free.unwrap_or(self.topics.len()) as u32);
        match free {
            Some(at) => self.topics[at] = Some(topic),
            None => self.topics.push(Some(topic)),
        }
        self.by_name.insert(name.into(), key);
        Ok(key)
    }

    fn evict(&mut self) -> Result<(), NoRoom> {
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

    /// The topic with this key.
    pub fn topic(&self, key: TopicKey) -> &Topic {
        self.topics[key.0 as usize]
            .as_ref()
            .expect("a key is given out for a topic that has a user, and those stay")
    }

    fn topic_mut(&mut self, key: TopicKey) -> &mut Topic {
        self.topics[key.0 as usize]
            .as_mut()
            .expect("a key is given out for a topic that has a user, and those stay")
    }

    /// Where a client begins that wants to follow from `since`; of a topic that need not exist.
    pub fn place(&self, key: Option<TopicKey>, since: &Since) -> Placement {
        let log = key.map(|key| &self.topic(key).log);
        let lost_through = log.map_or(self.evicted_through, Log::lost_through);
        let after = match since {
            Since::Start => lost_through,
            Since::Now => log.map_or(self.evicted_through, Log::newest),
            Since::After(text) => match Id::parse(text) {
                Some(id) if id.epoch == self.epoch && (lost_through..=self.newest).contains(&id.sequence) => {
                    id.sequence
                }
                _ => {
                    let oldest = log.and_then(Log::oldest).map(|sequence| self.id(sequence));
                    let gap = Gap { since: text.clone(), oldest };
                    return Placement { after: lost_through, gap: Some(gap) };
                }
            },
        };
        Placement { after, gap: None }
    }

    /// Appends an event. Returns its sequence, and whether a sweep has to begin with it. The window is kept to
    /// by [`Hub::trim`], which the caller owes after one event or many.
    pub fn publish(&mut self, key: TopicKey, name: &str, data: &str, now: Tick) -> (Sequence, bool) {
        self.newest += 1;
        let sequence = self.newest;
        let topic = self.topic_mut(key);
        topic.used = now;
        let begins = topic.followers.announce(topic.log.open_segment());
        let (grown, given_back) = topic.log.append(sequence, name, data, now);
        self.log_weight += grown;
        self.run_weight -= given_back;
        (sequence, begins)
    }

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
            // Sequences count over all topics, so the oldest segment of all has the lowest.
            let droppable = self.keys().filter(|key| {
                let topic = self.topic(*key);
                topic.log.first_segment() < topic.followers.floor()
            });
            let oldest = droppable
                .filter_map(|key| Some((self.topic(key).log.oldest()?, key)))
                .min_by_key(|(oldest, _)| *oldest);
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

    fn keys(&self) -> impl Iterator<Item = TopicKey> {
        self.topics.iter().enumerate().filter(|(_, topic)| topic.is_some()).map(|(at, _)| TopicKey(at as u32))
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
    fn grow_runs(&mut self, grown: usize, now: Tick) {
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

    /// A cursor behind which stands everything through `after`.
    pub fn cursor(&mut self, key: TopicKey, after: Sequence, encoder: Encoder, now: Tick) -> Cursor {
        let epoch = self.epoch;
        let (cursor, grown) = self.topic_mut(key).log.cursor_after(after, encoder, epoch, now);
        self.grow_runs(grown, now);
        cursor
    }

    /// Makes what is owed to a cursor, up to about `budget` bytes, for [`Log::owed`] to hand out.
    pub fn prepare(&mut self, key: TopicKey, cursor: Cursor, encoder: Encoder, budget: usize, now: Tick) {
        let epoch = self.epoch;
        let grown = self.topic_mut(key).log.prepare(cursor, encoder, budget, epoch, now);
        self.grow_runs(grown, now);
    }

    /// A follower joins at the head.
    pub fn join(&mut self, key: TopicKey, follower: Follower, now: Tick) {
        let Hub { topics, places, .. } = self;
        if let Some(topic) = topics[key.0 as usize].as_mut() {
            topic.used = now;
            topic.followers.join(follower, places);
        }
    }

    /// A follower goes.
    pub fn leave(&mut self, key: TopicKey, follower: Follower, now: Tick) {
        let Hub { topics, places, .. } = self;
        if let Some(topic) = topics[key.0 as usize].as_mut() {
            topic.used = now;
            topic.followers.leave(follower, places);
        }
    }

    /// A follower stands behind, or at the head again.
    pub fn set_behind(&mut self, key: TopicKey, follower: Follower, behind: bool) {
        let Hub { topics, places, .. } = self;
        if let Some(topic) = topics[key.0 as usize].as_mut() {
            match behind {
                true => topic.followers.fall_behind(follower, places),
                false => topic.followers.catch_up(follower, places),
            }
        }
    }

    /// Whether a follower stands with those behind.
    pub fn is_behind(&self, key: TopicKey, follower: Follower) -> bool {
        self.topic(key).followers.is_behind(follower, &self.places)
    }

    /// Whom the topic's sweep comes to next; see [`Followers::next`]. A topic that has gone since has none.
    pub fn sweep_next(&mut self, key: TopicKey) -> Option<Follower> {
        let topic = self.topics[key.0 as usize].as_mut()?;
        topic.followers.next(topic.log.open_segment())
    }

    /// The sweep has come to that follower; see [`Followers::served`].
    pub fn served(&mut self, key: TopicKey, follower: Follower) {
        if let Some(topic) = self.topics[key.0 as usize].as_mut() {
            topic.followers.served(follower);
        }
    }
}

#[cfg(test)]
mod tests;
