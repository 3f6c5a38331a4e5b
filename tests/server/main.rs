//! The server against its interface, sentence by sentence: real sockets, raw bytes, and every plain request in
//! three ways (whole, byte by byte, with the next one behind it). Its bounds and times are played without sockets.

mod harness;
#[path = "../running/mod.rs"]
mod running;
#[path = "../vectors/mod.rs"]
mod vectors;

mod beside;
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
mod operating;
mod origins;
mod overload;
mod polls;
mod publishing;
mod slow;
mod sockets;
mod streams;
mod tokens;
mod topics;
mod wire;
