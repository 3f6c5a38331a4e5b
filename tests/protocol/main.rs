//! The protocol code against vectors (`tests/vectors/`) and properties: bytes only, no sockets.

mod event_stream;
mod extension;
mod http;
mod vectors;
mod websocket;
