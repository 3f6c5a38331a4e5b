//! The topics, and who follows them. What goes when they hold too much is in `bounds`.

mod bounds;

use std::collections::HashMap;

use super::followers::Places;
use super::{Cursor, Encoder, Epoch, Follower, Followers, Id, Log, Sequence, Tick};

pub use bounds::{Dropped, HubLimits};

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

/// All topics of one life of the server.
pub struct Hub {
    epoch: Epoch,
    newest: Sequence,
    evicted_through: Sequence,
    topics: Vec<Option<Topic>>,
    by_name: HashMap<Box<str>, TopicKey>,
    places: Places,
    limits: HubLimits,
    log_weight: usize,
    run_weight: usize,
    aged_at: Tick,
}

impl Hub {
    /// No topics yet.
    pub fn new(epoch: Epoch, limits: HubLimits) -> Hub {
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

    fn keys(&self) -> impl Iterator<Item = TopicKey> {
        self.topics.iter().enumerate().filter(|(_, topic)| topic.is_some()).map(|(at, _)| TopicKey(at as u32))
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
