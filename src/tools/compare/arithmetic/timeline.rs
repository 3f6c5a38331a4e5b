//! When events are published, and what follows from it for timers and polls.

use crate::tools::compare::config::CompareConfig;

/// The evenly spaced events of a stretch of time: of one trial, or of the steady state. All times
/// are in seconds.
#[derive(Clone, Copy, Debug)]
pub struct Timeline {
    pub duration: f64,
    pub events: f64,
    /// The time between two events; infinite without events.
    pub period: f64,
    /// The times before the first event and after the last one; `None` in the steady state.
    ends: Option<(f64, f64)>,
}

impl Timeline {
    /// Returns the timeline of a trial, whose first event is due after half a period.
    pub fn trial(config: &CompareConfig) -> Self {
        let duration = config.duration.as_secs_f64();
        let (events, period) = (config.events() as f64, period(config));
        let first = if events > 0.0 { period / 2.0 } else { duration };
        let last = if events > 0.0 { duration - period * (events - 0.5) } else { 0.0 };
        Self { duration, events, period, ends: Some((first, last)) }
    }

    /// Returns a stretch of the steady state that is as long as a trial.
    pub fn steady_state(config: &CompareConfig) -> Self {
        let duration = config.duration.as_secs_f64();
        let events = config.events_per_minute * duration / 60.0;
        Self { duration, events, period: period(config), ends: None }
    }

    pub fn is_trial(&self) -> bool {
        self.ends.is_some()
    }

    /// Returns how often a timer of `seconds` expires that restarts with each event and each time
    /// it expires. If an event is published at the moment of expiration, the event is first. A
    /// timer that starts with the trial has started a little before it.
    pub fn expirations(&self, seconds: f64) -> f64 {
        let between = |period: f64| (period / seconds).ceil() - 1.0;
        match self.ends {
            Some((first, last)) if self.events > 0.0 => {
                (first / seconds).floor()
                    + (self.events - 1.0) * between(self.period)
                    + between(last).max(0.0)
            }
            Some((first, _)) => (first / seconds).floor(),
            None if self.events > 0.0 => self.events * between(self.period),
            None => self.duration / seconds,
        }
    }

    /// Returns how many polls of one client are the first poll after an event, at most `limit`
    /// seconds after it. The client polls every `interval` seconds. An event near the end of the
    /// trial counts in part: by the fraction of an interval that is left after it.
    pub fn first_polls(&self, interval: f64, limit: f64) -> f64 {
        let limit = limit.min(interval);
        let Some((_, last)) = self.ends else { return self.events * limit / interval };
        if self.events == 0.0 {
            return 0.0;
        }
        // The events with less than `limit` left after them: `last`, `last + period`, and so on.
        let late = ((limit - last) / self.period).ceil().clamp(0.0, self.events);
        let sum_of_late = late * last + self.period * late * (late - 1.0) / 2.0;
        ((self.events - late) * limit + sum_of_late) / interval
    }
}

fn period(config: &CompareConfig) -> f64 {
    60.0 / config.events_per_minute
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn trial(events_per_minute: f64, seconds: u64) -> Timeline {
        let duration = Duration::from_secs(seconds);
        Timeline::trial(&CompareConfig { events_per_minute, duration, ..CompareConfig::default() })
    }

    #[test]
    fn polls_after_the_end_do_not_count() {
        // After the last event 5 seconds are left, after the one before it 15.
        for (interval, left) in [(3.0, 0.0), (5.0, 0.0), (6.0, 1.0 / 6.0), (10.0, 0.5), (20.0, 0.75 + 0.25)] {
            let polls = trial(6.0, 60).first_polls(interval, f64::INFINITY);
            assert!((6.0 - polls - left).abs() < 1e-9, "{interval}: {polls}");
        }
        // The closed formula agrees with a sum over all events.
        let left = (0..70).map(|number| 7.0 - (f64::from(number) + 0.5) * 0.1);
        let sum: f64 = left.map(|left| (left / 2.5).min(1.0)).sum();
        let polls = trial(600.0, 7).first_polls(2.5, f64::INFINITY);
        assert!((polls - sum).abs() < 1e-9, "{sum}: {polls}");
        assert_eq!(trial(0.0, 7).first_polls(3.0, f64::INFINITY), 0.0);
    }

    #[test]
    fn each_silence_of_a_trial_counts_separately() {
        for (events_per_minute, duration, seconds, expected) in [
            (6.0, 60, 30.0, 0.0),  // silences of 5, five times 10, and 5
            (12.0, 20, 2.0, 8.0),  // 2.5: 1; three times 5: 2 each; 2.5: 1
            (2.0, 40, 15.0, 2.0),  // 15, started before: 1; 25: 1
            (2.0, 20, 2.0, 9.0),   // 15: 7; 5: 2
            (1.0, 60, 30.0, 1.0),  // 30, started before: 1; 30, started after the event: past the end
            (0.0, 40, 15.0, 2.0),  // no events
            (60.0, 10, 15.0, 0.0), // no silence is long enough
        ] {
            let found = trial(events_per_minute, duration).expirations(seconds);
            assert_eq!(found, expected, "{events_per_minute} per minute for {duration} s, timer {seconds} s");
        }
    }
}
