//! The queue between the thread that passes bytes on and the one that shows them.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvError, Sender, TryRecvError};
use std::time::Instant;

use crate::wire::Side;

/// How many bytes may wait to be shown.
const MOST_WAITING: usize = 64 * 1024 * 1024;

/// What one entry counts beside its bytes.
const ENTRY: usize = 128;

/// What is done when as much waits to be shown as may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behind {
    /// The connection that brings more is not shown any more. Who looks can bear that; its client and its server could not
    /// bear to wait for somebody's terminal.
    LeavesOut,
    /// Nothing more is read until there is room: a recording with holes would be none.
    Waits,
}

/// What has been seen of a connection.
#[derive(Debug)]
pub enum What {
    /// It was accepted.
    Opened(SocketAddr),
    /// These bytes were passed on.
    Passed(Side, Vec<u8>),
    /// A side has ended its direction (FIN).
    Ended(Side),
    /// A side has reset the connection, or can't be reached any more.
    Reset(Side),
    /// What is passed on from here on won't be shown.
    LeftOut,
    /// It is over; so many bytes of each side were passed on and not shown.
    Over([u64; 2]),
}

/// Something that was seen.
#[derive(Debug)]
pub struct Seen {
    /// The connection's number.
    pub connection: u64,
    /// In milliseconds since the tap began.
    pub time_ms: u64,
    /// What it was.
    pub what: What,
}

/// The end of the queue that tells what is seen. Nothing here waits.
pub struct Feed {
    behind: Behind,
    sender: Sender<Seen>,
    waiting: Arc<AtomicUsize>,
    begun: Instant,
    /// How many bytes of each side were not told of, of connections that are left out.
    left_out: HashMap<u64, [u64; 2]>,
}

/// The end that is told.
pub struct Told {
    receiver: Receiver<Seen>,
    waiting: Arc<AtomicUsize>,
}

/// A queue.
pub fn feed(behind: Behind) -> (Feed, Told) {
    let (sender, receiver) = mpsc::channel();
    let waiting = Arc::new(AtomicUsize::new(0));
    let told = Told { receiver, waiting: Arc::clone(&waiting) };
    (Feed { behind, sender, waiting, begun: Instant::now(), left_out: HashMap::new() }, told)
}

impl Feed {
    /// Whether more may be read from the sockets.
    pub fn has_room(&self) -> bool {
        self.behind == Behind::LeavesOut || self.waiting.load(Ordering::Relaxed) < MOST_WAITING
    }

    /// `side` has sent these bytes, and they were passed on.
    pub fn passed(&mut self, connection: u64, side: Side, bytes: &[u8]) {
        if let Some(left_out) = self.left_out.get_mut(&connection) {
            left_out[side as usize] += bytes.len() as u64;
        } else if self.behind == Behind::LeavesOut
            && self.waiting.load(Ordering::Relaxed) + bytes.len() > MOST_WAITING
        {
            // What comes behind a hole can't be read any more: that is why the rest of it is left out, too.
            let mut left_out = [0; 2];
            left_out[side as usize] = bytes.len() as u64;
            self.left_out.insert(connection, left_out);
            self.tell(connection, What::LeftOut);
        } else {
            self.tell(connection, What::Passed(side, bytes.to_vec()));
        }
    }

    /// A connection is over.
    pub fn over(&mut self, connection: u64) {
        let left_out = self.left_out.remove(&connection).unwrap_or_default();
        self.tell(connection, What::Over(left_out));
    }

    /// Tells anything else.
    pub fn tell(&self, connection: u64, what: What) {
        let length = what.length();
        let time_ms = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.waiting.fetch_add(length, Ordering::Relaxed);
        // If nobody is told any more, the bytes are passed on all the same.
        let _ = self.sender.send(Seen { connection, time_ms, what });
    }
}

impl What {
    fn length(&self) -> usize {
        match self {
            What::Passed(_, bytes) => ENTRY + bytes.len(),
            _ => ENTRY,
        }
    }
}

impl Told {
    /// The next, if there is one.
    ///
    /// # Errors
    /// There is none now, or none will come.
    pub fn next_now(&self) -> Result<Seen, TryRecvError> {
        self.receiver.try_recv().inspect(|seen| self.taken(seen))
    }

    /// The next; waits for it.
    ///
    /// # Errors
    /// None will come.
    pub fn next(&self) -> Result<Seen, RecvError> {
        self.receiver.recv().inspect(|seen| self.taken(seen))
    }

    fn taken(&self, seen: &Seen) {
        self.waiting.fetch_sub(seen.what.length(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::{Behind, MOST_WAITING, What, feed};
    use crate::wire::Side;

    const PIECE: &[u8] = &[0; 1 << 20];

    #[test]
    fn a_connection_is_left_out_when_too_much_waits_and_its_bytes_are_counted() {
        let (mut feed, told) = feed(Behind::LeavesOut);
        let pieces = 2 * MOST_WAITING / PIECE.len();
        for _ in 0..pieces {
            assert!(feed.has_room());
            feed.passed(1, Side::Client, PIECE);
        }
        feed.passed(2, Side::Server, PIECE);
        feed.over(1);
        let (mut shown, mut told_of, mut left_out) = (0, 0, 0);
        while let Ok(seen) = told.next_now() {
            match seen.what {
                What::Passed(_, bytes) => shown += bytes.len(),
                What::LeftOut => told_of += 1,
                What::Over(bytes) => left_out = bytes[0],
                what => panic!("{what:?}"),
            }
        }
        assert!(shown <= MOST_WAITING && shown > MOST_WAITING / 2);
        assert_eq!(told_of, 2, "each connection is told of once");
        assert_eq!(shown as u64 + left_out, (pieces * PIECE.len()) as u64);
        // There is room again, but not for one that has a hole.
        feed.passed(2, Side::Server, b"x");
        feed.passed(3, Side::Server, b"x");
        assert_eq!(told.next_now().map(|seen| seen.connection), Ok(3));
    }

    #[test]
    fn who_records_waits() {
        let (mut feed, told) = feed(Behind::Waits);
        while feed.has_room() {
            feed.passed(1, Side::Client, PIECE);
        }
        assert!(matches!(told.next_now().map(|seen| seen.what), Ok(What::Passed(..))));
        assert!(feed.has_room());
    }
}
