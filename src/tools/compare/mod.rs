//! `barewire compare`: what each transport costs, measured.

mod args;
mod arithmetic;
mod client_pool;
mod config;
mod output;
mod prediction;
mod progress;
mod publisher;
mod results;
mod tracker;
mod trial;

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use signal_hook::consts::SIGINT;
use signal_hook::flag;

use super::args::resource;
use super::exit_status::{REFUSED, USAGE_ERROR};
use super::load::Child;
use super::open_files::raise_limit;
use crate::client::follow::{Resource, Via};
use crate::tools::load::Process;
use args::{Asked, Form, Users};
use prediction::{Prediction, predict};
use progress::ProgressBar;

pub use args::HELP;
pub use arithmetic::Arithmetic;
pub use config::Plan;
pub use results::{Bytes, Comparison, DelayFigures, Figures, Leg, ServerFigures, difference};
pub use tracker::{MIN_SIZE, MOST_EVENTS};
pub use trial::{CompareError, Progress};

/// The status of a program that a Ctrl-C has ended, as shells have it: 128 and the signal's number.
const INTERRUPTED: u8 = 130;

/// Compares, and writes what it came to.
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let asked = match args::parse(arguments) {
        Ok(Some(asked)) => asked,
        Ok(None) => return super::print(HELP),
        Err(what) => {
            eprintln!("barewire: {what}\nTry barewire compare --help.");
            return ExitCode::from(USAGE_ERROR);
        }
    };
    if let Err(what) = raise_limit("--clients", asked.plan.clients) {
        eprintln!("barewire: {what}");
        return ExitCode::from(USAGE_ERROR);
    }
    // A minute or more is a long time for a path that was mistyped. What is in the file stays until there is something better.
    let opened =
        asked.report.as_ref().map(|path| (path, OpenOptions::new().append(true).create(true).open(path)));
    if let Some((path, Err(error))) = opened {
        eprintln!("barewire: {}: {error}", path.display());
        return ExitCode::from(REFUSED);
    }
    match run(&asked) {
        Ok(Compared { failure: Some(what), comparison, .. }) if comparison.legs.is_empty() => {
            eprintln!("barewire: {what}");
            ExitCode::from(REFUSED)
        }
        Ok(compared) => tell(&asked, &compared),
        Err(what) => {
            eprintln!("barewire: {what}");
            ExitCode::from(REFUSED)
        }
    }
}

/// Whom the clients of one leg meet.
struct Target {
    resource: Resource,
    server: Option<Process>,
    /// It serves until this is dropped.
    _own: Option<Child>,
}

impl Target {
    /// A topic that nobody else uses, on the server that was asked for, or else on a fresh one: so no leg's memory is another's.
    fn new(asked: &Asked, leg: usize, run: u64) -> Result<Self, String> {
        let own = match &asked.url {
            Some(_) => None,
            None => Some(Child::server().map_err(|error| format!("no server of its own: {error}"))?),
        };
        let own_origin = own.as_ref().map(|own| format!("http://{}", own.address()));
        let origin = asked.url.as_deref().or(own_origin.as_deref()).unwrap_or_default();
        let url = format!("{}/topics/compare-{run:08x}-{leg}", origin.trim_end_matches('/'));
        let resource = resource(&url, asked.token.as_deref(), &asked.fields)?;
        let server = asked.server.or(own.as_ref().map(Child::process));
        Ok(Self { resource, server, _own: own })
    }
}

/// What it came to, and the arithmetic for clients of such a topic.
struct Compared {
    comparison: Comparison,
    arithmetic: Arithmetic,
    /// Why it has ended with a leg that is not among those of the comparison.
    failure: Option<String>,
}

fn run(asked: &Asked) -> Result<Compared, String> {
    let plan = &asked.plan;
    let interrupted = Arc::new(AtomicBool::new(false));
    // The first says that it is enough; the second ends at once.
    flag::register_conditional_shutdown(SIGINT, INTERRUPTED.into(), Arc::clone(&interrupted))
        .and_then(|_| flag::register(SIGINT, Arc::clone(&interrupted)))
        .map_err(|error| error.to_string())?;

    let mut bar = ProgressBar::new(plan, asked.is_quiet);
    let mut comparison = Comparison { plan: plan.clone(), legs: Vec::new(), is_interrupted: false };
    let (mut arithmetic, mut failure) = (None, None);
    let run = RandomState::new().hash_one("run") & 0xffff_ffff;
    for (number, (via, interval)) in plan.legs().enumerate() {
        let target = Target::new(asked, number, run)?;
        arithmetic.get_or_insert_with(|| Arithmetic::new(&target.resource));
        let measured =
            trial::measure(plan, via, interval, &target.resource, target.server, &mut |progress| {
                bar.show(number, via, progress);
                !interrupted.load(Ordering::Relaxed)
            });
        bar.clear();
        match measured {
            Ok(leg) => comparison.legs.extend(leg),
            Err(error) => failure = Some(format!("{via}: {error}")),
        }
        if failure.is_some() || interrupted.load(Ordering::Relaxed) {
            comparison.is_interrupted = true;
            break;
        }
    }
    let arithmetic = arithmetic.ok_or("no transport was named")?;
    Ok(Compared { comparison, arithmetic, failure })
}

fn tell(asked: &Asked, compared: &Compared) -> ExitCode {
    let Compared { comparison, arithmetic, failure } = compared;
    let curve = |plan: &Plan, via: Via, interval: Option<Duration>| -> Figures {
        arithmetic.predict(plan, via, interval)
    };
    let steadily = |plan: &Plan, via: Via, interval: Option<Duration>| -> Figures {
        arithmetic.steadily(plan, via, interval)
    };
    let predicted = |users: &Users| {
        let events = users.events_per_minute.unwrap_or(asked.plan.events_per_minute);
        predict(comparison, users.count, events, &curve, &steadily)
    };
    let predictions: Vec<Prediction> = asked.predict.iter().map(predicted).collect();
    let text = match asked.form {
        Form::Table if comparison.legs.is_empty() => "Nothing was measured.\n".to_owned(),
        Form::Table => {
            let tables: String =
                predictions.iter().map(|one| format!("\n{}", prediction::table(one))).collect();
            output::table::table(comparison) + &tables
        }
        Form::Json => output::json::json(comparison, &predictions),
        Form::Csv => output::csv::csv(comparison),
    };
    for leg in &comparison.legs {
        let missing = leg.unpublished(&comparison.plan);
        if missing > 0 {
            let (via, published) = (leg.via, leg.published);
            let are = if missing == 1 { "event is" } else { "events are" };
            eprintln!(
                "barewire: {via}: {missing} {are} missing beside the {published} published: each waits for the answer to the one before"
            );
        }
    }
    let mut wrong = Vec::new();
    match io::stdout().write_all(text.as_bytes()) {
        // Who has read enough has closed it.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            wrong.push(format!("standard output: {error}"))
        }
        _ => {}
    }
    if let Some(path) = &asked.report
        && let Err(error) = fs::write(path, output::report::report(comparison, &curve, &predictions))
    {
        wrong.push(format!("{}: {error}", path.display()));
    }
    let faulty = comparison.legs.iter().filter(|leg| leg.lost + leg.doubled > 0);
    let faulty: Vec<_> = faulty.map(|leg| leg.via.to_string()).collect();
    if !faulty.is_empty() {
        wrong.push(format!("events were lost or doubled: {}", faulty.join(", ")));
    }
    wrong.extend(failure.clone());
    for what in &wrong {
        eprintln!("barewire: {what}");
    }
    match (wrong.is_empty(), comparison.is_interrupted) {
        (false, _) => ExitCode::from(REFUSED),
        (true, true) => ExitCode::from(INTERRUPTED),
        (true, false) => ExitCode::SUCCESS,
    }
}
