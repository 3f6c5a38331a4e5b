//! The stream of events: when each is due, and its publishing.

use std::collections::VecDeque;
use std::fmt::Display;
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use super::tracker as seen;
use super::{CompareError, Plan};
use crate::client::follow::{Next, PublishRequest, PublishStep, Resource};

/// When events are due: evenly, the first after half the time from one to the next, and all of them before the end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    start: Instant,
    period: Duration,
    count: u64,
}

impl Schedule {
    pub fn new(start: Instant, plan: &Plan) -> Self {
        // Where there are no events, or hardly any, it may be beyond what a Duration holds.
        let period = Duration::try_from_secs_f64(60.0 / plan.events_per_minute).unwrap_or(Duration::MAX);
        Self { start, period, count: plan.events() }
    }

    /// When the event with this number is due, if there is one.
    pub fn due(&self, number: u64) -> Option<Instant> {
        (number < self.count).then(|| self.start + self.period.mul_f64(number as f64 + 0.5))
    }
}

/// So long before an event is due its connection is made ready: what that takes is no event's delay.
const LEAD: Duration = Duration::from_secs(1);

/// A connection that was silent for so long may be one that the server is about to end, and a POST must not meet that.
const STALE: Duration = Duration::from_secs(5);

/// Publishes the events over a connection of its own, one after another.
#[derive(Debug)]
pub(super) struct Feed {
    address: SocketAddr,
    token: Token,
    resource: Resource,
    size: usize,
    schedule: Schedule,
    stream: Option<TcpStream>,
    poster: PublishRequest,
    /// What of the request is not written yet.
    unsent: VecDeque<u8>,
    /// Whether an answer is owed.
    is_waiting: bool,
    /// Whether the connection was made ready for the next event.
    is_ready: bool,
    /// When the last answer came.
    answered: Option<Instant>,
    /// When each event was published: the moment before its first byte was handed to the socket.
    published: Vec<Instant>,
}

impl Feed {
    pub fn new(
        address: SocketAddr,
        token: Token,
        resource: Resource,
        size: usize,
        schedule: Schedule,
    ) -> Self {
        Self {
            address,
            token,
            resource,
            size,
            schedule,
            stream: None,
            poster: PublishRequest::default(),
            unsent: VecDeque::new(),
            is_waiting: false,
            is_ready: false,
            answered: None,
            published: Vec::new(),
        }
    }

    /// When there is something to do without the poll's telling; `None` if there is not, or no more.
    pub fn due(&self) -> Option<Instant> {
        let due = self.next_due()?;
        Some(if self.is_ready { due } else { due.checked_sub(LEAD).unwrap_or(due) })
    }

    /// Whether an event's turn has come and nothing is in its way: it is published with the next turn of the loop.
    pub fn is_owed(&self, now: Instant) -> bool {
        self.next_due().is_some_and(|due| due <= now)
    }

    /// When the next event is due, unless the answer to the one before is awaited.
    fn next_due(&self) -> Option<Instant> {
        if self.is_waiting { None } else { self.schedule.due(self.published()) }
    }

    /// Publishes no more.
    pub fn stop(&mut self) {
        self.schedule.count = self.published();
    }

    /// How many events are published, or under way.
    pub fn published(&self) -> u64 {
        self.published.len() as u64
    }

    /// When the event with this number was published.
    pub fn published_at(&self, number: u64) -> Option<Instant> {
        self.published.get(usize::try_from(number).ok()?).copied()
    }

    /// Publishes the event that is due, if there is one.
    pub fn turn(&mut self, now: Instant, registry: &Registry) -> Result<(), CompareError> {
        if self.due().is_none_or(|due| due > now) {
            return Ok(());
        }
        if !self.is_ready {
            self.is_ready = true;
            self.receive()?;
            if self.stream.is_none() || self.answered.is_some_and(|answered| now - answered > STALE) {
                self.connect(registry)?;
            }
            return self.turn(now, registry);
        }
        // A server that has ended the connection between two events has said so by now.
        self.receive()?;
        let data = seen::data(self.published(), self.size);
        let mut request = Vec::new();
        self.poster.write(&self.resource, None, &data, false, &mut request);
        self.unsent.extend(request);
        (self.is_waiting, self.is_ready) = (true, false);
        self.published.push(Instant::now());
        if self.stream.is_none() {
            return self.connect(registry); // it is written when the poll says that it is connected
        }
        self.write()
    }

    fn connect(&mut self, registry: &Registry) -> Result<(), CompareError> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_nodelay(true)?;
        registry.register(&mut stream, self.token, Interest::READABLE | Interest::WRITABLE)?;
        self.stream = Some(stream);
        Ok(())
    }

    /// The poll has told of the connection.
    pub fn ready(&mut self) -> Result<(), CompareError> {
        self.write()?;
        self.receive()
    }

    fn write(&mut self) -> Result<(), CompareError> {
        let Some(stream) = &mut self.stream else { return Ok(()) };
        while !self.unsent.is_empty() {
            match stream.write(self.unsent.as_slices().0) {
                Ok(written) => drop(self.unsent.drain(..written)),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => {
                    break;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(in_vain(error)),
            }
        }
        Ok(())
    }

    fn receive(&mut self) -> Result<(), CompareError> {
        let mut buffer = [0; 4096];
        while let Some(stream) = &mut self.stream {
            let posted = match stream.read(&mut buffer) {
                // Between two events: an end, a farewell, or nobody there.
                Ok(_) if !self.is_waiting => {
                    self.stream = None;
                    return Ok(());
                }
                Ok(0) => {
                    self.stream = None;
                    self.poster.end()
                }
                Ok(length) => self.poster.receive(&buffer[..length], &self.resource),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => {
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) if !self.is_waiting => {
                    self.stream = None;
                    return Ok(());
                }
                Err(error) => return Err(in_vain(error)),
            };
            match posted.map_err(in_vain)? {
                PublishStep::Published { reuse, .. } => {
                    self.is_waiting = false;
                    self.answered = Some(Instant::now());
                    if !reuse {
                        self.stream = None;
                    }
                }
                // To publish it again might publish it twice, and a comparison with a hole in it is none.
                PublishStep::Next(Next::Reconnect { reason, .. }) => return Err(in_vain(reason)),
                PublishStep::Next(Next::Read | Next::Request { .. }) => {}
            }
        }
        Ok(())
    }
}

fn in_vain(why: impl Display) -> CompareError {
    CompareError::Publishing(why.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_due_evenly_and_before_the_end() {
        let start = Instant::now();
        for (events_per_minute, seconds, expected) in [
            (6.0, 60, &[5, 15, 25, 35, 45, 55][..]),
            (6.0, 26, &[5, 15, 25]),
            (60.0 / 14.0, 20, &[7]),
            (0.0, 60, &[]),
            (1e-300, 60, &[]),
        ] {
            let duration = Duration::from_secs(seconds);
            let schedule = Schedule::new(start, &Plan { events_per_minute, duration, ..Plan::default() });
            let due: Vec<_> = (0..).map_while(|number| schedule.due(number)).collect();
            let due: Vec<_> = due.iter().map(|due| (*due - start).as_secs_f64().round() as u64).collect();
            assert_eq!(due, expected, "{events_per_minute} a minute, for {seconds} s");
        }
    }

    #[test]
    fn what_is_due_is_owed_until_it_is_published_or_nothing_more_is() {
        let start = Instant::now();
        let plan = Plan { events_per_minute: 60.0, duration: Duration::from_secs(3), ..Plan::default() };
        let address = ([127, 0, 0, 1], 1).into();
        let resource = Resource::new("http://127.0.0.1:1/topics/t", None, &[]).expect("a URL");
        let mut feed = Feed::new(address, Token(0), resource, plan.size, Schedule::new(start, &plan));
        let at = |ms| start + Duration::from_millis(ms);
        assert_eq!([0, 499, 500, 9999].map(|ms| feed.is_owed(at(ms))), [false, false, true, true]);
        feed.published.push(at(500));
        assert_eq!([500, 1499, 1500].map(|ms| feed.is_owed(at(ms))), [false, false, true]);
        feed.is_waiting = true;
        assert!(!feed.is_owed(at(1500)), "the one before is not answered");
        feed.is_waiting = false;
        feed.stop();
        assert!(!feed.is_owed(at(9999)));
    }
}
