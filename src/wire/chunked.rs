//! The chunked transfer coding (RFC 9112 §7.1).

use std::fmt::Write;

use super::body::Content;
use super::field_line;
use super::line::{self, CRLF, Line, NextLine};
use super::secrets;
use super::span::{Kind, Violation};
use super::splitter::{FieldSpec, Progress, Splitter};
use crate::protocol::http::BodyError;
use crate::protocol::http::fields::{is_control, is_tchar};
use crate::protocol::rule::Section;

const CHUNKED: Section = Section::rfc(9112, "7.1");
const EXTENSION: Section = Section::rfc(9112, "7.1.1");

const SIZE: FieldSpec = FieldSpec::new(
    "chunk-size",
    Kind::Length,
    CHUNKED,
    "How many bytes of data follow, in hexadecimal digits.",
);
const DATA: FieldSpec = FieldSpec::new("chunk-data", Kind::Payload, CHUNKED, "A part of the body's content.");
const NO_SIZE: FieldSpec =
    FieldSpec::new("chunk-size", Kind::Opaque, CHUNKED, "This should be the size of a chunk.");
const DATA_END: FieldSpec =
    FieldSpec::new("CRLF", Kind::Separator, CHUNKED, "Behind the data; it is not counted in chunk-size.");
const NO_DATA_END: FieldSpec = FieldSpec::new("CRLF", Kind::Opaque, CHUNKED, "This should be a CRLF.");
const END: FieldSpec = FieldSpec::new(
    "CRLF",
    Kind::Control,
    Section::rfc(9112, "7.1.2"),
    "The empty line behind the trailer section ends the body.",
);
const BWS: FieldSpec = FieldSpec::new(
    "BWS",
    Kind::Separator,
    Section::rfc(9110, "5.6.3"),
    "Bad white space: only there for those who have always sent it.",
);
const SEMICOLON: FieldSpec = FieldSpec::new(";", Kind::Separator, EXTENSION, "A chunk extension follows.");
const EXTENSION_NAME: FieldSpec =
    FieldSpec::new("chunk-ext-name", Kind::Name, EXTENSION, "The name of an extension.");
const EQUALS: FieldSpec =
    FieldSpec::new("=", Kind::Separator, EXTENSION, "The value of the extension follows.");
const EXTENSION_VALUE: FieldSpec =
    FieldSpec::new("chunk-ext-val", Kind::Value, EXTENSION, "The value of an extension.");
const NO_EXTENSION: FieldSpec =
    FieldSpec::new("chunk-ext", Kind::Opaque, EXTENSION, "This should be a chunk extension.");

/// The state of a chunked body.
#[derive(Debug)]
pub(super) struct Chunked {
    awaiting: Awaiting,
    /// The trailer section's last line had a secret in it, which a folded line would continue.
    is_secret: bool,
}

/// What comes next.
#[derive(Clone, Copy, Debug)]
enum Awaiting {
    SizeLine,
    Data { left: u64 },
    DataEnd,
    Trailer { lines: usize },
}

impl Chunked {
    pub fn new() -> Self {
        Self { awaiting: Awaiting::SizeLine, is_secret: false }
    }

    pub fn advance(&mut self, splitter: &mut Splitter, content: &mut Content, length: &mut u64) -> Progress {
        loop {
            match self.awaiting {
                Awaiting::SizeLine | Awaiting::Trailer { .. } => {
                    let line = match line::next(splitter) {
                        NextLine::Incomplete | NextLine::Finished => return Progress::NeedMore,
                        NextLine::TooLong => {
                            return Progress::Unreadable("A line is longer than what the view waits for.");
                        }
                        NextLine::Line(line) => line,
                    };
                    if let Awaiting::Trailer { lines } = self.awaiting {
                        if self.trailer(splitter, line, lines) {
                            return Progress::Done;
                        }
                        continue;
                    }
                    match size_line(splitter, line) {
                        None => {
                            return Progress::Unreadable(
                                "Without the size of a chunk nobody knows where the next begins.",
                            );
                        }
                        Some(0) => self.awaiting = Awaiting::Trailer { lines: 0 },
                        Some(left) => self.awaiting = Awaiting::Data { left },
                    }
                }
                Awaiting::Data { left } => {
                    let taken = content.advance(splitter, left, DATA);
                    *length += taken;
                    self.awaiting = match left - taken {
                        0 => Awaiting::DataEnd,
                        left => Awaiting::Data { left },
                    };
                    if taken < left {
                        return Progress::NeedMore;
                    }
                }
                Awaiting::DataEnd => match splitter.rest() {
                    [b'\r', b'\n', ..] => {
                        splitter.emit(2, DATA_END);
                        self.awaiting = Awaiting::SizeLine;
                    }
                    [b'\r'] if splitter.ended() => splitter.emit(1, DATA_END).cut_off = true,
                    [] | [b'\r'] => return Progress::NeedMore,
                    [first, ..] => {
                        if *first == b'\r' {
                            splitter.emit(1, DATA_END);
                        }
                        splitter.emit(1, NO_DATA_END).violation = Some(BodyError::ChunkDataEnd.rule().into());
                        return Progress::Unreadable(
                            "Without the end of a chunk nobody knows where the next begins.",
                        );
                    }
                },
            }
        }
    }

    /// Cuts a line of the trailer section; true if it was the last.
    fn trailer(&mut self, splitter: &mut Splitter, line: Line, lines: usize) -> bool {
        if line.text == 0 && line.is_complete() {
            splitter.hide([]);
            line::split_end(splitter, line, END);
            return true;
        }
        let text = &splitter.rest()[..line.text];
        splitter.hide(secrets::in_line(text, self.is_secret));
        self.is_secret = secrets::continues_after(text, self.is_secret);
        if line.text > 0 {
            // Here a line that begins with white space is folded, also where none stands before it.
            field_line::split(splitter, line.text, false, line.has_complete_text());
        }
        line::split_end(splitter, line, CRLF);
        splitter.hide([]);
        self.awaiting = Awaiting::Trailer { lines: lines + 1 };
        false
    }
}

/// Cuts a chunk's first line, and gives its size.
fn size_line(splitter: &mut Splitter, line: Line) -> Option<u64> {
    let text = &splitter.rest()[..line.text];
    let digits = text.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    // Of at most 16 digits, so it fits.
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
    let wrong = if digits > 16 {
        Some(BodyError::ChunkSizeTooLong)
    } else if digits == 0 && (line.has_complete_text() || !rest.is_empty())
        || !matches!(rest.first(), None | Some(b';' | b' ' | b'\t'))
    {
        Some(BodyError::ChunkSize)
    } else {
        None
    };
    if let Some(error) = wrong {
        match splitter.emit_nonempty(rest.len(), NO_SIZE) {
            Some(span) => span.violation = Some(error.rule().into()),
            None => {
                line::split_end(splitter, line, CRLF);
                if let Some(last) = splitter.last() {
                    last.violation = Some(error.rule().into());
                }
                return None;
            }
        }
        line::split_end(splitter, line, CRLF);
        return None;
    }
    extensions(splitter, rest, line);
    line::split_end(splitter, line, CRLF);
    Some(size)
}

/// Where in the extensions a byte stands; the states of the protocol code's reader.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Only a semicolon may follow.
    BeforeSemicolon,
    Semicolon,
    BeforeName,
    Name,
    BeforeEquals,
    Equals,
    BeforeValue,
    Token,
    Quoted,
    Pair,
    QuotedEnd,
}

impl Place {
    /// The place of `byte` behind this one, if it may stand there.
    fn then(self, byte: u8) -> Option<Self> {
        use Place::*;
        let is_blank = matches!(byte, b' ' | b'\t');
        Some(match self {
            BeforeSemicolon | Name | BeforeEquals | Token | QuotedEnd if byte == b';' => Semicolon,
            BeforeSemicolon | Token | QuotedEnd if is_blank => BeforeSemicolon,
            Semicolon | BeforeName if is_blank => BeforeName,
            Name | BeforeEquals if is_blank => BeforeEquals,
            Name | BeforeEquals if byte == b'=' => Equals,
            Semicolon | BeforeName | Name if is_tchar(byte) => Name,
            Equals | BeforeValue if is_blank => BeforeValue,
            Equals | BeforeValue if byte == b'"' => Quoted,
            Equals | BeforeValue | Token if is_tchar(byte) => Token,
            Quoted if byte == b'"' => QuotedEnd,
            Quoted if byte == b'\\' => Pair,
            Quoted | Pair if !is_control(byte) => Quoted,
            _ => return None,
        })
    }

    fn part(self) -> FieldSpec {
        use Place::*;
        match self {
            BeforeSemicolon | BeforeName | BeforeEquals | BeforeValue => BWS,
            Semicolon => SEMICOLON,
            Name => EXTENSION_NAME,
            Equals => EQUALS,
            Token | Quoted | Pair | QuotedEnd => EXTENSION_VALUE,
        }
    }
}

fn extensions(splitter: &mut Splitter, text: &[u8], line: Line) {
    fn malformed() -> Violation {
        BodyError::ChunkExtension.rule().into()
    }
    if text.is_empty() {
        return;
    }
    let mut place = Place::BeforeSemicolon;
    let mut start = 0;
    let mut part: Option<FieldSpec> = None;
    for (at, byte) in text.iter().enumerate() {
        let Some(next) = place.then(*byte) else {
            if let Some(part) = part {
                splitter.emit(at - start, part);
            }
            splitter.emit(text.len() - at, NO_EXTENSION).violation = Some(malformed());
            return;
        };
        let next_part = next.part();
        match part {
            // A separator is one byte, and all else is as long as it has the same name.
            Some(part)
                if part.field != next_part.field || part.kind == Kind::Separator && part.field != "BWS" =>
            {
                splitter.emit(at - start, part);
                start = at;
            }
            _ => {}
        }
        part = Some(next_part);
        place = next;
    }
    if let Some(part) = part {
        splitter.emit(text.len() - start, part);
    }
    if line.has_complete_text()
        && !matches!(place, Place::Name | Place::Token | Place::QuotedEnd)
        && let Some(last) = splitter.last()
    {
        last.violation = Some(malformed());
    }
}
