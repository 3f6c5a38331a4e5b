//! Server-Sent Events: one request and a response that does not end (WHATWG HTML §9.2).

use std::mem;
use std::time::Duration;

use super::error::Error;
use super::json::read_gap;
use super::resource::Resource;
use super::response::{BufferedBody, Expected, Head, HeadReader, capped_delay};
use super::shared::Shared;
use super::{Event, Next, Notice, ResponseLimits, RetryReason, Since, check_event, check_id};
use crate::protocol::http::{BodyLimits, BodyReader, Response};
use crate::protocol::sse::{Block, Decoder};

#[derive(Debug)]
pub(super) struct EventStream {
    state: State,
    /// The reconnection time in milliseconds. It outlives the stream that has set it (§9.2.2).
    retry: u64,
}

#[derive(Debug)]
enum State {
    Head(HeadReader),
    Stream {
        body: BodyReader,
        decoder: Box<Decoder>,
        /// True if no content has arrived.
        is_empty: bool,
    },
    /// A response that is not an event stream. Its body may explain the status.
    Other(Box<BufferedBody>),
    Over,
}

impl EventStream {
    pub fn new() -> Self {
        Self { state: State::Over, retry: 0 }
    }

    pub fn write_request(&mut self, resource: &Resource, since: &Since, out: &mut Vec<u8>) {
        resource.write_get("text/event-stream\r\nCache-Control: no-store", since, None, out); // §9.2.2
        self.state = State::Head(HeadReader::default());
    }

    pub fn receive(
        &mut self,
        input: &[u8],
        resource: &Resource,
        since: &mut Since,
        shared: &mut Shared,
        notify: &mut dyn FnMut(Notice<'_>),
    ) -> Result<Next, Error> {
        let mut rest = input;
        if let State::Head(reader) = &mut self.state {
            let expect = |response: &Response<'_, '_>| Head::expect(Expected::EventStream, response);
            let (consumed, head) = reader.read(rest, &resource.limits.head, expect)?;
            rest = &rest[consumed..];
            let Some(head) = head else { return Ok(Next::Read) };
            shared.traffic.responses += 1;
            self.state = after_head(head, resource, since)?;
        }
        match &mut self.state {
            State::Stream { body, decoder, is_empty } => {
                shared.content.clear();
                let read = body.read(rest, &mut shared.content);
                *is_empty &= shared.content.is_empty();
                shared.traffic.payload_down += shared.content.len() as u64;
                // Content before a framing error is valid, so its events are reported before the
                // error.
                decode(decoder, &resource.limits, since, shared, notify)?;
                self.retry = decoder.retry().unwrap_or(self.retry);
                let (_, is_done) = read?;
                if is_done { Ok(self.over()) } else { Ok(Next::Read) }
            }
            State::Other(body) => {
                let head = body.head;
                let (_, content) = body.read(rest)?;
                let Some(content) = content else { return Ok(Next::Read) };
                shared.traffic.payload_down += content.len() as u64;
                let next = head.failure(content);
                self.state = State::Over;
                next
            }
            State::Head(_) | State::Over => Ok(self.over()),
        }
    }

    pub fn end(&mut self) -> Result<Next, Error> {
        if let State::Other(body) = &self.state
            && let Some(content) = body.end()
        {
            let next = body.head.failure(content);
            self.state = State::Over;
            return next;
        }
        Ok(self.over())
    }

    fn over(&mut self) -> Next {
        let reason = match mem::replace(&mut self.state, State::Over) {
            State::Stream { is_empty: true, .. } => RetryReason::EmptyStream,
            _ => RetryReason::Ended,
        };
        Next::Reconnect { after: self.reconnection_time(), reason }
    }

    /// Returns the delay before a reconnect that the server requests (§9.2.2).
    pub fn reconnection_time(&self) -> Duration {
        capped_delay(self.retry)
    }

    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Stream { .. })
    }

    /// Returns whether a response is due and no byte of it has arrived.
    pub fn is_awaiting_response(&self) -> bool {
        matches!(&self.state, State::Head(reader) if !reader.has_started())
    }
}

/// Returns the state after a complete response head.
fn after_head(head: Head, resource: &Resource, since: &Since) -> Result<State, Error> {
    if head.status != 200 {
        return Ok(State::Other(Box::new(BufferedBody::new(head, resource.body_limits())?)));
    }
    let decoder = Decoder::new(since.id().unwrap_or_default(), resource.limits.stream);
    let body = BodyReader::new(head.framing, BodyLimits::ENDLESS)?;
    Ok(State::Stream { body, decoder: Box::new(decoder), is_empty: true })
}

/// Reports the events, gaps and cursors in `shared.content`.
fn decode(
    decoder: &mut Decoder,
    limits: &ResponseLimits,
    since: &mut Since,
    shared: &mut Shared,
    notify: &mut dyn FnMut(Notice<'_>),
) -> Result<(), Error> {
    let mut at = 0;
    loop {
        let (consumed, block) = decoder.read_block(&shared.content[at..])?;
        at += consumed;
        let id = match block {
            None => return Ok(()),
            Some(Block::Id(id)) => id,
            Some(Block::Event { id, event, data }) => {
                let gap = if event == "gap" { read_gap(data, &mut shared.buffers) } else { None };
                let Some(oldest) = gap else {
                    let event = Event { id, event, data };
                    check_event(&event, limits)?;
                    shared.traffic.events += 1;
                    shared.traffic.data_down += data.len() as u64;
                    notify(Notice::Event(event));
                    since.set(id);
                    continue;
                };
                notify(shared.buffers.gap(oldest));
                id
            }
        };
        check_id(id)?;
        since.set(id);
        notify(Notice::Cursor(id));
    }
}
