//! The metrics, in Prometheus' text format.

use crate::hub::Hub;
use crate::text::Families;
use crate::transport::metrics::{ConnectionUse, Counters, EndReason, Gauges};
use crate::transport::response::Overload;

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
    let help = "Handlers of the application that took longer than the limit.";
    families.counter("slow_handlers_total", help, counters.slow_handlers);
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
