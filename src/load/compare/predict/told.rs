//! A prediction as text and as JSON.

use std::time::Duration;

use super::super::numbers::{NOT_KNOWN, bytes, count, delay, duration};
use super::{Constant, Constants, PredictedLeg, Prediction};
use crate::client::follow::Via;
use crate::protocol::json::write_string;

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

/// Appends the prediction as one JSON object, without line ends in it. What is not known is `null`.
///
/// `docs/prediction.md` has its names: `is_calculated` (always `true`), `users`, `events_per_minute`, `size`, and `transports`, a list of objects with
/// `transport`, `interval_seconds` (`null` but for short polling), `requests_per_minute`, `empty_per_minute`, `connections`,
/// `bytes_up_per_minute`, `bytes_down_per_minute`, `delay_ms` with `p50`, `fan_out_ms`, `server_cores`, `server_processes`,
/// `server_memory_bytes`, and `constants`: `cpu_seconds`, `memory_per_client`, `memory_before`, `bytes_up_factor` and `bytes_down_factor`,
/// each `null` or an object with `value` and `origin`.
pub fn write_json(prediction: &Prediction, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"is_calculated\":true");
    number("users", Some(prediction.users as f64), out);
    number("events_per_minute", Some(prediction.events_per_minute), out);
    number("size", Some(prediction.size as f64), out);
    key("transports", out);
    out.push(b'[');
    for (at, leg) in prediction.legs.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        out.extend_from_slice(b"{\"transport\":");
        write_string(leg.via.name(), out);
        number("interval_seconds", leg.interval.map(|interval| interval.as_secs_f64()), out);
        number("requests_per_minute", Some(leg.requests_per_minute), out);
        number("empty_per_minute", Some(leg.empty_per_minute), out);
        number("connections", Some(leg.connections), out);
        number("bytes_up_per_minute", Some(leg.bytes_up_per_minute), out);
        number("bytes_down_per_minute", Some(leg.bytes_down_per_minute), out);
        key("delay_ms", out);
        out.extend_from_slice(b"{\"p50\":");
        plain_number(Some(leg.delay_ms_p50), out);
        out.push(b'}');
        number("fan_out_ms", leg.fan_out_ms, out);
        number("server_cores", leg.cores, out);
        number("server_processes", leg.processes(), out);
        number("server_memory_bytes", leg.memory, out);
        key("constants", out);
        out.push(b'{');
        let constants = &leg.constants;
        for (at, (name, constant)) in [
            ("cpu_seconds", constants.cpu_seconds.as_ref()),
            ("memory_per_client", constants.memory_per_client.as_ref()),
            ("memory_before", constants.memory_before.as_ref()),
            ("bytes_up_factor", Some(&constants.up)),
            ("bytes_down_factor", Some(&constants.down)),
        ]
        .into_iter()
        .enumerate()
        {
            if at > 0 {
                out.push(b',');
            }
            write_string(name, out);
            out.push(b':');
            match constant {
                Some(constant) => {
                    out.extend_from_slice(b"{\"value\":");
                    plain_number(Some(constant.value), out);
                    key("origin", out);
                    write_string(&constant.origin.replace('\u{a0}', " "), out);
                    out.push(b'}');
                }
                None => out.extend_from_slice(b"null"),
            }
        }
        out.extend_from_slice(b"}}");
    }
    out.extend_from_slice(b"]}");
}

/// A member's name, with the comma before it.
fn key(name: &str, out: &mut Vec<u8>) {
    out.push(b',');
    write_string(name, out);
    out.push(b':');
}

fn number(name: &str, value: Option<f64>, out: &mut Vec<u8>) {
    key(name, out);
    plain_number(value, out);
}

/// JSON has no infinity, and no number that is none (RFC 8259 §6).
fn plain_number(value: Option<f64>, out: &mut Vec<u8>) {
    match value.filter(|value| value.is_finite()) {
        Some(value) => out.extend_from_slice(value.to_string().as_bytes()),
        None => out.extend_from_slice(b"null"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::report::fixture::curve;
    use super::super::predict;
    use super::super::tests::comparison;
    use super::*;

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

    #[test]
    fn json_has_a_number_or_null_for_each_name() {
        let mut comparison = comparison();
        comparison.legs[0].server = None;
        let mut prediction = predict(&comparison, 1_000_000, 6.0, &curve, &curve);
        prediction.legs[1].delay_ms_p50 = f64::INFINITY;
        let mut out = Vec::new();
        write_json(&prediction, &mut out);
        let value: serde_json::Value = serde_json::from_slice(&out).expect("JSON");
        assert_eq!(value["is_calculated"], true);
        assert_eq!(value["users"], 1_000_000.0);
        let legs = value["transports"].as_array().expect("a list");
        assert_eq!(legs.len(), 6);
        assert_eq!(legs[0]["transport"], "short-poll");
        assert_eq!(legs[0]["interval_seconds"], 1.0);
        assert_eq!(legs[0]["requests_per_minute"], 60_000_000.0);
        assert!(legs[0]["server_cores"].is_null() && legs[0]["constants"]["cpu_seconds"].is_null());
        assert!(legs[1]["delay_ms"]["p50"].is_null());
        assert!(legs[4]["interval_seconds"].is_null());
        assert!(legs[4]["server_cores"].as_f64().expect("a number") > 0.0);
        let cpu = &legs[4]["constants"]["cpu_seconds"];
        assert!(cpu["value"].as_f64().expect("a number") > 0.0);
        assert!(cpu["origin"].as_str().expect("a text").starts_with("measured in this run"));
    }

    /// All names of members in a value.
    fn names(value: &serde_json::Value, found: &mut Vec<String>) {
        match value {
            serde_json::Value::Object(members) => {
                for (name, value) in members {
                    found.push(name.clone());
                    names(value, found);
                }
            }
            serde_json::Value::Array(items) => items.iter().for_each(|item| names(item, found)),
            _ => {}
        }
    }

    #[test]
    fn each_name_of_the_json_is_documented_and_each_documented_name_is_there() {
        let mut out = Vec::new();
        write_json(&predict(&comparison(), 1_000_000, 6.0, &curve, &curve), &mut out);
        let mut written = Vec::new();
        names(&serde_json::from_slice(&out).expect("JSON"), &mut written);
        // Of the constants and of the delay; these stand in a row's text.
        written.retain(|name| !["value", "origin", "p50"].contains(&name.as_str()));
        written.sort_unstable();
        written.dedup();
        let page = include_str!("../../../../docs/prediction.md");
        let mut documented: Vec<_> = page
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.split_once("` |"))
            .map(|(name, _)| name.to_owned())
            .collect();
        documented.sort_unstable();
        assert_eq!(written, documented);
    }
}
