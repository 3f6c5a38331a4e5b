//! The JSON. Its names are documented in `docs/bench.md`, and a test holds the two together.

use super::{CLIENT_CPU, FIGURES, KERNEL, PER_CPU, PER_SECOND, Report, SERVER_CPU, USER, quantile};
use crate::protocol::json::Object;
use crate::tools::bench::config::Workload;
use crate::tools::bench::result::{Run, Spread};

/// As one JSON object, on a line of its own.
pub fn json(report: &Report) -> String {
    let mut out = String::new();
    Object::write(&mut out, |object| members(report, object));
    out + "\n"
}

fn members(report: &Report, object: &mut Object) {
    let plan = &report.plan;
    object.string("workload", plan.workload.name());
    match plan.workload {
        Workload::FanOut | Workload::Idle | Workload::Connect => object.string("via", plan.via.name()),
        _ => object.null("via"),
    }
    object.string("target", &report.target);
    match plan.rate {
        _ if !report.is_exchange() => object.null("loop"),
        None => object.string("loop", "closed"),
        Some(_) => object.string("loop", "open"),
    }
    for (name, value) in [
        ("connections", plan.connections),
        ("in_flight", plan.in_flight),
        ("size", plan.size),
        ("burst", plan.burst),
        ("sources", plan.sources.into()),
    ] {
        object.value(name, value);
    }
    number("rate", plan.rate, object);
    number("duration_seconds", Some(plan.duration.as_secs_f64()), object);
    number("warm_up_seconds", Some(plan.warm_up.as_secs_f64()), object);
    object.string("unit", plan.workload.unit());
    object.numbers("server_pids", report.processes.iter().map(|&id| f64::from(id)));
    object.objects("runs", &report.runs, run);
    object.object("summary", |object| summary(&report.runs, object));
    if report.ceiling.is_empty() {
        object.null("ceiling");
    } else {
        object.object("ceiling", |object| {
            number("size", report.ceiling_size.map(|size| size as f64), object);
            object.objects("runs", &report.ceiling, run);
            object.object("summary", |object| summary(&report.ceiling, object));
        });
    }
    spread("ratio", report.ratio(), object);
    object.value("is_right", report.is_right());
    object.strings("notes", report.notes());
}

fn run(run: &Run, object: &mut Object) {
    number("seconds", Some(run.cost.wall.as_secs_f64()), object);
    object.value("done", run.done);
    for figure in [&PER_SECOND, &PER_CPU] {
        number(figure.name, (figure.of)(run), object);
    }
    object.object("latency_ms", |object| {
        let is_known = run.delays.count() > 0;
        number("mean", is_known.then(|| run.delays.mean().as_secs_f64() * 1000.0), object);
        for (name, part) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99_9", 0.999), ("max", 1.0)] {
            number(name, quantile(run, part), object);
        }
    });
    number("server_cpu_seconds", run.cost.server_cpu.map(|time| time.as_secs_f64()), object);
    number("client_cpu_seconds", run.cost.client_cpu.map(|time| time.as_secs_f64()), object);
    for figure in [&SERVER_CPU, &CLIENT_CPU, &USER, &KERNEL] {
        number(figure.name, (figure.of)(run), object);
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
        for (kind, count) in &run.errors {
            object.value(kind, count);
        }
    });
}

fn summary(runs: &[Run], object: &mut Object) {
    for figure in FIGURES {
        spread(figure.name, Spread::of(runs.iter().map(figure.of)), object);
    }
}

fn spread(name: &str, spread: Option<Spread>, object: &mut Object) {
    let Some(Spread { median, min, max }) = spread else { return object.null(name) };
    object.object(name, |object| {
        for (name, value) in [("median", median), ("min", min), ("max", max)] {
            number(name, Some(value), object);
        }
    });
}

/// Nothing here needs more than six digits behind the point.
fn number(name: &str, value: Option<f64>, object: &mut Object) {
    object.number(name, value.map(|value| (value * 1e6).round() / 1e6));
}
