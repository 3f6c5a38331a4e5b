//! What can go wrong: the network, the peer, the caller.

use std::fmt;
use std::io;

use super::url::UrlError;
use crate::protocol::http::ResponseError;
use crate::protocol::websocket::ProtocolError;
use crate::protocol::websocket::client_handshake::{ClientHandshakeError, RequestError};

/// Why there is no connection.
#[derive(Debug)]
pub enum ConnectError {
    /// The URI cannot be read: the caller's mistake.
    Url(UrlError),
    /// What is asked for must not be asked for: the caller's mistake.
    Request(RequestError),
    /// The system's: no such host, connection refused, no random bytes.
    Io(io::Error),
    /// [`connect_timeout`](super::Request::connect_timeout) was over before the handshake was.
    TimedOut,
    /// The server ended TCP before the end of its answer's head.
    Ended,
    /// The answer's head cannot be read.
    Response(ResponseError),
    /// The answer is one that must not be, or a refusal.
    Handshake(ClientHandshakeError),
    /// Interim answers (RFC 9110 §15.2) without an end.
    TooManyInterim,
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(error) => error.fmt(f),
            Self::Request(error) => error.fmt(f),
            Self::Io(error) => error.fmt(f),
            Self::TimedOut => f.write_str("the handshake took too long"),
            Self::Ended => f.write_str("the connection ended before the handshake did"),
            Self::Response(error) => error.fmt(f),
            Self::Handshake(error) => error.fmt(f),
            Self::TooManyInterim => f.write_str("interim answers without an end (RFC 9110 section 15.2)"),
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

/// Why a connection cannot be used, or not so. After all but [`TimedOut`](Self::TimedOut) in a read, and but
/// [`Misuse::PayloadTooLong`] and [`Misuse::ForbiddenCode`], it is over.
#[derive(Debug)]
pub enum Error {
    /// Nothing came, or nothing could be written, within the time that was set.
    TimedOut,
    /// The peer broke the protocol. It has been told so in a close frame (RFC 6455 §7.1.7).
    Protocol(ProtocolError),
    /// TCP ended without a close frame: what §7.1.5 numbers 1006.
    Ended,
    /// The system's.
    Io(io::Error),
    /// The caller's mistake.
    Misuse(Misuse),
}

/// What a caller must not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misuse {
    /// Use a connection that is over.
    Closed,
    /// Ping with more than 125 bytes (RFC 6455 §5.5).
    PayloadTooLong,
    /// Close with a code that no frame may hold (§7.4).
    ForbiddenCode,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut => f.write_str("the peer was silent for too long"),
            Self::Protocol(failure) => failure.fmt(f),
            Self::Ended => f.write_str("the connection ended without a close frame (RFC 6455 section 7.1.5)"),
            Self::Io(error) => error.fmt(f),
            Self::Misuse(misuse) => misuse.fmt(f),
        }
    }
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "the connection is closed",
            Self::PayloadTooLong => "a ping has at most 125 bytes (RFC 6455 section 5.5)",
            Self::ForbiddenCode => "no close frame may hold this code (RFC 6455 section 7.4)",
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
