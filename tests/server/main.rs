//! Tests the server against its documented interface over real sockets, with raw bytes. Every plain
//! request is sent in three ways: whole, byte by byte, and pipelined with another one. The tests of
//! limits and times use a simulation without sockets.

// Public, because other tests use parts of the harness that these do not.
pub mod harness;
#[path = "../running/mod.rs"]
mod running;
#[path = "../vectors/mod.rs"]
mod vectors;

mod bounds;
mod choice;
mod closing;
#[cfg(feature = "deflate")]
mod compression;
mod connections;
mod cursors;
mod deadlines;
mod draining;
mod echo;
mod events;
mod gaps;
mod hostile;
mod hosts;
mod operating;
mod origins;
mod overload;
mod paths;
mod polls;
mod publishing;
mod repeated;
mod slow;
mod sockets;
mod streams;
mod tokens;
mod topics;
#[cfg(feature = "cli")]
mod wire;
