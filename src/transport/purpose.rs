//! The purpose of a request, as the access log and observers name it.

use crate::protocol::Transport;

/// The purpose of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// It follows a topic over a transport. A WebSocket to `/echo` is of this kind too.
    Follow(Transport),
    /// It publishes.
    Publish,
    /// It follows the observation of all connections, at `/wire`.
    Observe,
    /// Everything else: the page, health, metrics, and requests that cannot be parsed.
    Other,
}

impl Purpose {
    /// Returns the name: that of the transport if the purpose is a transport.
    pub const fn name(self) -> &'static str {
        match self {
            Purpose::Follow(transport) => transport.name(),
            Purpose::Publish => "publish",
            Purpose::Observe => "wire",
            Purpose::Other => "-",
        }
    }
}
