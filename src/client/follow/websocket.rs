//! Following over a WebSocket: a handshake, a first message with the cursor, then one message per
//! event (RFC 6455).

use std::time::Duration;

use super::error::Error;
use super::json::{Object, read_message};
use super::resource::{ACCEPT_ENCODING, Resource};
use super::response::{BufferedBody, Expected, Head, HeadReader};
use super::shared::Shared;
use super::{Next, Notice, ResponseLimits, RetryReason, Since, check_event, check_id};
use crate::protocol::http::Response;
use crate::protocol::websocket::client_handshake::{ClientHandshake, Key};
use crate::protocol::websocket::close::{self, CloseCode};
use crate::protocol::websocket::frame::{self, MAX_CONTROL_PAYLOAD, Opcode};
use crate::protocol::websocket::message::{MessageEvent as Incoming, Receiver, Role};
use crate::text::printable;

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
    /// The server refused the handshake. The body of its response may explain the status.
    Other(Box<BufferedBody>),
    Over,
}

/// The outcome of the handshake response.
enum HandshakeOutcome {
    Open,
    Other(Head),
}

impl WebSocket {
    pub fn new() -> Self {
        Self { state: State::Over }
    }

    pub fn write_request(
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
        let fields: Vec<_> = [ACCEPT_ENCODING].into_iter().chain(id).chain(fields).collect();
        let target = String::from_utf8_lossy(&target); // the target of a URL is ASCII
        handshake(resource, &target, &fields).write_request(&key, out)?;
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
        notify: &mut dyn FnMut(Notice<'_>),
    ) -> Result<Next, Error> {
        let mut at = 0;
        if let State::Handshake { key, reader } = &mut self.state {
            let (consumed, outcome) = reader
                .read(input, &resource.limits.head, |response| check_response(resource, key, response))?;
            at = consumed;
            let Some(outcome) = outcome else { return Ok(Next::Read) };
            shared.traffic.responses += 1;
            self.state = match outcome {
                HandshakeOutcome::Open => {
                    State::Open(Box::new(Receiver::new(Role::Client, resource.limits.message)))
                }
                HandshakeOutcome::Other(head) => {
                    State::Other(Box::new(BufferedBody::new(head, resource.body_limits())?))
                }
            };
        }
        match &mut self.state {
            State::Open(receiver) => {
                let limits = &resource.limits;
                let next = receive_messages(receiver, &mut input[at..], limits, since, shared, out, notify);
                if !matches!(next, Ok(Next::Read)) {
                    self.state = State::Over;
                }
                next
            }
            State::Other(body) => {
                let head = body.head;
                let (_, content) = body.read(&input[at..])?;
                let Some(content) = content else { return Ok(Next::Read) };
                shared.traffic.payload_down += content.len() as u64;
                let next = head.failure(content);
                self.state = State::Over;
                next
            }
            State::Handshake { .. } | State::Over => Ok(ENDED),
        }
    }

    pub fn end(&mut self) -> Result<Next, Error> {
        let next = match &self.state {
            State::Other(body) => body.end().map(|content| body.head.failure(content)),
            _ => None,
        };
        self.state = State::Over;
        next.unwrap_or(Ok(ENDED))
    }

    /// Appends a ping if the WebSocket is open, and returns whether it is open.
    pub fn ping(&self, shared: &mut Shared, out: &mut Vec<u8>) -> Result<bool, Error> {
        if self.is_open() {
            write_control(Opcode::Ping, b"", shared, out)?;
        }
        Ok(self.is_open())
    }

    /// Appends a close frame if the WebSocket is open (§7.1.2).
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

    /// Returns whether the client is waiting for a response of which no byte has arrived.
    pub fn is_awaiting_response(&self) -> bool {
        matches!(&self.state, State::Handshake { reader, .. } if !reader.has_started())
    }
}

const ENDED: Next = Next::Reconnect { after: Duration::ZERO, reason: RetryReason::Ended };

/// Returns the parameters of the handshake. It offers no subprotocol, so the server sends events as
/// JSON, and no compression.
fn handshake<'a>(
    resource: &'a Resource,
    target: &'a str,
    fields: &'a [(&'a str, &'a str)],
) -> ClientHandshake<'a> {
    ClientHandshake { host: &resource.url.authority, target, subprotocols: &[], fields, offer: None }
}

/// Checks the response to the handshake.
fn check_response(
    resource: &Resource,
    key: &Key,
    response: &Response<'_, '_>,
) -> Result<HandshakeOutcome, Error> {
    if response.status == 101 {
        handshake(resource, "/", &[]).check_response(key, response)?;
        return Ok(HandshakeOutcome::Open);
    }
    Head::expect(Expected::WebSocket, response).map(HandshakeOutcome::Other)
}

/// Reports the events in `input`, and appends the replies to control frames to `out`.
fn receive_messages(
    receiver: &mut Receiver,
    input: &mut [u8],
    limits: &ResponseLimits,
    since: &mut Since,
    shared: &mut Shared,
    out: &mut Vec<u8>,
    notify: &mut dyn FnMut(Notice<'_>),
) -> Result<Next, Error> {
    let mut at = 0;
    // Only the latest of several pings needs a pong (§5.5.3).
    let mut ping = None;
    let next = loop {
        let (consumed, incoming) = match receiver.receive(&mut input[at..]) {
            Ok(received) => received,
            Err(error) => {
                let payload = close::payload(error.close_code(), &error.close_reason());
                write_control(Opcode::Close, &payload, shared, out)?; // §7.1.7
                break Err(Error::Protocol(error));
            }
        };
        at += consumed;
        match incoming {
            None => break Ok(Next::Read),
            Some(Incoming::Text(text)) => {
                shared.traffic.payload_down += text.len() as u64;
                receive_message(text, limits, since, shared, notify)?;
            }
            Some(Incoming::Binary(_)) => return Err(Error::UnexpectedJson),
            Some(Incoming::Ping(payload)) => {
                let mut kept = [0; MAX_CONTROL_PAYLOAD];
                kept[..payload.len()].copy_from_slice(payload);
                ping = Some((kept, payload.len()));
            }
            Some(Incoming::Pong(_)) => {}
            Some(Incoming::Close(close)) => {
                let reply = close.map(|(code, _)| close::payload(code, "")); // §5.5.1
                write_control(Opcode::Close, &reply.unwrap_or_default(), shared, out)?;
                return after_close(close);
            }
        }
    };
    if let (Ok(_), Some((payload, length))) = (&next, ping) {
        write_control(Opcode::Pong, &payload[..length], shared, out)?; // §5.5.2
    }
    next
}

/// Reports the content of one message: an event, or the cursor after a gap if there is one.
fn receive_message(
    text: &str,
    limits: &ResponseLimits,
    since: &mut Since,
    shared: &mut Shared,
    notify: &mut dyn FnMut(Notice<'_>),
) -> Result<(), Error> {
    match read_message(text, &mut shared.buffers)? {
        Object::Event => {
            let event = shared.buffers.event();
            check_event(&event, limits)?;
            shared.traffic.events += 1;
            shared.traffic.data_down += event.data.len() as u64;
            notify(Notice::Event(event));
            since.set(event.id);
        }
        Object::Hello { gap } => {
            check_id(&shared.buffers.next)?;
            if let Some(oldest) = gap {
                notify(shared.buffers.gap(oldest));
            }
            since.set(&shared.buffers.next);
            notify(Notice::Cursor(&shared.buffers.next));
        }
    }
    Ok(())
}

/// Returns how the follower proceeds after the server's close frame (§7.4.1).
///
/// Codes that blame the client, and codes from 3000 that RFC 6455 does not define, are errors: the
/// server would send the same code to a client that reconnects.
fn after_close(close: Option<(CloseCode, &str)>) -> Result<Next, Error> {
    let Some((code, reason)) = close else { return Ok(ENDED) };
    match code.0 {
        1002 | 1003 | 1007..=1010 | 3000.. => {
            Err(Error::Closed { code, reason: printable(reason.as_bytes()).into() })
        }
        _ => Ok(Next::Reconnect { after: Duration::ZERO, reason: RetryReason::Closed(code) }),
    }
}

/// Appends a control frame, masked with an unpredictable key (§5.3).
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
