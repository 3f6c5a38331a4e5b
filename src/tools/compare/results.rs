//! What a comparison comes to.

use std::time::Duration;

use super::Plan;
use crate::client::follow::Via;

/// A comparison, as far as it has come.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// What was asked for.
    pub plan: Plan,
    /// The legs that were measured; fewer than asked for, or the last one shorter, if it was interrupted.
    pub legs: Vec<Leg>,
    /// Whether it was ended before all legs were whole: by a Ctrl-C, or by a leg that failed.
    pub is_interrupted: bool,
}

/// One transport, measured and calculated.
#[derive(Clone, Debug, PartialEq)]
pub struct Leg {
    /// The transport.
    pub via: Via,
    /// From one short poll to the next.
    pub interval: Option<Duration>,
    /// How long it was measured.
    pub measured_for: Duration,
    /// Events that were published meanwhile.
    pub published: u64,
    /// Events that reached a client, each client counted; it should be `published` times the clients.
    pub arrived: u64,
    /// Events that should have reached a client and did not, each client counted. It must be 0.
    pub lost: u64,
    /// Events that reached a client again. It must be 0.
    pub doubled: u64,
    /// Connections that were lost on the way, or refused, and were opened anew.
    pub returns: u64,
    /// What was measured.
    pub measured: Figures,
    /// What arithmetic says.
    pub predicted: Figures,
    /// What it cost the server, if it is on this machine.
    pub server: Option<ServerFigures>,
    /// The CPU time of the clients, all in one thread. Where it nears `measured_for`, they and not the server make the delay.
    pub client_cpu: Option<Duration>,
}

/// What can be both measured and calculated, of all clients together.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figures {
    /// Requests in a minute, handshakes among them.
    pub requests_per_minute: f64,
    /// Of these, those that were answered without an event.
    pub empty_per_minute: f64,
    /// Connections opened, from the first client on to the end of the measurement.
    pub connections: f64,
    /// From clients to server, while it was measured.
    pub up: Bytes,
    /// From server to clients, while it was measured.
    pub down: Bytes,
    /// From an event's publishing to its arrival.
    pub delay: DelayFigures,
}

/// Bytes as the sockets have them, above TCP.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bytes {
    /// Heads of requests and answers, chunk sizes, frame headers: what is there for the transport.
    pub headers: f64,
    /// The content of answers and the payload of messages.
    pub payload: f64,
}

/// Quantiles of the delay, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct DelayFigures {
    /// The mean.
    pub mean: f64,
    /// Half of them are not longer.
    pub p50: f64,
    /// 95 % of them are not longer.
    pub p95: f64,
    /// 99 % of them are not longer.
    pub p99: f64,
    /// The longest.
    pub max: f64,
}

/// What it cost the server.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ServerFigures {
    /// CPU time while it was measured.
    pub cpu: Duration,
    /// Memory in user space at the end of the measurement, in bytes: the proportional set size.
    pub memory: u64,
    /// The same before the first client came.
    pub memory_before: u64,
}

/// The last seconds of a leg.
const VERY_END: f64 = 0.01;

impl Leg {
    /// Events that were due while it was measured and were not published, for the server had not yet answered the one before. One that was
    /// due at the very end is none of them: a server needs a moment to answer.
    pub fn unpublished(&self, plan: &Plan) -> u64 {
        let ran = Plan { duration: plan.duration.min(self.measured_for), ..plan.clone() };
        let last_due = (ran.events() as f64 - 0.5) * 60.0 / ran.events_per_minute;
        let is_at_the_end = ran.duration.as_secs_f64() - last_due < VERY_END;
        match ran.events().saturating_sub(self.published) {
            1 if is_at_the_end => 0,
            missing => missing,
        }
    }
}

impl Figures {
    /// Answers without an event among all requests, in percent; 0 without requests.
    pub fn empty_percent(&self) -> f64 {
        if self.requests_per_minute > 0.0 {
            100.0 * self.empty_per_minute / self.requests_per_minute
        } else {
            0.0
        }
    }
}

impl Bytes {
    /// So many times as many.
    pub fn times(self, factor: f64) -> Self {
        Self { headers: self.headers * factor, payload: self.payload * factor }
    }

    /// All of them.
    pub fn total(&self) -> f64 {
        self.headers + self.payload
    }
}

/// How far `measured` is from `predicted`, in percent of that; `None` where that is 0.
pub fn difference(measured: f64, predicted: f64) -> Option<f64> {
    (predicted != 0.0).then(|| 100.0 * (measured - predicted) / predicted)
}
