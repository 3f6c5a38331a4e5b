//! Compressing a message (RFC 7692 §7.2.1).
//!
//! DEFLATE (RFC 1951) writes bytes as they are, or "the n bytes that stood d bytes before this": d reaches back
//! over a *window*, the last 2⁹ to 2¹⁵ bytes. *Context takeover* (§7.1.1) is nothing but this: may the window reach back
//! into the messages before? Where it may, the tenth message that looks like the first nine is a few bytes long; in exchange the
//! sender keeps a compressor for each connection, of a quarter to a third of a megabyte.
//!
//! The compressor ends each message with an empty block that is not compressed (zlib's sync flush), so that the
//! message's last byte can be written:
//!
//! ```text
//!   f2 48 cd c9 c9 07 00 │ 00 00 ff ff
//!   "Hello", and three bits of the empty block's header │ its length, 0, and the complement of it
//! ```
//!
//! The last four bytes are the same in every message. They are left out, and the receiver puts them back
//! ([`inflate`](super::inflate)).

use std::cell::RefCell;

use flate2::{Compress, Compression, FlushCompress};

use super::extension::{Direction, MAX_WINDOW_BITS};

/// How hard [`compress_without_context`] tries, from 1 to 9: zlib's own default.
pub const LEVEL: u8 = 6;

/// What ends every message, and is not sent (§7.2.1).
pub(super) const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// An empty message: the header of the empty block, of which [`TAIL`] is the rest (§7.2.3.6).
const EMPTY: u8 = 0x00;

/// The smallest window that zlib has. With it, 8 bits can be promised, too (§7.1.2): of its 2⁹ bytes zlib keeps 262 for what
/// lies ahead (`MIN_LOOKAHEAD`: the longest match, 258, and the 4 bytes that find the next), and so never refers
/// back more than 250 bytes, within 2⁸. The tests measure it.
const MIN_WINDOW_BITS: u8 = 9;

/// The sending half of one connection's compression.
#[derive(Debug)]
pub struct Deflater {
    direction: Direction,
    level: u8,
    /// The compressor with its window; there is none before the first message, and never one without takeover.
    context: Option<Compress>,
}

impl Deflater {
    /// At the start of a connection. `level` is from 1, the fastest, to 9, the smallest; [`LEVEL`] is zlib's default.
    ///
    /// Without context takeover it holds no memory. With it, from the first message on, 251,008 bytes (at 8 or 9 window bits) to
    /// 380,032 (at 15).
    pub const fn new(direction: Direction, level: u8) -> Self {
        Self { direction, level, context: None }
    }

    /// Appends the payload of a compressed message to `out`: what [`write_compressed_frame`] takes, or, in pieces, the
    /// frames of one message.
    ///
    /// With context takeover, every payload that it gives must be sent, in this order, and no other compressed message
    /// between them, also none of [`compress_without_context`]: the receiver's window has to hold what this one holds. Messages
    /// that are not compressed may come between them.
    ///
    /// [`write_compressed_frame`]: super::frame::write_compressed_frame
    pub fn compress(&mut self, payload: &[u8], out: &mut Vec<u8>) {
        let window_bits = self.direction.max_window_bits;
        if self.direction.context_takeover {
            let context = self.context.get_or_insert_with(|| compressor(window_bits, self.level));
            flush(context, payload, out);
        } else {
            alone(window_bits, self.level, payload, out);
        }
    }
}

/// Appends the payload of a compressed message to `out` that refers to no other message, nor back over more than
/// 2^`window_bits` bytes.
///
/// It can be sent to every receiver that has agreed to a window as great or greater, whatever it has agreed to about
/// takeover: to have a context does not mean to use it. That is how one message is compressed once for many followers. But a
/// connection that has a [`Deflater`] with context takeover sends only what that gives.
///
/// The same payload always gives the same bytes. The compressor, one for each window, stays with the thread.
pub fn compress_without_context(window_bits: u8, payload: &[u8], out: &mut Vec<u8>) {
    alone(window_bits, LEVEL, payload, out);
}

/// The window to compress in for all who have agreed to `max_window_bits`, so that a fan-out compresses for
/// two groups at most: 15 bits if they are allowed, else 9, which is good for 8 as well.
pub const fn shared_window_bits(max_window_bits: u8) -> u8 {
    if max_window_bits < MAX_WINDOW_BITS { MIN_WINDOW_BITS } else { MAX_WINDOW_BITS }
}

thread_local! {
    /// Compressors without a context: window bits, level, and the compressor for them.
    static SPARE: RefCell<Vec<(u8, u8, Compress)>> = const { RefCell::new(Vec::new()) };
}

fn alone(window_bits: u8, level: u8, payload: &[u8], out: &mut Vec<u8>) {
    SPARE.with_borrow_mut(|spare| {
        let place = spare.iter().position(|(bits, of_level, _)| (*bits, *of_level) == (window_bits, level));
        let place = place.unwrap_or_else(|| {
            spare.push((window_bits, level, compressor(window_bits, level)));
            spare.len() - 1
        });
        let (_, _, compressor) = &mut spare[place];
        compressor.reset();
        flush(compressor, payload, out);
    });
}

fn compressor(window_bits: u8, level: u8) -> Compress {
    let level = Compression::new(level.clamp(1, 9).into());
    Compress::new_with_window_bits(level, false, window_bits.clamp(MIN_WINDOW_BITS, MAX_WINDOW_BITS))
}

/// Compresses all of `payload`, and what the compressor needs to end at a whole byte, less the [`TAIL`] (§7.2.1).
fn flush(compressor: &mut Compress, payload: &[u8], out: &mut Vec<u8>) {
    if payload.is_empty() {
        return out.push(EMPTY); // nothing to flush, for which zlib writes nothing
    }
    let mut rest = payload;
    loop {
        // More than the worst case, 9 bits for each byte and a few for the blocks: one round is enough.
        out.reserve(rest.len() + rest.len() / 8 + 64);
        let before = compressor.total_in();
        let status = compressor.compress_vec(rest, out, FlushCompress::Sync);
        status.expect("zlib refuses only a stream that is not set up");
        rest = &rest[(compressor.total_in() - before) as usize..];
        // Only room that is left says that zlib has no more to write.
        if rest.is_empty() && out.len() < out.capacity() {
            break;
        }
    }
    debug_assert!(out.ends_with(&TAIL), "a sync flush ends with an empty block");
    out.truncate(out.len() - TAIL.len());
}
