//! Short and long polling: one request and one response at a time.

use std::mem;
use std::time::Duration;

use super::error::Error;
use super::json::{Summary, read_body};
use super::resource::Resource;
use super::response::{BufferedBody, Expected, Head, HeadReader};
use super::shared::Shared;
use super::{Next, Notice, ResponseLimits, RetryReason, Since, check_id};
use crate::protocol::http::Response;

/// Content length at which the server may have truncated a response, so the next request follows at
/// once.
///
/// It is half of barewire's limit per response: the first event left out may have been a large one.
const NEARLY_FULL: usize = 128 * 1024;

#[derive(Debug)]
pub(super) struct Poll {
    state: State,
    /// True for a long poll: the server holds the request until there is an event.
    is_long: bool,
}

#[derive(Debug)]
enum State {
    Head(HeadReader),
    Body(BufferedBody),
    /// No request is outstanding.
    Idle,
}

impl Poll {
    pub fn new(is_long: bool) -> Self {
        Self { state: State::Idle, is_long }
    }

    pub fn write_request(&mut self, resource: &Resource, since: &Since, out: &mut Vec<u8>) {
        // A long poll without an id would miss events if it broke off: the client could not resume
        // from a known position. So the first request returns at once with the current position.
        let wait = (self.is_long && *since != Since::Now).then_some(resource.wait);
        resource.write_get("application/json", since, wait, out);
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
            let expect = |response: &Response<'_, '_>| Head::expect(Expected::Events, response);
            let (consumed, head) = reader.read(rest, &resource.limits.head, expect)?;
            rest = &rest[consumed..];
            let Some(head) = head else { return Ok(Next::Read) };
            shared.traffic.responses += 1;
            self.state = State::Body(BufferedBody::new(head, resource.body_limits())?);
        }
        let State::Body(body) = &mut self.state else {
            // The server may send a 408 before it closes an idle connection (RFC 9110 §15.5.9).
            return Ok(ENDED);
        };
        let head = body.head;
        let (consumed, content) = body.read(rest)?;
        let Some(content) = content else { return Ok(Next::Read) };
        // Bytes after the response belong to no request, so the connection cannot be reused.
        let reuse = head.persists && consumed == rest.len();
        let next =
            finish(&head, content, &resource.limits, since, shared, notify).map(|outcome| match outcome {
                Outcome::Failure(next) => next,
                Outcome::Events(length) => self.next_request(length, reuse, resource),
            });
        self.state = State::Idle;
        next
    }

    pub fn end(
        &mut self,
        resource: &Resource,
        since: &mut Since,
        shared: &mut Shared,
        notify: &mut dyn FnMut(Notice<'_>),
    ) -> Result<Next, Error> {
        match mem::replace(&mut self.state, State::Idle) {
            State::Body(body) => {
                let Some(content) = body.end() else { return Ok(ENDED) };
                Ok(match finish(&body.head, content, &resource.limits, since, shared, notify)? {
                    Outcome::Failure(next) => next,
                    Outcome::Events(length) => self.next_request(length, false, resource),
                })
            }
            State::Head(_) | State::Idle => Ok(ENDED),
        }
    }

    /// Schedules the next request after a response with `length` bytes of content. It follows at
    /// once if the protocol intends that; [`Pace`](super::pace::Pace) delays it if the response
    /// made no progress.
    fn next_request(&self, length: usize, reuse: bool, resource: &Resource) -> Next {
        // A long poll that asks for no wait is a short poll.
        let at_once = (self.is_long && resource.wait > 0) || length >= NEARLY_FULL;
        Next::Request { after: if at_once { Duration::ZERO } else { resource.interval }, reuse }
    }

    /// Returns whether a response is due and no byte of it has arrived.
    pub fn is_awaiting_response(&self) -> bool {
        matches!(&self.state, State::Head(reader) if !reader.has_started())
    }
}

const ENDED: Next = Next::Reconnect { after: Duration::ZERO, reason: RetryReason::Ended };

/// The outcome of a complete response.
enum Outcome {
    /// The response has events, possibly none, in this many bytes of content.
    Events(usize),
    /// The response reports a temporary failure.
    Failure(Next),
}

/// Processes a complete response: reports its events and moves the cursor.
fn finish(
    head: &Head,
    content: &[u8],
    limits: &ResponseLimits,
    since: &mut Since,
    shared: &mut Shared,
    notify: &mut dyn FnMut(Notice<'_>),
) -> Result<Outcome, Error> {
    shared.traffic.payload_down += content.len() as u64;
    match head.status {
        304 => {
            shared.traffic.empty_responses += 1;
            return Ok(Outcome::Events(0));
        }
        200 => {}
        _ => return head.failure(content).map(Outcome::Failure),
    }
    let requested = since.id().unwrap_or_default();
    let Summary { events, data } = read_body(content, requested, limits, &mut shared.buffers, notify)?;
    shared.traffic.empty_responses += u64::from(events == 0);
    shared.traffic.events += events;
    shared.traffic.data_down += data;
    let next = &shared.buffers.next;
    check_id(next)?;
    if since.id() != Some(next) {
        since.set(next);
        notify(Notice::Cursor(next));
    }
    Ok(Outcome::Events(content.len()))
}
