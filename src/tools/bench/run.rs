//! One run of a workload, and its stages.

use super::config::{BenchConfig, Target, Workload};
use super::idle::{self, MemoryBaseline};
use super::result::{BenchError, Run};
use super::{connect, exchange, fan_out};

/// A stage of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The connections are opened.
    Connecting,
    /// The clients work, and nothing is counted.
    WarmingUp,
    /// The clients work, and everything is counted.
    Measuring,
}

/// A function that is called at the start of each stage.
pub type Progress<'a> = dyn FnMut(Stage) + 'a;

/// The most events that one run may publish. Each run has this many event numbers.
const EVENTS_PER_RUN: u64 = 1_000_000_000;

/// Runs a workload once. `number` identifies the run: two runs at the same server must not share
/// it. `baseline` is the memory before the first run.
///
/// # Errors
/// [`BenchError`] if the run has no result.
pub fn run(
    config: &BenchConfig,
    target: &Target,
    number: u64,
    baseline: Option<MemoryBaseline>,
    progress: &mut Progress<'_>,
) -> Result<Run, BenchError> {
    match (config.workload, target) {
        (Workload::Echo | Workload::Requests, _) => exchange::run(config, target, progress),
        (Workload::FanOut, _) => fan_out::run(config, target, number % 1000 * EVENTS_PER_RUN, progress),
        (Workload::Idle, Target::Server(server)) => {
            let baseline = baseline.unwrap_or_else(|| MemoryBaseline::now(server));
            idle::run(config, server, baseline, progress)
        }
        (Workload::Connect, Target::Server(server)) => connect::run(config, server, progress),
        (Workload::Idle | Workload::Connect, Target::Ceiling(_)) => {
            Err(BenchError::Refused("the ceiling supports only echo and fan-out".into()))
        }
    }
}
