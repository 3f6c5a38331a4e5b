//! The clients of a trial: their followers, and when each of them sends its next request.
//!
//! [`ClientPool`](crate::tools::load::ClientPool) owns the sockets. Each client has one connection
//! at a time, whose id in the pool is the client's index.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::mem;
use std::ops::Sub;
use std::time::{Duration, Instant};

use super::publisher::Publisher;
use super::tracker::{self, EventTracker};
use crate::client::Backoff;
use crate::client::follow::{Error, Follower, Next, Notice, Resource, Shared, Since, Transport};
use crate::tools::load::{ByteCounts, DelayHistogram, Output};

/// The delays of requests without progress. They are shorter than the default, because a trial is
/// short.
const BACKOFF: Backoff = Backoff { initial: Duration::from_millis(100), max: Duration::from_secs(5) };

/// Followers of one topic over one transport.
pub struct Clients {
    via: Transport,
    resource: Resource,
    shared: Shared,
    clients: Vec<Client>,
    /// The times at which clients send their next requests, the earliest first.
    schedule: BinaryHeap<Reverse<(Instant, usize)>>,
    /// Clients that send a request at once, but need a new connection for it.
    unconnected: Vec<usize>,
    /// The number of clients that receive what is published from now on.
    following: usize,
    /// Requests of which at least one byte was written.
    requests: u64,
    bytes: ByteCounts,
    connections: u64,
    reconnects: u64,
    /// Why the last connection broke or was refused.
    last_error: Option<String>,
    delays: DelayHistogram,
}

#[derive(Debug)]
struct Client {
    follower: Follower,
    /// True if no byte of its request was written yet.
    is_unsent: bool,
    /// True if no byte was written on its connection yet.
    is_new: bool,
    /// True if its connection has already carried a response. The server may then have closed the
    /// connection before the next request reached it, which is not an error.
    has_responded: bool,
    /// When its last request was due. The next poll is due one interval after this time, not after
    /// the time of the actual request, so polls keep their rhythm as with `setInterval`.
    last_due: Instant,
    /// True if it awaits a response or has an open stream.
    is_waiting: bool,
    is_following: bool,
    events: EventTracker,
}

/// Totals up to some moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    pub requests: u64,
    pub empty: u64,
    pub bytes: ByteCounts,
    pub payload: ByteCounts,
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
            bytes: self.bytes - earlier.bytes,
            payload: self.payload - earlier.payload,
            connections: self.connections,
            reconnects: self.reconnects,
        }
    }
}

impl Clients {
    /// Returns clients that start at `start`, spread evenly over `spread`, so that their polls are
    /// spread over the interval like those of independent visitors.
    pub fn new(
        via: Transport,
        mut resource: Resource,
        count: usize,
        start: Instant,
        spread: Duration,
    ) -> io::Result<Self> {
        let client = |_| Client {
            follower: Follower::new(via, Since::Now),
            is_unsent: false,
            is_new: false,
            has_responded: false,
            last_due: start,
            is_waiting: false,
            is_following: false,
            events: EventTracker::default(),
        };
        let first_due = |index| start + spread.mul_f64(index as f64 / count as f64);
        resource.backoff = BACKOFF;
        Ok(Self {
            via,
            resource,
            shared: Shared::with_system_random()?,
            clients: (0..count).map(client).collect(),
            schedule: (0..count).map(|index| Reverse((first_due(index), index))).collect(),
            unconnected: Vec::new(),
            following: 0,
            requests: 0,
            bytes: ByteCounts::default(),
            connections: 0,
            reconnects: 0,
            last_error: None,
            delays: DelayHistogram::default(),
        })
    }

    pub fn count(&self) -> usize {
        self.clients.len()
    }

    /// Returns when the next client is due.
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
            bytes: self.bytes,
            payload: ByteCounts { up: traffic.payload_up, down: traffic.payload_down },
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

    /// Counts those of the first `published` events that have not arrived as lost. Returns the lost
    /// and the duplicated events, summed over the clients.
    pub fn finish(&mut self, published: u64) -> (u64, u64) {
        self.clients.iter_mut().fold((0, 0), |(lost, duplicated), client| {
            client.events.finish(published);
            (lost + client.events.lost, duplicated + client.events.duplicated)
        })
    }

    /// Returns the next client that has to send a request now. The caller sends what
    /// [`write_request`](Self::write_request) writes.
    pub fn next_due(&mut self, now: Instant) -> Option<usize> {
        if let Some(index) = self.unconnected.pop() {
            return Some(index);
        }
        let &Reverse((due, index)) = self.schedule.peek().filter(|Reverse((due, _))| *due <= now)?;
        self.schedule.pop();
        // A client that is late by more than one interval skips that poll.
        let is_late = now.saturating_duration_since(due) > self.resource.interval;
        self.clients[index].last_due = if is_late { now } else { due };
        Some(index)
    }

    /// Appends a client's next request to `out`.
    ///
    /// # Errors
    /// Those of [`Follower::write_request`].
    pub fn write_request(&mut self, index: usize, out: &mut Vec<u8>) -> Result<(), Error> {
        // A long poll's first request only fetches the current id. The client follows the topic
        // once it sends an id.
        if self.via == Transport::LongPoll && self.clients[index].follower.cursor().is_some() {
            self.mark_following(index);
        }
        let client = &mut self.clients[index];
        (client.is_waiting, client.is_unsent) = (true, true);
        client.follower.write_request(&self.resource, &mut self.shared, out)
    }

    /// Records that a client's next request is sent on a new connection.
    pub fn use_new_connection(&mut self, index: usize) {
        let client = &mut self.clients[index];
        (client.is_new, client.has_responded) = (true, false);
    }

    /// Returns true if a client awaits a response or has an open stream.
    pub fn is_waiting(&self, index: usize) -> bool {
        self.clients[index].is_waiting
    }

    /// Counts bytes of a client that its socket has accepted.
    pub fn written(&mut self, index: usize, length: usize) {
        let client = &mut self.clients[index];
        self.requests += u64::from(mem::take(&mut client.is_unsent));
        self.connections += u64::from(mem::take(&mut client.is_new));
        self.bytes.up += length as u64;
    }

    /// Handles bytes that arrived at `now` on a client's connection.
    ///
    /// # Errors
    /// The server refused for good, or violated a protocol.
    pub fn received(
        &mut self,
        index: usize,
        input: &mut [u8],
        output: &mut Output,
        now: Instant,
        publisher: &Publisher,
    ) -> Result<(), Error> {
        let Self { clients, resource, shared, delays, bytes, .. } = self;
        bytes.down += input.len() as u64;
        let Client { follower, events, last_due, .. } = &mut clients[index];
        let next = follower.receive(
            input,
            now.saturating_duration_since(*last_due),
            resource,
            shared,
            output.buffer(),
            &mut recorder(events, delays, publisher, now),
        )?;
        self.apply(index, next, now, None, Some(output))
    }

    /// Handles the end of a client's connection at `now`, and the error that ended it, if any.
    ///
    /// # Errors
    /// The server must not end the connection at this point.
    pub fn ended(
        &mut self,
        index: usize,
        error: Option<io::Error>,
        now: Instant,
        publisher: &Publisher,
    ) -> Result<(), Error> {
        let Self { clients, resource, shared, delays, .. } = self;
        let Client { follower, events, is_waiting, has_responded, last_due, .. } = &mut clients[index];
        if !*is_waiting {
            // The server may close the connection between two polls. The next poll opens another.
            return Ok(());
        }
        if *has_responded && follower.is_awaiting_response() {
            // The server closed a reused connection before the request arrived. The request is sent
            // again on a new connection (RFC 9112 §9.5).
            self.unconnected.push(index);
            return Ok(());
        }
        let elapsed = now.saturating_duration_since(*last_due);
        let mut record = recorder(events, delays, publisher, now);
        let next = follower.end(elapsed, resource, shared, &mut record)?;
        drop(record);
        self.apply(index, next, now, error, None)
    }

    /// Applies a follower's next step. `output` is that of the connection; `None` if it has ended.
    fn apply(
        &mut self,
        index: usize,
        next: Next,
        now: Instant,
        error: Option<io::Error>,
        output: Option<&mut Output>,
    ) -> Result<(), Error> {
        let client = &mut self.clients[index];
        match next {
            Next::Read => {
                if client.follower.is_streaming() {
                    self.mark_following(index);
                }
                return Ok(());
            }
            Next::Request { after, reuse } => {
                (client.is_waiting, client.has_responded) = (false, true);
                let due = client.last_due + after;
                let is_due = due <= now;
                if is_due {
                    client.last_due = now;
                } else {
                    self.schedule.push(Reverse((due, index)));
                }
                if self.via == Transport::ShortPoll {
                    self.mark_following(index);
                }
                match output {
                    Some(output) if reuse => {
                        return if is_due { self.write_request(index, output.buffer()) } else { Ok(()) };
                    }
                    output => {
                        self.unconnected.extend(is_due.then_some(index));
                        close(output);
                    }
                }
            }
            // A response such as 408 between two polls is not an error. The next poll is scheduled.
            Next::Reconnect { .. } if !client.is_waiting => close(output),
            Next::Reconnect { after, reason } => {
                client.is_unsent = false;
                self.reconnects += 1;
                self.last_error = Some(error.map_or(reason.to_string(), |error| error.to_string()));
                self.schedule.push(Reverse((now + after, index)));
                close(output);
            }
        }
        Ok(())
    }

    fn mark_following(&mut self, index: usize) {
        let was_following = mem::replace(&mut self.clients[index].is_following, true);
        self.following += usize::from(!was_following);
    }
}

fn close(output: Option<&mut Output>) {
    if let Some(output) = output {
        output.close();
    }
}

/// Returns a function that records the arrival of events at `now`.
fn recorder<'a>(
    events: &'a mut EventTracker,
    delays: &'a mut DelayHistogram,
    publisher: &'a Publisher,
    now: Instant,
) -> impl FnMut(Notice<'_>) + 'a {
    move |notice| {
        if let Notice::Event(event) = notice
            && let Some(number) = tracker::number(event.data)
            && let Some(published_at) = publisher.published_at(number)
            && events.record(number)
        {
            delays.record(now.saturating_duration_since(published_at));
        }
    }
}
