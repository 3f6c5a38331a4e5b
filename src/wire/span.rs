//! Spans: what the view reports about each run of bytes.

use std::borrow::Cow;
use std::ops::Range;

use super::note::Note;
use crate::protocol::rule::{Rule, Section};
use crate::text::one_line;

/// A peer of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// The peer that opened the connection.
    Client,
    /// The peer that accepted the connection.
    Server,
}

impl Side {
    /// Returns `client` or `server`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }

    /// Returns the other peer.
    pub const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// The kind of bytes in a span. It determines the color, and separates data from overhead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A part of a request line or a status line.
    StartLine,
    /// The name of a field.
    Name,
    /// The value of a field.
    Value,
    /// A delimiter: a colon, a space, a line terminator.
    Separator,
    /// A length.
    Length,
    /// A masking key.
    Mask,
    /// Data: a body, a message, the value of an event's field.
    Payload,
    /// Protocol control: the first byte of a frame, a close code, the line that dispatches an
    /// event.
    Control,
    /// Bytes that the receiver ignores: a comment, an unknown field.
    Ignored,
    /// Bytes that the view can't read.
    Opaque,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 10] = [
        Self::StartLine,
        Self::Name,
        Self::Value,
        Self::Separator,
        Self::Length,
        Self::Mask,
        Self::Payload,
        Self::Control,
        Self::Ignored,
        Self::Opaque,
    ];

    /// Returns the name in lower case with hyphens, which is also a CSS class.
    pub const fn name(self) -> &'static str {
        match self {
            Self::StartLine => "start-line",
            Self::Name => "name",
            Self::Value => "value",
            Self::Separator => "separator",
            Self::Length => "length",
            Self::Mask => "mask",
            Self::Payload => "payload",
            Self::Control => "control",
            Self::Ignored => "ignored",
            Self::Opaque => "opaque",
        }
    }
}

/// A bit field within a byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bits {
    /// The bits in the order of RFC 6455 §5.2: 0 is the most significant one.
    pub range: Range<u8>,
    /// The name that the specification gives the field.
    pub field: &'static str,
    /// The value as a number.
    pub value: u8,
    /// The meaning of the value, in a sentence.
    pub meaning: Cow<'static, str>,
    /// The section that defines the field.
    pub section: Section,
    /// True if this bit field contributes to the span's violation.
    pub breaks_rule: bool,
}

/// A run of bytes of one side that is one field, or a part of a long one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// The side that sent the bytes.
    pub side: Side,
    /// The offset of the first byte in everything that the side has sent.
    pub offset: u64,
    /// The bytes, at least one. Each [`hidden`](Self::hidden) byte is replaced by `*`.
    pub bytes: Box<[u8]>,
    /// The name that the specification gives the field.
    pub field: &'static str,
    /// The decoded value, truncated to about [`MAX_VALUE_CHARS`] characters.
    pub value: Cow<'static, str>,
    /// The meaning of the field or value, in a sentence.
    pub meaning: Cow<'static, str>,
    /// The section that defines the field.
    pub section: Section,
    /// The kind of bytes.
    pub kind: Kind,
    /// The bit fields, if the span is a byte with several fields.
    pub bits: Vec<Bits>,
    /// The unmasked bytes, if they were masked (RFC 6455 §5.3).
    pub unmasked: Option<Box<[u8]>>,
    /// The rule that the bytes break.
    pub violation: Option<Rule>,
    /// True if the input ends within this field.
    pub cut_off: bool,
    /// The ranges of `bytes` that are secrets and are not shown.
    pub hidden: Vec<Range<usize>>,
    /// Units that end with this span, such as a message.
    pub notes: Vec<Note>,
}

/// The maximum length of [`Span::value`], in characters. The bytes are always complete.
pub const MAX_VALUE_CHARS: usize = 200;

impl Span {
    /// Returns the offset after the last byte.
    pub fn end(&self) -> u64 {
        self.offset + self.bytes.len() as u64
    }

    /// Returns true for data, and false for the overhead of the protocols.
    pub fn is_data(&self) -> bool {
        self.kind == Kind::Payload
    }

    /// Returns the bytes, unmasked if they were masked.
    pub fn content(&self) -> &[u8] {
        self.unmasked.as_deref().unwrap_or(&self.bytes)
    }

    /// Returns true if the byte at `index` is hidden.
    pub fn hides(&self, index: usize) -> bool {
        self.hidden.iter().any(|range| range.contains(&index))
    }
}

/// Returns bytes as one line of text. Control characters, invisible characters and bytes that are
/// not UTF-8 become `\r`, `\n`, `\t` or `\xNN`.
pub fn printable(bytes: &[u8]) -> String {
    // The view explains bytes, so only characters with a visible glyph are shown as they are.
    let has_glyph = |character: char| {
        matches!(character, ' '..='~') || character.is_alphanumeric() || character.escape_debug().len() == 1
    };
    one_line(bytes, MAX_VALUE_CHARS, has_glyph)
}

#[cfg(test)]
mod tests {
    use super::{MAX_VALUE_CHARS, printable};

    #[test]
    fn escapes_controls_and_invalid_bytes_and_truncates() {
        assert_eq!(printable(b"a \r\n\t\\ \0\x7f"), "a \\r\\n\\t\\\\ \\x00\\x7f");
        assert_eq!(printable("é…\u{202e}\u{2028}".as_bytes()), "é…\\xe2\\x80\\xae\\xe2\\x80\\xa8");
        assert_eq!(printable(b"\xff\xc3"), "\\xff\\xc3");
        let long = "x".repeat(MAX_VALUE_CHARS + 1);
        assert_eq!(printable(&long.as_bytes()[1..]), &long[1..]);
        assert_eq!(printable(long.as_bytes()), format!("{}…", &long[1..]));
    }
}
