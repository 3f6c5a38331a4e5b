//! Compressing a message (RFC 7692 §7.2.1).
//!
//! DEFLATE (RFC 1951) encodes literal bytes, and references of the form "the n bytes that start d
//! bytes back". A reference reaches back at most over a *window*, the last 2⁹ to 2¹⁵ bytes.
//! *Context takeover* (§7.1.1) means that the window includes the previous messages. With it, the
//! tenth of ten similar messages takes only a few bytes, but the sender keeps a compressor of a
//! quarter to a third of a megabyte for each connection.
//!
//! The compressor ends each message with an empty uncompressed block (zlib's sync flush), so that
//! the message ends at a byte boundary:
//!
//! ```text
//!   f2 48 cd c9 c9 07 00 │ 00 00 ff ff
//!   "Hello", and three bits of the empty block's header │ its length, 0, and the complement of it
//! ```
//!
//! The last four bytes are the same in every message. The sender omits them, and the receiver
//! appends them again ([`inflate`](super::inflate)).

use std::cell::RefCell;

use flate2::{Compress, Compression, FlushCompress};

use super::extension::{Direction, MAX_WINDOW_BITS};

/// The compression level of [`compress_without_context`], which is zlib's default.
pub const LEVEL: u8 = 6;

/// The end of every message, which is not sent (§7.2.1).
pub(super) const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// The payload of an empty message: the start of the empty block that [`TAIL`] ends (§7.2.3.6).
const EMPTY: u8 = 0x00;

/// The smallest window of zlib. It also satisfies an agreed window of 8 bits (§7.1.2): zlib
/// reserves 262 of the 2⁹ bytes for its lookahead (`MIN_LOOKAHEAD`: the longest match, 258, and 4
/// bytes to find the next one), so it never refers back over more than 250 bytes, which is less
/// than 2⁸. A test verifies this.
const MIN_WINDOW_BITS: u8 = 9;

/// The compressor of one direction of a connection.
#[derive(Debug)]
pub struct Deflater {
    direction: Direction,
    level: u8,
    /// The compressor and its window: with context takeover from the first message on, without it
    /// within a message.
    context: Option<Compress>,
}

impl Deflater {
    /// Returns a compressor for the start of a connection. `level` ranges from 1, the fastest, to
    /// 9, the smallest output; [`LEVEL`] is zlib's default.
    ///
    /// Without context takeover it allocates nothing. With context takeover, from the first message
    /// on, it holds 251,008 bytes (8 or 9 window bits) to 380,032 bytes (15 window bits).
    pub const fn new(direction: Direction, level: u8) -> Self {
        Self { direction, level, context: None }
    }

    /// Appends the compressed payload of a message to `out`, for [`write_compressed_frame`] or for
    /// several frames of one message.
    ///
    /// With context takeover the caller must send every payload, in this order, and must not send
    /// other compressed messages in between, not even from [`compress_without_context`], because
    /// the window of the receiver must stay the same as this one. Uncompressed messages are allowed
    /// in between.
    ///
    /// [`write_compressed_frame`]: super::frame::write_compressed_frame
    pub fn compress(&mut self, payload: &[u8], out: &mut Vec<u8>) {
        self.compress_piece(payload, true, out);
    }

    /// Appends what the compressor returns for the next piece of a message's payload. The last
    /// piece completes the message, and only a message without payload has an empty one.
    ///
    /// Until the message is complete, a [`Deflater`] without context takeover holds a compressor
    /// too.
    pub fn compress_piece(&mut self, piece: &[u8], is_last: bool, out: &mut Vec<u8>) {
        let window_bits = self.direction.max_window_bits;
        let mut context = self.context.take().unwrap_or_else(|| take_spare(window_bits, self.level));
        flush(&mut context, piece, is_last, out);
        if self.direction.context_takeover || !is_last {
            self.context = Some(context);
        } else {
            keep_spare(window_bits, self.level, context);
        }
    }
}

/// Appends the compressed payload of a message to `out`. The payload refers to no other message,
/// and back over at most 2^`window_bits` bytes.
///
/// Every receiver with this window or a larger one can inflate the payload, whatever the agreement
/// about context takeover, because takeover permits references to earlier messages without
/// requiring them. The server thus compresses one message once for many followers. A connection
/// that uses a [`Deflater`] with context takeover must send only the payloads of that [`Deflater`].
///
/// The same payload always gives the same bytes. The thread keeps one compressor for each window
/// size.
pub fn compress_without_context(window_bits: u8, payload: &[u8], out: &mut Vec<u8>) {
    compress_with_spare(window_bits, LEVEL, payload, out);
}

/// Returns the window bits with which to compress for all receivers that agreed to
/// `max_window_bits`.
///
/// There are only two results, so a fan-out compresses for at most two groups: 15 if that is
/// allowed, otherwise 9, which also satisfies 8.
pub const fn shared_window_bits(max_window_bits: u8) -> u8 {
    if max_window_bits < MAX_WINDOW_BITS { MIN_WINDOW_BITS } else { MAX_WINDOW_BITS }
}

thread_local! {
    /// Compressors without a context, each with its window bits and its level.
    static SPARE: RefCell<Vec<(u8, u8, Compress)>> = const { RefCell::new(Vec::new()) };
}

fn compress_with_spare(window_bits: u8, level: u8, payload: &[u8], out: &mut Vec<u8>) {
    let mut compressor = take_spare(window_bits, level);
    flush(&mut compressor, payload, true, out);
    keep_spare(window_bits, level, compressor);
}

/// Returns a compressor without a context.
fn take_spare(window_bits: u8, level: u8) -> Compress {
    SPARE.with_borrow_mut(|spare| {
        let index = spare.iter().position(|(bits, of_level, _)| (*bits, *of_level) == (window_bits, level));
        index.map_or_else(
            || compressor(window_bits, level),
            |index| {
                let (_, _, mut compressor) = spare.swap_remove(index);
                compressor.reset();
                compressor
            },
        )
    })
}

/// Keeps a compressor for [`take_spare`], one for each window size and level.
fn keep_spare(window_bits: u8, level: u8, compressor: Compress) {
    SPARE.with_borrow_mut(|spare| {
        if !spare.iter().any(|(bits, of_level, _)| (*bits, *of_level) == (window_bits, level)) {
            spare.push((window_bits, level, compressor));
        }
    });
}

fn compressor(window_bits: u8, level: u8) -> Compress {
    let level = Compression::new(level.clamp(1, 9).into());
    Compress::new_with_window_bits(level, false, window_bits.clamp(MIN_WINDOW_BITS, MAX_WINDOW_BITS))
}

/// Compresses a piece of a payload. At the end of the payload it flushes the compressor to a byte
/// boundary, without the [`TAIL`] (§7.2.1).
fn flush(compressor: &mut Compress, payload: &[u8], is_last: bool, out: &mut Vec<u8>) {
    let flush = if is_last { FlushCompress::Sync } else { FlushCompress::None };
    if payload.is_empty() {
        return out.push(EMPTY); // zlib writes nothing when there is nothing to flush.
    }
    let mut rest = payload;
    loop {
        // The worst case is 9 bits per byte and a few bytes for the blocks, so one iteration
        // suffices.
        out.reserve(rest.len() + rest.len() / 8 + 64);
        let before = compressor.total_in();
        let status = compressor.compress_vec(rest, out, flush);
        status.expect("zlib fails only if the stream is not initialized");
        rest = &rest[(compressor.total_in() - before) as usize..];
        // Only unused capacity proves that zlib has no more output.
        if rest.is_empty() && out.len() < out.capacity() {
            break;
        }
    }
    if is_last {
        debug_assert!(out.ends_with(&TAIL), "a sync flush must end with an empty block");
        out.truncate(out.len() - TAIL.len());
    }
}
