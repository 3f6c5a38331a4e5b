//! The server, as a handler reaches it.

use std::fmt;
use std::time::Duration;

use super::Response;
use crate::hub::{Hub, Id, Opener, Since};
use crate::protocol::websocket::frame::Opcode;
use crate::server::application::{Answer, CallId};
use crate::server::byte_stream::ByteStream;
use crate::server::connections::Connections;
use crate::server::slab::Key;
use crate::server::work::cost;
use crate::server::{FollowError, Sent};
use crate::transport::metrics::{Counters, Gauges};
use crate::transport::response::Overload;
use crate::transport::route::check_event_name;

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
    /// The log is full until its followers have been served, after this handler, or slow ones are
    /// evicted.
    Full,
    /// The server is shutting down.
    Draining,
}

impl fmt::Display for PublishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PublishError::Name => {
                "An event's name must have 1 to 128 bytes, no control characters, and not be gap, open or error."
            }
            PublishError::TooLong => "The data is longer than one event may be; send less.",
            PublishError::Topics => Overload::Topics.detail(),
            PublishError::Full => "The log is full until its followers are served; try again later.",
            PublishError::Draining => Overload::Draining.detail(),
        })
    }
}

impl std::error::Error for PublishError {}

impl fmt::Display for FollowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FollowError::Gone => "The WebSocket has ended.",
            FollowError::Topics => Overload::Topics.detail(),
        })
    }
}

impl std::error::Error for FollowError {}

impl From<FollowError> for Response {
    /// Returns the refusal that a follower of `/topics/` gets: 503 with `Retry-After`.
    fn from(error: FollowError) -> Response {
        Response::problem(503, &error.to_string()).field("Retry-After", "2")
    }
}

impl From<PublishError> for Response {
    /// Returns the refusal that a publish to `/topics/` gets: 400, 413, or 503 with `Retry-After`.
    fn from(error: PublishError) -> Response {
        let detail = error.to_string();
        match error {
            PublishError::Name => Response::problem(400, &detail),
            PublishError::TooLong => Response::problem(413, &detail),
            _ => Response::problem(503, &detail).field("Retry-After", "2"),
        }
    }
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

    /// Returns whether the next call from another thread must wait: the work of this iteration is
    /// done, or the log has no room for what the call may publish.
    fn must_pause(&mut self) -> bool;

    /// Returns the metrics as `write` makes them, at most once per iteration.
    fn metrics(&mut self, write: fn(&Counters, &Gauges, &Hub) -> String) -> String;

    /// Returns whether the server is shutting down.
    fn is_draining(&self) -> bool;
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
        // What this handler has published may have dropped the event that is partly written.
        self.evict_if_behind(socket.slot);
        let connection = self.slab.get(socket).ok_or(FollowError::Gone)?;
        let outcome = connection.follow(topic, since, &mut self.cx);
        connection.account_memory(&self.cx);
        outcome
    }

    fn send(&mut self, socket: Key, opcode: Opcode, payload: &[u8]) -> Sent {
        self.evict_if_behind(socket.slot);
        let Some(connection) = self.slab.get(socket) else { return Sent::Gone };
        let sent = connection.send(opcode, payload, &mut self.cx);
        connection.account_memory(&self.cx);
        sent
    }

    fn queued(&mut self, socket: Key) -> usize {
        self.slab.get(socket).map_or(0, |connection| connection.queued())
    }

    fn close(&mut self, socket: Key, code: u16, reason: &str) {
        self.evict_if_behind(socket.slot);
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

    fn must_pause(&mut self) -> bool {
        self.trim();
        self.cx.work.is_phase_over() || self.cx.must_wait_for_room(u64::MAX) && self.is_making_room()
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
}

/// Returns the resident memory of the process in bytes, where the system reports it (proc(5)).
fn resident_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}
