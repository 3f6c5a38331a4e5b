//! What all followers of one thread share: counters, shared for what is being read, and random bytes.

use std::fmt;
use std::io;

use super::error::Error;
use super::json::Texts;
use crate::client::random::Random;

/// Shared for all followers of a thread. It holds nothing of any of them between two calls, but its counters.
pub struct Shared {
    /// What was counted so far, of all followers that were called with this.
    pub traffic: Traffic,
    draw: Box<dyn FnMut() -> io::Result<[u8; 16]> + Send>,
    /// The content of one read of an event stream.
    pub(super) content: Vec<u8>,
    pub(super) texts: Texts,
}

/// What has gone through: the bytes as the socket has them, above TCP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Requests that were written, handshakes among them.
    pub requests: u64,
    /// Final answers whose head has come.
    pub responses: u64,
    /// Answers of polls that held no event.
    pub empty_responses: u64,
    /// Events that were told.
    pub events: u64,
    /// All bytes that were written.
    pub bytes_up: u64,
    /// Of these, those of messages' payloads. Followers send requests without a body, pongs and close frames, so it is 0.
    pub payload_up: u64,
    /// All bytes that have come.
    pub bytes_down: u64,
    /// Of these, the content of answers and the payload of messages; the rest is heads, chunk sizes and frame headers.
    pub payload_down: u64,
    /// Of these, the data of events; the rest is ids, names and the JSON or the fields around them.
    pub data_down: u64,
}

impl Shared {
    /// With random bytes from `draw`: 16 that were never given before, and that nobody can foretell (RFC 6455 §4.1, §5.3).
    pub fn new(draw: impl FnMut() -> io::Result<[u8; 16]> + Send + 'static) -> Self {
        Self {
            traffic: Traffic::default(),
            draw: Box::new(draw),
            content: Vec::new(),
            texts: Texts::default(),
        }
    }

    /// With the system's random bytes.
    ///
    /// # Errors
    /// The system's, if it has none.
    pub fn with_system_random() -> io::Result<Self> {
        let mut random = Random::new()?;
        Ok(Self::new(move || random.draw()))
    }

    pub(super) fn draw(&mut self) -> Result<[u8; 16], Error> {
        (self.draw)().map_err(|error| Error::Random(error.kind()))
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("traffic", &self.traffic).finish_non_exhaustive()
    }
}
