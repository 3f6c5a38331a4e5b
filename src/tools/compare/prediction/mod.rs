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

mod json;
mod text;

use std::time::Duration;

pub use json::members;
pub use text::table;

use super::output::numbers::{bytes, count, duration};
use super::{Comparison, Figures, Leg, Plan};
use crate::client::follow::Via;

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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::compare::output::report::fixture::{curve, of};

    /// So many clients that what they cost in memory can be told.
    pub(super) fn comparison() -> Comparison {
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
}
