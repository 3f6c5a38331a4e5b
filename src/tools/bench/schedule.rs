//! When each message is due, and which messages are in flight: the bookkeeping of latency, without
//! a clock.
//!
//! A load generator that sends the next message when the last response arrives (a *closed loop*) is
//! slowed down by a slow server. It therefore omits exactly the messages that would have waited
//! longest: *coordinated omission* (Gil Tene, whose `wrk2` avoids it the same way). A [`Schedule`]
//! makes each message due at a time that no response can move, and latency counts from that time.

use std::collections::VecDeque;
use std::time::Duration;

/// Evenly spaced due times, as durations from one common start.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// Messages per second.
    rate: f64,
    /// The number of messages taken so far.
    taken: u64,
}

impl Schedule {
    /// Returns a schedule of `rate` messages per second, the first of them due at once. `rate` must
    /// be greater than 0.
    pub const fn new(rate: f64) -> Self {
        Self { rate, taken: 0 }
    }

    /// Returns when the next message is due. The time is computed from the start and not from the
    /// previous message, so rounding errors do not add up.
    pub fn next(&self) -> Duration {
        Duration::try_from_secs_f64(self.taken as f64 / self.rate).unwrap_or(Duration::MAX)
    }

    /// Takes the next message if it is due, and returns its due time.
    pub fn take(&mut self, now: Duration) -> Option<Duration> {
        let due = self.next();
        (due <= now).then(|| {
            self.taken += 1;
            due
        })
    }
}

/// The messages of one connection, which are answered in the order in which they were sent.
#[derive(Clone, Debug)]
pub struct Pipeline {
    /// The most messages in flight.
    depth: usize,
    /// Due times of the messages that are not sent yet.
    queued: VecDeque<Duration>,
    /// Due times of the messages that are sent and unanswered.
    in_flight: VecDeque<Duration>,
}

impl Pipeline {
    /// Returns a pipeline with room for `depth` messages in flight.
    pub const fn new(depth: usize) -> Self {
        Self { depth, queued: VecDeque::new(), in_flight: VecDeque::new() }
    }

    /// Queues a message that is due at `due`.
    pub fn queue(&mut self, due: Duration) {
        self.queued.push_back(due);
    }

    /// Moves the next queued message into flight. Returns false if the queue is empty or the
    /// pipeline is full.
    pub fn send(&mut self) -> bool {
        if self.in_flight.len() >= self.depth {
            return false;
        }
        let due = self.queued.pop_front();
        self.in_flight.extend(due);
        due.is_some()
    }

    /// Completes the oldest message in flight, and returns its due time. Returns `None` if no
    /// message is in flight.
    pub fn complete(&mut self) -> Option<Duration> {
        self.in_flight.pop_front()
    }

    /// Returns the number of messages in flight.
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Returns the number of messages not sent yet.
    pub fn queued(&self) -> usize {
        self.queued.len()
    }

    /// Drops the messages in flight, which will not be answered, and returns their number.
    pub fn abandon(&mut self) -> usize {
        let lost = self.in_flight.len();
        self.in_flight.clear();
        lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn messages_are_due_evenly_whenever_they_are_taken() {
        let mut schedule = Schedule::new(100.0);
        assert_eq!(schedule.take(ms(0)), Some(ms(0)));
        assert_eq!(schedule.take(ms(9)), None);
        assert_eq!(schedule.next(), ms(10));
        // After a pause, each missed message is still due at its own time.
        let late: Vec<_> = std::iter::from_fn(|| schedule.take(ms(45))).collect();
        assert_eq!(late, [10, 20, 30, 40].map(ms));
        let mut thirds = Schedule::new(3.0);
        let count = std::iter::from_fn(|| thirds.take(Duration::from_secs(3600))).count();
        assert_eq!(count, 3 * 3600 + 1, "rounding errors must not add up");
    }

    #[test]
    fn latency_counts_from_the_due_time_and_not_from_the_time_of_sending() {
        let (mut schedule, mut pipeline) = (Schedule::new(100.0), Pipeline::new(1));
        let mut latencies = Vec::new();
        // The server answers the first message after 50 ms, and every other one within 1 ms.
        for now in (0..=60).map(ms) {
            while let Some(due) = schedule.take(now) {
                pipeline.queue(due);
            }
            let responses = if now < ms(50) { 0 } else { pipeline.in_flight() };
            for _ in 0..responses {
                latencies.push(now - pipeline.complete().expect("a message is in flight"));
            }
            pipeline.send();
        }
        // Counted from the time of sending, all but the first would be 1 ms.
        assert_eq!(latencies, [50, 41, 32, 23, 14, 5].map(ms));
        assert_eq!((pipeline.queued(), pipeline.in_flight()), (0, 1));
    }

    #[test]
    fn never_exceeds_the_depth() {
        let mut pipeline = Pipeline::new(2);
        for due in 0..3 {
            pipeline.queue(ms(due));
        }
        assert_eq!((pipeline.send(), pipeline.send(), pipeline.send()), (true, true, false));
        assert_eq!((pipeline.queued(), pipeline.in_flight()), (1, 2));
        assert_eq!(pipeline.complete(), Some(ms(0)));
        assert!(pipeline.send());
        assert!(!pipeline.send(), "the queue is empty");
        assert_eq!(pipeline.abandon(), 2);
        assert_eq!(pipeline.complete(), None);
    }
}
