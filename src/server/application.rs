//! The boundary to a program's own routes and sockets.
//!
//! The server knows an application only as [`Application`]. [`Call`]s are queued while a connection
//! is served, and made after its turn, so that a handler may write to any connection, and no
//! handler runs inside another.

use std::rc::Rc;
use std::time::Duration;

use super::slab::Key;
use crate::protocol::http::Status;
use crate::protocol::websocket::frame::Opcode;

/// The number of a request that waits for its answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CallId {
    /// The connection.
    pub key: Key,
    /// The number of the request, so that an answer cannot reach a later request.
    pub number: u32,
}

/// A reason to call the application.
#[derive(Debug)]
pub enum Call {
    /// A request for one of the application's routes.
    Request {
        /// The request.
        id: CallId,
        /// The number of the route, or of the socket for a WebSocket handshake.
        route: u16,
        /// The request is a WebSocket handshake.
        is_handshake: bool,
        /// The bytes of the request's head.
        head: Rc<[u8]>,
        /// The request's content.
        content: Vec<u8>,
    },
    /// A message on one of the application's WebSockets.
    Message {
        /// The connection.
        socket: Key,
        /// The number of the socket's kind.
        route: u16,
        /// Text or binary.
        opcode: Opcode,
        /// The message; valid UTF-8 if it is text.
        payload: Vec<u8>,
    },
    /// A WebSocket of the application has ended.
    Closed {
        /// The connection.
        socket: Key,
        /// The number of the socket's kind.
        route: u16,
    },
    /// A connection that holds a cursor has begun or ceased to follow a topic.
    Follower {
        /// The topic's name.
        topic: Box<str>,
        /// It has begun.
        has_joined: bool,
    },
}

/// The answer to a request.
pub enum Answer<'a> {
    /// A complete response.
    Complete {
        /// The status.
        status: Status,
        /// The media type of the content, if there is content.
        kind: Option<&'a str>,
        /// Further fields.
        fields: &'a [(&'a str, &'a str)],
        /// The content.
        content: &'a [u8],
    },
    /// The response to a GET of this topic, over the transport that the request asks for.
    Follow(&'a str),
    /// The WebSocket is accepted.
    Open,
    /// The answer comes later.
    Later,
}

/// The fate of a message to a WebSocket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sent {
    /// Nothing waits before the message: it is written when the handlers of this turn have run.
    Now,
    /// The client does not read as fast as the server writes. This many bytes wait, with those of
    /// the message.
    Queued(usize),
    /// The WebSocket has ended, or ends because too many bytes wait.
    Gone,
}

/// Why a WebSocket does not follow a topic.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FollowError {
    /// The WebSocket has ended.
    Gone,
    /// The limit of topics is reached, and none may be evicted.
    Topics,
}

/// A program's routes and sockets. All calls happen inside a loop iteration.
pub trait Application<Server> {
    /// Handles a call.
    fn call(&mut self, call: Call, server: &mut Server);

    /// Runs the timers that are due at `now`, and the calls from other threads, until the
    /// work of the phase is done. Returns whether more is due.
    fn run_due(&mut self, now: Duration, server: &mut Server) -> bool;

    /// Returns the time since the server's start at which a timer is due.
    fn next_due(&self) -> Option<Duration>;

    /// Whether [`Call::Follower`] is wanted.
    fn watches_followers(&self) -> bool;

    /// The server has begun to shut down, or ends: no call from another thread is accepted.
    fn stop(&mut self, server: &mut Server);
}
