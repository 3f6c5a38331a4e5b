//! Publishing as a state machine: one POST and its response (RFC 9110 §9.3.3).

use std::time::Duration;

use super::error::Error;
use super::resource::Resource;
use super::response::{BufferedBody, Expected, Head, HeadReader};
use super::{Next, RetryReason};
use crate::client::json::{JsonError, Reader};
use crate::protocol::http::Response;

/// The most bytes of an id in a response per byte of an event in the request: a line has at least 2
/// bytes, and an id of barewire with its quotation marks and comma at most 32.
const MAX_ID_BYTES_PER_BYTE: u64 = 16;

/// A publish request and the parser of its response. The response may be split at any point.
#[derive(Debug, Default)]
pub struct PublishRequest {
    state: State,
    /// An upper bound for the ids of the events in the request, as JSON.
    max_ids_bytes: u64,
}

#[derive(Debug, Default)]
enum State {
    Head(HeadReader),
    Body(BufferedBody),
    /// No request is outstanding.
    #[default]
    Idle,
}

/// The result of one step of a [`PublishRequest`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublishStep {
    /// The server published the events.
    Published {
        /// The ids of the events, in order.
        ids: Vec<String>,
        /// Whether the connection can carry another request.
        reuse: bool,
    },
    /// [`Next::Read`], or [`Next::Reconnect`] if the server refused temporarily or the result is
    /// unknown. Its delay is the one that the server requests, without backoff, because a publish
    /// is not repeated.
    Next(Next),
}

impl PublishRequest {
    /// Appends a request that publishes `body` as one event, or as one event per line if
    /// `is_lines`.
    ///
    /// `event` is the name of the events.
    pub fn write(
        &mut self,
        resource: &Resource,
        event: Option<&str>,
        body: &str,
        is_lines: bool,
        out: &mut Vec<u8>,
    ) {
        let media_type = if is_lines { "application/x-ndjson" } else { "text/plain;charset=utf-8" };
        resource.write_post(event, media_type, body, out);
        self.state = State::Head(HeadReader::default());
        self.max_ids_bytes = body.len() as u64 * MAX_ID_BYTES_PER_BYTE;
    }

    /// Consumes bytes of the response.
    ///
    /// # Errors
    /// [`Error`], after which the connection cannot be reused. Nothing was published if the server
    /// refused; after a response that cannot be read, the events may have been published.
    pub fn receive(&mut self, input: &[u8], resource: &Resource) -> Result<PublishStep, Error> {
        let mut rest = input;
        if let State::Head(reader) = &mut self.state {
            let expect = |response: &Response<'_, '_>| Head::expect(Expected::Ids, response);
            let (consumed, head) = reader.read(rest, &resource.limits.head, expect)?;
            rest = &rest[consumed..];
            let Some(head) = head else { return Ok(PublishStep::Next(Next::Read)) };
            let mut limits = resource.body_limits();
            limits.content = limits.content.max(self.max_ids_bytes);
            self.state = State::Body(BufferedBody::new(head, limits)?);
        }
        let State::Body(body) = &mut self.state else { return Ok(ENDED) };
        let head = body.head;
        let (consumed, content) = body.read(rest)?;
        let Some(content) = content else { return Ok(PublishStep::Next(Next::Read)) };
        let step = finish(&head, content, head.persists && consumed == rest.len());
        self.state = State::Idle;
        step
    }

    /// Handles the end of the server's side of the connection.
    ///
    /// # Errors
    /// The same as [`receive`](Self::receive).
    pub fn end(&mut self) -> Result<PublishStep, Error> {
        let State::Body(body) = &self.state else { return Ok(ENDED) };
        let step = body.end().map_or(Ok(ENDED), |content| finish(&body.head, content, false));
        self.state = State::Idle;
        step
    }
}

const ENDED: PublishStep =
    PublishStep::Next(Next::Reconnect { after: Duration::ZERO, reason: RetryReason::Ended });

/// Processes a complete response.
fn finish(head: &Head, content: &[u8], reuse: bool) -> Result<PublishStep, Error> {
    if head.status != 201 {
        return head.failure(content).map(PublishStep::Next);
    }
    let mut ids = Vec::new();
    let mut id = String::new();
    let mut reader = Reader::new(content)?;
    reader.object(|name, reader| match name {
        "id" => {
            reader.string(&mut id)?;
            ids.push(id.clone());
            Ok(())
        }
        "ids" => reader.array(|reader| -> Result<(), JsonError> {
            reader.string(&mut id)?;
            ids.push(id.clone());
            Ok(())
        }),
        _ => reader.skip(),
    })?;
    reader.end()?;
    if ids.is_empty() { Err(Error::UnexpectedJson) } else { Ok(PublishStep::Published { ids, reuse }) }
}
