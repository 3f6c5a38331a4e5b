//! Notes: units that end with a span and consist of more than its bytes.

use std::borrow::Cow;

use crate::protocol::rule::Section;

/// The content of a WebSocket message (RFC 6455 §5.6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Complete text. Bytes that were not UTF-8 are replaced by U+FFFD.
    Text(String),
    /// Complete binary data.
    Binary(Box<[u8]>),
    /// The content is not available, for this reason.
    NotKept(&'static str),
}

/// A fact that is known with the last byte of a span.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// A request is complete, with its body.
    Request {
        /// The method.
        method: String,
        /// The target as it was sent.
        target: String,
        /// The length of the content in bytes, without its framing.
        content: u64,
    },
    /// A response is complete, with its body.
    Response {
        /// The status code.
        status: u16,
        /// The length of the content in bytes, without its framing.
        content: u64,
    },
    /// `Sec-WebSocket-Accept`, derived from `Sec-WebSocket-Key` (RFC 6455 §4.2.2).
    Handshake {
        /// The key that the client sent.
        key: String,
        /// The key, followed by the GUID.
        concatenation: String,
        /// The SHA-1 of the concatenation, in hexadecimal digits.
        sha1: String,
        /// The SHA-1 in base64: the value that the server must send.
        accept: String,
        /// True if the server sent this value; `None` if the server rejected the handshake.
        is_sent: Option<bool>,
    },
    /// A WebSocket message is complete: joined from its frames and inflated (RFC 6455 §5.4,
    /// RFC 7692 §7.2.2).
    Message {
        /// The number of frames.
        frames: u64,
        /// The length of all payloads together, in bytes.
        payload: u64,
        /// True if the message was compressed.
        compressed: bool,
        /// The length of the message, in bytes.
        length: u64,
        /// The content of the message.
        content: Content,
    },
    /// An event of an event stream is dispatched (WHATWG HTML §9.2.6).
    Event {
        /// The last event ID.
        id: String,
        /// The event type.
        event: String,
        /// The data.
        data: String,
    },
    /// Any other remark, in a sentence.
    Remark(Cow<'static, str>),
}

impl Note {
    /// Returns the kind of note, in one word.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Request { .. } => "request",
            Self::Response { .. } => "response",
            Self::Handshake { .. } => "handshake",
            Self::Message { .. } => "message",
            Self::Event { .. } => "event",
            Self::Remark(_) => "remark",
        }
    }

    /// Returns the length of the message or event in bytes, as far as the note contains it.
    pub fn content_len(&self) -> usize {
        match self {
            Self::Message { content: Content::Text(text), .. } => text.len(),
            Self::Message { content: Content::Binary(bytes), .. } => bytes.len(),
            Self::Event { data, .. } => data.len(),
            _ => 0,
        }
    }

    /// Returns the section that defines the unit. A remark refers to the section of its span.
    pub const fn section(&self) -> Option<Section> {
        match self {
            Self::Request { .. } => Some(Section::rfc(9112, "3")),
            Self::Response { .. } => Some(Section::rfc(9112, "4")),
            Self::Handshake { .. } => Some(Section::rfc(6455, "4.2.2")),
            Self::Message { compressed: true, .. } => Some(Section::rfc(7692, "7.2.2")),
            Self::Message { .. } => Some(Section::rfc(6455, "5.4")),
            Self::Event { .. } => Some(Section::html("9.2.6")),
            Self::Remark(_) => None,
        }
    }
}
