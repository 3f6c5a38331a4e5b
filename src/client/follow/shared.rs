//! The state that all followers of one thread share: counters, buffers and random bytes.

use std::fmt;
use std::io;

use super::error::Error;
use super::json::JsonBuffers;
use crate::client::random::Random;

/// Counters and buffers for all followers of one thread.
///
/// Between two calls only the counters carry information; the buffers are scratch space.
pub struct Shared {
    /// The counters of all followers that use this value.
    pub traffic: Traffic,
    draw: Box<dyn FnMut() -> io::Result<[u8; 16]> + Send>,
    /// The content of one read of an event stream.
    pub(super) content: Vec<u8>,
    pub(super) buffers: JsonBuffers,
}

/// Counters of requests, events and bytes. Bytes are counted as the socket transfers them, above
/// TCP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Requests sent, including handshakes.
    pub requests: u64,
    /// Final responses whose head was received.
    pub responses: u64,
    /// Poll responses without an event.
    pub empty_responses: u64,
    /// Events delivered.
    pub events: u64,
    /// All bytes sent.
    pub bytes_up: u64,
    /// The part of [`bytes_up`](Self::bytes_up) that is message payload.
    ///
    /// It is 0, because followers send only requests without a body, pongs and close frames.
    pub payload_up: u64,
    /// All bytes received.
    pub bytes_down: u64,
    /// The part of [`bytes_down`](Self::bytes_down) that is response content or message payload.
    /// The rest is heads, chunk sizes and frame headers.
    pub payload_down: u64,
    /// The part of [`payload_down`](Self::payload_down) that is event data. The rest is ids, names
    /// and the JSON or fields around them.
    pub data_down: u64,
}

impl Shared {
    /// Creates the shared state with `draw` as the source of random bytes.
    ///
    /// Each call of `draw` must return 16 new and unpredictable bytes (RFC 6455 §4.1, §5.3).
    pub fn new(draw: impl FnMut() -> io::Result<[u8; 16]> + Send + 'static) -> Self {
        Self {
            traffic: Traffic::default(),
            draw: Box::new(draw),
            content: Vec::new(),
            buffers: JsonBuffers::default(),
        }
    }

    /// Creates the shared state with the system's random bytes.
    ///
    /// # Errors
    /// The system provides no random bytes.
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
