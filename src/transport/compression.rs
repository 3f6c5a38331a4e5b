//! permessage-deflate (RFC 7692), where it is built in (the feature `deflate`): what is agreed on, and for how much memory.
//!
//! A follower of a topic costs no compressor and no window: the server compresses each event once for all, and each alone, and
//! asks the client for the same. `/echo` keeps a context where that was agreed on, but not for everybody who comes.

use crate::protocol::http::RequestHead;
#[cfg(feature = "deflate")]
use crate::protocol::websocket::deflate::{self, Deflater};
use crate::protocol::websocket::extension::{
    self, Agreement, ExtensionError, MAX_WINDOW_BITS, ServerPreferences,
};
use crate::protocol::websocket::frame::{self, Opcode};
use crate::protocol::websocket::message::{MessageLimits, Receiver, Role};

/// Whether a connection may keep a window from one message to the next, 32 KiB to inflate and some 370 KiB to deflate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Context {
    /// It may.
    Kept,
    /// It may not: each message stands alone, in both directions.
    None,
}

/// What a client offers and the server takes, if it takes any of it.
///
/// # Errors
/// If `Sec-WebSocket-Extensions` is no list of extensions at all.
pub fn agree(head: &RequestHead<'_, '_>, context: Context) -> Result<Option<Agreement>, ExtensionError> {
    if !cfg!(feature = "deflate") {
        return Ok(None);
    }
    let alone = context == Context::None;
    let wishes = ServerPreferences {
        server_no_context_takeover: alone,
        client_no_context_takeover: alone,
        ..ServerPreferences::default()
    };
    extension::negotiate(head.fields.get_all("sec-websocket-extensions"), &wishes)
}

/// A receiver for a WebSocket on which messages may come compressed, each alone.
pub fn receiver_alone(limits: MessageLimits) -> Receiver {
    // However small a window the client keeps to, the greatest one reads it.
    receiver(limits, &alone())
}

fn alone() -> Agreement {
    Agreement {
        server_no_context_takeover: true,
        client_no_context_takeover: true,
        server_max_window_bits: Some(MAX_WINDOW_BITS),
        client_max_window_bits: Some(MAX_WINDOW_BITS),
    }
}

#[cfg(feature = "deflate")]
fn receiver(limits: MessageLimits, agreement: &Agreement) -> Receiver {
    Receiver::with_deflate(Role::Server, limits, agreement)
}

#[cfg(not(feature = "deflate"))]
fn receiver(limits: MessageLimits, _: &Agreement) -> Receiver {
    // Nothing was agreed on.
    Receiver::new(Role::Server, limits)
}

/// In which window all are served who have agreed on `agreement`: one of two (RFC 7692 §7.1.2).
#[cfg(feature = "deflate")]
pub fn shared_window_bits(agreement: &Agreement) -> u8 {
    deflate::shared_window_bits(agreement.server_to_client().max_window_bits)
}

/// Nothing is compressed, so nobody asks.
#[cfg(not(feature = "deflate"))]
pub fn shared_window_bits(_: &Agreement) -> u8 {
    MAX_WINDOW_BITS
}

/// Writes a text message for all who have agreed on a window of `window_bits` or more: compressed, if it has at least `from`
/// bytes and gains by it.
#[cfg(feature = "deflate")]
pub fn write_shared(window_bits: u8, from: usize, payload: &[u8], out: &mut Vec<u8>) {
    if payload.len() >= from {
        let mut compressed = Vec::with_capacity(payload.len() / 2 + 16);
        deflate::compress_without_context(window_bits, payload, &mut compressed);
        if compressed.len() < payload.len() {
            return frame::write_compressed_frame(Opcode::Text, &compressed, out);
        }
    }
    frame::write_frame(Opcode::Text, payload, out);
}

/// Writes a text message as it is.
#[cfg(not(feature = "deflate"))]
pub fn write_shared(_: u8, _: usize, payload: &[u8], out: &mut Vec<u8>) {
    frame::write_frame(Opcode::Text, payload, out);
}

/// The compression of one connection to `/echo`.
#[derive(Debug)]
pub struct EchoCompression {
    agreement: Agreement,
    #[cfg(feature = "deflate")]
    deflater: Deflater,
}

impl EchoCompression {
    /// At the start of the connection.
    pub fn new(agreement: Agreement) -> EchoCompression {
        EchoCompression {
            agreement,
            #[cfg(feature = "deflate")]
            deflater: Deflater::new(agreement.server_to_client(), deflate::LEVEL),
        }
    }

    /// Whether it keeps a window in either direction.
    pub fn keeps_context(&self) -> bool {
        !self.agreement.server_no_context_takeover || !self.agreement.client_no_context_takeover
    }

    /// A receiver for the connection.
    pub fn receiver(&self, limits: MessageLimits) -> Receiver {
        receiver(limits, &self.agreement)
    }

    /// Writes a message, compressed however short it is: whoever tests compression with an echo wants to see it.
    #[cfg(feature = "deflate")]
    pub fn write(&mut self, opcode: Opcode, payload: &[u8], out: &mut Vec<u8>) {
        let mut compressed = Vec::new();
        self.deflater.compress(payload, &mut compressed);
        frame::write_compressed_frame(opcode, &compressed, out);
    }

    /// Writes a message as it is.
    #[cfg(not(feature = "deflate"))]
    pub fn write(&mut self, opcode: Opcode, payload: &[u8], out: &mut Vec<u8>) {
        frame::write_frame(opcode, payload, out);
    }
}
