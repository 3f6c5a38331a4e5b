//! The suites, and the kinds of endpoints that they test.

/// A suite: the cases about one protocol or transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Suite {
    Http,
    ShortPoll,
    LongPoll,
    Sse,
    WebSocket,
    Deflate,
}

impl Suite {
    pub const ALL: [Self; 6] =
        [Self::Http, Self::ShortPoll, Self::LongPoll, Self::Sse, Self::WebSocket, Self::Deflate];

    /// Returns the name, which is the first part of the number of each case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::ShortPoll => "short-poll",
            Self::LongPoll => "long-poll",
            Self::Sse => "sse",
            Self::WebSocket => "websocket",
            Self::Deflate => "deflate",
        }
    }

    /// Returns the suite of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|suite| suite.name() == name)
    }
}

/// Which endpoints a case can test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoints {
    Server,
    Client,
    Both,
}

/// The kind of endpoint under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    Server,
    Client,
}

impl Endpoints {
    /// Returns whether the case can test this kind of endpoint.
    pub fn include(self, endpoint: Endpoint) -> bool {
        match self {
            Self::Server => endpoint == Endpoint::Server,
            Self::Client => endpoint == Endpoint::Client,
            Self::Both => true,
        }
    }
}
