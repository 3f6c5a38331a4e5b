//! The server against clients that others wrote: `tungstenite` for WebSocket, `eventsource-client` for event streams,
//! `ureq` for polls. What barewire's own code understands alike on both ends, these would not.

mod event_source;
mod http;
mod relay;
#[path = "../running/mod.rs"]
mod running;
mod together;
mod web_socket;
