//! The model: the published events, in order. It does not model windows: it asks the server which
//! events are kept.

use crate::parse::ReceivedEvent;

/// An event as it was published, with the sequence from the response.
pub struct Event {
    pub sequence: u64,
    pub name: String,
    pub data: String,
}

/// All published events.
pub struct Expected {
    pub epoch: String,
    /// The newest sequence of all topics.
    pub newest: u64,
    topics: Vec<Vec<Event>>,
}

/// The events of a topic that the server reports as kept.
#[derive(Clone, Copy, Debug)]
pub struct Kept {
    /// The oldest event kept.
    pub oldest: Option<u64>,
    /// The lower bound of `lost_through`.
    pub lost_least: u64,
    /// The upper bound of `lost_through`.
    pub lost_most: u64,
}

impl Expected {
    /// Returns an empty model of a server with this epoch.
    pub fn new(epoch: &str, topics: usize) -> Expected {
        let topics = (0..topics).map(|_| Vec::new()).collect();
        Expected { epoch: epoch.to_owned(), newest: 0, topics }
    }

    /// Returns an id's text.
    pub fn id(&self, sequence: u64) -> String {
        format!("{}-{sequence}", self.epoch)
    }

    /// Returns the sequence of an id with this epoch.
    pub fn sequence(&self, id: &str) -> u64 {
        let (epoch, digits) = id.split_once('-').expect("an id has two parts");
        assert_eq!(epoch, self.epoch);
        digits.parse().expect("an id ends with a number")
    }

    /// Records an accepted event. Sequences count over all topics.
    pub fn accepted(&mut self, topic: usize, name: &str, data: &str) {
        self.newest += 1;
        let data = data.replace("\r\n", "\n").replace('\r', "\n");
        self.topics[topic].push(Event { sequence: self.newest, name: name.to_owned(), data });
    }

    /// Returns the topic's first event after this sequence, which a follower receives next.
    pub fn next_after(&self, topic: usize, after: u64) -> Option<&Event> {
        let events = &self.topics[topic];
        events.get(events.partition_point(|event| event.sequence <= after))
    }

    /// Returns the sequence of the topic's last event before this one.
    pub fn last_before(&self, topic: usize, before: u64) -> Option<u64> {
        let events = &self.topics[topic];
        let count = events.partition_point(|event| event.sequence < before);
        Some(events[count.checked_sub(1)?].sequence)
    }

    /// Returns the sequence of the topic's newest event.
    pub fn newest_of(&self, topic: usize) -> u64 {
        self.topics[topic].last().map_or(0, |event| event.sequence)
    }

    /// Returns the sequence of an event, chosen by a number.
    pub fn any(&self, topic: usize, number: usize) -> Option<u64> {
        let events = &self.topics[topic];
        Some(events.get(number % events.len().max(1))?.sequence)
    }

    /// Checks that an event is the next one for a follower that has everything through `after`.
    /// Returns its sequence.
    pub fn check(&self, topic: usize, after: u64, received: &ReceivedEvent) -> u64 {
        let Some(next) = self.next_after(topic, after) else {
            panic!("no event exists after {after}, but {:?} arrived", received.id);
        };
        if let Some(id) = &received.id {
            assert_eq!(*id, self.id(next.sequence), "the event after {after}");
            assert_eq!(received.event.as_ref(), Some(&next.name), "the name of {id}");
        }
        assert!(
            received.data == next.data,
            "the data of {}: received {:.200?}, expected {:.200?}",
            next.sequence,
            received.data,
            next.data
        );
        next.sequence
    }
}
