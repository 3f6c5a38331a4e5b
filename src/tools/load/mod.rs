//! What `barewire bench` and `barewire compare` share: many clients on one thread, and what they and
//! the server cost.
//!
//! Read in this order:
//!
//! 1. `pool` — the client connections: sockets, readiness, buffers.
//! 2. `histogram` — many durations, and their quantiles.
//! 3. `process` — the CPU time and memory of a process, as Linux counts them; `meter` — what a period
//!    of time cost.
//! 4. `child` — the server under test, as a child process.

pub mod child;
mod histogram;
pub mod meter;
pub mod pool;
mod process;

pub use histogram::Delays;
pub use process::Process;
