//! The clients of a trial: their sockets, and when each of them sends its next request.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, ErrorKind, Read, Write};
use std::mem;
use std::net::SocketAddr;
use std::ops::Sub;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use super::publisher::is_not_ready;
use super::tracker::{self, EventTracker};
use super::trial::CompareError;
use crate::client::follow::{Follower, Next, Notice, Resource, Shared, Since, Via};
use crate::tools::load::DelayHistogram;

/// The wait before a broken connection is opened again. It doubles with each failed attempt.
const MIN_RECONNECT_DELAY: Duration = Duration::from_millis(100);
const MAX_RECONNECT_DELAY: Duration = Duration::from_secs(5);
/// Bytes per read.
const BUFFER: usize = 64 << 10;

/// Followers of one topic over one transport, all on one thread.
pub struct ClientPool {
    address: SocketAddr,
    via: Via,
    resource: Resource,
    shared: Shared,
    clients: Vec<Client>,
    /// When which client sends its next request, the earliest first.
    schedule: BinaryHeap<Reverse<(Instant, usize)>>,
    /// The number of clients that receive what is published from now on.
    following: usize,
    /// Requests of which at least one byte was written.
    requests: u64,
    /// Bytes written and bytes read.
    bytes: (u64, u64),
    connections: u64,
    reconnects: u64,
    /// Why the last connection broke or was refused.
    last_error: Option<String>,
    delays: DelayHistogram,
    buffer: Box<[u8]>,
}

#[derive(Debug)]
struct Client {
    follower: Follower,
    stream: Option<TcpStream>,
    /// The bytes of its request that are not written yet.
    unsent: Vec<u8>,
    /// True if no byte of its request was written yet.
    is_unsent: bool,
    /// True if no byte was written on its connection yet.
    is_new: bool,
    /// True if its connection has already carried a response. The server may then have closed the
    /// connection before the next request reached it, which is not an error.
    has_responded: bool,
    /// When its last request was due. The next poll is due one interval after this time, not after the
    /// time of the actual request, so polls keep their rhythm as with `setInterval`.
    last_due: Instant,
    /// True if it awaits a response or has an open stream.
    is_waiting: bool,
    /// Failed connections since the last response.
    failed_attempts: u32,
    is_following: bool,
    events: EventTracker,
}

/// Totals up to some moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    pub requests: u64,
    pub empty: u64,
    pub bytes_up: u64,
    pub bytes_down: u64,
    pub payload_up: u64,
    pub payload_down: u64,
    /// Connections opened since the first client started. The difference of two `Counts` keeps the
    /// later total.
    pub connections: u64,
    /// Connections that broke or were refused since the first client started. The difference of two
    /// `Counts` keeps the later total.
    pub reconnects: u64,
}

impl Sub for Counts {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            requests: self.requests - earlier.requests,
            empty: self.empty - earlier.empty,
            bytes_up: self.bytes_up - earlier.bytes_up,
            bytes_down: self.bytes_down - earlier.bytes_down,
            payload_up: self.payload_up - earlier.payload_up,
            payload_down: self.payload_down - earlier.payload_down,
            connections: self.connections,
            reconnects: self.reconnects,
        }
    }
}

/// The outcome of one read.
enum Received {
    /// The socket has no data, or the client has no socket.
    Nothing,
    /// The server closed a reused connection before it answered. The request may be sent again on a
    /// new connection (RFC 9112 §9.5).
    ClosedBeforeResponse,
    /// The follower's next step, and the time of the read.
    Next(Next, Instant),
}

impl ClientPool {
    /// Returns a pool whose clients start at `start`, spread evenly over `spread`, so that their polls
    /// are spread over the interval like those of independent visitors.
    pub fn new(
        address: SocketAddr,
        via: Via,
        resource: Resource,
        clients: usize,
        start: Instant,
        spread: Duration,
    ) -> io::Result<Self> {
        let client = |_| Client {
            follower: Follower::new(via, Since::Now),
            stream: None,
            unsent: Vec::new(),
            is_unsent: false,
            is_new: false,
            has_responded: false,
            last_due: start,
            is_waiting: false,
            failed_attempts: 0,
            is_following: false,
            events: EventTracker::default(),
        };
        let first_due = |index| start + spread.mul_f64(index as f64 / clients as f64);
        Ok(Self {
            address,
            via,
            resource,
            shared: Shared::with_system_random()?,
            clients: (0..clients).map(client).collect(),
            schedule: (0..clients).map(|index| Reverse((first_due(index), index))).collect(),
            following: 0,
            requests: 0,
            bytes: (0, 0),
            connections: 0,
            reconnects: 0,
            last_error: None,
            delays: DelayHistogram::default(),
            buffer: vec![0; BUFFER].into(),
        })
    }

    /// Returns when [`run`](Self::run) has to be called next.
    pub fn wakeup(&self) -> Option<Instant> {
        self.schedule.peek().map(|Reverse((due, _))| *due)
    }

    /// Returns the number of clients that receive what is published from now on.
    pub fn following(&self) -> usize {
        self.following
    }

    /// Returns the totals up to now.
    pub fn counts(&self) -> Counts {
        let traffic = self.shared.traffic;
        Counts {
            requests: self.requests,
            empty: traffic.empty_responses,
            bytes_up: self.bytes.0,
            bytes_down: self.bytes.1,
            payload_up: traffic.payload_up,
            payload_down: traffic.payload_down,
            connections: self.connections,
            reconnects: self.reconnects,
        }
    }

    /// Returns why the last connection broke or was refused, if one did.
    pub fn last_error(&self) -> Option<&str> {
        self.last_error.as_deref()
    }

    /// Returns the delays of all events that have arrived.
    pub fn delays(&self) -> &DelayHistogram {
        &self.delays
    }

    /// Returns true if no client waits for any of the first `published` events.
    pub fn have_all(&self, published: u64) -> bool {
        self.clients.iter().all(|client| client.events.is_complete(published))
    }

    /// Counts those of the first `published` events that have not arrived as lost. Returns the lost and
    /// the duplicated events, summed over the clients.
    pub fn finish(&mut self, published: u64) -> (u64, u64) {
        self.clients.iter_mut().fold((0, 0), |(lost, duplicated), client| {
            client.events.finish(published);
            (lost + client.events.lost, duplicated + client.events.duplicated)
        })
    }

    /// Sends the requests that are due.
    pub fn run(&mut self, now: Instant, registry: &Registry) -> Result<(), CompareError> {
        while let Some(&Reverse((due, index))) = self.schedule.peek()
            && due <= now
        {
            self.schedule.pop();
            // A client that is late by more than one interval skips that poll.
            let is_late = now.saturating_duration_since(due) > self.resource.interval;
            self.clients[index].last_due = if is_late { now } else { due };
            self.send_request(index, registry)?;
        }
        Ok(())
    }

    fn send_request(&mut self, index: usize, registry: &Registry) -> Result<(), CompareError> {
        // A long poll's first request only asks for the current id. The client follows the topic once
        // it sends an id.
        if self.via == Via::LongPoll && self.clients[index].follower.cursor().is_some() {
            self.mark_following(index);
        }
        let client = &mut self.clients[index];
        client.follower.write_request(&self.resource, &mut self.shared, &mut client.unsent)?;
        (client.is_waiting, client.is_unsent) = (true, true);
        if client.stream.is_some() {
            self.write(index);
            return Ok(());
        }
        let mut stream = TcpStream::connect(self.address)?;
        registry.register(&mut stream, Token(index), Interest::READABLE | Interest::WRITABLE)?;
        client.stream = Some(stream);
        (client.is_new, client.has_responded) = (true, false);
        // The request is written when the poll reports the connection as writable.
        Ok(())
    }

    /// Writes until the socket accepts no more. Returns the error that broke the connection, if any.
    /// The next read then reports the end of the connection.
    fn write(&mut self, index: usize) -> Option<io::Error> {
        let client = &mut self.clients[index];
        let stream = client.stream.as_mut()?;
        let (mut written, mut broken) = (0, None);
        while written < client.unsent.len() {
            match stream.write(&client.unsent[written..]) {
                Ok(length) => written += length,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    broken = Some(error).filter(|error| !is_not_ready(error.kind()));
                    break;
                }
            }
        }
        if written > 0 {
            self.requests += u64::from(mem::take(&mut client.is_unsent));
            self.connections += u64::from(mem::take(&mut client.is_new));
        }
        self.bytes.0 += written as u64;
        client.unsent.drain(..written);
        broken
    }

    /// Handles a readiness event of this client's connection. `published_at` returns when the event
    /// with a number was published.
    pub fn on_ready(
        &mut self,
        index: usize,
        registry: &Registry,
        published_at: &dyn Fn(u64) -> Option<Instant>,
    ) -> Result<(), CompareError> {
        let mut error = self.write(index);
        loop {
            let (next, now) = match self.receive(index, &mut error, published_at)? {
                Received::Next(next, now) => (next, now),
                Received::Nothing => return Ok(()),
                Received::ClosedBeforeResponse => {
                    let client = &mut self.clients[index];
                    client.stream = None;
                    client.unsent.clear();
                    return self.send_request(index, registry);
                }
            };
            let is_reading = self.apply(index, next, now, &mut error, registry)?;
            // Writes what the follower has appended: a pong or a close frame.
            self.write(index);
            if !is_reading {
                return Ok(());
            }
        }
    }

    /// Reads once and passes the bytes, or the end of the connection, to the follower. An error that
    /// ends the connection is stored in `error`, unless an earlier one is already there.
    fn receive(
        &mut self,
        index: usize,
        error: &mut Option<io::Error>,
        published_at: &dyn Fn(u64) -> Option<Instant>,
    ) -> Result<Received, CompareError> {
        loop {
            let Self { clients, resource, shared, delays, buffer, bytes, .. } = self;
            let client = &mut clients[index];
            let Some(stream) = &mut client.stream else { return Ok(Received::Nothing) };
            let read = stream.read(buffer);
            let now = Instant::now();
            let events = &mut client.events;
            let mut on_notice = |notice: Notice<'_>| {
                if let Notice::Event(event) = notice
                    && let Some(number) = tracker::number(event.data)
                    && let Some(published_at) = published_at(number)
                    && events.record(number)
                {
                    delays.record(now.saturating_duration_since(published_at));
                }
            };
            let next = match read {
                Ok(length @ 1..) => {
                    bytes.1 += length as u64;
                    let input = &mut buffer[..length];
                    client.follower.receive(input, resource, shared, &mut client.unsent, &mut on_notice)?
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if is_not_ready(error.kind()) => return Ok(Received::Nothing),
                // The server may close the connection between two polls. The next poll opens another.
                Ok(_) | Err(_) if !client.is_waiting => {
                    client.stream = None;
                    return Ok(Received::Nothing);
                }
                Ok(_) | Err(_) if client.has_responded && client.follower.is_awaiting_response() => {
                    return Ok(Received::ClosedBeforeResponse);
                }
                ended => {
                    *error = error.take().or(ended.err());
                    client.follower.end(resource, shared, &mut on_notice)?
                }
            };
            return Ok(Received::Next(next, now));
        }
    }

    /// Applies a follower's next step. Returns true if the client continues to read from the same
    /// connection.
    fn apply(
        &mut self,
        index: usize,
        next: Next,
        now: Instant,
        error: &mut Option<io::Error>,
        registry: &Registry,
    ) -> Result<bool, CompareError> {
        let client = &mut self.clients[index];
        match next {
            Next::Read => {
                if client.follower.is_streaming() {
                    self.mark_following(index);
                }
                Ok(true)
            }
            Next::Request { after, reuse } => {
                (client.failed_attempts, client.is_waiting, client.has_responded) = (0, false, true);
                let due = client.last_due + after;
                if !reuse {
                    client.stream = None;
                }
                if self.via == Via::ShortPoll {
                    self.mark_following(index);
                }
                if due <= now {
                    self.clients[index].last_due = now;
                    self.send_request(index, registry)?;
                } else {
                    self.schedule.push(Reverse((due, index)));
                }
                Ok(reuse)
            }
            // A response such as 408 between two polls is not an error. The next poll is scheduled.
            Next::Reconnect { .. } if !client.is_waiting => {
                client.stream = None;
                Ok(false)
            }
            Next::Reconnect { at_least, reason } => {
                (client.stream, client.is_unsent) = (None, false);
                client.unsent.clear();
                self.reconnects += 1;
                let error = error.take().map_or(reason.to_string(), |error| error.to_string());
                self.last_error = Some(error);
                let factor = 1 << client.failed_attempts.min(16);
                let delay = MIN_RECONNECT_DELAY.saturating_mul(factor).min(MAX_RECONNECT_DELAY);
                client.failed_attempts += 1;
                self.schedule.push(Reverse((now + at_least.max(delay), index)));
                Ok(false)
            }
        }
    }

    fn mark_following(&mut self, index: usize) {
        let was_following = mem::replace(&mut self.clients[index].is_following, true);
        self.following += usize::from(!was_following);
    }
}
