//! What is compared.

use std::time::Duration;

use crate::client::follow::Via;

/// What is compared.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Clients in each leg.
    pub clients: usize,
    /// The transports, in the order of their legs.
    pub transports: Vec<Via>,
    /// From one short poll to the next: a leg of short polling for each.
    pub intervals: Vec<Duration>,
    /// Events published in a minute, evenly: the first after half the time from one to the next.
    pub events_per_minute: f64,
    /// Bytes of data in each event.
    pub size: usize,
    /// How long each leg is measured.
    pub duration: Duration,
    /// How long a long poll asks to be held, in seconds.
    pub wait: u16,
}

impl Default for Plan {
    /// The course's page: 100 clients, which ask every 3 seconds.
    fn default() -> Self {
        Self {
            clients: 100,
            transports: Via::ALL.to_vec(),
            intervals: vec![Duration::from_secs(3)],
            events_per_minute: 6.0,
            size: 200,
            duration: Duration::from_secs(60),
            wait: 30,
        }
    }
}

impl Plan {
    /// How many events are published in each leg: those that are due before its end, the first of them after half the time from one to the
    /// next.
    pub fn events(&self) -> u64 {
        let periods = self.events_per_minute * self.duration.as_secs_f64() / 60.0;
        // One that is due at the end itself is not before it.
        (periods + 0.5).ceil() as u64 - 1
    }

    /// The legs: each transport, short polling with each of its intervals.
    pub fn legs(&self) -> impl Iterator<Item = (Via, Option<Duration>)> {
        self.transports.iter().flat_map(|via| {
            let intervals: Vec<_> = match via {
                Via::ShortPoll => self.intervals.iter().copied().map(Some).collect(),
                Via::LongPoll | Via::EventStream | Via::WebSocket => vec![None],
            };
            intervals.into_iter().map(|interval| (*via, interval))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_those_that_are_due_before_the_end() {
        for (events_per_minute, seconds, events) in
            [(6.0, 60, 6), (6.0, 26, 3), (6.0, 25, 2), (6.0, 5, 0), (6.0, 6, 1), (0.0, 60, 0), (0.4, 60, 0)]
        {
            let plan = Plan { events_per_minute, duration: Duration::from_secs(seconds), ..Plan::default() };
            assert_eq!(plan.events(), events, "{events_per_minute} a minute, for {seconds} s");
        }
    }

    #[test]
    fn short_polling_has_a_leg_for_each_interval() {
        let [fast, slow] = [1, 6].map(Duration::from_secs);
        let plan = Plan { intervals: vec![fast, slow], ..Plan::default() };
        let legs: Vec<_> = plan.legs().collect();
        let expected = [
            (Via::ShortPoll, Some(fast)),
            (Via::ShortPoll, Some(slow)),
            (Via::LongPoll, None),
            (Via::EventStream, None),
            (Via::WebSocket, None),
        ];
        assert_eq!(legs, expected);
    }
}
