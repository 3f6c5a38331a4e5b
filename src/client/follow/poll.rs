//! Short and long polling: one request, one answer, and again.

use std::mem;
use std::time::Duration;

use super::answer::{Head, HeadReader, Media, Whole};
use super::error::Error;
use super::item::{Summary, read_body};
use super::resource::Resource;
use super::room::Room;
use super::{Away, Next, Notice, Since, check_id};

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
    Body(Whole),
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
        room: &mut Room,
        tell: &mut dyn FnMut(Notice<'_>),
    ) -> Result<Next, Error> {
        let mut rest = input;
        if let State::Head(reader) = &mut self.state {
            let (taken, head) = reader.read(rest, &resource.limits.head, Head::of)?;
            rest = &rest[taken..];
            let Some(head) = head else { return Ok(Next::Read) };
            room.traffic.answers += 1;
            self.state = State::Body(Whole::new(head, resource.body_limits())?);
        }
        let State::Body(whole) = &mut self.state else {
            // An answer that nobody asked for: a server that says good-bye to an idle connection (RFC 9110 §15.5.9).
            return Ok(Next::Return { least: Duration::ZERO, why: Away::Ended });
        };
        let head = whole.head;
        let (taken, content) = whole.read(rest)?;
        let Some(content) = content else { return Ok(Next::Read) };
        // What stands behind the answer belongs to none that was asked for.
        let reuse = head.persists && taken == rest.len();
        let next = finish(&head, content, since, room, tell).map(|length| match length {
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
        room: &mut Room,
        tell: &mut dyn FnMut(Notice<'_>),
    ) -> Result<Next, Error> {
        let ended = Next::Return { least: Duration::ZERO, why: Away::Ended };
        match mem::replace(&mut self.state, State::Answered) {
            State::Body(whole) => {
                let Some(content) = whole.end() else { return Ok(ended) };
                Ok(match finish(&whole.head, content, since, room, tell)? {
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
        Next::Ask { after: if at_once { Duration::ZERO } else { resource.interval }, reuse }
    }

    /// Whether an answer is awaited, and nothing of it has come.
    pub fn is_unanswered(&self) -> bool {
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
    room: &mut Room,
    tell: &mut dyn FnMut(Notice<'_>),
) -> Result<Answered, Error> {
    room.traffic.payload_down += content.len() as u64;
    match (head.status, head.media) {
        (304, _) => {
            room.traffic.empty += 1;
            return Ok(Answered::Content(0));
        }
        (200, Media::Json) => {}
        (200, _) => return Err(Error::ContentType { expected: "application/json" }),
        _ => return head.verdict(content).map(Answered::Next),
    }
    let asked = since.id().unwrap_or_default();
    let Summary { events, data } = read_body(content, asked, &mut room.texts, tell)?;
    room.traffic.empty += u64::from(events == 0);
    room.traffic.events += events;
    room.traffic.data_down += data;
    let next = &room.texts.next;
    check_id(next)?;
    if since.id() != Some(next) {
        since.set(next);
        tell(Notice::Cursor(next));
    }
    Ok(Answered::Content(content.len()))
}
