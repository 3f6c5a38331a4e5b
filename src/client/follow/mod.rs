//! State machines that follow a topic over any of the four transports, without sockets and without
//! a clock.
//!
//! A [`Follower`] writes requests, receives the bytes of responses split at any point, and reports
//! what they contain. Its caller opens the connections and waits: [`Follow`](super::Follow) does so
//! for one follower, and an event loop can do so for thousands, with one [`Shared`] for all of
//! them.
//!
//! ```text
//!                ┌─────────────────── Next::Request { after, reuse } ─────────────────┐
//!                ▼                                                                    │
//!  connect ─▶ write_request ─▶ send the bytes ─▶ read ─▶ receive ─┬─ Next::Read ─▶ read again
//!     ▲                                                           ├─ Error: final
//!     └───────────────── Next::Reconnect { after, reason } ◀──────┘
//! ```
//!
//! Read in this order:
//!
//! 1. `resource` — the topic and the requests for it.
//! 2. `response` — response heads, and bodies that are collected before use.
//! 3. `poll`, `event_stream`, `websocket` — the transports.
//! 4. `json` — events in JSON.
//! 5. `pace` — the delay before the next request.
//! 6. `publish_request` — publishing.
//! 7. `shared` — counters and buffers that all followers share; `error`.
//!
//! ```
//! use std::time::Duration;
//! use barewire::client::follow::{Follower, Next, Notice, Resource, Shared, Since, Transport};
//!
//! let resource = Resource::new("http://127.0.0.1:8080/topics/demo", None, &[])?;
//! let mut shared = Shared::with_system_random().expect("the system has random bytes");
//! let mut follower = Follower::new(Transport::ShortPoll, Since::Start);
//!
//! let mut out = Vec::new();
//! follower.write_request(&resource, &mut shared, &mut out)?;
//! assert!(out.starts_with(b"GET /topics/demo?since=start HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n"));
//!
//! let response = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 69\r\n\r\n\
//!     {\"events\":[{\"id\":\"a-1\",\"event\":\"message\",\"data\":\"one\"}],\"next\":\"a-1\"}";
//! let (mut received, mut next) = (Vec::new(), Next::Read);
//! for byte in response {
//!     assert_eq!(next, Next::Read);
//!     let elapsed = Duration::from_millis(20); // since the request was sent
//!     next = follower.receive(&mut [*byte], elapsed, &resource, &mut shared, &mut out, &mut |notice| {
//!         if let Notice::Event(event) = notice {
//!             received.push(event.data.to_owned());
//!         }
//!     })?;
//! }
//! assert_eq!(received, ["one"]);
//! assert_eq!(follower.cursor(), Some("a-1"));
//! assert_eq!(next, Next::Request { after: resource.interval, reuse: true });
//! # Ok::<(), barewire::client::follow::Error>(())
//! ```

mod error;
mod event_stream;
mod json;
mod pace;
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
pub use resource::{Resource, ResponseLimits};
#[cfg(feature = "cli")]
pub(crate) use response::{BufferedBody, Expected, Head, HeadReader};
pub use shared::{Shared, Traffic};

pub use crate::protocol::Transport;

use crate::protocol::websocket::close::CloseCode;
use event_stream::EventStream;
use pace::Pace;
use poll::Poll;
use websocket::WebSocket;

/// The longest accepted id, in bytes. The id is part of each later request.
pub const MAX_ID: usize = 1024;

/// The position in a topic to follow from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Since {
    /// The oldest event that the server keeps.
    Start,
    /// The present: only later events are delivered.
    Now,
    /// The event with this id: only later events are delivered. The id may stem from any transport.
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
            // The next id reuses the allocation.
            Self::Id(kept) => {
                kept.clear();
                kept.push_str(id);
            }
            Self::Start | Self::Now => *self = Self::Id(id.to_owned()),
        }
    }
}

/// A borrowed event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// The id.
    pub id: &'a str,
    /// The name.
    pub event: &'a str,
    /// The data.
    pub data: &'a str,
}

/// A notice from a follower.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice<'a> {
    /// An event.
    Event(Event<'a>),
    /// Events after `since` are no longer kept. The events that follow are all that the server
    /// still has.
    Gap {
        /// The id that the follower resumed from.
        since: &'a str,
        /// The oldest event that the server keeps; `None` if it keeps none.
        oldest: Option<&'a str>,
    },
    /// A new position without an event. The next request resumes from it.
    Cursor(&'a str),
}

/// The next action that a follower needs from its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Read more from this connection.
    Read,
    /// Send another request.
    Request {
        /// Delay since the previous request. If it has passed already, send the request at once.
        after: Duration,
        /// Whether to use the same connection; otherwise open a new one.
        reuse: bool,
    },
    /// Drop the connection and send another request on a new one: the failure is temporary.
    Reconnect {
        /// Delay from now. It contains the delay that the server requests, backoff and jitter.
        after: Duration,
        /// The cause.
        reason: RetryReason,
    },
}

/// A temporary failure after which the client reconnects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryReason {
    /// The connection or the event stream has ended.
    Ended,
    /// The event stream has ended before its first byte. A server of events sends at least a
    /// comment.
    EmptyStream,
    /// The server, or a proxy in front of it, is temporarily unable to respond (RFC 9110 §15.6.4).
    Status(u16),
    /// The server closed the WebSocket with this code (RFC 6455 §7.4.1).
    Closed(CloseCode),
}

impl fmt::Display for RetryReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended => f.write_str("the server ended the connection"),
            Self::EmptyStream => f.write_str("the server ended the event stream before its first byte"),
            Self::Status(status) => write!(f, "the server responded with status {status}"),
            Self::Closed(code) => write!(f, "the server closed the WebSocket with {code}"),
        }
    }
}

/// A follower of one topic over one transport.
///
/// An idle follower occupies about two hundred bytes, plus a little heap for an event stream or a
/// WebSocket, so one thread can drive thousands.
#[derive(Debug)]
pub struct Follower {
    since: Since,
    state: State,
    pace: Pace,
}

#[derive(Debug)]
enum State {
    Poll(Poll, Transport),
    EventStream(EventStream),
    WebSocket(WebSocket),
}

impl Follower {
    /// Creates a follower that has not sent a request.
    pub fn new(via: Transport, since: Since) -> Self {
        let state = match via {
            Transport::ShortPoll => State::Poll(Poll::new(false), via),
            Transport::LongPoll => State::Poll(Poll::new(true), via),
            Transport::EventStream => State::EventStream(EventStream::new()),
            Transport::WebSocket => State::WebSocket(WebSocket::new()),
        };
        Self { since, state, pace: Pace::default() }
    }

    /// Returns the transport.
    pub fn via(&self) -> Transport {
        match &self.state {
            State::Poll(_, via) => *via,
            State::EventStream(_) => Transport::EventStream,
            State::WebSocket(_) => Transport::WebSocket,
        }
    }

    /// Returns the id that the next request resumes after, if there is one.
    pub fn cursor(&self) -> Option<&str> {
        self.since.id()
    }

    /// Returns the position that the next request starts from. A follower on any transport can
    /// continue from it.
    pub fn since(&self) -> &Since {
        &self.since
    }

    /// Returns whether a request was sent and no byte of its response has arrived.
    ///
    /// If a reused connection ends in this state, the server may have ended it before the request
    /// arrived (RFC 9112 §9.5).
    pub fn is_awaiting_response(&self) -> bool {
        match &self.state {
            State::Poll(poll, _) => poll.is_awaiting_response(),
            State::EventStream(stream) => stream.is_awaiting_response(),
            State::WebSocket(socket) => socket.is_awaiting_response(),
        }
    }

    /// Returns whether an event stream or a WebSocket is open, so that events can arrive without a
    /// request.
    pub fn is_streaming(&self) -> bool {
        match &self.state {
            State::Poll(..) => false,
            State::EventStream(stream) => stream.is_open(),
            State::WebSocket(socket) => socket.is_open(),
        }
    }

    /// Appends the request to `out`. Discards the state of an earlier connection except for the
    /// cursor.
    ///
    /// # Errors
    /// [`Error::Random`], and [`Error::Request`] for a field that a handshake may not contain.
    pub fn write_request(
        &mut self,
        resource: &Resource,
        shared: &mut Shared,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let start = out.len();
        self.pace.begin();
        match &mut self.state {
            State::Poll(poll, _) => poll.write_request(resource, &self.since, out),
            State::EventStream(stream) => stream.write_request(resource, &self.since, out),
            State::WebSocket(socket) => socket.write_request(resource, &self.since, shared, out)?,
        }
        shared.traffic.requests += 1;
        shared.traffic.bytes_up += (out.len() - start) as u64;
        Ok(())
    }

    /// Consumes all of `input`, calls `notify` for each event, gap and cursor in it, and returns
    /// the next action.
    ///
    /// `elapsed` is the time since the request was sent. It only decides when the next one follows.
    ///
    /// The caller sends what this appends to `out`, a pong or a close frame, even after an error.
    /// The notices do not depend on how the bytes are cut into calls. The call may modify `input`.
    ///
    /// # Errors
    /// [`Error`]. Every error is final.
    pub fn receive(
        &mut self,
        input: &mut [u8],
        elapsed: Duration,
        resource: &Resource,
        shared: &mut Shared,
        out: &mut Vec<u8>,
        notify: &mut dyn FnMut(Notice<'_>),
    ) -> Result<Next, Error> {
        let start = out.len();
        shared.traffic.bytes_down += input.len() as u64;
        let Self { since, state, pace } = self;
        let mut observe = |notice: Notice<'_>| {
            pace.observe(&notice);
            notify(notice);
        };
        let notify = &mut observe;
        let next = match state {
            State::Poll(poll, _) => poll.receive(input, resource, since, shared, notify),
            State::EventStream(stream) => stream.receive(input, resource, since, shared, notify),
            State::WebSocket(socket) => socket.receive(input, resource, since, shared, out, notify),
        };
        shared.traffic.bytes_up += (out.len() - start) as u64;
        self.pace.apply(next?, elapsed, resource, || shared.draw())
    }

    /// Returns the next action after the server has ended its side or the connection has failed,
    /// `elapsed` after the request was sent.
    ///
    /// It is never [`Next::Read`].
    ///
    /// # Errors
    /// [`Error`], which is final, if the end completes a response that causes one.
    pub fn end(
        &mut self,
        elapsed: Duration,
        resource: &Resource,
        shared: &mut Shared,
        notify: &mut dyn FnMut(Notice<'_>),
    ) -> Result<Next, Error> {
        let Self { since, state, pace } = self;
        let mut observe = |notice: Notice<'_>| {
            pace.observe(&notice);
            notify(notice);
        };
        let next = match state {
            State::Poll(poll, _) => poll.end(resource, since, shared, &mut observe),
            State::EventStream(stream) => stream.end(),
            State::WebSocket(socket) => socket.end(),
        };
        self.pace.apply(next?, elapsed, resource, || shared.draw())
    }

    /// Returns the delay before the next request, from now, after a connection that could not be
    /// opened or that the caller has dropped, `elapsed` after the attempt began. The part of a
    /// response that has arrived is not used.
    ///
    /// # Errors
    /// [`Error::Random`].
    pub fn fail(
        &mut self,
        elapsed: Duration,
        resource: &Resource,
        shared: &mut Shared,
    ) -> Result<Duration, Error> {
        let at_least = match &self.state {
            State::EventStream(stream) => stream.reconnection_time(),
            State::Poll(..) | State::WebSocket(_) => Duration::ZERO,
        };
        Ok(self.pace.fail(at_least, elapsed, resource, shared.draw()?))
    }

    /// Appends a ping, which the server must reply to (RFC 6455 §5.5.2), if this is an open
    /// WebSocket.
    ///
    /// Returns whether it appended one.
    ///
    /// # Errors
    /// [`Error::Random`].
    pub fn ping(&mut self, shared: &mut Shared, out: &mut Vec<u8>) -> Result<bool, Error> {
        let start = out.len();
        let is_pinged = match &mut self.state {
            State::WebSocket(socket) => socket.ping(shared, out)?,
            State::Poll(..) | State::EventStream(_) => false,
        };
        shared.traffic.bytes_up += (out.len() - start) as u64;
        Ok(is_pinged)
    }

    /// Appends a close frame if this is an open WebSocket.
    ///
    /// # Errors
    /// [`Error::Random`].
    pub fn close(&mut self, shared: &mut Shared, out: &mut Vec<u8>) -> Result<(), Error> {
        let start = out.len();
        if let State::WebSocket(socket) = &mut self.state {
            socket.close(shared, out)?;
        }
        shared.traffic.bytes_up += (out.len() - start) as u64;
        Ok(())
    }
}

/// Checks an event before it is reported.
fn check_event(event: &Event<'_>, limits: &ResponseLimits) -> Result<(), Error> {
    check_id(event.id)?;
    if event.data.len() > limits.event { Err(Error::EventTooLarge) } else { Ok(()) }
}

fn check_id(id: &str) -> Result<(), Error> {
    if id.len() > MAX_ID { Err(Error::IdTooLong) } else { Ok(()) }
}
