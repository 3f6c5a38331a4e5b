//! The output of the command: the result in the requested format, the report, and messages.

mod csv;
mod figures;
mod json;
pub mod numbers;
pub mod report;
mod table;

use std::fs;
use std::process::ExitCode;
use std::time::Duration;

use super::args::{Args, Format, Users};
use super::config::CompareConfig;
use super::prediction::{self, Prediction, predict};
use super::results::{Comparison, Figures};
use super::run::Run;
use crate::client::follow::Transport;
use crate::tools::exit_status::{INTERRUPTED, REFUSED};
use crate::tools::io_error::file_error;
use crate::tools::standard_streams;

/// Writes the result to standard output, the report to its file, and messages to standard error.
/// Returns the exit status of the command.
pub fn write(args: &Args, run: &Run) -> ExitCode {
    let Run { comparison, arithmetic, error } = run;
    let trial_formula = |config: &CompareConfig, via: Transport, interval: Option<Duration>| -> Figures {
        arithmetic.trial(config, via, interval)
    };
    let steady_formula = |config: &CompareConfig, via: Transport, interval: Option<Duration>| -> Figures {
        arithmetic.steady_state(config, via, interval)
    };
    let prediction_for = |users: &Users| {
        let events = users.events_per_minute.unwrap_or(args.config.events_per_minute);
        predict(comparison, users.count, events, &trial_formula, &steady_formula)
    };
    let predictions: Vec<Prediction> = args.predict.iter().map(prediction_for).collect();

    warn_of_unpublished_events(comparison);
    let mut errors = Vec::new();
    errors.extend(standard_streams::write(text(args.format, comparison, &predictions).as_bytes()).err());
    if let Some(path) = &args.report
        && let Err(error) = fs::write(path, report::report(comparison, &trial_formula, &predictions))
    {
        errors.push(file_error(path, &error));
    }
    let faulty = comparison.trials.iter().filter(|trial| trial.lost + trial.duplicated > 0);
    let faulty: Vec<_> = faulty.map(|trial| trial.via.to_string()).collect();
    if !faulty.is_empty() {
        errors.push(format!("events were lost or duplicated: {}", faulty.join(", ")));
    }
    errors.extend(error.clone());
    errors.iter().for_each(standard_streams::report);
    match (errors.is_empty(), comparison.is_interrupted) {
        (false, _) => ExitCode::from(REFUSED),
        (true, true) => ExitCode::from(INTERRUPTED),
        (true, false) => ExitCode::SUCCESS,
    }
}

/// Returns the result in the requested format.
fn text(format: Format, comparison: &Comparison, predictions: &[Prediction]) -> String {
    match format {
        Format::Table if comparison.trials.is_empty() => "Nothing was measured.\n".to_owned(),
        Format::Table => {
            let tables: String =
                predictions.iter().map(|one| format!("\n{}", prediction::table(one))).collect();
            table::table(comparison) + &tables
        }
        Format::Json => json::json(comparison, predictions),
        Format::Csv => csv::csv(comparison),
    }
}

fn warn_of_unpublished_events(comparison: &Comparison) {
    for trial in &comparison.trials {
        let missing = trial.unpublished(&comparison.config);
        if missing > 0 {
            let (via, published) = (trial.via, trial.published);
            let due = published + missing;
            standard_streams::report(format_args!(
                "{via}: only {published} of {due} events were published, because each request waits \
                 for the response to the one before; lower --events-per-minute or --clients"
            ));
        }
    }
}
