//! What the runs have come to, as a table and as JSON.

mod json;
mod table;

use std::net::IpAddr;

use super::args::Asked;
use super::config::{Plan, Target, Workload};
use super::result::{Held, Run, Spread};
pub use json::json;
pub use table::table;

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
