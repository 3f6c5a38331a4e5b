//! `barewire conform`: tests whether a server or a client obeys the specifications.
//!
//! ```text
//! args, adapter ─▶ Target ──┐                             ┌─▶ output: text, JSON, JUnit, TAP, report
//! catalogue ─▶ [Case] ──────┴─▶ runner ─▶ [CaseResult] ───┴─▶ expectation: compares two runs
//!                                 │
//!                                 └─ Trial: one case and one endpoint
//!                                      ├─ Connection (a socket, a deadline, a Record)
//!                                      └─ ClientSession (the client under test)
//! ```
//!
//! Read in this order:
//!
//! 1. `suite` and `case` — a case: its number, what it requires, the outcomes that it allows.
//! 2. `target` — the endpoint under test; `args` and `adapter` — how the user describes it.
//! 3. `trial` — one case being played; `finding` — its end if it is none of the outcomes;
//!    `connection` and `record` — its sockets and their bytes; `client` — a client under test.
//! 4. `topic` — the events of a case; `exchange` — HTTP requests and responses; `websocket` —
//!    frames and scripts, and the cases of the suite. The other suites have a folder each.
//! 5. `catalogue` — all cases; `runner` — plays them; `contact` — whether there is an endpoint;
//!    `waiting` — lets clients choose the cases; `results`; `expectation` — the outcomes of another
//!    run.
//! 6. `explain` and `output` — what the user reads.
//!
//! A case is a function over a [`Trial`](trial::Trial) that returns the name of an outcome. The
//! case lists the outcomes that are no failures, each with its verdict. Anything else that the
//! endpoint does is a [`Finding`](trial::Finding) with what was expected and what was observed.
//! Everything a trial waits for has a deadline, so that an endpoint that hangs, floods or closes
//! gets a verdict in time.

mod adapter;
mod args;
pub mod case;
mod catalogue;
mod client;
pub mod connection;
mod contact;
#[cfg(feature = "deflate")]
mod deflate;
pub mod exchange;
mod expectation;
pub mod explain;
mod finding;
mod help;
mod http;
mod output;
mod poll;
mod progress;
pub mod record;
mod results;
mod runner;
mod sse;
mod suite;
pub mod target;
mod topic;
pub mod trial;
mod waiting;
pub mod websocket;

use std::ffi::OsString;
use std::io::{self, Read};
use std::net::TcpStream;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::exit_status::{FAILED, INTERRUPTED, OUTPUT_FAILED, USAGE_ERROR};
use super::io_error::listen_error;
use super::signals::stop_signals;
use super::standard_streams::{fail, print};
use args::Args;
use case::{Case, Endpoint};
use contact::Contact;
use help::HELP;
use progress::ProgressLine;
use results::Results;
use runner::{CaseResult, Run};
use target::{ClientTarget, Target};

/// Runs the command: plays the cases, and writes the results.
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let args = match args::parse(arguments) {
        Ok(Some(args)) => args,
        Ok(None) => return print(HELP),
        Err(error) => return super::usage_error("barewire conform", &error),
    };
    let cases = catalogue::all();
    let endpoint = args.target.as_ref().map_or(Endpoint::Server, Target::endpoint);
    let mut chosen: Vec<&Case> =
        cases.iter().filter(|case| args.selection.includes(case, endpoint)).collect();
    if args.is_list && args.target.is_none() {
        chosen = cases
            .iter()
            .filter(|case| {
                [Endpoint::Server, Endpoint::Client]
                    .into_iter()
                    .any(|endpoint| args.selection.includes(case, endpoint))
            })
            .collect();
    }
    if let Some(Target::Client(ClientTarget { run: None, .. })) = &args.target
        && !args.is_list
        && args.selection.only.is_empty()
    {
        chosen.retain(|case| waiting::is_suited(case));
    }
    if let Some(pattern) =
        args.selection.patterns().find(|pattern| !cases.iter().any(|case| pattern.matches(case)))
    {
        let error = format!(
            "no case has the number \"{pattern}\": --list shows them, and * stands for any characters"
        );
        return super::usage_error("barewire conform", &error);
    }
    if chosen.is_empty() {
        let error = "no case is chosen: those of the patterns are for another endpoint, or their suite is not \
                     among those that are played (--suite), or they are long (--full)";
        return super::usage_error("barewire conform", error);
    }
    match (&args.target, args.is_list) {
        (Some(target), false) => play(&args, target, &cases, &chosen),
        _ => print(&output::list(&chosen)),
    }
}

fn play(args: &Args, target: &Target, catalogue: &[Case], chosen: &[&Case]) -> ExitCode {
    if let Err(error) = output::check_files(args) {
        return fail(OUTPUT_FAILED, error);
    }
    if let Err(error) = reach(target) {
        return fail(USAGE_ERROR, error);
    }
    let is_stopped = match stop_flag() {
        Ok(flag) => flag,
        Err(error) => return fail(FAILED, format_args!("cannot handle signals: {error}")),
    };
    let run = Run { target, jobs: args.jobs, limit: args.limit, is_stopped: &is_stopped };
    let mut results = vec![None; chosen.len()];
    let mut progress = ProgressLine::new(chosen.len(), args.is_quiet);
    let mut contact = Contact::new(target, &is_stopped);
    let mut record_result = |index: usize, result: CaseResult| {
        contact.note(chosen[index], &result);
        // A client that connects by itself may play a case again.
        if results[index].is_none() {
            progress.count(result.verdict);
        }
        results[index] = Some(result);
    };
    match target {
        Target::Client(ClientTarget { run: None, listen }) => {
            if let Err(error) = waiting::wait(&run, *listen, chosen, record_result) {
                return fail(USAGE_ERROR, listen_error(*listen, &error));
            }
        }
        _ => run.play(chosen, &mut record_result),
    }
    progress.clear();
    contact.end();
    if let Some(why) = contact.lost() {
        return fail(USAGE_ERROR, why);
    }
    if results.iter().all(Option::is_none) {
        return fail(USAGE_ERROR, "no case was played");
    }
    let endpoint = target.endpoint();
    let differences = args.expect.as_ref().map(|expectation| {
        let played = chosen.iter().copied().zip(results.iter().map(Option::as_ref));
        expectation.differences(played, &args.selection, endpoint, catalogue)
    });
    let cases = chosen.to_vec();
    let results = Results { endpoint, cases, results, repeat: &args.repeat, differences };
    let written = output::write(args, &results);
    match (results.is_complete(), is_stopped.load(Ordering::Relaxed)) {
        (true, _) => written,
        (false, true) => ExitCode::from(INTERRUPTED),
        (false, false) => ExitCode::from(FAILED),
    }
}

/// Returns a flag that the first signal sets. The cases that are being played end, and the results
/// so far are written.
fn stop_flag() -> io::Result<Arc<AtomicBool>> {
    let (sender, mut stop) = stop_signals()?;
    let is_stopped = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&is_stopped);
    thread::Builder::new().name("stop".into()).spawn(move || {
        // Without the sender, the stream would end.
        let _sender = sender;
        if stop.read_exact(&mut [0]).is_ok() {
            flag.store(true, Ordering::Relaxed);
        }
    })?;
    Ok(is_stopped)
}

/// Checks that a server can be reached at all.
fn reach(target: &Target) -> Result<(), String> {
    let Target::Server(server) = target else { return Ok(()) };
    let Some(address) = server.any_address() else { return Ok(()) };
    match TcpStream::connect_timeout(&address, Duration::from_secs(5)) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("{address}: {error}: is the server running?")),
    }
}
