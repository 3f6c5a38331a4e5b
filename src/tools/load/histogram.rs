//! Many durations, and their quantiles.

use std::time::Duration;

use hdrhistogram::Histogram;

/// Durations from 1 µs to an hour, kept in buckets that are right to three digits (<https://hdrhistogram.github.io>): any number
/// of them takes the same room.
#[derive(Clone, Debug)]
pub struct Delays {
    /// In microseconds.
    histogram: Histogram<u64>,
    /// Beside the buckets, for a mean without their rounding.
    sum: Duration,
}

/// An hour, in microseconds.
const LONGEST: u64 = 3_600_000_000;

impl Default for Delays {
    fn default() -> Self {
        let histogram =
            Histogram::new_with_bounds(1, LONGEST, 3).expect("1 < 2 * 1 <= LONGEST, and 3 <= 5 digits");
        Self { histogram, sum: Duration::ZERO }
    }
}

impl Delays {
    /// Counts one more. What is longer than an hour counts as an hour.
    pub fn record(&mut self, delay: Duration) {
        self.histogram.saturating_record(u64::try_from(delay.as_micros()).unwrap_or(LONGEST));
        self.sum += delay;
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.histogram.len()
    }

    /// What this part of them, from 0 to 1, is not longer than; zero if there are none.
    pub fn quantile(&self, part: f64) -> Duration {
        Duration::from_micros(self.histogram.value_at_quantile(part).min(self.histogram.max()))
    }

    /// The longest; zero if there are none.
    pub fn max(&self) -> Duration {
        self.quantile(1.0)
    }

    /// The mean; zero if there are none.
    pub fn mean(&self) -> Duration {
        // A day of many clients is more than a u32 of them.
        let nanoseconds = self.sum.as_nanos().checked_div(self.count().into()).unwrap_or_default();
        Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::Delays;
    use std::time::Duration;

    /// Adds the delays of `other`: a quick way to a large count.
    fn add(delays: &mut Delays, other: &Delays) {
        delays.histogram.add(&other.histogram).expect("both have the same bounds");
        delays.sum += other.sum;
    }

    #[test]
    fn quantiles_are_those_of_what_was_counted() {
        let mut delays = Delays::default();
        assert_eq!((delays.quantile(0.5), delays.mean(), delays.max()), Default::default());
        let mut late = Delays::default();
        for milliseconds in 1..=1000 {
            let half = if milliseconds % 2 == 0 { &mut delays } else { &mut late };
            half.record(Duration::from_millis(milliseconds));
        }
        add(&mut delays, &late);
        assert_eq!(delays.count(), 1000);
        for (part, milliseconds) in [(0.5, 500.0), (0.95, 950.0), (0.99, 990.0), (1.0, 1000.0)] {
            let found = delays.quantile(part).as_secs_f64() * 1000.0;
            assert!((found / milliseconds - 1.0).abs() < 0.002, "{part}: {found} ms");
        }
        assert_eq!(delays.mean(), Duration::from_micros(500_500));
    }

    #[test]
    fn more_than_a_u32_of_them_have_a_mean() {
        let mut delays = Delays::default();
        delays.record(Duration::from_millis(8));
        for _ in 0..33 {
            let same = delays.clone();
            add(&mut delays, &same); // 2^33 of them
        }
        assert_eq!((delays.count(), delays.mean()), (1 << 33, Duration::from_millis(8)));
    }

    #[test]
    fn what_is_beyond_the_bounds_counts_as_the_bound() {
        let mut delays = Delays::default();
        delays.record(Duration::ZERO);
        delays.record(Duration::from_secs(7200));
        assert_eq!(delays.count(), 2);
        assert!(delays.max() >= Duration::from_secs(3590));
    }
}
