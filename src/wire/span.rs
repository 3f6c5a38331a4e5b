//! What the view says: spans of bytes, bits of a byte, and what follows from several of them.

use std::borrow::Cow;
use std::ops::Range;

use super::note::Note;
use crate::protocol::rule::{Rule, Section};

/// Who sent a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// Who has opened the connection.
    Client,
    /// Who has taken it.
    Server,
}

impl Side {
    /// `client` or `server`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }

    /// The side at the other end.
    pub const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// What sort of bytes a span has: what it is coloured by, and whether it is data or what data cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A part of a request line or a status line.
    StartLine,
    /// The name of a field.
    Name,
    /// The value of a field.
    Value,
    /// What stands between two others: a colon, a space, a line end.
    Separator,
    /// How long something is.
    Length,
    /// A masking key.
    Mask,
    /// Data: a body, a message, the value of an event's field.
    Payload,
    /// What steers the protocol: the first byte of a frame, a close code, the line that dispatches an event.
    Control,
    /// What the receiver is to pass over: a comment, a field that nobody knows.
    Ignored,
    /// Bytes of which the view knows nothing.
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

    /// In one or two words with a hyphen between, as a class of a style sheet.
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

/// A rule that is broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The rule, or what is against it, in a sentence.
    pub rule: Cow<'static, str>,
    /// Where it stands.
    pub section: Section,
}

impl From<Rule> for Violation {
    fn from(Rule { sentence, section }: Rule) -> Self {
        Self { rule: sentence.into(), section }
    }
}

/// A field that is less than a byte, or several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bits {
    /// Which bits of the span's byte, in the order of the wire: 0 is the most significant (RFC 6455 §5.2).
    pub range: Range<u8>,
    /// The RFC's name for it.
    pub field: &'static str,
    /// Its number.
    pub value: u8,
    /// What that means.
    pub meaning: Cow<'static, str>,
    /// Where it is defined.
    pub section: Section,
    /// It is (also) these bits that break the span's rule.
    pub breaks_rule: bool,
}

/// Some bytes of one side, and what they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Who sent them.
    pub side: Side,
    /// Where they begin, in bytes from the beginning of what that side sent.
    pub offset: u64,
    /// The bytes, at least one. What is [`hidden`](Self::hidden) of them is `*`.
    pub bytes: Box<[u8]>,
    /// The name that the specification has for it.
    pub field: &'static str,
    /// What they say, decoded, and cut to about [`MAX_VALUE_CHARS`] characters.
    pub value: Cow<'static, str>,
    /// What that means, in a sentence.
    pub meaning: Cow<'static, str>,
    /// Where it is defined.
    pub section: Section,
    /// What sort of bytes it is.
    pub kind: Kind,
    /// The fields of a byte that holds several.
    pub bits: Vec<Bits>,
    /// The bytes without their mask (RFC 6455 §5.3), where they have one.
    pub unmasked: Option<Box<[u8]>>,
    /// The rule that is broken here.
    pub violation: Option<Violation>,
    /// What was sent ends within this field.
    pub cut_off: bool,
    /// Which of the bytes are a secret that the view does not show.
    pub hidden: Vec<Range<usize>>,
    /// What is complete with the last of these bytes.
    pub notes: Vec<Note>,
}

/// How many characters of a value are kept; its bytes are all there.
pub const MAX_VALUE_CHARS: usize = 200;

impl Span {
    /// The offset behind the last byte.
    pub fn end(&self) -> u64 {
        self.offset + self.bytes.len() as u64
    }

    /// Whether it is data, and not what it costs to carry data.
    pub fn is_data(&self) -> bool {
        self.kind == Kind::Payload
    }

    /// What the bytes say: without their mask, if they have one.
    pub fn content(&self) -> &[u8] {
        self.unmasked.as_deref().unwrap_or(&self.bytes)
    }

    /// Whether the byte at `index` is hidden.
    pub fn hides(&self, index: usize) -> bool {
        self.hidden.iter().any(|range| range.contains(&index))
    }
}

/// Bytes as text in one line: controls as `\r`, `\n`, `\t` and `\xNN`, and so what is not UTF-8.
pub fn printable(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().min(4 * MAX_VALUE_CHARS));
    let mut count = 0;
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            count += 1;
            if count > MAX_VALUE_CHARS {
                out.push('…');
                return out;
            }
            push_printable_char(character, &mut out);
        }
        for byte in chunk.invalid() {
            count += 1;
            push_hex_escape(*byte, &mut out);
        }
        if count > MAX_VALUE_CHARS {
            out.push('…');
            return out;
        }
    }
    out
}

fn push_printable_char(character: char, out: &mut String) {
    match character {
        '\r' => out.push_str("\\r"),
        '\n' => out.push_str("\\n"),
        '\t' => out.push_str("\\t"),
        '\\' => out.push_str("\\\\"),
        ' '..='~' => out.push(character),
        // Of what is not ASCII only what takes a place of its own: nothing that turns the direction of a line about.
        _ if character.is_alphanumeric() || character.escape_debug().len() == 1 => out.push(character),
        _ => character.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| push_hex_escape(byte, out)),
    }
}

fn push_hex_escape(byte: u8, out: &mut String) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push_str("\\x");
    out.push(char::from(HEX[usize::from(byte >> 4)]));
    out.push(char::from(HEX[usize::from(byte & 15)]));
}

#[cfg(test)]
mod tests {
    use super::{MAX_VALUE_CHARS, printable};

    #[test]
    fn bytes_are_shown_in_one_line() {
        assert_eq!(printable(b"a \r\n\t\\ \0\x7f"), "a \\r\\n\\t\\\\ \\x00\\x7f");
        assert_eq!(printable("é…\u{202e}\u{2028}".as_bytes()), "é…\\xe2\\x80\\xae\\xe2\\x80\\xa8");
        assert_eq!(printable(b"\xff\xc3"), "\\xff\\xc3");
        let long = "x".repeat(MAX_VALUE_CHARS + 1);
        assert_eq!(printable(&long.as_bytes()[1..]), &long[1..]);
        assert_eq!(printable(long.as_bytes()), format!("{}…", &long[1..]));
    }
}
