//! The one list of all figures, for the table, JSON, CSV and the report. `docs/compare.md`
//! describes each.

use super::numbers;
use crate::tools::compare::results::{Figures, Trial};

/// The unit of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Count,
    Percent,
    Bytes,
    Milliseconds,
    Seconds,
    CpuSeconds,
}

impl Unit {
    /// Returns the value with its unit, in a form that people read easily.
    pub fn text(self, value: f64) -> String {
        match self {
            Self::Count => numbers::count(value),
            Self::Percent => numbers::percent(value),
            Self::Bytes => numbers::bytes(value),
            Self::Milliseconds => numbers::delay(value),
            Self::Seconds | Self::CpuSeconds => numbers::delay(value * 1000.0),
        }
    }
}

/// A figure that is both measured and calculated.
pub struct Figure {
    /// The name in JSON. A point separates the name of a nested object from the member's name. In
    /// CSV the point is an underscore.
    pub name: &'static str,
    pub label: &'static str,
    pub unit: Unit,
    pub of: fn(&Figures) -> f64,
}

impl Figure {
    /// Returns the name of the nested object in JSON that contains this figure.
    pub fn group(&self) -> Option<&'static str> {
        self.name.split_once('.').map(|(group, _)| group)
    }

    /// Returns the name within the nested object.
    pub fn member(&self) -> &'static str {
        self.name.split_once('.').map_or(self.name, |(_, member)| member)
    }

    /// Returns true if the figure is the sum of the two that follow it.
    pub fn is_sum(&self) -> bool {
        matches!(self.name, "bytes_up" | "bytes_down")
    }
}

const fn figure(name: &'static str, label: &'static str, unit: Unit, of: fn(&Figures) -> f64) -> Figure {
    Figure { name, label, unit, of }
}

/// The figures that are both measured and calculated.
pub const FIGURES: [Figure; 15] = [
    figure("requests_per_minute", "requests per minute", Unit::Count, |figures| figures.requests_per_minute),
    figure("empty_per_minute", "empty polls per minute", Unit::Count, |figures| figures.empty_per_minute),
    figure("empty_percent", "share of empty polls", Unit::Percent, Figures::empty_percent),
    figure("connections", "connections opened", Unit::Count, |figures| figures.connections),
    figure("bytes_up", "bytes up", Unit::Bytes, |figures| figures.up.total()),
    figure("bytes_up_headers", "bytes up, headers", Unit::Bytes, |figures| figures.up.headers),
    figure("bytes_up_payload", "bytes up, payload", Unit::Bytes, |figures| figures.up.payload),
    figure("bytes_down", "bytes down", Unit::Bytes, |figures| figures.down.total()),
    figure("bytes_down_headers", "bytes down, headers", Unit::Bytes, |figures| figures.down.headers),
    figure("bytes_down_payload", "bytes down, payload", Unit::Bytes, |figures| figures.down.payload),
    figure("delay_ms.mean", "delay, mean", Unit::Milliseconds, |figures| figures.delay.mean),
    figure("delay_ms.p50", "delay, p50", Unit::Milliseconds, |figures| figures.delay.p50),
    figure("delay_ms.p95", "delay, p95", Unit::Milliseconds, |figures| figures.delay.p95),
    figure("delay_ms.p99", "delay, p99", Unit::Milliseconds, |figures| figures.delay.p99),
    figure("delay_ms.max", "delay, max", Unit::Milliseconds, |figures| figures.delay.max),
];

/// A figure that is only measured.
pub struct Measurement {
    /// The name in JSON and CSV.
    pub name: &'static str,
    pub label: &'static str,
    pub unit: Unit,
    /// Returns `None` if the figure could not be measured.
    pub of: fn(&Trial) -> Option<f64>,
}

const fn measurement(
    name: &'static str,
    label: &'static str,
    unit: Unit,
    of: fn(&Trial) -> Option<f64>,
) -> Measurement {
    Measurement { name, label, unit, of }
}

/// The figures that are only measured.
pub const MEASUREMENTS: [Measurement; 10] = [
    measurement("seconds", "measured for", Unit::Seconds, |trial| Some(trial.measured_for.as_secs_f64())),
    measurement("events_published", "events published", Unit::Count, |trial| Some(trial.published as f64)),
    measurement("events_arrived", "events received", Unit::Count, |trial| Some(trial.arrived as f64)),
    measurement("lost", "events lost", Unit::Count, |trial| Some(trial.lost as f64)),
    measurement("doubled", "events duplicated", Unit::Count, |trial| Some(trial.duplicated as f64)),
    measurement("reconnects", "reconnects", Unit::Count, |trial| Some(trial.reconnects as f64)),
    measurement("server_cpu_seconds", "server CPU time", Unit::CpuSeconds, |trial| {
        Some(trial.server?.cpu.as_secs_f64())
    }),
    measurement("server_memory_bytes", "server memory, at end", Unit::Bytes, |trial| {
        Some(trial.server?.memory as f64)
    }),
    measurement("server_memory_before_bytes", "server memory, before", Unit::Bytes, |trial| {
        Some(trial.server?.memory_before as f64)
    }),
    measurement("client_cpu_seconds", "client CPU time", Unit::CpuSeconds, |trial| {
        Some(trial.client_cpu?.as_secs_f64())
    }),
];

/// Returns the value rounded to three decimals, as in JSON and CSV.
pub fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
