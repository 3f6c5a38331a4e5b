//! A prediction as text.

use std::time::Duration;

use super::{Constant, Constants, PredictedLeg, Prediction};
use crate::client::follow::Via;
use crate::tools::compare::output::numbers::{NOT_KNOWN, bytes, count, delay, duration};

impl PredictedLeg {
    /// The figures, each with its name, as text.
    pub fn rows(&self) -> [(&'static str, String); 10] {
        let or_not_known =
            |value: Option<f64>, text: fn(f64) -> String| value.map_or(NOT_KNOWN.to_owned(), text);
        [
            ("requests a minute", count(self.requests_per_minute)),
            ("answered with nothing", count(self.empty_per_minute)),
            ("connections", count(self.connections)),
            ("bytes up a minute", bytes(self.bytes_up_per_minute)),
            ("bytes down a minute", bytes(self.bytes_down_per_minute)),
            ("own delay, half within", delay(self.delay_ms_p50)),
            (
                "one event to all, on one core",
                if self.via == Via::ShortPoll {
                    "–".to_owned()
                } else {
                    or_not_known(self.fan_out_ms, delay)
                },
            ),
            ("server CPU, cores", or_not_known(self.cores, count)),
            ("barewire processes", or_not_known(self.processes(), count)),
            ("server memory", or_not_known(self.memory, bytes)),
        ]
    }
}

impl Constants {
    /// The constants, each with its name, as text; those that are not known are left out.
    pub fn rows(&self) -> Vec<(&'static str, String, &str)> {
        let text = |constant: &Constant, form: fn(f64) -> String| form(constant.value);
        let microseconds = |value: f64| format!("{}\u{a0}µs", count(value * 1e6));
        let times = |value: f64| format!("×{value:.3}");
        [
            (
                "CPU time of a request or a delivery",
                self.cpu_seconds.as_ref(),
                microseconds as fn(f64) -> String,
            ),
            ("memory of a client", self.memory_per_client.as_ref(), bytes),
            ("memory without clients", self.memory_before.as_ref(), bytes),
            ("bytes up, over arithmetic", Some(&self.up), times),
            ("bytes down, over arithmetic", Some(&self.down), times),
        ]
        .into_iter()
        .filter_map(|(name, constant, form)| {
            constant.map(|constant| (name, text(constant, form), constant.origin.as_str()))
        })
        .collect()
    }
}

/// A transport with its interval: `short-poll 3 s`.
fn name(via: Via, interval: Option<Duration>) -> String {
    interval.map_or(via.to_string(), |interval| format!("{via} {}", duration(interval)))
}

/// The prediction as a table of text, with the constants and where they are from beneath.
pub fn table(prediction: &Prediction) -> String {
    let mut out = format!(
        "Calculated, not measured: {} users, {} events of {} a minute\n\n",
        count(prediction.users as f64),
        count(prediction.events_per_minute),
        bytes(prediction.size as f64)
    );
    let names: Vec<_> = prediction.legs.iter().map(|leg| name(leg.via, leg.interval)).collect();
    let columns: Vec<_> = prediction.legs.iter().map(PredictedLeg::rows).collect();
    let widths: Vec<_> = names
        .iter()
        .zip(&columns)
        .map(|(name, rows)| {
            rows.iter().map(|(_, text)| text.chars().count()).chain([name.chars().count()]).max().unwrap_or(0)
        })
        .collect();
    let mut line = |first: &str, cells: Vec<&str>| {
        let mut text = format!("{first:<29}");
        for (cell, width) in cells.into_iter().zip(&widths) {
            text.push_str(&format!("  {cell:>width$}"));
        }
        out.push_str(text.trim_end());
        out.push('\n');
    };
    line("", names.iter().map(String::as_str).collect());
    if let Some(rows) = columns.first() {
        for (at, (label, _)) in rows.iter().enumerate() {
            line(label, columns.iter().map(|rows| rows[at].1.as_str()).collect());
        }
    }
    if prediction.legs.iter().any(|leg| leg.cores.is_some_and(|cores| cores > 1.0)) {
        out.push_str(
            "\nWhat fills more than one core is more than one barewire process: each has one thread.\n",
        );
    }
    if let Some(note) = prediction.memory_note() {
        out.push_str(&format!("\n{note}\n"));
    }
    out.push_str("\nCalculated with\n");
    for (leg, name) in prediction.legs.iter().zip(&names) {
        out.push_str(&format!("  {name}\n"));
        for (label, value, origin) in leg.constants.rows() {
            out.push_str(&format!("    {label}: {value} ({origin})\n"));
        }
    }
    out.replace('\u{a0}', " ")
}

#[cfg(test)]
mod tests {
    use super::super::predict;
    use super::super::tests::comparison;
    use super::*;
    use crate::tools::compare::output::report::fixture::curve;

    #[test]
    fn the_table_says_that_it_is_calculated_and_with_what() {
        let text = table(&predict(&comparison(), 1_000_000, 6.0, &curve, &curve));
        assert!(
            text.starts_with("Calculated, not measured: 1,000,000 users, 6 events of 200 B a minute\n"),
            "{text}"
        );
        let row = text.lines().find(|line| line.starts_with("requests a minute")).expect("a row");
        let cells: Vec<_> = row.split_whitespace().skip(3).collect();
        assert_eq!(cells, ["60,000,000", "20,000,000", "10,000,000", "6,000,000", "0", "0"]);
        assert!(
            text.contains("CPU time of a request or a delivery: 16 µs (measured in this run: "),
            "{text}"
        );
        assert!(text.contains("more than one barewire process"), "{text}");
        let widest = text
            .lines()
            .take_while(|line| !line.starts_with("Calculated with"))
            .map(|line| line.chars().count());
        assert!(widest.max() <= Some(120), "{text}");
    }
}
