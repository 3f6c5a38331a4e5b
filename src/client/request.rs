//! The parameters of a WebSocket connection.

use std::time::Duration;

use crate::protocol::websocket::extension::Offer;
use crate::protocol::websocket::message::MessageLimits;

/// The parameters of a WebSocket connection.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// Subprotocols in order of preference (RFC 6455 §1.9).
    pub subprotocols: &'a [&'a str],
    /// Additional header fields, such as `Authorization` or `Origin`: name and value.
    pub fields: &'a [(&'a str, &'a str)],
    /// The compression offer (RFC 7692 §7.1); `None` offers no compression.
    #[cfg(feature = "deflate")]
    pub deflate: Option<Offer>,
    /// Size limits for received messages.
    pub limits: MessageLimits,
    /// Time for TCP and the handshake together.
    pub connect_timeout: Duration,
    /// Time that [`read`](super::WebSocket::read) waits for a complete message; `None` waits
    /// forever.
    pub read_timeout: Option<Duration>,
    /// Time that a write waits while the server accepts no bytes at all; `None` waits forever.
    pub write_timeout: Option<Duration>,
    /// Time for the server's close frame, and then again for the server to end TCP.
    pub close_timeout: Duration,
}

impl Default for Request<'_> {
    fn default() -> Self {
        Self {
            subprotocols: &[],
            fields: &[],
            #[cfg(feature = "deflate")]
            deflate: Some(super::compression::OFFER),
            limits: MessageLimits { message_bytes: (16 << 20) + 1, frames: 1 << 20 },
            connect_timeout: Duration::from_secs(10),
            read_timeout: None,
            write_timeout: Some(Duration::from_secs(30)),
            close_timeout: Duration::from_secs(5),
        }
    }
}

impl Request<'_> {
    pub(super) fn offer(&self) -> Option<Offer> {
        #[cfg(feature = "deflate")]
        return self.deflate;
        #[cfg(not(feature = "deflate"))]
        None
    }
}
