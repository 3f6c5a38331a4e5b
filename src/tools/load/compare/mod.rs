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
//! Read in this order:
//!
//! 1. `plan` and `outcome` — what is asked for, and what it comes to.
//! 2. `arithmetic` — what each transport has to cost.
//! 3. `leg` — one leg, from the first connection to the last arrival; `crowd` and `feed` — who follows, and who publishes.
//! 4. `seen` — which events have reached a client.
//! 5. `figures`, `table`, `json`, `csv` — how it is told.
//! 6. [`predict`] — what a number of users would cost that no machine here holds.
//! 7. `report` — all of it as one page, with plots; `numbers` — how the last two write figures.

mod arithmetic;
mod crowd;
mod csv;
mod feed;
mod figures;
mod json;
mod leg;
mod numbers;
mod outcome;
mod plan;
pub mod predict;
mod report;
mod seen;
mod table;

pub use arithmetic::Arithmetic;
pub use csv::csv;
pub use json::json;
pub use leg::{CompareError, Progress, measure};
pub use outcome::{Bytes, Comparison, DelayFigures, Figures, Leg, ServerFigures, difference};
pub use plan::Plan;
pub use report::report;
pub use seen::{MIN_SIZE, MOST_EVENTS};
pub use table::table;
