//! Publishes the events of a trial on time.

use std::collections::VecDeque;
use std::fmt::Display;
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use super::config::CompareConfig;
use super::tracker;
use super::trial::CompareError;
use crate::client::follow::{Next, PublishRequest, PublishStep, Resource};

/// The times at which events are due: evenly spaced, the first after half a period, all of them before
/// the end of the trial.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    start: Instant,
    period: Duration,
    count: u64,
}

impl Schedule {
    pub fn new(start: Instant, config: &CompareConfig) -> Self {
        // With no events, or very few, the period may exceed the range of a Duration.
        let period = Duration::try_from_secs_f64(60.0 / config.events_per_minute).unwrap_or(Duration::MAX);
        Self { start, period, count: config.events() }
    }

    /// Returns when the event with this number is due, if there is one.
    pub fn due(&self, number: u64) -> Option<Instant> {
        (number < self.count).then(|| self.start + self.period.mul_f64(number as f64 + 0.5))
    }
}

/// The time before an event is due at which its connection is prepared. So the time to connect does
/// not add to any event's delay.
const LEAD: Duration = Duration::from_secs(1);

/// The idle time after which the server may be about to close the connection. A POST must not be sent
/// on such a connection.
const STALE: Duration = Duration::from_secs(5);

/// Publishes the events over one connection, one after another.
#[derive(Debug)]
pub struct Publisher {
    address: SocketAddr,
    token: Token,
    resource: Resource,
    size: usize,
    schedule: Schedule,
    stream: Option<TcpStream>,
    request: PublishRequest,
    /// The bytes of the request that are not written yet.
    unsent: VecDeque<u8>,
    is_awaiting_response: bool,
    /// True if the connection is prepared for the next event.
    is_prepared: bool,
    /// When the last response arrived.
    last_response: Option<Instant>,
    /// When each event was published: the moment before its first byte was written to the socket.
    published: Vec<Instant>,
}

impl Publisher {
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
            request: PublishRequest::default(),
            unsent: VecDeque::new(),
            is_awaiting_response: false,
            is_prepared: false,
            last_response: None,
            published: Vec::new(),
        }
    }

    /// Returns when [`run`](Self::run) has to be called next, regardless of the connection's readiness.
    pub fn wakeup(&self) -> Option<Instant> {
        let due = self.next_due()?;
        Some(if self.is_prepared { due } else { due.checked_sub(LEAD).unwrap_or(due) })
    }

    /// Returns true if an event is due and can be published in the next loop iteration.
    pub fn is_event_due(&self, now: Instant) -> bool {
        self.next_due().is_some_and(|due| due <= now)
    }

    /// Returns when the next event is due; `None` while a response is awaited.
    fn next_due(&self) -> Option<Instant> {
        if self.is_awaiting_response { None } else { self.schedule.due(self.published()) }
    }

    /// Publishes no further events.
    pub fn stop(&mut self) {
        self.schedule.count = self.published();
    }

    /// Returns the number of events published so far, including one without a response yet.
    pub fn published(&self) -> u64 {
        self.published.len() as u64
    }

    /// Returns when the event with this number was published.
    pub fn published_at(&self, number: u64) -> Option<Instant> {
        self.published.get(usize::try_from(number).ok()?).copied()
    }

    /// Prepares the connection or publishes the next event, whichever is due.
    pub fn run(&mut self, now: Instant, registry: &Registry) -> Result<(), CompareError> {
        if self.wakeup().is_none_or(|wakeup| wakeup > now) {
            return Ok(());
        }
        if !self.is_prepared {
            self.is_prepared = true;
            self.receive()?;
            let is_stale = self.last_response.is_some_and(|response| now - response > STALE);
            if self.stream.is_none() || is_stale {
                self.connect(registry)?;
            }
            return self.run(now, registry);
        }
        // If the server has closed the connection since the last event, this read detects the close.
        self.receive()?;
        let data = tracker::data(self.published(), self.size);
        let mut request = Vec::new();
        self.request.write(&self.resource, None, &data, false, &mut request);
        self.unsent.extend(request);
        (self.is_awaiting_response, self.is_prepared) = (true, false);
        self.published.push(Instant::now());
        if self.stream.is_none() {
            // The request is written when the poll reports the connection as writable.
            return self.connect(registry);
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

    /// Handles a readiness event of the connection.
    pub fn on_ready(&mut self) -> Result<(), CompareError> {
        self.write()?;
        self.receive()
    }

    fn write(&mut self) -> Result<(), CompareError> {
        let Some(stream) = &mut self.stream else { return Ok(()) };
        while !self.unsent.is_empty() {
            match stream.write(self.unsent.as_slices().0) {
                Ok(written) => drop(self.unsent.drain(..written)),
                Err(error) if is_not_ready(error.kind()) => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(error)),
            }
        }
        Ok(())
    }

    fn receive(&mut self) -> Result<(), CompareError> {
        let mut buffer = [0; 4096];
        while let Some(stream) = &mut self.stream {
            let step = match stream.read(&mut buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if is_not_ready(error.kind()) => return Ok(()),
                // Between two events, the server may close the connection or send a response such as
                // 408 before it does. The next event uses a new connection.
                Ok(_) | Err(_) if !self.is_awaiting_response => {
                    self.stream = None;
                    return Ok(());
                }
                Ok(0) => {
                    self.stream = None;
                    self.request.end()
                }
                Ok(length) => self.request.receive(&buffer[..length], &self.resource),
                Err(error) => return Err(failed(error)),
            };
            match step.map_err(failed)? {
                PublishStep::Published { reuse, .. } => {
                    self.is_awaiting_response = false;
                    self.last_response = Some(Instant::now());
                    if !reuse {
                        self.stream = None;
                    }
                }
                // A retry might publish the event twice, and a comparison with a missing event is
                // useless.
                PublishStep::Next(Next::Reconnect { reason, .. }) => return Err(failed(reason)),
                PublishStep::Next(Next::Read | Next::Request { .. }) => {}
            }
        }
        Ok(())
    }
}

/// Returns true if the socket is not readable or writable at the moment, or not connected yet.
pub fn is_not_ready(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::NotConnected)
}

fn failed(reason: impl Display) -> CompareError {
    CompareError::Publish(reason.to_string())
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
            let config = CompareConfig { events_per_minute, duration, ..CompareConfig::default() };
            let schedule = Schedule::new(start, &config);
            let due: Vec<_> = (0..).map_while(|number| schedule.due(number)).collect();
            let due: Vec<_> = due.iter().map(|due| (*due - start).as_secs_f64().round() as u64).collect();
            assert_eq!(due, expected, "{events_per_minute} per minute for {seconds} s");
        }
    }

    #[test]
    fn an_event_stays_due_until_it_is_published_or_the_publisher_stops() {
        let start = Instant::now();
        let duration = Duration::from_secs(3);
        let config = CompareConfig { events_per_minute: 60.0, duration, ..CompareConfig::default() };
        let address = ([127, 0, 0, 1], 1).into();
        let resource = Resource::new("http://127.0.0.1:1/topics/t", None, &[]).expect("a valid URL");
        let schedule = Schedule::new(start, &config);
        let mut publisher = Publisher::new(address, Token(0), resource, config.size, schedule);
        let at = |ms| start + Duration::from_millis(ms);
        let due = [0, 499, 500, 9999].map(|ms| publisher.is_event_due(at(ms)));
        assert_eq!(due, [false, false, true, true]);
        publisher.published.push(at(500));
        let due = [500, 1499, 1500].map(|ms| publisher.is_event_due(at(ms)));
        assert_eq!(due, [false, false, true]);
        publisher.is_awaiting_response = true;
        assert!(!publisher.is_event_due(at(1500)), "the response to the event before is missing");
        publisher.is_awaiting_response = false;
        publisher.stop();
        assert!(!publisher.is_event_due(at(9999)));
    }
}
