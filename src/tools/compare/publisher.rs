//! Publishes the events of a trial on time.

use std::fmt::Display;
use std::time::{Duration, Instant};

use super::config::CompareConfig;
use super::error::CompareError;
use super::tracker;
use crate::client::follow::{Error, Next, PublishRequest, PublishStep, Resource};
use crate::tools::load::Output;

/// The times at which events are due: evenly spaced, the first after half a period, all of them
/// before the end of the trial.
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

/// How long before an event is due its connection is prepared, so that the time to connect does not
/// add to the event's delay.
const LEAD: Duration = Duration::from_secs(1);

/// The idle time after which the server may be about to close the connection. A POST must not be
/// sent on such a connection.
const STALE: Duration = Duration::from_secs(5);

/// Publishes the events over one connection, one after another.
#[derive(Debug)]
pub struct Publisher {
    resource: Resource,
    size: usize,
    /// `None` before [`start`](Self::start).
    schedule: Option<Schedule>,
    request: PublishRequest,
    is_awaiting_response: bool,
    /// True if the connection is prepared for the next event.
    is_prepared: bool,
    /// When the last response arrived.
    last_response: Option<Instant>,
    /// When each event was published: the moment before its request was written to the socket.
    published: Vec<Instant>,
}

/// The publisher's next action.
#[derive(Debug)]
pub enum Action {
    /// Open a new connection.
    Connect,
    /// Send this request.
    Send(Vec<u8>),
}

impl Publisher {
    /// Returns a publisher of events with `size` bytes of data.
    pub fn new(resource: Resource, size: usize) -> Self {
        Self {
            resource,
            size,
            schedule: None,
            request: PublishRequest::default(),
            is_awaiting_response: false,
            is_prepared: false,
            last_response: None,
            published: Vec::new(),
        }
    }

    pub fn start(&mut self, schedule: Schedule) {
        self.schedule = Some(schedule);
    }

    /// Publishes no further events.
    pub fn stop(&mut self) {
        self.schedule = None;
    }

    /// Returns when [`next_action`](Self::next_action) has to be called next.
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
        if self.is_awaiting_response { None } else { self.schedule?.due(self.published()) }
    }

    /// Returns the number of events published so far, including one without a response yet.
    pub fn published(&self) -> u64 {
        self.published.len() as u64
    }

    /// Returns when the event with this number was published.
    pub fn published_at(&self, number: u64) -> Option<Instant> {
        self.published.get(usize::try_from(number).ok()?).copied()
    }

    /// Returns what to do now, if anything is due.
    pub fn next_action(&mut self, now: Instant, is_connected: bool) -> Option<Action> {
        self.wakeup().filter(|wakeup| *wakeup <= now)?;
        if !self.is_prepared {
            self.is_prepared = true;
            let is_stale = self.last_response.is_some_and(|response| now - response > STALE);
            if !is_connected || is_stale {
                return Some(Action::Connect);
            }
            return self.next_action(now, is_connected);
        }
        let data = tracker::data(self.published(), self.size);
        let mut request = Vec::new();
        self.request.write(&self.resource, None, &data, false, &mut request);
        (self.is_awaiting_response, self.is_prepared) = (true, false);
        self.published.push(Instant::now());
        Some(Action::Send(request))
    }

    /// Handles bytes that arrived at `now` on the connection.
    ///
    /// # Errors
    /// The server refused the event.
    pub fn received(&mut self, input: &[u8], output: &mut Output, now: Instant) -> Result<(), CompareError> {
        if !self.is_awaiting_response {
            // A response such as 408 between two events. The next event uses a new connection.
            output.close();
            return Ok(());
        }
        let step = self.request.receive(input, &self.resource);
        self.apply(step, output, now)
    }

    /// Handles the end of the connection.
    ///
    /// # Errors
    /// The response to the last event is missing or incomplete.
    pub fn end_of_input(&mut self, output: &mut Output, now: Instant) -> Result<(), CompareError> {
        output.close();
        if !self.is_awaiting_response {
            return Ok(());
        }
        let step = self.request.end();
        self.apply(step, output, now)
    }

    /// Handles an error that broke the connection.
    ///
    /// # Errors
    /// The response to the last event is missing.
    pub fn broken(&mut self, error: impl Display) -> Result<(), CompareError> {
        if self.is_awaiting_response { Err(failed(error)) } else { Ok(()) }
    }

    fn apply(
        &mut self,
        step: Result<PublishStep, Error>,
        output: &mut Output,
        now: Instant,
    ) -> Result<(), CompareError> {
        match step.map_err(failed)? {
            PublishStep::Published { reuse, .. } => {
                self.is_awaiting_response = false;
                self.last_response = Some(now);
                if !reuse {
                    output.close();
                }
                Ok(())
            }
            // A retry might publish the event twice, and a comparison with a missing event is
            // useless.
            PublishStep::Next(Next::Reconnect { reason, .. }) => Err(failed(reason)),
            PublishStep::Next(Next::Read | Next::Request { .. }) => Ok(()),
        }
    }
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
        let resource = Resource::new("http://127.0.0.1:1/topics/t", None, &[]).expect("a valid URL");
        let mut publisher = Publisher::new(resource, config.size);
        publisher.start(Schedule::new(start, &config));
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
