//! `barewire bench`: a load generator for any WebSocket, Server-Sent Events or polling server.
//!
//! All clients run on one thread and one event loop. A run opens its connections, does its work for
//! a while (the *warm-up*), and then measures for a while: the work per second and per second of
//! the server's CPU time, the latency, the memory, and whether anything was lost.
//!
//! ```text
//! BenchConfig, Target ─▶ run ─▶ Run, several times ─▶ Spread ─▶ report
//!                         │
//!                         ├─ exchange   echo, requests ─┐
//!                         ├─ fan_out                    ├─▶ load::ClientPool ─▶ session: HTTP, event
//!                         ├─ idle                       │     (sockets)           streams, WebSocket,
//!                         └─ connect ───────────────────┘                         or no protocol
//! ```
//!
//! Read in this order:
//!
//! 1. `args` — the arguments; `config` — the workload and the target; `target` — the target that
//!    the arguments describe.
//! 2. `template` — requests from a URL with placeholders, and where responses have their cursor.
//! 3. `schedule` — when each message is due, and from when its latency counts; `event_tag` — how an
//!    event is identified in any format.
//! 4. `session` — the client side of one connection, without a socket; `keys` — its random bytes.
//! 5. `ramp_up` — opening many connections; `exchange`, `fan_out`, `idle`, `connect` — the
//!    workloads; `run` — one run of one of them.
//! 6. `ceiling` — the bare program with which a server is compared.
//! 7. `result` — the result of a run, and the spread over several; `report` — all of it as a table
//!    and as JSON.

mod args;
mod ceiling;
mod config;
mod connect;
mod event_tag;
mod exchange;
mod fan_out;
mod idle;
mod keys;
mod progress;
mod ramp_up;
mod report;
mod result;
mod run;
mod schedule;
mod session;
mod target;
mod template;

use std::ffi::OsString;
use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;

use super::exit_status::{NO_RESPONSE, REFUSED, USAGE_ERROR};
use super::io_error::listen_error;
use super::listen::listen;
use super::load::{Child, end_with_parent};
use super::open_files::raise_limit;
use super::standard_streams::{self, fail};
use args::{Args, Command};
use ceiling::{Ceiling, CeilingKind};
use config::{BenchConfig, Target, Workload};
use idle::MemoryBaseline;
use progress::ProgressLine;
use report::Report;
use result::BenchError;
use run::{Progress, Stage};

const HELP: &str = "\
Usage: barewire bench echo     [OPTION]...
       barewire bench fan-out  [OPTION]...
       barewire bench idle     [OPTION]...
       barewire bench connect  [OPTION]...
       barewire bench requests [OPTION]...
       barewire bench ceiling echo|fan-out [OPTION]...

Puts load on any WebSocket, Server-Sent Events or polling server, and measures its throughput, latency and memory.
Without --url it starts a barewire server for the measurement.

  echo      messages on WebSockets, which the server must send back
  fan-out   events to many followers, each published after all have received the previous one
  idle      connections without data: the memory of each, in user space and in the kernel
  connect   connections that are opened, answered once, and closed
  requests  GETs over persistent connections
  ceiling   echo or fan-out with a bare program that has no protocol: the most that any server could do

Requests:

  --url URL             the server [a barewire server]; {cursor} becomes the cursor, {n} the number of the connection
  --via TRANSPORT       websocket, sse or long-poll; for connect: websocket, sse or short-poll [websocket]
  --header 'N: V'       an additional field of each request; repeatable
  --first-url URL       the URL of a long poll's first request [--url, with {cursor} as now]
  --cursor PLACE        where a response has the next cursor, header:NAME or json:FIELD [json:next]
  --publish URL         where to publish: http:// for a POST per event, ws:// for a text message [--url without its query]
  --publish-header 'N: V'  an additional field of the requests that publish; repeatable

Load:

  --connections N       concurrent connections, or followers [50; fan-out and idle: 1000]
  --in-flight N         messages in flight per connection; for connect: connections in progress [1; connect: 32]
  --size BYTES          size of a message's payload, or of an event's data [64; fan-out: 120]
  --burst N             events published together [1]
  --burst-as WAY        pipelined: a request per event, all in one write; sequential: each after the response to the last;
                        batch: one request (application/x-ndjson), an event per line [pipelined]
  --rate N              messages or requests per second in total, on a schedule [each follows the previous response]
  --duration SECONDS    measured time of each run [5]
  --warm-up SECONDS     time under load before the measurement [1]
  --runs N              number of runs [5]
  --timeout SECONDS     longest wait for any response [10]
  --sources N           local addresses to connect from, 127.0.0.1 and following; each has 28,000 ports [1]

Output:

  --server-pid PID      a process of the server, to measure its CPU time and memory; repeatable, processes are added up
  --ceiling             also measure the bare program, in alternating runs, and the ratio of work per second of CPU time
  --json                write one JSON object; docs/bench.md describes its members
  --help                show this text

Exit status: 0 success; 1 something was lost, doubled, refused or broken; 2 the arguments are wrong; 3 the server cannot be
reached or does not respond.
";

/// Something was lost, refused or wrong.
const FAILED: u8 = REFUSED;

/// Runs `barewire bench`, or the bare program.
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let args = match args::parse(arguments) {
        Ok(Command::Bench(args)) => *args,
        Ok(Command::CeilingProgram(kind, address)) => return ceiling_program(kind, address),
        Ok(Command::Help) => return super::print(HELP),
        Err(message) => return super::usage_error("barewire bench", &message),
    };
    if let Err(message) = raise_limit("--connections", args.config.connections) {
        return fail(USAGE_ERROR, message);
    }
    match bench(&args) {
        Ok(report) => {
            let text = if args.is_json { report::json(&report) } else { report::table(&report) };
            match super::print(&text) {
                printed if printed != ExitCode::SUCCESS => printed,
                _ if report.is_right() => ExitCode::SUCCESS,
                _ => ExitCode::from(FAILED),
            }
        }
        Err(error) => {
            let status = match error {
                BenchError::Unreachable(_) => NO_RESPONSE,
                BenchError::Refused(_) | BenchError::System(_) => FAILED,
                BenchError::Request(_) => USAGE_ERROR,
            };
            match &args.url {
                Some(url) => fail(status, format_args!("{url}: {error}")),
                None => fail(status, error),
            }
        }
    }
}

/// Runs the bare program. As a child process it ends when its parent does.
fn ceiling_program(kind: CeilingKind, address: SocketAddr) -> ExitCode {
    // With the lower limit the program still serves fewer connections.
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    end_with_parent();
    let run = || {
        let listener = listen(address, 0)?;
        listener.set_nonblocking(true)?;
        let line = format!("listening on {}\n", listener.local_addr()?);
        standard_streams::write(line.as_bytes()).map_err(io::Error::other)?;
        Ceiling::new(kind, listener)?.run()
    };
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(FAILED, listen_error(address, &error)),
    }
}

/// Starts the bare program as a child process.
fn start_ceiling(workload: Workload) -> io::Result<Child> {
    let kind = if workload == Workload::FanOut { CeilingKind::FanOut } else { CeilingKind::Echo };
    Child::start(&["bench", "ceiling-program", kind.name(), "127.0.0.1:0"], "listening on ")
}

fn not_started(error: io::Error) -> BenchError {
    BenchError::System(io::Error::new(error.kind(), format!("cannot start a server to measure: {error}")))
}

/// Measures all runs. If both targets are measured, their runs alternate.
fn bench(args: &Args) -> Result<Report, BenchError> {
    let config = &args.config;
    let child = match (&args.url, args.is_ceiling) {
        (None, false) => Some(Child::server().map_err(not_started)?),
        _ => None,
    };
    let server = if args.is_ceiling { None } else { Some(target::server(args, child.as_ref())?) };
    let has_ceiling = args.is_ceiling || args.with_ceiling;
    let ceiling = if has_ceiling { Some(start_ceiling(config.workload).map_err(not_started)?) } else { None };

    let baseline = server.as_ref().filter(|_| config.workload == Workload::Idle).map(MemoryBaseline::now);
    let server = server.map(|server| Target::Server(Box::new(server)));
    let mut report = Report::new(args, server.as_ref());
    let mut progress = ProgressLine::new(args.runs);
    // Another bench at the same server uses other event numbers.
    let first_number = u64::from(std::process::id());
    for run in 0..args.runs {
        let number = first_number + run as u64;
        if let Some(server) = &server {
            progress.start_run(run, "");
            let show = &mut |stage| progress.show(stage);
            report.runs.push(run::run(config, server, number, baseline, show)?);
        }
        if let Some(child) = &ceiling {
            progress.start_run(run, "ceiling, ");
            let target = target::ceiling(config, child, report.runs.last());
            report.ceiling_size = Some(target.size);
            let in_flight = if server.is_some() { server_in_flight(config) } else { config.in_flight };
            let config = BenchConfig { in_flight, ..config.clone() };
            let show = &mut |stage| progress.show(stage);
            let run = run::run(&config, &Target::Ceiling(target), number, None, show)?;
            if server.is_some() { &mut report.ceiling } else { &mut report.runs }.push(run);
        }
    }
    Ok(report)
}

/// Returns the messages in flight per connection to the server. Requests are not pipelined.
fn server_in_flight(config: &BenchConfig) -> usize {
    if config.workload == Workload::Requests { 1 } else { config.in_flight }
}
