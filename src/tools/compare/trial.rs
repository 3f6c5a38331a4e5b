//! One trial: the clients connect, events are published and measured, and the last ones arrive.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::arithmetic::Arithmetic;
use super::clients::{Clients, Counts};
use super::config::CompareConfig;
use super::error::CompareError;
use super::event_loop::EventLoop;
use super::publisher::{Publisher, Schedule};
use super::results::{Bytes, DelayFigures, Figures, ServerFigures, Trial};
use crate::client::connect::connect_tcp;
use crate::client::follow::{Resource, Transport};

use crate::tools::load::{Cost, DelayHistogram, Meter, Process, user_memory};

/// How many clients connect per second, unless they are spread over an interval.
const CONNECTS_PER_SECOND: f64 = 4000.0;

/// The timeout of the connection that checks whether the server is reachable.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The time for all clients to follow, after the last one has started.
const FOLLOW_TIMEOUT: Duration = Duration::from_secs(30);

/// The time for the last event to arrive, in addition to the interval of short polls.
const ARRIVAL_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest time between two progress reports.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);

/// The progress of a trial.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Progress {
    /// Clients connect.
    Connecting { following: usize },
    /// Events are published and measured.
    Measuring { elapsed: Duration, requests: u64 },
    /// The measurement is over, and the last events arrive.
    Draining,
}

/// Runs one trial on a topic that has no other clients. Calls `proceed` with the progress at least
/// ten times per second. When `proceed` returns false, the trial ends with the figures so far; the
/// result is `None` if there are none.
///
/// # Errors
/// A [`CompareError`] if the server is unreachable, refuses, or violates a protocol.
pub fn measure(
    config: &CompareConfig,
    via: Transport,
    interval: Option<Duration>,
    resource: &Resource,
    server: Option<Process>,
    proceed: &mut dyn FnMut(Progress) -> bool,
) -> Result<Option<Trial>, CompareError> {
    let mut resource = resource.clone();
    resource.wait = config.wait;
    resource.interval = interval.unwrap_or_default();
    let address = reachable_address(&resource)?;
    let memory_before = user_memory(server.as_slice());

    let began = Instant::now();
    let spread =
        interval.unwrap_or_else(|| Duration::from_secs_f64(config.clients as f64 / CONNECTS_PER_SECOND));
    let clients = Clients::new(via, resource.clone(), config.clients, began, spread)?;
    let mut trial = EventLoop::new(address, clients, Publisher::new(resource.clone(), config.size))?;
    if !connect_clients(&mut trial, began + spread + FOLLOW_TIMEOUT, proceed)? {
        return Ok(None);
    }

    let meter = Meter::start(server.as_slice());
    let start = Instant::now();
    let counts_before = trial.clients().counts();
    trial.publisher_mut().start(Schedule::new(start, config));
    let is_complete = publish(&mut trial, start, config.duration, proceed)?;
    let cost = meter.stop(server.as_slice());
    let (end, counts) = (Instant::now(), trial.clients().counts());
    let memory = user_memory(server.as_slice());

    trial.publisher_mut().stop();
    drain(&mut trial, end, resource.interval, is_complete, proceed)?;
    let published = trial.publisher().published();
    // An event is lost if a later one has arrived, or if the trial waited for it long enough.
    let was_awaited = end.elapsed() >= resource.interval + ARRIVAL_TIMEOUT;
    let (lost, duplicated) = trial.clients_mut().finish(if was_awaited { published } else { 0 });
    let delays = trial.clients().delays();
    let measured = CompareConfig { duration: config.duration.min(cost.wall), ..config.clone() };
    Ok(Some(Trial {
        via,
        interval,
        measured_for: cost.wall,
        published,
        arrived: delays.count(),
        lost,
        duplicated,
        reconnects: counts.reconnects,
        measured: figures(counts - counts_before, cost.wall, delays),
        calculated: Arithmetic::new(&resource).trial(&measured, via, interval),
        server: server_figures(cost, memory, memory_before),
        client_cpu: cost.client_cpu,
    }))
}

/// Runs until all clients follow the topic, or until `deadline`. Returns false if `proceed` did.
fn connect_clients(
    trial: &mut EventLoop,
    deadline: Instant,
    proceed: &mut dyn FnMut(Progress) -> bool,
) -> Result<bool, CompareError> {
    let clients = trial.clients().count();
    loop {
        let following = trial.clients().following();
        if following >= clients {
            return Ok(true);
        }
        let now = Instant::now();
        if now > deadline {
            let reason = trial.clients().last_error().map(str::to_owned);
            return Err(CompareError::TooFewClients { following, clients, reason });
        }
        if !proceed(Progress::Connecting { following }) {
            return Ok(false);
        }
        trial.run_once(now + PROGRESS_INTERVAL)?;
    }
}

/// Publishes events until the end of the measurement. Returns false if `proceed` did.
fn publish(
    trial: &mut EventLoop,
    start: Instant,
    duration: Duration,
    proceed: &mut dyn FnMut(Progress) -> bool,
) -> Result<bool, CompareError> {
    let requests_before = trial.clients().counts().requests;
    // An event that is already due is published even if the machine was late.
    while start.elapsed() < duration || trial.publisher().is_event_due(Instant::now()) {
        trial.run_once((start + duration).min(Instant::now() + PROGRESS_INTERVAL))?;
        let requests = trial.clients().counts().requests - requests_before;
        if !proceed(Progress::Measuring { elapsed: start.elapsed(), requests }) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Waits for the published events to arrive. Requests and bytes no longer count. Clients poll every
/// `interval`.
fn drain(
    trial: &mut EventLoop,
    end: Instant,
    interval: Duration,
    mut is_complete: bool,
    proceed: &mut dyn FnMut(Progress) -> bool,
) -> Result<(), CompareError> {
    while !trial.clients().have_all(trial.publisher().published()) {
        // After a Ctrl-C, the command does not wait for the next polls, which may be an hour away.
        let interval = if is_complete { interval } else { Duration::ZERO };
        if end.elapsed() >= interval + ARRIVAL_TIMEOUT {
            break;
        }
        trial.run_once(Instant::now() + PROGRESS_INTERVAL)?;
        is_complete &= proceed(Progress::Draining);
    }
    Ok(())
}

fn server_figures(cost: Cost, memory: Option<u64>, memory_before: Option<u64>) -> Option<ServerFigures> {
    Some(ServerFigures { cpu: cost.server_cpu?, memory: memory?, memory_before: memory_before? })
}

fn figures(counts: Counts, measured_for: Duration, delays: &DelayHistogram) -> Figures {
    let minutes = measured_for.as_secs_f64() / 60.0;
    let bytes = |all: u64, payload: u64| Bytes {
        // The first bytes of a message may have been read before the measurement started. Its
        // payload counts when the last byte is read.
        headers: all.saturating_sub(payload) as f64,
        payload: payload as f64,
    };
    Figures {
        requests_per_minute: counts.requests as f64 / minutes,
        empty_per_minute: counts.empty as f64 / minutes,
        connections: counts.connections as f64,
        up: bytes(counts.bytes.up, counts.payload.up),
        down: bytes(counts.bytes.down, counts.payload.down),
        delay: delay_figures(delays),
    }
}

fn delay_figures(delays: &DelayHistogram) -> DelayFigures {
    let milliseconds = |delay: Duration| delay.as_secs_f64() * 1000.0;
    DelayFigures {
        mean: milliseconds(delays.mean()),
        p50: milliseconds(delays.quantile(0.5)),
        p95: milliseconds(delays.quantile(0.95)),
        p99: milliseconds(delays.quantile(0.99)),
        max: milliseconds(delays.max()),
    }
}

/// Returns the first of the host's addresses that accepts a connection. `localhost` may have two
/// addresses, and the server may listen on only one of them.
fn reachable_address(resource: &Resource) -> Result<SocketAddr, CompareError> {
    let url = resource.url();
    connect_tcp(&url.host, url.port, Instant::now() + CONNECT_TIMEOUT)
        .and_then(|stream| stream.peer_addr())
        .map_err(CompareError::Unreachable)
}
