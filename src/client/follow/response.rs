//! Response heads, and response bodies that are collected before use.

use std::time::Duration;

use super::error::Error;
use super::{Next, RetryReason};
use crate::protocol::http::{
    self, BodyLimits, BodyReader, Framing, HeadLimits, PROBLEM_JSON, Response, ResponseScan,
};
use crate::protocol::json::Reader;

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

impl Head {
    pub fn of(response: &Response<'_, '_>) -> Result<Self, Error> {
        let fields = response.fields;
        let framing = Framing::of_response(response)?;
        let media = match fields.get("Content-Type").map(|value| value.split(|byte| *byte == b';').next()) {
            Some(Some(media)) => Media::of(http::fields::trim(media)),
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
            let at_least = self.retry_after.unwrap_or_default();
            return Ok(Next::Reconnect { at_least, reason: RetryReason::Status(self.status) });
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
    // The text may be shown on a terminal, so it must not contain control characters.
    let text: String = text.chars().filter(|character| !character.is_control()).take(500).collect();
    (!text.is_empty()).then(|| text.into())
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
