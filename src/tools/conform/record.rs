//! What was sent and received while a case was played.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Instant;

use crate::wire::Side;
use crate::wire::record::Block;

/// The maximum number of bytes that the record of one case keeps.
const MAX_BYTES: usize = 1 << 18;

/// The conversations of one case, in the order of the bytes.
#[derive(Clone, Debug)]
pub struct Record {
    start: Instant,
    connections: u64,
    blocks: Vec<Block>,
    bytes: usize,
}

/// A record that the connections of a case share.
pub type SharedRecord = Rc<RefCell<Record>>;

impl Record {
    pub fn new() -> Self {
        Self { start: Instant::now(), connections: 0, blocks: Vec::new(), bytes: 0 }
    }

    /// Returns whether there was no connection yet.
    pub fn is_empty(&self) -> bool {
        self.connections == 0
    }

    /// Returns the number of a new connection; the first is 1.
    pub fn add_connection(&mut self) -> u64 {
        self.connections += 1;
        self.connections
    }

    /// Adds bytes that `side` sent. Bytes beyond the maximum are dropped.
    pub fn add(&mut self, connection: u64, side: Side, bytes: &[u8]) {
        let bytes = &bytes[..bytes.len().min(MAX_BYTES - self.bytes)];
        if bytes.is_empty() {
            return;
        }
        self.bytes += bytes.len();
        if let Some(last) = self.blocks.last_mut()
            && (last.connection, last.side, last.is_end) == (connection, side, false)
        {
            last.bytes.extend_from_slice(bytes);
            return;
        }
        self.push(connection, side, bytes.to_vec(), false);
    }

    /// Notes that `side` ended.
    pub fn end(&mut self, connection: u64, side: Side) {
        self.push(connection, side, Vec::new(), true);
    }

    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    fn push(&mut self, connection: u64, side: Side, bytes: Vec<u8>, is_end: bool) {
        let time_ms = self.start.elapsed().as_millis() as u64;
        self.blocks.push(Block { connection, side, time_ms, bytes, is_end });
    }
}
