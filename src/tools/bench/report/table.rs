//! The table.

use std::fmt::Write;

use super::{Figure, Report};
use crate::tools::bench::result::{Run, Spread};

/// As a table.
pub fn table(report: &Report) -> String {
    let mut out = report.heading();
    let _ = write!(out, "\n{:<15}", report.plan.workload.unit());
    for figure in report.columns() {
        let _ = write!(out, "{:>13}", figure.title);
    }
    out.push('\n');
    rows(&mut out, report, "", &report.runs);
    if !report.ceiling.is_empty() {
        rows(&mut out, report, "ceiling ", &report.ceiling);
        let ratio = report.ratio();
        let _ = match ratio {
            Some(Spread { median, min, max }) => writeln!(
                out,
                "\nwork for a second of CPU time, over the ceiling's: {median:.2} ({min:.2} to {max:.2})"
            ),
            None => writeln!(out, "\nwork for a second of CPU time, over the ceiling's: not known"),
        };
    }
    for note in report.notes() {
        let _ = writeln!(out, "\n{note}.");
    }
    out
}

fn rows(out: &mut String, report: &Report, whose: &str, runs: &[Run]) {
    let row = |out: &mut String, label: String, of: &dyn Fn(&Figure) -> Option<f64>| {
        let _ = write!(out, "{label:<15}");
        for figure in report.columns() {
            let sign = if figure.name.ends_with("_percent") { " %" } else { "" };
            let text = of(figure).map_or_else(|| "-".into(), |value| grouped(value, figure.digits) + sign);
            let _ = write!(out, "{text:>13}");
        }
        out.push('\n');
    };
    for (at, run) in runs.iter().enumerate() {
        row(out, format!("{whose}run {}", at + 1), &|figure| (figure.of)(run));
    }
    let spread = |figure: &Figure| Spread::of(runs.iter().map(figure.of));
    row(out, format!("{whose}median"), &|figure| Some(spread(figure)?.median));
    row(out, format!("{whose}min"), &|figure| Some(spread(figure)?.min));
    row(out, format!("{whose}max"), &|figure| Some(spread(figure)?.max));
}

/// With commas between thousands.
fn grouped(value: f64, digits: usize) -> String {
    let text = format!("{:.digits$}", value.abs());
    let (whole, part) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut out = if value < 0.0 { "-".to_owned() } else { String::new() };
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out + part
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn figures_have_commas_between_thousands() {
        for (value, digits, text) in [
            (0.0, 0, "0"),
            (999.4, 0, "999"),
            (1000.0, 0, "1,000"),
            (1_234_567.89, 1, "1,234,567.9"),
            (-1234.5, 1, "-1,234.5"),
        ] {
            assert_eq!(grouped(value, digits), text);
        }
    }
}
