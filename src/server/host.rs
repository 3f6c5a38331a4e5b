//! The boundary between the server and a program's own routes and sockets.
//!
//! The server knows an application only as [`Application`], and an application knows the server
//! only as [`Host`]. [`Call`]s are queued while a connection is served, and made after its turn, so
//! that a handler may write to any connection, and no handler runs inside another.

use std::rc::Rc;
use std::time::Duration;

use super::byte_stream::ByteStream;
use super::connections::Connections;
use super::slab::Key;
use super::work::{Phase, cost};
use crate::hub::{Hub, Id, Opener, Since};
use crate::protocol::http::Status;
use crate::protocol::websocket::frame::Opcode;
use crate::transport::metrics::{Counters, Gauges};
use crate::transport::route::check_event_name;

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

/// Why an event was not published.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PublishError {
    /// The event's name is empty, longer than 128 bytes, has control characters, or is one of
    /// `gap`, `open` and `error`.
    Name,
    /// The data is longer than one event may be.
    TooLong,
    /// The limit of topics is reached, and none may be evicted.
    Topics,
    /// The log is full until slow followers have been served or evicted.
    Full,
    /// The server is shutting down.
    Draining,
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
pub trait Application {
    /// Handles a call.
    fn call(&mut self, call: Call, host: &mut dyn Host);

    /// Runs the timers that are due at `now`, and the calls from other threads, until
    /// [`Host::must_pause`]. Returns whether more is due.
    fn run_due(&mut self, now: Duration, host: &mut dyn Host) -> bool;

    /// Returns the time since the server's start at which a timer is due.
    fn next_due(&self) -> Option<Duration>;

    /// Whether [`Call::Follower`] is wanted.
    fn watches_followers(&self) -> bool;

    /// The server has begun to shut down, or ends: no call from another thread is accepted.
    fn stop(&mut self, host: &mut dyn Host);
}

/// The server, as an application sees it.
pub trait Host {
    /// Answers a request. Returns `false` if the client has left.
    fn answer(&mut self, id: CallId, answer: Answer<'_>) -> bool;

    /// Publishes an event.
    ///
    /// # Errors
    /// See [`PublishError`].
    fn publish(&mut self, topic: &str, event: &str, data: &str) -> Result<Id, PublishError>;

    /// Returns the id of the newest event of a topic: the cursor that belongs to a snapshot.
    fn newest(&self, topic: &str) -> Id;

    /// Has a WebSocket follow a topic, in place of the one that it follows now.
    ///
    /// # Errors
    /// See [`FollowError`].
    fn follow(&mut self, socket: Key, topic: &str, since: Since) -> Result<(), FollowError>;

    /// Sends a message to a WebSocket.
    fn send(&mut self, socket: Key, opcode: Opcode, payload: &[u8]) -> Sent;

    /// Returns how many bytes wait until the client of a WebSocket reads.
    fn queued(&mut self, socket: Key) -> usize;

    /// Starts the closing handshake of a WebSocket.
    fn close(&mut self, socket: Key, code: u16, reason: &str);

    /// Accounts for a handler that has run.
    fn handled(&mut self, route: &str, took: Duration);

    /// Returns whether the work of this iteration is done.
    fn must_pause(&self) -> bool;

    /// Returns the metrics as `write` makes them, at most once per iteration.
    fn metrics(&mut self, write: fn(&Counters, &Gauges, &Hub) -> String) -> String;

    /// Returns whether the server is shutting down.
    fn is_draining(&self) -> bool;

    /// Begins the shutdown when the handlers of this turn have run.
    fn stop(&mut self);
}

impl<S: ByteStream> Connections<S> {
    /// Makes the calls that are queued, and writes the messages that the handlers have sent.
    /// Returns whether a call was made.
    pub(super) fn make_calls(&mut self) -> bool {
        if self.cx.calls.is_empty() {
            return false;
        }
        self.with_application(|application, connections| {
            while let Some(call) = connections.cx.calls.pop_front() {
                application.call(call, connections);
                if connections.cx.calls.is_empty() {
                    connections.write_messages();
                }
            }
        });
        true
    }

    /// Runs the timers that are due, and the calls from other threads.
    pub(super) fn run_due(&mut self) {
        let next = self.application.as_ref().and_then(|application| application.next_due());
        let now = self.cx.clock.since_start();
        if !self.is_woken && next.is_none_or(|due| due > now) {
            return;
        }
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

    fn with_application(&mut self, run: impl FnOnce(&mut dyn Application, &mut Self)) {
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

impl<S: ByteStream> Host for Connections<S> {
    fn answer(&mut self, id: CallId, answer: Answer<'_>) -> bool {
        let Some(connection) = self.slab.get(id.key) else { return false };
        let is_there = connection.answer(id.number, answer, &mut self.cx);
        connection.account_memory(&self.cx);
        is_there
    }

    fn publish(&mut self, topic: &str, event: &str, data: &str) -> Result<Id, PublishError> {
        let cx = &mut self.cx;
        check_event_name(event).map_err(|_| PublishError::Name)?;
        if data.len() > cx.service.policy.event_bytes {
            return Err(PublishError::TooLong);
        }
        if cx.gauges.draining {
            return Err(PublishError::Draining);
        }
        // What the handlers of this turn have published may have filled the log.
        self.trim();
        let cx = &mut self.cx;
        if cx.must_wait_for_room(data.len() as u64) {
            return Err(PublishError::Full);
        }
        let now = cx.clock.tick();
        let key = cx.service.hub.open(topic, Opener::Publisher, now).map_err(|_| PublishError::Topics)?;
        let id = cx.service.append(key, event, data, now);
        cx.charge_hub();
        Ok(id)
    }

    fn newest(&self, topic: &str) -> Id {
        let hub = &self.cx.service.hub;
        hub.id(hub.place(hub.find(topic), &Since::Now).after)
    }

    fn follow(&mut self, socket: Key, topic: &str, since: Since) -> Result<(), FollowError> {
        let connection = self.slab.get(socket).ok_or(FollowError::Gone)?;
        connection.follow(topic, since, &mut self.cx)
    }

    fn send(&mut self, socket: Key, opcode: Opcode, payload: &[u8]) -> Sent {
        let Some(connection) = self.slab.get(socket) else { return Sent::Gone };
        connection.send(opcode, payload, &mut self.cx)
    }

    fn queued(&mut self, socket: Key) -> usize {
        self.slab.get(socket).map_or(0, |connection| connection.queued())
    }

    fn close(&mut self, socket: Key, code: u16, reason: &str) {
        if let Some(connection) = self.slab.get(socket) {
            connection.close_socket(code, reason, &mut self.cx);
            connection.account_memory(&self.cx);
        }
    }

    fn handled(&mut self, route: &str, took: Duration) {
        let cx = &mut self.cx;
        if cx.clock.is_still() {
            return cx.work.charge(cost::REQUEST);
        }
        cx.work.charge(took.as_nanos() as u64);
        if took.as_millis() > u128::from(cx.options.slow_handler) {
            cx.service.counters.slow_handlers += 1;
            if let Some(log) = &mut cx.log {
                log.add_slow_handler(route, took);
            }
        }
    }

    fn must_pause(&self) -> bool {
        self.cx.work.is_phase_over()
    }

    fn metrics(&mut self, write: fn(&Counters, &Gauges, &Hub) -> String) -> String {
        let cx = &mut self.cx;
        if let Some(text) = &cx.service.metrics {
            return text.clone();
        }
        cx.gauges.buffered = cx.buffered_bytes();
        cx.gauges.log_lines_dropped = cx.log.as_ref().map_or(0, |log| log.dropped());
        cx.gauges.resident = resident_memory();
        cx.gauges.iteration_work_max = cx.work.max;
        cx.work.charge(cost::METRICS);
        let text = write(&cx.service.counters, &cx.gauges, &cx.service.hub);
        cx.service.metrics.insert(text).clone()
    }

    fn is_draining(&self) -> bool {
        self.cx.gauges.draining
    }

    fn stop(&mut self) {
        self.stops += 1;
    }
}

/// Returns the resident memory of the process in bytes, where the system reports it (proc(5)).
fn resident_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}
