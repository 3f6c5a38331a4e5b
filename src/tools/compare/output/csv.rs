//! A comparison in CSV (RFC 4180): one line per trial.

use super::figures::{FIGURES, MEASUREMENTS, rounded};
use crate::tools::compare::results::{Comparison, difference};

/// Returns a comparison in CSV with a header line. No value needs quotes. A value that could not be
/// measured is empty, as is the difference from 0.
pub fn csv(comparison: &Comparison) -> String {
    let mut out = String::new();
    let figure_names = FIGURES.iter().flat_map(|figure| {
        let name = figure.name.replace('.', "_");
        [name.clone(), format!("{name}_predicted"), format!("{name}_difference_percent")]
    });
    let names = ["transport", "interval_seconds", "clients"].into_iter().map(str::to_owned);
    let measurement_names = MEASUREMENTS.iter().map(|measurement| measurement.name.to_owned());
    line(names.chain(measurement_names).chain(figure_names), &mut out);
    for trial in &comparison.trials {
        let interval = trial.interval.map(|interval| interval.as_secs_f64());
        let first = [trial.via.to_string(), optional(interval), comparison.config.clients.to_string()];
        let measurements = MEASUREMENTS.iter().map(|measurement| optional((measurement.of)(trial)));
        let figures = FIGURES.iter().flat_map(|figure| {
            let [measured, calculated] = [&trial.measured, &trial.calculated].map(figure.of);
            [Some(measured), Some(calculated), difference(measured, calculated)].map(optional)
        });
        line(first.into_iter().chain(measurements).chain(figures), &mut out);
    }
    out
}

fn optional(value: Option<f64>) -> String {
    value.map(|value| rounded(value).to_string()).unwrap_or_default()
}

fn line(values: impl Iterator<Item = String>, out: &mut String) {
    out.push_str(&values.collect::<Vec<_>>().join(","));
    out.push_str("\r\n");
}
