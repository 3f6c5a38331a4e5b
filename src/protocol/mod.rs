//! The protocols: bytes in, values out. This layer uses no socket, no clock and no other layer.

pub mod http;
pub mod json;
pub mod rule;
pub mod sse;
mod transport;
pub mod websocket;

pub use transport::{MAX_EVENT_BYTES, Transport};
