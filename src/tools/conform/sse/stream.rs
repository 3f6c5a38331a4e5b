//! An event stream of the server under test, read as a browser reads it, with all of its bytes.

use std::time::{Duration, Instant};

use crate::protocol::sse::{DecodeLimits, Decoder, Event};
use crate::tools::conform::connection::{Connection, Received};
use crate::tools::conform::exchange::{Progress, Request, ResponseHead, ResponseReader};
use crate::tools::conform::target::Values;
use crate::tools::conform::topic::{ARRIVAL, Topic};
use crate::tools::conform::trial::{Finding, Trial};

/// The `Accept` of an `EventSource`.
pub const ACCEPT: (&str, &str) = ("Accept", "text/event-stream");

/// The time in which a response must start if the server does not wait for an event.
const HEAD: Duration = Duration::from_secs(1);

/// The number of bytes from which a head is too long for every reader.
const MAX_HEAD: usize = 256 * 1024;

/// The maximum number of bytes of a stream: more than any case asks for.
const MAX_BYTES: usize = 4 << 20;

/// The maximum number of events of a stream.
const MAX_EVENTS: usize = 10_000;

/// A request for the event stream.
#[derive(Clone, Copy)]
pub struct Opening<'o> {
    pub method: &'o str,
    pub version: &'o str,
    pub fields: &'o [(&'o str, &'o str)],
}

impl Default for Opening<'_> {
    fn default() -> Self {
        Self { method: "GET", version: "HTTP/1.1", fields: &[ACCEPT] }
    }
}

/// The response to a request for the event stream.
pub struct Response {
    pub connection: Connection,
    pub reader: ResponseReader,
    /// The head, if it has arrived.
    pub head: Option<ResponseHead>,
}

/// Requests the resource of the event stream, and waits a moment for the head of the response.
///
/// # Errors
/// A finding: the head is invalid, or the server ends the connection without a response.
pub fn request(trial: &Trial, topic: &Topic<'_>, opening: Opening<'_>) -> Result<Response, Finding> {
    let template = topic.server().stream.as_ref();
    let template = template.ok_or_else(|| Finding::NotApplicable("the server has no event stream".into()))?;
    let mut connection = trial.connect(template.address)?;
    let target = template.target(Values { topic: topic.name(), ..Values::default() });
    let mut request = Request::get(template, &target);
    (request.method, request.fields) = (opening.method, opening.fields.to_vec());
    connection.send(&request.to_bytes_of(opening.version))?;
    let mut response = Response { connection, reader: ResponseReader::new(opening.method), head: None };
    response.await_head(trial.after(HEAD))?;
    Ok(response)
}

impl Response {
    /// Waits until the head has arrived, but not longer than `until`.
    fn await_head(&mut self, until: Instant) -> Result<(), Finding> {
        while self.head.is_none() {
            // A head that is too long for the reader is a failure that the reader reports.
            let input = self.connection.input();
            let has_head = input.len() > MAX_HEAD || input.windows(4).any(|part| part == b"\r\n\r\n");
            if !has_head && self.connection.receive(until)? == Received::Quiet {
                return Ok(());
            }
            if has_head || self.connection.ended().is_some() {
                self.head = Some(self.reader.head(&mut self.connection, until)?);
            }
        }
        Ok(())
    }
}

/// An open event stream.
pub struct EventStream {
    pub connection: Connection,
    reader: ResponseReader,
    pub head: ResponseHead,
    /// Whether the head arrived only with the first event.
    pub is_late: bool,
    decoder: Decoder,
    /// The number of bytes of the content that are decoded.
    decoded: usize,
    /// All events so far.
    pub events: Vec<Event>,
}

impl EventStream {
    /// Opens the stream. An event is published if the server sends no head before.
    ///
    /// # Errors
    /// A finding: the response is no 200.
    pub fn open(trial: &Trial, topic: &mut Topic<'_>, opening: Opening<'_>) -> Result<Self, Finding> {
        let mut response = request(trial, topic, opening)?;
        let is_late = response.head.is_none();
        if is_late {
            topic.publish_token(trial)?;
            response.await_head(trial.after(ARRIVAL))?;
        }
        let Response { connection, reader, head } = response;
        let expected = "an event stream, with status 200";
        let head = head.ok_or_else(|| Finding::failed(expected, "no response in time"))?;
        if head.status != 200 {
            return Err(Finding::failed(expected, format!("status {}", head.status)));
        }
        let limits = DecodeLimits { line: MAX_BYTES, data: MAX_BYTES };
        let decoder = Decoder::new("", limits);
        Ok(Self { connection, reader, head, is_late, decoder, decoded: 0, events: Vec::new() })
    }

    /// Opens the stream with `Last-Event-ID`.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn resume(trial: &Trial, topic: &mut Topic<'_>, id: &str) -> Result<Self, Finding> {
        let fields = [ACCEPT, ("Last-Event-ID", id)];
        Self::open(trial, topic, Opening { fields: &fields, ..Opening::default() })
    }

    /// Reads until an event contains the token. Returns the index of the event in `events`.
    ///
    /// # Errors
    /// A finding: the event does not arrive in time.
    pub fn await_token(&mut self, trial: &Trial, token: &str) -> Result<usize, Finding> {
        let until = trial.after(ARRIVAL);
        loop {
            if let Some(at) = self.find(token) {
                return Ok(at);
            }
            let observed = match self.more(until)? {
                Progress::More => continue,
                Progress::Quiet => format!("no such event within {} s of its publish", ARRIVAL.as_secs()),
                Progress::Complete | Progress::Ended => "the end of the stream".to_owned(),
            };
            return Err(self.failed(format!("an event with the data {token:?}"), observed));
        }
    }

    /// Returns the index of the first event that contains the token.
    pub fn find(&self, token: &str) -> Option<usize> {
        self.events.iter().position(|event| event.data.contains(token))
    }

    /// Checks that the tokens of the topic in all events so far are these, in this order.
    ///
    /// # Errors
    /// A finding: an event is lost, repeated, or in another place.
    pub fn expect_tokens(&self, topic: &Topic<'_>, expected: &[String]) -> Result<(), Finding> {
        let all = self.events.iter().flat_map(|event| topic.tokens_in(event.data.as_bytes()));
        // An event that was published to make the server send the head is before all others.
        let first = expected.first().cloned().unwrap_or_default();
        let received: Vec<String> = all.skip_while(|token| self.is_late && *token != first).collect();
        topic.compare(expected, &received).map_err(|observed| {
            self.failed(format!("{} events, each of them once, in order", expected.len()), observed)
        })
    }

    /// Reads and decodes more of the stream.
    ///
    /// # Errors
    /// A finding: the framing is invalid, or the server floods.
    pub fn more(&mut self, until: Instant) -> Result<Progress, Finding> {
        if Instant::now() >= until {
            return Ok(Progress::Quiet);
        }
        let progress = self.reader.more(&mut self.connection, until)?;
        if self.reader.content.len() > MAX_BYTES {
            return Err(self.failed("a server that does not flood", format!("more than {MAX_BYTES} bytes")));
        }
        while self.decoded < self.reader.content.len() {
            let read = self.decoder.read(&self.reader.content[self.decoded..]);
            let (length, event) = read.map_err(|error| self.failed("an event stream", error))?;
            self.decoded += length;
            self.events.extend(event);
            if self.events.len() > MAX_EVENTS {
                let observed = format!("more than {MAX_EVENTS} events");
                return Err(self.failed("a server that does not flood", observed));
            }
        }
        Ok(progress)
    }

    /// Returns all bytes of the stream so far.
    pub fn content(&self) -> &[u8] {
        &self.reader.content
    }

    /// Returns a failure at the newest byte of the stream.
    pub fn failed(&self, expected: impl std::fmt::Display, observed: impl std::fmt::Display) -> Finding {
        let last = self.connection.consumed().saturating_sub(1);
        Finding::failed(expected, observed).at(self.connection.number(), last)
    }
}
