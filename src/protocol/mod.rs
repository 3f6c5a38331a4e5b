//! The protocols: bytes in, values out, without a socket or a clock.

pub mod http;
pub mod json;
pub mod rule;
pub mod sse;
mod transport;
pub mod websocket;

pub use transport::Transport;
