//! One leg: a crowd comes, events are published for as long as it is measured, and what is under way arrives.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::{Events, Poll, Token};

use super::arithmetic::Arithmetic;
use super::client_pool::{Counts, Crowd};
use super::publisher::{Feed, Schedule};
use super::{Bytes, DelayFigures, Figures, Leg, Plan, ServerFigures};
use crate::client::connect::connect_tcp;
use crate::client::follow::{Error, Resource, Via};
use crate::tools::load::{DelayHistogram, Process};

/// The token of the connection that publishes; the members' are their numbers.
const FEED: Token = Token(usize::MAX - 1);

/// How many clients come in a second, where they are not spread over an interval.
const ARRIVALS: f64 = 4000.0;

/// For a first connection.
const CONNECT: Duration = Duration::from_secs(10);

/// For all clients to follow, once the last of them has come.
const PATIENCE: Duration = Duration::from_secs(30);

/// For the last event to arrive, beyond the interval of short polls.
const LAST_ARRIVAL: Duration = Duration::from_secs(5);

/// The longest time without a look at whether to go on.
const LOOK: Duration = Duration::from_millis(100);

/// How far a leg is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Progress {
    /// So many of the clients follow.
    Gathering(usize),
    /// It has been measured for so long, with so many requests.
    Measuring(Duration, u64),
    /// It is measured; what is under way arrives.
    Draining,
}

/// Why a comparison ends without a result.
#[derive(Debug)]
pub enum CompareError {
    /// The operating system's.
    Io(io::Error),
    /// The server refuses, or answers what can't be read.
    Client(Error),
    /// Nothing answers where the server should be.
    Unreachable {
        /// Host and port, as the URL has them.
        authority: String,
        /// The operating system's, of the last address that the host has.
        error: io::Error,
    },
    /// Not all of the clients came to follow in time.
    Gathering {
        /// How many did.
        following: usize,
        /// How many should have.
        clients: usize,
        /// What came between the last one and the server, if that is known.
        why: Option<String>,
    },
    /// An event could not be published, and this is why.
    Publishing(String),
}

impl fmt::Display for CompareError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Client(error) => error.fmt(f),
            Self::Unreachable { authority, error } => write!(f, "no connection to {authority}: {error}"),
            Self::Gathering { following, clients, why } => {
                let why = why.as_deref().unwrap_or("no answer");
                write!(
                    f,
                    "only {following} of {clients} clients came to follow ({why}): is the server's bound on connections lower?"
                )
            }
            Self::Publishing(why) => write!(f, "an event could not be published: {why}"),
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

/// Measures one leg on a topic that nobody else uses. `goes_on` is told how far it is, at least ten times a second; when it says no,
/// the leg ends with what was measured so far, if anything was.
///
/// # Errors
/// [`CompareError`].
pub fn measure(
    plan: &Plan,
    via: Via,
    interval: Option<Duration>,
    resource: &Resource,
    server: Option<Process>,
    goes_on: &mut dyn FnMut(Progress) -> bool,
) -> Result<Option<Leg>, CompareError> {
    let mut resource = resource.clone();
    resource.wait = plan.wait;
    resource.interval = interval.unwrap_or_default();
    let address = reach(&resource)?;
    let memory_before = server.and_then(|server| server.memory().ok());

    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(4096);
    let began = Instant::now();
    let spread = interval.unwrap_or_else(|| Duration::from_secs_f64(plan.clients as f64 / ARRIVALS));
    let mut crowd = Crowd::new(address, via, resource.clone(), plan.clients, began, spread)?;
    while crowd.following() < plan.clients {
        let now = Instant::now();
        if now > began + spread + PATIENCE {
            let why = crowd.trouble().map(str::to_owned);
            return Err(CompareError::Gathering { following: crowd.following(), clients: plan.clients, why });
        }
        if !goes_on(Progress::Gathering(crowd.following())) {
            return Ok(None);
        }
        turn(&mut poll, &mut events, &mut crowd, None, now + LOOK)?;
    }

    let start = Instant::now();
    let schedule = Schedule::new(start, plan);
    let mut feed = Feed::new(address, FEED, resource.clone(), plan.size, schedule);
    let before = Reading::of(&crowd, server);
    let mut is_whole = true;
    // An event whose turn has come is published, though the machine should have overslept it.
    while (start.elapsed() < plan.duration || feed.is_owed(Instant::now())) && is_whole {
        let until = (start + plan.duration).min(Instant::now() + LOOK);
        turn(&mut poll, &mut events, &mut crowd, Some(&mut feed), until)?;
        let requests = (crowd.counts() - before.counts).requests;
        is_whole = goes_on(Progress::Measuring(start.elapsed(), requests));
    }
    let after = Reading::of(&crowd, server);
    let measured_for = after.at - before.at;
    feed.stop();

    // What is published goes on to arrive, though it is not counted what that costs.
    let published = feed.published();
    while !crowd.is_through(published) {
        // Whoever wants to see it now does not wait for polls whose interval may be an hour.
        let patience = if is_whole { resource.interval } else { Duration::ZERO } + LAST_ARRIVAL;
        if after.at.elapsed() >= patience {
            break;
        }
        turn(&mut poll, &mut events, &mut crowd, Some(&mut feed), Instant::now() + LOOK)?;
        is_whole &= goes_on(Progress::Draining);
    }
    // What was not waited for is not lost: only what its client has passed over is.
    let is_waited_for = after.at.elapsed() >= resource.interval + LAST_ARRIVAL;
    let (lost, doubled) = crowd.end(if is_waited_for { published } else { 0 });
    let ran = Plan { duration: plan.duration.min(measured_for), ..plan.clone() };
    Ok(Some(Leg {
        via,
        interval,
        measured_for,
        published,
        arrived: crowd.delays().count(),
        lost,
        doubled,
        returns: after.counts.returns,
        measured: figures(&crowd, after.counts - before.counts, measured_for),
        predicted: Arithmetic::new(&resource).predict(&ran, via, interval),
        server: server_figures(&before, &after, memory_before),
        client_cpu: difference(before.client, after.client),
    }))
}

/// What is counted at a moment.
struct Reading {
    at: Instant,
    counts: Counts,
    server: Option<Duration>,
    client: Option<Duration>,
    memory: Option<u64>,
}

impl Reading {
    fn of(crowd: &Crowd, server: Option<Process>) -> Self {
        Self {
            at: Instant::now(),
            counts: crowd.counts(),
            server: server.and_then(|server| server.cpu_time().ok()),
            client: Process::own().cpu_time().ok(),
            memory: server.and_then(|server| server.memory().ok()),
        }
    }
}

fn difference(before: Option<Duration>, after: Option<Duration>) -> Option<Duration> {
    Some(after?.saturating_sub(before?))
}

fn server_figures(before: &Reading, after: &Reading, memory_before: Option<u64>) -> Option<ServerFigures> {
    let cpu = difference(before.server, after.server)?;
    Some(ServerFigures { cpu, memory: after.memory?, memory_before: memory_before? })
}

fn figures(crowd: &Crowd, counts: Counts, measured_for: Duration) -> Figures {
    let minutes = measured_for.as_secs_f64() / 60.0;
    let bytes = |all: u64, payload: u64| Bytes {
        // A piece of it may be counted before the other: its last byte is read, and its first was before.
        headers: all.saturating_sub(payload) as f64,
        payload: payload as f64,
    };
    Figures {
        requests_per_minute: counts.requests as f64 / minutes,
        empty_per_minute: counts.empty as f64 / minutes,
        connections: counts.connections as f64,
        up: bytes(counts.bytes_up, counts.payload_up),
        down: bytes(counts.bytes_down, counts.payload_down),
        delay: delay_figures(crowd.delays()),
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

/// The first of the host's addresses that answers: `localhost` may be two, and the server on one of them.
fn reach(resource: &Resource) -> Result<SocketAddr, CompareError> {
    let url = resource.url();
    connect_tcp(&url.host, url.port, Instant::now() + CONNECT)
        .and_then(|stream| stream.peer_addr())
        .map_err(|error| CompareError::Unreachable { authority: url.authority.clone(), error })
}

/// Waits for the poll, at most until `until`, and does what is to be done.
fn turn(
    poll: &mut Poll,
    events: &mut Events,
    crowd: &mut Crowd,
    mut feed: Option<&mut Feed>,
    until: Instant,
) -> Result<(), CompareError> {
    let feed_due = feed.as_ref().and_then(|feed| feed.due());
    let due = [crowd.due(), feed_due].into_iter().flatten().fold(until, Instant::min);
    match poll.poll(events, Some(due.saturating_duration_since(Instant::now()))) {
        Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
        polled => polled?,
    }
    for event in events.iter() {
        if event.token() == FEED {
            if let Some(feed) = &mut feed {
                feed.ready()?;
            }
        } else {
            let published_at = |number| feed.as_ref().and_then(|feed| feed.published_at(number));
            crowd.ready(event.token().0, poll.registry(), &published_at)?;
        }
    }
    if let Some(feed) = feed {
        feed.turn(Instant::now(), poll.registry())?;
    }
    crowd.turn(Instant::now(), poll.registry())
}
