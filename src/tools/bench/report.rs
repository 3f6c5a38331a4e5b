//! All runs, as a table and as JSON.

mod json;
mod notes;
mod table;

use std::net::IpAddr;

use super::args::Args;
use super::config::{BenchConfig, Target, Workload};
use super::result::{IdleMemory, Run, Spread};
pub use json::json;
pub use table::table;

/// All runs, and what is necessary to describe them.
pub struct Report {
    config: BenchConfig,
    /// The number of runs requested.
    runs_requested: usize,
    /// The URL, or `ceiling`.
    target: String,
    /// The processes whose CPU time and memory were measured.
    processes: Vec<u32>,
    /// Whether the server is on this machine.
    is_local: bool,
    /// The runs at the server, or at the bare program if that is the only target.
    pub runs: Vec<Run>,
    /// The runs at the bare program, if the server was measured too.
    pub ceiling: Vec<Run>,
    /// Bytes of each message to the bare program.
    pub ceiling_size: Option<usize>,
}

/// A figure of a run.
struct Figure {
    /// The name in the JSON.
    name: &'static str,
    /// The heading in the table.
    title: &'static str,
    /// The decimal places in the table.
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
    of: |run| run.idle_memory.as_ref().and_then(IdleMemory::user_each),
};
const KERNEL: Figure = Figure {
    name: "kernel_bytes_each",
    title: "kernel bytes",
    digits: 0,
    of: |run| run.idle_memory.as_ref().and_then(IdleMemory::kernel_each),
};
const SERVER_CPU: Figure =
    Figure { name: "server_cpu_percent", title: "server CPU", digits: 1, of: |run| run.server_cpu_percent() };
const CLIENT_CPU: Figure =
    Figure { name: "client_cpu_percent", title: "client CPU", digits: 1, of: |run| run.client_cpu_percent() };

/// All figures, in the order of the summary.
const FIGURES: [&Figure; 10] =
    [&PER_SECOND, &PER_CPU, &P50, &P99, &P999, &MAX, &USER, &KERNEL, &SERVER_CPU, &CLIENT_CPU];

/// Returns a quantile of the latency in milliseconds; `None` without latencies.
fn quantile(run: &Run, part: f64) -> Option<f64> {
    (run.delays.count() > 0).then(|| run.delays.quantile(part).as_secs_f64() * 1000.0)
}

impl Report {
    /// Returns a report without runs. `target` is the server, if one is measured.
    pub fn new(args: &Args, target: Option<&Target>) -> Self {
        let server = match target {
            Some(Target::Server(server)) => Some(server),
            _ => None,
        };
        Self {
            config: args.config.clone(),
            runs_requested: args.runs,
            target: match (&args.url, server) {
                (Some(url), _) => url.clone(),
                (None, Some(server)) => {
                    format!("http://{}{}", server.request.authority, server.request.target)
                }
                (None, None) => "ceiling".into(),
            },
            processes: server
                .map_or_else(Vec::new, |server| server.processes.iter().map(|one| one.id()).collect()),
            is_local: server.is_none_or(|server| is_loopback(server.request.address.ip())),
            runs: Vec::new(),
            ceiling: Vec::new(),
            ceiling_size: None,
        }
    }

    /// Returns whether nothing was lost, doubled, wrong or broken in any run.
    pub fn is_right(&self) -> bool {
        self.all_runs().all(Run::is_right)
    }

    fn all_runs(&self) -> impl Iterator<Item = &Run> {
        self.runs.iter().chain(&self.ceiling)
    }

    /// Returns the server's work per second of CPU time divided by that of the bare program, for
    /// each pair of runs.
    fn ratio(&self) -> Option<Spread> {
        let pairs = self.runs.iter().zip(&self.ceiling);
        Spread::of(
            pairs.map(|(run, bare)| Some(run.per_server_cpu_second()? / bare.per_server_cpu_second()?)),
        )
    }

    const fn is_exchange(&self) -> bool {
        matches!(self.config.workload, Workload::Echo | Workload::Requests)
    }

    fn columns(&self) -> &'static [&'static Figure] {
        match self.config.workload {
            Workload::Idle => &[&USER, &KERNEL, &SERVER_CPU, &CLIENT_CPU],
            _ => &[&PER_SECOND, &PER_CPU, &P50, &P99, &P999, &MAX, &SERVER_CPU, &CLIENT_CPU],
        }
    }
}

const fn is_loopback(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_loopback(),
        IpAddr::V6(address) => address.is_loopback(),
    }
}
