//! The WebSocket protocol (RFC 6455), bytes in and values out.
//!
//! In the order in which a connection meets them:
//!
//! 1. [`server_handshake`] — how an HTTP/1.1 request becomes a WebSocket (§4).
//! 2. [`frame`] — the header of 2 to 14 bytes in front of every payload (§5.2).
//! 3. [`mask`] — what a client does to its payloads, and how it is undone (§5.3).
//! 4. [`utf8`] — text that is checked while it arrives (§8.1).
//! 5. [`close`] — the last frame each side sends, and the codes in it (§5.5.1, §7.4).
//! 6. [`extension`] — what the two sides agree on about compression (RFC 7692 §7.1), and, with the feature `deflate`, what
//!    they then do with a message: `deflate` and `inflate` (RFC 7692 §7.2).
//! 7. [`message`] — the receiver: from bytes cut anywhere to messages and control frames (§5.4, §6.2).
//!
//! And from the client's side:
//!
//! 8. [`client_handshake`] — what to ask for, and how to judge the answer (§4.1).

pub mod client_handshake;
pub mod close;
mod content;
#[cfg(feature = "deflate")]
pub mod deflate;
pub mod extension;
pub mod frame;
#[cfg(feature = "deflate")]
pub mod inflate;
#[cfg(not(feature = "deflate"))]
#[path = "no_inflate.rs"]
mod inflate;
pub mod mask;
pub mod message;
mod protocol_error;
pub mod server_handshake;
pub mod utf8;

pub use protocol_error::ProtocolError;
