//! The configuration of a comparison.

use std::time::Duration;

use crate::client::follow::Transport;

/// The configuration of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct CompareConfig {
    /// Clients in each trial.
    pub clients: usize,
    /// The transports, in the order of their trials.
    pub transports: Vec<Transport>,
    /// Times between two short polls. Short polling has one trial for each.
    pub intervals: Vec<Duration>,
    /// Events published per minute, evenly spaced. The first is due after half an interval.
    pub events_per_minute: f64,
    /// Bytes of data in each event.
    pub size: usize,
    /// How long each trial is measured.
    pub duration: Duration,
    /// How long a long poll asks the server to wait, in seconds.
    pub wait: u16,
}

impl Default for CompareConfig {
    /// Returns the course's page: 100 clients that poll every 3 seconds.
    fn default() -> Self {
        Self {
            clients: 100,
            transports: Transport::ALL.to_vec(),
            intervals: vec![Duration::from_secs(3)],
            events_per_minute: 6.0,
            size: 200,
            duration: Duration::from_secs(60),
            wait: 30,
        }
    }
}

impl CompareConfig {
    /// Returns the number of events that are due before the end of a trial.
    pub fn events(&self) -> u64 {
        let periods = self.events_per_minute * self.duration.as_secs_f64() / 60.0;
        // An event that is due exactly at the end does not count.
        (periods + 0.5).ceil() as u64 - 1
    }

    /// Returns the trials in order: each transport, and short polling once for each interval.
    pub fn trials(&self) -> impl Iterator<Item = (Transport, Option<Duration>)> {
        self.transports.iter().flat_map(|via| {
            let intervals: Vec<_> = match via {
                Transport::ShortPoll => self.intervals.iter().copied().map(Some).collect(),
                Transport::LongPoll | Transport::EventStream | Transport::WebSocket => vec![None],
            };
            intervals.into_iter().map(|interval| (*via, interval))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_the_events_that_are_due_before_the_end() {
        for (events_per_minute, seconds, events) in
            [(6.0, 60, 6), (6.0, 26, 3), (6.0, 25, 2), (6.0, 5, 0), (6.0, 6, 1), (0.0, 60, 0), (0.4, 60, 0)]
        {
            let duration = Duration::from_secs(seconds);
            let config = CompareConfig { events_per_minute, duration, ..CompareConfig::default() };
            assert_eq!(config.events(), events, "{events_per_minute} per minute for {seconds} s");
        }
    }

    #[test]
    fn short_polling_has_one_trial_per_interval() {
        let [fast, slow] = [1, 6].map(Duration::from_secs);
        let config = CompareConfig { intervals: vec![fast, slow], ..CompareConfig::default() };
        let trials: Vec<_> = config.trials().collect();
        let expected = [
            (Transport::ShortPoll, Some(fast)),
            (Transport::ShortPoll, Some(slow)),
            (Transport::LongPoll, None),
            (Transport::EventStream, None),
            (Transport::WebSocket, None),
        ];
        assert_eq!(trials, expected);
    }
}
