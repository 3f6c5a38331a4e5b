//! `barewire bench`.

mod args;
mod ceiling;
mod config;
mod connect;
mod event_tag;
mod exchange;
mod fan_out;
mod idle;
mod ramp_up;
mod report;
mod result;
mod run;
mod schedule;
pub mod session;
mod template;

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;

use super::exit_status::USAGE_ERROR;
use super::listen::listen;
use super::open_files::raise_limit;
use crate::client::follow::Via;
use crate::protocol::websocket::frame::MAX_CONTROL_PAYLOAD;
use crate::tools::load::child::{self, Child};
use args::{Asked, What};
use ceiling::Ceiling;
pub use ceiling::Kind;
use config::{Bare, Plan, Publish, Site, Target, Workload};
use event_tag::LENGTH as MARKER_LENGTH;
use idle::Before;
use report::Report;
use result::{Failed, Run};
use run::Stage;
use template::Asking;

/// Something was lost, refused, or not as it should be.
const WRONG: u8 = 1;
/// Nobody is there.
const UNREACHABLE: u8 = 3;

const HELP: &str = "\
Usage: barewire bench echo     [OPTION]...
       barewire bench fan-out  [OPTION]...
       barewire bench idle     [OPTION]...
       barewire bench connect  [OPTION]...
       barewire bench requests [OPTION]...
       barewire bench ceiling echo|fan-out [OPTION]...

Puts load on a server of WebSockets, Server-Sent Events or polls, by anybody, and says what it makes of it. Without --url it
starts a barewire of its own.

  echo      messages on WebSockets, which have to come back
  fan-out   events to many followers, each published when all have the last
  idle      connections that are held: memory of each, in user space and in the kernel
  connect   connections that are opened, answered once, and closed
  requests  GETs over kept connections
  ceiling   echo or fan-out at a bare program without a protocol, the most that any server could do

What is asked for:

  --url URL             the server's [a barewire of its own]; {cursor} in it is the cursor, {n} the connection's number
  --via TRANSPORT       websocket, sse or long-poll; of connect: websocket, sse or short-poll [websocket]
  --header 'N: V'       another field of each request; may be given again
  --first-url URL       what a long poll asks first [--url, where {cursor} is now]
  --cursor PLACE        where an answer has the next cursor, header:NAME or json:FIELD [json:next]
  --publish URL         where events are posted, or with ws:// sent as text messages [--url, less its query]
  --publish-header 'N: V'  another field of that; may be given again

How much of it:

  --connections N       connections at once, followers [50; fan-out and idle: 1000]
  --in-flight N         messages under way on each; of connect: connections under way [1; connect: 32]
  --size BYTES          of a message's payload, of an event's data [64; fan-out: 120]
  --burst N             events that are published at once [1]
  --rate N              messages or requests in a second in all, on a schedule [as fast as they are answered]
  --duration SECONDS    how long each run is measured [5]
  --warm-up SECONDS     how long it does the same before [1]
  --runs N              how often [5]
  --timeout SECONDS     how long anything may take that has to come [10]
  --sources N           addresses to connect from, 127.0.0.1 and the next: each has 28,000 ports [1]

What is shown:

  --server-pid PID      a process of the server, for its CPU time and memory; may be given again, and they are added up
  --ceiling             the bare program too, run by run in turn, and the ratio of work for a second of CPU time
  --json                one JSON object; its names are in docs/bench.md
  --help                this

Exit status: 0 all is as it should be; 1 something was lost, doubled, refused or broken; 2 a mistake in the arguments; 3 no
connection, or no answer.
";

/// Puts load on a server, or is the bare program.
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let asked = match args::parse(arguments) {
        Ok(What::Bench(asked)) => *asked,
        Ok(What::CeilingProgram(kind, address)) => return ceiling_program(kind, address),
        Ok(What::Help) => return super::print(HELP),
        Err(what) => {
            eprintln!("barewire: {what}\nTry barewire bench --help.");
            return ExitCode::from(USAGE_ERROR);
        }
    };
    if let Err(what) = raise_limit("--connections", asked.plan.connections) {
        eprintln!("barewire: {what}");
        return ExitCode::from(USAGE_ERROR);
    }
    match bench(&asked) {
        Ok(report) => {
            let text = if asked.is_json { report::json(&report) } else { report::table(&report) };
            let is_right = report.is_right();
            match super::print(&text) {
                said if said != ExitCode::SUCCESS => said,
                _ if is_right => ExitCode::SUCCESS,
                _ => ExitCode::from(WRONG),
            }
        }
        Err(error) => {
            eprintln!("barewire: {error}");
            ExitCode::from(match error {
                Failed::Unreachable(_) => UNREACHABLE,
                Failed::Refused(_) | Failed::System(_) => WRONG,
                Failed::Request(_) => USAGE_ERROR,
            })
        }
    }
}

/// The bare program; as a child, for as long as somebody holds its standard input open.
fn ceiling_program(kind: Kind, address: SocketAddr) -> ExitCode {
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    child::end_with_parent();
    let run = || {
        let listener: TcpListener = listen(address, 0)?;
        listener.set_nonblocking(true)?;
        let mut out = io::stdout();
        writeln!(out, "listening on {}", listener.local_addr()?)?;
        out.flush()?;
        Ceiling::new(kind, listener)?.run()
    };
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("barewire: {address}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// All runs.
fn bench(asked: &Asked) -> Result<Report, Failed> {
    let plan = &asked.plan;
    let server = match (&asked.url, asked.is_ceiling) {
        (None, false) => Some(Child::server()?),
        _ => None,
    };
    let site = if asked.is_ceiling { None } else { Some(site(asked, server.as_ref())?) };
    let is_beside = asked.is_ceiling || asked.with_ceiling;
    let kind = if plan.workload == Workload::FanOut { Kind::FanOut } else { Kind::Echo };
    let ceiling = if is_beside { Some(Child::ceiling(kind)?) } else { None };

    let before = site.as_ref().filter(|_| plan.workload == Workload::Idle).map(Before::now);
    let site = site.map(|site| Target::Server(Box::new(site)));
    let mut report = Report::new(asked, site.as_ref());
    let mut progress = Progress::new(asked.runs);
    // Of another bench at the same server, events have other numbers.
    let first = u64::from(std::process::id());
    for run in 0..asked.runs {
        if let Some(site) = &site {
            progress.run(run, "");
            let number = first + run as u64;
            report.runs.push(run::run(plan, site, number, before, &mut |stage| progress.say(stage))?);
        }
        if let Some(ceiling) = &ceiling {
            progress.run(run, "ceiling, ");
            let bare = bare(plan, ceiling, report.runs.last());
            report.ceiling_size = Some(bare.size);
            let plan = Plan {
                in_flight: if site.is_some() { in_flight(plan) } else { plan.in_flight },
                ..plan.clone()
            };
            let run = run::run(&plan, &Target::Ceiling(bare), first + run as u64, None, &mut |stage| {
                progress.say(stage)
            })?;
            if site.is_some() { &mut report.ceiling } else { &mut report.runs }.push(run);
        }
    }
    Ok(report)
}

/// Requests are one at a time on each connection.
fn in_flight(plan: &Plan) -> usize {
    if plan.workload == Workload::Requests { 1 } else { plan.in_flight }
}

/// What is asked of the server: the one that is named, or the one that was started.
fn site(asked: &Asked, own: Option<&Child>) -> Result<Site, Failed> {
    let plan = &asked.plan;
    let (url, first, publish);
    if let Some(own) = own {
        let topic = format!("http://{}/topics/bench", own.address());
        (url, first, publish) = match (plan.workload, plan.via) {
            (Workload::Echo, _) => (format!("http://{}/echo", own.address()), None, None),
            (_, Via::LongPoll) => {
                let first = format!("{topic}?since=now");
                (format!("{topic}?since={{cursor}}&wait=60"), Some(first), Some(topic))
            }
            _ => (topic.clone(), None, Some(topic)),
        };
    } else {
        url = asked.url.clone().unwrap_or_default();
        let bare = url.split('?').next().unwrap_or_default().to_owned();
        let bare = bare.replacen("ws://", "http://", 1);
        (first, publish) = (asked.first_url.clone(), Some(asked.publish.clone().unwrap_or(bare)));
    }
    let asking =
        |url: &str, fields: &[(String, String)]| Asking::new(url, fields).map_err(Failed::Unreachable);
    let publish = match publish.filter(|_| plan.workload == Workload::FanOut) {
        None => None,
        Some(url) => {
            let asking = asking(&url, &asked.publish_fields)?;
            let is_websocket = url.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("ws://"));
            Some(if is_websocket { Publish::WebSocket(asking) } else { Publish::Post(asking) })
        }
    };
    Ok(Site {
        asking: asking(&url, &asked.fields)?,
        first: asking(first.as_deref().unwrap_or(&url), &asked.fields)?,
        cursor: asked.cursor.clone().into(),
        publish,
        processes: own.map_or_else(|| asked.processes.clone(), |own| vec![own.process()]),
    })
}

/// How much goes to the bare program: what went to the server and came from it, if there was one; else what the protocol makes of it.
fn bare(plan: &Plan, ceiling: &Child, beside: Option<&Run>) -> Bare {
    let each = |bytes: u64, of: u64| bytes.div_ceil(of.max(1)) as usize;
    // §5.2 of RFC 6455: the lengths that need more bytes.
    let header = match plan.size {
        0..=MAX_CONTROL_PAYLOAD => 2,
        126..=0xffff => 4,
        _ => 10,
    };
    let (size, asks) = match (plan.workload, beside) {
        (Workload::Echo, _) => (header + 4 + plan.size, 0),
        (Workload::FanOut, Some(run)) => {
            let rounds = run.events.unwrap_or_default() / plan.burst.max(1) as u64;
            let asks = each(run.bytes_up, rounds * plan.connections as u64);
            (each(run.bytes_down, run.done), if plan.via == Via::LongPoll { asks } else { 0 })
        }
        (Workload::FanOut, None) => match plan.via {
            // An answer's head and some JSON; a request.
            Via::LongPoll | Via::ShortPoll => (plan.size + 250, 100),
            // A chunk, an id, and `data: `.
            Via::EventStream => (plan.size + 40, 0),
            Via::WebSocket => (plan.size + header, 0),
        },
        (_, Some(run)) => (each(run.bytes_up.max(run.bytes_down), run.done), 0),
        (_, None) => (plan.size, 0),
    };
    let size = if plan.workload == Workload::FanOut { size.max(MARKER_LENGTH) } else { size.max(1) };
    Bare { address: ceiling.address(), processes: vec![ceiling.process()], size, asks }
}

/// A line on a terminal that says how far it is.
struct Progress {
    is_shown: bool,
    runs: usize,
    line: String,
}

impl Progress {
    fn new(runs: usize) -> Self {
        Self { is_shown: io::stderr().is_terminal(), runs, line: String::new() }
    }

    fn run(&mut self, run: usize, whose: &str) {
        self.line = format!("run {} of {}: {whose}", run + 1, self.runs);
    }

    fn say(&self, stage: Stage) {
        let stage = match stage {
            Stage::Connecting => "connecting",
            Stage::WarmingUp => "warming up",
            Stage::Measuring => "measuring",
        };
        if self.is_shown {
            eprint!("\r\x1b[K{}{stage}", self.line);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.is_shown {
            eprint!("\r\x1b[K");
        }
    }
}
