//! When the next request follows: at once after progress, and with growing delays without it.
//!
//! The protocols leave that to the client. A long poll is sent again as soon as its response has
//! arrived, and a stream as soon as it has ended. So a server that responds at once and reports
//! nothing new, by mistake or not, would receive requests as fast as the network carries them. This
//! is the one place that prevents it, for all transports.

use std::time::Duration;

use super::{Next, Notice, Resource};

/// Moves of the cursor without an event that count as progress, in a row: from *now* to an id, and
/// from there over a gap. A server whose ids alternate, or never end, moves the cursor more often.
const MOVES: u8 = 2;

/// The progress of one follower, and the delays that it causes.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// The last requests, in a row, that made no progress.
    failures: u32,
    /// Moves of the cursor without an event, in a row.
    moves: u8,
    /// True if the last request has brought an event.
    has_events: bool,
    /// True if the last request has moved the cursor.
    has_moved: bool,
}

impl Pace {
    /// Begins a request.
    pub fn begin(&mut self) {
        (self.has_events, self.has_moved) = (false, false);
    }

    /// Records what a request brings.
    pub fn observe(&mut self, notice: &Notice<'_>) {
        match notice {
            Notice::Event(_) => self.has_events = true,
            Notice::Cursor(_) => self.has_moved = true,
            // A gap is no progress: the same one can be reported again and again.
            Notice::Gap { .. } => {}
        }
    }

    /// Returns `next` with the delay that this follower needs, `elapsed` after its request was
    /// sent.
    ///
    /// `draw` returns random bytes for the jitter.
    ///
    /// # Errors
    /// Those of `draw`.
    pub fn apply<E>(
        &mut self,
        next: Next,
        elapsed: Duration,
        resource: &Resource,
        draw: impl FnOnce() -> Result<[u8; 16], E>,
    ) -> Result<Next, E> {
        Ok(match next {
            Next::Read => Next::Read,
            Next::Request { after, reuse } => {
                let is_progress = self.record_response(elapsed, resource);
                // A delay of its own, such as the interval of short polls, paces the requests.
                if is_progress || !after.is_zero() {
                    self.failures = 0;
                    return Ok(Next::Request { after, reuse });
                }
                Next::Request { after: self.backoff(resource, draw()?), reuse }
            }
            Next::Reconnect { after, reason } => {
                Next::Reconnect { after: self.fail(after, elapsed, resource, draw()?), reason }
            }
        })
    }

    /// Returns the delay after a connection that could not be opened, has ended or has failed.
    /// `at_least` is the minimum that the server requested.
    pub fn fail(
        &mut self,
        at_least: Duration,
        elapsed: Duration,
        resource: &Resource,
        random: [u8; 16],
    ) -> Duration {
        // A stream that ends each time right after it has opened is not useful.
        if self.has_events || elapsed >= resource.backoff.max {
            self.failures = 0;
        }
        // The server requests the same minimum from all its clients. Adding the jitter to that
        // minimum, rather than taking the larger of the two, keeps the clients spread out.
        at_least.saturating_add(self.backoff(resource, random))
    }

    /// Records a complete response, and returns whether the next request may follow at once.
    fn record_response(&mut self, elapsed: Duration, resource: &Resource) -> bool {
        if self.has_events || Self::is_paced_by_server(self.failures, elapsed, resource) {
            self.moves = 0;
            return true;
        }
        if self.has_moved {
            self.moves = self.moves.saturating_add(1);
        }
        self.has_moved && self.moves <= MOVES
    }

    /// Returns whether the response took so long that the server itself limits the requests: as
    /// long as the client would wait, or as long as it asked the server to wait.
    fn is_paced_by_server(failures: u32, elapsed: Duration, resource: &Resource) -> bool {
        let wait = Duration::from_secs(resource.wait.max(1).into());
        elapsed >= resource.backoff.bound(failures).min(wait)
    }

    fn backoff(&mut self, resource: &Resource, random: [u8; 16]) -> Duration {
        let [a, b, c, d, ..] = random;
        let delay = resource.backoff.delay(self.failures, [a, b, c, d]);
        self.failures = self.failures.saturating_add(1);
        delay
    }
}
