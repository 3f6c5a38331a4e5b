//! The conformance suite: its cases pass at a correct server, and each of them can fail.
#![cfg(all(feature = "cli", feature = "deflate"))]

mod command;
mod contact;
mod correct;
mod faulty;
mod hostile;
mod mutation;
mod outputs;
mod sse_clients;
mod waiting;
