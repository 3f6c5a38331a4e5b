//! The model: what was published, in order. It knows nothing of windows; what is kept it asks the server.

use crate::parse::Got;

/// An event as it was published and its answer named it.
pub struct Event {
    pub sequence: u64,
    pub name: String,
    pub data: String,
}

/// All that was published.
pub struct Expected {
    pub epoch: String,
    /// The newest sequence of all topics.
    pub newest: u64,
    topics: Vec<Vec<Event>>,
}

/// What the server says is kept of a topic.
#[derive(Clone, Copy, Debug)]
pub struct Kept {
    /// The oldest event kept.
    pub oldest: Option<u64>,
    /// `lost_through` is at least this.
    pub lost_least: u64,
    /// And at most this.
    pub lost_most: u64,
}

impl Expected {
    /// Nothing yet, in a life of the server with this epoch.
    pub fn new(epoch: &str, topics: usize) -> Expected {
        let topics = (0..topics).map(|_| Vec::new()).collect();
        Expected { epoch: epoch.to_owned(), newest: 0, topics }
    }

    /// An id's text.
    pub fn id(&self, sequence: u64) -> String {
        format!("{}-{sequence}", self.epoch)
    }

    /// The sequence in an id of this life.
    pub fn sequence(&self, id: &str) -> u64 {
        let (epoch, digits) = id.split_once('-').expect("an id has two parts");
        assert_eq!(epoch, self.epoch);
        digits.parse().expect("an id ends with a number")
    }

    /// An event was accepted. Sequences count over all topics.
    pub fn accepted(&mut self, topic: usize, name: &str, data: &str) {
        self.newest += 1;
        let data = data.replace("\r\n", "\n").replace('\r', "\n");
        self.topics[topic].push(Event { sequence: self.newest, name: name.to_owned(), data });
    }

    /// The topic's first event after this sequence: what a follower is owed next.
    pub fn next_after(&self, topic: usize, after: u64) -> Option<&Event> {
        let events = &self.topics[topic];
        events.get(events.partition_point(|event| event.sequence <= after))
    }

    /// The topic's last event before this sequence.
    pub fn last_before(&self, topic: usize, before: u64) -> Option<u64> {
        let events = &self.topics[topic];
        let count = events.partition_point(|event| event.sequence < before);
        Some(events[count.checked_sub(1)?].sequence)
    }

    /// The topic's newest event.
    pub fn newest_of(&self, topic: usize) -> u64 {
        self.topics[topic].last().map_or(0, |event| event.sequence)
    }

    /// Some event's sequence, by a number.
    pub fn any(&self, topic: usize, number: usize) -> Option<u64> {
        let events = &self.topics[topic];
        Some(events.get(number % events.len().max(1))?.sequence)
    }

    /// A follower that has everything through `after` got this. Returns its sequence: it must be the very next.
    pub fn check(&self, topic: usize, after: u64, got: &Got) -> u64 {
        let Some(next) = self.next_after(topic, after) else {
            panic!("everything through {after} was there, and then came {:?}", got.id);
        };
        if let Some(id) = &got.id {
            assert_eq!(*id, self.id(next.sequence), "what comes after {after}");
            assert_eq!(got.event.as_ref(), Some(&next.name), "the name of {id}");
        }
        assert!(
            got.data == next.data,
            "the data of {}: {:.200?} for {:.200?}",
            next.sequence,
            got.data,
            next.data
        );
        next.sequence
    }
}
