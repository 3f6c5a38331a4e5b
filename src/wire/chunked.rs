//! The chunked transfer coding (RFC 9112 §7.1).

use std::fmt::Write;

use super::chunk_extensions;
use super::content::Content;
use super::field_line;
use super::line::{self, CRLF, LINE_TOO_LONG, Line, NextLine};
use super::secrets;
use super::span::Kind;
use super::splitter::{FieldSpec, Progress, Splitter};
use crate::protocol::http::BodyError;
use crate::protocol::rule::Section;

/// Why a body without a readable chunk size is not read any further.
const CHUNK_START_UNKNOWN: &str = "The start of the next chunk is not known.";

const CHUNKED: Section = Section::rfc(9112, "7.1");

const SIZE: FieldSpec = FieldSpec::new(
    "chunk-size",
    Kind::Length,
    CHUNKED,
    "The number of data bytes that follow, in hexadecimal digits.",
);
const DATA: FieldSpec =
    FieldSpec::new("chunk-data", Kind::Payload, CHUNKED, "A part of the content of the body.");
const NO_SIZE: FieldSpec =
    FieldSpec::new("chunk-size", Kind::Opaque, CHUNKED, "This should be the size of a chunk.");
const DATA_END: FieldSpec = FieldSpec::new(
    "CRLF",
    Kind::Separator,
    CHUNKED,
    "The end of the chunk data, which chunk-size does not count.",
);
const NO_DATA_END: FieldSpec = FieldSpec::new("CRLF", Kind::Opaque, CHUNKED, "This should be a CRLF.");
const END: FieldSpec = FieldSpec::new(
    "CRLF",
    Kind::Control,
    Section::rfc(9112, "7.1.2"),
    "The empty line after the trailer section ends the body.",
);

/// The state of a chunked body.
#[derive(Debug)]
pub(super) struct Chunked {
    awaiting: Awaiting,
    /// True if the value of the last trailer line is a secret, which a folded line would continue.
    is_secret: bool,
}

/// The next part of the body.
#[derive(Clone, Copy, Debug)]
enum Awaiting {
    SizeLine,
    Data { left: u64 },
    DataEnd,
    TrailerLine,
}

impl Chunked {
    pub fn new() -> Self {
        Self { awaiting: Awaiting::SizeLine, is_secret: false }
    }

    /// Splits as much of the body as has arrived. Adds the length of its content to `length`.
    pub fn advance(&mut self, splitter: &mut Splitter, content: &mut Content, length: &mut u64) -> Progress {
        loop {
            let step = match self.awaiting {
                Awaiting::SizeLine => self.size_line(splitter),
                Awaiting::Data { left } => {
                    let taken = content.advance(splitter, left, DATA);
                    *length += taken;
                    if taken < left {
                        self.awaiting = Awaiting::Data { left: left - taken };
                        return Progress::NeedMore;
                    }
                    self.awaiting = Awaiting::DataEnd;
                    None
                }
                Awaiting::DataEnd => self.data_end(splitter),
                Awaiting::TrailerLine => self.trailer_line(splitter),
            };
            if let Some(progress) = step {
                return progress;
            }
        }
    }

    /// Splits the line with the size of a chunk. Returns `None` if the body continues.
    fn size_line(&mut self, splitter: &mut Splitter) -> Option<Progress> {
        let line = match line::next(splitter) {
            NextLine::Incomplete | NextLine::Finished => return Some(Progress::NeedMore),
            NextLine::TooLong => return Some(Progress::Unreadable(LINE_TOO_LONG)),
            NextLine::Line(line) => line,
        };
        self.awaiting = match split_size_line(splitter, line) {
            None => return Some(Progress::Unreadable(CHUNK_START_UNKNOWN)),
            Some(0) => Awaiting::TrailerLine,
            Some(left) => Awaiting::Data { left },
        };
        None
    }

    /// Splits the CRLF after the data of a chunk. Returns `None` if the body continues.
    fn data_end(&mut self, splitter: &mut Splitter) -> Option<Progress> {
        match splitter.rest() {
            [b'\r', b'\n', ..] => {
                splitter.emit(2, DATA_END);
                self.awaiting = Awaiting::SizeLine;
                None
            }
            [b'\r'] if splitter.ended() => {
                splitter.emit(1, DATA_END).cut_off = true;
                Some(Progress::NeedMore)
            }
            [] | [b'\r'] => Some(Progress::NeedMore),
            [first, ..] => {
                if *first == b'\r' {
                    splitter.emit(1, DATA_END);
                }
                splitter.emit(1, NO_DATA_END).violation = Some(BodyError::ChunkDataEnd.rule());
                Some(Progress::Unreadable(CHUNK_START_UNKNOWN))
            }
        }
    }

    /// Splits a line of the trailer section. Returns `None` if the body continues.
    fn trailer_line(&mut self, splitter: &mut Splitter) -> Option<Progress> {
        let line = match line::next(splitter) {
            NextLine::Incomplete | NextLine::Finished => return Some(Progress::NeedMore),
            NextLine::TooLong => return Some(Progress::Unreadable(LINE_TOO_LONG)),
            NextLine::Line(line) => line,
        };
        if line.text == 0 && line.is_complete() {
            splitter.hide([]);
            line::split_end(splitter, line, END);
            return Some(Progress::Done);
        }
        let text = &splitter.rest()[..line.text];
        if let Some(names) = splitter.secrets() {
            splitter.hide(secrets::in_line(text, self.is_secret, names));
            self.is_secret = secrets::continues_after(text, self.is_secret, names);
        }
        if line.text > 0 {
            // In a trailer section, leading whitespace always counts as folding, even in the first
            // line.
            field_line::split(splitter, line.text, false, line.has_complete_text());
        }
        line::split_end(splitter, line, CRLF);
        splitter.hide([]);
        None
    }
}

/// Splits the first line of a chunk and returns the size, if the line is valid.
fn split_size_line(splitter: &mut Splitter, line: Line) -> Option<u64> {
    let text = &splitter.rest()[..line.text];
    let digits = text.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    // Sixteen digits fit in a u64.
    let size = text[..digits]
        .iter()
        .take(16)
        .fold(0, |size, digit| size << 4 | char::from(*digit).to_digit(16).map_or(0, u64::from));
    if let Some(span) = splitter.emit_nonempty(digits.min(16), SIZE) {
        if size > 9 {
            let _ = write!(span.value.to_mut(), " = {size}");
        }
        if size == 0 {
            span.meaning = "Zero: the last chunk, which has no data.".into();
        }
        if !line.is_complete() {
            span.cut_off = text.len() == digits;
        }
    }
    let rest = &text[digits.min(16)..];
    let error = if digits > 16 {
        Some(BodyError::ChunkSizeTooLong)
    } else if digits == 0 && (line.has_complete_text() || !rest.is_empty())
        || !matches!(rest.first(), None | Some(b';' | b' ' | b'\t'))
    {
        Some(BodyError::ChunkSize)
    } else {
        None
    };
    let Some(error) = error else {
        chunk_extensions::split(splitter, rest, line.has_complete_text());
        line::split_end(splitter, line, CRLF);
        return Some(size);
    };
    let violation = Some(error.rule());
    if let Some(span) = splitter.emit_nonempty(rest.len(), NO_SIZE) {
        span.violation = violation;
        line::split_end(splitter, line, CRLF);
    } else {
        line::split_end(splitter, line, CRLF);
        if let Some(last) = splitter.last() {
            last.violation = violation;
        }
    }
    None
}
