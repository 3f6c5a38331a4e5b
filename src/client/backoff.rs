//! Delays between connection attempts: exponential backoff with full jitter.

use std::io;
use std::time::Duration;

use super::random::Random;

/// Exponential backoff with full jitter.
///
/// A delay is anything between zero and a bound, and the bound doubles with each failed attempt.
/// The jitter spreads out clients that lost their server at the same moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// Upper bound of the first delay.
    pub initial: Duration,
    /// Upper bound of every delay. A minimum that the server requests is added to it.
    pub max: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { initial: Duration::from_millis(500), max: Duration::from_secs(30) }
    }
}

impl Backoff {
    /// Returns the delay before the next attempt, after `failed_attempts` failures.
    ///
    /// `at_least` is the minimum that the server requested.
    ///
    /// # Errors
    /// The system provides no random bytes.
    pub(super) fn delay(
        &self,
        failed_attempts: u32,
        at_least: Duration,
        random: &mut Random,
    ) -> io::Result<Duration> {
        let bound = self.initial.saturating_mul(1 << failed_attempts.min(31)).min(self.max);
        let part = u32::from_be_bytes(random.draw()?);
        // The server requests the same minimum from all its clients. Adding the jitter to that
        // minimum, rather than taking the larger of the two, keeps the clients spread out.
        Ok(at_least.saturating_add(bound.mul_f64(f64::from(part) / f64::from(u32::MAX))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_doubles_and_the_delay_is_anywhere_below_it() {
        let mut random = Random::new().expect("random bytes");
        let backoff = Backoff::default();
        for (attempts, bound) in [(0, 500), (1, 1000), (5, 16_000), (6, 30_000), (u32::MAX, 30_000)] {
            let bound = Duration::from_millis(bound);
            let least = Duration::from_secs(7);
            let delays: Vec<_> = (0..200)
                .map(|_| backoff.delay(attempts, least, &mut random).expect("random bytes") - least)
                .collect();
            assert!(delays.iter().all(|delay| *delay <= bound), "{attempts}");
            // All 200 draws fall into the same half once in 2^199 runs.
            assert!(delays.iter().any(|delay| *delay < bound / 2), "{attempts}");
            assert!(delays.iter().any(|delay| *delay > bound / 2), "{attempts}");
        }
    }
}
