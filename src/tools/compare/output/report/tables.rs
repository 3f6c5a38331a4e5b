//! The tables: a column for each leg.

use super::super::numbers::{self, NOT_KNOWN, bytes, count, delay, difference, duration, percent};
use super::markup::{Table, element, escaped};
use super::plots::{self, Mark, USERS};
use super::words::{TOLERANCE, leg_name, name, pairs, share};
use crate::client::follow::Via;
use crate::tools::compare::prediction::{Curve, Prediction, memory_per_client};
use crate::tools::compare::{self as compare, Comparison, Figures, Leg, Plan};
use std::time::Duration;

/// The names of the columns: the legs' marks, names and intervals.
fn columns<'a>(
    first: &str,
    legs: impl Iterator<Item = (Via, Option<Duration>)> + 'a,
) -> impl Iterator<Item = String> {
    let legs = legs.map(|(via, interval)| {
        let interval = interval.map(|interval| format!("<small>every {}</small>", duration(interval)));
        format!("{}{}{}", Mark::of(via).icon(), name(via), interval.unwrap_or_default())
    });
    std::iter::once(escaped(first)).chain(legs)
}

fn legs_of(comparison: &Comparison) -> impl Iterator<Item = (Via, Option<Duration>)> {
    comparison.legs.iter().map(|leg| (leg.via, leg.interval))
}

/// Whether there is something to say on delays.
fn is_known(leg: &Leg, is_delay: bool) -> bool {
    !is_delay || leg.arrived > 0
}

/// Of the table of all figures.
pub(super) const CAPTION: &str = "What was measured; beneath it, smaller, what arithmetic says, and how far the measured figure is from that";

/// Each figure as it was measured, beneath it what arithmetic says, and the difference.
pub(super) fn figures(comparison: &Comparison) -> String {
    type Row = (&'static str, fn(&Figures) -> f64, fn(f64) -> String, bool);
    const SHARE: &str = "the same, of all requests";
    const GROUPS: [&[Row]; 3] = [
        &[
            ("requests a minute", |f| f.requests_per_minute, count, false),
            ("answered with nothing", |f| f.empty_per_minute, count, false),
            (SHARE, |f| f.empty_percent(), percent, false),
            ("connections opened", |f| f.connections, count, false),
        ],
        &[
            ("bytes up: headers", |f| f.up.headers, bytes, false),
            ("bytes up: payload", |f| f.up.payload, bytes, false),
            ("bytes down: headers", |f| f.down.headers, bytes, false),
            ("bytes down: payload", |f| f.down.payload, bytes, false),
        ],
        &[
            ("delay: mean", |f| f.delay.mean, delay, true),
            ("half within (p50)", |f| f.delay.p50, delay, true),
            ("95 % within (p95)", |f| f.delay.p95, delay, true),
            ("99 % within (p99)", |f| f.delay.p99, delay, true),
            ("the longest", |f| f.delay.max, delay, true),
        ],
    ];
    let mut table = Table::new(CAPTION, columns("all clients together", legs_of(comparison)));
    for group in GROUPS {
        table.group();
        for (label, part, text, is_delay) in group {
            let cells = comparison.legs.iter().map(|leg| {
                if !is_known(leg, *is_delay) {
                    return NOT_KNOWN.to_owned();
                }
                let (measured, predicted) = (part(&leg.measured), part(&leg.predicted));
                // Of percents there is no percentage.
                let away = compare::difference(measured, predicted).filter(|_| *label != SHARE);
                let away = away.map(|away| format!(" <i>{}</i>", difference(Some(away)))).unwrap_or_default();
                format!(
                    "<b>{}</b><small><span class=\"unseen\">calculated </span>{}{away}</small>",
                    text(measured),
                    text(predicted)
                )
            });
            table.row(&escaped(label), cells);
        }
    }
    table.end()
}

/// Each pair of intervals: what the formula says of it, and what was measured.
pub(super) fn doubling(comparison: &Comparison) -> Option<String> {
    let pairs = pairs(comparison);
    if pairs.is_empty() {
        return None;
    }
    let names = ["from, to", "requests", "formula", "difference", "delay, p50", "formula", "difference"];
    let columns = names.map(escaped).into_iter().chain([format!("within {}", numbers::percent(TOLERANCE))]);
    let mut table = Table::new("Each two intervals: the longer’s figure over the shorter’s", columns);
    for pair in pairs {
        let [one, other] = [pair.one, pair.other].map(|leg| leg.interval.map(duration).unwrap_or_default());
        let ratio = |ratio: Option<super::words::Ratio>| {
            let known = |part: fn(super::words::Ratio) -> Option<f64>| ratio.and_then(part);
            [
                format!("<b>{}</b>", numbers::ratio(known(|ratio| ratio.measured))),
                numbers::ratio(known(|ratio| ratio.formula)),
                difference(known(|ratio| ratio.difference())),
            ]
        };
        let verdict = match pair.is_within() {
            Some(true) => "yes",
            Some(false) => "<b class=\"wrong\">no</b>",
            None => NOT_KNOWN,
        };
        let cells =
            ratio(Some(pair.requests)).into_iter().chain(ratio(pair.delay)).chain([verdict.to_owned()]);
        table.row(&format!("{one}\u{a0}→\u{a0}{other}"), cells);
    }
    Some(table.end())
}

/// What happened in each leg, and what it cost the two processes.
pub(super) fn measurement(comparison: &Comparison) -> String {
    type Row = (&'static str, fn(&Leg) -> Option<String>);
    const EVENTS: [Row; 6] = [
        ("measured for", |leg| Some(duration(leg.measured_for))),
        ("events published", |leg| Some(count(leg.published as f64))),
        ("arrived, each client counted", |leg| Some(count(leg.arrived as f64))),
        ("lost", |leg| Some(count(leg.lost as f64))),
        ("came twice", |leg| Some(count(leg.doubled as f64))),
        ("connections opened anew", |leg| Some(count(leg.returns as f64))),
    ];
    const COST: [Row; 3] = [
        ("server: CPU time", |leg| leg.server.map(|server| cpu(server.cpu, leg))),
        ("server: memory, before", |leg| leg.server.map(|server| bytes(server.memory_before as f64))),
        ("server: memory, at the end", |leg| leg.server.map(|server| bytes(server.memory as f64))),
    ];
    let mut table = Table::new("What happened, and what it cost", columns("each leg", legs_of(comparison)));
    for group in [&EVENTS[..], &COST[..]] {
        table.group();
        for (label, text) in group {
            let cells = comparison.legs.iter().map(|leg| text(leg).unwrap_or(NOT_KNOWN.to_owned()));
            table.row(&escaped(label), cells);
        }
    }
    let each = comparison.legs.iter().map(|leg| match memory_per_client(leg, comparison.plan.clients) {
        Some(each) => bytes(each),
        None if leg.server.is_some() => "too little to tell".to_owned(),
        None => NOT_KNOWN.to_owned(),
    });
    table.row("server: memory a client", each);
    let spent = comparison
        .legs
        .iter()
        .map(|leg| leg.client_cpu.map_or(NOT_KNOWN.to_owned(), |spent| cpu(spent, leg)));
    table.row("clients: CPU time, one thread", spent);
    table.end()
}

fn cpu(spent: Duration, leg: &Leg) -> String {
    format!("{}<small>{}\u{a0}% of a core</small>", duration(spent), count(share(spent.as_secs_f64(), leg)))
}

/// What so many users would cost, and with which constants that was calculated.
pub(super) fn prediction(prediction: &Prediction) -> String {
    let users = count(prediction.users as f64);
    let legs = prediction.legs.iter().map(|leg| (leg.via, leg.interval));
    let caption = format!("Calculated, not measured: {users} users");
    let mut table = Table::new(&caption, columns("calculated", legs));
    let rows: Vec<_> = prediction.legs.iter().map(|leg| leg.rows()).collect();
    if let Some(first) = rows.first() {
        for (at, (label, _)) in first.iter().enumerate() {
            table.row(&escaped(label), rows.iter().map(|rows| escaped(&rows[at].1)));
        }
    }
    let caption = format!("The constants for {users} users, and where they are from");
    let names = ["transport", "constant", "value", "origin"];
    let mut constants = Table::new(&caption, names.map(escaped));
    for leg in &prediction.legs {
        constants.group();
        let interval =
            leg.interval.map(|interval| format!(" every {}", duration(interval))).unwrap_or_default();
        for (label, value, origin) in leg.constants.rows() {
            let cells =
                [escaped(label), escaped(&value), format!("<span class=\"text\">{}</span>", escaped(origin))];
            constants.row(&format!("{}{interval}", name(leg.via)), cells);
        }
    }
    let note = prediction.memory_note().map(|note| element("p", &note)).unwrap_or_default();
    format!(
        "{}{note}<details class=\"constants\">\n<summary>The constants, and where they are from</summary>\n{}</details>\n",
        table.end(),
        constants.end()
    )
}

/// The delay of each leg over its requests.
pub(super) fn cost(comparison: &Comparison) -> String {
    let names = ["transport", "requests a minute", "delay, p50"];
    let mut table = Table::new("Cost and delay, measured", names.map(escaped));
    for leg in &comparison.legs {
        let late = if leg.arrived > 0 { delay(leg.measured.delay.p50) } else { NOT_KNOWN.to_owned() };
        table.row(&leg_name(leg), [count(leg.measured.requests_per_minute), late]);
    }
    table.end()
}

/// The bytes of each leg for an event and a client.
pub(super) fn weight(comparison: &Comparison) -> String {
    let names = ["transport", "headers up", "headers down", "payload", "together"];
    let mut table = Table::new("Bytes for an event and a client, measured", names.map(escaped));
    for leg in &comparison.legs {
        let cells = match plots::parts(leg, comparison.plan.clients) {
            Some([up, down, payload]) => [up, down, payload, up + down + payload].map(bytes),
            None => [NOT_KNOWN; 4].map(str::to_owned),
        };
        table.row(&leg_name(leg), cells);
    }
    table.end()
}

/// The requests of each leg over the number of users.
pub(super) fn users(comparison: &Comparison, curve: &Curve<'_>) -> String {
    let mut table =
        Table::new("Requests a minute over users, calculated", columns("users", legs_of(comparison)));
    for users in USERS {
        let plan = Plan { clients: users, ..comparison.plan.clone() };
        let cells =
            comparison.legs.iter().map(|leg| count(curve(&plan, leg.via, leg.interval).requests_per_minute));
        table.row(&count(users as f64), cells);
    }
    table.end()
}
