//! The thread that names the relayed bytes and writes the view.

use std::collections::HashMap;

use super::filter::Filter;
use super::queue::{ConnectionEvent, Observation, QueueReceiver};
use super::sink::Sink;
use super::tracker::Tracker;
use crate::wire::{Conversation, Protocol, SecretNames};

/// The view of all connections.
pub struct View {
    filter: Filter,
    /// The names of the secrets to hide; `None` shows all.
    secrets: Option<SecretNames>,
    sink: Sink,
    trackers: HashMap<u64, Tracker>,
}

impl View {
    /// Returns a view of the connections that `filter` selects, with these secrets hidden.
    pub fn new(filter: Filter, secrets: Option<SecretNames>, sink: Sink) -> Self {
        Self { filter, secrets, sink, trackers: HashMap::new() }
    }

    /// Shows all observations until the queue is closed.
    ///
    /// # Errors
    /// Fails with a message for the user if an output has failed.
    pub fn run(mut self, queue: &QueueReceiver) -> Result<(), String> {
        loop {
            // Observations that are available are written together. Everything is written before
            // the thread waits.
            let next = queue.try_next().or_else(|_| {
                self.sink.write();
                queue.next()
            });
            let Ok(observation) = next else { break };
            self.observe(observation);
            if self.sink.is_full() {
                self.sink.write();
            }
        }
        self.sink.outcome()
    }

    fn observe(&mut self, Observation { connection, time_ms, event }: Observation) {
        if let ConnectionEvent::Opened(peer) = event {
            self.open(connection, peer.to_string(), time_ms);
            return;
        }
        let Some(tracker) = self.trackers.get_mut(&connection) else { return };
        let (filter, sink) = (&self.filter, &mut self.sink);
        match event {
            ConnectionEvent::Opened(_) => {}
            ConnectionEvent::Relayed(side, bytes) => tracker.relayed(side, &bytes, time_ms, filter, sink),
            ConnectionEvent::Ended(side) => tracker.ended(side, time_ms, filter, sink),
            ConnectionEvent::Reset(side) => tracker.reset(side, time_ms, sink),
            ConnectionEvent::Dropped => tracker.dropped(time_ms, sink),
            ConnectionEvent::Closed(dropped) => {
                tracker.closed(dropped, time_ms, filter, sink);
                self.trackers.remove(&connection);
            }
        }
    }

    fn open(&mut self, connection: u64, peer: String, time_ms: u64) {
        let conversation = Conversation::new();
        let conversation = match &self.secrets {
            Some(names) => conversation.hiding(names.clone()),
            None => conversation,
        };
        let mut tracker = Tracker::new(connection, conversation, peer, time_ms);
        if self.filter.selects(connection, Protocol::Undecided) == Some(true) {
            tracker.show(&mut self.sink);
        }
        self.trackers.insert(connection, tracker);
    }
}
