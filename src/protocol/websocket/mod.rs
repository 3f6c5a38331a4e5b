//! The WebSocket protocol (RFC 6455): bytes in, values out.
//!
//! In the order in which a connection uses the modules:
//!
//! 1. [`server_handshake`] — how an HTTP/1.1 request becomes a WebSocket (§4.2).
//! 2. [`frame`] — the header of 2 to 14 bytes before every payload (§5.2).
//! 3. [`mask`] — how a client masks its payloads, and how the server unmasks them (§5.3).
//! 4. [`utf8`] — the validation of text while it arrives (§8.1).
//! 5. [`close`] — the last frame of each side, with a status code (§5.5.1, §7.4).
//! 6. [`extension`] — the negotiation of compression (RFC 7692 §7.1) and, with the feature
//!    `deflate`, the compression of messages: `deflate` and `inflate` (RFC 7692 §7.2).
//! 7. [`message`] — the receiver, which turns bytes in any division into messages and control
//!    frames (§5.4, §6.2).
//!
//! [`ProtocolError`] lists the rules that the frames of a peer can break.
//!
//! On the side of a client:
//!
//! 8. [`client_handshake`] — the request, and the validation of the response (§4.1).

pub mod client_handshake;
pub mod close;
mod close_code;
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
