//! How long to wait before the next attempt: longer each time, and never as long as the others that wait.

use std::io;
use std::time::Duration;

use super::random::Random;

/// Full jitter: the wait is anything from nothing to a bound, and the bound doubles with each attempt in vain. So a crowd that lost
/// its server at one moment does not come back at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The bound of the first wait.
    pub first: Duration,
    /// What no wait is longer than, unless the server asks for it.
    pub most: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { first: Duration::from_millis(500), most: Duration::from_secs(30) }
    }
}

impl Backoff {
    /// The wait behind so many attempts in vain, the first of which is 0; `least` is what the server asks for.
    pub(super) fn wait(&self, attempts: u32, least: Duration, random: &mut Random) -> io::Result<Duration> {
        let bound = self.first.saturating_mul(1 << attempts.min(31)).min(self.most);
        let part = u32::from_be_bytes(random.draw()?);
        // All who were asked to wait as long would come at once again: the jitter is added, and not lost in it.
        Ok(least.saturating_add(bound.mul_f64(f64::from(part) / f64::from(u32::MAX))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_doubles_and_the_wait_is_anywhere_below_it() {
        let mut random = Random::new().expect("random bytes");
        let backoff = Backoff::default();
        for (attempts, bound) in [(0, 500), (1, 1000), (5, 16_000), (6, 30_000), (u32::MAX, 30_000)] {
            let bound = Duration::from_millis(bound);
            let least = Duration::from_secs(7);
            let waits: Vec<_> = (0..200)
                .map(|_| backoff.wait(attempts, least, &mut random).expect("random bytes") - least)
                .collect();
            assert!(waits.iter().all(|wait| *wait <= bound), "{attempts}");
            // 200 draws, all in one half: once in 2^199 runs.
            assert!(waits.iter().any(|wait| *wait < bound / 2), "{attempts}");
            assert!(waits.iter().any(|wait| *wait > bound / 2), "{attempts}");
        }
    }
}
