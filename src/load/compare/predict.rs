//! What a number of users would cost that no machine here holds: arithmetic, with constants that were measured in small.
//!
//! What this leaves out, and so what a prediction is not:
//!
//! - The kernel: its memory for sockets, its time for the network beyond loopback. Only the server's own CPU time is counted, which holds
//!   the system calls, and its memory in user space.
//! - What an idle client costs in CPU time (heartbeats, deadlines) is not known apart: it is in the time of requests and deliveries.
//!   Where little was sent, that makes them look dearer than they are.
//! - That an event in a poll's answer costs less than the poll: both count the same, so the constant is that of the mix in the leg.
//! - That a loop which has much to do does more in one turn: a constant of few clients is too high for many.
//! - The limit of one thread. What needs more than one core is more than one barewire process, and how these come by the same events
//!   is not in the figures.
//! - Queues: a delay is the transport's own. What one process needs to hand an event to all is told beside it.

use std::time::Duration;

use super::numbers::{NOT_KNOWN, bytes, count, delay, duration};
use super::{Comparison, Figures, Leg, Plan};
use crate::client::follow::Via;
use crate::protocol::json::write_string;

/// The arithmetic, as a curve over plans and intervals: what it says of this plan, for a transport with this interval.
pub type Curve<'a> = dyn Fn(&Plan, Via, Option<Duration>) -> Figures + 'a;

/// Bytes that a server's memory has to grow by in a leg for the clients to be what it grew by: the log, what it keeps encoded, and what the
/// allocator gives back of the leg before move it by some hundred kilobytes either way.
pub const LEAST_GROWTH: u64 = 512 << 10;

/// A measured number, and where it is from.
#[derive(Clone, Debug, PartialEq)]
pub struct Constant {
    /// The number.
    pub value: f64,
    /// Where it is from, in words.
    pub origin: String,
}

/// What a transport costs in small, measured in one leg.
#[derive(Clone, Debug, PartialEq)]
pub struct Constants {
    /// Seconds of the server's CPU time for a request or a delivery.
    pub cpu_seconds: Option<Constant>,
    /// Bytes of the server's memory in user space for a client, at the end of the leg; not known where it grew by less than
    /// [`LEAST_GROWTH`].
    pub memory_per_client: Option<Constant>,
    /// Bytes of its memory before the first client came.
    pub memory_before: Option<Constant>,
    /// Bytes up that were measured, over those of arithmetic: what to multiply the latter with.
    pub up: Constant,
    /// The same of bytes down.
    pub down: Constant,
}

/// What one transport would cost. All of it is calculated.
#[derive(Clone, Debug, PartialEq)]
pub struct PredictedLeg {
    /// The transport.
    pub via: Via,
    /// From one short poll to the next.
    pub interval: Option<Duration>,
    /// Requests in a minute.
    pub requests_per_minute: f64,
    /// Of these, those that are answered without an event.
    pub empty_per_minute: f64,
    /// Connections that are open.
    pub connections: f64,
    /// Bytes from clients to server in a minute.
    pub bytes_up_per_minute: f64,
    /// Bytes from server to clients in a minute.
    pub bytes_down_per_minute: f64,
    /// Half of the delays are not longer, in milliseconds: the transport's own, without what the server needs.
    pub delay_ms_p50: f64,
    /// How long one core needs to hand one event to all, in milliseconds, where the server does that at once: not with short polling.
    pub fan_out_ms: Option<f64>,
    /// Cores that the server's CPU time fills.
    pub cores: Option<f64>,
    /// The server's memory in user space, in bytes.
    pub memory: Option<f64>,
    /// What this was calculated with.
    pub constants: Constants,
}

/// What so many users would cost. All of it is calculated.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// Users, each with one client.
    pub users: u64,
    /// Events published in a minute, each for all.
    pub events_per_minute: f64,
    /// Bytes of data in each event.
    pub size: usize,
    /// Each transport that was measured.
    pub legs: Vec<PredictedLeg>,
}

impl Constants {
    /// Those that this leg of the plan yields.
    pub fn of(leg: &Leg, plan: &Plan, curve: &Curve<'_>) -> Self {
        let clients = plan.clients;
        // The last leg may have been shorter than planned.
        let calculated = curve(&Plan { duration: leg.measured_for, ..plan.clone() }, leg.via, leg.interval);
        let requests = leg.measured.requests_per_minute * leg.measured_for.as_secs_f64() / 60.0;
        let work = requests + leg.arrived as f64;
        let cpu_seconds = leg.server.filter(|_| work >= 1.0).map(|server| Constant {
            value: server.cpu.as_secs_f64() / work,
            origin: format!(
                "measured in this run: {} requests and {} deliveries in {} took {} of server CPU",
                count(requests),
                count(leg.arrived as f64),
                duration(leg.measured_for),
                duration(server.cpu)
            ),
        });
        let memory_before = leg.server.map(|server| Constant {
            value: server.memory_before as f64,
            origin: "measured in this run: the server before the first client came".to_owned(),
        });
        let memory_per_client =
            leg.server.zip(memory_per_client(leg, clients)).map(|(server, value)| Constant {
                value,
                origin: format!(
                    "measured in this run: {} before, {} with {} clients",
                    bytes(server.memory_before as f64),
                    bytes(server.memory as f64),
                    count(clients as f64)
                ),
            });
        let factor = |measured: f64, predicted: f64, direction| {
            if measured > 0.0 && predicted > 0.0 {
                let (measured_text, predicted_text) = (bytes(measured), bytes(predicted));
                let origin = format!(
                    "measured in this run: {measured_text} {direction} where arithmetic says {predicted_text}"
                );
                Constant { value: measured / predicted, origin }
            } else {
                Constant {
                    value: 1.0,
                    origin: format!("arithmetic alone: it or the measurement has no byte {direction}"),
                }
            }
        };
        Self {
            cpu_seconds,
            memory_per_client,
            memory_before,
            up: factor(leg.measured.up.total(), calculated.up.total(), "up"),
            down: factor(leg.measured.down.total(), calculated.down.total(), "down"),
        }
    }
}

/// What the server's memory has grown by for each client; none where that can't be told.
pub(super) fn memory_per_client(leg: &Leg, clients: usize) -> Option<f64> {
    let growth = leg.server.map(|server| server.memory.saturating_sub(server.memory_before));
    growth
        .filter(|growth| clients > 0 && *growth >= LEAST_GROWTH)
        .map(|growth| growth as f64 / clients as f64)
}

impl Prediction {
    /// Where memory was measured and still is not known: why, in a sentence.
    pub fn memory_note(&self) -> Option<String> {
        let is_too_little = |leg: &PredictedLeg| {
            leg.constants.memory_before.is_some() && leg.constants.memory_per_client.is_none()
        };
        self.legs.iter().any(is_too_little).then(|| {
            format!(
                "Memory is not known where the server grew by less than {} in this run: with more clients it is.",
                bytes(LEAST_GROWTH as f64)
            )
        })
    }
}

/// What so many users and events would cost, by the arithmetic and the constants of what was measured: `curve` is that of a leg, to hold
/// the measured ones against, and `steadily` that of what goes on for ever.
pub fn predict(
    comparison: &Comparison,
    users: u64,
    events_per_minute: f64,
    curve: &Curve<'_>,
    steadily: &Curve<'_>,
) -> Prediction {
    let clients = usize::try_from(users).unwrap_or(usize::MAX);
    let plan = Plan { clients, events_per_minute, ..comparison.plan.clone() };
    let minutes = plan.duration.as_secs_f64() / 60.0;
    let per_minute = |bytes: f64| if minutes > 0.0 { bytes / minutes } else { 0.0 };
    let legs = comparison.legs.iter().map(|leg| {
        let figures = steadily(&plan, leg.via, leg.interval);
        let constants = Constants::of(leg, &comparison.plan, curve);
        let deliveries_per_minute = users as f64 * events_per_minute;
        let cpu_seconds = constants.cpu_seconds.as_ref().map(|constant| constant.value);
        let memory = constants.memory_before.as_ref().zip(constants.memory_per_client.as_ref());
        PredictedLeg {
            via: leg.via,
            interval: leg.interval,
            requests_per_minute: figures.requests_per_minute,
            empty_per_minute: figures.empty_per_minute,
            connections: figures.connections,
            bytes_up_per_minute: per_minute(figures.up.total() * constants.up.value),
            bytes_down_per_minute: per_minute(figures.down.total() * constants.down.value),
            delay_ms_p50: figures.delay.p50,
            fan_out_ms: cpu_seconds
                .filter(|_| leg.via != Via::ShortPoll)
                .map(|seconds| 1000.0 * seconds * users as f64),
            cores: cpu_seconds
                .map(|seconds| seconds * (figures.requests_per_minute + deliveries_per_minute) / 60.0),
            memory: memory.map(|(before, each)| before.value + each.value * users as f64),
            constants,
        }
    });
    Prediction { users, events_per_minute, size: comparison.plan.size, legs: legs.collect() }
}

impl PredictedLeg {
    /// Processes of one thread that fill so many cores.
    pub fn processes(&self) -> Option<f64> {
        self.cores.map(|cores| cores.ceil().max(1.0))
    }

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
    use super::super::report::fixture::{curve, of};
    use super::*;

    /// So many clients that what they cost in memory can be told.
    fn comparison() -> Comparison {
        of(Plan { clients: 5000, intervals: [1, 3, 6].map(Duration::from_secs).to_vec(), ..Plan::default() })
    }

    /// One leg of the fixture's prediction.
    fn leg(users: u64, events_per_minute: f64, via: Via) -> PredictedLeg {
        let prediction = predict(&comparison(), users, events_per_minute, &curve, &curve);
        prediction.legs.into_iter().rfind(|leg| leg.via == via).expect("a leg of each transport")
    }

    fn is_near(one: f64, other: f64) -> bool {
        (one - other).abs() <= 1e-6 * other.abs()
    }

    #[test]
    fn ten_times_the_users_are_ten_times_the_work() {
        for via in Via::ALL {
            let [small, large] = [100_000, 1_000_000].map(|users| leg(users, 6.0, via));
            let parts: [fn(&PredictedLeg) -> f64; 7] = [
                |leg| leg.requests_per_minute,
                |leg| leg.connections,
                |leg| leg.bytes_up_per_minute,
                |leg| leg.bytes_down_per_minute,
                |leg| leg.cores.expect("measured"),
                |leg| leg.fan_out_ms.unwrap_or_default(),
                // What the server has without clients is there once.
                |leg| leg.memory.expect("measured") - 3_400_000.0,
            ];
            for part in parts {
                assert!(
                    is_near(part(&large), 10.0 * part(&small)),
                    "{via}: {} and {}",
                    part(&small),
                    part(&large)
                );
            }
            assert_eq!(small.delay_ms_p50, large.delay_ms_p50);
        }
    }

    #[test]
    fn what_was_measured_is_what_the_same_plan_is_predicted_to_cost() {
        let comparison = comparison();
        let plan = &comparison.plan;
        let prediction = predict(&comparison, plan.clients as u64, plan.events_per_minute, &curve, &curve);
        for (leg, predicted) in comparison.legs.iter().zip(&prediction.legs) {
            let server = leg.server.expect("measured");
            let cores = server.cpu.as_secs_f64() / leg.measured_for.as_secs_f64();
            // The fixture's requests are some thousandths beside the arithmetic's.
            assert!((predicted.cores.expect("measured") / cores - 1.0).abs() < 0.01, "{predicted:?}");
            assert!(is_near(predicted.memory.expect("measured"), server.memory as f64));
            assert!(is_near(predicted.bytes_up_per_minute, leg.measured.up.total()));
            assert!(is_near(predicted.bytes_down_per_minute, leg.measured.down.total()));
        }
    }

    #[test]
    fn a_leg_that_was_cut_short_is_held_against_its_own_time() {
        let mut comparison = comparison();
        let leg = &mut comparison.legs[0];
        leg.measured_for /= 4;
        leg.measured.up.headers /= 4.0;
        let constants = Constants::of(&comparison.legs[0], &comparison.plan, &curve);
        assert!((constants.up.value - 1.002).abs() < 1e-9, "{constants:?}");
    }

    #[test]
    fn more_events_cost_more_than_the_same_with_pushing_only() {
        let [few, many] = [6.0, 60.0].map(|events| leg(1_000_000, events, Via::EventStream));
        assert!(is_near(many.cores.expect("measured"), 10.0 * few.cores.expect("measured")));
        assert_eq!((few.requests_per_minute, few.fan_out_ms), (0.0, many.fan_out_ms));
        let polls = leg(1_000_000, 6.0, Via::ShortPoll);
        assert_eq!((polls.requests_per_minute, polls.fan_out_ms), (10_000_000.0, None));
        assert!(polls.processes() > Some(1.0));
    }

    #[test]
    fn without_figures_of_the_server_its_cost_is_not_known() {
        let mut comparison = comparison();
        for leg in &mut comparison.legs {
            leg.server = None;
        }
        let prediction = predict(&comparison, 1_000_000, 6.0, &curve, &curve);
        let leg = &prediction.legs[4];
        assert_eq!((leg.cores, leg.memory, leg.fan_out_ms, leg.processes()), (None, None, None, None));
        let text = table(&prediction);
        assert!(text.contains("not known") && !text.contains("more than one barewire process"), "{text}");
    }

    #[test]
    fn memory_that_grew_by_too_little_says_nothing_of_clients() {
        let mut comparison = comparison();
        let server = comparison.legs[0].server.as_mut().expect("measured");
        server.memory = server.memory_before + LEAST_GROWTH - 1;
        let server = comparison.legs[1].server.as_mut().expect("measured");
        server.memory = server.memory_before - 4096;
        let prediction = predict(&comparison, 1_000_000, 6.0, &curve, &curve);
        let memory: Vec<_> = prediction.legs.iter().map(|leg| leg.memory.is_some()).collect();
        assert_eq!(memory, [false, false, true, true, true, true]);
        let text = table(&prediction);
        assert!(text.contains("less than 524 kB in this run"), "{text}");
        comparison.legs.drain(..2);
        assert_eq!(predict(&comparison, 1_000_000, 6.0, &curve, &curve).memory_note(), None);
    }

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
        let page = include_str!("../../../docs/prediction.md");
        let mut documented: Vec<_> = page
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.split_once("` |"))
            .map(|(name, _)| name.to_owned())
            .collect();
        documented.sort_unstable();
        assert_eq!(written, documented);
    }
}
