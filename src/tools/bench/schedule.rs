//! When each message is due, and what waits for whom: the bookkeeping of latency, without a clock.
//!
//! A load generator that sends the next message when the last one is answered (a *closed loop*) is slowed down by a slow server, and so
//! leaves out just those messages that would have waited longest: *coordinated omission* (Gil Tene, whose `wrk2` cures it in this way). On
//! a [`Schedule`] each message is due at a time that no answer can move, and its latency counts from then.

use std::collections::VecDeque;
use std::time::Duration;

/// Evenly spaced times, each counted from the same start.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// Messages in a second.
    rate: f64,
    /// How many have been due.
    taken: u64,
}

impl Schedule {
    /// `rate` messages a second, the first at once. The rate is above 0.
    pub const fn new(rate: f64) -> Self {
        Self { rate, taken: 0 }
    }

    /// When the next one is due. Counted from the start and not from the last one: no rounding adds up.
    pub fn next(&self) -> Duration {
        Duration::try_from_secs_f64(self.taken as f64 / self.rate).unwrap_or(Duration::MAX)
    }

    /// Takes the next one, if it is due.
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
pub struct Lane {
    /// How many may be under way.
    room: usize,
    /// Due, and not yet sent: when each was due.
    waiting: VecDeque<Duration>,
    /// Sent, and not yet answered: when each was due.
    under_way: VecDeque<Duration>,
}

impl Lane {
    /// A lane for so many messages at once.
    pub const fn new(room: usize) -> Self {
        Self { room, waiting: VecDeque::new(), under_way: VecDeque::new() }
    }

    /// A message is due.
    pub fn due(&mut self, at: Duration) {
        self.waiting.push_back(at);
    }

    /// Sends the next one that waits, if there is one, and room for it.
    pub fn send(&mut self) -> bool {
        if self.under_way.len() >= self.room {
            return false;
        }
        let due = self.waiting.pop_front();
        self.under_way.extend(due);
        due.is_some()
    }

    /// The oldest one under way is answered: when it was due. `None` if nothing was asked.
    pub fn answered(&mut self) -> Option<Duration> {
        self.under_way.pop_front()
    }

    /// How many are under way.
    pub fn under_way(&self) -> usize {
        self.under_way.len()
    }

    /// How many wait to be sent.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// What is under way will not be answered any more: how many these are.
    pub fn give_up(&mut self) -> usize {
        let lost = self.under_way.len();
        self.under_way.clear();
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
    fn messages_are_due_evenly_whenever_they_are_asked_for() {
        let mut schedule = Schedule::new(100.0);
        assert_eq!(schedule.take(ms(0)), Some(ms(0)));
        assert_eq!(schedule.take(ms(9)), None);
        assert_eq!(schedule.next(), ms(10));
        // Nobody asks for a while: they are all there, each with its own time.
        let late: Vec<_> = std::iter::from_fn(|| schedule.take(ms(45))).collect();
        assert_eq!(late, [10, 20, 30, 40].map(ms));
        let mut thirds = Schedule::new(3.0);
        let count = std::iter::from_fn(|| thirds.take(Duration::from_secs(3600))).count();
        assert_eq!(count, 3 * 3600 + 1, "no rounding adds up");
    }

    #[test]
    fn latency_counts_from_when_a_message_was_due_not_from_when_it_could_be_sent() {
        let (mut schedule, mut lane) = (Schedule::new(100.0), Lane::new(1));
        let mut latencies = Vec::new();
        // The server answers the first message after 50 ms, and then each within 1 ms.
        for now in (0..=60).map(ms) {
            while let Some(due) = schedule.take(now) {
                lane.due(due);
            }
            let answers = if now < ms(50) { 0 } else { lane.under_way() };
            for _ in 0..answers {
                latencies.push(now - lane.answered().expect("one is under way"));
            }
            lane.send();
        }
        // Were they counted from their sending, all but the first would be 1 ms.
        assert_eq!(latencies, [50, 41, 32, 23, 14, 5].map(ms));
        assert_eq!((lane.waiting(), lane.under_way()), (0, 1));
    }

    #[test]
    fn no_more_is_under_way_than_there_is_room_for() {
        let mut lane = Lane::new(2);
        for due in 0..3 {
            lane.due(ms(due));
        }
        assert_eq!((lane.send(), lane.send(), lane.send()), (true, true, false));
        assert_eq!((lane.waiting(), lane.under_way()), (1, 2));
        assert_eq!(lane.answered(), Some(ms(0)));
        assert!(lane.send());
        assert!(!lane.send(), "nothing waits");
        assert_eq!(lane.give_up(), 2);
        assert_eq!(lane.answered(), None);
    }
}
