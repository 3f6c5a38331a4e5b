//! The progress of a run on a terminal.

use super::case::Verdict;
use crate::tools::standard_streams::StatusLine;

/// The width of the bar in characters.
const WIDTH: usize = 24;

/// A line on standard error that overwrites itself.
pub struct ProgressLine {
    line: StatusLine,
    cases: usize,
    played: usize,
    failed: usize,
}

impl ProgressLine {
    pub fn new(cases: usize, is_quiet: bool) -> Self {
        Self { line: StatusLine::new(!is_quiet), cases, played: 0, failed: 0 }
    }

    /// Counts a result.
    pub fn count(&mut self, verdict: Verdict) {
        self.played += 1;
        self.failed += usize::from(verdict == Verdict::Fail);
        let filled = self.played * WIDTH / self.cases.max(1);
        let bar = format!("{}{}", "#".repeat(filled), ".".repeat(WIDTH - filled));
        self.line.show(&format!("[{bar}] {} of {} cases, {} failed", self.played, self.cases, self.failed));
    }

    /// Removes the line.
    pub fn clear(&self) {
        self.line.clear();
    }
}
