//! The progress bar of a comparison on a terminal.

use std::time::{Duration, Instant};

use super::config::CompareConfig;
use super::trial::Progress;
use crate::client::follow::Transport;
use crate::tools::standard_streams::StatusLine;

/// The width of the bar in characters.
const WIDTH: usize = 24;

/// The minimum time between two updates.
const UPDATE_INTERVAL: Duration = Duration::from_millis(100);

/// A line on standard error that overwrites itself. The line is only shown on a terminal.
pub struct ProgressBar {
    status_line: StatusLine,
    trials: usize,
    clients: usize,
    seconds: f64,
    last_update: Option<Instant>,
}

impl ProgressBar {
    pub fn new(config: &CompareConfig, is_quiet: bool) -> Self {
        Self {
            status_line: StatusLine::new(!is_quiet),
            trials: config.trials().count(),
            clients: config.clients,
            seconds: config.duration.as_secs_f64(),
            last_update: None,
        }
    }

    /// Shows the progress of the trial with this index.
    pub fn show(&mut self, index: usize, via: Transport, progress: Progress) {
        if self.status_line.is_shown() && self.is_due(Instant::now()) {
            self.status_line.show(&self.line(index, via, progress));
        }
    }

    /// Returns true if an update is due. A trial reports progress in each loop iteration, and
    /// updating the terminal every time would take time from the clients.
    fn is_due(&mut self, now: Instant) -> bool {
        let is_due =
            self.last_update.is_none_or(|last| now.saturating_duration_since(last) >= UPDATE_INTERVAL);
        if is_due {
            self.last_update = Some(now);
        }
        is_due
    }

    /// Removes the bar from the terminal.
    pub fn clear(&self) {
        self.status_line.clear();
    }

    fn line(&self, index: usize, via: Transport, progress: Progress) -> String {
        let &Self { trials, clients, seconds, .. } = self;
        let (done, text) = match progress {
            Progress::Connecting { following } => (0.0, format!("{following} of {clients} clients")),
            Progress::Measuring { elapsed, requests } => {
                let elapsed = elapsed.as_secs_f64().min(seconds);
                (elapsed / seconds, format!("{elapsed:.0} of {seconds:.0} s, {requests} requests"))
            }
            Progress::Draining => (1.0, "waiting for the last events".to_owned()),
        };
        let full = (((index as f64 + done) / trials as f64 * WIDTH as f64) as usize).min(WIDTH);
        let bar = "#".repeat(full) + &"-".repeat(WIDTH - full);
        format!("[{bar}] {} of {trials}: {via}, {text}", index + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn updates_at_most_ten_times_per_second() {
        let mut bar = ProgressBar::new(&CompareConfig::default(), true);
        let start = Instant::now();
        let updates: Vec<_> = (0..250).filter(|ms| bar.is_due(start + Duration::from_millis(*ms))).collect();
        assert_eq!(updates, [0, 100, 200]);
    }

    #[test]
    fn the_bar_fills_over_all_trials() {
        let bar = ProgressBar::new(&CompareConfig::default(), true);
        let line = bar.line(0, Transport::ShortPoll, Progress::Connecting { following: 40 });
        assert_eq!(line, format!("[{}] 1 of 4: short-poll, 40 of 100 clients", "-".repeat(24)));
        let half = Progress::Measuring { elapsed: Duration::from_secs(30), requests: 7 };
        let line = bar.line(1, Transport::LongPoll, half);
        let filled = "#".repeat(9) + &"-".repeat(15);
        assert_eq!(line, format!("[{filled}] 2 of 4: long-poll, 30 of 60 s, 7 requests"));
        let line = bar.line(3, Transport::WebSocket, Progress::Draining);
        assert!(line.contains("waiting for the last events"), "{line}");
        let over = Progress::Measuring { elapsed: Duration::from_secs(61), requests: 7 };
        assert!(bar.line(3, Transport::WebSocket, over).starts_with(&format!("[{}] 4", "#".repeat(24))));
    }
}
