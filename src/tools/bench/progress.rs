//! The progress line on a terminal.

use std::io::{self, IsTerminal};

use super::run::Stage;

/// A line on standard error that shows the current run and its stage. Shown only on a terminal, and
/// erased at the end.
pub struct ProgressLine {
    is_shown: bool,
    runs: usize,
    label: String,
}

impl ProgressLine {
    pub fn new(runs: usize) -> Self {
        Self { is_shown: io::stderr().is_terminal(), runs, label: String::new() }
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
        if self.is_shown {
            eprint!("\r\x1b[K{}{stage}", self.label);
        }
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        if self.is_shown {
            eprint!("\r\x1b[K");
        }
    }
}
