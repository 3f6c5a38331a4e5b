//! WebSocket: a handshake, and a message for each event (RFC 6455).

use std::time::Duration;

use super::error::Error;
use super::json::{Object, read_message};
use super::resource::Resource;
use super::response::{BufferedBody, Head, HeadReader};
use super::shared::Shared;
use super::{Next, Notice, RetryReason, Since, check_id};
use crate::protocol::websocket::client_handshake::{ClientHandshake, ClientHandshakeError, Key};
use crate::protocol::websocket::close::{self, CloseCode};
use crate::protocol::websocket::frame::{self, MAX_CONTROL_PAYLOAD, Opcode};
use crate::protocol::websocket::message::{MessageEvent as Incoming, Receiver, Role};

#[derive(Debug)]
pub(super) struct WebSocket {
    state: State,
}

#[derive(Debug)]
enum State {
    Handshake {
        key: Key,
        reader: HeadReader,
    },
    Open(Box<Receiver>),
    /// An answer that is no handshake is read whole, for what it says.
    Other(Box<BufferedBody>),
    Over,
}

/// What the handshake's answer is.
enum Judged {
    Opened,
    Other(Head),
}

impl WebSocket {
    pub fn new() -> Self {
        Self { state: State::Over }
    }

    pub fn ask(
        &mut self,
        resource: &Resource,
        since: &Since,
        shared: &mut Shared,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let key = Key::new(shared.draw()?);
        let mut target = Vec::new();
        resource.write_target(since, None, &mut target);
        let id = since.field().map(|id| ("Last-Event-ID", id));
        let fields = resource.fields.iter().map(|(name, value)| (&**name, &**value));
        let fields: Vec<_> = id.into_iter().chain(fields).collect();
        let target = String::from_utf8_lossy(&target); // a URL's, and so ASCII
        opening(resource, &target, &fields).write_request(&key, out)?;
        self.state = State::Handshake { key, reader: HeadReader::default() };
        Ok(())
    }

    pub fn receive(
        &mut self,
        input: &mut [u8],
        resource: &Resource,
        since: &mut Since,
        shared: &mut Shared,
        out: &mut Vec<u8>,
        tell: &mut dyn FnMut(Notice<'_>),
    ) -> Result<Next, Error> {
        let mut at = 0;
        if let State::Handshake { key, reader } = &mut self.state {
            let (taken, judged) =
                reader.read(input, &resource.limits.head, |answer| match answer.status {
                    // A proxy that passes the request on without its upgrade gets a plain answer.
                    status if status != 101 && status < 300 => {
                        Err(Error::Handshake(ClientHandshakeError::Status(status)))
                    }
                    101 => {
                        opening(resource, "/", &[]).check_response(key, answer)?;
                        Ok(Judged::Opened)
                    }
                    _ => Head::of(answer).map(Judged::Other),
                })?;
            at = taken;
            let Some(judged) = judged else { return Ok(Next::Read) };
            shared.traffic.responses += 1;
            self.state = match judged {
                Judged::Opened => State::Open(Box::new(Receiver::new(Role::Client, resource.limits.message))),
                Judged::Other(head) => {
                    State::Other(Box::new(BufferedBody::new(head, resource.body_limits())?))
                }
            };
        }
        match &mut self.state {
            State::Open(receiver) => {
                let next = messages(receiver, &mut input[at..], since, shared, out, tell);
                if !matches!(next, Ok(Next::Read)) {
                    self.state = State::Over;
                }
                next
            }
            State::Other(whole) => {
                let head = whole.head;
                let (_, content) = whole.read(&input[at..])?;
                let Some(content) = content else { return Ok(Next::Read) };
                shared.traffic.payload_down += content.len() as u64;
                let next = head.verdict(content);
                self.state = State::Over;
                next
            }
            State::Handshake { .. } | State::Over => Ok(ENDED),
        }
    }

    pub fn end(&mut self) -> Result<Next, Error> {
        let next = match &self.state {
            State::Other(whole) => whole.end().map(|content| whole.head.verdict(content)),
            _ => None,
        };
        self.state = State::Over;
        next.unwrap_or(Ok(ENDED))
    }

    /// Appends a ping, if the WebSocket is open.
    pub fn ping(&self, shared: &mut Shared, out: &mut Vec<u8>) -> Result<bool, Error> {
        if self.is_open() {
            write_control(Opcode::Ping, b"", shared, out)?;
        }
        Ok(self.is_open())
    }

    /// Appends a close frame, if the WebSocket is open (§7.1.2).
    pub fn close(&mut self, shared: &mut Shared, out: &mut Vec<u8>) -> Result<(), Error> {
        if self.is_open() {
            write_control(Opcode::Close, &close::payload(CloseCode::NORMAL, ""), shared, out)?;
        }
        self.state = State::Over;
        Ok(())
    }

    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open(_))
    }

    /// Whether an answer is awaited, and nothing of it has come.
    pub fn is_awaiting_response(&self) -> bool {
        matches!(&self.state, State::Handshake { reader, .. } if !reader.has_begun())
    }
}

const ENDED: Next = Next::Reconnect { at_least: Duration::ZERO, reason: RetryReason::Ended };

/// The handshake. No subprotocol is asked for, which is to ask for events in JSON, and no compression.
fn opening<'a>(
    resource: &'a Resource,
    target: &'a str,
    fields: &'a [(&'a str, &'a str)],
) -> ClientHandshake<'a> {
    ClientHandshake { host: &resource.url.authority, target, subprotocols: &[], fields, offer: None }
}

fn messages(
    receiver: &mut Receiver,
    input: &mut [u8],
    since: &mut Since,
    shared: &mut Shared,
    out: &mut Vec<u8>,
    tell: &mut dyn FnMut(Notice<'_>),
) -> Result<Next, Error> {
    let mut at = 0;
    // Of several pings only the last has to be answered (§5.5.3).
    let mut ping = None;
    let next = loop {
        let (consumed, incoming) = match receiver.receive(&mut input[at..]) {
            Ok(received) => received,
            Err(failure) => {
                let payload = close::payload(failure.close_code(), &failure.to_string());
                write_control(Opcode::Close, &payload, shared, out)?; // §7.1.7
                break Err(Error::Protocol(failure));
            }
        };
        at += consumed;
        match incoming {
            None => break Ok(Next::Read),
            Some(Incoming::Text(text)) => {
                shared.traffic.payload_down += text.len() as u64;
                message(text, since, shared, tell)?;
            }
            Some(Incoming::Binary(_)) => return Err(Error::UnexpectedJson),
            Some(Incoming::Ping(payload)) => {
                let mut kept = [0; MAX_CONTROL_PAYLOAD];
                kept[..payload.len()].copy_from_slice(payload);
                ping = Some((kept, payload.len()));
            }
            Some(Incoming::Pong(_)) => {}
            Some(Incoming::Close(close)) => {
                let answer = close.map(|(code, _)| close::payload(code, "")); // §5.5.1
                write_control(Opcode::Close, &answer.unwrap_or_default(), shared, out)?;
                return closed(close);
            }
        }
    };
    if let (Ok(_), Some((payload, length))) = (&next, ping) {
        write_control(Opcode::Pong, &payload[..length], shared, out)?; // §5.5.2
    }
    next
}

fn message(
    text: &str,
    since: &mut Since,
    shared: &mut Shared,
    tell: &mut dyn FnMut(Notice<'_>),
) -> Result<(), Error> {
    match read_message(text, &mut shared.texts)? {
        Object::Event => {
            let event = shared.texts.event();
            check_id(event.id)?;
            shared.traffic.events += 1;
            shared.traffic.data_down += event.data.len() as u64;
            tell(Notice::Event(event));
            since.set(event.id);
        }
        Object::Hello { gap } => {
            check_id(&shared.texts.next)?;
            if let Some(oldest) = gap {
                tell(shared.texts.gap(oldest));
            }
            since.set(&shared.texts.next);
            tell(Notice::Cursor(&shared.texts.next));
        }
    }
    Ok(())
}

/// What the server's close means for who wants to follow on (§7.4.1): what says that this side is wrong says it again.
fn closed(close: Option<(CloseCode, &str)>) -> Result<Next, Error> {
    let Some((code, reason)) = close else { return Ok(ENDED) };
    match code.0 {
        1002 | 1003 | 1007..=1010 | 3000.. => {
            let reason: String = reason.chars().filter(|character| !character.is_control()).collect();
            Err(Error::Closed { code, reason: reason.into() })
        }
        _ => Ok(Next::Reconnect { at_least: Duration::ZERO, reason: RetryReason::Closed(code) }),
    }
}

/// Appends a control frame, masked with a key that nobody can foretell (§5.3).
fn write_control(
    opcode: Opcode,
    payload: &[u8],
    shared: &mut Shared,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let [a, b, c, d, ..] = shared.draw()?;
    frame::write_masked_frame([a, b, c, d], opcode, payload, out);
    Ok(())
}
