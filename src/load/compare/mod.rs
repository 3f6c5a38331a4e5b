//! `barewire compare`: the four transports under the same stream of events, measured beside what arithmetic says.
//!
//! A comparison is a row of *legs*, one after another: a transport, for short polling with one interval. In each the same number of
//! clients follows a topic of its own, and the same events are published to it at the same times after its start.
//!
//! ```text
//! Plan ─▶ leg: crowd (real sockets) ──▶ Figures, measured ──┐
//!   │                                                       ├─▶ Leg ─▶ Comparison ─▶ table, JSON, CSV, report
//!   └───▶ arithmetic (Plan alone) ────▶ Figures, predicted ─┘
//! ```
//!
//! Read in this order: `plan`, `outcome`, `arithmetic`, `predict`, `report`; `numbers` is how the last two write them.

mod numbers;
mod outcome;
mod plan;
pub mod predict;
mod report;

pub use outcome::{Bytes, Comparison, DelayFigures, Figures, Leg, ServerFigures, difference};
pub use plan::Plan;
pub use report::report;
