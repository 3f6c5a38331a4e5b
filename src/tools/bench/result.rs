//! What a run comes to, and what several runs come to.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::time::Duration;

use super::session::status_of;
use crate::protocol::websocket::client_handshake::RequestError;
use crate::tools::load::Delays;
use crate::tools::load::meter::Cost;
use crate::tools::load::pool::Why;

/// One run.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// What the measured time has cost.
    pub cost: Cost,
    /// The work done in it, in the workload's unit.
    pub done: u64,
    /// The latencies of what was due in it.
    pub delays: Delays,
    /// Bytes written by the clients in it.
    pub bytes_up: u64,
    /// Bytes read by the clients in it.
    pub bytes_down: u64,
    /// Messages, requests or connections begun in the whole run; of a fan-out, deliveries owed.
    pub sent: u64,
    /// Of these, those that were answered, or have arrived.
    pub answered: u64,
    /// Of these, those that were not, though there was time. It must be 0.
    pub lost: u64,
    /// Due, and never sent: the server could not keep up with the rate.
    pub unsent: u64,
    /// Events that reached a follower again. It must be 0.
    pub doubled: u64,
    /// Answers with a status that is neither 2xx nor 304, and messages that came back other than they were sent. It must be 0.
    pub wrong: u64,
    /// Connections that the server had ended in order, and that were opened anew.
    pub reconnects: u64,
    /// Of a fan-out: events published in the measured time.
    pub events: Option<u64>,
    /// What went wrong with connections, by kind.
    pub errors: BTreeMap<String, u64>,
    /// Of idle connections: what they hold.
    pub held: Option<Held>,
}

/// What idle connections hold, in bytes of all of them together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// How many they are.
    pub connections: usize,
    /// More in user space of the server than before; `None` if its process is not known.
    pub user: Option<i64>,
    /// More in the kernel than before, of the whole machine: both ends' sockets, where the clients are on it.
    pub kernel: Option<i64>,
}

impl Held {
    /// Bytes of user space for a connection.
    pub fn user_each(&self) -> Option<f64> {
        Some(self.user? as f64 / self.connections as f64)
    }

    /// Bytes of the kernel for a connection.
    pub fn kernel_each(&self) -> Option<f64> {
        Some(self.kernel? as f64 / self.connections as f64)
    }
}

impl Run {
    /// Work in a second.
    pub fn per_second(&self) -> f64 {
        ratio(self.done as f64, self.cost.wall).unwrap_or_default()
    }

    /// Work in a second of the server's CPU time.
    pub fn per_server_cpu_second(&self) -> Option<f64> {
        ratio(self.done as f64, self.cost.server_cpu?)
    }

    /// The server's CPU time, in percent of the time on the clock.
    pub fn server_cpu_percent(&self) -> Option<f64> {
        ratio(100.0 * self.cost.server_cpu?.as_secs_f64(), self.cost.wall)
    }

    /// The clients' CPU time, in percent of the time on the clock.
    pub fn client_cpu_percent(&self) -> Option<f64> {
        ratio(100.0 * self.cost.client_cpu?.as_secs_f64(), self.cost.wall)
    }

    /// Whether the server has done all that it should.
    pub fn is_right(&self) -> bool {
        self.lost == 0 && self.doubled == 0 && self.wrong == 0 && self.errors.is_empty()
    }

    pub(super) fn error(&mut self, kind: String) {
        *self.errors.entry(kind).or_default() += 1;
    }
}

fn ratio(work: f64, time: Duration) -> Option<f64> {
    let ratio = work / time.as_secs_f64();
    ratio.is_finite().then_some(ratio)
}

/// The middle of some figures, and how far they spread.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// Half of them are not larger; between the two in the middle where their number is even.
    pub median: f64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
}

impl Spread {
    /// That of these; `None` if there are none, or one of them is not known.
    pub fn of(figures: impl IntoIterator<Item = Option<f64>>) -> Option<Self> {
        let mut figures: Vec<f64> = figures.into_iter().collect::<Option<_>>()?;
        figures.sort_by(f64::total_cmp);
        let (min, max) = (*figures.first()?, *figures.last()?);
        let middle = figures.len() / 2;
        let low = if figures.len().is_multiple_of(2) { middle - 1 } else { middle };
        Some(Self { median: f64::midpoint(figures[low], figures[middle]), min, max })
    }
}

/// Why there is no run.
#[derive(Debug)]
pub enum Failed {
    /// The server can't be reached.
    Unreachable(String),
    /// It does not do as it should.
    Refused(String),
    /// What is asked for can't be asked for.
    Request(RequestError),
    /// The system's: out of descriptors, out of ports.
    System(io::Error),
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(what) | Self::Refused(what) => f.write_str(what),
            Self::Request(error) => error.fmt(f),
            Self::System(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Failed {}

impl From<RequestError> for Failed {
    fn from(error: RequestError) -> Self {
        Self::Request(error)
    }
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

impl Failed {
    /// What it means that a connection is gone before the measuring, when so many of those that are wanted are there.
    pub(super) fn gathering(why: Why, ready: usize, wanted: usize) -> Self {
        match why {
            Why::NoConnection(error) if ready == 0 => Self::Unreachable(format!("no connection: {error}")),
            why => Self::Refused(format!("only {ready} of {wanted} connections: {}", kind_of(&why))),
        }
    }
}

/// What has gone wrong, in words that are the same for all connections of which that is so.
pub(super) fn kind_of(why: &Why) -> String {
    match why {
        Why::NoConnection(error) => format!("no connection: {error}"),
        Why::Broken(error) => format!("broken: {error}"),
        Why::Ended => "ended by the server".into(),
        Why::Wrong(error) => match status_of(error) {
            Some(status) => format!("refused with {status}"),
            None => error.to_string(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        let spread = |figures: &[f64]| Spread::of(figures.iter().copied().map(Some));
        assert_eq!(spread(&[3.0, 1.0, 2.0]), Some(Spread { median: 2.0, min: 1.0, max: 3.0 }));
        assert_eq!(spread(&[4.0, 1.0, 2.0, 3.0]), Some(Spread { median: 2.5, min: 1.0, max: 4.0 }));
        assert_eq!(spread(&[7.0]), Some(Spread { median: 7.0, min: 7.0, max: 7.0 }));
        assert_eq!(spread(&[]), None);
        assert_eq!(Spread::of([Some(1.0), None]), None);
    }

    #[test]
    fn work_is_set_against_each_time() {
        let second = Duration::from_secs(1);
        let cost = Cost { wall: 2 * second, server_cpu: Some(second), client_cpu: None };
        let run = Run { cost, done: 100, ..Run::default() };
        assert_eq!((run.per_second(), run.per_server_cpu_second()), (50.0, Some(100.0)));
        assert_eq!((run.server_cpu_percent(), run.client_cpu_percent()), (Some(50.0), None));
        // A server that was not counted has not cost nothing.
        let idle = Run { cost: Cost { server_cpu: Some(Duration::ZERO), ..cost }, ..run.clone() };
        assert_eq!(idle.per_server_cpu_second(), None);
        assert!(run.is_right());
        assert!(!Run { lost: 1, ..run }.is_right());
    }
}
