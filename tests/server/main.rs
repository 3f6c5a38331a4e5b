//! The server against its interface, sentence by sentence: real sockets, raw bytes, and every plain request in
//! three ways (whole, byte by byte, with the next one behind it).

mod harness;

mod choice;
mod cursors;
mod events;
mod gaps;
mod polls;
mod publishing;
mod slow;
mod sockets;
mod streams;
mod topics;
