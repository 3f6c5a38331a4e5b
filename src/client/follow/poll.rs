//! Short and long polling: one request, one answer, and again.

use std::mem;
use std::time::Duration;

use super::error::Error;
use super::json::{Summary, read_body};
use super::resource::Resource;
use super::response::{BufferedBody, Head, HeadReader, Media};
use super::shared::Shared;
use super::{Next, Notice, RetryReason, Since, check_id};

/// An answer with so much content may have been cut short at the server's bound, so the next request does not wait: it is half of
/// what barewire puts in one answer, for the next event may have been a large one.
const NEARLY_FULL: usize = 128 * 1024;

#[derive(Debug)]
pub(super) struct Poll {
    state: State,
    /// Whether the request is held until there is an event.
    is_held: bool,
}

#[derive(Debug)]
enum State {
    Head(HeadReader),
    Body(BufferedBody),
    /// The answer is there; nothing was asked since.
    Answered,
}

impl Poll {
    pub fn new(is_held: bool) -> Self {
        Self { state: State::Answered, is_held }
    }

    pub fn ask(&mut self, resource: &Resource, since: &Since, out: &mut Vec<u8>) {
        // Without an id to come back with, a long poll that breaks off would lose what came meanwhile. So the first request
        // only asks where the topic stands.
        let wait = (self.is_held && *since != Since::Now).then_some(resource.wait);
        resource.write_get("application/json", since, wait, out);
        self.state = State::Head(HeadReader::default());
    }

    pub fn receive(
        &mut self,
        input: &[u8],
        resource: &Resource,
        since: &mut Since,
        shared: &mut Shared,
        tell: &mut dyn FnMut(Notice<'_>),
    ) -> Result<Next, Error> {
        let mut rest = input;
        if let State::Head(reader) = &mut self.state {
            let (taken, head) = reader.read(rest, &resource.limits.head, Head::of)?;
            rest = &rest[taken..];
            let Some(head) = head else { return Ok(Next::Read) };
            shared.traffic.responses += 1;
            self.state = State::Body(BufferedBody::new(head, resource.body_limits())?);
        }
        let State::Body(whole) = &mut self.state else {
            // An answer that nobody asked for: a server that says good-bye to an idle connection (RFC 9110 §15.5.9).
            return Ok(Next::Reconnect { at_least: Duration::ZERO, reason: RetryReason::Ended });
        };
        let head = whole.head;
        let (taken, content) = whole.read(rest)?;
        let Some(content) = content else { return Ok(Next::Read) };
        // What stands behind the answer belongs to none that was asked for.
        let reuse = head.persists && taken == rest.len();
        let next = finish(&head, content, since, shared, tell).map(|length| match length {
            Answered::Next(next) => next,
            Answered::Content(length) => self.next(length, reuse, resource),
        });
        self.state = State::Answered;
        next
    }

    pub fn end(
        &mut self,
        resource: &Resource,
        since: &mut Since,
        shared: &mut Shared,
        tell: &mut dyn FnMut(Notice<'_>),
    ) -> Result<Next, Error> {
        let ended = Next::Reconnect { at_least: Duration::ZERO, reason: RetryReason::Ended };
        match mem::replace(&mut self.state, State::Answered) {
            State::Body(whole) => {
                let Some(content) = whole.end() else { return Ok(ended) };
                Ok(match finish(&whole.head, content, since, shared, tell)? {
                    Answered::Next(next) => next,
                    Answered::Content(length) => self.next(length, false, resource),
                })
            }
            State::Head(_) | State::Answered => Ok(ended),
        }
    }

    /// When to ask again after an answer with so much content.
    fn next(&self, length: usize, reuse: bool, resource: &Resource) -> Next {
        let at_once = self.is_held || length >= NEARLY_FULL;
        Next::Request { after: if at_once { Duration::ZERO } else { resource.interval }, reuse }
    }

    /// Whether an answer is awaited, and nothing of it has come.
    pub fn is_awaiting_response(&self) -> bool {
        matches!(&self.state, State::Head(reader) if !reader.has_begun())
    }
}

/// What an answer was.
enum Answered {
    /// One of events, with so many bytes of content.
    Content(usize),
    /// One after which to come back later.
    Next(Next),
}

fn finish(
    head: &Head,
    content: &[u8],
    since: &mut Since,
    shared: &mut Shared,
    tell: &mut dyn FnMut(Notice<'_>),
) -> Result<Answered, Error> {
    shared.traffic.payload_down += content.len() as u64;
    match (head.status, head.media) {
        (304, _) => {
            shared.traffic.empty_responses += 1;
            return Ok(Answered::Content(0));
        }
        (200, Media::Json) => {}
        (200, _) => return Err(Error::ContentType { expected: "application/json" }),
        _ => return head.verdict(content).map(Answered::Next),
    }
    let asked = since.id().unwrap_or_default();
    let Summary { events, data } = read_body(content, asked, &mut shared.texts, tell)?;
    shared.traffic.empty_responses += u64::from(events == 0);
    shared.traffic.events += events;
    shared.traffic.data_down += data;
    let next = &shared.texts.next;
    check_id(next)?;
    if since.id() != Some(next) {
        since.set(next);
        tell(Notice::Cursor(next));
    }
    Ok(Answered::Content(content.len()))
}
