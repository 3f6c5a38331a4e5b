//! Inflating a message while it arrives (RFC 7692 §7.2.2).
//!
//! A message ends with an empty block and thus at a byte boundary of DEFLATE. The only state that
//! the next message needs is therefore the window, the last bytes of the previous messages. An
//! [`Inflater`] keeps this window, and only with context takeover. It does not keep zlib's state of
//! 47 KiB, which it borrows for the duration of one message from a spare that all connections of
//! the thread share.

use std::cell::Cell;
use std::collections::VecDeque;

use flate2::{Decompress, FlushDecompress, Status};

use super::deflate::TAIL;
use super::extension::{Direction, MAX_WINDOW_BITS};
use super::protocol_error::ProtocolError;

/// The greatest number of bytes inflated at once, which bounds the cost of a decompression bomb
/// beyond the limit of its message.
const CHUNK: usize = 4096;

/// An empty block marked as the last one (RFC 1951 §3.2.3, §3.2.4).
const LAST_BLOCK: [u8; 5] = [0x01, 0x00, 0x00, 0xff, 0xff];

/// Starting a stream takes about as long as inflating this many bytes: its tables are reset, and
/// the window is copied.
const START_WORK: u64 = 2500;

/// The memory of a zlib stream in bytes: its window of 32 KiB and its tables.
const STREAM_BYTES: usize = 48 << 10;

/// The decompressor of one direction of a connection.
#[derive(Debug)]
pub struct Inflater {
    direction: Direction,
    /// The last inflated bytes, to which the next block may refer: at most 2^`max_window_bits`
    /// bytes of this message and, with context takeover, of the previous ones.
    window: VecDeque<u8>,
    /// The state within the current message; `None` between two messages and after a last block.
    stream: Option<Box<Decompress>>,
    /// The work since the last call of [`Inflater::take_work`].
    work: u64,
}

thread_local! {
    /// An unused stream. Most messages arrive at once, so one stream is enough for most threads.
    static SPARE: Cell<Option<Box<Decompress>>> = const { Cell::new(None) };
}

impl Inflater {
    /// Returns a decompressor for the start of a connection or, without context takeover, for any
    /// point between two messages. It allocates nothing.
    pub const fn new(direction: Direction) -> Self {
        Self { direction, window: VecDeque::new(), stream: None, work: 0 }
    }

    /// Returns the allocated memory in bytes: the window, and zlib's 48 KiB within a message.
    pub fn memory(&self) -> usize {
        self.window.capacity() + if self.stream.is_some() { STREAM_BYTES } else { 0 }
    }

    /// Inflates the next bytes of a message's payload and passes the result to `sink`, at most a
    /// few KiB at a time.
    ///
    /// The result contains everything that the bytes so far encode; nothing is held back for the
    /// next call. An error of `sink` stops the decompression, which is how the caller limits a
    /// message.
    ///
    /// # Errors
    /// [`ProtocolError::InvalidDeflate`] at the first byte that reveals it, or the error of `sink`.
    /// The inflater must not be used after an error.
    pub fn inflate(
        &mut self,
        payload: &[u8],
        mut sink: impl FnMut(&[u8]) -> Result<(), ProtocolError>,
    ) -> Result<(), ProtocolError> {
        let mut rest = payload;
        let mut chunk = [0; CHUNK];
        loop {
            let mut stream = self.stream.take().unwrap_or_else(|| {
                self.work += START_WORK;
                start_stream(&self.window)
            });
            let (read, written) = (stream.total_in(), stream.total_out());
            let status = stream.decompress(rest, &mut chunk, FlushDecompress::None);
            rest = &rest[(stream.total_in() - read) as usize..];
            let inflated = &chunk[..(stream.total_out() - written) as usize];
            self.work += inflated.len() as u64;
            // §7.2.1 allows last blocks (BFINAL) anywhere in a message. The next block then starts
            // at the next byte, with the same window.
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
                return Err(ProtocolError::InvalidDeflate);
            }
            // If the chunk is not full, zlib has read all input and has no more output.
            let done = if is_last { rest.is_empty() } else { inflated.len() < CHUNK };
            if done {
                return Ok(());
            }
        }
    }

    /// Ends a message and passes the rest of it to `sink`.
    ///
    /// # Errors
    /// [`ProtocolError::InvalidDeflate`] if the message ends inside a block, or the error
    /// of `sink`.
    pub fn finish(
        &mut self,
        sink: impl FnMut(&[u8]) -> Result<(), ProtocolError>,
    ) -> Result<(), ProtocolError> {
        self.inflate(&TAIL, sink)?; // §7.2.2
        // The message is valid only if the next byte would start a block. zlib does not report
        // that, but it shows: zlib accepts an empty last block exactly there.
        self.inflate(&LAST_BLOCK, |_| Err(ProtocolError::InvalidDeflate))?;
        if self.stream.is_some() {
            return Err(ProtocolError::InvalidDeflate);
        }
        if !self.direction.context_takeover {
            self.window = VecDeque::new(); // §7.1.1
        }
        Ok(())
    }

    /// Returns the work since the last call, in bytes: those inflated, and as many for each stream
    /// that was started as take as long.
    pub fn take_work(&mut self) -> u64 {
        std::mem::take(&mut self.work)
    }

    /// Returns true if the next message may refer to previous ones.
    pub fn has_context(&self) -> bool {
        !self.window.is_empty()
    }

    /// Appends `inflated` to the window and drops the bytes that are then too old.
    fn slide(&mut self, inflated: &[u8]) {
        let size = 1 << self.direction.max_window_bits.min(MAX_WINDOW_BITS);
        let inflated = &inflated[inflated.len().saturating_sub(size)..];
        let length = self.window.len() + inflated.len();
        self.window.drain(..length.saturating_sub(size));
        if self.window.capacity() < length.min(size) {
            // The capacity grows in powers of two, like that of a vector, but not beyond the
            // window.
            self.window.reserve_exact(length.min(size).next_power_of_two() - self.window.len());
        }
        self.window.extend(inflated);
    }
}

/// Returns a stream at the start of a block, whose previous bytes are `window`.
fn start_stream(window: &VecDeque<u8>) -> Box<Decompress> {
    // zlib-rs always allocates the largest window, so a smaller one would save nothing.
    let mut stream = SPARE.take().unwrap_or_else(|| Box::new(Decompress::new(false)));
    stream.reset(false);
    let (older, newer) = window.as_slices();
    for part in [older, newer] {
        stream.set_dictionary(part).expect("a raw stream accepts a dictionary at any time");
    }
    stream
}
