//! WebSocket messages, joined from frames and inflated (RFC 6455 §5.4, RFC 7692 §7.2.2).

use super::inflation::{InflateError, Inflation};
use super::note::{Content, Note};
use crate::protocol::websocket::utf8::Utf8;

/// The maximum size of a message whose content is kept, in bytes. Only the length of a longer
/// message is reported.
pub const MAX_MESSAGE_BYTES: usize = 128 * 1024;

/// An error in a piece of a message's payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The byte at this index of the piece is not valid UTF-8 there.
    Utf8At(usize),
    /// The piece inflates to bytes that are not UTF-8.
    InflatedUtf8,
    /// The piece is not DEFLATE data.
    Deflate,
    /// The message ends within a character.
    Unfinished,
}

/// A message whose last byte has not arrived.
#[derive(Debug)]
pub(super) struct Message {
    /// The validator; `None` for binary messages, and after the first fault.
    utf8: Option<Utf8>,
    is_text: bool,
    compressed: bool,
    frames: u64,
    payload: u64,
    length: u64,
    kept: Vec<u8>,
    /// Why the content is not kept.
    not_kept: Option<&'static str>,
}

impl Message {
    pub fn new(is_text: bool, compressed: bool) -> Self {
        Self {
            utf8: is_text.then(Utf8::new),
            is_text,
            compressed,
            frames: 1,
            payload: 0,
            length: 0,
            kept: Vec::new(),
            not_kept: None,
        }
    }

    /// Returns the heap memory in bytes.
    pub fn memory(&self) -> usize {
        self.kept.capacity()
    }

    /// Counts a continuation frame.
    pub fn add_frame(&mut self) {
        self.frames += 1;
    }

    /// Consumes the next piece of the unmasked payload; `is_end` marks the last one.
    pub fn push(&mut self, piece: &[u8], is_end: bool, inflation: &mut Inflation) -> Option<Fault> {
        self.payload += piece.len() as u64;
        let fault = if self.compressed {
            self.push_compressed(piece, is_end, inflation)
        } else {
            self.keep(piece).map(Fault::Utf8At)
        };
        fault.or_else(|| {
            let is_unfinished = is_end && self.utf8.is_some_and(|utf8| !utf8.is_complete());
            let fault = if self.compressed { Fault::InflatedUtf8 } else { Fault::Unfinished };
            is_unfinished.then_some(fault)
        })
    }

    /// Appends message bytes. Returns the index of the first byte that is not valid UTF-8 in a
    /// text message.
    fn keep(&mut self, piece: &[u8]) -> Option<usize> {
        self.length += piece.len() as u64;
        if self.length > MAX_MESSAGE_BYTES as u64 {
            self.kept = Vec::new();
            self.not_kept.get_or_insert("it is longer than the 128 KiB that the view keeps");
        } else {
            self.kept.extend_from_slice(piece);
        }
        let invalid = push_utf8(self.utf8.as_mut()?, piece)?;
        self.utf8 = None;
        Some(invalid)
    }

    fn push_compressed(&mut self, piece: &[u8], is_end: bool, inflation: &mut Inflation) -> Option<Fault> {
        let mut is_utf8 = true;
        let outcome = inflation.inflate(piece, is_end, |inflated| {
            is_utf8 &= self.keep(inflated).is_none();
            self.length
        });
        match outcome {
            Ok(()) => (!is_utf8).then_some(Fault::InflatedUtf8),
            Err(InflateError { why, is_violation }) => {
                self.discard(why);
                is_violation.then_some(Fault::Deflate)
            }
        }
    }

    fn discard(&mut self, why: &'static str) {
        self.kept = Vec::new();
        self.utf8 = None;
        self.not_kept.get_or_insert(why);
    }

    /// Returns true if the text so far ends within a character.
    pub fn is_within_character(&self) -> bool {
        !self.compressed && self.utf8.is_some_and(|utf8| !utf8.is_complete())
    }

    /// Returns the note about the complete message.
    pub fn into_note(self) -> Note {
        let content = match self.not_kept {
            Some(why) => Content::NotKept(why),
            None if self.is_text => Content::Text(
                String::from_utf8(self.kept)
                    .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()),
            ),
            None => Content::Binary(self.kept.into()),
        };
        Note::Message {
            frames: self.frames,
            payload: self.payload,
            compressed: self.compressed,
            length: self.length,
            content,
        }
    }
}

/// Validates the next piece of a text. Returns the index of the first invalid byte.
pub(super) fn push_utf8(utf8: &mut Utf8, piece: &[u8]) -> Option<usize> {
    let before = *utf8;
    if utf8.push(piece).is_ok() {
        return None;
    }
    let mut again = before;
    piece.iter().position(|byte| again.push(std::slice::from_ref(byte)).is_err())
}
