//! Load: many clients from one thread, and what they and the server behind them cost.
//!
//! On [`client`](crate::client), for `barewire compare` and `barewire bench`. Read in this order:
//!
//! 1. `process` — CPU time and memory of a process, as Linux counts them.
//! 2. `delays` — many durations, and their quantiles.
//! 3. [`mod@bench`] — load for any server of these transports, and what it makes of it.

pub mod bench;
mod delays;
mod process;

pub use delays::Delays;
pub use process::Process;
