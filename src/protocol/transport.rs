//! The four transports, and their names.

use std::fmt;

/// The most bytes of data in an event that any server accepts: the maximum of the server's
/// `--max-event-bytes`. A client accepts this size by default.
pub const MAX_EVENT_BYTES: usize = 16 << 20;

/// One of the four ways to follow a topic.
///
/// This is the only list of the transports. Options, the access log, metrics, the wire view and
/// the clients take the names from here.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Transport {
    /// The client polls, and the response is immediate.
    ShortPoll,
    /// The client polls, and the response waits for an event.
    LongPoll,
    /// Server-Sent Events: one response that does not end (WHATWG HTML §9.2).
    EventStream,
    /// A WebSocket: messages in both directions (RFC 6455).
    WebSocket,
}

impl Transport {
    /// All transports.
    pub const ALL: [Transport; 4] =
        [Transport::ShortPoll, Transport::LongPoll, Transport::EventStream, Transport::WebSocket];

    /// Returns the name: `short-poll`, `long-poll`, `sse` or `websocket`.
    pub const fn name(self) -> &'static str {
        match self {
            Transport::ShortPoll => "short-poll",
            Transport::LongPoll => "long-poll",
            Transport::EventStream => "sse",
            Transport::WebSocket => "websocket",
        }
    }

    /// Returns the transport with a name.
    pub fn named(name: &str) -> Option<Transport> {
        Transport::ALL.into_iter().find(|transport| transport.name() == name)
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
