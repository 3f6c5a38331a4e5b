//! The head of an answer, and bodies that are wanted whole.

use std::time::Duration;

use super::error::Error;
use super::{Next, RetryReason};
use crate::protocol::http::{
    self, BodyLimits, BodyReader, Framing, HeadLimits, PROBLEM_JSON, Response, ResponseScan,
};
use crate::protocol::json::Reader;

/// Interim answers that are passed over. A server that sends more does something else than to answer.
const MAX_INTERIM: u8 = 8;

/// The longest time that a server may ask to be left alone: an hour.
const MAX_RETRY: Duration = Duration::from_secs(3600);

/// What is of use in an answer's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub status: u16,
    pub media: Media,
    pub framing: Framing,
    /// Whether the connection goes on after it (RFC 9112 §9.3).
    pub persists: bool,
    /// `Retry-After` in seconds (RFC 9110 §10.2.3). A date is passed over: nobody here knows the time.
    pub retry_after: Option<Duration>,
}

/// The media types that mean something here.
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

    /// What an answer means that is not what was asked for, once its `content` is there.
    pub fn verdict(&self, content: &[u8]) -> Result<Next, Error> {
        // What passes by itself: too slow, too early, too many, and what a proxy says of a server that is away
        // (RFC 9110 §15.5.9, §15.6; RFC 8470 §5.2; RFC 6585 §4).
        if matches!(self.status, 408 | 425 | 429 | 500 | 502 | 503 | 504) {
            let at_least = self.retry_after.unwrap_or_default();
            return Ok(Next::Reconnect { at_least, reason: RetryReason::Status(self.status) });
        }
        let detail = if self.media == Media::Problem { problem(content) } else { None };
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

/// The longest time that is waited for because a server asks for it.
pub(super) fn capped(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds).min(MAX_RETRY)
}

/// What a problem says of itself (RFC 9457 §3.1), if it can be read.
fn problem(content: &[u8]) -> Option<Box<str>> {
    let (mut title, mut detail) = (String::new(), String::new());
    let mut reader = Reader::new(content).ok()?;
    let read = reader.object(|name, reader| match name {
        "title" => reader.string(&mut title),
        "detail" => reader.string(&mut detail),
        _ => reader.skip(),
    });
    read.ok()?;
    let text = if detail.is_empty() { title } else { detail };
    // It is for a terminal, among others.
    let text: String = text.chars().filter(|character| !character.is_control()).take(500).collect();
    (!text.is_empty()).then(|| text.into())
}

/// Reads a head that is cut anywhere, and passes over interim answers.
#[derive(Debug, Default)]
pub(crate) struct HeadReader {
    /// What has come of it, if that was not all at once.
    kept: Vec<u8>,
    scan: ResponseScan,
    interim: u8,
}

impl HeadReader {
    /// How many bytes of `input` it took, and what `judge` makes of the head, once that is whole.
    pub fn read<T>(
        &mut self,
        input: &[u8],
        limits: &HeadLimits,
        judge: impl FnOnce(&Response<'_, '_>) -> Result<T, Error>,
    ) -> Result<(usize, Option<T>), Error> {
        let mut taken = 0;
        loop {
            let rest = &input[taken..];
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
            taken += end - kept;
            let mut scratch = http::scratch();
            let response = http::parse_response(&head[..end], &mut scratch, limits)?;
            // 101 is the last of its connection's HTTP (RFC 9110 §15.2.2).
            if !matches!(response.status, 100..=199) || response.status == 101 {
                return Ok((taken, Some(judge(&response)?)));
            }
            if self.interim == MAX_INTERIM {
                return Err(Error::TooManyInterim);
            }
            *self = Self { interim: self.interim + 1, ..Self::default() };
        }
    }

    /// Whether any byte of an answer has come.
    pub fn has_begun(&self) -> bool {
        !self.kept.is_empty() || self.interim > 0
    }
}

/// A body that is wanted whole.
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

    /// How many bytes of `input` it took, and the content once it is whole.
    pub fn read<'a>(&'a mut self, input: &'a [u8]) -> Result<(usize, Option<&'a [u8]>), Error> {
        // The usual answer comes in one piece, and is not copied.
        if let Framing::Length(length) = self.head.framing
            && let Ok(length) = usize::try_from(length)
            && self.content.is_empty()
            && length <= input.len()
        {
            return Ok((length, Some(&input[..length])));
        }
        let (taken, is_done) = self.reader.read(input, &mut self.content)?;
        Ok((taken, is_done.then_some(&self.content)))
    }

    /// The content, if the connection's end is the body's.
    pub fn end(&self) -> Option<&[u8]> {
        (self.head.framing == Framing::UntilClose).then_some(&self.content)
    }
}
