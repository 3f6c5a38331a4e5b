//! `barewire bench`: load for any server of the transports here, and what it makes of it.
//!
//! One thread, one loop, sockets that do not block. A run opens its connections, does its work for a while (*warm-up*), and then counts for a
//! while. What is counted is work in a second, and in a second of the server's CPU time; latency; and whether anything was lost.
//!
//! ```text
//! Plan, Target ─▶ run ─▶ Run, several times ─▶ Spread
//!                  │
//!                  ├─ exchange   echo, requests ──┐            ┌─ talk: HTTP, event streams, WebSocket
//!                  ├─ fan_out                     ├─▶ crowd ──▶│
//!                  ├─ idle                        │  (sockets) └─ or no protocol, to the ceiling
//!                  └─ connect ────────────────────┘
//! ```
//!
//! Read in this order:
//!
//! 1. `plan` — what is to be measured, and at whom; `asking` — requests from a template, and where cursors are.
//! 2. `schedule` — when a message is due, and from when its latency counts; `marker` — how an event is known again.
//! 3. `talk` — what one connection speaks: bytes in, what they say out.
//! 4. `crowd` — the sockets; `gather` — opening many of them.
//! 5. `exchange`, `fan_out`, `idle`, `connect` — the workloads.
//! 6. `ceiling` — the bare program that a server is held against.
//! 7. `meter`, `outcome` — what a run has cost, and what several come to.

use super::config::{Plan, Target, Workload};
use super::idle::{self, Before};
use super::result::{Failed, Run};
use super::{connect, exchange, fan_out};

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Its connections are opened.
    Connecting,
    /// Its work is done, and does not count yet.
    WarmingUp,
    /// It counts.
    Measuring,
}

/// Who is told how far a run is.
pub type Progress<'a> = dyn FnMut(Stage) + 'a;

/// Events a run may publish at most, in the numbers that are given out for it.
const EVENTS_A_RUN: u64 = 1_000_000_000;

/// Runs a plan once. `before` is the memory before the first run, and `number` which run it is: no two at the same server have the same.
///
/// # Errors
/// [`Failed`], if there is nothing to count.
pub fn run(
    plan: &Plan,
    target: &Target,
    number: u64,
    before: Option<Before>,
    progress: &mut Progress<'_>,
) -> Result<Run, Failed> {
    match (plan.workload, target) {
        (Workload::Echo | Workload::Requests, _) => exchange::run(plan, target, progress),
        (Workload::FanOut, _) => fan_out::run(plan, target, number % 1000 * EVENTS_A_RUN, progress),
        (Workload::Idle, Target::Server(site)) => {
            idle::run(plan, site, before.unwrap_or_else(|| Before::now(site)), progress)
        }
        (Workload::Connect, Target::Server(site)) => connect::run(plan, site, progress),
        (Workload::Idle | Workload::Connect, Target::Ceiling(_)) => {
            Err(Failed::Refused("without a protocol there is only echo and fan-out".into()))
        }
    }
}
