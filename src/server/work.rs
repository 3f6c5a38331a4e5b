//! The work of a loop iteration, in units, and its limits: no client can make an iteration long.
//!
//! A unit is about a nanosecond on the machine on which the costs below were measured. On another
//! machine, or on a busy one, the meter adapts: after each iteration it compares the units with the
//! time that has passed, and lets the next iteration do as many units as fit in [`ITERATION`].
//!
//! The iteration is divided twice. Each of its [`Phase`]s has a part of it, so that accepted
//! connections cannot delay the fan-out, nor the fan-out the requests. Within a phase each
//! connection has a turn, which ends when its share of the phase is used up. A connection that is
//! not served by then waits in a queue, and is served before the others in the next iteration.
//!
//! There are three queues, because a client that asks for little must not wait for those that ask
//! for a lot: for connections whose last turns were light, for new ones, and for those that did
//! much in one turn or had more to do when it ended.
//!
//! A limit is checked after each step, not within one. So every step must be short: one request,
//! one message, one write of at most 256 KiB, one piece of a long operation.

use std::time::Duration;

/// How long an iteration should take. It may exceed this by one step in each phase.
const ITERATION: Duration = Duration::from_millis(5);
/// The limit in units as long as no time has been measured, at one unit per nanosecond.
const NOMINAL: u64 = ITERATION.as_nanos() as u64;
/// The slowest and the fastest rate to which the meter adapts, in nanoseconds per 1,024 units. A
/// process that is not scheduled for a while looks like a slow machine, so there is a limit.
const RATES: (u64, u64) = (512, 8 * 1024);

/// A turn of more units than this is heavy: a usual request takes a fifth of it.
const HEAVY: u64 = 25_000;

/// How many bytes of the log one write takes at most, and how many at least, in bytes: less would
/// be more calls than work.
pub const MAX_WRITE_BYTES: usize = 256 * 1024;
const MIN_WRITE_BYTES: usize = 16 * 1024;

/// The costs in units.
pub mod cost {
    /// A turn of a connection, whatever it does.
    pub const TURN: u64 = 100;
    /// Accepting a connection.
    pub const ACCEPT: u64 = 8_000;
    /// Closing a connection.
    pub const CLOSE: u64 = 6_000;
    /// A read, without its bytes.
    pub const READ: u64 = 700;
    /// A write, without its bytes.
    pub const WRITE: u64 = 2_500;
    /// A request, without its response.
    pub const REQUEST: u64 = 1_500;
    /// Making the text of the metrics.
    pub const METRICS: u64 = 40_000;
    /// A WebSocket message or control frame.
    pub const MESSAGE: u64 = 60;
    /// Looking at one connection in a search for one to close.
    pub const LOOK: u64 = 8;

    /// Bytes that are moved: read, written or copied.
    pub const fn bytes(count: usize) -> u64 {
        count as u64 / 2
    }

    /// Bytes that are compressed.
    pub const fn deflated(count: usize) -> u64 {
        count as u64 * 40
    }
}

/// A part of a loop iteration, in the order in which they follow. The number says how much of the
/// iteration may be used when the phase ends, in eighths.
#[derive(Clone, Copy)]
pub enum Phase {
    /// Connections whose last turns were light.
    Ready = 2,
    /// Connections that are new, or have much to do.
    Backlog = 4,
    /// New events to their followers.
    FanOut = 6,
    /// Deadlines, and the followers that are too slow.
    Deadlines = 7,
    /// New connections.
    Accept = 8,
}

/// Measures the work of each iteration.
#[derive(Default)]
pub struct WorkMeter {
    /// The units of this iteration.
    spent: u64,
    /// The units of one iteration.
    limit: u64,
    phase_end: u64,
    /// The least share of a connection in this phase.
    least: u64,
    turn_began: u64,
    turn_end: u64,
    /// Nanoseconds per 1,024 units.
    rate: u64,
    /// The most units of one iteration since the start.
    pub max: u64,
}

impl WorkMeter {
    pub fn new() -> WorkMeter {
        WorkMeter { limit: NOMINAL, rate: 1024, ..WorkMeter::default() }
    }

    /// Adds units to the work of this iteration.
    pub fn charge(&mut self, units: u64) {
        self.spent += units;
    }

    /// Begins a phase. However much the earlier phases have used, it can make some progress.
    pub fn begin_phase(&mut self, phase: Phase) {
        self.phase_end = (self.limit * phase as u64 / 8).max(self.spent + self.limit / 32);
        self.turn_end = self.phase_end;
        // A light connection waits for all others that are ready, so each is served briefly. Later,
        // longer turns cost less.
        self.least = if matches!(phase, Phase::Ready) { 0 } else { self.limit / 128 };
    }

    /// Returns whether the phase has used its part of the iteration.
    pub fn is_phase_over(&self) -> bool {
        self.spent >= self.phase_end
    }

    /// Adds units that the connection which is being served did not cause by itself: they count for
    /// the iteration, but do not make its turn heavy.
    pub fn charge_besides(&mut self, units: u64) {
        self.spent += units;
        self.turn_began += units;
    }

    /// Begins the turn of one of `waiting` connections. Its share of the phase is at least one
    /// step, and at most a 32nd of an iteration.
    pub fn begin_turn(&mut self, waiting: usize) {
        let share = self.limit / 4 / waiting.max(1) as u64;
        self.spent += cost::TURN;
        self.turn_began = self.spent;
        self.turn_end = self.spent + share.clamp(self.least, self.limit / 32);
    }

    /// Returns whether the connection that is being served has done more than is common.
    pub fn is_turn_heavy(&self) -> bool {
        self.spent.saturating_sub(self.turn_began) > HEAVY
    }

    /// Returns how many bytes of the log one write may take in this turn.
    pub fn write_bytes(&self) -> usize {
        let units = self.turn_end.saturating_sub(self.spent);
        (units as usize * 2).clamp(MIN_WRITE_BYTES, MAX_WRITE_BYTES)
    }

    /// Returns whether the connection that is being served has used its share.
    pub fn is_turn_over(&self) -> bool {
        self.spent >= self.turn_end
    }

    /// Ends the iteration. `took` is the time that has passed; `None` if the clock does not move by
    /// itself.
    pub fn end_iteration(&mut self, took: Option<Duration>) {
        self.max = self.max.max(self.spent);
        // A short iteration says little about the rate.
        if let Some(took) = took.filter(|_| self.spent >= self.limit / 4) {
            let measured = took.as_nanos() as u64 * 1024 / self.spent;
            self.rate = (self.rate * 7 + measured.clamp(RATES.0, RATES.1)) / 8;
            self.limit = NOMINAL * 1024 / self.rate;
        }
        self.spent = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::{NOMINAL, Phase, WorkMeter};
    use std::time::Duration;

    #[test]
    fn a_phase_ends_at_its_part_and_still_progresses_after_a_long_one() {
        let mut meter = WorkMeter::new();
        meter.begin_phase(Phase::Ready);
        meter.charge(NOMINAL / 4 - 1);
        assert!(!meter.is_phase_over());
        meter.charge(NOMINAL);
        assert!(meter.is_phase_over());
        for phase in [Phase::Backlog, Phase::FanOut, Phase::Deadlines, Phase::Accept] {
            meter.begin_phase(phase);
            assert!(!meter.is_phase_over());
            meter.charge(NOMINAL / 32);
            assert!(meter.is_phase_over());
        }
        meter.end_iteration(None);
        assert_eq!(meter.max, NOMINAL / 4 - 1 + NOMINAL + NOMINAL / 32 * 4);
    }

    #[test]
    fn a_turn_is_a_share_of_the_phase() {
        let mut meter = WorkMeter::new();
        for (waiting, share) in [(1, NOMINAL / 32), (0, NOMINAL / 32), (1000, NOMINAL / 4000)] {
            meter.begin_turn(waiting);
            meter.charge(share - 1);
            assert!(!meter.is_turn_over());
            meter.charge(1);
            assert!(meter.is_turn_over());
        }
    }

    #[test]
    fn the_limit_follows_the_time_within_bounds() {
        let mut meter = WorkMeter::new();
        let mut settle = |units_each_nanosecond: f64| {
            for _ in 0..100 {
                let units = meter.limit;
                meter.charge(units);
                let took = Duration::from_nanos((units as f64 / units_each_nanosecond) as u64);
                meter.end_iteration(Some(took));
            }
            meter.limit as f64 / NOMINAL as f64
        };
        for (rate, expected) in [(1.0, 1.0), (0.5, 0.5), (0.01, 0.125), (1.5, 1.5), (100.0, 2.0)] {
            let limit = settle(rate);
            assert!((limit / expected - 1.0).abs() < 0.05, "{rate}: {limit}");
        }
        // An iteration that did little may have waited for anything.
        let before = meter.limit;
        meter.charge(10);
        meter.end_iteration(Some(Duration::from_secs(1)));
        assert_eq!(meter.limit, before);
    }
}
