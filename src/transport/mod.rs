//! The four ways to follow, as moves of a cursor, and publishing.
//!
//! | transport | the cursor is held by | it moves when |
//! | --- | --- | --- |
//! | short poll | the client (`since`) | the client asks |
//! | long poll | the client | the client asks, and the response waits |
//! | SSE | the connection, and the client's last event ID | an event arrives |
//! | WebSocket | the connection | an event arrives; the client may also write |
//!
//! This layer joins the protocols and the hub. It does no I/O: the head and body of a request go
//! in, the bytes of a response come out, and with them what the connection does next ([`Next`]).

pub mod access;
pub mod action;
pub mod batch;
pub mod compression;
pub mod event_stream;
pub mod following;
pub mod metrics;
pub mod observation;
pub mod poll;
pub mod purpose;
pub mod response;
pub mod route;
pub mod routes;
mod service;
pub mod websocket;

pub use following::Following;
pub use purpose::Purpose;
pub use service::{Next, Policy, Responded, Service};

pub use crate::protocol::Transport;
