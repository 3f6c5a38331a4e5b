//! The result of one run, and the spread over several.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::time::Duration;

use super::session::refusal_status;
use crate::protocol::websocket::client_handshake::RequestError;
use crate::tools::load::{Cost, DelayHistogram, EndReason};

/// The result of one run. Figures are of the measured time unless stated otherwise.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// The time and CPU time used.
    pub cost: Cost,
    /// The work done, in the workload's unit.
    pub done: u64,
    /// The latencies of everything that was due.
    pub delays: DelayHistogram,
    /// Bytes written by the clients.
    pub bytes_up: u64,
    /// Bytes read by the clients.
    pub bytes_down: u64,
    /// Messages, requests or connections begun in the whole run; for a fan-out, expected
    /// deliveries.
    pub sent: u64,
    /// The part of `sent` that was answered or has arrived.
    pub answered: u64,
    /// The part of `sent` that did not arrive in time. Must be 0.
    pub lost: u64,
    /// Messages that were due and never sent, because the server could not keep up with the rate.
    pub unsent: u64,
    /// Events that reached a follower more than once. Must be 0.
    pub doubled: u64,
    /// Responses with a status other than 2xx and 304, and messages that returned changed. Must be
    /// 0.
    pub wrong: u64,
    /// Connections that the server closed in an orderly way and that were opened again.
    pub reconnects: u64,
    /// For a fan-out: the events published.
    pub events: Option<u64>,
    /// The number of connections that failed, by reason.
    pub errors: BTreeMap<String, u64>,
    /// For idle connections: the memory that they use.
    pub idle_memory: Option<IdleMemory>,
}

/// The memory of all idle connections together, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdleMemory {
    /// The number of connections.
    pub connections: usize,
    /// Growth of the server's user-space memory; `None` if its processes are unknown.
    pub user: Option<i64>,
    /// Growth of the kernel's memory on this machine, which includes the clients' sockets.
    pub kernel: Option<i64>,
}

impl IdleMemory {
    /// Returns the user-space memory per connection, in bytes.
    pub fn user_each(&self) -> Option<f64> {
        Some(self.user? as f64 / self.connections as f64)
    }

    /// Returns the kernel memory per connection, in bytes.
    pub fn kernel_each(&self) -> Option<f64> {
        Some(self.kernel? as f64 / self.connections as f64)
    }
}

impl Run {
    /// Returns the work per second.
    pub fn per_second(&self) -> f64 {
        ratio(self.done as f64, self.cost.wall).unwrap_or_default()
    }

    /// Returns the work per second of the server's CPU time.
    pub fn per_server_cpu_second(&self) -> Option<f64> {
        ratio(self.done as f64, self.cost.server_cpu?)
    }

    /// Returns the server's CPU time, in percent of the elapsed time.
    pub fn server_cpu_percent(&self) -> Option<f64> {
        ratio(100.0 * self.cost.server_cpu?.as_secs_f64(), self.cost.wall)
    }

    /// Returns the clients' CPU time, in percent of the elapsed time.
    pub fn client_cpu_percent(&self) -> Option<f64> {
        ratio(100.0 * self.cost.client_cpu?.as_secs_f64(), self.cost.wall)
    }

    /// Returns whether nothing was lost, doubled, wrong or broken.
    pub fn is_right(&self) -> bool {
        self.lost == 0 && self.doubled == 0 && self.wrong == 0 && self.errors.is_empty()
    }

    pub(super) fn count_error(&mut self, reason: String) {
        *self.errors.entry(reason).or_default() += 1;
    }
}

fn ratio(work: f64, time: Duration) -> Option<f64> {
    let ratio = work / time.as_secs_f64();
    ratio.is_finite().then_some(ratio)
}

/// The median of some figures, and their range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The middle figure, or the mean of the two in the middle if their number is even.
    pub median: f64,
    pub min: f64,
    pub max: f64,
}

impl Spread {
    /// Returns the spread of these figures; `None` if there are none or one of them is unknown.
    pub fn of(figures: impl IntoIterator<Item = Option<f64>>) -> Option<Self> {
        let mut figures: Vec<f64> = figures.into_iter().collect::<Option<_>>()?;
        figures.sort_by(f64::total_cmp);
        let (min, max) = (*figures.first()?, *figures.last()?);
        let middle = figures.len() / 2;
        let low = if figures.len().is_multiple_of(2) { middle - 1 } else { middle };
        Some(Self { median: f64::midpoint(figures[low], figures[middle]), min, max })
    }
}

/// Why a bench ends without a result.
#[derive(Debug)]
pub enum BenchError {
    /// The server cannot be reached.
    Unreachable(String),
    /// The server refuses the load, or does not answer as expected.
    Refused(String),
    /// The request cannot be sent.
    Request(RequestError),
    /// The operating system failed, for example because no descriptors or ports are left.
    System(io::Error),
}

impl fmt::Display for BenchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(message) | Self::Refused(message) => f.write_str(message),
            Self::Request(error) => error.fmt(f),
            Self::System(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for BenchError {}

impl From<RequestError> for BenchError {
    fn from(error: RequestError) -> Self {
        Self::Request(error)
    }
}

impl From<io::Error> for BenchError {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

impl BenchError {
    /// Returns the error for a connection that ended before the measurement, when `ready` of
    /// `wanted` connections were open.
    pub(super) fn while_connecting(reason: EndReason, ready: usize, wanted: usize) -> Self {
        match reason {
            EndReason::NotConnected(error) if ready == 0 => {
                Self::Unreachable(format!("no connection: {error}: check that the server is running"))
            }
            reason => Self::Refused(format!(
                "only {ready} of {wanted} connections became ready: {}",
                describe(&reason)
            )),
        }
    }
}

/// Describes why a connection ended. Connections that failed alike have the same description.
pub(super) fn describe(reason: &EndReason) -> String {
    match reason {
        EndReason::NotConnected(error) => format!("no connection: {error}"),
        EndReason::Broken(error) => format!("broken: {error}"),
        EndReason::Closed => "closed by the server".into(),
        EndReason::Protocol(error) => match refusal_status(error) {
            Some(status) => format!("refused with {status}"),
            None => error.to_string(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_figure() {
        let spread = |figures: &[f64]| Spread::of(figures.iter().copied().map(Some));
        assert_eq!(spread(&[3.0, 1.0, 2.0]), Some(Spread { median: 2.0, min: 1.0, max: 3.0 }));
        assert_eq!(spread(&[4.0, 1.0, 2.0, 3.0]), Some(Spread { median: 2.5, min: 1.0, max: 4.0 }));
        assert_eq!(spread(&[7.0]), Some(Spread { median: 7.0, min: 7.0, max: 7.0 }));
        assert_eq!(spread(&[]), None);
        assert_eq!(Spread::of([Some(1.0), None]), None);
    }

    #[test]
    fn divides_the_work_by_elapsed_time_and_by_cpu_time() {
        let second = Duration::from_secs(1);
        let cost = Cost { wall: 2 * second, server_cpu: Some(second), client_cpu: None };
        let run = Run { cost, done: 100, ..Run::default() };
        assert_eq!((run.per_second(), run.per_server_cpu_second()), (50.0, Some(100.0)));
        assert_eq!((run.server_cpu_percent(), run.client_cpu_percent()), (Some(50.0), None));
        // CPU time too short to be counted is unknown, not zero.
        let idle = Run { cost: Cost { server_cpu: Some(Duration::ZERO), ..cost }, ..run.clone() };
        assert_eq!(idle.per_server_cpu_second(), None);
        assert!(run.is_right());
        assert!(!Run { lost: 1, ..run }.is_right());
    }
}
