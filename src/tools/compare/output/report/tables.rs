//! The tables, with one column per trial.

use std::time::Duration;

use super::plots::{self, Mark, USERS};
use super::words::{Ratio, TOLERANCE, cpu_share, name, pairs, trial_name};
use crate::client::follow::Transport;
use crate::tools::compare::arithmetic::Formula;
use crate::tools::compare::config::CompareConfig;
use crate::tools::compare::output::figures::{FIGURES, Figure, MEASUREMENTS, Unit};
use crate::tools::compare::output::numbers::{self, NOT_KNOWN, bytes, count, delay, difference, duration};
use crate::tools::compare::prediction::{Prediction, memory_per_client};
use crate::tools::compare::results::{self, Comparison, Trial};
use crate::tools::html_report::markup::{Table, element, escaped};

/// Returns the column headings: the first one, and the mark, name and interval of each trial.
fn columns<'a>(
    first: &str,
    trials: impl Iterator<Item = (Transport, Option<Duration>)> + 'a,
) -> impl Iterator<Item = String> {
    let trials = trials.map(|(via, interval)| {
        let interval = interval.map(|interval| format!("<small>every {}</small>", duration(interval)));
        format!("{}{}{}", Mark::of(via).icon(), name(via), interval.unwrap_or_default())
    });
    std::iter::once(escaped(first)).chain(trials)
}

fn trials_of(comparison: &Comparison) -> impl Iterator<Item = (Transport, Option<Duration>)> {
    comparison.trials.iter().map(|trial| (trial.via, trial.interval))
}

/// The caption of the table of all figures.
pub const CAPTION: &str =
    "Measured figures, with the calculated figure and the difference from that below in small type";

/// Returns the table of all figures, measured and calculated.
pub fn figures(comparison: &Comparison) -> String {
    let mut table = Table::new(CAPTION, columns("all clients together", trials_of(comparison)));
    // The share of empty polls belongs to the counts.
    let kind = |figure: &Figure| match figure.unit {
        Unit::Percent => Unit::Count,
        unit => unit,
    };
    for group in FIGURES.chunk_by(|one, next| kind(one) == kind(next)) {
        table.group();
        for figure in group.iter().filter(|figure| !figure.is_sum()) {
            let cells = comparison.trials.iter().map(|trial| figure_cell(figure, trial));
            table.row(&escaped(figure.label), cells);
        }
    }
    table.end()
}

fn figure_cell(figure: &Figure, trial: &Trial) -> String {
    if figure.unit == Unit::Milliseconds && trial.arrived == 0 {
        return NOT_KNOWN.to_owned();
    }
    let (measured, calculated) = ((figure.of)(&trial.measured), (figure.of)(&trial.calculated));
    // A difference in percent of a percentage would be confusing.
    let percent = results::difference(measured, calculated).filter(|_| figure.unit != Unit::Percent);
    let percent = percent.map(|percent| format!(" <i>{}</i>", difference(Some(percent)))).unwrap_or_default();
    format!(
        "<b>{}</b><small><span class=\"unseen\">calculated </span>{}{percent}</small>",
        figure.unit.text(measured),
        figure.unit.text(calculated)
    )
}

/// Returns the table of the ratios between each two intervals; `None` if there is only one
/// interval.
pub fn interval_pairs(comparison: &Comparison) -> Option<String> {
    let pairs = pairs(comparison);
    if pairs.is_empty() {
        return None;
    }
    let names =
        ["from, to", "requests", "calculated", "difference", "delay, p50", "calculated", "difference"];
    let columns = names.map(escaped).into_iter().chain([format!("within {}", numbers::percent(TOLERANCE))]);
    let mut table = Table::new("Figures of the longer interval divided by those of the shorter", columns);
    for pair in pairs {
        let [shorter, longer] =
            [pair.shorter, pair.longer].map(|trial| trial.interval.map(duration).unwrap_or_default());
        let verdict = match pair.is_within() {
            Some(true) => "yes",
            Some(false) => "<b class=\"wrong\">no</b>",
            None => NOT_KNOWN,
        };
        let ratios = [Some(pair.requests), pair.delay].into_iter().flat_map(ratio_cells);
        table.row(&format!("{shorter}\u{a0}→\u{a0}{longer}"), ratios.chain([verdict.to_owned()]));
    }
    Some(table.end())
}

fn ratio_cells(ratio: Option<Ratio>) -> [String; 3] {
    [
        format!("<b>{}</b>", numbers::ratio(ratio.and_then(|ratio| ratio.measured))),
        numbers::ratio(ratio.and_then(|ratio| ratio.calculated)),
        difference(ratio.and_then(Ratio::difference)),
    ]
}

/// Returns the table of the figures that are only measured, and of the memory per client.
pub fn measurements(comparison: &Comparison) -> String {
    let mut table = Table::new("Events and cost of each trial", columns("each trial", trials_of(comparison)));
    for (index, measurement) in MEASUREMENTS.iter().enumerate() {
        if index > 0 && measurement.unit != Unit::Count && MEASUREMENTS[index - 1].unit == Unit::Count {
            table.group();
        }
        let cells = comparison.trials.iter().map(|trial| match (measurement.of)(trial) {
            None => NOT_KNOWN.to_owned(),
            Some(value) if measurement.unit == Unit::CpuSeconds => format!(
                "{}<small>{}\u{a0}% of a core</small>",
                measurement.unit.text(value),
                count(cpu_share(value, trial))
            ),
            Some(value) => measurement.unit.text(value),
        });
        table.row(&escaped(measurement.label), cells);
    }
    let clients = comparison.config.clients;
    let per_client = comparison.trials.iter().map(|trial| match memory_per_client(trial, clients) {
        Some(per_client) => bytes(per_client),
        None if trial.server.is_some() => "too little to measure".to_owned(),
        None => NOT_KNOWN.to_owned(),
    });
    table.row("server memory per client", per_client);
    table.end()
}

/// Returns the tables of a prediction: its figures and its constants.
pub fn prediction(prediction: &Prediction) -> String {
    let users = count(prediction.users as f64);
    let trials = prediction.trials.iter().map(|trial| (trial.via, trial.interval));
    let caption = format!("Calculated, not measured: {users} users");
    let mut table = Table::new(&caption, columns("calculated", trials));
    let rows: Vec<_> = prediction.trials.iter().map(|trial| trial.rows()).collect();
    if let Some(first) = rows.first() {
        for (index, (label, _)) in first.iter().enumerate() {
            table.row(&escaped(label), rows.iter().map(|rows| escaped(&rows[index].1)));
        }
    }
    let note = prediction.memory_note().map(|note| element("p", &note)).unwrap_or_default();
    format!(
        "{}{note}<details class=\"constants\">\n<summary>The constants and their origins</summary>\n{}</details>\n",
        table.end(),
        constants(prediction, &users)
    )
}

fn constants(prediction: &Prediction, users: &str) -> String {
    let caption = format!("The constants for {users} users and their origins");
    let names = ["transport", "constant", "value", "origin"];
    let mut table = Table::new(&caption, names.map(escaped));
    for trial in &prediction.trials {
        table.group();
        let interval = trial.interval.map(|interval| format!(" every {}", duration(interval)));
        let row_name = format!("{}{}", name(trial.via), interval.unwrap_or_default());
        for (label, value, origin) in trial.constants.rows() {
            let origin = format!("<span class=\"text\">{}</span>", escaped(origin));
            table.row(&row_name, [escaped(label), escaped(&value), origin]);
        }
    }
    table.end()
}

/// Returns the table of the plot of cost and delay.
pub fn cost(comparison: &Comparison) -> String {
    let names = ["transport", "requests per minute", "delay, p50"];
    let mut table = Table::new("Cost and delay, measured", names.map(escaped));
    for trial in &comparison.trials {
        let median = if trial.arrived > 0 { delay(trial.measured.delay.p50) } else { NOT_KNOWN.to_owned() };
        table.row(&trial_name(trial), [count(trial.measured.requests_per_minute), median]);
    }
    table.end()
}

/// Returns the table of the plot of bytes per event and client.
pub fn bytes_per_event(comparison: &Comparison) -> String {
    let names = ["transport", "headers up", "headers down", "payload", "total"];
    let mut table = Table::new("Bytes per event and client, measured", names.map(escaped));
    for trial in &comparison.trials {
        let cells = match plots::parts(trial, comparison.config.clients) {
            Some([up, down, payload]) => [up, down, payload, up + down + payload].map(bytes),
            None => [NOT_KNOWN; 4].map(str::to_owned),
        };
        table.row(&trial_name(trial), cells);
    }
    table.end()
}

/// Returns the table of the plot of requests by number of users.
pub fn users(comparison: &Comparison, formula: &Formula<'_>) -> String {
    let columns = columns("users", trials_of(comparison));
    let mut table = Table::new("Requests per minute by number of users, calculated", columns);
    for users in USERS {
        let config = CompareConfig { clients: users, ..comparison.config.clone() };
        let cells = comparison
            .trials
            .iter()
            .map(|trial| count(formula(&config, trial.via, trial.interval).requests_per_minute));
        table.row(&count(users as f64), cells);
    }
    table.end()
}
