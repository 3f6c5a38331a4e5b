//! The metrics, in Prometheus' text format.

use std::collections::BTreeMap;

use super::response::Overload;
use crate::hub::Hub;
use crate::protocol::Transport;
use crate::protocol::http::Status;
use crate::text::{Durations, Families};

/// The present use of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ConnectionUse {
    /// Requests with immediate responses, or no request yet.
    Http,
    /// A held long poll.
    LongPoll,
    /// An event stream.
    EventStream,
    /// A WebSocket that follows a topic.
    WebSocket,
    /// A WebSocket that echoes.
    Echo,
    /// The end of a connection: the last output, and waiting for the client's end.
    Ending,
}

impl ConnectionUse {
    /// The names in the metrics.
    const NAMES: [&str; 6] = [
        "http",
        Transport::LongPoll.name(),
        Transport::EventStream.name(),
        Transport::WebSocket.name(),
        "echo",
        "ending",
    ];
}

/// Why a connection ends. Each end is counted once, when it is decided, by what the connection
/// carried then.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EndReason {
    /// The client ended its side, or sent a close frame.
    Client,
    /// The network reports that the client is gone.
    Broken,
    /// Every request is answered: `Connection: close`, or HTTP/1.0.
    Answered,
    /// A request was refused, and the start of the next one is not known.
    Refused,
    /// A WebSocket broke a rule of RFC 6455, or sent a message that is not allowed.
    Violation,
    /// No request arrived within the idle timeout.
    Idle,
    /// A request or a WebSocket message did not arrive completely within its timeout.
    RequestTimeout,
    /// A WebSocket did not answer a ping.
    PongTimeout,
    /// The client read nothing of the pending bytes within the write timeout.
    WriteTimeout,
    /// A follower fell out of the window.
    TooSlow,
    /// A follower asked for events that are no longer kept.
    Gap,
    /// The connection reached its limit of requests.
    Requests,
    /// More messages arrived in a second than allowed.
    Rate,
    /// The limit of connections was reached.
    Overload,
    /// The connection held the most, by size times age, when all together held more than allowed.
    Memory,
    /// The server is shutting down.
    Drain,
}

impl EndReason {
    /// The names in the metrics.
    const NAMES: [&str; 16] = [
        "client",
        "broken",
        "answered",
        "refused",
        "violation",
        "idle",
        "request-timeout",
        "pong-timeout",
        "write-timeout",
        "too-slow",
        "gap",
        "requests",
        "rate",
        "overload",
        "memory",
        "drain",
    ];
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

/// Returns the metrics in Prometheus' text format.
pub fn write(counters: &Counters, gauges: &Gauges, hub: &Hub) -> String {
    let mut families = Families::new("barewire_");
    write_connections(&mut families, counters, gauges);
    write_requests(&mut families, counters);
    write_following(&mut families, counters);
    families.counter("events_published_total", "Events published.", counters.events);
    families.counter("events_published_bytes_total", "Bytes of data published.", counters.event_bytes);
    families.counter("received_bytes_total", "Bytes read from connections.", counters.bytes_read);
    families.counter("sent_bytes_total", "Bytes written to connections.", counters.bytes_written);
    families.gauge("topics", "Topics that exist now.", hub.topic_count() as u64);
    families.gauge("log_bytes", "Bytes of events kept in all logs.", hub.event_bytes() as u64);
    let help = "Bytes of encoded events kept with the logs.";
    families.gauge("encoded_bytes", help, hub.encoded_bytes() as u64);
    families.gauge(
        "buffered_bytes",
        "Bytes that connections hold: incomplete requests and messages, and unwritten output; and what \
         watching holds.",
        gauges.buffered as u64,
    );
    let help = "Lines of the log that were dropped, because standard error did not accept them.";
    families.counter("log_lines_dropped_total", help, gauges.log_lines_dropped);
    let help = "Durations of loop iterations, without waiting for something to do.";
    families.histogram("iteration_seconds", help, &counters.iterations);
    let help = "The most work of one loop iteration since the start, in units of about a nanosecond.";
    families.gauge("iteration_work_max", help, gauges.iteration_work_max);
    families.finish(gauges.resident)
}

fn write_connections(families: &mut Families, counters: &Counters, gauges: &Gauges) {
    let open: usize = gauges.connections.iter().sum();
    families.gauge("connections", "Connections open now.", open as u64);
    families.begin("connections_by_transport", "gauge", "Connections open now, by what they carry.");
    for (name, open) in ConnectionUse::NAMES.iter().zip(gauges.connections) {
        families.sample("connections_by_transport", &[("transport", name)], open as u64);
    }
    families.counter("connections_accepted_total", "Connections accepted.", counters.accepted);
    families.begin("connections_ended_total", "counter", "Connections ended, by what they carried and why.");
    for (carried, ended) in ConnectionUse::NAMES.iter().zip(&counters.ended) {
        // The end of a connection is counted when it is decided, so never while it is ending.
        for (reason, count) in EndReason::NAMES.iter().zip(ended).filter(|_| *carried != "ending") {
            families.sample("connections_ended_total", &[("transport", carried), ("reason", reason)], *count);
        }
    }
}

fn write_requests(families: &mut Families, counters: &Counters) {
    families.counter("requests_total", "Requests answered.", counters.requests);
    families.begin("requests_refused_total", "counter", "Requests answered with a status of 400 or more.");
    for (status, count) in &counters.refused {
        families.sample("requests_refused_total", &[("status", &status.to_string())], *count);
    }
    families.begin(
        "overload_refusals_total",
        "counter",
        "Requests refused for a temporary limit, by the limit that was reached.",
    );
    for (overload, count) in Overload::ALL.iter().zip(counters.overloads) {
        families.sample("overload_refusals_total", &[("reason", overload.name())], count);
    }
}

fn write_following(families: &mut Families, counters: &Counters) {
    families.counter("polls_total", "Polls answered, short and long.", counters.polls);
    families.counter("polls_empty_total", "Polls answered without an event.", counters.empty_polls);
    families.counter("long_polls_held_total", "Long polls that had to wait.", counters.held);
    families.counter("event_streams_opened_total", "Event streams opened.", counters.streams);
    families.counter("websockets_opened_total", "WebSockets opened.", counters.sockets);
    families.counter("gaps_total", "Gaps reported to followers.", counters.gaps);
    let help = "Followers that fell out of the window and were ended.";
    families.counter("followers_too_slow_total", help, counters.evicted);
}
