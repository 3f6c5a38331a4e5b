//! A prediction as a table of text.

use super::{Constant, Constants, PredictedTrial, Prediction};
use crate::client::follow::Transport;
use crate::tools::compare::output::numbers::{NOT_KNOWN, bytes, count, delay, duration};

impl PredictedTrial {
    /// Returns the label and the text of each figure.
    pub fn rows(&self) -> [(&'static str, String); 10] {
        let or_not_known =
            |value: Option<f64>, text: fn(f64) -> String| value.map_or(NOT_KNOWN.to_owned(), text);
        let fan_out = match self.via {
            Transport::ShortPoll => "–".to_owned(),
            Transport::LongPoll | Transport::EventStream | Transport::WebSocket => {
                or_not_known(self.fan_out_ms, delay)
            }
        };
        [
            ("requests per minute", count(self.requests_per_minute)),
            ("empty responses per minute", count(self.empty_per_minute)),
            ("connections", count(self.connections)),
            ("bytes up per minute", bytes(self.bytes_up_per_minute)),
            ("bytes down per minute", bytes(self.bytes_down_per_minute)),
            ("transport's own delay, median", delay(self.delay_ms_p50)),
            ("one event to all, on one core", fan_out),
            ("server CPU, cores", or_not_known(self.cores, count)),
            ("barewire processes", or_not_known(self.processes(), count)),
            ("server memory", or_not_known(self.memory, bytes)),
        ]
    }

    /// Returns the transport with its interval: `short-poll 3 s`.
    fn name(&self) -> String {
        let via = self.via;
        self.interval.map_or(via.to_string(), |interval| format!("{via} {}", duration(interval)))
    }
}

impl Constants {
    /// Returns the label, the text and the origin of each known constant.
    pub fn rows(&self) -> Vec<(&'static str, String, &str)> {
        let microseconds = |value: f64| format!("{}\u{a0}µs", count(value * 1e6));
        let factor = |value: f64| format!("×{value:.3}");
        type Row<'a> = (&'static str, Option<&'a Constant>, fn(f64) -> String);
        let rows: [Row; 5] = [
            ("CPU time per request or delivery", self.cpu_seconds.as_ref(), microseconds),
            ("memory per client", self.memory_per_client.as_ref(), bytes),
            ("memory without clients", self.memory_before.as_ref(), bytes),
            ("bytes up, measured ÷ calculated", Some(&self.up), factor),
            ("bytes down, measured ÷ calculated", Some(&self.down), factor),
        ];
        rows.into_iter()
            .filter_map(|(label, constant, text)| {
                constant.map(|constant| (label, text(constant.value), constant.origin.as_str()))
            })
            .collect()
    }
}

/// Returns the prediction as a table of text, followed by its constants and their origins.
pub fn table(prediction: &Prediction) -> String {
    let mut out = format!(
        "Calculated, not measured: {} users, {} events per minute of {}\n\n",
        count(prediction.users as f64),
        count(prediction.events_per_minute),
        bytes(prediction.size as f64)
    );
    write_figures(prediction, &mut out);
    if prediction.trials.iter().any(|trial| trial.cores.is_some_and(|cores| cores > 1.0)) {
        out.push_str("\nMore than one core means more than one barewire process: each has one thread.\n");
    }
    if let Some(note) = prediction.memory_note() {
        out.push_str(&format!("\n{note}\n"));
    }
    out.push_str("\nConstants\n");
    for trial in &prediction.trials {
        out.push_str(&format!("  {}\n", trial.name()));
        for (label, value, origin) in trial.constants.rows() {
            out.push_str(&format!("    {label}: {value} ({origin})\n"));
        }
    }
    out.replace('\u{a0}', " ")
}

fn write_figures(prediction: &Prediction, out: &mut String) {
    let names: Vec<_> = prediction.trials.iter().map(PredictedTrial::name).collect();
    let columns: Vec<_> = prediction.trials.iter().map(PredictedTrial::rows).collect();
    let width = |(name, rows): (&String, &[(_, String); 10])| {
        let cells = rows.iter().map(|(_, text)| text.chars().count());
        cells.chain([name.chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<_> = names.iter().zip(&columns).map(width).collect();
    let mut line = |label: &str, cells: Vec<&str>| {
        let mut text = format!("{label:<29}");
        for (cell, width) in cells.into_iter().zip(&widths) {
            text.push_str(&format!("  {cell:>width$}"));
        }
        out.push_str(text.trim_end());
        out.push('\n');
    };
    line("", names.iter().map(String::as_str).collect());
    if let Some(rows) = columns.first() {
        for (index, (label, _)) in rows.iter().enumerate() {
            line(label, columns.iter().map(|rows| rows[index].1.as_str()).collect());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::compare::output::report::fixture::formula;
    use crate::tools::compare::prediction::{predict, tests::comparison};

    #[test]
    fn the_table_says_that_it_is_calculated_and_lists_its_constants() {
        let text = table(&predict(&comparison(), 1_000_000, 6.0, &formula, &formula));
        assert!(
            text.starts_with("Calculated, not measured: 1,000,000 users, 6 events per minute of 200 B\n"),
            "{text}"
        );
        let row = text.lines().find(|line| line.starts_with("requests per minute")).expect("a row");
        let cells: Vec<_> = row.split_whitespace().skip(3).collect();
        assert_eq!(cells, ["60,000,000", "20,000,000", "10,000,000", "6,000,000", "0", "0"]);
        assert!(text.contains("CPU time per request or delivery: 16 µs (measured in this run: "), "{text}");
        assert!(text.contains("more than one barewire process"), "{text}");
        let widths = text.lines().take_while(|line| *line != "Constants").map(|line| line.chars().count());
        assert!(widths.max() <= Some(120), "{text}");
    }
}
