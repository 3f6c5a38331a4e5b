//! Publishing as a state machine: one POST, one answer (RFC 9110 §9.3.3).

use std::time::Duration;

use super::error::Error;
use super::resource::Resource;
use super::response::{BufferedBody, Head, HeadReader, Media};
use super::{Next, RetryReason};
use crate::protocol::json::{JsonError, Reader};

/// Publishes: writes a request, and takes the answer, cut anywhere.
#[derive(Debug, Default)]
pub struct PublishRequest {
    state: State,
}

#[derive(Debug, Default)]
enum State {
    Head(HeadReader),
    Body(BufferedBody),
    #[default]
    Answered,
}

/// What has become of a POST.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublishStep {
    /// It is published.
    Published {
        /// The ids of its events, in their order.
        ids: Vec<String>,
        /// Whether the connection may be used again.
        reuse: bool,
    },
    /// [`Next::Read`], or [`Next::Reconnect`]: it is not published for now, or that is not known.
    Next(Next),
}

impl PublishRequest {
    /// Appends a request that publishes `body`: as one event, or an event for each of its lines. `event` is their name.
    pub fn write(
        &mut self,
        resource: &Resource,
        event: Option<&str>,
        body: &str,
        is_lines: bool,
        out: &mut Vec<u8>,
    ) {
        let kind = if is_lines { "application/x-ndjson" } else { "text/plain;charset=utf-8" };
        resource.write_post(event, kind, body, out);
        self.state = State::Head(HeadReader::default());
    }

    /// Takes bytes that have come.
    ///
    /// # Errors
    /// [`Error`]: it is not published, and the connection is of no more use.
    pub fn receive(&mut self, input: &[u8], resource: &Resource) -> Result<PublishStep, Error> {
        let mut rest = input;
        if let State::Head(reader) = &mut self.state {
            let (taken, head) = reader.read(rest, &resource.limits.head, Head::of)?;
            rest = &rest[taken..];
            let Some(head) = head else { return Ok(PublishStep::Next(Next::Read)) };
            self.state = State::Body(BufferedBody::new(head, resource.body_limits())?);
        }
        let State::Body(whole) = &mut self.state else { return Ok(ENDED) };
        let head = whole.head;
        let (taken, content) = whole.read(rest)?;
        let Some(content) = content else { return Ok(PublishStep::Next(Next::Read)) };
        let posted = finish(&head, content, head.persists && taken == rest.len());
        self.state = State::Answered;
        posted
    }

    /// The server has ended its side.
    ///
    /// # Errors
    /// As those of [`receive`](Self::receive).
    pub fn end(&mut self) -> Result<PublishStep, Error> {
        let State::Body(whole) = &self.state else { return Ok(ENDED) };
        let posted = whole.end().map_or(Ok(ENDED), |content| finish(&whole.head, content, false));
        self.state = State::Answered;
        posted
    }
}

const ENDED: PublishStep =
    PublishStep::Next(Next::Reconnect { at_least: Duration::ZERO, reason: RetryReason::Ended });

fn finish(head: &Head, content: &[u8], reuse: bool) -> Result<PublishStep, Error> {
    match (head.status, head.media) {
        (201, Media::Json) => {}
        (201, _) => return Err(Error::ContentType { expected: "application/json" }),
        _ => return head.verdict(content).map(PublishStep::Next),
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
