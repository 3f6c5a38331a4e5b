//! A comparison in CSV (RFC 4180): a line for each leg.

use super::figures::{COUNTS, FIGURES, rounded};
use crate::tools::compare::{Comparison, difference};

/// A comparison in CSV, with a header line. Nothing in it needs quotes; what could not be measured, and the difference from nothing, is
/// empty.
pub fn csv(comparison: &Comparison) -> String {
    let mut out = String::new();
    let figure_names = FIGURES.iter().flat_map(|figure| {
        let name = figure.name.replace('.', "_");
        [name.clone(), format!("{name}_predicted"), format!("{name}_difference_percent")]
    });
    let names = ["transport", "interval_seconds", "clients"].into_iter().map(str::to_owned);
    line(names.chain(COUNTS.iter().map(|count| count.name.to_owned())).chain(figure_names), &mut out);
    for leg in &comparison.legs {
        let interval = leg.interval.map(|interval| interval.as_secs_f64());
        let first = [leg.via.to_string(), optional(interval), comparison.plan.clients.to_string()];
        let counts = COUNTS.iter().map(|count| optional((count.of)(leg)));
        let figures = FIGURES.iter().flat_map(|figure| {
            let [measured, predicted] = [&leg.measured, &leg.predicted].map(figure.of);
            [Some(measured), Some(predicted), difference(measured, predicted)].map(optional)
        });
        line(first.into_iter().chain(counts).chain(figures), &mut out);
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
