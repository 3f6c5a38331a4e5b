//! The protocols, bytes in and values out: no socket and no clock here.

pub mod http;
pub mod json;
pub mod sse;
pub mod websocket;
