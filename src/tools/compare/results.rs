//! The results of a comparison.

use std::time::Duration;

use super::config::CompareConfig;
use crate::client::follow::Transport;

/// The results of a comparison, possibly of its first trials only.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    pub config: CompareConfig,
    /// The measured trials. If the comparison was interrupted, trials are missing or the last one
    /// is shorter.
    pub trials: Vec<Trial>,
    /// True if a Ctrl-C or an error ended the comparison before all trials were complete.
    pub is_interrupted: bool,
}

/// The result of one trial: one transport, measured and calculated.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    pub via: Transport,
    /// The time between two short polls.
    pub interval: Option<Duration>,
    /// How long the trial was measured.
    pub measured_for: Duration,
    /// Events published during the measurement.
    pub published: u64,
    /// Events received, summed over the clients. The expected value is `published` × clients.
    pub arrived: u64,
    /// Events that did not arrive, summed over the clients. Any value but 0 is an error.
    pub lost: u64,
    /// Events that arrived again, summed over the clients. Any value but 0 is an error.
    pub duplicated: u64,
    /// Connections that broke or were refused, and were opened again.
    pub reconnects: u64,
    pub measured: Figures,
    pub calculated: Figures,
    /// The server's cost, if its process runs on this machine.
    pub server: Option<ServerFigures>,
    /// The CPU time of the clients, which share one thread. If it approaches `measured_for`, the
    /// clients cause the delay, not the server.
    pub client_cpu: Option<Duration>,
}

/// Figures that are both measured and calculated, for all clients together.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figures {
    /// Requests per minute, including WebSocket handshakes.
    pub requests_per_minute: f64,
    /// Responses per minute that carried no event.
    pub empty_per_minute: f64,
    /// Connections opened between the first client's start and the end of the measurement.
    pub connections: f64,
    /// Bytes from the clients to the server during the measurement.
    pub up: Bytes,
    /// Bytes from the server to the clients during the measurement.
    pub down: Bytes,
    /// The delay from the publishing of an event to its arrival.
    pub delay: DelayFigures,
}

/// Bytes as counted at the sockets, above TCP.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bytes {
    /// The transport's overhead: request and response heads, chunk sizes, frame headers.
    pub headers: f64,
    /// Response content and message payload.
    pub payload: f64,
}

/// The mean and quantiles of the delay, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct DelayFigures {
    pub mean: f64,
    pub p50: f64,
    pub p95: f64,
    pub p99: f64,
    pub max: f64,
}

/// The server's cost in one trial.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ServerFigures {
    /// CPU time during the measurement.
    pub cpu: Duration,
    /// User-space memory at the end of the measurement, in bytes: the proportional set size.
    pub memory: u64,
    /// User-space memory before the first client connected, in bytes.
    pub memory_before: u64,
}

/// Seconds before the end of a trial in which the last event may go unpublished.
const END_MARGIN: f64 = 0.01;

impl Trial {
    /// Returns the number of events that were due but not published, because the server had not yet
    /// responded to the request before. An event that was due at the very end does not count,
    /// because any server needs a moment to respond.
    pub fn unpublished(&self, config: &CompareConfig) -> u64 {
        let config = CompareConfig { duration: config.duration.min(self.measured_for), ..config.clone() };
        let last_due = (config.events() as f64 - 0.5) * 60.0 / config.events_per_minute;
        let is_at_the_end = config.duration.as_secs_f64() - last_due < END_MARGIN;
        match config.events().saturating_sub(self.published) {
            1 if is_at_the_end => 0,
            missing => missing,
        }
    }
}

impl Figures {
    /// Returns the responses without an event in percent of all requests; 0 without requests.
    pub fn empty_percent(&self) -> f64 {
        if self.requests_per_minute > 0.0 {
            100.0 * self.empty_per_minute / self.requests_per_minute
        } else {
            0.0
        }
    }
}

impl Bytes {
    /// Returns both counts multiplied by `factor`.
    pub fn times(self, factor: f64) -> Self {
        Self { headers: self.headers * factor, payload: self.payload * factor }
    }

    /// Returns headers and payload together.
    pub fn total(&self) -> f64 {
        self.headers + self.payload
    }
}

/// Returns how far `measured` is from `calculated`, in percent of `calculated`; `None` if that is
/// 0.
pub fn difference(measured: f64, calculated: f64) -> Option<f64> {
    (calculated != 0.0).then(|| 100.0 * (measured - calculated) / calculated)
}
