//! permessage-deflate (RFC 7692) in both directions, where it is built in (the feature `deflate`).

#[cfg(feature = "deflate")]
pub(super) use crate::protocol::websocket::deflate::Deflater;

use crate::protocol::websocket::extension::Agreement;
use crate::protocol::websocket::message::{MessageLimits, Receiver, Role};
#[cfg(feature = "deflate")]
use crate::protocol::websocket::{deflate::LEVEL, extension::ClientWindow, extension::Offer};

/// What is offered if the caller says nothing: the best compression, and a smaller window if the server wants it.
#[cfg(feature = "deflate")]
pub(super) const OFFER: Offer = Offer {
    server_no_context_takeover: false,
    client_no_context_takeover: false,
    server_max_window_bits: None,
    client_max_window_bits: ClientWindow::Any,
};

/// The two halves of a connection on which this has been agreed. Each keeps its context where that is agreed.
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

/// Nothing is offered, so nothing is agreed on.
#[cfg(not(feature = "deflate"))]
pub(super) fn halves(limits: MessageLimits, _: Option<&Agreement>) -> (Receiver, Option<Deflater>) {
    (Receiver::new(Role::Client, limits), None)
}

/// Stands where the compressor would: it has no values, so `Option<Deflater>` is always `None`.
#[cfg(not(feature = "deflate"))]
#[derive(Debug)]
pub(super) enum Deflater {}

#[cfg(not(feature = "deflate"))]
impl Deflater {
    pub(super) fn compress(&mut self, _: &[u8], _: &mut Vec<u8>) {
        match *self {}
    }
}
