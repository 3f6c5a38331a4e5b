//! A comparison as a table for a terminal: a column for each leg.

use std::fmt::Write;

use super::figures::{COUNTS, FIGURES};
use super::numbers::{self, NOT_KNOWN, count};
use crate::tools::compare::{Comparison, Leg, difference};

/// The narrowest column.
const WIDTH: usize = 13;

/// A comparison as a table: beside each figure what arithmetic says, and how far it is from that.
pub fn table(comparison: &Comparison) -> String {
    let plan = &comparison.plan;
    let mut out = format!(
        "{} client{}, {} events a minute of {} bytes, {} s for each transport{}\n\n",
        count(plan.clients as f64),
        if plan.clients == 1 { "" } else { "s" },
        plan.events_per_minute,
        plan.size,
        plan.duration.as_secs_f64(),
        if comparison.is_interrupted { "; interrupted" } else { "" },
    );
    let legs = &comparison.legs;
    row("", legs.iter().map(|leg| leg.via.to_string()), &mut out);
    if legs.iter().any(|leg| leg.interval.is_some()) {
        let interval = |leg: &Leg| leg.interval.map(|interval| format!("each {} s", interval.as_secs_f64()));
        row("", legs.iter().map(|leg| interval(leg).unwrap_or_default()), &mut out);
    }
    out.push('\n');
    for figure in &FIGURES {
        let measured = |leg: &Leg| (figure.of)(&leg.measured);
        let predicted = |leg: &Leg| (figure.of)(&leg.predicted);
        row(figure.label, legs.iter().map(|leg| count(measured(leg))), &mut out);
        if legs.iter().all(|leg| predicted(leg) == 0.0 && measured(leg) == 0.0) {
            continue;
        }
        row("  by arithmetic", legs.iter().map(|leg| count(predicted(leg))), &mut out);
        let apart = |leg: &Leg| difference(measured(leg), predicted(leg));
        row("  difference", legs.iter().map(|leg| numbers::difference(apart(leg))), &mut out);
    }
    out.push('\n');
    for measured in &COUNTS {
        let value = |leg: &Leg| (measured.of)(leg).map_or(NOT_KNOWN.to_owned(), measured.text);
        row(measured.label, legs.iter().map(value), &mut out);
    }
    out.replace('\u{a0}', " ")
}

fn row(label: &str, cells: impl Iterator<Item = String>, out: &mut String) {
    let start = out.len();
    // Writing to a String can't fail.
    let _ = write!(out, "{label:<24}");
    for cell in cells {
        let _ = write!(out, " {cell:>WIDTH$}");
    }
    out.truncate(start + out[start..].trim_end().len());
    out.push('\n');
}
