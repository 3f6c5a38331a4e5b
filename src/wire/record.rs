//! Recordings of conversations, in a plain text format that preserves every byte.
//!
//! ```text
//! barewire conversation 1
//! # A line that begins with a number sign is a comment.
//!
//! 1 client 0 ms
//!   text GET /topics/demo HTTP/1.1\r\n
//!   text Host: x\r\n
//!   text \r\n
//!
//! 1 server 3 ms
//!   hex  81 05 48 65 6c 6c 6f
//!
//! 1 client 9 ms end
//! ```
//!
//! The first line of a block contains the number of the connection, the side, and the time in
//! milliseconds since the start. The bytes are in the lines after it: `text` is followed by text
//! with the escapes `\r \n \t \\ \xNN`, and `hex` by bytes of two digits each. ` end` means that
//! the side ended after these bytes. The blocks are in the order in which the bytes arrived.

use std::fmt;
use std::fmt::Write;

use super::span::{Side, Span};

/// The first line of every recording.
pub const FIRST_LINE: &str = "barewire conversation 1";

/// The maximum number of bytes in a line of text, before escaping.
const MAX_TEXT_BYTES: usize = 512;

/// The number of bytes in a line of hexadecimal digits.
const HEX_LINE_BYTES: usize = 16;

/// The maximum length of a line that a reader accepts, in bytes.
const MAX_LINE_BYTES: usize = 64 * 1024;

/// Bytes that one side sent at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The number of the connection; the first is 1.
    pub connection: u64,
    /// The side that sent the bytes.
    pub side: Side,
    /// The time in milliseconds since the start of the recording.
    pub time_ms: u64,
    /// The bytes. A block without bytes can mark the end of a side.
    pub bytes: Vec<u8>,
    /// True if the side ended after these bytes.
    pub is_end: bool,
}

/// Writes a recording, block by block.
#[derive(Debug, Default)]
pub struct Writer {
    has_begun: bool,
}

impl Writer {
    /// Returns the writer of a new recording.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a block, preceded by the first line if it is the first block.
    pub fn block(&mut self, block: &Block, out: &mut String) {
        self.heading(block.connection, block.side, block.time_ms, block.is_end, out);
        write_bytes(&block.bytes, out);
    }

    /// Appends the bytes of spans as blocks: one for each run of spans of the same side. Hidden
    /// bytes are recorded as `*`.
    pub fn spans(&mut self, connection: u64, time_ms: u64, spans: &[Span], out: &mut String) {
        for run in spans.chunk_by(|one, other| one.side == other.side) {
            self.heading(connection, run[0].side, time_ms, false, out);
            let bytes: Vec<u8> = run.iter().flat_map(|span| &span.bytes).copied().collect();
            write_bytes(&bytes, out);
        }
    }

    /// Appends a block that marks the end of a side.
    pub fn end(&mut self, connection: u64, side: Side, time_ms: u64, out: &mut String) {
        self.heading(connection, side, time_ms, true, out);
    }

    /// Appends a comment of one line, which readers ignore.
    pub fn comment(&mut self, comment: &str, out: &mut String) {
        self.begin(out);
        // Writing to a String can't fail.
        let _ = writeln!(out, "\n# {comment}");
    }

    fn begin(&mut self, out: &mut String) {
        if !std::mem::replace(&mut self.has_begun, true) {
            out.push_str(FIRST_LINE);
            out.push('\n');
        }
    }

    fn heading(&mut self, connection: u64, side: Side, time_ms: u64, is_end: bool, out: &mut String) {
        self.begin(out);
        let end = if is_end { " end" } else { "" };
        // Writing to a String can't fail.
        let _ = writeln!(out, "\n{connection} {} {time_ms} ms{end}", side.name());
    }
}

fn write_bytes(bytes: &[u8], out: &mut String) {
    let mut rest = bytes;
    while !rest.is_empty() {
        let length = text_line(rest);
        // A few letters among binary bytes do not count as text.
        let is_text =
            length >= 4 || (length > 0 && (length == rest.len() || rest[..length].ends_with(b"\n")));
        if is_text {
            out.push_str("  text ");
            let mut characters = str::from_utf8(&rest[..length]).unwrap_or_default().chars().peekable();
            while let Some(character) = characters.next() {
                match character {
                    '\r' => out.push_str("\\r"),
                    '\n' => out.push_str("\\n"),
                    '\t' => out.push_str("\\t"),
                    '\\' => out.push_str("\\\\"),
                    // Some editors remove trailing spaces.
                    ' ' if characters.peek().is_none() => out.push_str("\\x20"),
                    _ => out.push(character),
                }
            }
            rest = &rest[length..];
        } else {
            out.push_str("  hex ");
            let (line, after) = rest.split_at(rest.len().min(HEX_LINE_BYTES));
            for byte in line {
                let _ = write!(out, " {byte:02x}");
            }
            rest = after;
        }
        out.push('\n');
    }
}

/// Returns the number of bytes at the start of `bytes` that form a line of text, up to an LF.
fn text_line(bytes: &[u8]) -> usize {
    let window = &bytes[..bytes.len().min(MAX_TEXT_BYTES)];
    let valid = window.utf8_chunks().next().map_or("", |chunk| chunk.valid());
    let mut length = 0;
    for character in valid.chars() {
        let is_shown = match character {
            '\n' => return length + 1,
            '\r' | '\t' | ' '..='~' => true,
            // Other characters are text only if they have a visible glyph and no effect on the
            // direction of the line.
            _ => character.is_alphanumeric(),
        };
        if !is_shown {
            break;
        }
        length += character.len_utf8();
    }
    length
}

/// An error in a recording, with its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordingError {
    /// The number of the line; the first is 1.
    pub line: usize,
    /// The description of the error.
    pub message: &'static str,
}

impl fmt::Display for RecordingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

impl std::error::Error for RecordingError {}

/// Returns true if `bytes` begin with the first line of a recording, after a byte order mark or
/// not.
pub fn is_recording(bytes: &[u8]) -> bool {
    let first = without_mark(bytes).split(|byte| *byte == b'\n').next().unwrap_or_default();
    first.strip_suffix(b"\r").unwrap_or(first) == FIRST_LINE.as_bytes()
}

/// Returns text without the UTF-8 byte order mark that some editors write.
fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

/// Reads a recording, block by block. The iterator ends after an error.
#[derive(Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    line: usize,
    has_ended: bool,
}

impl<'a> Reader<'a> {
    /// Returns the reader of a complete recording. A byte order mark at its start is skipped.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: without_mark(bytes), line: 0, has_ended: false }
    }

    /// Returns the next line without its terminator, and its length with the terminator; `None` at
    /// the end.
    fn peek(&self) -> Result<Option<(&'a str, usize)>, RecordingError> {
        let error = |message| Err(RecordingError { line: self.line + 1, message });
        if self.rest.is_empty() {
            return Ok(None);
        }
        let window = &self.rest[..self.rest.len().min(MAX_LINE_BYTES)];
        let (line, taken) = match window.iter().position(|byte| *byte == b'\n') {
            Some(end) => (&window[..end], end + 1),
            None if window.len() == self.rest.len() => (window, window.len()),
            None => return error("the line is longer than 64 KiB"),
        };
        match str::from_utf8(line) {
            Ok(line) => Ok(Some((line.strip_suffix('\r').unwrap_or(line), taken))),
            Err(_) => error("the line must be UTF-8"),
        }
    }

    fn take(&mut self, taken: usize) {
        self.rest = &self.rest[taken..];
        self.line += 1;
    }

    fn block(&mut self) -> Result<Option<Block>, RecordingError> {
        if self.line == 0 {
            match self.peek()? {
                Some((FIRST_LINE, taken)) => self.take(taken),
                _ => {
                    return Err(RecordingError {
                        line: 1,
                        message: "the first line must be `barewire conversation 1`",
                    });
                }
            }
        }
        let mut block = loop {
            let Some((line, taken)) = self.peek()? else { return Ok(None) };
            self.take(taken);
            if !line.trim().is_empty() && !line.starts_with('#') {
                break heading(line).map_err(|message| RecordingError { line: self.line, message })?;
            }
        };
        while let Some((line, taken)) = self.peek()? {
            if let Some(line) = line.strip_prefix("  ") {
                self.take(taken);
                bytes(line, &mut block.bytes)
                    .map_err(|message| RecordingError { line: self.line, message })?;
            } else if line.starts_with('#') {
                self.take(taken);
            } else {
                break;
            }
        }
        Ok(Some(block))
    }
}

impl Iterator for Reader<'_> {
    type Item = Result<Block, RecordingError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.has_ended {
            return None;
        }
        let block = self.block();
        self.has_ended = !matches!(block, Ok(Some(_)));
        block.transpose()
    }
}

fn heading(line: &str) -> Result<Block, &'static str> {
    const FORM: &str = "a block must begin with a connection, a side and a time, such as `1 client 0 ms`";
    let mut words = line.split(' ');
    let number = |word: Option<&str>| word.and_then(|word| word.parse().ok()).ok_or(FORM);
    let connection = number(words.next())?;
    let side = match words.next() {
        Some("client") => Side::Client,
        Some("server") => Side::Server,
        _ => return Err(FORM),
    };
    let time_ms = number(words.next())?;
    let is_end = match (words.next(), words.next(), words.next()) {
        (Some("ms"), None, None) => false,
        (Some("ms"), Some("end"), None) => true,
        _ => return Err(FORM),
    };
    Ok(Block { connection, side, time_ms, bytes: Vec::new(), is_end })
}

fn bytes(line: &str, out: &mut Vec<u8>) -> Result<(), &'static str> {
    if let Some(digits) = line.strip_prefix("hex ") {
        return digits.split_ascii_whitespace().try_for_each(|pair| {
            out.push(pair_of_digits(pair.as_bytes()).ok_or("a byte must be two hexadecimal digits")?);
            Ok(())
        });
    }
    let Some(text) = line.strip_prefix("text ") else {
        return Err("a line of bytes must begin with `text` or `hex`");
    };
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'\\' {
            out.push(*first);
            continue;
        }
        let (byte, taken) = match rest {
            [b'r', ..] => (b'\r', 1),
            [b'n', ..] => (b'\n', 1),
            [b't', ..] => (b'\t', 1),
            [b'\\', ..] => (b'\\', 1),
            [b'x', high, low, ..] => {
                (pair_of_digits(&[*high, *low]).ok_or("\\x must be followed by two hexadecimal digits")?, 3)
            }
            _ => return Err("an escape must be one of \\r \\n \\t \\\\ \\xNN"),
        };
        out.push(byte);
        rest = &rest[taken..];
    }
    Ok(())
}

fn pair_of_digits(pair: &[u8]) -> Option<u8> {
    let [high, low] = pair else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(*high)? << 4 | digit(*low)?).ok()
}
