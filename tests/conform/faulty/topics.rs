//! The topics: append-only logs of events, and threads that wait for the next one.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Duration;

/// Events that a topic keeps.
const KEPT: usize = 1000;
/// Topics that the server keeps, so that it stays small.
const TOPICS: usize = 10_000;
/// The epoch in the id of each event.
const EPOCH: &str = "Faulty00";

#[derive(Clone)]
pub struct Event {
    pub sequence: u64,
    pub name: String,
    pub data: String,
}

#[derive(Default)]
struct Log {
    events: Vec<Event>,
    /// The newest event that is no longer kept.
    lost_through: u64,
}

#[derive(Default)]
struct State {
    logs: HashMap<String, Log>,
    newest: u64,
}

#[derive(Default)]
pub struct Topics {
    state: Mutex<State>,
    published: Condvar,
}

/// Where a client wants to start.
pub enum Since {
    Start,
    Now,
    After(String),
}

/// Where a client starts.
pub struct Placement {
    pub after: u64,
    /// The cursor of the client, and the oldest event kept, if events between them are lost.
    pub gap: Option<(String, Option<u64>)>,
}

/// Returns the id of an event.
pub fn id(sequence: u64) -> String {
    format!("{EPOCH}-{sequence}")
}

fn parse(id: &str) -> Option<u64> {
    let sequence = id.strip_prefix(EPOCH)?.strip_prefix('-')?.parse().ok()?;
    (self::id(sequence) == id).then_some(sequence)
}

impl Topics {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread panics with the lock")
    }

    /// Publishes an event. Returns its sequence, or `None` if there are too many topics.
    pub fn publish(&self, topic: &str, name: &str, data: &str) -> Option<u64> {
        let mut state = self.state();
        if state.logs.len() >= TOPICS && !state.logs.contains_key(topic) {
            return None;
        }
        state.newest += 1;
        let sequence = state.newest;
        let log = state.logs.entry(topic.to_owned()).or_default();
        if log.events.len() == KEPT {
            log.lost_through = log.events.remove(0).sequence;
        }
        log.events.push(Event { sequence, name: name.to_owned(), data: data.to_owned() });
        self.published.notify_all();
        Some(sequence)
    }

    /// Returns where a client starts.
    pub fn place(&self, topic: &str, since: Since) -> Placement {
        let state = self.state();
        let log = state.logs.get(topic);
        let lost_through = log.map_or(0, |log| log.lost_through);
        let newest = log.and_then(|log| log.events.last()).map_or(lost_through, |event| event.sequence);
        let after = match since {
            Since::Start => lost_through,
            Since::Now => newest,
            Since::After(id) => match parse(&id) {
                Some(sequence) if (lost_through..=state.newest).contains(&sequence) => sequence,
                _ => {
                    let oldest = log.and_then(|log| log.events.first()).map(|event| event.sequence);
                    return Placement { after: lost_through, gap: Some((id, oldest)) };
                }
            },
        };
        Placement { after, gap: None }
    }

    /// Returns the events after a sequence.
    pub fn after(&self, topic: &str, sequence: u64) -> Vec<Event> {
        self.state().after(topic, sequence)
    }

    /// Waits until there are events after a sequence, but not longer than `timeout`.
    pub fn wait_after(&self, topic: &str, sequence: u64, timeout: Duration) -> Vec<Event> {
        let state = self.state();
        let is_empty = |state: &mut State| state.after(topic, sequence).is_empty();
        let waited = self.published.wait_timeout_while(state, timeout, is_empty);
        waited.expect("no thread panics with the lock").0.after(topic, sequence)
    }
}

impl State {
    fn after(&self, topic: &str, sequence: u64) -> Vec<Event> {
        let events = self.logs.get(topic).map_or(&[][..], |log| &log.events);
        events.iter().filter(|event| event.sequence > sequence).cloned().collect()
    }
}
