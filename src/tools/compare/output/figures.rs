//! The figures by their names, once for the table, JSON and CSV. `docs/compare.md` says what each is.

use super::numbers;
use crate::tools::compare::{Figures, Leg};

/// One figure that is both measured and calculated.
pub(super) struct Figure {
    /// Its name in JSON; behind a point stands the member of a nested object. In CSV the point is an underscore.
    pub name: &'static str,
    /// What it is called in the table.
    pub label: &'static str,
    pub of: fn(&Figures) -> f64,
}

impl Figure {
    /// The nested object that it is in, in JSON.
    pub fn group(&self) -> Option<&'static str> {
        self.name.split_once('.').map(|(group, _)| group)
    }

    /// Its name there.
    pub fn member(&self) -> &'static str {
        self.name.split_once('.').map_or(self.name, |(_, member)| member)
    }
}

const fn figure(name: &'static str, label: &'static str, of: fn(&Figures) -> f64) -> Figure {
    Figure { name, label, of }
}

/// What is measured and calculated.
pub(super) const FIGURES: [Figure; 15] = [
    figure("requests_per_minute", "requests a minute", |figures| figures.requests_per_minute),
    figure("empty_per_minute", "empty answers a minute", |figures| figures.empty_per_minute),
    figure("empty_percent", "of all answers, in %", Figures::empty_percent),
    figure("connections", "connections opened", |figures| figures.connections),
    figure("bytes_up", "bytes up", |figures| figures.up.total()),
    figure("bytes_up_headers", "headers up", |figures| figures.up.headers),
    figure("bytes_up_payload", "payload up", |figures| figures.up.payload),
    figure("bytes_down", "bytes down", |figures| figures.down.total()),
    figure("bytes_down_headers", "headers down", |figures| figures.down.headers),
    figure("bytes_down_payload", "payload down", |figures| figures.down.payload),
    figure("delay_ms.mean", "delay in ms, mean", |figures| figures.delay.mean),
    figure("delay_ms.p50", "delay in ms, p50", |figures| figures.delay.p50),
    figure("delay_ms.p95", "delay in ms, p95", |figures| figures.delay.p95),
    figure("delay_ms.p99", "delay in ms, p99", |figures| figures.delay.p99),
    figure("delay_ms.max", "delay in ms, longest", |figures| figures.delay.max),
];

/// One figure that is measured only.
pub(super) struct Count {
    /// Its name in JSON and CSV.
    pub name: &'static str,
    /// What it is called in the table.
    pub label: &'static str,
    /// `None` if it could not be measured.
    pub of: fn(&Leg) -> Option<f64>,
    /// As the table has it.
    pub text: fn(f64) -> String,
}

const fn count(name: &'static str, label: &'static str, of: fn(&Leg) -> Option<f64>) -> Count {
    Count { name, label, of, text: numbers::count }
}

const fn seconds(name: &'static str, label: &'static str, of: fn(&Leg) -> Option<f64>) -> Count {
    Count { name, label, of, text: |seconds| numbers::delay(seconds * 1000.0) }
}

const fn bytes(name: &'static str, label: &'static str, of: fn(&Leg) -> Option<f64>) -> Count {
    Count { name, label, of, text: numbers::bytes }
}

/// What is measured only.
pub(super) const COUNTS: [Count; 10] = [
    seconds("seconds", "measured for", |leg| Some(leg.measured_for.as_secs_f64())),
    count("events_published", "events published", |leg| Some(leg.published as f64)),
    count("events_arrived", "events arrived", |leg| Some(leg.arrived as f64)),
    count("lost", "events lost", |leg| Some(leg.lost as f64)),
    count("doubled", "events doubled", |leg| Some(leg.doubled as f64)),
    count("reconnects", "connections broken", |leg| Some(leg.returns as f64)),
    seconds("server_cpu_seconds", "server CPU time", |leg| Some(leg.server?.cpu.as_secs_f64())),
    bytes("server_memory_bytes", "server memory", |leg| Some(leg.server?.memory as f64)),
    bytes("server_memory_before_bytes", "before the first client", |leg| {
        Some(leg.server?.memory_before as f64)
    }),
    seconds("client_cpu_seconds", "clients' CPU time", |leg| Some(leg.client_cpu?.as_secs_f64())),
];

/// With at most three places, as JSON and CSV have it.
pub(super) fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
