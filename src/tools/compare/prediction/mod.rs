//! The cost for a number of users that no single machine can hold: the transports' formulas, with
//! constants measured in small trials.
//!
//! A prediction leaves out:
//!
//! - The kernel: its memory for sockets, and its time for any network except loopback. Only the
//!   server's CPU time, which includes its system calls, and its user-space memory count.
//! - The CPU time of idle clients. Heartbeats and timeouts are not measured separately, so their
//!   cost is attributed to requests and deliveries. If little was sent, both seem more expensive
//!   than they are.
//! - The difference between a poll and an event in its response. The event costs less, but both
//!   count the same, so the constant holds for the mix in the trial.
//! - Batching: a busy event loop does more work per iteration, so a constant measured with few
//!   clients is too high for many.
//! - The limit of one thread. A server that needs more than one core needs more than one barewire
//!   process, and the cost of sharing events among processes is not included.
//! - Queues. The delay is the transport's own. The time that one process needs to send an event to
//!   all users is a separate figure.

mod json;
mod text;

use std::time::Duration;

pub use json::members;
pub use text::table;

use super::arithmetic::Formula;
use super::config::CompareConfig;
use super::output::numbers::{bytes, count, duration};
use super::results::{Comparison, ServerFigures, Trial};
use crate::client::follow::Transport;

/// The memory growth, in bytes, that is large enough to measure the clients' share. The log, the
/// encoded buffers and the memory that the allocator returns from the previous trial change the
/// server's memory by some hundred kilobytes in either direction.
pub const MIN_GROWTH: u64 = 512 << 10;

/// A measured number and its origin.
#[derive(Clone, Debug, PartialEq)]
pub struct Constant {
    pub value: f64,
    /// Says how the number was obtained.
    pub origin: String,
}

/// The constants of one transport, measured in one trial.
#[derive(Clone, Debug, PartialEq)]
pub struct Constants {
    /// The server's CPU time in seconds for one request or one delivery.
    pub cpu_seconds: Option<Constant>,
    /// The server's user-space memory for one client in bytes, at the end of the trial. `None` if
    /// the memory grew by less than [`MIN_GROWTH`].
    pub memory_per_client: Option<Constant>,
    /// The server's memory before the first client connected, in bytes.
    pub memory_before: Option<Constant>,
    /// Measured bytes up divided by calculated ones.
    pub up: Constant,
    /// Measured bytes down divided by calculated ones.
    pub down: Constant,
}

/// The calculated cost of one transport.
#[derive(Clone, Debug, PartialEq)]
pub struct PredictedTrial {
    pub via: Transport,
    /// The time between two short polls.
    pub interval: Option<Duration>,
    pub requests_per_minute: f64,
    /// Responses per minute that carry no event.
    pub empty_per_minute: f64,
    /// Connections open at once.
    pub connections: f64,
    pub bytes_up_per_minute: f64,
    pub bytes_down_per_minute: f64,
    /// The median of the transport's own delay in milliseconds, without the server's work.
    pub delay_ms_p50: f64,
    /// The time in milliseconds that one core needs to send one event to all users. `None` for
    /// short polling, where the server sends an event only when a client polls.
    pub fan_out_ms: Option<f64>,
    /// The CPU cores that the server needs.
    pub cores: Option<f64>,
    /// The server's user-space memory in bytes.
    pub memory: Option<f64>,
    /// The constants of this calculation.
    pub constants: Constants,
}

/// The calculated cost for a number of users.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// Users, each with one client.
    pub users: u64,
    /// Events published per minute, each for all users.
    pub events_per_minute: f64,
    /// Bytes of data in each event.
    pub size: usize,
    /// One entry for each measured trial.
    pub trials: Vec<PredictedTrial>,
}

impl Constants {
    /// Returns the constants that this trial yields. `formula` is that of a trial.
    pub fn of(trial: &Trial, config: &CompareConfig, formula: &Formula<'_>) -> Self {
        // The last trial may have been shorter than configured.
        let measured = CompareConfig { duration: trial.measured_for, ..config.clone() };
        let calculated = formula(&measured, trial.via, trial.interval);
        Self {
            cpu_seconds: trial.server.and_then(|server| cpu_seconds(trial, server)),
            memory_per_client: trial
                .server
                .and_then(|server| memory_per_client_constant(trial, server, config.clients)),
            memory_before: trial.server.map(|server| Constant {
                value: server.memory_before as f64,
                origin: "measured in this run: the server before the first client connected".to_owned(),
            }),
            up: byte_factor(trial.measured.up.total(), calculated.up.total(), "up"),
            down: byte_factor(trial.measured.down.total(), calculated.down.total(), "down"),
        }
    }
}

/// Returns the CPU time for one request or delivery; `None` without any.
fn cpu_seconds(trial: &Trial, server: ServerFigures) -> Option<Constant> {
    let requests = trial.measured.requests_per_minute * trial.measured_for.as_secs_f64() / 60.0;
    let work = requests + trial.arrived as f64;
    (work >= 1.0).then(|| Constant {
        value: server.cpu.as_secs_f64() / work,
        origin: format!(
            "measured in this run: {} requests and {} deliveries in {} took {} of server CPU time",
            count(requests),
            count(trial.arrived as f64),
            duration(trial.measured_for),
            duration(server.cpu)
        ),
    })
}

fn memory_per_client_constant(trial: &Trial, server: ServerFigures, clients: usize) -> Option<Constant> {
    memory_per_client(trial, clients).map(|value| Constant {
        value,
        origin: format!(
            "measured in this run: {} before, {} with {} clients",
            bytes(server.memory_before as f64),
            bytes(server.memory as f64),
            count(clients as f64)
        ),
    })
}

/// Returns the growth of the server's memory per client; `None` if it is too small to measure.
pub fn memory_per_client(trial: &Trial, clients: usize) -> Option<f64> {
    let growth = trial.server.map(|server| server.memory.saturating_sub(server.memory_before));
    growth.filter(|growth| clients > 0 && *growth >= MIN_GROWTH).map(|growth| growth as f64 / clients as f64)
}

fn byte_factor(measured: f64, calculated: f64, direction: &str) -> Constant {
    if measured > 0.0 && calculated > 0.0 {
        let (measured_text, calculated_text) = (bytes(measured), bytes(calculated));
        let origin =
            format!("measured in this run: {measured_text} {direction}, calculated: {calculated_text}");
        return Constant { value: measured / calculated, origin };
    }
    let origin = format!("not measured: no bytes {direction} in the measurement or in the calculation");
    Constant { value: 1.0, origin }
}

/// Returns the predicted cost for this many users and events. `trial_formula` gives the figures to
/// compare measured ones with, and `steady_formula` those of the steady state.
pub fn predict(
    comparison: &Comparison,
    users: u64,
    events_per_minute: f64,
    trial_formula: &Formula<'_>,
    steady_formula: &Formula<'_>,
) -> Prediction {
    let clients = usize::try_from(users).unwrap_or(usize::MAX);
    let config = CompareConfig { clients, events_per_minute, ..comparison.config.clone() };
    let trials = comparison.trials.iter().map(|trial| {
        let constants = Constants::of(trial, &comparison.config, trial_formula);
        predict_trial(trial, users, &config, constants, steady_formula)
    });
    Prediction { users, events_per_minute, size: comparison.config.size, trials: trials.collect() }
}

fn predict_trial(
    trial: &Trial,
    users: u64,
    config: &CompareConfig,
    constants: Constants,
    steady_formula: &Formula<'_>,
) -> PredictedTrial {
    let minutes = config.duration.as_secs_f64() / 60.0;
    let per_minute = |bytes: f64| if minutes > 0.0 { bytes / minutes } else { 0.0 };
    let figures = steady_formula(config, trial.via, trial.interval);
    let users = users as f64;
    let deliveries_per_minute = users * config.events_per_minute;
    let cpu_seconds = constants.cpu_seconds.as_ref().map(|constant| constant.value);
    let memory = constants.memory_before.as_ref().zip(constants.memory_per_client.as_ref());
    PredictedTrial {
        via: trial.via,
        interval: trial.interval,
        requests_per_minute: figures.requests_per_minute,
        empty_per_minute: figures.empty_per_minute,
        connections: figures.connections,
        bytes_up_per_minute: per_minute(figures.up.total() * constants.up.value),
        bytes_down_per_minute: per_minute(figures.down.total() * constants.down.value),
        delay_ms_p50: figures.delay.p50,
        fan_out_ms: cpu_seconds
            .filter(|_| trial.via != Transport::ShortPoll)
            .map(|seconds| 1000.0 * seconds * users),
        cores: cpu_seconds
            .map(|seconds| seconds * (figures.requests_per_minute + deliveries_per_minute) / 60.0),
        memory: memory.map(|(before, per_client)| before.value + per_client.value * users),
        constants,
    }
}

impl Prediction {
    /// Returns a sentence that says why memory is not known, if it was measured but grew too
    /// little.
    pub fn memory_note(&self) -> Option<String> {
        let is_too_little = |trial: &PredictedTrial| {
            trial.constants.memory_before.is_some() && trial.constants.memory_per_client.is_none()
        };
        self.trials.iter().any(is_too_little).then(|| {
            format!(
                "Memory is not known for trials in which the server grew by less than {}. Measure with more \
                 clients.",
                bytes(MIN_GROWTH as f64)
            )
        })
    }
}

impl PredictedTrial {
    /// Returns the number of single-threaded processes that need this many cores.
    pub fn processes(&self) -> Option<f64> {
        self.cores.map(|cores| cores.ceil().max(1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::compare::output::report::fixture::{comparison_of, formula};

    /// Returns a comparison with enough clients to measure their share of the memory.
    pub(super) fn comparison() -> Comparison {
        let intervals = [1, 3, 6].map(Duration::from_secs).to_vec();
        comparison_of(CompareConfig { clients: 5000, intervals, ..CompareConfig::default() })
    }

    fn predicted_trial(users: u64, events_per_minute: f64, via: Transport) -> PredictedTrial {
        let prediction = predict(&comparison(), users, events_per_minute, &formula, &formula);
        prediction.trials.into_iter().rfind(|trial| trial.via == via).expect("each transport has a trial")
    }

    fn is_near(one: f64, other: f64) -> bool {
        (one - other).abs() <= 1e-6 * other.abs()
    }

    #[test]
    fn ten_times_the_users_cause_ten_times_the_work() {
        for via in Transport::ALL {
            let [small, large] = [100_000, 1_000_000].map(|users| predicted_trial(users, 6.0, via));
            let parts: [fn(&PredictedTrial) -> f64; 7] = [
                |trial| trial.requests_per_minute,
                |trial| trial.connections,
                |trial| trial.bytes_up_per_minute,
                |trial| trial.bytes_down_per_minute,
                |trial| trial.cores.expect("CPU time was measured"),
                |trial| trial.fan_out_ms.unwrap_or_default(),
                // The memory without clients does not grow with the users.
                |trial| trial.memory.expect("memory was measured") - 3_400_000.0,
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
    fn a_prediction_for_the_measured_configuration_equals_the_measurement() {
        let comparison = comparison();
        let config = &comparison.config;
        let prediction =
            predict(&comparison, config.clients as u64, config.events_per_minute, &formula, &formula);
        for (trial, predicted) in comparison.trials.iter().zip(&prediction.trials) {
            let server = trial.server.expect("the server was measured");
            let cores = server.cpu.as_secs_f64() / trial.measured_for.as_secs_f64();
            // The fixture's measured requests differ from the calculated ones by a few thousandths.
            let predicted_cores = predicted.cores.expect("CPU time was measured");
            assert!((predicted_cores / cores - 1.0).abs() < 0.01, "{predicted:?}");
            assert!(is_near(predicted.memory.expect("memory was measured"), server.memory as f64));
            assert!(is_near(predicted.bytes_up_per_minute, trial.measured.up.total()));
            assert!(is_near(predicted.bytes_down_per_minute, trial.measured.down.total()));
        }
    }

    #[test]
    fn an_interrupted_trial_is_compared_with_its_own_duration() {
        let mut comparison = comparison();
        let trial = &mut comparison.trials[0];
        trial.measured_for /= 4;
        trial.measured.up.headers /= 4.0;
        let constants = Constants::of(&comparison.trials[0], &comparison.config, &formula);
        assert!((constants.up.value - 1.002).abs() < 1e-9, "{constants:?}");
    }

    #[test]
    fn only_push_transports_scale_with_the_events_alone() {
        let [few, many] =
            [6.0, 60.0].map(|events| predicted_trial(1_000_000, events, Transport::EventStream));
        let cores = |trial: &PredictedTrial| trial.cores.expect("CPU time was measured");
        assert!(is_near(cores(&many), 10.0 * cores(&few)));
        assert_eq!((few.requests_per_minute, few.fan_out_ms), (0.0, many.fan_out_ms));
        let polls = predicted_trial(1_000_000, 6.0, Transport::ShortPoll);
        assert_eq!((polls.requests_per_minute, polls.fan_out_ms), (10_000_000.0, None));
        assert!(polls.processes() > Some(1.0));
    }

    #[test]
    fn the_cost_is_unknown_without_server_figures() {
        let mut comparison = comparison();
        for trial in &mut comparison.trials {
            trial.server = None;
        }
        let prediction = predict(&comparison, 1_000_000, 6.0, &formula, &formula);
        let trial = &prediction.trials[4];
        assert_eq!(
            (trial.cores, trial.memory, trial.fan_out_ms, trial.processes()),
            (None, None, None, None)
        );
        let text = table(&prediction);
        assert!(text.contains("not known") && !text.contains("more than one barewire process"), "{text}");
    }

    #[test]
    fn memory_is_unknown_if_it_grew_too_little() {
        let mut comparison = comparison();
        let server = comparison.trials[0].server.as_mut().expect("the server was measured");
        server.memory = server.memory_before + MIN_GROWTH - 1;
        let server = comparison.trials[1].server.as_mut().expect("the server was measured");
        server.memory = server.memory_before - 4096;
        let prediction = predict(&comparison, 1_000_000, 6.0, &formula, &formula);
        let memory: Vec<_> = prediction.trials.iter().map(|trial| trial.memory.is_some()).collect();
        assert_eq!(memory, [false, false, true, true, true, true]);
        let text = table(&prediction);
        assert!(text.contains("grew by less than 524 kB"), "{text}");
        comparison.trials.drain(..2);
        assert_eq!(predict(&comparison, 1_000_000, 6.0, &formula, &formula).memory_note(), None);
    }
}
