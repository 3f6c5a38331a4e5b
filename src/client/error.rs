//! Errors of a WebSocket connection: of the network, of the peer and of the caller.

use std::fmt;
use std::io;

use super::url::UrlError;
use crate::protocol::http::ResponseError;
use crate::protocol::websocket::ProtocolError;
use crate::protocol::websocket::client_handshake::{ClientHandshakeError, RequestError};

/// The reason why no WebSocket was opened.
#[derive(Debug)]
pub enum ConnectError {
    /// The URI is invalid: the caller's mistake.
    Url(UrlError),
    /// The request contains something that may not be sent: the caller's mistake.
    Request(RequestError),
    /// A system error: unknown host, connection refused, no random bytes.
    Io(io::Error),
    /// [`connect_timeout`](super::Request::connect_timeout) elapsed before the handshake was
    /// complete.
    TimedOut,
    /// The server ended TCP before the end of the response head.
    Ended,
    /// The response head cannot be parsed.
    Response(ResponseError),
    /// The response refuses the handshake or violates its rules.
    Handshake(ClientHandshakeError),
    /// Too many interim responses (RFC 9110 §15.2).
    TooManyInterim,
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(error) => error.fmt(f),
            Self::Request(error) => error.fmt(f),
            Self::Io(error) => error.fmt(f),
            Self::TimedOut => f.write_str("the handshake took longer than the connect timeout"),
            Self::Ended => f.write_str("the server ended the connection before the handshake was complete"),
            Self::Response(error) => error.fmt(f),
            Self::Handshake(error) => error.fmt(f),
            Self::TooManyInterim => f.write_str(
                "the server sent too many interim responses instead of a final one (RFC 9110 section 15.2)",
            ),
        }
    }
}

impl std::error::Error for ConnectError {}

impl From<UrlError> for ConnectError {
    fn from(error: UrlError) -> Self {
        Self::Url(error)
    }
}

impl From<RequestError> for ConnectError {
    fn from(error: RequestError) -> Self {
        Self::Request(error)
    }
}

impl From<io::Error> for ConnectError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<ResponseError> for ConnectError {
    fn from(error: ResponseError) -> Self {
        Self::Response(error)
    }
}

impl From<ClientHandshakeError> for ConnectError {
    fn from(error: ClientHandshakeError) -> Self {
        Self::Handshake(error)
    }
}

/// An error of an open WebSocket.
///
/// The connection is over after every error except [`TimedOut`](Self::TimedOut) in a read,
/// [`Misuse::PayloadTooLong`] and [`Misuse::ForbiddenCode`].
#[derive(Debug)]
pub enum Error {
    /// The read or write timeout elapsed.
    TimedOut,
    /// The peer violated the protocol. The client has sent a close frame with the reason (RFC 6455
    /// §7.1.7).
    Protocol(ProtocolError),
    /// TCP ended without a close frame. Section 7.1.5 assigns the code 1006 to this case.
    Ended,
    /// A system error.
    Io(io::Error),
    /// The caller's mistake.
    Misuse(Misuse),
}

/// A call that is not allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misuse {
    /// The connection is already over.
    Closed,
    /// A ping payload has more than 125 bytes (RFC 6455 §5.5).
    PayloadTooLong,
    /// A close frame may not contain this code (RFC 6455 §7.4).
    ForbiddenCode,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut => f.write_str("the peer was silent for longer than the timeout"),
            Self::Protocol(error) => error.fmt(f),
            Self::Ended => f.write_str("the connection ended without a close frame (RFC 6455 section 7.1.5)"),
            Self::Io(error) => error.fmt(f),
            Self::Misuse(misuse) => misuse.fmt(f),
        }
    }
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "the connection is closed: open a new one",
            Self::PayloadTooLong => {
                "the ping payload is too long: at most 125 bytes are allowed (RFC 6455 section 5.5)"
            }
            Self::ForbiddenCode => {
                "this code is not allowed in a close frame: use 1000 or one from 3000 to 4999 (RFC 6455 section 7.4)"
            }
        })
    }
}

impl std::error::Error for Error {}

impl std::error::Error for Misuse {}

impl From<Misuse> for Error {
    fn from(misuse: Misuse) -> Self {
        Self::Misuse(misuse)
    }
}
