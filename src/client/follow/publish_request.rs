//! Publishing as a state machine: one POST and its response (RFC 9110 §9.3.3).

use std::time::Duration;

use super::error::Error;
use super::resource::Resource;
use super::response::{BufferedBody, Head, HeadReader, Media};
use super::{Next, RetryReason};
use crate::protocol::json::{JsonError, Reader};

/// A publish request and the parser of its response. The response may be split at any point.
#[derive(Debug, Default)]
pub struct PublishRequest {
    state: State,
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
    /// unknown.
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
    }

    /// Consumes bytes of the response.
    ///
    /// # Errors
    /// [`Error`]: nothing was published, and the connection cannot be reused.
    pub fn receive(&mut self, input: &[u8], resource: &Resource) -> Result<PublishStep, Error> {
        let mut rest = input;
        if let State::Head(reader) = &mut self.state {
            let (consumed, head) = reader.read(rest, &resource.limits.head, Head::of)?;
            rest = &rest[consumed..];
            let Some(head) = head else { return Ok(PublishStep::Next(Next::Read)) };
            self.state = State::Body(BufferedBody::new(head, resource.body_limits())?);
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
    PublishStep::Next(Next::Reconnect { at_least: Duration::ZERO, reason: RetryReason::Ended });

/// Processes a complete response.
fn finish(head: &Head, content: &[u8], reuse: bool) -> Result<PublishStep, Error> {
    match (head.status, head.media) {
        (201, Media::Json) => {}
        (201, _) => return Err(Error::ContentType { expected: "application/json" }),
        _ => return head.failure(content).map(PublishStep::Next),
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
