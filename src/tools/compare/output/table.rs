//! A comparison as a table for a terminal: one column per trial.

use std::fmt::Write;

use super::figures::{FIGURES, Figure, MEASUREMENTS, Unit};
use super::numbers::{self, NOT_KNOWN, count};
use crate::tools::compare::results::{Comparison, Trial, difference};

/// The minimum width of a column, in characters.
const WIDTH: usize = 13;

/// Returns a comparison as a table. Below each measured figure are the calculated one and the
/// difference.
pub fn table(comparison: &Comparison) -> String {
    let config = &comparison.config;
    let mut out = format!(
        "{} client{}, {} events per minute of {} bytes, {} s per transport{}\n\n",
        count(config.clients as f64),
        if config.clients == 1 { "" } else { "s" },
        config.events_per_minute,
        config.size,
        config.duration.as_secs_f64(),
        if comparison.is_interrupted { "; interrupted" } else { "" },
    );
    let trials = &comparison.trials;
    row("", trials.iter().map(|trial| trial.via.to_string()), &mut out);
    if trials.iter().any(|trial| trial.interval.is_some()) {
        let interval =
            |trial: &Trial| trial.interval.map(|interval| format!("every {} s", interval.as_secs_f64()));
        row("", trials.iter().map(|trial| interval(trial).unwrap_or_default()), &mut out);
    }
    out.push('\n');
    for figure in &FIGURES {
        figure_rows(figure, trials, &mut out);
    }
    out.push('\n');
    for measurement in &MEASUREMENTS {
        let text = |trial: &Trial| {
            (measurement.of)(trial).map_or(NOT_KNOWN.to_owned(), |value| measurement.unit.text(value))
        };
        row(measurement.label, trials.iter().map(text), &mut out);
    }
    out.replace('\u{a0}', " ")
}

fn figure_rows(figure: &Figure, trials: &[Trial], out: &mut String) {
    let measured = |trial: &Trial| (figure.of)(&trial.measured);
    let calculated = |trial: &Trial| (figure.of)(&trial.calculated);
    let label = match figure.unit {
        Unit::Percent => format!("{} (%)", figure.label),
        Unit::Milliseconds => format!("{} (ms)", figure.label),
        _ => figure.label.to_owned(),
    };
    row(&label, trials.iter().map(|trial| count(measured(trial))), out);
    if trials.iter().all(|trial| calculated(trial) == 0.0 && measured(trial) == 0.0) {
        return;
    }
    row("  calculated", trials.iter().map(|trial| count(calculated(trial))), out);
    let percent = |trial: &Trial| difference(measured(trial), calculated(trial));
    row("  difference", trials.iter().map(|trial| numbers::difference(percent(trial))), out);
}

fn row(label: &str, cells: impl Iterator<Item = String>, out: &mut String) {
    let start = out.len();
    // Writing to a String cannot fail.
    let _ = write!(out, "{label:<24}");
    for cell in cells {
        let _ = write!(out, " {cell:>WIDTH$}");
    }
    out.truncate(start + out[start..].trim_end().len());
    out.push('\n');
}
