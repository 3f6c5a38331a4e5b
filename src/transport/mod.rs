//! The four ways of following, as moves of a cursor, and publishing.
//!
//! | transport | the cursor lives in | it moves when |
//! | --- | --- | --- |
//! | short poll | the client (`since`) | the client asks |
//! | long poll | the client | the client asks, and the answer waits |
//! | SSE | the connection, and the client's last event ID | an event comes |
//! | WebSocket | the connection | an event comes; the client writes back |
//!
//! This layer joins the protocols and the hub. It does no I/O: a request's head and body come in, an answer's
//! bytes go out, and with them what becomes of the connection ([`Reply`]).

pub mod access;
pub mod answer;
pub mod compression;
pub mod encoding;
mod following;
pub mod metrics;
pub mod plan;
pub mod poll;
mod publish;
pub mod route;
mod service;
pub mod socket;
pub mod stream;
pub mod wire_view;

pub use following::Following;
pub use service::{Answered, Policy, Reply, Service};
