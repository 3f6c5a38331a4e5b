//! The queue between the thread that relays bytes and the thread that shows them.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvError, Sender, TryRecvError};
use std::time::Instant;

use crate::wire::Side;

/// The capacity of the queue, in bytes.
const CAPACITY_BYTES: usize = 64 * 1024 * 1024;

/// The cost of an observation in addition to its bytes, in bytes.
const OBSERVATION_BYTES: usize = 128;

/// The behavior when the queue is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// The connection that adds more is not shown any further. Traffic continues: a client and a
    /// server must not wait for a terminal.
    DropConnection,
    /// Sockets are not read until the queue has space: a recording must be complete.
    Wait,
}

/// An event on a connection.
#[derive(Debug)]
pub enum ConnectionEvent {
    /// The connection was accepted from this address.
    Opened(SocketAddr),
    /// These bytes from a side were relayed.
    Relayed(Side, Vec<u8>),
    /// A side ended its direction with FIN.
    Ended(Side),
    /// A side reset the connection or can't be reached any more.
    Reset(Side),
    /// The bytes relayed after this event are not shown.
    Dropped,
    /// The connection is closed. The numbers are the relayed bytes of each side that are not shown.
    Closed([u64; 2]),
}

/// An event with its connection and time.
#[derive(Debug)]
pub struct Observation {
    /// The number of the connection.
    pub connection: u64,
    /// Milliseconds since the start of the tap.
    pub time_ms: u64,
    pub event: ConnectionEvent,
}

/// The sending end of the queue. It never blocks.
pub struct QueueSender {
    when_full: WhenFull,
    sender: Sender<Observation>,
    queued_bytes: Arc<AtomicUsize>,
    start: Instant,
    /// For each dropped connection, the number of bytes of each side that are not shown.
    dropped: HashMap<u64, [u64; 2]>,
}

/// The receiving end of the queue.
pub struct QueueReceiver {
    receiver: Receiver<Observation>,
    queued_bytes: Arc<AtomicUsize>,
}

/// Returns the two ends of a new queue.
pub fn queue(when_full: WhenFull) -> (QueueSender, QueueReceiver) {
    let (sender, receiver) = mpsc::channel();
    let queued_bytes = Arc::new(AtomicUsize::new(0));
    let queue_receiver = QueueReceiver { receiver, queued_bytes: Arc::clone(&queued_bytes) };
    let dropped = HashMap::new();
    (QueueSender { when_full, sender, queued_bytes, start: Instant::now(), dropped }, queue_receiver)
}

impl QueueSender {
    /// Returns true if more bytes may be read from sockets.
    pub fn has_space(&self) -> bool {
        self.when_full == WhenFull::DropConnection
            || self.queued_bytes.load(Ordering::Relaxed) < CAPACITY_BYTES
    }

    /// Reports bytes from `side` that were relayed.
    pub fn relayed(&mut self, connection: u64, side: Side, bytes: &[u8]) {
        if let Some(dropped) = self.dropped.get_mut(&connection) {
            dropped[side as usize] += bytes.len() as u64;
        } else if self.when_full == WhenFull::DropConnection
            && self.queued_bytes.load(Ordering::Relaxed) + bytes.len() > CAPACITY_BYTES
        {
            // The bytes after a gap can't be read, so the rest of the connection is dropped too.
            let mut dropped = [0; 2];
            dropped[side as usize] = bytes.len() as u64;
            self.dropped.insert(connection, dropped);
            self.send(connection, ConnectionEvent::Dropped);
        } else {
            self.send(connection, ConnectionEvent::Relayed(side, bytes.to_vec()));
        }
    }

    /// Reports that a connection is closed.
    pub fn closed(&mut self, connection: u64) {
        let dropped = self.dropped.remove(&connection).unwrap_or_default();
        self.send(connection, ConnectionEvent::Closed(dropped));
    }

    /// Reports any other event.
    pub fn send(&self, connection: u64, event: ConnectionEvent) {
        let cost = event.cost();
        let time_ms = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.queued_bytes.fetch_add(cost, Ordering::Relaxed);
        // Without a receiver, the relay continues.
        let _ = self.sender.send(Observation { connection, time_ms, event });
    }
}

impl ConnectionEvent {
    /// Returns the space that the event takes in the queue, in bytes.
    fn cost(&self) -> usize {
        match self {
            ConnectionEvent::Relayed(_, bytes) => OBSERVATION_BYTES + bytes.len(),
            _ => OBSERVATION_BYTES,
        }
    }
}

impl QueueReceiver {
    /// Returns the next observation without waiting.
    ///
    /// # Errors
    /// Fails if the queue is empty, or if the sender is gone.
    pub fn try_next(&self) -> Result<Observation, TryRecvError> {
        self.receiver.try_recv().inspect(|observation| self.release(observation))
    }

    /// Waits for the next observation.
    ///
    /// # Errors
    /// Fails if the queue is empty and the sender is gone.
    pub fn next(&self) -> Result<Observation, RecvError> {
        self.receiver.recv().inspect(|observation| self.release(observation))
    }

    fn release(&self, observation: &Observation) {
        self.queued_bytes.fetch_sub(observation.event.cost(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::{CAPACITY_BYTES, ConnectionEvent, WhenFull, queue};
    use crate::wire::Side;

    const PIECE: &[u8] = &[0; 1 << 20];

    #[test]
    fn a_full_queue_drops_the_connection_and_counts_its_bytes() {
        let (mut sender, receiver) = queue(WhenFull::DropConnection);
        let pieces = 2 * CAPACITY_BYTES / PIECE.len();
        for _ in 0..pieces {
            assert!(sender.has_space());
            sender.relayed(1, Side::Client, PIECE);
        }
        sender.relayed(2, Side::Server, PIECE);
        sender.closed(1);
        let (mut shown, mut drops, mut dropped_bytes) = (0, 0, 0);
        while let Ok(observation) = receiver.try_next() {
            match observation.event {
                ConnectionEvent::Relayed(_, bytes) => shown += bytes.len(),
                ConnectionEvent::Dropped => drops += 1,
                ConnectionEvent::Closed(bytes) => dropped_bytes = bytes[0],
                event => panic!("{event:?}"),
            }
        }
        assert!(shown <= CAPACITY_BYTES && shown > CAPACITY_BYTES / 2);
        assert_eq!(drops, 2, "each connection is reported once");
        assert_eq!(shown as u64 + dropped_bytes, (pieces * PIECE.len()) as u64);
        // The queue has space again, but a connection with a gap stays dropped.
        sender.relayed(2, Side::Server, b"x");
        sender.relayed(3, Side::Server, b"x");
        assert_eq!(receiver.try_next().map(|observation| observation.connection), Ok(3));
    }

    #[test]
    fn a_full_queue_has_no_space_while_recording() {
        let (mut sender, receiver) = queue(WhenFull::Wait);
        while sender.has_space() {
            sender.relayed(1, Side::Client, PIECE);
        }
        assert!(matches!(
            receiver.try_next().map(|observation| observation.event),
            Ok(ConnectionEvent::Relayed(..))
        ));
        assert!(sender.has_space());
    }
}
