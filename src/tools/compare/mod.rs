//! `barewire compare`: measures the four transports under the same stream of events, next to the
//! calculated figures.
//!
//! A comparison is a sequence of *trials*: one for each transport, and one for each interval of
//! short polling. In each trial the same number of clients follows its own topic, and the same
//! events are published to that topic at the same times after the start.
//!
//! ```text
//!               ┌─▶ clients and publisher (real sockets) ─▶ Figures, measured ───┐
//! CompareConfig ┤                                                                ├─▶ Trial
//!               └─▶ arithmetic (configuration alone) ─────▶ Figures, calculated ─┘     │
//!                                                                                      ▼
//!                                  table, JSON, CSV, report ◀── predictions ◀── Comparison
//! ```
//!
//! Read in this order:
//!
//! 1. `args`, `config` and `results` — the input and the result.
//! 2. `arithmetic` — the calculated cost of each transport.
//! 3. `run` — all trials, each with its own server; `progress` — the progress bar.
//! 4. `trial` — one trial, from the first connection to the last event; `event_loop` — its sockets;
//!    `clients` and `publisher` — what they send and receive.
//! 5. `tracker` — which events have reached a client.
//! 6. `prediction` — the cost for a number of users that no single machine can hold.
//! 7. `output` — the table, JSON, CSV and the report.

mod args;
mod arithmetic;
mod clients;
mod config;
mod error;
mod event_loop;
mod output;
mod prediction;
mod progress;
mod publisher;
mod results;
mod run;
mod tracker;
mod trial;

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::process::ExitCode;

use super::exit_status::{REFUSED, USAGE_ERROR};
use super::io_error::file_error;
use super::open_files::raise_limit;
use super::standard_streams::fail;
use args::HELP;

/// Runs the command: measures, and writes the result.
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let args = match args::parse(arguments) {
        Ok(Some(args)) => args,
        Ok(None) => return super::print(HELP),
        Err(error) => return super::usage_error("barewire compare", &error),
    };
    if let Err(error) = raise_limit("--clients", args.config.clients) {
        return fail(USAGE_ERROR, error);
    }
    // Opening the file now reports a mistyped path before the measurement, which takes a minute or
    // more. The file's content stays until the new report is complete.
    if let Some(path) = &args.report
        && let Err(error) = OpenOptions::new().append(true).create(true).open(path)
    {
        return fail(REFUSED, file_error(path, &error));
    }
    match run::run(&args) {
        Err(error) => fail(REFUSED, error),
        Ok(run) => match &run.error {
            Some(error) if run.comparison.trials.is_empty() => fail(REFUSED, error),
            _ => output::write(&args, &run),
        },
    }
}
