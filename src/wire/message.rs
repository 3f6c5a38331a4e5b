//! Messages, joined from frames and inflated, as far as the view keeps them (RFC 6455 §5.4, RFC 7692 §7.2.2).

use super::inflation::Inflation;
use super::note::{Content, Note};
use super::span::Violation;
use super::splitter::violation;
use crate::protocol::rule::Section;
use crate::protocol::websocket::utf8::Utf8;

/// How many bytes of a message the view keeps, to show it whole. Of a longer one it tells the length.
pub const MAX_MESSAGE_BYTES: usize = 128 * 1024;

/// What became wrong with a message at a piece of its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// This byte of the piece can't follow in UTF-8.
    Utf8At(usize),
    /// What the piece inflates to is not UTF-8.
    InflatedUtf8,
    /// It is not DEFLATE.
    Deflate,
    /// The message ends inside a character.
    Unfinished,
}

/// Why it is not known what a compressed message says, and whether that is the sender's fault.
pub(super) struct InflateError {
    pub why: &'static str,
    pub is_wrong: bool,
}

/// A message under way.
#[derive(Debug)]
pub(super) struct Message {
    /// Its text so far; `None` where it is binary, or wrong already.
    utf8: Option<Utf8>,
    is_text: bool,
    pub compressed: bool,
    pub frames: u64,
    payload: u64,
    length: u64,
    kept: Vec<u8>,
    /// Why its content is not known.
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

    /// Takes the next piece of its payload, unmasked; `is_end` if it is the last.
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

    /// Takes bytes of the message itself, and gives the first that is not UTF-8 where it should.
    fn keep(&mut self, piece: &[u8]) -> Option<usize> {
        self.length += piece.len() as u64;
        if self.length > MAX_MESSAGE_BYTES as u64 {
            self.kept = Vec::new();
            self.not_kept.get_or_insert("it is longer than what the view keeps");
        } else {
            self.kept.extend_from_slice(piece);
        }
        let wrong = push(self.utf8.as_mut()?, piece)?;
        self.utf8 = None;
        Some(wrong)
    }

    fn push_compressed(&mut self, piece: &[u8], is_end: bool, inflation: &mut Inflation) -> Option<Fault> {
        let mut is_utf8 = true;
        let outcome = inflation.inflate(piece, is_end, |inflated| {
            is_utf8 &= self.keep(inflated).is_none();
            self.length
        });
        match outcome {
            Ok(()) => (!is_utf8).then_some(Fault::InflatedUtf8),
            Err(InflateError { why, is_wrong }) => {
                self.lose(why);
                is_wrong.then_some(Fault::Deflate)
            }
        }
    }

    fn lose(&mut self, why: &'static str) {
        self.kept = Vec::new();
        self.utf8 = None;
        self.not_kept.get_or_insert(why);
    }

    /// What is wrong if it ends here, with a frame that has no payload.
    pub fn is_cut(&self) -> Option<Violation> {
        let is_cut = !self.compressed && self.utf8.is_some_and(|utf8| !utf8.is_complete());
        is_cut.then(|| violation("The text ends inside a character.", Section::rfc(6455, "8.1")))
    }

    /// What it says, now that it is whole.
    pub fn note(self) -> Note {
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

/// Takes the next piece of a text, and gives the first byte that no UTF-8 can have there.
pub(super) fn push(utf8: &mut Utf8, piece: &[u8]) -> Option<usize> {
    let before = *utf8;
    if utf8.push(piece).is_ok() {
        return None;
    }
    let mut again = before;
    piece.iter().position(|byte| again.push(std::slice::from_ref(byte)).is_err())
}
