//! The boundary to a program's own routes and sockets.
//!
//! The server knows an application only as [`Application`]. [`Call`]s are queued while a connection
//! is served, and made after its turn, so that a handler may write to any connection, and no
//! handler runs inside another.

use std::rc::Rc;
use std::time::Duration;

use super::byte_stream::ByteStream;
use super::connections::Connections;
use super::slab::Key;
use super::work::Phase;
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

/// What the application is called for.
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

/// How far a message to a WebSocket has come.
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
pub trait Application<S> {
    /// Handles a call.
    fn call(&mut self, call: Call, server: &mut Connections<S>);

    /// Runs the timers that are due at `now`, and the calls from other threads, until the
    /// work of the phase is done. Returns whether more is due.
    fn run_due(&mut self, now: Duration, server: &mut Connections<S>) -> bool;

    /// Returns the time since the server's start at which a timer is due.
    fn next_due(&self) -> Option<Duration>;

    /// Whether [`Call::Follower`] is wanted.
    fn watches_followers(&self) -> bool;

    /// The server has begun to shut down, or ends: no call from another thread is accepted.
    fn stop(&mut self, server: &mut Connections<S>);
}

impl<S: ByteStream> Connections<S> {
    /// Makes the calls that are queued, and writes the messages that the handlers have sent.
    pub(super) fn make_calls(&mut self) {
        if self.cx.calls.is_empty() {
            return;
        }
        self.with_application(|application, connections| {
            while let Some(call) = connections.cx.calls.pop_front() {
                application.call(call, connections);
                if connections.cx.calls.is_empty() {
                    connections.write_messages();
                }
            }
        });
    }

    /// Runs the timers that are due, and the calls from other threads.
    pub(super) fn run_due(&mut self) {
        if !self.is_woken && self.until_due().is_none_or(|wait| !wait.is_zero()) {
            return;
        }
        let now = self.cx.clock.since_start();
        self.cx.work.begin_phase(Phase::Backlog);
        self.cx.begin_turn(1);
        self.is_woken = false;
        self.with_application(|application, connections| {
            connections.is_woken |= application.run_due(now, connections);
            connections.write_messages();
        });
        self.make_calls();
    }

    /// Returns how long it takes until a timer of the application is due.
    pub fn until_due(&self) -> Option<Duration> {
        let due = self.application.as_ref()?.next_due()?;
        Some(due.saturating_sub(self.cx.clock.since_start()))
    }

    /// Has the application take its last calls from other threads.
    pub(super) fn stop_application(&mut self) {
        self.with_application(|application, connections| {
            application.stop(connections);
            connections.write_messages();
        });
    }

    fn with_application(&mut self, run: impl FnOnce(&mut dyn Application<S>, &mut Self)) {
        let Some(mut application) = self.application.take() else { return };
        run(&mut *application, self);
        self.application = Some(application);
        self.enforce_bounds();
        for _ in 0..std::mem::take(&mut self.stops) {
            Connections::stop(self);
        }
    }

    fn write_messages(&mut self) {
        for key in std::mem::take(&mut self.cx.unflushed) {
            if let Some(connection) = self.slab.get(key) {
                connection.write_messages(&mut self.cx);
                connection.account_memory(&self.cx);
            }
        }
    }
}
