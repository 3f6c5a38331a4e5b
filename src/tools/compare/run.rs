//! A run of the command: all trials of a comparison, each against its own server.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::SIGINT;
use signal_hook::flag;

use super::args::Args;
use super::arithmetic::Arithmetic;
use super::progress::ProgressBar;
use super::results::Comparison;
use super::trial::measure;
use crate::client::follow::Resource;
use crate::tools::args::resource;
use crate::tools::exit_status::INTERRUPTED;
use crate::tools::load::Child;
use crate::tools::load::Process;

/// The results of a run.
pub struct Run {
    pub comparison: Comparison,
    /// The formulas for the clients of the topics in this run.
    pub arithmetic: Arithmetic,
    /// The error that ended the run. The trial that failed is not part of the comparison.
    pub error: Option<String>,
}

/// The topic of one trial.
struct Target {
    resource: Resource,
    server: Option<Process>,
    /// The server that was started for this trial. It runs until this value is dropped.
    _child: Option<Child>,
}

impl Target {
    /// Returns a topic without other clients, on the server that `--url` names or on a new server.
    /// With a new server, the memory of one trial does not affect the next.
    fn new(args: &Args, trial: usize, run: u64) -> Result<Self, String> {
        let child = match &args.url {
            Some(_) => None,
            None => Some(Child::server().map_err(|error| format!("cannot start a server: {error}"))?),
        };
        let child_origin = child.as_ref().map(|child| format!("http://{}", child.address()));
        let origin = args.url.as_deref().or(child_origin.as_deref()).unwrap_or_default();
        let url = format!("{}/topics/compare-{run:08x}-{trial}", origin.trim_end_matches('/'));
        let resource = resource(&url, args.token.as_deref(), &args.fields)?;
        let server = args.server.or(child.as_ref().map(Child::process));
        Ok(Self { resource, server, _child: child })
    }
}

/// Runs all trials, until one fails or a Ctrl-C arrives.
///
/// # Errors
/// A message if the run cannot start, or if a server cannot be started.
pub fn run(args: &Args) -> Result<Run, String> {
    let config = &args.config;
    let is_interrupted = Arc::new(AtomicBool::new(false));
    // The first Ctrl-C ends the measurement; a second one ends the process at once.
    flag::register_conditional_shutdown(SIGINT, INTERRUPTED.into(), Arc::clone(&is_interrupted))
        .and_then(|_| flag::register(SIGINT, Arc::clone(&is_interrupted)))
        .map_err(|error| error.to_string())?;

    let mut bar = ProgressBar::new(config, args.is_quiet);
    let mut comparison = Comparison { config: config.clone(), trials: Vec::new(), is_interrupted: false };
    let (mut arithmetic, mut error) = (None, None);
    let run = RandomState::new().hash_one("run") & 0xffff_ffff;
    for (index, (via, interval)) in config.trials().enumerate() {
        let target = Target::new(args, index, run)?;
        arithmetic.get_or_insert_with(|| Arithmetic::new(&target.resource));
        let measured = measure(config, via, interval, &target.resource, target.server, &mut |progress| {
            bar.show(index, via, progress);
            !is_interrupted.load(Ordering::Relaxed)
        });
        bar.clear();
        match measured {
            Ok(trial) => comparison.trials.extend(trial),
            Err(cause) => error = Some(format!("{via}: {cause}")),
        }
        if error.is_some() || is_interrupted.load(Ordering::Relaxed) {
            comparison.is_interrupted = true;
            break;
        }
    }
    let arithmetic = arithmetic.ok_or("no transport to measure: name at least one with --transports")?;
    Ok(Run { comparison, arithmetic, error })
}
