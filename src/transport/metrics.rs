//! What an operator wants to know, in Prometheus' text format.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::answer::Overload;
use crate::hub::Hub;
use crate::protocol::http::Status;

/// What a connection carries at the moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Carried {
    /// Requests that are answered at once, or none yet.
    Http,
    /// A long poll that is held.
    LongPoll,
    /// An event stream.
    EventStream,
    /// A WebSocket that follows a topic.
    WebSocket,
    /// A WebSocket that echoes.
    Echo,
    /// Its end: what is still to be written, or to be heard of the client.
    Ending,
}

impl Carried {
    /// How the metrics call each.
    const NAMES: [&str; 6] = ["http", "long-poll", "sse", "websocket", "echo", "ending"];
}

/// Why a connection ends. Each is counted once, when it is decided, by what the connection carried then.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    /// The client has ended its side, or sent a close frame.
    Client,
    /// The network says that the client is gone.
    Broken,
    /// All that was asked for is answered: `Connection: close`, or HTTP/1.0.
    Answered,
    /// A request was refused, and where the next one begins is not known.
    Refused,
    /// A WebSocket broke a rule of RFC 6455, or did what is not allowed on it.
    Violation,
    /// No request has come within the idle time.
    Idle,
    /// A request has begun, and not come whole within its time.
    RequestTimeout,
    /// A WebSocket did not answer a ping.
    PongTimeout,
    /// The client has taken nothing of what it is owed within the write time.
    WriteTimeout,
    /// A follower has fallen out of the window.
    TooSlow,
    /// A follower had asked for what can't be given.
    Gap,
    /// It has had as many requests as one connection may have.
    Requests,
    /// More messages came in a second than may.
    Rate,
    /// There was no room for one more connection.
    Overload,
    /// It held the most, when all together held more than they may.
    Memory,
    /// The server ends.
    Drain,
}

impl Ended {
    /// How the metrics call each.
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

/// What has happened since the start.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    /// Connections accepted.
    pub accepted: u64,
    /// Requests answered.
    pub requests: u64,
    /// Requests refused, by status.
    pub refused: BTreeMap<u16, u64>,
    /// What was refused for the time being, by why.
    pub overloads: [u64; Overload::ALL.len()],
    /// Connections that have ended, by what they carried and why.
    pub ended: [[u64; Ended::NAMES.len()]; Carried::NAMES.len()],
    /// Events published.
    pub events: u64,
    /// Bytes of data published.
    pub event_bytes: u64,
    /// Polls answered.
    pub polls: u64,
    /// Polls answered without an event.
    pub empty_polls: u64,
    /// Long polls that were held.
    pub held: u64,
    /// Event streams opened.
    pub streams: u64,
    /// WebSockets opened.
    pub sockets: u64,
    /// Followers told of a gap.
    pub gaps: u64,
    /// Followers ended because they had fallen out of the window.
    pub too_slow: u64,
    /// Bytes read from connections.
    pub bytes_read: u64,
    /// Bytes written to connections.
    pub bytes_written: u64,
}

impl Counters {
    /// Counts a request that was refused.
    pub fn refuse(&mut self, status: Status, overload: Option<Overload>) {
        if status.code() >= 400 {
            *self.refused.entry(status.code()).or_default() += 1;
        }
        if let Some(overload) = overload {
            self.overloaded(overload);
        }
    }

    /// Counts what was refused because there was too much of something.
    pub fn overloaded(&mut self, overload: Overload) {
        self.overloads[overload as usize] += 1;
    }

    /// Counts a connection's end.
    pub fn end(&mut self, carried: Carried, ended: Ended) {
        self.ended[carried as usize][ended as usize] += 1;
    }
}

/// What is now.
#[derive(Clone, Copy, Debug, Default)]
pub struct Gauges {
    /// Connections open, by what they carry.
    pub connections: [usize; Carried::NAMES.len()],
    /// Bytes that connections hold: requests and messages that have come in part, and what is not yet written.
    pub buffered: usize,
    /// The memory of the whole process, in bytes, if the system tells.
    pub resident: Option<u64>,
    /// The server ends.
    pub draining: bool,
}

/// The metrics' text.
pub fn write(counters: &Counters, gauges: &Gauges, hub: &Hub) -> String {
    let mut out = String::with_capacity(16 << 10);
    let mut families = Families(&mut out);
    let (log, encoded) = hub.weights();
    let open: usize = gauges.connections.iter().sum();
    families.gauge("connections", "Connections open now.", open as u64);
    families.begin("connections_by_transport", "gauge", "Connections open now, by what they carry.");
    for (name, open) in Carried::NAMES.iter().zip(gauges.connections) {
        families.sample("connections_by_transport", &[("transport", name)], open as u64);
    }
    families.counter("connections_accepted_total", "Connections accepted.", counters.accepted);
    families.begin(
        "connections_ended_total",
        "counter",
        "Connections that have ended, by what they carried and why.",
    );
    for (carried, ended) in Carried::NAMES.iter().zip(&counters.ended) {
        // What is at its end already is not ended once more.
        for (reason, count) in Ended::NAMES.iter().zip(ended).filter(|_| *carried != "ending") {
            families.sample("connections_ended_total", &[("transport", carried), ("reason", reason)], *count);
        }
    }
    families.counter("requests_total", "Requests answered.", counters.requests);
    families.begin("requests_refused_total", "counter", "Requests answered with a status of 400 or more.");
    for (status, count) in &counters.refused {
        families.sample("requests_refused_total", &[("status", &status.to_string())], *count);
    }
    families.begin(
        "overload_refusals_total",
        "counter",
        "Requests refused for the time being, by what there was too much of.",
    );
    for (overload, count) in Overload::ALL.iter().zip(counters.overloads) {
        families.sample("overload_refusals_total", &[("reason", overload.name())], count);
    }
    families.counter("polls_total", "Polls answered, short and long.", counters.polls);
    families.counter("polls_empty_total", "Polls answered without an event.", counters.empty_polls);
    families.counter("long_polls_held_total", "Long polls that had to wait.", counters.held);
    families.counter("event_streams_opened_total", "Event streams opened.", counters.streams);
    families.counter("websockets_opened_total", "WebSockets opened.", counters.sockets);
    families.counter("gaps_total", "Followers that were told of a gap.", counters.gaps);
    families.counter(
        "followers_too_slow_total",
        "Followers that fell out of the window and were ended.",
        counters.too_slow,
    );
    families.counter("events_published_total", "Events published.", counters.events);
    families.counter("events_published_bytes_total", "Bytes of data published.", counters.event_bytes);
    families.counter("received_bytes_total", "Bytes read from connections.", counters.bytes_read);
    families.counter("sent_bytes_total", "Bytes written to connections.", counters.bytes_written);
    families.gauge("topics", "Topics that exist now.", hub.topic_count() as u64);
    families.gauge("log_bytes", "Bytes of events kept in all logs.", log as u64);
    families.gauge("encoded_bytes", "Bytes of encodings kept beside the logs.", encoded as u64);
    families.gauge(
        "buffered_bytes",
        "Bytes that connections hold: what has come in part, and what is not yet written.",
        gauges.buffered as u64,
    );
    if let Some(resident) = gauges.resident {
        // Prometheus' own name for it, the same for every program.
        let _ = writeln!(
            out,
            "# HELP process_resident_memory_bytes Resident memory size in bytes.\n\
             # TYPE process_resident_memory_bytes gauge\nprocess_resident_memory_bytes {resident}"
        );
    }
    out
}

/// Writes families of metrics. Writing to a String can't fail.
struct Families<'o>(&'o mut String);

impl Families<'_> {
    fn begin(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP barewire_{name} {help}\n# TYPE barewire_{name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: u64) {
        let _ = write!(self.0, "barewire_{name}");
        for (at, (label, text)) in labels.iter().enumerate() {
            let _ = write!(self.0, "{}{label}=\"{text}\"", if at == 0 { '{' } else { ',' });
        }
        let _ = writeln!(self.0, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.begin(name, "counter", help);
        self.sample(name, &[], value);
    }

    fn gauge(&mut self, name: &str, help: &str, value: u64) {
        self.begin(name, "gauge", help);
        self.sample(name, &[], value);
    }
}
