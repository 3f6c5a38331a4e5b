//! Where and when some bytes passed, for the outputs of the wire view.

use crate::transport::Purpose;
use crate::wire::render::Source;

/// The connection on which bytes have passed, and the time.
#[derive(Clone, Copy, Debug)]
pub struct Passage {
    /// The connection's number.
    pub connection: u64,
    /// The purpose of the connection's last request.
    pub purpose: Purpose,
    /// The time in milliseconds since the server's start.
    pub time_ms: u64,
}

impl Passage {
    /// Returns the connection and the time as the renderers show them.
    pub fn source(self) -> Source {
        Source { connection: Some(self.connection), time_ms: Some(self.time_ms) }
    }
}
