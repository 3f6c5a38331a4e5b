//! The report as a table.

use std::fmt::Write;

use super::{Figure, Report};
use crate::tools::bench::config::{BurstAs, Workload};
use crate::tools::bench::result::{Run, Spread};

/// Formats a report as a table with a heading and notes.
pub fn table(report: &Report) -> String {
    let mut out = heading(report);
    let _ = write!(out, "\n{:<15}", report.config.workload.unit());
    for figure in report.columns() {
        let _ = write!(out, "{:>13}", figure.title);
    }
    out.push('\n');
    write_rows(&mut out, report, "", &report.runs);
    if !report.ceiling.is_empty() {
        write_rows(&mut out, report, "ceiling ", &report.ceiling);
        let ratio = match report.ratio() {
            Some(Spread { median, min, max }) => format!("{median:.2} ({min:.2} to {max:.2})"),
            None => "unknown".into(),
        };
        let _ = writeln!(out, "\nwork per second of CPU time, relative to the ceiling: {ratio}");
    }
    for note in report.notes() {
        let _ = writeln!(out, "\n{note}.");
    }
    out
}

/// Returns one line that describes the workload, the target and the runs.
fn heading(report: &Report) -> String {
    let config = &report.config;
    let via = match config.workload {
        Workload::FanOut | Workload::Idle | Workload::Connect => format!(" over {}", config.via),
        Workload::Echo | Workload::Requests => String::new(),
    };
    let load = match config.workload {
        Workload::Echo => {
            format!(
                "{} connections, {} in flight, {} bytes",
                config.connections, config.in_flight, config.size
            )
        }
        Workload::FanOut => {
            let way = match (config.burst, config.burst_as) {
                (1, _) | (_, BurstAs::Pipelined) => String::new(),
                (_, way) => format!(" ({})", way.name()),
            };
            format!(
                "{} followers, {} bytes, bursts of {}{way}",
                config.connections, config.size, config.burst
            )
        }
        Workload::Idle | Workload::Requests => format!("{} connections", config.connections),
        Workload::Connect => format!("{} in progress", config.in_flight),
    };
    let rate = config.rate.map_or_else(String::new, |rate| format!(", {rate} per second"));
    format!(
        "{}{via}, {}: {load}{rate}; {} runs of {} s after {} s of warm-up\n",
        config.workload.name(),
        report.target,
        report.runs_requested,
        config.duration.as_secs_f64(),
        config.warm_up.as_secs_f64()
    )
}

/// Writes a row per run, and rows for the median, the minimum and the maximum.
fn write_rows(out: &mut String, report: &Report, prefix: &str, runs: &[Run]) {
    let row = |out: &mut String, label: String, of: &dyn Fn(&Figure) -> Option<f64>| {
        let _ = write!(out, "{label:<15}");
        for figure in report.columns() {
            let sign = if figure.name.ends_with("_percent") { " %" } else { "" };
            let text =
                of(figure).map_or_else(|| "-".into(), |value| with_commas(value, figure.digits) + sign);
            let _ = write!(out, "{text:>13}");
        }
        out.push('\n');
    };
    for (at, run) in runs.iter().enumerate() {
        row(out, format!("{prefix}run {}", at + 1), &|figure| (figure.of)(run));
    }
    let spread = |figure: &Figure| Spread::of(runs.iter().map(figure.of));
    row(out, format!("{prefix}median"), &|figure| Some(spread(figure)?.median));
    row(out, format!("{prefix}min"), &|figure| Some(spread(figure)?.min));
    row(out, format!("{prefix}max"), &|figure| Some(spread(figure)?.max));
}

/// Formats a number with commas between the thousands.
fn with_commas(value: f64, digits: usize) -> String {
    let text = format!("{:.digits$}", value.abs());
    let (integer, fraction) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut out = if value < 0.0 { "-".to_owned() } else { String::new() };
    for (at, digit) in integer.chars().enumerate() {
        if at > 0 && (integer.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out + fraction
}

#[cfg(test)]
mod tests {
    use super::with_commas;

    #[test]
    fn writes_commas_between_thousands() {
        for (value, digits, text) in [
            (0.0, 0, "0"),
            (999.4, 0, "999"),
            (1000.0, 0, "1,000"),
            (1_234_567.89, 1, "1,234,567.9"),
            (-1234.5, 1, "-1,234.5"),
        ] {
            assert_eq!(with_commas(value, digits), text);
        }
    }
}
