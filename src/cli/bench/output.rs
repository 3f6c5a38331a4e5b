//! What the runs have come to, as a table and as JSON.

use std::fmt::Write;
use std::net::IpAddr;

use super::asked::Asked;
use crate::load::bench::{Held, Plan, Run, Spread, Target, Workload};
use crate::protocol::json;

/// Above this part of a core a thread has no time left, in percent.
const FULL: f64 = 90.0;

/// All runs.
pub struct Report {
    plan: Plan,
    runs_asked: usize,
    /// The URL, or `ceiling`.
    target: String,
    /// Processes whose CPU time and memory were counted.
    processes: Vec<u32>,
    /// Whether the server is on this machine.
    is_here: bool,
    /// The server's runs; those of the bare program, if it was measured alone.
    pub runs: Vec<Run>,
    /// Those of the bare program, beside the server's.
    pub ceiling: Vec<Run>,
    /// Bytes of each message to the bare program.
    pub ceiling_size: Option<usize>,
}

/// A figure of a run: what JSON calls it, what the table calls it, its digits behind the point there, and where it is from.
struct Figure {
    name: &'static str,
    title: &'static str,
    digits: usize,
    of: fn(&Run) -> Option<f64>,
}

const PER_SECOND: Figure =
    Figure { name: "per_second", title: "per second", digits: 0, of: |run| Some(run.per_second()) };
const PER_CPU: Figure = Figure {
    name: "per_server_cpu_second",
    title: "per CPU s",
    digits: 0,
    of: |run| run.per_server_cpu_second(),
};
const P50: Figure = Figure { name: "p50_ms", title: "p50 ms", digits: 3, of: |run| quantile(run, 0.5) };
const P99: Figure = Figure { name: "p99_ms", title: "p99 ms", digits: 3, of: |run| quantile(run, 0.99) };
const P999: Figure =
    Figure { name: "p99_9_ms", title: "p99.9 ms", digits: 3, of: |run| quantile(run, 0.999) };
const MAX: Figure = Figure { name: "max_ms", title: "max ms", digits: 3, of: |run| quantile(run, 1.0) };
const USER: Figure = Figure {
    name: "user_bytes_each",
    title: "user bytes",
    digits: 0,
    of: |run| run.held.as_ref().and_then(Held::user_each),
};
const KERNEL: Figure = Figure {
    name: "kernel_bytes_each",
    title: "kernel bytes",
    digits: 0,
    of: |run| run.held.as_ref().and_then(Held::kernel_each),
};
const SERVER_CPU: Figure =
    Figure { name: "server_cpu_percent", title: "server CPU", digits: 1, of: |run| run.server_cpu_percent() };
const CLIENT_CPU: Figure =
    Figure { name: "client_cpu_percent", title: "client CPU", digits: 1, of: |run| run.client_cpu_percent() };

/// All of them, as the summary has them.
const FIGURES: [&Figure; 10] =
    [&PER_SECOND, &PER_CPU, &P50, &P99, &P999, &MAX, &USER, &KERNEL, &SERVER_CPU, &CLIENT_CPU];

fn quantile(run: &Run, part: f64) -> Option<f64> {
    (run.delays.count() > 0).then(|| run.delays.quantile(part).as_secs_f64() * 1000.0)
}

impl Report {
    pub fn new(asked: &Asked, target: Option<&Target>) -> Self {
        let site = match target {
            Some(Target::Server(site)) => Some(site),
            _ => None,
        };
        Self {
            plan: asked.plan.clone(),
            runs_asked: asked.runs,
            target: match (&asked.url, site) {
                (Some(url), _) => url.clone(),
                (None, Some(site)) => format!("http://{}{}", site.asking.authority, site.asking.target),
                (None, None) => "ceiling".into(),
            },
            processes: site.map_or_else(Vec::new, |site| site.processes.iter().map(|one| one.id()).collect()),
            is_here: site.is_none_or(|site| is_here(site.asking.address.ip())),
            runs: Vec::new(),
            ceiling: Vec::new(),
            ceiling_size: None,
        }
    }

    /// Whether everything in every run was as it should be.
    pub fn is_right(&self) -> bool {
        self.runs.iter().chain(&self.ceiling).all(Run::is_right)
    }

    /// The server's work for a second of its CPU time over the bare program's, run by run.
    fn ratio(&self) -> Option<Spread> {
        let pairs = self.runs.iter().zip(&self.ceiling);
        Spread::of(
            pairs.map(|(run, bare)| Some(run.per_server_cpu_second()? / bare.per_server_cpu_second()?)),
        )
    }

    const fn is_exchange(&self) -> bool {
        matches!(self.plan.workload, Workload::Echo | Workload::Requests)
    }

    /// What has to be known to read the figures.
    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        let mut note = |text: String| notes.push(text);
        if self.is_exchange() {
            note(match self.plan.rate {
                None => "a closed loop: what is asked waits for the last answer, so a slow server is asked less, and the latencies leave out what would have waited. --rate keeps a schedule".into(),
                Some(_) => "an open loop: latency counts from when a message was due. Between two of them the client does not sleep, so its CPU says nothing".into(),
            });
        }
        if self.target != "ceiling" && self.processes.is_empty() {
            note(if self.is_here {
                "the server's CPU time and memory are not known: name its processes with --server-pid".into()
            } else {
                "the server is on another machine: its CPU time and memory are not known".into()
            });
        }
        let median =
            |figure: &Figure| Spread::of(self.runs.iter().map(figure.of)).map(|spread| spread.median);
        let is_kept_up =
            self.plan.rate.is_some_and(|rate| median(&PER_SECOND).is_some_and(|done| done >= 0.99 * rate));
        if median(&CLIENT_CPU).is_some_and(|cpu| cpu >= FULL)
            && median(&SERVER_CPU).is_none_or(|cpu| cpu < FULL)
            && !is_kept_up
        {
            note("WARNING: the client is the limit, and not the server: only the work for a second of the server's CPU time says something of it".into());
        }
        if self.plan.workload == Workload::Idle {
            note("user bytes are the server's proportional set size, more than before the first connection of the first run; kernel bytes are of the whole machine, and both ends' sockets are on it".into());
        }
        let sum = |of: fn(&Run) -> u64| self.runs.iter().chain(&self.ceiling).map(of).sum::<u64>();
        for (count, what) in [
            (sum(|run| run.lost), "lost"),
            (sum(|run| run.doubled), "doubled"),
            (
                sum(|run| run.wrong),
                "answered with another status than 2xx or 304, or with something else than was sent",
            ),
        ] {
            if count > 0 {
                note(format!("WRONG: {count} {what}"));
            }
        }
        let mut errors = std::collections::BTreeMap::<_, u64>::new();
        for (kind, count) in self.runs.iter().chain(&self.ceiling).flat_map(|run| &run.errors) {
            *errors.entry(kind).or_default() += count;
        }
        for (kind, count) in errors {
            note(format!("WRONG: {count} connections: {kind}"));
        }
        let (unsent, reconnects) = (sum(|run| run.unsent), sum(|run| run.reconnects));
        if unsent > 0 {
            note(format!(
                "{unsent} messages were due and not sent in time: the server does not keep up with the rate"
            ));
        }
        if reconnects > 0 {
            note(format!("{reconnects} connections were ended by the server in order, and opened anew"));
        }
        notes
    }

    fn columns(&self) -> &'static [&'static Figure] {
        match self.plan.workload {
            Workload::Idle => &[&USER, &KERNEL, &SERVER_CPU, &CLIENT_CPU],
            _ => &[&PER_SECOND, &PER_CPU, &P50, &P99, &P999, &MAX, &SERVER_CPU, &CLIENT_CPU],
        }
    }

    fn heading(&self) -> String {
        let plan = &self.plan;
        let via = match plan.workload {
            Workload::FanOut | Workload::Idle | Workload::Connect => format!(" over {}", plan.via),
            Workload::Echo | Workload::Requests => String::new(),
        };
        let much = match plan.workload {
            Workload::Echo => {
                format!("{} connections, {} in flight, {} bytes", plan.connections, plan.in_flight, plan.size)
            }
            Workload::FanOut => {
                format!("{} followers, {} bytes, bursts of {}", plan.connections, plan.size, plan.burst)
            }
            Workload::Idle | Workload::Requests => format!("{} connections", plan.connections),
            Workload::Connect => format!("{} under way", plan.in_flight),
        };
        let rate = plan.rate.map_or_else(String::new, |rate| format!(", {rate} a second"));
        format!(
            "{}{via}, {}: {much}{rate}; {} runs of {} s after {} s of warm-up\n",
            plan.workload.name(),
            self.target,
            self.runs_asked,
            plan.duration.as_secs_f64(),
            plan.warm_up.as_secs_f64()
        )
    }
}

const fn is_here(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_loopback(),
        IpAddr::V6(address) => address.is_loopback(),
    }
}

/// As a table.
pub fn table(report: &Report) -> String {
    let mut out = report.heading();
    let _ = write!(out, "\n{:<15}", report.plan.workload.unit());
    for figure in report.columns() {
        let _ = write!(out, "{:>13}", figure.title);
    }
    out.push('\n');
    rows(&mut out, report, "", &report.runs);
    if !report.ceiling.is_empty() {
        rows(&mut out, report, "ceiling ", &report.ceiling);
        let ratio = report.ratio();
        let _ = match ratio {
            Some(Spread { median, min, max }) => writeln!(
                out,
                "\nwork for a second of CPU time, over the ceiling's: {median:.2} ({min:.2} to {max:.2})"
            ),
            None => writeln!(out, "\nwork for a second of CPU time, over the ceiling's: not known"),
        };
    }
    for note in report.notes() {
        let _ = writeln!(out, "\n{note}.");
    }
    out
}

fn rows(out: &mut String, report: &Report, whose: &str, runs: &[Run]) {
    let row = |out: &mut String, label: String, of: &dyn Fn(&Figure) -> Option<f64>| {
        let _ = write!(out, "{label:<15}");
        for figure in report.columns() {
            let sign = if figure.name.ends_with("_percent") { " %" } else { "" };
            let text = of(figure).map_or_else(|| "-".into(), |value| grouped(value, figure.digits) + sign);
            let _ = write!(out, "{text:>13}");
        }
        out.push('\n');
    };
    for (at, run) in runs.iter().enumerate() {
        row(out, format!("{whose}run {}", at + 1), &|figure| (figure.of)(run));
    }
    let spread = |figure: &Figure| Spread::of(runs.iter().map(figure.of));
    row(out, format!("{whose}median"), &|figure| Some(spread(figure)?.median));
    row(out, format!("{whose}min"), &|figure| Some(spread(figure)?.min));
    row(out, format!("{whose}max"), &|figure| Some(spread(figure)?.max));
}

/// With commas between thousands.
fn grouped(value: f64, digits: usize) -> String {
    let text = format!("{:.digits$}", value.abs());
    let (whole, part) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut out = if value < 0.0 { "-".to_owned() } else { String::new() };
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out + part
}

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
    json::write_string(text, &mut out);
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
    use super::*;

    #[test]
    fn figures_have_commas_between_thousands() {
        for (value, digits, text) in [
            (0.0, 0, "0"),
            (999.4, 0, "999"),
            (1000.0, 0, "1,000"),
            (1_234_567.89, 1, "1,234,567.9"),
            (-1234.5, 1, "-1,234.5"),
        ] {
            assert_eq!(grouped(value, digits), text);
        }
    }

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
