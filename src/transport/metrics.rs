//! What an operator wants to know, in Prometheus' text format.

use std::fmt::Write;

use crate::hub::Hub;

/// What has happened since the start.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    /// Connections accepted.
    pub accepted: u64,
    /// Requests answered.
    pub requests: u64,
    /// Requests refused with a status of 400 and more.
    pub refused: u64,
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

/// What is now.
#[derive(Clone, Copy, Debug, Default)]
pub struct Gauges {
    /// Connections open.
    pub connections: usize,
    /// The server ends.
    pub draining: bool,
}

/// The metrics' text.
pub fn write(counters: &Counters, gauges: &Gauges, hub: &Hub) -> String {
    let (log, encoded) = hub.weights();
    let mut out = String::with_capacity(4096);
    let mut metric = |name: &str, kind: &str, help: &str, value: u64| {
        // Writing to a String can't fail.
        let _ = writeln!(
            out,
            "# HELP barewire_{name} {help}\n# TYPE barewire_{name} {kind}\nbarewire_{name} {value}"
        );
    };
    metric("connections", "gauge", "Connections open now.", gauges.connections as u64);
    metric("connections_accepted_total", "counter", "Connections accepted.", counters.accepted);
    metric("requests_total", "counter", "Requests answered.", counters.requests);
    metric(
        "requests_refused_total",
        "counter",
        "Requests answered with a status of 400 or more.",
        counters.refused,
    );
    metric("polls_total", "counter", "Polls answered, short and long.", counters.polls);
    metric("polls_empty_total", "counter", "Polls answered without an event.", counters.empty_polls);
    metric("long_polls_held_total", "counter", "Long polls that had to wait.", counters.held);
    metric("event_streams_opened_total", "counter", "Event streams opened.", counters.streams);
    metric("websockets_opened_total", "counter", "WebSockets opened.", counters.sockets);
    metric("gaps_total", "counter", "Followers that were told of a gap.", counters.gaps);
    metric(
        "followers_too_slow_total",
        "counter",
        "Followers that fell out of the window and were ended.",
        counters.too_slow,
    );
    metric("events_published_total", "counter", "Events published.", counters.events);
    metric("events_published_bytes_total", "counter", "Bytes of data published.", counters.event_bytes);
    metric("received_bytes_total", "counter", "Bytes read from connections.", counters.bytes_read);
    metric("sent_bytes_total", "counter", "Bytes written to connections.", counters.bytes_written);
    metric("topics", "gauge", "Topics that exist now.", hub.topic_count() as u64);
    metric("log_bytes", "gauge", "Bytes of events kept in all logs.", log as u64);
    metric("encoded_bytes", "gauge", "Bytes of encodings kept beside the logs.", encoded as u64);
    out
}
