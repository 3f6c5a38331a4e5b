//! The JSON. Its names are documented in `docs/bench.md`, and a test holds the two together.

use super::{CLIENT_CPU, FIGURES, KERNEL, PER_CPU, PER_SECOND, Report, SERVER_CPU, USER, quantile};
use crate::load::bench::{Run, Spread, Workload};
use crate::protocol::json::write_string;

/// As one JSON object, on a line of its own.
pub fn json(report: &Report) -> String {
    let plan = &report.plan;
    let mut out = Object::default();
    out.text("workload", plan.workload.name());
    let is_followed = matches!(plan.workload, Workload::FanOut | Workload::Idle | Workload::Connect);
    out.raw("via", &if is_followed { string(plan.via.name()) } else { "null".into() });
    out.text("target", &report.target);
    let kind = match plan.rate {
        _ if !report.is_exchange() => "null",
        None => "\"closed\"",
        Some(_) => "\"open\"",
    };
    out.raw("loop", kind);
    for (name, value) in [
        ("connections", plan.connections),
        ("in_flight", plan.in_flight),
        ("size", plan.size),
        ("burst", plan.burst),
        ("sources", plan.sources.into()),
    ] {
        out.raw(name, &value.to_string());
    }
    out.number("rate", plan.rate);
    out.number("duration_seconds", Some(plan.duration.as_secs_f64()));
    out.number("warm_up_seconds", Some(plan.warm_up.as_secs_f64()));
    out.text("unit", plan.workload.unit());
    out.raw("server_pids", &list(report.processes.iter().map(u32::to_string)));
    out.raw("runs", &list(report.runs.iter().map(run_json)));
    out.raw("summary", &summary(&report.runs));
    if report.ceiling.is_empty() {
        out.raw("ceiling", "null");
    } else {
        let mut ceiling = Object::default();
        ceiling.number("size", report.ceiling_size.map(|size| size as f64));
        ceiling.raw("runs", &list(report.ceiling.iter().map(run_json)));
        ceiling.raw("summary", &summary(&report.ceiling));
        out.raw("ceiling", &ceiling.end());
    }
    out.raw("ratio", &spread_json(report.ratio()));
    out.raw("is_right", if report.is_right() { "true" } else { "false" });
    out.raw("notes", &list(report.notes().iter().map(|note| string(note))));
    out.end() + "\n"
}

fn run_json(run: &Run) -> String {
    let mut out = Object::default();
    out.number("seconds", Some(run.cost.wall.as_secs_f64()));
    out.raw("done", &run.done.to_string());
    for figure in [&PER_SECOND, &PER_CPU] {
        out.number(figure.name, (figure.of)(run));
    }
    let mut latency = Object::default();
    let is_known = run.delays.count() > 0;
    latency.number("mean", is_known.then(|| run.delays.mean().as_secs_f64() * 1000.0));
    for (name, part) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99_9", 0.999), ("max", 1.0)] {
        latency.number(name, quantile(run, part));
    }
    out.raw("latency_ms", &latency.end());
    out.number("server_cpu_seconds", run.cost.server_cpu.map(|time| time.as_secs_f64()));
    out.number("client_cpu_seconds", run.cost.client_cpu.map(|time| time.as_secs_f64()));
    for figure in [&SERVER_CPU, &CLIENT_CPU, &USER, &KERNEL] {
        out.number(figure.name, (figure.of)(run));
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
        out.raw(name, &count.to_string());
    }
    out.raw("events", &run.events.map_or_else(|| "null".into(), |events| events.to_string()));
    let mut errors = Object::default();
    for (kind, count) in &run.errors {
        errors.raw(kind, &count.to_string());
    }
    out.raw("errors", &errors.end());
    out.end()
}

fn summary(runs: &[Run]) -> String {
    let mut out = Object::default();
    for figure in FIGURES {
        out.raw(figure.name, &spread_json(Spread::of(runs.iter().map(figure.of))));
    }
    out.end()
}

fn spread_json(spread: Option<Spread>) -> String {
    let Some(Spread { median, min, max }) = spread else { return "null".into() };
    let mut out = Object::default();
    for (name, value) in [("median", median), ("min", min), ("max", max)] {
        out.number(name, Some(value));
    }
    out.end()
}

fn string(text: &str) -> String {
    let mut out = Vec::new();
    write_string(text, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(","))
}

/// A JSON object that is being written.
#[derive(Default)]
struct Object(String);

impl Object {
    fn raw(&mut self, name: &str, value: &str) {
        self.0.push(if self.0.is_empty() { '{' } else { ',' });
        self.0 += &string(name);
        self.0.push(':');
        self.0 += value;
    }

    fn text(&mut self, name: &str, value: &str) {
        self.raw(name, &string(value));
    }

    /// `null` where it is not known. JSON has no infinity, and nothing here needs more than six digits behind the point.
    fn number(&mut self, name: &str, value: Option<f64>) {
        let value = value.filter(|value| value.is_finite());
        let value = value.map_or_else(
            || "null".into(),
            |value| {
                let text = format!("{value:.6}");
                text.trim_end_matches('0').trim_end_matches('.').to_owned()
            },
        );
        self.raw(name, &value);
    }

    fn end(mut self) -> String {
        if self.0.is_empty() {
            self.0.push('{');
        }
        self.0.push('}');
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::Object;

    #[test]
    fn json_has_null_for_what_is_not_known() {
        let mut out = Object::default();
        out.number("a", None);
        out.number("b", Some(f64::NAN));
        out.number("c", Some(1.5));
        out.number("d", Some(20.0));
        assert_eq!(out.end(), r#"{"a":null,"b":null,"c":1.5,"d":20}"#);
        assert_eq!(Object::default().end(), "{}");
    }
}
