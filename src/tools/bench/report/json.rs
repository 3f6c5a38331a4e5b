//! The report as JSON. `docs/bench.md` describes its members, and a test compares the two.

use super::{CLIENT_CPU, FIGURES, KERNEL, PER_CPU, PER_SECOND, Report, SERVER_CPU, USER, quantile};
use crate::text::JsonObject;
use crate::tools::bench::config::Workload;
use crate::tools::bench::result::{Run, Spread};

/// Formats a report as one line with a JSON object.
pub fn json(report: &Report) -> String {
    let mut out = String::new();
    JsonObject::write(&mut out, |object| members(report, object));
    out + "\n"
}

fn members(report: &Report, object: &mut JsonObject) {
    let config = &report.config;
    object.string("workload", config.workload.name());
    match config.workload {
        Workload::FanOut | Workload::Idle | Workload::Connect => object.string("via", config.via.name()),
        _ => object.null("via"),
    }
    object.string("target", &report.target);
    match config.rate {
        _ if !report.is_exchange() => object.null("loop"),
        None => object.string("loop", "closed"),
        Some(_) => object.string("loop", "open"),
    }
    for (name, value) in [
        ("connections", config.connections),
        ("in_flight", config.in_flight),
        ("size", config.size),
        ("burst", config.burst),
        ("sources", config.sources.into()),
    ] {
        object.value(name, value);
    }
    match config.workload {
        Workload::FanOut => object.string("burst_as", config.burst_as.name()),
        _ => object.null("burst_as"),
    }
    write_number("rate", config.rate, object);
    write_number("duration_seconds", Some(config.duration.as_secs_f64()), object);
    write_number("warm_up_seconds", Some(config.warm_up.as_secs_f64()), object);
    object.string("unit", config.workload.unit());
    object.numbers("server_pids", report.processes.iter().map(|&id| f64::from(id)));
    object.objects("runs", &report.runs, run_members);
    object.object("summary", |object| summary_members(&report.runs, object));
    if report.ceiling.is_empty() {
        object.null("ceiling");
    } else {
        object.object("ceiling", |object| {
            write_number("size", report.ceiling_size.map(|size| size as f64), object);
            object.objects("runs", &report.ceiling, run_members);
            object.object("summary", |object| summary_members(&report.ceiling, object));
        });
    }
    write_spread("ratio", report.ratio(), object);
    object.value("is_right", report.is_right());
    object.strings("notes", report.notes());
}

fn run_members(run: &Run, object: &mut JsonObject) {
    write_number("seconds", Some(run.cost.wall.as_secs_f64()), object);
    object.value("done", run.done);
    for figure in [&PER_SECOND, &PER_CPU] {
        write_number(figure.name, (figure.of)(run), object);
    }
    object.object("latency_ms", |object| {
        let has_latencies = run.delays.count() > 0;
        write_number("mean", has_latencies.then(|| run.delays.mean().as_secs_f64() * 1000.0), object);
        for (name, part) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99_9", 0.999), ("max", 1.0)] {
            write_number(name, quantile(run, part), object);
        }
    });
    write_number("server_cpu_seconds", run.cost.server_cpu.map(|time| time.as_secs_f64()), object);
    write_number("client_cpu_seconds", run.cost.client_cpu.map(|time| time.as_secs_f64()), object);
    for figure in [&SERVER_CPU, &CLIENT_CPU, &USER, &KERNEL] {
        write_number(figure.name, (figure.of)(run), object);
    }
    for (name, count) in [
        ("bytes_up", run.bytes_up),
        ("bytes_down", run.bytes_down),
        ("sent", run.sent),
        ("answered", run.answered),
        ("lost", run.lost),
        ("unsent", run.unsent),
        ("doubled", run.doubled),
        ("wrong", run.wrong),
        ("reconnects", run.reconnects),
    ] {
        object.value(name, count);
    }
    match run.events {
        Some(events) => object.value("events", events),
        None => object.null("events"),
    }
    object.object("errors", |object| {
        for (reason, count) in &run.errors {
            object.value(reason, count);
        }
    });
}

fn summary_members(runs: &[Run], object: &mut JsonObject) {
    for figure in FIGURES {
        write_spread(figure.name, Spread::of(runs.iter().map(figure.of)), object);
    }
}

fn write_spread(name: &str, spread: Option<Spread>, object: &mut JsonObject) {
    let Some(Spread { median, min, max }) = spread else { return object.null(name) };
    object.object(name, |object| {
        for (name, value) in [("median", median), ("min", min), ("max", max)] {
            write_number(name, Some(value), object);
        }
    });
}

/// Writes a number with at most six decimal places, which are enough for every figure.
fn write_number(name: &str, value: Option<f64>, object: &mut JsonObject) {
    object.number(name, value.map(|value| (value * 1e6).round() / 1e6));
}
