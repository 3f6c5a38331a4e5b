//! How far a comparison is, on a terminal.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use crate::client::follow::Via;
use crate::tools::compare::{Plan, Progress};

/// How wide the bar is, in characters.
const WIDTH: usize = 24;

/// From one look of it to the next, at least.
const PAUSE: Duration = Duration::from_millis(100);

/// One line on standard error, written over itself; nothing where that is no terminal.
pub(super) struct ProgressBar {
    is_shown: bool,
    legs: usize,
    clients: usize,
    seconds: f64,
    /// When it was written the last time.
    written: Option<Instant>,
}

impl ProgressBar {
    pub fn new(plan: &Plan, is_quiet: bool) -> Self {
        Self {
            is_shown: !is_quiet && io::stderr().is_terminal(),
            legs: plan.legs().count(),
            clients: plan.clients,
            seconds: plan.duration.as_secs_f64(),
            written: None,
        }
    }

    pub fn show(&mut self, leg: usize, via: Via, progress: Progress) {
        if self.is_shown && self.is_due(Instant::now()) {
            // A terminal that is gone is no reason to stop.
            let _ = write!(io::stderr(), "\r{}\x1b[K", self.line(leg, via, progress));
        }
    }

    /// Whether it is time to write it anew: a leg tells of each of its turns, and the terminal's time is the clients'.
    fn is_due(&mut self, now: Instant) -> bool {
        let is_due = self.written.is_none_or(|written| now.saturating_duration_since(written) >= PAUSE);
        if is_due {
            self.written = Some(now);
        }
        is_due
    }

    pub fn clear(&self) {
        if self.is_shown {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }

    fn line(&self, leg: usize, via: Via, progress: Progress) -> String {
        let Self { legs, clients, seconds, .. } = *self;
        let (done, what) = match progress {
            Progress::Gathering(following) => (0.0, format!("{following} of {clients} clients")),
            Progress::Measuring(elapsed, requests) => {
                let elapsed = elapsed.as_secs_f64().min(seconds);
                (elapsed / seconds, format!("{elapsed:.0} of {seconds:.0} s, {requests} requests"))
            }
            Progress::Draining => (1.0, "what is under way arrives".to_owned()),
        };
        let full = (((leg as f64 + done) / legs as f64 * WIDTH as f64) as usize).min(WIDTH);
        let bar = "#".repeat(full) + &"-".repeat(WIDTH - full);
        format!("[{bar}] {} of {legs}: {via}, {what}", leg + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_written_no_more_than_ten_times_a_second() {
        let mut bar = ProgressBar::new(&Plan::default(), true);
        let start = Instant::now();
        let written: Vec<_> = (0..250).filter(|ms| bar.is_due(start + Duration::from_millis(*ms))).collect();
        assert_eq!(written, [0, 100, 200]);
    }

    #[test]
    fn the_bar_fills_over_all_legs() {
        let bar = ProgressBar::new(&Plan::default(), true);
        let line = bar.line(0, Via::ShortPoll, Progress::Gathering(40));
        assert_eq!(line, format!("[{}] 1 of 4: short-poll, 40 of 100 clients", "-".repeat(24)));
        let half = Progress::Measuring(Duration::from_secs(30), 7);
        let line = bar.line(1, Via::LongPoll, half);
        let filled = "#".repeat(9) + &"-".repeat(15);
        assert_eq!(line, format!("[{filled}] 2 of 4: long-poll, 30 of 60 s, 7 requests"));
        assert!(bar.line(3, Via::WebSocket, Progress::Draining).contains("under way"));
        let over = Progress::Measuring(Duration::from_secs(61), 7);
        assert!(bar.line(3, Via::WebSocket, over).starts_with(&format!("[{}] 4", "#".repeat(24))));
    }
}
