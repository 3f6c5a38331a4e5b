//! The progress line on a terminal.

use super::run::Stage;
use crate::tools::standard_streams::StatusLine;

/// A line on standard error that shows the current run and its stage. Shown only on a terminal, and
/// erased at the end.
pub struct ProgressLine {
    line: StatusLine,
    runs: usize,
    label: String,
}

impl ProgressLine {
    pub fn new(runs: usize) -> Self {
        Self { line: StatusLine::new(true), runs, label: String::new() }
    }

    /// Sets the number of the current run, counted from 0, and its target.
    pub fn start_run(&mut self, run: usize, target: &str) {
        self.label = format!("run {} of {}: {target}", run + 1, self.runs);
    }

    /// Shows the stage of the current run.
    pub fn show(&self, stage: Stage) {
        let stage = match stage {
            Stage::Connecting => "connecting",
            Stage::WarmingUp => "warming up",
            Stage::Measuring => "measuring",
        };
        self.line.show(&format!("{}{stage}", self.label));
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        self.line.clear();
    }
}
