//! Errors that end following for good.

use std::fmt;
use std::io;

use crate::client::json::JsonError;
use crate::client::url::UrlError;
use crate::protocol::http::{BodyError, FramingError, ResponseError};
use crate::protocol::sse::DecodeError;
use crate::protocol::websocket::ProtocolError;
use crate::protocol::websocket::client_handshake::{ClientHandshakeError, RequestError};
use crate::protocol::websocket::close::CloseCode;

/// A final error: the same request would fail again.
///
/// Text of the server in an error is safe for a terminal: control characters are escaped.
///
/// A temporary failure is reported as [`Next::Reconnect`](super::Next::Reconnect) instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The URL is invalid: the caller's mistake.
    Url(UrlError),
    /// A header field may not be sent: the caller's mistake.
    Request(RequestError),
    /// The system provides no random bytes, which a WebSocket needs (RFC 6455 §4.1, §5.3).
    Random(io::ErrorKind),
    /// The server refused with this status and may have given a reason (RFC 9457).
    Refused {
        /// A status other than the expected one, and not a temporary one.
        status: u16,
        /// The `detail` of the problem document, or else its `title`.
        detail: Option<Box<str>>,
    },
    /// The response head cannot be parsed.
    Head(ResponseError),
    /// Too many interim responses (RFC 9110 §15.2).
    TooManyInterim,
    /// The end of the response body cannot be determined.
    Framing(FramingError),
    /// The response body violates its framing or exceeds the limit.
    Body(BodyError),
    /// The server redirects to another URL. The client does not follow it.
    Redirected {
        /// A status from 300 to 399.
        status: u16,
        /// The value of `Location`.
        location: Box<str>,
    },
    /// The response has a transfer coding other than `chunked` (RFC 9112 §7).
    TransferCoding {
        /// The value of `Transfer-Encoding`.
        codings: Box<str>,
    },
    /// The content has a coding, although the request accepts none (RFC 9110 §8.4).
    ContentCoding {
        /// The value of `Content-Encoding`.
        codings: Box<str>,
    },
    /// The response has a media type that does not belong to the transport, or a charset other than
    /// UTF-8.
    ContentType {
        /// The media type of the transport.
        expected: &'static str,
        /// The value of `Content-Type`; `None` if the response has none.
        received: Option<Box<str>>,
    },
    /// The body or message is not valid JSON.
    Json(JsonError),
    /// The body or message is valid JSON, but not of the expected structure.
    UnexpectedJson,
    /// The data of an event exceeds [`ResponseLimits::event`](super::ResponseLimits::event).
    EventTooLarge,
    /// The event stream exceeds its limits.
    Stream(DecodeError),
    /// The response refuses the WebSocket handshake or violates its rules (RFC 6455 §4.1).
    Handshake(ClientHandshakeError),
    /// The server violated the WebSocket protocol.
    ///
    /// The close frame with the reason is in the output of
    /// [`Follower::receive`](super::Follower::receive).
    Protocol(ProtocolError),
    /// The server closed the WebSocket with a code that makes reconnecting useless.
    Closed {
        /// The code of the close frame.
        code: CloseCode,
        /// The reason in the close frame; it may be empty.
        reason: Box<str>,
    },
    /// An id has more than [`MAX_ID`](super::MAX_ID) bytes.
    IdTooLong,
}

/// How to read a larger event, for error messages.
const RAISE_LIMIT: &str = "raise ResponseLimits, with barewire follow by --max-event-bytes";

impl Error {
    /// Returns whether another transport may work where this one failed.
    ///
    /// This is so if something between client and server does not support or permit this transport,
    /// but not if a token is missing or the mistake is the caller's.
    pub fn suggests_fallback(&self) -> bool {
        match self {
            Self::Refused { status, .. } => *status != 401,
            Self::Head(_)
            | Self::TooManyInterim
            | Self::Framing(_)
            | Self::Redirected { .. }
            | Self::TransferCoding { .. }
            | Self::ContentCoding { .. }
            | Self::ContentType { .. }
            | Self::Handshake(_)
            | Self::Protocol(_) => true,
            Self::Url(_)
            | Self::Request(_)
            | Self::Random(_)
            | Self::Body(_)
            | Self::Json(_)
            | Self::UnexpectedJson
            | Self::EventTooLarge
            | Self::Stream(_)
            | Self::Closed { .. }
            | Self::IdTooLong => false,
        }
    }

    /// Returns whether the error shows that the server has not done what was requested: the request
    /// was not sent, or its response is a refusal.
    pub(crate) fn has_clear_status(&self) -> bool {
        match self {
            Self::Refused { status, .. } | Self::Redirected { status, .. } => *status >= 300,
            Self::Url(_) | Self::Request(_) | Self::Random(_) => true,
            _ => false,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(error) => error.fmt(f),
            Self::Request(error) => error.fmt(f),
            Self::Random(kind) => write!(f, "the system provides no random bytes: {kind}"),
            Self::Refused { status: status @ 200..=299, detail: None } => write!(
                f,
                "the server responded with status {status}, which is not the expected response: check that the \
                 URL is that of a topic"
            ),
            Self::Refused { status, detail: None } => write!(f, "the server responded with status {status}"),
            Self::Refused { status, detail: Some(detail) } => {
                write!(f, "the server responded with status {status}: {detail}")
            }
            Self::Head(error) => error.fmt(f),
            Self::TooManyInterim => f.write_str(
                "the server sent too many interim responses instead of a final one (RFC 9110 section 15.2)",
            ),
            Self::Framing(error) => write!(f, "the framing of the response is invalid: {error}"),
            Self::Body(BodyError::ContentTooLarge) => write!(
                f,
                "the response body is larger than the limit of this client: {RAISE_LIMIT} (RFC 9110 section 15.5.14)"
            ),
            Self::Body(error) => write!(f, "the response body is invalid: {error}"),
            Self::Redirected { status, location } => write!(
                f,
                "the server responded with status {status} and redirects to {location}: if you trust this URL, \
                 use it instead (RFC 9110 section 15.4)"
            ),
            Self::TransferCoding { codings } => write!(
                f,
                "the response has the transfer coding {codings}: expected chunked only; turn off the compression \
                 in the server or proxy (RFC 9112 section 7)"
            ),
            Self::ContentCoding { codings } => write!(
                f,
                "the response has the content coding {codings}, but the request accepts only identity: turn off \
                 the compression of this URL in the server or proxy (RFC 9110 section 8.4)"
            ),
            Self::ContentType { expected, received } => write!(
                f,
                "the response has {}: expected {expected} in UTF-8; check that the URL is that of a topic",
                match received {
                    Some(received) => format!("the media type {received}"),
                    None => "no media type".to_owned(),
                }
            ),
            Self::Json(error) => error.fmt(f),
            Self::UnexpectedJson => {
                f.write_str("the JSON in the response has an unexpected structure: expected events and ids")
            }
            Self::EventTooLarge => {
                write!(f, "the data of an event is larger than the limit of this client: {RAISE_LIMIT}")
            }
            Self::Stream(error) => write!(f, "{error} To read it, {RAISE_LIMIT}."),
            Self::Handshake(error) => error.fmt(f),
            Self::Protocol(ProtocolError::MessageTooBig) => write!(
                f,
                "a WebSocket message is larger than the limit of this client: {RAISE_LIMIT} (RFC 6455 section 10.4)"
            ),
            Self::Protocol(error) => error.fmt(f),
            Self::Closed { code, reason } if reason.is_empty() => {
                write!(f, "the server closed the WebSocket with {code} (RFC 6455 section 7.4)")
            }
            Self::Closed { code, reason } => {
                write!(f, "the server closed the WebSocket with {code}: {reason} (RFC 6455 section 7.4)")
            }
            Self::IdTooLong => {
                write!(
                    f,
                    "the server sent an id that is too long: at most {} bytes are accepted",
                    super::MAX_ID
                )
            }
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
