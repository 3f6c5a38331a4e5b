//! Tests of the protocol code with vectors (`tests/vectors/`) and properties: bytes only, no
//! sockets.

#[cfg(feature = "deflate")]
mod deflate;
mod event_stream;
mod extension;
mod heads;
mod http;
mod http_response;
mod json;
#[cfg(feature = "deflate")]
mod plain_inflate;
mod vectors;
mod websocket;
mod websocket_opening;
