//! The server against independent clients: `tungstenite` for WebSockets, `eventsource-client` for
//! event streams and `ureq` for polls. They find errors that barewire's own client and server could
//! share.

mod event_source;
mod http;
mod relay;
#[path = "../running/mod.rs"]
mod running;
mod together;
mod web_socket;
