//! The common parts of every response, and refusals.

use std::borrow::Cow;

use crate::hub::Tick;
use crate::protocol::http::{self, PROBLEM_JSON, ResponseHead, Status, Version, write_problem};
use crate::protocol::sse;

/// The `Vary` field of every response of a topic: the fields that select its representation.
const VARY_OF_TOPIC: &str = "Accept, Prefer, Last-Event-ID, Origin";
/// The `Vary` field of every other response: whether it has `Access-Control-Allow-Origin` depends
/// on the `Origin` of the request, and a cache must know that (RFC 9110 §12.5.5).
const VARY: &str = "Origin";

/// The fields that a page of an allowed origin may read (Fetch §3.3.3).
const EXPOSED: &str = "ETag, Preference-Applied";
/// The same in a response that says when to retry.
const EXPOSED_TO_RETRY: &str = "ETag, Preference-Applied, Retry-After";

/// The parts of a request that its response depends on. A held poll keeps them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ResponseContext {
    /// The request's version.
    pub version: Version,
    /// The connection persists after the response (RFC 9112 §9.3).
    pub persists: bool,
    /// `HEAD`: the response is a head without content (RFC 9110 §9.3.2).
    pub head_only: bool,
    /// The target is a topic.
    pub of_topic: bool,
    /// The foreign origin that is allowed to read the response.
    pub cors: Option<Box<str>>,
}

/// The present. This layer has no clock, so the caller passes it in.
#[derive(Clone, Copy)]
pub struct Now<'a> {
    /// The time of the hub.
    pub tick: Tick,
    /// The value of the `Date` field (RFC 9110 §6.6.1).
    pub date: &'a [u8],
    /// Random bits for jitter.
    pub random: u32,
}

/// Returns `base`, plus up to 100 % random jitter, so that clients do not all reconnect at once.
pub fn jittered(base: u32, random: u32) -> u32 {
    base.saturating_add(random % base.saturating_add(1))
}

impl ResponseContext {
    /// The context of a request that cannot be parsed.
    pub const UNREADABLE: ResponseContext = ResponseContext {
        version: Version::Http11,
        persists: false,
        head_only: false,
        of_topic: false,
        cors: None,
    };

    /// Returns the heap memory kept of the request, in bytes.
    pub fn memory(&self) -> usize {
        self.cors.as_ref().map_or(0, |origin| origin.len())
    }

    /// Starts a response: writes the status line and the fields that every response has.
    pub fn head<'o>(&self, out: &'o mut Vec<u8>, status: Status, now: &Now<'_>) -> ResponseHead<'o> {
        let mut head = ResponseHead::start(out, status).field("Date", now.date);
        if !self.persists {
            head = head.field("Connection", "close");
        } else if self.version == Version::Http10 {
            head = head.field("Connection", "keep-alive");
        }
        head = head.field("Vary", if self.of_topic { VARY_OF_TOPIC } else { VARY });
        if let Some(origin) = &self.cors {
            let may_retry = matches!(status, Status::TOO_MANY_REQUESTS | Status::SERVICE_UNAVAILABLE);
            head = head
                .field("Access-Control-Allow-Origin", origin.as_bytes())
                .field("Access-Control-Expose-Headers", if may_retry { EXPOSED_TO_RETRY } else { EXPOSED });
        }
        head
    }

    /// Writes a complete response with these fields. A status that excludes content (RFC 9110
    /// §6.4.1) has none.
    pub fn write(
        &self,
        out: &mut Vec<u8>,
        status: Status,
        kind: Option<&str>,
        fields: &[(&str, &str)],
        content: &[u8],
        now: &Now<'_>,
    ) {
        let mut head = self.head(out, status, now);
        if let Some(kind) = kind {
            head = head.field("Content-Type", kind);
        }
        for (name, value) in fields {
            head = head.field(name, value);
        }
        if matches!(status.code(), 100..=199 | 204 | 304) {
            return head.end();
        }
        head.length(content.len()).end();
        if !self.head_only {
            out.extend_from_slice(content);
        }
    }

    /// Writes a complete response with content.
    pub fn complete(&self, out: &mut Vec<u8>, status: Status, kind: &str, content: &[u8], now: &Now<'_>) {
        self.write(out, status, Some(kind), &[], content, now);
    }
}

/// A temporary limit that is reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Overload {
    /// The server is shutting down.
    Draining,
    /// The number of connections.
    Connections,
    /// The number of connections from one address.
    Address,
    /// The number of topics, none of which may be evicted for the request.
    Topics,
    /// The bytes that connections hold.
    Memory,
}

impl Overload {
    /// All limits, in the order of their discriminants.
    pub const ALL: [Overload; 5] =
        [Overload::Draining, Overload::Connections, Overload::Address, Overload::Topics, Overload::Memory];

    /// Returns the name in the metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Overload::Draining => "draining",
            Overload::Connections => "connections",
            Overload::Address => "address",
            Overload::Topics => "topics",
            Overload::Memory => "memory",
        }
    }

    /// Returns the explanation for the client.
    pub const fn detail(self) -> &'static str {
        match self {
            Overload::Draining => "The server is shutting down.",
            Overload::Connections => "The server has reached its limit of connections.",
            Overload::Address => "The server has reached its limit of connections from this address.",
            Overload::Topics => {
                "The server has reached its limit of topics, and this request may replace none of them."
            }
            Overload::Memory => {
                "All connections together hold more memory than allowed, and this one the most, by size times age."
            }
        }
    }

    const fn status(self) -> Status {
        match self {
            Overload::Address => Status::TOO_MANY_REQUESTS,
            _ => Status::SERVICE_UNAVAILABLE,
        }
    }
}

/// A refused request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// The status.
    pub status: Status,
    /// The explanation in the response's content.
    pub detail: Cow<'static, str>,
    /// The fields that belong to the status.
    pub fields: &'static [(&'static str, &'static str)],
    /// The methods that the target allows, for 405 (RFC 9110 §10.2.1).
    pub allow: Option<Box<str>>,
    /// The limit that is reached, if the client should retry.
    pub overload: Option<Overload>,
    /// The connection ends: the bytes after the request cannot be trusted to be a request, or are
    /// not read.
    pub closes: bool,
    /// The client waits for an event stream.
    pub event_stream: bool,
}

impl Refusal {
    /// Returns a refusal with a status and an explanation.
    pub fn new(status: Status, detail: impl Into<Cow<'static, str>>) -> Refusal {
        Refusal {
            status,
            detail: detail.into(),
            fields: &[],
            allow: None,
            overload: None,
            closes: false,
            event_stream: false,
        }
    }

    /// Returns a refusal with 400.
    pub fn bad_request(detail: impl Into<Cow<'static, str>>) -> Refusal {
        Refusal::new(Status::BAD_REQUEST, detail)
    }

    /// Adds the fields that belong to the status.
    pub fn with(self, fields: &'static [(&'static str, &'static str)]) -> Refusal {
        Refusal { fields, ..self }
    }

    /// Makes the connection end after the response.
    pub fn closing(self) -> Refusal {
        Refusal { closes: true, ..self }
    }

    /// Returns a refusal for a temporary limit: 503 with `Retry-After`, or 429 (RFC 6585 §4).
    ///
    /// An `EventSource` ends permanently at any status but 200 (WHATWG HTML §9.2.3). For an
    /// `event_stream` the response is therefore 200, a stream that sets the reconnection time, and
    /// its end.
    pub fn overloaded(overload: Overload, event_stream: bool) -> Refusal {
        let refusal = Refusal::new(overload.status(), overload.detail());
        Refusal { overload: Some(overload), event_stream, ..refusal }
    }

    /// Writes the response and returns its status. `retry` is the reconnection time in
    /// milliseconds, before jitter.
    pub fn write(&self, out: &mut Vec<u8>, context: &ResponseContext, retry: u32, now: &Now<'_>) -> Status {
        let retry = jittered(retry, now.random);
        if self.overload.is_some() && self.event_stream {
            write_ending_stream(out, context, retry, now);
            return Status::OK;
        }
        let mut content = Vec::new();
        write_problem(self.status, &self.detail, &mut content);
        let mut head = context.head(out, self.status, now).field("Content-Type", PROBLEM_JSON);
        for (name, value) in self.fields {
            head = head.field(name, value);
        }
        if let Some(allow) = &self.allow {
            head = head.field("Allow", &**allow);
        }
        if self.overload.is_some() {
            head = head.field("Retry-After", retry.div_ceil(1000).to_string());
        }
        head.length(content.len()).end();
        if !context.head_only {
            out.extend_from_slice(&content);
        }
        self.status
    }
}

/// Writes an event stream that sets the reconnection time and ends.
fn write_ending_stream(out: &mut Vec<u8>, context: &ResponseContext, retry: u32, now: &Now<'_>) {
    let head = context.head(out, Status::OK, now);
    let head =
        head.field("Content-Type", "text/event-stream").field("Cache-Control", "no-store, no-transform");
    match context.version {
        Version::Http11 => {
            head.field("Transfer-Encoding", "chunked").end();
            http::chunk(out, |out| sse::write_retry(retry, out));
            out.extend_from_slice(http::LAST_CHUNK);
        }
        Version::Http10 => {
            head.end();
            sse::write_retry(retry, out);
        }
    }
}
