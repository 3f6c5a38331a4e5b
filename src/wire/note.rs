//! What is complete with a span, and is more than its bytes.

use std::borrow::Cow;

use crate::protocol::rule::Section;

/// What a message says (RFC 6455 §5.6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Text, whole. What was not UTF-8 in it is U+FFFD.
    Text(String),
    /// Other data, whole.
    Binary(Box<[u8]>),
    /// It is longer than what the view keeps; the reason why it is not here.
    NotKept(&'static str),
}

/// Something that is complete with the last byte of the span that it stands at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// A request, with its body.
    Request {
        /// The method.
        method: String,
        /// The target as it was sent.
        target: String,
        /// Bytes of content, without what frames it.
        content: u64,
    },
    /// A response, with its body.
    Response {
        /// The status code.
        status: u16,
        /// Bytes of content, without what frames it.
        content: u64,
    },
    /// How `Sec-WebSocket-Accept` comes from `Sec-WebSocket-Key` (RFC 6455 §4.2.2).
    Handshake {
        /// The key that the client sent.
        key: String,
        /// The key and the GUID behind it.
        concatenation: String,
        /// The SHA-1 of that, in hexadecimal digits.
        sha1: String,
        /// That in base64: what the server has to send.
        accept: String,
        /// Whether it is what the server has sent; `None` if the server does not accept the handshake.
        is_sent: Option<bool>,
    },
    /// A WebSocket message, joined from its frames, inflated (RFC 6455 §5.4, RFC 7692 §7.2.2).
    Message {
        /// Of how many frames.
        frames: u64,
        /// Bytes of payload in all its frames.
        payload: u64,
        /// It was compressed.
        compressed: bool,
        /// Bytes of the message.
        length: u64,
        /// What it says.
        content: Content,
    },
    /// An event of an event stream is dispatched (WHATWG HTML §9.2.6).
    Event {
        /// The last event ID.
        id: String,
        /// Its type.
        event: String,
        /// Its data.
        data: String,
    },
    /// Something else that is worth a sentence.
    Remark(Cow<'static, str>),
}

impl Note {
    /// What it is, in one word.
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

    /// Where it is defined; a remark speaks of the section of its span.
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
