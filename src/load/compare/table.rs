//! A comparison as a table for a terminal: a column for each leg.

use std::fmt::Write;

use super::figures::{COUNTS, FIGURES};
use super::{Comparison, Leg, difference};

/// The narrowest column.
const WIDTH: usize = 13;

/// A comparison as a table: beside each figure what arithmetic says, and how far it is from that.
pub fn table(comparison: &Comparison) -> String {
    let plan = &comparison.plan;
    let mut out = format!(
        "{} clients, {} events a minute of {} bytes, {} s for each transport{}\n\n",
        grouped(plan.clients as f64, 0),
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
        row(figure.label, legs.iter().map(|leg| plain(measured(leg))), &mut out);
        if legs.iter().all(|leg| predicted(leg) == 0.0 && measured(leg) == 0.0) {
            continue;
        }
        row("  by arithmetic", legs.iter().map(|leg| plain(predicted(leg))), &mut out);
        let apart = |leg: &Leg| difference(measured(leg), predicted(leg));
        let percent = |leg: &Leg| apart(leg).map_or("-".into(), |percent| format!("{percent:+.1} %"));
        row("  difference", legs.iter().map(percent), &mut out);
    }
    out.push('\n');
    for count in &COUNTS {
        let value = |leg: &Leg| (count.of)(leg).map_or("not known".into(), plain);
        row(count.label, legs.iter().map(value), &mut out);
    }
    out
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

/// A number with as many places as say something.
fn plain(value: f64) -> String {
    let places = if value == value.trunc() || value >= 10_000.0 {
        0
    } else if value >= 100.0 {
        1
    } else {
        3
    };
    grouped(value, places)
}

/// A number with a comma between its thousands.
fn grouped(value: f64, places: usize) -> String {
    let text = format!("{value:.places$}");
    let (whole, fraction) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut out = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out + fraction
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn numbers_have_commas_and_as_many_places_as_say_something() {
        for (value, text) in [
            (0.0, "0"),
            (0.4567, "0.457"),
            (99.5, "99.500"),
            (100.0, "100"),
            (1234.56, "1,234.6"),
            (1_234_567.8, "1,234,568"),
        ] {
            assert_eq!(plain(value), text);
        }
    }
}
