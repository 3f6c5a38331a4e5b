//! Delays between requests that make no progress: exponential backoff with full jitter.

use std::time::Duration;

/// Exponential backoff with full jitter.
///
/// A delay is anything between zero and a bound, and the bound doubles with each request that makes
/// no progress.
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
    /// Returns the upper bound of the delay after `failures` earlier requests without progress.
    pub(super) fn bound(&self, failures: u32) -> Duration {
        self.initial.saturating_mul(1 << failures.min(31)).min(self.max)
    }

    /// Returns a delay between zero and the [`bound`](Self::bound), chosen by four random bytes.
    pub(super) fn delay(&self, failures: u32, random: [u8; 4]) -> Duration {
        let part = f64::from(u32::from_be_bytes(random)) / f64::from(u32::MAX);
        self.bound(failures).mul_f64(part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::random::Random;

    #[test]
    fn the_bound_doubles_and_the_delay_is_anywhere_below_it() {
        let mut random = Random::new().expect("random bytes");
        let backoff = Backoff::default();
        for (failures, bound) in [(0, 500), (1, 1000), (5, 16_000), (6, 30_000), (u32::MAX, 30_000)] {
            let bound = Duration::from_millis(bound);
            let delays: Vec<_> =
                (0..200).map(|_| backoff.delay(failures, random.draw().expect("random bytes"))).collect();
            assert!(delays.iter().all(|delay| *delay <= bound), "{failures}");
            // All 200 draws fall into the same half once in 2^199 runs.
            assert!(delays.iter().any(|delay| *delay < bound / 2), "{failures}");
            assert!(delays.iter().any(|delay| *delay > bound / 2), "{failures}");
        }
    }
}
