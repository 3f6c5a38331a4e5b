//! Real-time from the bare socket up.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

#[cfg(feature = "cli")]
pub mod cli;
pub mod hub;
pub mod page;
pub mod protocol;
pub mod server;
pub mod transport;
