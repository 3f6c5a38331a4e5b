//! Code that `barewire bench` and `barewire compare` share: many clients on one thread, and the
//! cost of the clients and the server.
//!
//! Read in this order:
//!
//! 1. `pool` — the client connections: sockets, readiness, buffers.
//! 2. `histogram` — many delays, and their quantiles.
//! 3. `process` — the CPU time and memory of a process, as Linux counts them; `meter` — the
//!    cost of a period of time.
//! 4. `child` — the server under test, as a child process.

mod child;
mod histogram;
mod meter;
mod pool;
mod process;

pub use child::{CHILD_SERVER, Child, end_with_parent, serve_as_child};
pub use histogram::DelayHistogram;
pub use meter::{Cost, Meter, kernel_memory, user_memory};
pub use pool::{ByteCounts, ClientPool, EndReason, Handler, Output};
pub use process::Process;
