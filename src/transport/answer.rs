//! What every answer has in common: on which terms it goes, and how a refusal looks.

use std::borrow::Cow;

use crate::protocol::http;
use crate::protocol::http::ResponseHead;
use crate::protocol::http::{PROBLEM_JSON, write_problem};
use crate::protocol::http::{Status, Version};
use crate::protocol::sse;

/// The `Vary` of every answer of a topic: what chooses among its representations.
const VARY: &str = "Accept, Prefer, Last-Event-ID, Origin";

/// What an answer has to know of its request, and what a held one keeps of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Terms {
    /// The request's version.
    pub version: Version,
    /// The connection goes on after the answer (RFC 9112 §9.3).
    pub persists: bool,
    /// `HEAD`: the head alone (RFC 9110 §9.3.2).
    pub head_only: bool,
    /// The target is a topic.
    pub of_topic: bool,
    /// The origin that is to be let in, as the request gave it.
    pub cors: Option<Box<str>>,
}

/// The present, as far as answers need it: handed in, since nothing here has a clock.
#[derive(Clone, Copy)]
pub struct Moment<'a> {
    /// Now, in the hub's time.
    pub tick: crate::hub::Tick,
    /// Now, as the `Date` field says it (RFC 9110 §6.6.1).
    pub date: &'a [u8],
    /// Random bits, for jitter.
    pub random: u32,
}

impl Moment<'_> {
    /// See [`jittered`].
    pub fn jittered(&self, base: u32) -> u32 {
        jittered(base, self.random)
    }
}

/// `base` and, by random bits, up to as much again: what spreads reconnects.
pub fn jittered(base: u32, random: u32) -> u32 {
    base.saturating_add(random % base.saturating_add(1))
}

impl Terms {
    /// What it keeps of the request, in bytes of memory.
    pub fn memory(&self) -> usize {
        self.cors.as_ref().map_or(0, |origin| origin.len())
    }

    /// Begins an answer: the status line and the field lines that all have.
    pub fn head<'o>(&self, out: &'o mut Vec<u8>, status: Status, moment: &Moment<'_>) -> ResponseHead<'o> {
        let mut head = ResponseHead::start(out, status).field("Date", moment.date);
        if !self.persists {
            head = head.field("Connection", "close");
        } else if self.version == Version::Http10 {
            head = head.field("Connection", "keep-alive");
        }
        if self.of_topic {
            head = head.field("Vary", VARY);
        }
        if let Some(origin) = &self.cors {
            head = head
                .field("Access-Control-Allow-Origin", origin.as_bytes())
                .field("Access-Control-Expose-Headers", "ETag, Preference-Applied");
        }
        head
    }

    /// A whole answer with a body.
    pub fn whole(&self, out: &mut Vec<u8>, status: Status, kind: &str, body: &[u8], moment: &Moment<'_>) {
        self.head(out, status, moment).field("Content-Type", kind).length(body.len()).end();
        if !self.head_only {
            out.extend_from_slice(body);
        }
    }
}

/// Of what there is too much now, and may not be in a while.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Overload {
    /// The server ends.
    Draining,
    /// Connections.
    Connections,
    /// Connections from one address.
    Address,
    /// Topics, all of them in use.
    Topics,
    /// Bytes that connections hold.
    Memory,
}

impl Overload {
    /// All of them, each at its own number.
    pub const ALL: [Overload; 5] =
        [Overload::Draining, Overload::Connections, Overload::Address, Overload::Topics, Overload::Memory];

    /// How the metrics call it.
    pub const fn name(self) -> &'static str {
        match self {
            Overload::Draining => "draining",
            Overload::Connections => "connections",
            Overload::Address => "address",
            Overload::Topics => "topics",
            Overload::Memory => "memory",
        }
    }

    /// What it is, for whoever reads the answer.
    pub const fn detail(self) -> &'static str {
        match self {
            Overload::Draining => "The server is about to end.",
            Overload::Connections => "There are as many connections as there may be.",
            Overload::Address => "There are as many connections from this address as there may be.",
            Overload::Topics => "All topics are in use, and there may be no more.",
            Overload::Memory => "All connections together hold more than they may, and this one the most.",
        }
    }

    const fn status(self) -> Status {
        match self {
            Overload::Address => Status::TOO_MANY_REQUESTS,
            _ => Status::SERVICE_UNAVAILABLE,
        }
    }
}

/// A request that is refused, and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// The status.
    pub status: Status,
    /// What is wrong, for whoever reads the answer's body.
    pub detail: Cow<'static, str>,
    /// The fields that belong to the status.
    pub fields: &'static [(&'static str, &'static str)],
    /// It would have been granted at another time, and the client is to come again.
    pub overload: Option<Overload>,
    /// What follows on the connection can't be trusted to be a request, or will not be read.
    pub closes: bool,
    /// The client waits for an event stream.
    pub event_stream: bool,
}

impl Refusal {
    /// A refusal with this status, and the sentence that says what is wrong.
    pub fn new(status: Status, detail: impl Into<Cow<'static, str>>) -> Refusal {
        Refusal {
            status,
            detail: detail.into(),
            fields: &[],
            overload: None,
            closes: false,
            event_stream: false,
        }
    }

    /// The same with the fields that belong to the status.
    pub fn with(self, fields: &'static [(&'static str, &'static str)]) -> Refusal {
        Refusal { fields, ..self }
    }

    /// The same, at the end of the connection.
    pub fn closing(self) -> Refusal {
        Refusal { closes: true, ..self }
    }

    /// A limit that is reached now and may not be in a while: 503 with `Retry-After`, or 429 (RFC 6585 §4). An `EventSource` ends for
    /// good at any status but 200 (WHATWG HTML §9.2.3), so `event_stream` gets a stream that says when to come
    /// again, and ends.
    pub fn overloaded(overload: Overload, event_stream: bool) -> Refusal {
        let refusal = Refusal::new(overload.status(), overload.detail());
        Refusal { overload: Some(overload), event_stream, ..refusal }
    }

    /// Writes the answer and returns its status.
    pub fn write(&self, out: &mut Vec<u8>, terms: &Terms, retry: u32, moment: &Moment<'_>) -> Status {
        let wait = moment.jittered(retry);
        if self.overload.is_some() && self.event_stream {
            let head = terms.head(out, Status::OK, moment);
            let head = head
                .field("Content-Type", "text/event-stream")
                .field("Cache-Control", "no-store, no-transform");
            match terms.version {
                Version::Http11 => {
                    head.field("Transfer-Encoding", "chunked").end();
                    http::chunk(out, |out| sse::write_retry(wait, out));
                    out.extend_from_slice(http::LAST_CHUNK);
                }
                Version::Http10 => {
                    head.end();
                    sse::write_retry(wait, out);
                }
            }
            return Status::OK;
        }
        let mut body = Vec::new();
        write_problem(self.status, &self.detail, &mut body);
        let mut head = terms.head(out, self.status, moment).field("Content-Type", PROBLEM_JSON);
        for (name, value) in self.fields {
            head = head.field(name, value);
        }
        if self.overload.is_some() {
            head = head.field("Retry-After", wait.div_ceil(1000).to_string());
        }
        head.length(body.len()).end();
        if !terms.head_only {
            out.extend_from_slice(&body);
        }
        self.status
    }
}
