//! permessage-deflate (RFC 7692), if the feature `deflate` is on: what the server negotiates.
//!
//! A follower of a topic costs no compressor and no window. The server compresses each event once
//! for all followers, without context from earlier events, and the client must do so too.
//! `/echo` keeps a context if that is negotiated, but only for a limited number of connections.

use crate::protocol::http::RequestHead;
#[cfg(feature = "deflate")]
use crate::protocol::websocket::deflate::{self, Deflater};
use crate::protocol::websocket::extension::{
    self, Agreement, ExtensionError, MAX_WINDOW_BITS, ServerPreferences,
};
use crate::protocol::websocket::frame::{self, Opcode};
use crate::protocol::websocket::message::{MessageLimits, Receiver, Role};

/// Whether a connection may keep its windows from one message to the next: 32 KiB to inflate and
/// about 370 KiB to deflate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ContextTakeover {
    /// The connection may keep them.
    Allowed,
    /// Each message is compressed without context, in both directions.
    Refused,
}

/// Negotiates what the client offers. Returns `None` if the server accepts none of the offers.
///
/// # Errors
/// `Sec-WebSocket-Extensions` is not a list of extensions.
pub fn agree(
    head: &RequestHead<'_, '_>,
    context: ContextTakeover,
) -> Result<Option<Agreement>, ExtensionError> {
    let without_context = context == ContextTakeover::Refused;
    let preferences = ServerPreferences {
        server_no_context_takeover: without_context,
        client_no_context_takeover: without_context,
        ..ServerPreferences::default()
    };
    let agreement = extension::negotiate(head.fields.get_all("sec-websocket-extensions"), &preferences)?;
    Ok(agreement.filter(|_| cfg!(feature = "deflate")))
}

/// Returns a receiver of messages that may be compressed, each without context.
pub fn receiver_without_context(limits: MessageLimits) -> Receiver {
    // The largest window inflates whatever a smaller one has deflated.
    receiver(limits, &without_context())
}

fn without_context() -> Agreement {
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
    // Without the feature, no compression is ever negotiated.
    Receiver::new(Role::Server, limits)
}

/// Returns the window in which events are compressed for an agreement, 9 or 15 bits
/// (RFC 7692 §7.1.2).
#[cfg(feature = "deflate")]
pub fn shared_window_bits(agreement: &Agreement) -> u8 {
    deflate::shared_window_bits(agreement.server_to_client().max_window_bits)
}

/// Returns the largest window; without the feature, no compression is ever negotiated.
#[cfg(not(feature = "deflate"))]
pub fn shared_window_bits(_: &Agreement) -> u8 {
    MAX_WINDOW_BITS
}

/// The longest message that is compressed for followers, in bytes: compressing takes up to a tenth
/// of a microsecond per byte, in one piece.
#[cfg(feature = "deflate")]
const LONGEST_SHARED: usize = 128 * 1024;

/// Writes a text message for all followers with a window of at least `window_bits`. It is
/// compressed if it has at least `from` bytes, at most 128 KiB, and gets shorter.
#[cfg(feature = "deflate")]
pub fn write_shared(window_bits: u8, from: usize, payload: &[u8], out: &mut Vec<u8>) {
    if (from..=LONGEST_SHARED).contains(&payload.len()) {
        let mut compressed = Vec::with_capacity(payload.len() / 2 + 16);
        deflate::compress_without_context(window_bits, payload, &mut compressed);
        if compressed.len() < payload.len() {
            return frame::write_compressed_frame(Opcode::Text, &compressed, out);
        }
    }
    frame::write_frame(Opcode::Text, payload, out);
}

/// Writes a text message without compression.
#[cfg(not(feature = "deflate"))]
pub fn write_shared(_: u8, _: usize, payload: &[u8], out: &mut Vec<u8>) {
    frame::write_frame(Opcode::Text, payload, out);
}

/// The compression of a connection to `/echo`.
#[derive(Debug)]
pub struct EchoCompression {
    agreement: Agreement,
    #[cfg(feature = "deflate")]
    deflater: Deflater,
}

impl EchoCompression {
    /// Creates the compression state of a new connection.
    pub fn new(agreement: Agreement) -> EchoCompression {
        EchoCompression {
            agreement,
            #[cfg(feature = "deflate")]
            deflater: Deflater::new(agreement.server_to_client(), deflate::LEVEL),
        }
    }

    /// Returns whether a window is kept from one message to the next in either direction.
    pub fn keeps_context(&self) -> bool {
        !self.agreement.server_no_context_takeover || !self.agreement.client_no_context_takeover
    }

    /// Returns a receiver for the connection.
    pub fn receiver(&self, limits: MessageLimits) -> Receiver {
        receiver(limits, &self.agreement)
    }

    /// Writes a message, compressed however short it is: a client that tests compression with an
    /// echo expects that.
    pub fn write(&mut self, opcode: Opcode, payload: &[u8], out: &mut Vec<u8>) {
        let mut compressed = Vec::new();
        self.compress(payload, true, &mut compressed);
        self.write_frame(opcode, &compressed, out);
    }

    /// Appends the next piece of a message, compressed, to `compressed`.
    #[cfg(feature = "deflate")]
    pub fn compress(&mut self, piece: &[u8], is_last: bool, compressed: &mut Vec<u8>) {
        self.deflater.compress_piece(piece, is_last, compressed);
    }

    /// Writes a message that was compressed.
    #[cfg(feature = "deflate")]
    pub fn write_frame(&self, opcode: Opcode, compressed: &[u8], out: &mut Vec<u8>) {
        frame::write_compressed_frame(opcode, compressed, out);
    }

    /// Appends the next piece of a message without compression.
    #[cfg(not(feature = "deflate"))]
    pub fn compress(&mut self, piece: &[u8], _: bool, compressed: &mut Vec<u8>) {
        compressed.extend_from_slice(piece);
    }

    /// Writes a message without compression.
    #[cfg(not(feature = "deflate"))]
    pub fn write_frame(&self, opcode: Opcode, payload: &[u8], out: &mut Vec<u8>) {
        frame::write_frame(opcode, payload, out);
    }
}
