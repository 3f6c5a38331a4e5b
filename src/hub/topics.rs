//! Topics and their followers, and the fan-out of new events.
//!
//! Followers that have been sent every event are in one list, those that lag in another, which is
//! all that trimming has to look at. A fan-out walks over the first list with one index:
//!
//! ```text
//! caught up   [ served … | next | not yet served …      ]   new followers join at the end
//! ```
//!
//! A removal at or after the index fills its hole from the end of the list. A removal before the
//! index fills its hole with the follower just before the index, fills that hole from the end, and
//! lowers the index. So a fan-out skips no follower and serves none twice, although followers join,
//! leave and fall behind in the middle of it; and it may pause anywhere for other work. Events that
//! are published meanwhile reach the followers not yet served; a second pass serves the others.

use std::collections::{HashMap, VecDeque};

use super::log::Use;
use super::{Encoders, Epoch, Id, Log, Segment, Sequence, Tick};

/// A follower's key: any number by which the layer above knows the follower, below 2³¹.
pub type Follower = u32;

/// In a follower's position: the position is in the list of lagging followers.
const LAGGING: u32 = 1 << 31;
const NOWHERE: u32 = u32::MAX;

/// Each follower's position in its topic's list, indexed by the follower's key.
#[derive(Default)]
pub(super) struct Positions(Vec<u32>);

impl Positions {
    fn set(&mut self, follower: Follower, position: u32) {
        let at = follower as usize;
        if at >= self.0.len() {
            self.0.resize(at + 1, NOWHERE);
        }
        self.0[at] = position;
    }

    fn get(&self, follower: Follower) -> Option<u32> {
        self.0.get(follower as usize).copied().filter(|position| *position != NOWHERE)
    }
}

/// A pass over the followers of one topic that have been sent everything before it.
#[derive(Clone, Copy)]
struct FanOut {
    next: u32,
    /// The lowest segment in which the cursor of a follower not yet served may be.
    floor: u32,
    /// The open segment when the pass began; the cursors of served followers are there or later.
    began_in: u32,
    /// An event was published since the pass began.
    again: bool,
}

/// The followers of one topic.
#[derive(Default)]
pub(super) struct Followers {
    caught_up: Vec<Follower>,
    lagging: Vec<Follower>,
    fan_out: Option<FanOut>,
}

impl Followers {
    fn is_empty(&self) -> bool {
        self.caught_up.is_empty() && self.lagging.is_empty()
    }

    fn join(&mut self, follower: Follower, positions: &mut Positions) {
        positions.set(follower, self.caught_up.len() as u32);
        self.caught_up.push(follower);
    }

    fn leave(&mut self, follower: Follower, positions: &mut Positions) {
        let Some(position) = positions.get(follower) else { return };
        positions.set(follower, NOWHERE);
        if position & LAGGING != 0 {
            let at = position & !LAGGING;
            self.lagging.swap_remove(at as usize);
            if let Some(moved) = self.lagging.get(at as usize) {
                positions.set(*moved, position);
            }
            return;
        }
        let mut hole = position;
        if let Some(fan_out) = &mut self.fan_out
            && hole < fan_out.next
        {
            fan_out.next -= 1;
            let last_served = self.caught_up[fan_out.next as usize];
            self.caught_up[hole as usize] = last_served;
            if last_served != follower {
                positions.set(last_served, hole);
            }
            hole = fan_out.next;
        }
        self.caught_up.swap_remove(hole as usize);
        if let Some(moved) = self.caught_up.get(hole as usize) {
            positions.set(*moved, hole);
        }
    }

    fn set_lagging(&mut self, follower: Follower, lagging: bool, positions: &mut Positions) {
        if self.is_lagging(follower, positions) == lagging {
            return;
        }
        self.leave(follower, positions);
        if lagging {
            positions.set(follower, self.lagging.len() as u32 | LAGGING);
            self.lagging.push(follower);
        } else {
            self.join(follower, positions);
        }
    }

    fn is_lagging(&self, follower: Follower, positions: &Positions) -> bool {
        positions.get(follower).is_some_and(|position| position & LAGGING != 0)
    }

    /// Notes a new event while `open` is the open segment. Returns whether a fan-out begins.
    fn announce(&mut self, open: u32) -> bool {
        match &mut self.fan_out {
            Some(fan_out) => {
                fan_out.again = true;
                false
            }
            None if self.caught_up.is_empty() => false,
            None => {
                self.fan_out = Some(FanOut { next: 0, floor: open, began_in: open, again: false });
                true
            }
        }
    }

    /// Returns the follower that the fan-out serves next; `None` once every event has reached every
    /// follower. `open` is the open segment now.
    fn next(&mut self, open: u32) -> Option<Follower> {
        loop {
            let fan_out = self.fan_out.as_mut()?;
            if let Some(follower) = self.caught_up.get(fan_out.next as usize) {
                return Some(*follower);
            }
            if fan_out.again && !self.caught_up.is_empty() {
                *fan_out = FanOut { next: 0, floor: fan_out.began_in, began_in: open, again: false };
            } else {
                self.fan_out = None;
            }
        }
    }

    /// Moves on from the follower that [`Followers::next`] returned. If that one has left or fallen
    /// behind meanwhile, another is in its position already and is served next.
    fn served(&mut self, follower: Follower) {
        if let Some(fan_out) = &mut self.fan_out
            && self.caught_up.get(fan_out.next as usize) == Some(&follower)
        {
            fan_out.next += 1;
        }
    }

    /// Returns the first segment that the fan-out still needs: neither it nor a later one may be
    /// dropped.
    pub(super) fn floor(&self) -> u32 {
        self.fan_out.map_or(u32::MAX, |fan_out| fan_out.floor)
    }

    pub(super) fn any_lagging(&self) -> bool {
        !self.lagging.is_empty()
    }
}

/// The key of a topic, valid while the topic exists.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TopicKey(pub(super) u32);

/// One topic.
pub struct Topic {
    pub(super) name: Box<str>,
    /// The events.
    pub log: Log,
    pub(super) followers: Followers,
    pub(super) last_used: Tick,
    /// The bytes of events that the topic may keep, below the limit for all topics.
    pub(super) max_bytes: usize,
    /// How many users hold the topic, besides its followers.
    pub(super) held: u32,
}

impl Topic {
    /// Returns the name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns whether the topic may be evicted for this opener.
    pub(super) fn is_evictable_for(&self, opener: Opener) -> bool {
        let is_used = self.has_followers() || self.held > 0;
        !is_used && (opener == Opener::Publisher || self.log.len() == 0)
    }

    /// Returns whether a connection that is held open follows the topic.
    pub fn has_followers(&self) -> bool {
        !self.followers.is_empty()
    }

    /// Returns whether an event has not yet reached every follower that is not lagging.
    pub fn has_deliveries(&self) -> bool {
        self.followers.fan_out.is_some()
    }

    /// Returns the followers whose sockets did not accept everything at once.
    pub fn lagging(&self) -> &[Follower] {
        &self.followers.lagging
    }
}

/// Who opens a topic. At the limit of topics, this decides which topic may be evicted for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Opener {
    /// A publisher, for which a topic and its events may be evicted.
    Publisher,
    /// A follower, for which only a topic without events may be evicted: a client that may not
    /// publish must not remove the events of others.
    Follower,
}

/// The limit is reached and no topic may be evicted for the opener. This may change at any time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoRoom;

/// The bounds on what the hub keeps. All but the age are on by default.
#[derive(Clone, Debug)]
pub struct HubLimits {
    /// Topics; beyond it a topic without followers is evicted, as far as the [`Opener`] permits.
    pub topics: usize,
    /// Events that a topic keeps at least, as far as `window_bytes` allows.
    pub window_events: usize,
    /// Bytes of events in all topics together, with the log's own bookkeeping.
    pub window_bytes: usize,
    /// Age of an event in ticks after which it may be dropped; `None` for no limit.
    pub window_age: Option<u32>,
    /// Bytes of encoded events in all topics together. Beyond it the least recently used encoded
    /// buffers are dropped; they are made again when a follower needs them.
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

/// A segment that has left a topic's window while followers of the topic lag.
pub struct DroppedSegment {
    /// The topic.
    pub topic: TopicKey,
    /// The segment's number.
    pub number: u32,
    pub(super) segment: Segment,
}

/// The work of appending an event, without its bytes.
const APPEND_WORK: u64 = 80;

/// The work of looking at one topic in a search.
pub(super) const SCAN_WORK: u64 = 4;

/// The work after which no further segment is encoded at once: compressing a segment takes long,
/// and its buffer may be short.
const MAX_ENCODE_WORK: u64 = 1_000_000;

/// An encoded buffer, and the number of a use of it.
pub(super) struct BufferUse {
    pub topic: TopicKey,
    pub segment: u32,
    pub encoding: usize,
    pub used: u64,
}

/// All topics in one life of the log.
pub struct Hub {
    pub(super) epoch: Epoch,
    pub(super) limits: HubLimits,
    pub(super) encoders: Encoders,
    pub(super) newest: Sequence,
    pub(super) evicted_through: Sequence,
    pub(super) topics: Vec<Option<Topic>>,
    pub(super) by_name: HashMap<Box<str>, TopicKey>,
    positions: Positions,
    /// Topics with a fan-out in progress.
    fan_outs: VecDeque<TopicKey>,
    /// Topics that have grown since the windows were last enforced.
    pub(super) grown: Vec<TopicKey>,
    /// Segments with lagging followers, to be returned by [`Hub::next_dropped`].
    pub(super) dropped: VecDeque<DroppedSegment>,
    pub(super) event_bytes: usize,
    pub(super) encoded_bytes: usize,
    pub(super) encodings_checked_at: Tick,
    /// How often encoded buffers were used.
    pub(super) uses: u64,
    /// The encoded buffers, about in the order of their last use.
    pub(super) recency: VecDeque<BufferUse>,
    pub(super) work: u64,
}

impl Hub {
    /// Creates a hub without topics.
    pub fn new(epoch: Epoch, limits: HubLimits, encoders: Encoders) -> Hub {
        Hub {
            epoch,
            limits,
            encoders,
            newest: 0,
            evicted_through: 0,
            topics: Vec::new(),
            by_name: HashMap::new(),
            positions: Positions::default(),
            fan_outs: VecDeque::new(),
            grown: Vec::new(),
            dropped: VecDeque::new(),
            event_bytes: 0,
            encoded_bytes: 0,
            encodings_checked_at: Tick::default(),
            uses: 0,
            recency: VecDeque::new(),
            work: 0,
        }
    }

    /// Returns the work since the last call, in units of about a nanosecond: encoding, and
    /// appending events.
    pub fn take_work(&mut self) -> u64 {
        std::mem::take(&mut self.work)
    }

    /// Returns the id of a sequence in this epoch.
    pub fn id(&self, sequence: Sequence) -> Id {
        Id { epoch: self.epoch, sequence }
    }

    /// Returns the number of topics.
    pub fn topic_count(&self) -> usize {
        self.by_name.len()
    }

    /// Returns the size of the events in all topics, in bytes.
    pub fn event_bytes(&self) -> usize {
        self.event_bytes
    }

    /// Returns the size of the encoded events in all topics, in bytes.
    pub fn encoded_bytes(&self) -> usize {
        self.encoded_bytes
    }

    /// Returns the topic with a name, if it exists.
    pub fn find(&self, name: &str) -> Option<TopicKey> {
        self.by_name.get(name).copied()
    }

    /// Returns the topic with a name, if it exists, and notes that it is used now.
    pub fn touch(&mut self, name: &str, now: Tick) -> Option<TopicKey> {
        let key = self.find(name)?;
        self.topic_mut(key).last_used = now;
        Some(key)
    }

    /// Returns the topic with a name, and creates it if it does not exist. At the limit of topics,
    /// a topic is evicted that has no followers: the least recently used one without events, and if
    /// there is none, for a publisher the least recently used one.
    ///
    /// # Errors
    /// [`NoRoom`] if no topic may be evicted for `opener`.
    pub fn open(&mut self, name: &str, opener: Opener, now: Tick) -> Result<TopicKey, NoRoom> {
        if let Some(key) = self.touch(name, now) {
            return Ok(key);
        }
        if self.by_name.len() >= self.limits.topics {
            self.evict_for(opener)?;
        }
        let topic = Topic {
            name: name.into(),
            log: Log::new(self.evicted_through, self.limits.window_events),
            followers: Followers::default(),
            last_used: now,
            max_bytes: usize::MAX,
            held: 0,
        };
        self.work += self.topics.len() as u64 * SCAN_WORK;
        let free = self.topics.iter().position(Option::is_none);
        let key = TopicKey(free.unwrap_or(self.topics.len()) as u32);
        match free {
            Some(at) => self.topics[at] = Some(topic),
            None => self.topics.push(Some(topic)),
        }
        self.by_name.insert(name.into(), key);
        Ok(key)
    }

    /// Lowers the bytes of events that one topic may keep.
    pub fn limit_bytes(&mut self, key: TopicKey, bytes: usize) {
        self.topic_mut(key).max_bytes = bytes;
    }

    fn get_mut(&mut self, key: TopicKey) -> Option<&mut Topic> {
        self.topics[key.0 as usize].as_mut()
    }

    /// Returns a topic that exists, as every topic with followers does.
    pub fn topic(&self, key: TopicKey) -> &Topic {
        self.topics[key.0 as usize].as_ref().expect("the caller follows the topic, so it is not evicted")
    }

    pub(super) fn topic_mut(&mut self, key: TopicKey) -> &mut Topic {
        self.get_mut(key).expect("the caller follows the topic, so it is not evicted")
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = TopicKey> {
        self.topics.iter().enumerate().filter(|(_, topic)| topic.is_some()).map(|(at, _)| TopicKey(at as u32))
    }

    pub(super) fn exists(&self, key: TopicKey) -> bool {
        self.topics[key.0 as usize].is_some()
    }

    /// Appends an event to a topic and returns its id. The fan-out to the followers is queued, and
    /// the window is enforced by the next call of [`Hub::trim`].
    pub fn publish(&mut self, key: TopicKey, name: &str, data: &str, now: Tick) -> Id {
        self.newest += 1;
        let sequence = self.newest;
        let topic = self.topic_mut(key);
        topic.last_used = now;
        let begins = topic.followers.announce(topic.log.open_segment());
        let growth = topic.log.append(sequence, name, data, now);
        self.event_bytes += growth.events;
        self.encoded_bytes -= growth.released;
        self.work += APPEND_WORK + growth.events as u64;
        if begins {
            self.fan_outs.push_back(key);
        }
        if self.grown.last() != Some(&key) {
            self.grown.push(key);
        }
        self.id(sequence)
    }

    /// Returns whether an event has not yet reached every follower of its topic that is not
    /// lagging.
    pub fn has_deliveries(&self) -> bool {
        !self.fan_outs.is_empty()
    }

    /// Returns the next follower with undelivered events, and its topic.
    pub fn next_delivery(&mut self) -> Option<(TopicKey, Follower)> {
        while let Some(key) = self.fan_outs.front().copied() {
            // A topic without followers may be evicted in the middle of its fan-out.
            let next = self.get_mut(key).and_then(|topic| topic.followers.next(topic.log.open_segment()));
            if let Some(follower) = next {
                return Some((key, follower));
            }
            self.fan_outs.pop_front();
        }
        None
    }

    /// Moves on from the delivery that [`Hub::next_delivery`] returned.
    pub fn delivered(&mut self, (key, follower): (TopicKey, Follower)) {
        if let Some(topic) = self.get_mut(key) {
            topic.followers.served(follower);
        }
    }

    /// Moves the fan-out in progress to the end of the queue, so that topics share the loop.
    pub fn rotate_fan_outs(&mut self) {
        self.fan_outs.rotate_left(1.min(self.fan_outs.len()));
    }

    /// Encodes the new events of the segments from the number `from` on, until their buffers hold
    /// `bytes`, or it is long work, or no segment is left. At least the first of these segments is
    /// encoded.
    pub fn encode(&mut self, key: TopicKey, from: u32, encoding: usize, bytes: usize, now: Tick) {
        let (encoders, epoch) = (self.encoders, self.epoch);
        self.uses += 1;
        let used = Use { tick: now, number: self.uses };
        let (mut grown, mut encoded, mut work) = (0, 0, 0);
        let Some(topic) = &mut self.topics[key.0 as usize] else { return };
        for number in from..=topic.log.open_segment() {
            let Some(segment) = topic.log.segment_mut(number) else { break };
            let done = segment.encode(encoding, &encoders, epoch, used);
            (grown, encoded, work) = (grown + done.grown, encoded + done.bytes, work + done.work);
            if done.is_new {
                self.recency.push_back(BufferUse {
                    topic: key,
                    segment: number,
                    encoding,
                    used: used.number,
                });
            }
            if encoded >= bytes || work >= MAX_ENCODE_WORK {
                break;
            }
        }
        self.work += work;
        self.encoded_bytes += grown;
        if grown > 0 {
            self.drop_least_recently_used(used.number);
        }
    }

    /// Adds a follower that has been sent everything.
    pub fn join(&mut self, key: TopicKey, follower: Follower, now: Tick) {
        self.with_followers(key, |topic, positions| {
            topic.last_used = now;
            topic.followers.join(follower, positions);
        });
    }

    /// Removes a follower.
    pub fn leave(&mut self, key: TopicKey, follower: Follower, now: Tick) {
        self.with_followers(key, |topic, positions| {
            topic.last_used = now;
            topic.followers.leave(follower, positions);
        });
    }

    /// Notes whether a follower lags.
    pub fn set_lagging(&mut self, key: TopicKey, follower: Follower, lagging: bool) {
        self.with_followers(key, |topic, positions| {
            topic.followers.set_lagging(follower, lagging, positions);
        });
    }

    /// Returns whether a follower lags.
    pub fn is_lagging(&self, key: TopicKey, follower: Follower) -> bool {
        self.topic(key).followers.is_lagging(follower, &self.positions)
    }

    fn with_followers(&mut self, key: TopicKey, change: impl FnOnce(&mut Topic, &mut Positions)) {
        if let Some(topic) = self.topics[key.0 as usize].as_mut() {
            change(topic, &mut self.positions);
        }
    }
}

#[cfg(test)]
mod tests;
