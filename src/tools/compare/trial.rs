//! One trial: the clients connect, events are published and measured, and the last ones arrive.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::{Events, Poll, Token};

use super::arithmetic::Arithmetic;
use super::client_pool::{ClientPool, Counts};
use super::config::CompareConfig;
use super::publisher::{Publisher, Schedule};
use super::results::{Bytes, DelayFigures, Figures, ServerFigures, Trial};
use crate::client::connect::connect_tcp;
use crate::client::follow::{Error, Resource, Via};

use crate::tools::load::{Cost, DelayHistogram, Meter, Process, user_memory};

/// The token of the publisher's connection. A client's token is its index.
const PUBLISHER: Token = Token(usize::MAX - 1);

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

/// An error that ends a trial without a result.
#[derive(Debug)]
pub enum CompareError {
    Io(io::Error),
    /// The server refused, or its response is invalid.
    Client(Error),
    /// No server accepts connections at the host and port of the URL.
    Unreachable {
        authority: String,
        error: io::Error,
    },
    /// Not all clients followed the topic in time.
    TooFewClients {
        following: usize,
        clients: usize,
        /// The last error of a connection, if there was one.
        reason: Option<String>,
    },
    /// An event could not be published.
    Publish(String),
}

impl fmt::Display for CompareError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Client(error) => error.fmt(f),
            Self::Unreachable { authority, error } => write!(f, "cannot connect to {authority}: {error}"),
            Self::TooFewClients { following, clients, reason } => {
                let reason = reason.as_deref().unwrap_or("no response");
                write!(
                    f,
                    "only {following} of {clients} clients follow the topic ({reason}): check the server's limit \
                     on connections"
                )
            }
            Self::Publish(reason) => write!(f, "an event could not be published: {reason}"),
        }
    }
}

impl std::error::Error for CompareError {}

impl From<io::Error> for CompareError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Error> for CompareError {
    fn from(error: Error) -> Self {
        Self::Client(error)
    }
}

/// Runs one trial on a topic that has no other clients. Calls `proceed` with the progress at least ten
/// times per second. When `proceed` returns false, the trial ends with the figures so far; the result
/// is `None` if there are none.
///
/// # Errors
/// A [`CompareError`] if the server is unreachable, refuses, or violates a protocol.
pub fn measure(
    config: &CompareConfig,
    via: Via,
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

    let mut trial = TrialLoop::new(address, via, &resource, config.clients)?;
    if !trial.connect_clients(proceed)? {
        return Ok(None);
    }

    let meter = Meter::start(server.as_slice());
    let start = Instant::now();
    let schedule = Schedule::new(start, config);
    let counts_before = trial.clients.counts();
    let mut publisher = Publisher::new(address, PUBLISHER, resource.clone(), config.size, schedule);
    let is_complete = trial.publish(&mut publisher, start, config.duration, proceed)?;
    let cost = meter.stop(server.as_slice());
    let (end, counts) = (Instant::now(), trial.clients.counts());
    let memory = user_memory(server.as_slice());

    publisher.stop();
    trial.drain(&mut publisher, end, is_complete, proceed)?;
    // An event is lost if a later one has arrived, or if the trial waited for it long enough.
    let was_awaited = end.elapsed() >= resource.interval + ARRIVAL_TIMEOUT;
    let published = publisher.published();
    let (lost, duplicated) = trial.clients.finish(if was_awaited { published } else { 0 });
    let duration = config.duration.min(cost.wall);
    let delays = trial.clients.delays();
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
        calculated: Arithmetic::new(&resource).trial(
            &CompareConfig { duration, ..config.clone() },
            via,
            interval,
        ),
        server: server_figures(cost, memory, memory_before),
        client_cpu: cost.client_cpu,
    }))
}

/// The event loop of one trial.
struct TrialLoop {
    poll: Poll,
    events: Events,
    clients: ClientPool,
    client_count: usize,
    start: Instant,
    /// The time over which the clients' starts are spread.
    spread: Duration,
    /// The time between two short polls; zero for the other transports.
    interval: Duration,
}

impl TrialLoop {
    fn new(address: SocketAddr, via: Via, resource: &Resource, client_count: usize) -> io::Result<Self> {
        let start = Instant::now();
        let interval = resource.interval;
        let spread = match via {
            Via::ShortPoll => interval,
            Via::LongPoll | Via::EventStream | Via::WebSocket => {
                Duration::from_secs_f64(client_count as f64 / CONNECTS_PER_SECOND)
            }
        };
        let clients = ClientPool::new(address, via, resource.clone(), client_count, start, spread)?;
        let (poll, events) = (Poll::new()?, Events::with_capacity(4096));
        Ok(Self { poll, events, clients, client_count, start, spread, interval })
    }

    /// Runs until all clients follow the topic. Returns false if `proceed` did.
    fn connect_clients(&mut self, proceed: &mut dyn FnMut(Progress) -> bool) -> Result<bool, CompareError> {
        loop {
            let following = self.clients.following();
            if following >= self.client_count {
                return Ok(true);
            }
            let now = Instant::now();
            if now > self.start + self.spread + FOLLOW_TIMEOUT {
                let reason = self.clients.last_error().map(str::to_owned);
                return Err(CompareError::TooFewClients { following, clients: self.client_count, reason });
            }
            if !proceed(Progress::Connecting { following }) {
                return Ok(false);
            }
            self.run_once(None, now + PROGRESS_INTERVAL)?;
        }
    }

    /// Publishes events until the end of the measurement. Returns false if `proceed` did.
    fn publish(
        &mut self,
        publisher: &mut Publisher,
        start: Instant,
        duration: Duration,
        proceed: &mut dyn FnMut(Progress) -> bool,
    ) -> Result<bool, CompareError> {
        let requests_before = self.clients.counts().requests;
        // An event that is already due is published even if the machine was late.
        while start.elapsed() < duration || publisher.is_event_due(Instant::now()) {
            let until = (start + duration).min(Instant::now() + PROGRESS_INTERVAL);
            self.run_once(Some(publisher), until)?;
            let requests = self.clients.counts().requests - requests_before;
            if !proceed(Progress::Measuring { elapsed: start.elapsed(), requests }) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Waits for the published events to arrive. Requests and bytes no longer count.
    fn drain(
        &mut self,
        publisher: &mut Publisher,
        end: Instant,
        mut is_complete: bool,
        proceed: &mut dyn FnMut(Progress) -> bool,
    ) -> Result<(), CompareError> {
        while !self.clients.have_all(publisher.published()) {
            // After a Ctrl-C, the command does not wait for the next polls, which may be an hour away.
            let interval = if is_complete { self.interval } else { Duration::ZERO };
            if end.elapsed() >= interval + ARRIVAL_TIMEOUT {
                break;
            }
            self.run_once(Some(publisher), Instant::now() + PROGRESS_INTERVAL)?;
            is_complete &= proceed(Progress::Draining);
        }
        Ok(())
    }

    /// Runs one loop iteration: waits at most until `until`, then handles what is ready or due.
    fn run_once(
        &mut self,
        mut publisher: Option<&mut Publisher>,
        until: Instant,
    ) -> Result<(), CompareError> {
        let wakeup = publisher.as_ref().and_then(|publisher| publisher.wakeup());
        let until = [self.clients.wakeup(), wakeup].into_iter().flatten().fold(until, Instant::min);
        match self.poll.poll(&mut self.events, Some(until.saturating_duration_since(Instant::now()))) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            polled => polled?,
        }
        for event in self.events.iter() {
            if event.token() == PUBLISHER {
                if let Some(publisher) = &mut publisher {
                    publisher.on_ready()?;
                }
            } else {
                let published_at =
                    |number| publisher.as_ref().and_then(|publisher| publisher.published_at(number));
                self.clients.on_ready(event.token().0, self.poll.registry(), &published_at)?;
            }
        }
        if let Some(publisher) = publisher {
            publisher.run(Instant::now(), self.poll.registry())?;
        }
        self.clients.run(Instant::now(), self.poll.registry())
    }
}

fn server_figures(cost: Cost, memory: Option<u64>, memory_before: Option<u64>) -> Option<ServerFigures> {
    Some(ServerFigures { cpu: cost.server_cpu?, memory: memory?, memory_before: memory_before? })
}

fn figures(counts: Counts, measured_for: Duration, delays: &DelayHistogram) -> Figures {
    let minutes = measured_for.as_secs_f64() / 60.0;
    let bytes = |all: u64, payload: u64| Bytes {
        // The first bytes of a message may have been read before the measurement started. Its payload
        // counts when the last byte is read.
        headers: all.saturating_sub(payload) as f64,
        payload: payload as f64,
    };
    Figures {
        requests_per_minute: counts.requests as f64 / minutes,
        empty_per_minute: counts.empty as f64 / minutes,
        connections: counts.connections as f64,
        up: bytes(counts.bytes_up, counts.payload_up),
        down: bytes(counts.bytes_down, counts.payload_down),
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
        .map_err(|error| CompareError::Unreachable { authority: url.authority.clone(), error })
}
