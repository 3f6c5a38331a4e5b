//! permessage-deflate (RFC 7692) in both directions, if the feature `deflate` is on.

#[cfg(feature = "deflate")]
pub(super) use crate::protocol::websocket::deflate::Deflater;

use crate::protocol::websocket::extension::Agreement;
use crate::protocol::websocket::message::{MessageLimits, Receiver, Role};
#[cfg(feature = "deflate")]
use crate::protocol::websocket::{deflate::LEVEL, extension::ClientWindow, extension::Offer};

/// The default offer: full windows and context takeover, and a smaller client window if the server
/// asks for one.
#[cfg(feature = "deflate")]
pub(super) const OFFER: Offer = Offer {
    server_no_context_takeover: false,
    client_no_context_takeover: false,
    server_max_window_bits: None,
    client_max_window_bits: ClientWindow::Any,
};

/// Creates the receiving and the compressing half of a connection with this agreement.
#[cfg(feature = "deflate")]
pub(super) fn halves(limits: MessageLimits, agreement: Option<&Agreement>) -> (Receiver, Option<Deflater>) {
    match agreement {
        Some(agreement) => (
            Receiver::with_deflate(Role::Client, limits, agreement),
            Some(Deflater::new(agreement.client_to_server(), LEVEL)),
        ),
        None => (Receiver::new(Role::Client, limits), None),
    }
}

/// Creates the receiving half. Without the feature the client offers no compression, so there is
/// never an agreement.
#[cfg(not(feature = "deflate"))]
pub(super) fn halves(limits: MessageLimits, _: Option<&Agreement>) -> (Receiver, Option<Deflater>) {
    (Receiver::new(Role::Client, limits), None)
}

/// A placeholder without values, so that `Option<Deflater>` is always `None`.
#[cfg(not(feature = "deflate"))]
#[derive(Debug)]
pub(super) enum Deflater {}

#[cfg(not(feature = "deflate"))]
impl Deflater {
    pub(super) fn compress(&mut self, _: &[u8], _: &mut Vec<u8>) {
        match *self {}
    }
}
