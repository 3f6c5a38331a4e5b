//! The counters and gauges of the metrics.

use std::collections::BTreeMap;

use super::response::Overload;
use crate::protocol::Transport;
use crate::protocol::http::Status;
use crate::text::Durations;

/// Declares an enum whose variants have names in the metrics.
macro_rules! named {
    ($(#[doc = $doc:literal])* $enum:ident: $($(#[doc = $about:literal])* $variant:ident = $name:expr;)*) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum $enum {
            $($(#[doc = $about])* $variant,)*
        }

        impl $enum {
            /// The names in the metrics, in the order of the variants.
            pub const NAMES: [&str; [$(stringify!($variant)),*].len()] = [$($name),*];
        }
    };
}

named! {
    /// The present use of a connection.
    ConnectionUse:
    /// Requests with immediate responses, or no request yet.
    Http = "http";
    /// A held long poll.
    LongPoll = Transport::LongPoll.name();
    /// An event stream.
    EventStream = Transport::EventStream.name();
    /// A WebSocket that follows a topic.
    WebSocket = Transport::WebSocket.name();
    /// A WebSocket that echoes.
    Echo = "echo";
    /// The end of a connection: the last output, and waiting for the client's end.
    Ending = "ending";
}

named! {
    /// Why a connection ends. Each end is counted once, when it is decided, by what the connection
    /// carried then.
    EndReason:
    /// The client ended its side, or sent a close frame.
    Client = "client";
    /// The network reports that the client is gone.
    Broken = "broken";
    /// Every request is answered: `Connection: close`, or HTTP/1.0.
    Answered = "answered";
    /// A request was refused, and the start of the next one is not known.
    Refused = "refused";
    /// A WebSocket broke a rule of RFC 6455, or sent a message that is not allowed.
    Violation = "violation";
    /// No request arrived within the idle timeout.
    Idle = "idle";
    /// A request or a WebSocket message did not arrive completely within its timeout.
    RequestTimeout = "request-timeout";
    /// A WebSocket did not answer a ping.
    PongTimeout = "pong-timeout";
    /// The client read nothing of the pending bytes within the write timeout.
    WriteTimeout = "write-timeout";
    /// A follower fell out of the window.
    TooSlow = "too-slow";
    /// A follower asked for events that are no longer kept.
    Gap = "gap";
    /// The connection reached its limit of requests.
    Requests = "requests";
    /// More messages arrived in a second than allowed.
    Rate = "rate";
    /// The limit of connections was reached.
    Overload = "overload";
    /// The connection held the most, by size times age, when all together held more than allowed.
    Memory = "memory";
    /// The server is shutting down.
    Drain = "drain";
    /// The application closed its WebSocket.
    Application = "application";
}

/// Counts since the start.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    /// Connections accepted.
    pub accepted: u64,
    /// Requests answered.
    pub requests: u64,
    /// Requests refused, by status.
    pub refused: BTreeMap<u16, u64>,
    /// Requests refused for a temporary limit, by limit.
    pub overloads: [u64; Overload::ALL.len()],
    /// Connections ended, by what they carried and why.
    pub ended: [[u64; EndReason::NAMES.len()]; ConnectionUse::NAMES.len()],
    /// Events published.
    pub events: u64,
    /// Bytes of data published.
    pub event_bytes: u64,
    /// Polls answered.
    pub polls: u64,
    /// Polls answered without an event.
    pub empty_polls: u64,
    /// Long polls held.
    pub held: u64,
    /// Event streams opened.
    pub streams: u64,
    /// WebSockets opened.
    pub sockets: u64,
    /// Gaps reported to followers.
    pub gaps: u64,
    /// Followers evicted because they fell out of the window.
    pub evicted: u64,
    /// Bytes read from connections.
    pub bytes_read: u64,
    /// Bytes written to connections.
    pub bytes_written: u64,
    /// The duration of loop iterations.
    pub iterations: Durations,
    /// Handlers of the application that took longer than allowed.
    pub slow_handlers: u64,
}

impl Counters {
    /// Counts a refused request.
    pub fn refuse(&mut self, status: Status, overload: Option<Overload>) {
        if status.code() >= 400 {
            *self.refused.entry(status.code()).or_default() += 1;
        }
        if let Some(overload) = overload {
            self.overloaded(overload);
        }
    }

    /// Counts a refusal for a temporary limit.
    pub fn overloaded(&mut self, overload: Overload) {
        self.overloads[overload as usize] += 1;
    }

    /// Counts the end of a connection.
    pub fn end(&mut self, carried: ConnectionUse, ended: EndReason) {
        self.ended[carried as usize][ended as usize] += 1;
    }
}

/// Values at the moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Gauges {
    /// Open connections, by what they carry.
    pub connections: [usize; ConnectionUse::NAMES.len()],
    /// Bytes that connections hold: incomplete requests and messages, and unwritten output.
    pub buffered: usize,
    /// Lines of the log that were dropped since the start, because the output did not accept them.
    pub log_lines_dropped: u64,
    /// The most work of one loop iteration since the start, in units of about a nanosecond.
    pub iteration_work_max: u64,
    /// The resident memory of the process in bytes, if the system reports it.
    pub resident: Option<u64>,
    /// The server is shutting down.
    pub draining: bool,
}
