//! Server-Sent Events: one request, and an answer that goes on (WHATWG HTML §9.2).

use super::error::Error;
use super::json::read_gap;
use super::resource::Resource;
use super::response::{BufferedBody, Head, HeadReader, Media, capped};
use super::shared::Shared;
use super::{Event, Next, Notice, RetryReason, Since, check_id};
use crate::protocol::http::{BodyLimits, BodyReader};
use crate::protocol::sse::{Block, Decoder};

const EVENT_STREAM: &str = "text/event-stream";

#[derive(Debug)]
pub(super) struct EventStream {
    state: State,
    /// How long to wait before a reconnect, in milliseconds: it outlives the stream that has said so (§9.2.2).
    retry: u64,
}

#[derive(Debug)]
enum State {
    Head(HeadReader),
    Stream {
        body: BodyReader,
        decoder: Box<Decoder>,
    },
    /// An answer that is no stream is read whole, for what it says.
    Other(Box<BufferedBody>),
    Over,
}

impl EventStream {
    pub fn new() -> Self {
        Self { state: State::Over, retry: 0 }
    }

    pub fn ask(&mut self, resource: &Resource, since: &Since, out: &mut Vec<u8>) {
        resource.write_get("text/event-stream\r\nCache-Control: no-store", since, None, out); // §9.2.2
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
            self.state = match (head.status, head.media) {
                (200, Media::EventStream) => {
                    // The stream has no end, so nothing that grows with it may be bounded.
                    let limits =
                        BodyLimits { content: u64::MAX, extensions: u32::MAX, ..BodyLimits::default() };
                    let decoder = Decoder::new(since.id().unwrap_or_default(), resource.limits.stream);
                    let body = BodyReader::new(head.framing, limits)?;
                    State::Stream { body, decoder: Box::new(decoder) }
                }
                (200, _) => return Err(Error::ContentType { expected: EVENT_STREAM }),
                _ => State::Other(Box::new(BufferedBody::new(head, resource.body_limits())?)),
            };
        }
        match &mut self.state {
            State::Stream { body, decoder } => {
                shared.content.clear();
                let read = body.read(rest, &mut shared.content);
                shared.traffic.payload_down += shared.content.len() as u64;
                // What came before a mistake in the framing has come.
                decode(decoder, since, shared, tell)?;
                self.retry = decoder.retry().unwrap_or(self.retry);
                let (_, is_done) = read?;
                if is_done { Ok(self.over()) } else { Ok(Next::Read) }
            }
            State::Other(whole) => {
                let head = whole.head;
                let (_, content) = whole.read(rest)?;
                let Some(content) = content else { return Ok(Next::Read) };
                shared.traffic.payload_down += content.len() as u64;
                let next = head.verdict(content);
                self.state = State::Over;
                next
            }
            State::Head(_) | State::Over => Ok(self.over()),
        }
    }

    pub fn end(&mut self) -> Result<Next, Error> {
        if let State::Other(whole) = &self.state
            && let Some(content) = whole.end()
        {
            let next = whole.head.verdict(content);
            self.state = State::Over;
            return next;
        }
        Ok(self.over())
    }

    fn over(&mut self) -> Next {
        self.state = State::Over;
        Next::Reconnect { at_least: capped(self.retry), reason: RetryReason::Ended }
    }

    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Stream { .. })
    }

    /// Whether an answer is awaited, and nothing of it has come.
    pub fn is_awaiting_response(&self) -> bool {
        matches!(&self.state, State::Head(reader) if !reader.has_begun())
    }
}

/// Tells what the content of one read brings.
fn decode(
    decoder: &mut Decoder,
    since: &mut Since,
    shared: &mut Shared,
    tell: &mut dyn FnMut(Notice<'_>),
) -> Result<(), Error> {
    let mut at = 0;
    loop {
        let (taken, block) = decoder.read_block(&shared.content[at..])?;
        at += taken;
        let id = match block {
            None => return Ok(()),
            Some(Block::Id(id)) => id,
            Some(Block::Event { id, event, data }) => {
                let gap = if event == "gap" { read_gap(data, &mut shared.texts) } else { None };
                let Some(oldest) = gap else {
                    check_id(id)?;
                    shared.traffic.events += 1;
                    shared.traffic.data_down += data.len() as u64;
                    tell(Notice::Event(Event { id, event, data }));
                    since.set(id);
                    continue;
                };
                tell(shared.texts.gap(oldest));
                id
            }
        };
        check_id(id)?;
        since.set(id);
        tell(Notice::Cursor(id));
    }
}
