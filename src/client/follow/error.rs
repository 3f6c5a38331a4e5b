//! Why following ends for good.

use std::fmt;
use std::io;

use crate::client::url::UrlError;
use crate::protocol::http::{BodyError, FramingError, ResponseError};
use crate::protocol::json::JsonError;
use crate::protocol::sse::DecodeError;
use crate::protocol::websocket::ProtocolError;
use crate::protocol::websocket::client_handshake::{ClientHandshakeError, RequestError};
use crate::protocol::websocket::close::CloseCode;

/// What ends following for good: asking again would bring the same. What passes is [`Next::Reconnect`](super::Next::Reconnect).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The URL cannot be asked for: the caller's mistake.
    Url(UrlError),
    /// A field of the request may not be sent: the caller's mistake.
    Request(RequestError),
    /// The system has no random bytes, which a WebSocket needs (RFC 6455 §4.1, §5.3).
    Random(io::ErrorKind),
    /// The server refuses with this status, and may have said why (RFC 9457).
    Refused {
        /// 204, or any of 300 to 599 that does not pass by itself.
        status: u16,
        /// The problem's `detail`, else its `title`.
        detail: Option<Box<str>>,
    },
    /// The answer's head cannot be read.
    Head(ResponseError),
    /// Interim answers (RFC 9110 §15.2) without an end.
    TooManyInterim,
    /// Where the answer's body ends cannot be known.
    Framing(FramingError),
    /// The answer's body breaks its framing, or is larger than what is read here.
    Body(BodyError),
    /// The answer is of another media type than the transport's.
    ContentType {
        /// What it should be.
        expected: &'static str,
    },
    /// The body or the message is no JSON.
    Json(JsonError),
    /// It is JSON, but neither an event nor what stands around events.
    UnexpectedJson,
    /// The event stream is beyond its limits.
    Stream(DecodeError),
    /// The handshake is not what it should be; a status that says so is among it (RFC 6455 §4.1).
    Handshake(ClientHandshakeError),
    /// The server breaks the WebSocket protocol. What [`Follower::receive`](super::Follower::receive) has appended tells it so.
    Protocol(ProtocolError),
    /// The server has closed the WebSocket with a code after which to come again is of no use.
    Closed {
        /// The code of its close frame.
        code: CloseCode,
        /// The reason it gives, maybe empty.
        reason: Box<str>,
    },
    /// An id of more than [`MAX_ID`](super::MAX_ID) bytes.
    IdTooLong,
}

impl Error {
    /// Whether another transport may well go where this one does not: something on the way does not know it, or will not
    /// have it. Not so where a token is wanted, nor where the mistake is the caller's.
    pub fn suggests_fallback(&self) -> bool {
        match self {
            Self::Refused { status, .. } => *status != 401,
            Self::Head(_)
            | Self::TooManyInterim
            | Self::Framing(_)
            | Self::ContentType { .. }
            | Self::Handshake(_)
            | Self::Protocol(_) => true,
            Self::Url(_)
            | Self::Request(_)
            | Self::Random(_)
            | Self::Body(_)
            | Self::Json(_)
            | Self::UnexpectedJson
            | Self::Stream(_)
            | Self::Closed { .. }
            | Self::IdTooLong => false,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(error) => error.fmt(f),
            Self::Request(error) => error.fmt(f),
            Self::Random(kind) => write!(f, "no random bytes from the system: {kind}"),
            Self::Refused { status, detail: None } => write!(f, "the server answers {status}"),
            Self::Refused { status, detail: Some(detail) } => {
                write!(f, "the server answers {status}: {detail}")
            }
            Self::Head(error) => error.fmt(f),
            Self::TooManyInterim => f.write_str("interim answers without an end (RFC 9110 section 15.2)"),
            Self::Framing(error) => write!(f, "the answer's framing: {error}"),
            Self::Body(error) => write!(f, "the answer's body: {error}"),
            Self::ContentType { expected } => write!(f, "the answer is not of the type {expected}"),
            Self::Json(error) => error.fmt(f),
            Self::UnexpectedJson => f.write_str("the JSON is neither events nor an event"),
            Self::Stream(error) => error.fmt(f),
            Self::Handshake(error) => error.fmt(f),
            Self::Protocol(failure) => failure.fmt(f),
            Self::Closed { code, reason } if reason.is_empty() => {
                write!(f, "the server closes with {code} (RFC 6455 section 7.4)")
            }
            Self::Closed { code, reason } => {
                write!(f, "the server closes with {code}: {reason} (RFC 6455 section 7.4)")
            }
            Self::IdTooLong => write!(f, "an id has more than {} bytes", super::MAX_ID),
        }
    }
}

impl std::error::Error for Error {}

macro_rules! from {
    ($($source:ty => $variant:ident),+ $(,)?) => {
        $(impl From<$source> for Error {
            fn from(error: $source) -> Self {
                Self::$variant(error)
            }
        })+
    };
}

from! {
    UrlError => Url,
    RequestError => Request,
    ResponseError => Head,
    FramingError => Framing,
    BodyError => Body,
    JsonError => Json,
    DecodeError => Stream,
    ClientHandshakeError => Handshake,
    ProtocolError => Protocol,
}
