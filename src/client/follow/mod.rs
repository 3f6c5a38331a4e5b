//! Following a topic over any of the four transports, as state machines without sockets and without a clock.
//!
//! A [`Follower`] writes requests, takes the bytes that come, cut anywhere, and tells what they bring. Who drives it opens
//! the connections, and waits: [`Follow`](super::Follow) does for one, and a loop of one's own can for thousands, with one
//! [`Shared`] for all of them.
//!
//! ```text
//!             ┌─────────────────── Next::Request { after, reuse } ──────────────────┐
//!             ▼                                                                 │
//!  connect ─▶ ask ─▶ write what it appended ─▶ read ─▶ receive ─┬─ Next::Read ─▶ read on
//!     ▲                                                         ├─ Error: for good
//!     └──────────────── Next::Reconnect { at_least, reason } ◀───────────┘
//! ```
//!
//! Read in this order:
//!
//! 1. `resource` — what is followed, and the requests for it.
//! 2. `answer` — the head of an answer, and bodies that are wanted whole.
//! 3. `poll`, `event_stream`, `websocket` — the transports.
//! 4. `item` — events in JSON.
//! 5. `post` — publishing.
//! 6. `shared`, `error` — what these stand on.
//!
//! ```
//! use barewire::client::follow::{Follower, Next, Notice, Resource, Shared, Since, Via};
//!
//! let resource = Resource::new("http://127.0.0.1:8080/topics/demo", None, &[])?;
//! let mut shared = Shared::with_system_random().expect("the system has random bytes");
//! let mut follower = Follower::new(Via::ShortPoll, Since::Start);
//!
//! let mut out = Vec::new();
//! follower.ask(&resource, &mut shared, &mut out)?;
//! assert!(out.starts_with(b"GET /topics/demo?since=start HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n"));
//!
//! let answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 69\r\n\r\n\
//!     {\"events\":[{\"id\":\"a-1\",\"event\":\"message\",\"data\":\"one\"}],\"next\":\"a-1\"}";
//! let (mut told, mut next) = (Vec::new(), Next::Read);
//! for byte in answer {
//!     assert_eq!(next, Next::Read);
//!     next = follower.receive(&mut [*byte], &resource, &mut shared, &mut out, &mut |notice| {
//!         if let Notice::Event(event) = notice {
//!             told.push(event.data.to_owned());
//!         }
//!     })?;
//! }
//! assert_eq!(told, ["one"]);
//! assert_eq!(follower.cursor(), Some("a-1"));
//! assert_eq!(next, Next::Request { after: resource.interval, reuse: true });
//! # Ok::<(), barewire::client::follow::Error>(())
//! ```

mod error;
mod event_stream;
mod json;
mod poll;
mod publish_request;
mod resource;
mod response;
mod shared;
mod websocket;

use std::fmt;
use std::time::Duration;

pub use error::Error;
pub use publish_request::{PublishRequest, PublishStep};
pub use resource::{Limits, Resource};
#[cfg(feature = "cli")]
pub(crate) use response::{BufferedBody, Head, HeadReader};
pub use shared::{Shared, Traffic};

use crate::protocol::websocket::close::CloseCode;
use event_stream::EventStream;
use poll::Poll;
use websocket::WebSocket;

/// The longest id that is taken, in bytes: it goes back in each request.
pub const MAX_ID: usize = 1024;

/// A transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Via {
    /// Asks, is answered at once, and asks again after an interval.
    ShortPoll,
    /// Asks, and the answer waits for an event.
    LongPoll,
    /// Server-Sent Events: asks once, and the answer goes on.
    EventStream,
    /// Asks to leave HTTP for messages in both directions.
    WebSocket,
}

impl Via {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::ShortPoll, Self::LongPoll, Self::EventStream, Self::WebSocket];

    /// Its name: `short-poll`, `long-poll`, `sse` or `websocket`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ShortPoll => "short-poll",
            Self::LongPoll => "long-poll",
            Self::EventStream => "sse",
            Self::WebSocket => "websocket",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|via| via.name() == name)
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// From where on a topic is followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Since {
    /// From the oldest event that is kept.
    Start,
    /// Only what is still to come.
    Now,
    /// What came after the event with this id, whichever transport gave it.
    Id(String),
}

impl Since {
    fn id(&self) -> Option<&str> {
        match self {
            Self::Id(id) => Some(id),
            Self::Start | Self::Now => None,
        }
    }

    fn set(&mut self, id: &str) {
        match self {
            // Its shared serves the next id.
            Self::Id(kept) => {
                kept.clear();
                kept.push_str(id);
            }
            Self::Start | Self::Now => *self = Self::Id(id.to_owned()),
        }
    }
}

/// An event, borrowed for as long as it is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// Its id.
    pub id: &'a str,
    /// Its name.
    pub event: &'a str,
    /// Its data.
    pub data: &'a str,
}

/// What a follower tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice<'a> {
    /// An event.
    Event(Event<'a>),
    /// Not all that came after `since` can be had any more; what follows is all that is kept.
    Gap {
        /// What was asked for.
        since: &'a str,
        /// The oldest event that is kept; `None` if none is.
        oldest: Option<&'a str>,
    },
    /// Where the server has put the follower, without an event: to come back with after that.
    Cursor(&'a str),
}

/// What is to be done after bytes have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Read on, on this connection.
    Read,
    /// Ask again.
    Request {
        /// So long after it was asked the last time; if that is over, at once.
        after: Duration,
        /// On the same connection; else on a new one.
        reuse: bool,
    },
    /// The connection is of no more use, and what is in the way will pass: ask again on a new one.
    Reconnect {
        /// Wait at least so long. How much longer, with how much of chance in it, is for who drives this.
        at_least: Duration,
        /// What is in the way.
        reason: RetryReason,
    },
}

/// What is in the way, and will pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryReason {
    /// The connection has ended, or the stream in it.
    Ended,
    /// The server, or a proxy in front of it, says that it can't now (RFC 9110 §15.6.4).
    Status(u16),
    /// The server has closed the WebSocket with this code (RFC 6455 §7.4.1).
    Closed(CloseCode),
}

impl fmt::Display for RetryReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended => f.write_str("the server has ended the connection"),
            Self::Status(status) => write!(f, "the server answers {status}"),
            Self::Closed(code) => write!(f, "the server has closed the WebSocket with {code}"),
        }
    }
}

/// A follower of one topic over one transport.
///
/// Silent, it takes some two hundred bytes, and an event stream and a WebSocket a little more on the heap: thousands fit in one
/// thread.
#[derive(Debug)]
pub struct Follower {
    since: Since,
    transport: Transport,
}

#[derive(Debug)]
enum Transport {
    Poll(Poll, Via),
    EventStream(EventStream),
    WebSocket(WebSocket),
}

impl Follower {
    /// A follower that has not asked yet.
    pub fn new(via: Via, since: Since) -> Self {
        let transport = match via {
            Via::ShortPoll => Transport::Poll(Poll::new(false), via),
            Via::LongPoll => Transport::Poll(Poll::new(true), via),
            Via::EventStream => Transport::EventStream(EventStream::new()),
            Via::WebSocket => Transport::WebSocket(WebSocket::new()),
        };
        Self { since, transport }
    }

    /// Its transport.
    pub fn via(&self) -> Via {
        match &self.transport {
            Transport::Poll(_, via) => *via,
            Transport::EventStream(_) => Via::EventStream,
            Transport::WebSocket(_) => Via::WebSocket,
        }
    }

    /// The id that it would come back with, if it has one.
    pub fn cursor(&self) -> Option<&str> {
        self.since.id()
    }

    /// From where on it would ask: what to begin another follower with, whatever its transport.
    pub fn since(&self) -> &Since {
        &self.since
    }

    /// Whether it has asked, and not a byte has come. On a connection that was used before, an end is then no news: the server
    /// had ended it already (RFC 9112 §9.5).
    pub fn is_awaiting_response(&self) -> bool {
        match &self.transport {
            Transport::Poll(poll, _) => poll.is_awaiting_response(),
            Transport::EventStream(stream) => stream.is_awaiting_response(),
            Transport::WebSocket(socket) => socket.is_awaiting_response(),
        }
    }

    /// Whether an event stream or a WebSocket is open: the server has answered as it should, and events may come.
    pub fn is_streaming(&self) -> bool {
        match &self.transport {
            Transport::Poll(..) => false,
            Transport::EventStream(stream) => stream.is_open(),
            Transport::WebSocket(socket) => socket.is_open(),
        }
    }

    /// Appends the request. What was under way on another connection is forgotten, but for the cursor.
    ///
    /// # Errors
    /// [`Error::Random`], and [`Error::Request`] for a field that a handshake may not hold.
    pub fn write_request(
        &mut self,
        resource: &Resource,
        shared: &mut Shared,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let start = out.len();
        match &mut self.transport {
            Transport::Poll(poll, _) => poll.ask(resource, &self.since, out),
            Transport::EventStream(stream) => stream.ask(resource, &self.since, out),
            Transport::WebSocket(socket) => socket.ask(resource, &self.since, shared, out)?,
        }
        shared.traffic.requests += 1;
        shared.traffic.bytes_up += (out.len() - start) as u64;
        Ok(())
    }

    /// Takes bytes that have come, all of them, calls `tell` with what they bring, and says what is next. What is appended to
    /// `out`, a pong or a close frame, is to be written now, also after an error.
    ///
    /// How the bytes are cut into calls changes nothing of what is told. The bytes may be changed.
    ///
    /// # Errors
    /// [`Error`] is final.
    pub fn receive(
        &mut self,
        input: &mut [u8],
        resource: &Resource,
        shared: &mut Shared,
        out: &mut Vec<u8>,
        tell: &mut dyn FnMut(Notice<'_>),
    ) -> Result<Next, Error> {
        let start = out.len();
        shared.traffic.bytes_down += input.len() as u64;
        let since = &mut self.since;
        let next = match &mut self.transport {
            Transport::Poll(poll, _) => poll.receive(input, resource, since, shared, tell),
            Transport::EventStream(stream) => stream.receive(input, resource, since, shared, tell),
            Transport::WebSocket(socket) => socket.receive(input, resource, since, shared, out, tell),
        };
        shared.traffic.bytes_up += (out.len() - start) as u64;
        next
    }

    /// The server has ended its side, or the connection is broken: what is next. It is never [`Next::Read`].
    ///
    /// # Errors
    /// [`Error`], final, if the end is that of an answer that says so.
    pub fn end(
        &mut self,
        resource: &Resource,
        shared: &mut Shared,
        tell: &mut dyn FnMut(Notice<'_>),
    ) -> Result<Next, Error> {
        match &mut self.transport {
            Transport::Poll(poll, _) => poll.end(resource, &mut self.since, shared, tell),
            Transport::EventStream(stream) => stream.end(),
            Transport::WebSocket(socket) => socket.end(),
        }
    }

    /// Appends a ping, which the server has to answer (RFC 6455 §5.5.2), and says whether it did: only an open WebSocket can.
    ///
    /// # Errors
    /// [`Error::Random`].
    pub fn ping(&mut self, shared: &mut Shared, out: &mut Vec<u8>) -> Result<bool, Error> {
        let start = out.len();
        let is_asked = match &mut self.transport {
            Transport::WebSocket(socket) => socket.ping(shared, out)?,
            Transport::Poll(..) | Transport::EventStream(_) => false,
        };
        shared.traffic.bytes_up += (out.len() - start) as u64;
        Ok(is_asked)
    }

    /// Appends what says good-bye: a WebSocket's close frame, else nothing.
    ///
    /// # Errors
    /// [`Error::Random`].
    pub fn close(&mut self, shared: &mut Shared, out: &mut Vec<u8>) -> Result<(), Error> {
        let start = out.len();
        if let Transport::WebSocket(socket) = &mut self.transport {
            socket.close(shared, out)?;
        }
        shared.traffic.bytes_up += (out.len() - start) as u64;
        Ok(())
    }
}

fn check_id(id: &str) -> Result<(), Error> {
    if id.len() > MAX_ID { Err(Error::IdTooLong) } else { Ok(()) }
}
