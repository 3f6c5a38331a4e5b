//! Many delays, and their quantiles.

use std::time::Duration;

use hdrhistogram::Histogram;

/// A histogram of durations from 1 µs to one hour, precise to three digits
/// (<https://hdrhistogram.github.io>). Its size does not depend on the number of durations.
#[derive(Clone, Debug)]
pub struct DelayHistogram {
    /// In microseconds.
    histogram: Histogram<u64>,
    /// The exact sum, for a mean without the rounding of the buckets.
    sum: Duration,
}

/// One hour in microseconds.
const MAX: u64 = 3_600_000_000;

impl Default for DelayHistogram {
    fn default() -> Self {
        let histogram = Histogram::new_with_bounds(1, MAX, 3).expect("1 < 2 * 1 <= MAX, and 3 <= 5 digits");
        Self { histogram, sum: Duration::ZERO }
    }
}

impl DelayHistogram {
    /// Records a delay. A delay of more than one hour counts as one hour.
    pub fn record(&mut self, delay: Duration) {
        self.histogram.saturating_record(u64::try_from(delay.as_micros()).unwrap_or(MAX));
        self.sum += delay;
    }

    /// Returns the number of delays recorded.
    pub fn count(&self) -> u64 {
        self.histogram.len()
    }

    /// Returns the delay that `part` of all delays, from 0 to 1, do not exceed; zero if there are
    /// none.
    pub fn quantile(&self, part: f64) -> Duration {
        Duration::from_micros(self.histogram.value_at_quantile(part).min(self.histogram.max()))
    }

    /// Returns the longest delay; zero if there are none.
    pub fn max(&self) -> Duration {
        self.quantile(1.0)
    }

    /// Returns the mean; zero if there are none.
    pub fn mean(&self) -> Duration {
        // The count may exceed a u32, so `Duration`'s own division does not suffice.
        let nanoseconds = self.sum.as_nanos().checked_div(self.count().into()).unwrap_or_default();
        Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }

    /// Adds the delays of another histogram.
    #[cfg(test)]
    fn add(&mut self, other: &Self) {
        self.histogram.add(&other.histogram).expect("both have the same bounds");
        self.sum += other.sum;
    }
}

#[cfg(test)]
mod tests {
    use super::DelayHistogram;
    use std::time::Duration;

    #[test]
    fn quantiles_match_the_recorded_delays() {
        let mut delays = DelayHistogram::default();
        assert_eq!((delays.quantile(0.5), delays.mean(), delays.max()), Default::default());
        let mut odd = DelayHistogram::default();
        for milliseconds in 1..=1000 {
            let half = if milliseconds % 2 == 0 { &mut delays } else { &mut odd };
            half.record(Duration::from_millis(milliseconds));
        }
        delays.add(&odd);
        assert_eq!(delays.count(), 1000);
        for (part, milliseconds) in [(0.5, 500.0), (0.95, 950.0), (0.99, 990.0), (1.0, 1000.0)] {
            let found = delays.quantile(part).as_secs_f64() * 1000.0;
            assert!((found / milliseconds - 1.0).abs() < 0.002, "{part}: {found} ms");
        }
        assert_eq!(delays.mean(), Duration::from_micros(500_500));
    }

    #[test]
    fn the_mean_is_right_for_more_delays_than_a_u32_counts() {
        let mut delays = DelayHistogram::default();
        delays.record(Duration::from_millis(8));
        for _ in 0..33 {
            delays.add(&delays.clone()); // 2^33 delays at the end
        }
        assert_eq!((delays.count(), delays.mean()), (1 << 33, Duration::from_millis(8)));
    }

    #[test]
    fn delays_beyond_the_bounds_count_as_the_bound() {
        let mut delays = DelayHistogram::default();
        delays.record(Duration::ZERO);
        delays.record(Duration::from_secs(7200));
        assert_eq!(delays.count(), 2);
        assert!(delays.max() >= Duration::from_secs(3590));
    }
}
