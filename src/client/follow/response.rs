//! Response heads, and response bodies that are collected before use.

use std::time::Duration;

use super::error::Error;
use super::{Next, RetryReason};
use crate::client::json::Reader;
use crate::protocol::http::fields::members;
use crate::protocol::http::{
    self, BodyLimits, BodyReader, Framing, FramingError, HeadLimits, PROBLEM_JSON, Response, ResponseScan,
};
use crate::protocol::websocket::client_handshake::ClientHandshakeError;
use crate::text::printable;

/// Interim responses that are skipped before the client reports an error.
const MAX_INTERIM: u8 = 8;

/// The longest delay that a server can request: an hour.
const MAX_RETRY: Duration = Duration::from_secs(3600);

/// The parts of a response head that the client uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub status: u16,
    pub media: Media,
    pub framing: Framing,
    /// Whether the connection persists after this response (RFC 9112 §9.3).
    pub persists: bool,
    /// `Retry-After` in seconds (RFC 9110 §10.2.3). A date is ignored, because this layer has
    /// no clock.
    pub retry_after: Option<Duration>,
}

/// The media types that the client distinguishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Media {
    Json,
    EventStream,
    Problem,
    Other,
}

/// The response that a request expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// Status 200 with an event stream.
    EventStream,
    /// Status 200 with events in JSON.
    Events,
    /// Status 201 with ids in JSON.
    Ids,
    /// Status 101. The handshake has further rules (RFC 6455 §4.1).
    WebSocket,
}

impl Expected {
    /// Returns the status, and the media type with its name if the response has content.
    const fn status_and_media(self) -> (u16, Option<(Media, &'static str)>) {
        match self {
            Self::EventStream => (200, Some((Media::EventStream, "text/event-stream"))),
            Self::Events => (200, Some((Media::Json, "application/json"))),
            Self::Ids => (201, Some((Media::Json, "application/json"))),
            Self::WebSocket => (101, None),
        }
    }
}

impl Head {
    /// Reads the head of the response to a request that expects `expected`.
    ///
    /// This is the one place that decides which responses the client accepts. The caller reads the
    /// content of an accepted response: it is what the request expects if the status is the
    /// expected one or 304, and otherwise it may explain a [`failure`](Self::failure).
    ///
    /// # Errors
    /// The client cannot read the response, and says what arrived instead of the expected one.
    pub fn expect(expected: Expected, response: &Response<'_, '_>) -> Result<Self, Error> {
        let fields = response.fields;
        let head = Self::of(response).map_err(|error| match (error, fields.get("Transfer-Encoding")) {
            (
                Error::Framing(FramingError::CodingNotImplemented | FramingError::ChunkedNotLast),
                Some(codings),
            ) => Error::TransferCoding { codings: printable(codings).into() },
            (error, _) => error,
        })?;
        let (status, media) = expected.status_and_media();
        match (head.status, fields.get("Location")) {
            // The client does not follow a redirection: its token is for this server only, and a
            // POST could become a GET (RFC 9110 §15.4).
            (300..=303 | 305..=399, Some(location)) => {
                return Err(Error::Redirected { status: head.status, location: printable(location).into() });
            }
            (200..=299, _) if expected == Expected::WebSocket => {
                // The server sends an ordinary response if a proxy has removed `Upgrade` from the
                // request.
                return Err(ClientHandshakeError::Status(head.status).into());
            }
            _ => {}
        }
        let Some((media, name)) = media.filter(|_| head.status == status) else { return Ok(head) };
        // The request accepts no coding, because the client could not decode a stream of events
        // that ends in the middle of a block.
        if let Some(codings) = content_codings(response) {
            return Err(Error::ContentCoding { codings: printable(codings).into() });
        }
        let received = fields.get("Content-Type");
        if head.media != media || !received.is_some_and(is_utf8) {
            let received = received.map(|received| printable(received).into());
            return Err(Error::ContentType { expected: name, received });
        }
        Ok(head)
    }

    /// Reads the head of a response of any kind.
    ///
    /// # Errors
    /// [`Error::Framing`].
    pub fn of(response: &Response<'_, '_>) -> Result<Self, Error> {
        let fields = response.fields;
        let framing = Framing::of_response(response)?;
        let media = match fields.get("Content-Type").map(|value| value.split(|byte| *byte == b';').next()) {
            // The client cannot read content with a coding, whatever its type is.
            Some(Some(media)) if content_codings(response).is_none() => Media::of(http::fields::trim(media)),
            _ => Media::Other,
        };
        let retry_after =
            fields.get("Retry-After").and_then(|value| str::from_utf8(value).ok()?.parse().ok());
        let retry_after = retry_after.map(|seconds| Duration::from_secs(seconds).min(MAX_RETRY));
        let persists = fields.persists(response.version) && framing != Framing::UntilClose;
        Ok(Self { status: response.status, media, framing, persists, retry_after })
    }

    /// Returns the consequence of a response other than the requested one, once its content is
    /// complete.
    pub fn failure(&self, content: &[u8]) -> Result<Next, Error> {
        // These are temporary: request timeout, too early, too many requests, and server or proxy
        // errors (RFC 9110 §15.5.9, §15.6; RFC 8470 §5.2; RFC 6585 §4).
        if matches!(self.status, 408 | 425 | 429 | 500 | 502 | 503 | 504) {
            let after = self.retry_after.unwrap_or_default();
            return Ok(Next::Reconnect { after, reason: RetryReason::Status(self.status) });
        }
        let detail = if self.media == Media::Problem { problem_text(content) } else { None };
        Err(Error::Refused { status: self.status, detail })
    }
}

impl Media {
    fn of(text: &[u8]) -> Self {
        let is = |name: &str| text.eq_ignore_ascii_case(name.as_bytes());
        match () {
            () if is("application/json") => Self::Json,
            () if is("text/event-stream") => Self::EventStream,
            () if is(PROBLEM_JSON) => Self::Problem,
            () => Self::Other,
        }
    }
}

/// Returns the first `Content-Encoding` with a coding other than `identity` (RFC 9110 §8.4).
fn content_codings<'b>(response: &Response<'_, 'b>) -> Option<&'b [u8]> {
    let is_coded = |line: &&[u8]| members(line).any(|coding| !coding.eq_ignore_ascii_case(b"identity"));
    response.fields.get_all("Content-Encoding").find(is_coded)
}

/// Returns whether the parameters of a `Content-Type` allow its content to be read as UTF-8.
///
/// Event streams and JSON are always UTF-8 (WHATWG HTML §9.2.4, RFC 8259 §8.1). A server that
/// declares another charset sends text that the client would garble.
fn is_utf8(content_type: &[u8]) -> bool {
    let charset = |parameter: &[u8]| -> bool {
        let Some((name, value)) = parameter.split_at_checked("charset=".len()) else { return true };
        let value = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value);
        let is_subset = |name: &str| value.eq_ignore_ascii_case(name.as_bytes());
        !name.eq_ignore_ascii_case(b"charset=") || ["utf-8", "utf8", "us-ascii"].into_iter().any(is_subset)
    };
    content_type.split(|byte| *byte == b';').skip(1).map(http::fields::trim).all(charset)
}

/// Converts a reconnection time to a delay, at most [`MAX_RETRY`].
pub(super) fn capped_delay(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds).min(MAX_RETRY)
}

/// Returns the `detail` or else the `title` of a problem document (RFC 9457 §3.1), if it can be
/// parsed.
fn problem_text(content: &[u8]) -> Option<Box<str>> {
    let (mut title, mut detail) = (String::new(), String::new());
    let mut reader = Reader::new(content).ok()?;
    let read = reader.object(|name, reader| match name {
        "title" => reader.string(&mut title),
        "detail" => reader.string(&mut detail),
        _ => reader.skip(),
    });
    read.ok()?;
    let text = if detail.is_empty() { title } else { detail };
    (!text.is_empty()).then(|| printable(text.as_bytes()).into())
}

/// A reader of response heads that are split at any point. It skips interim responses.
#[derive(Debug, Default)]
pub(crate) struct HeadReader {
    /// The bytes of an incomplete head.
    kept: Vec<u8>,
    scan: ResponseScan,
    interim: u8,
}

impl HeadReader {
    /// Consumes bytes of `input`. Returns their number and, once the head is complete, the result
    /// of `on_head`.
    pub fn read<T>(
        &mut self,
        input: &[u8],
        limits: &HeadLimits,
        on_head: impl FnOnce(&Response<'_, '_>) -> Result<T, Error>,
    ) -> Result<(usize, Option<T>), Error> {
        let mut consumed = 0;
        loop {
            let rest = &input[consumed..];
            let kept = self.kept.len();
            let head = if kept == 0 {
                rest
            } else {
                self.kept.extend_from_slice(&rest[..rest.len().min(limits.bytes.saturating_sub(kept))]);
                &self.kept
            };
            let Some(end) = self.scan.scan(head, limits)? else {
                if kept == 0 {
                    self.kept.extend_from_slice(rest);
                }
                return Ok((input.len(), None));
            };
            consumed += end - kept;
            let mut scratch = http::scratch();
            let response = http::parse_response(&head[..end], &mut scratch, limits)?;
            // 101 is the last HTTP response of its connection (RFC 9110 §15.2.2).
            if !matches!(response.status, 100..=199) || response.status == 101 {
                return Ok((consumed, Some(on_head(&response)?)));
            }
            if self.interim == MAX_INTERIM {
                return Err(Error::TooManyInterim);
            }
            *self = Self { interim: self.interim + 1, ..Self::default() };
        }
    }

    /// Returns whether any byte of a response has arrived.
    pub fn has_started(&self) -> bool {
        !self.kept.is_empty() || self.interim > 0
    }
}

/// A response body that is collected before use.
#[derive(Debug)]
pub(crate) struct BufferedBody {
    pub head: Head,
    reader: BodyReader,
    content: Vec<u8>,
}

impl BufferedBody {
    pub fn new(head: Head, limits: BodyLimits) -> Result<Self, Error> {
        let reader = BodyReader::new(head.framing, limits)?;
        Ok(Self { head, reader, content: Vec::new() })
    }

    /// Consumes bytes of `input`. Returns their number and, once the body is complete, its content.
    pub fn read<'a>(&'a mut self, input: &'a [u8]) -> Result<(usize, Option<&'a [u8]>), Error> {
        // A body that arrives in one piece, as most do, is not copied.
        if let Framing::Length(length) = self.head.framing
            && let Ok(length) = usize::try_from(length)
            && self.content.is_empty()
            && length <= input.len()
        {
            return Ok((length, Some(&input[..length])));
        }
        let (consumed, is_done) = self.reader.read(input, &mut self.content)?;
        Ok((consumed, is_done.then_some(&self.content)))
    }

    /// Returns the content if the end of the connection is the end of the body.
    pub fn end(&self) -> Option<&[u8]> {
        (self.head.framing == Framing::UntilClose).then_some(&self.content)
    }
}
