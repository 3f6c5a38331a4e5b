//! Inflating a message while it arrives (RFC 7692 §7.2.2).
//!
//! All that one message leaves to the next is the window, its last bytes and those before it: a message ends with an empty
//! block, and so between two bytes of DEFLATE. So the window is what an [`Inflater`] keeps of a connection (and
//! only with context takeover), not zlib's state of 47 KiB: that is lent for one message, and then goes to the next, whoever's
//! it is.

use std::cell::Cell;
use std::collections::VecDeque;
use std::fmt;

use flate2::{Decompress, FlushDecompress, Status};

use super::deflate::TAIL;
use super::extension::{Direction, MAX_WINDOW_BITS};

/// How many bytes are inflated at once, at most: what a bomb costs beyond the limit of its message.
const CHUNK: usize = 4096;

/// An empty block that is the last (RFC 1951 §3.2.3, §3.2.4).
const LAST_BLOCK: [u8; 5] = [0x01, 0x00, 0x00, 0xff, 0xff];

/// Compressed data that are not DEFLATE (RFC 7692 §7.2.2, RFC 1951).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidDeflate;

impl fmt::Display for InvalidDeflate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("compressed message is not valid DEFLATE (RFC 7692 section 7.2.2)")
    }
}

impl std::error::Error for InvalidDeflate {}

/// What a stream of zlib's takes: its own window of 32 KiB, and its tables.
const STREAM_BYTES: usize = 48 << 10;

/// The receiving half of one connection's compression.
#[derive(Debug)]
pub struct Inflater {
    direction: Direction,
    /// The last bytes inflated, to which the next may refer: at most 2^`max_window_bits`. Of this message, and with context
    /// takeover of those before it.
    window: VecDeque<u8>,
    /// Where in DEFLATE the message under way is; `None` between two messages, and behind a last block.
    stream: Option<Box<Decompress>>,
}

thread_local! {
    /// The stream that no message needs: most messages come in one piece, so one is enough for most threads.
    static SPARE: Cell<Option<Box<Decompress>>> = const { Cell::new(None) };
}

impl Inflater {
    /// At the start of a connection, or, without context takeover, between any two messages of it. It holds no memory.
    pub const fn new(direction: Direction) -> Self {
        Self { direction, window: VecDeque::new(), stream: None }
    }

    /// The memory that it takes, in bytes: its window, and while a message is under way some 48 KiB of zlib's.
    pub fn memory(&self) -> usize {
        self.window.capacity() + if self.stream.is_some() { STREAM_BYTES } else { 0 }
    }

    /// Inflates the next piece of a message's payload, and hands what it gives to `sink` as it comes, a few KiB at a time.
    ///
    /// All that the bytes so far say is given at once, nothing waits for the next piece. Nothing more is inflated once
    /// `sink` fails: that is how a message is bounded.
    ///
    /// # Errors
    ///
    /// [`InvalidDeflate`] at the first byte that shows it, or what `sink` says. The inflater is then of no more use.
    pub fn inflate<E: From<InvalidDeflate>>(
        &mut self,
        piece: &[u8],
        mut sink: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut rest = piece;
        let mut chunk = [0; CHUNK];
        loop {
            let mut stream = self.stream.take().unwrap_or_else(|| begin(&self.window));
            let (read, written) = (stream.total_in(), stream.total_out());
            let status = stream.decompress(rest, &mut chunk, FlushDecompress::None);
            rest = &rest[(stream.total_in() - read) as usize..];
            let inflated = &chunk[..(stream.total_out() - written) as usize];
            // §7.2.1 lets a message have last blocks (BFINAL) anywhere: the next block begins with the next byte, and
            // its window reaches back before it.
            let is_last = matches!(status, Ok(Status::StreamEnd));
            if is_last {
                SPARE.set(Some(stream));
            } else {
                self.stream = Some(stream);
            }
            if !inflated.is_empty() {
                self.slide(inflated);
                sink(inflated)?;
            }
            if status.is_err() {
                return Err(InvalidDeflate.into());
            }
            // With room left in the chunk, zlib has read all and has no more to give.
            let done = if is_last { rest.is_empty() } else { inflated.len() < CHUNK };
            if done {
                return Ok(());
            }
        }
    }

    /// Ends a message: `sink` gets what is left of it.
    ///
    /// # Errors
    ///
    /// [`InvalidDeflate`] if the message ends inside a block, or what `sink` says.
    pub fn finish<E: From<InvalidDeflate>>(
        &mut self,
        sink: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.inflate(&TAIL, sink)?; // §7.2.2
        // What comes next must be a block's header. zlib does not tell, but it can be asked: if this is read as the last
        // block, and as nothing else, it is so.
        self.inflate(&LAST_BLOCK, |_| Err(InvalidDeflate))?;
        if self.stream.is_some() {
            return Err(InvalidDeflate.into());
        }
        if !self.direction.context_takeover {
            self.window = VecDeque::new(); // §7.1.1
        }
        Ok(())
    }

    /// True if the messages so far have left something that the next one may refer to.
    pub fn has_context(&self) -> bool {
        !self.window.is_empty()
    }

    /// Moves the window over `inflated`, the bytes behind it.
    fn slide(&mut self, inflated: &[u8]) {
        let size = 1 << self.direction.max_window_bits.min(MAX_WINDOW_BITS);
        let inflated = &inflated[inflated.len().saturating_sub(size)..];
        let length = self.window.len() + inflated.len();
        self.window.drain(..length.saturating_sub(size));
        if self.window.capacity() < length.min(size) {
            // In powers of two, as a vector grows, but not beyond the window, which is one.
            self.window.reserve_exact(length.min(size).next_power_of_two() - self.window.len());
        }
        self.window.extend(inflated);
    }
}

/// A stream at the start of a block, with `window` behind it.
fn begin(window: &VecDeque<u8>) -> Box<Decompress> {
    // zlib-rs has room for the greatest window in any case, so there is nothing to save with a smaller one.
    let mut stream = SPARE.take().unwrap_or_else(|| Box::new(Decompress::new(false)));
    stream.reset(false);
    let (older, newer) = window.as_slices();
    for part in [older, newer] {
        stream.set_dictionary(part).expect("a raw stream takes a dictionary at any time");
    }
    stream
}
