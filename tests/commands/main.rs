//! The commands as their users start them: options, output, exit statuses and signals.
#![cfg(feature = "cli")]

// Public, because these tests use only a part of the shared harness.
#[path = "../server/harness/mod.rs"]
pub mod harness;
#[path = "../running/mod.rs"]
pub mod running;
#[path = "../vectors/mod.rs"]
pub mod vectors;

#[path = "../client/servers.rs"]
pub mod servers;

mod client;
mod outputs;
mod recordings;
mod serve;
mod suggestions;
mod watching;
