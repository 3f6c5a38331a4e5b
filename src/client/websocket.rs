//! Messages in both directions, and the closing handshake (RFC 6455 §5 to §7).

use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

use super::compression::{self, Deflater};
use super::connect::Request;
use super::error::{Error, Misuse};
use super::random::Random;
use super::stream::{BufferedStream, Received};
use crate::protocol::websocket::ProtocolError;
use crate::protocol::websocket::client_handshake::Negotiated;
use crate::protocol::websocket::close::{self, CloseCode};
use crate::protocol::websocket::extension::Agreement;
use crate::protocol::websocket::frame::{FrameHeader, MAX_CONTROL_PAYLOAD, MAX_HEADER, Opcode};
use crate::protocol::websocket::mask;
use crate::protocol::websocket::message::{MessageEvent, Receiver};

/// Bytes of a payload that are masked and written at once: the only copy that sending makes.
const PIECE: usize = 64 * 1024;

/// What a read gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
    /// The answer to a ping, or a pong that nobody asked for (RFC 6455 §5.5.3).
    Pong(Vec<u8>),
    /// The server has closed, with a code and a reason if it gave one. It has been answered; the connection is over.
    Close(Option<(CloseCode, String)>),
}

/// An open connection, as a client has it. Dropped without [`close`](Self::close), it just ends TCP.
///
/// Everything here blocks. So a client that writes much before it reads what comes back waits for a server that waits for
/// the client to read, until [`write_timeout`](Request::write_timeout) is over.
#[derive(Debug)]
pub struct WebSocket {
    wire: BufferedStream,
    random: Random,
    receiver: Receiver,
    deflater: Option<Deflater>,
    state: State,
    subprotocol: Option<String>,
    agreement: Option<Agreement>,
    read_timeout: Option<Duration>,
    close_timeout: Duration,
}

/// How far the connection is (RFC 6455 §7.1). Between the two close frames it is in nobody's hands but
/// [`WebSocket::close`]'s, so there is no state for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    Closed,
}

/// What one call of the receiver brings, in bytes of its own.
enum Incoming {
    Message(Message),
    Ping(Vec<u8>),
    Close(Option<(CloseCode, String)>),
}

impl WebSocket {
    pub(super) fn new(
        wire: BufferedStream,
        random: Random,
        request: &Request<'_>,
        opened: &Negotiated<'_>,
    ) -> Self {
        let (receiver, deflater) = compression::halves(request.limits, opened.agreement.as_ref());
        Self {
            wire,
            random,
            receiver,
            deflater,
            state: State::Open,
            subprotocol: opened.subprotocol.map(str::to_owned),
            agreement: opened.agreement,
            read_timeout: request.read_timeout,
            close_timeout: request.close_timeout,
        }
    }

    /// The subprotocol that the server has chosen, of those that were asked for.
    pub fn subprotocol(&self) -> Option<&str> {
        self.subprotocol.as_deref()
    }

    /// How messages are compressed, if they are (RFC 7692 §7.1).
    pub fn agreement(&self) -> Option<&Agreement> {
        self.agreement.as_ref()
    }

    /// Sends a text message, in one frame.
    ///
    /// # Errors
    /// [`Error::Misuse`], [`Error::TimedOut`] or [`Error::Io`]; after the last two the connection is over.
    pub fn send_text(&mut self, text: &str) -> Result<(), Error> {
        self.send_message(Opcode::Text, text.as_bytes())
    }

    /// Sends a binary message, in one frame.
    ///
    /// # Errors
    /// As those of [`send_text`](Self::send_text).
    pub fn send_binary(&mut self, data: &[u8]) -> Result<(), Error> {
        self.send_message(Opcode::Binary, data)
    }

    /// Sends a ping of at most 125 bytes; the pong comes from [`read`](Self::read), behind what the server sent before it.
    ///
    /// # Errors
    /// As those of [`send_text`](Self::send_text), and [`Misuse::PayloadTooLong`].
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
        if payload.len() > MAX_CONTROL_PAYLOAD {
            return Err(Misuse::PayloadTooLong.into());
        }
        self.send_control(Opcode::Ping, payload)
    }

    /// Waits for the next message. Pings are answered on the way.
    ///
    /// When the server closes, its close frame is answered, and TCP is ended once the server has ended it (RFC 6455
    /// §5.5.1, §7.1.1).
    ///
    /// # Errors
    /// [`Error::TimedOut`] when [`read_timeout`](Request::read_timeout) is over: nothing is lost, and the next call goes on.
    /// [`Error::Protocol`] when the server breaks the protocol, [`Error::Ended`] when TCP ends without a close frame; the
    /// connection is then over, as after [`Error::Io`].
    pub fn read(&mut self) -> Result<Message, Error> {
        self.ensure_open()?;
        let until = self.read_timeout.map(|timeout| Instant::now() + timeout);
        loop {
            match self.receive(until)? {
                Incoming::Message(message) => return Ok(message),
                Incoming::Ping(payload) => {
                    // §5.5.2. A pong that cannot be written shows at the next read, behind what has come already: a server
                    // may ping, close and be gone.
                    let _ = self.send_control(Opcode::Pong, &payload);
                }
                Incoming::Close(close) => {
                    let answer = close.as_ref().map(|(code, _)| close::payload(*code, "")); // §5.5.1
                    // The server may be gone already; its close frame has come all the same.
                    let _ = self.send_control(Opcode::Close, &answer.unwrap_or_default());
                    self.finish();
                    return Ok(Message::Close(close));
                }
            }
        }
    }

    /// Closes the connection: sends a close frame, waits for the server's, and for it to end TCP (RFC 6455 §7.1.1, §7.1.2).
    ///
    /// Messages that come meanwhile are dropped. A reason of more than 123 bytes is cut. Returns the code and the reason of
    /// the server's close frame.
    ///
    /// # Errors
    /// [`Misuse::ForbiddenCode`] if no close frame may hold `code`; [`Error::TimedOut`] when
    /// [`close_timeout`](Request::close_timeout) is over before the server's close frame is there; and those of
    /// [`read`](Self::read). Whatever it is, TCP ends.
    pub fn close(mut self, code: CloseCode, reason: &str) -> Result<Option<(CloseCode, String)>, Error> {
        if !code.may_be_sent() {
            return Err(Misuse::ForbiddenCode.into());
        }
        self.send_control(Opcode::Close, &close::payload(code, reason))?;
        let until = Instant::now() + self.close_timeout;
        loop {
            match self.receive(Some(until))? {
                // §5.5.1: behind the close frame nothing may be sent, no pong either.
                Incoming::Message(_) | Incoming::Ping(_) => {}
                Incoming::Close(close) => {
                    self.finish();
                    return Ok(close);
                }
            }
        }
    }

    fn ensure_open(&self) -> Result<(), Error> {
        match self.state {
            State::Open => Ok(()),
            State::Closed => Err(Misuse::Closed.into()),
        }
    }

    /// Waits for what the receiver makes of the bytes that come; `until` is the end of the wait.
    fn receive(&mut self, until: Option<Instant>) -> Result<Incoming, Error> {
        loop {
            match self.receiver.receive(self.wire.unread()) {
                Ok((consumed, event)) => {
                    let incoming = event.map(Incoming::from);
                    self.wire.consume(consumed);
                    if let Some(incoming) = incoming {
                        return Ok(incoming);
                    }
                }
                Err(failure) => return Err(self.fail(failure)),
            }
            match self.wire.fill(until) {
                Ok(Received::More) => {}
                Ok(Received::TimedOut) => return Err(Error::TimedOut),
                Ok(Received::End) => {
                    self.drop_now();
                    return Err(Error::Ended);
                }
                Err(error) => return Err(self.broken(error)),
            }
        }
    }

    /// Sends a message, compressed if that is agreed (RFC 7692 §6.1): always, for the next may refer to it.
    fn send_message(&mut self, opcode: Opcode, payload: &[u8]) -> Result<(), Error> {
        self.ensure_open()?;
        let Some(deflater) = &mut self.deflater else { return self.send_frame(opcode, false, payload) };
        let mut compressed = Vec::new();
        deflater.compress(payload, &mut compressed);
        self.send_frame(opcode, true, &compressed)
    }

    fn send_control(&mut self, opcode: Opcode, payload: &[u8]) -> Result<(), Error> {
        self.send_frame(opcode, false, payload)
    }

    /// Sends one frame: the header, and the payload masked with a key that nobody can foretell (RFC 6455 §5.3).
    fn send_frame(&mut self, opcode: Opcode, rsv1: bool, payload: &[u8]) -> Result<(), Error> {
        self.ensure_open()?;
        let masking_key = self.random.draw().map_err(|error| self.broken(error))?;
        let payload_length = payload.len() as u64;
        let mut out = Vec::with_capacity(MAX_HEADER + payload.len().min(PIECE));
        FrameHeader { fin: true, rsv1, opcode, masking_key: Some(masking_key), payload_length }
            .encode(&mut out);
        // A payload of any length costs one piece; a short frame is one write, with its header.
        let (first, rest) = payload.split_at(payload.len().min(PIECE));
        let mut offset = 0;
        for piece in std::iter::once(first).chain(rest.chunks(PIECE)) {
            let start = out.len();
            out.extend_from_slice(piece);
            mask::apply(masking_key, offset, &mut out[start..]);
            offset += piece.len();
            self.wire.write(&out).map_err(|error| self.broken(error))?;
            out.clear();
        }
        Ok(())
    }

    /// Fails the connection (§7.1.7): tells the server why, and reads nothing more of what it says.
    fn fail(&mut self, failure: ProtocolError) -> Error {
        let payload = close::payload(failure.close_code(), &failure.to_string());
        // If it cannot be told any more, the connection is over all the same.
        let _ = self.send_control(Opcode::Close, &payload);
        self.finish();
        Error::Protocol(failure)
    }

    /// After the last frame in both directions: the server ends TCP first (§7.1.1).
    fn finish(&mut self) {
        self.wire.end(self.close_timeout);
        self.state = State::Closed;
    }

    fn drop_now(&mut self) {
        self.wire.drop_now();
        self.state = State::Closed;
    }

    /// A frame that is half written, or a stream that cannot be read, is the end.
    fn broken(&mut self, error: io::Error) -> Error {
        self.drop_now();
        match error.kind() {
            ErrorKind::TimedOut | ErrorKind::WouldBlock => Error::TimedOut,
            _ => Error::Io(error),
        }
    }
}

impl From<MessageEvent<'_>> for Incoming {
    fn from(event: MessageEvent<'_>) -> Self {
        match event {
            MessageEvent::Text(text) => Self::Message(Message::Text(text.to_owned())),
            MessageEvent::Binary(data) => Self::Message(Message::Binary(data.to_owned())),
            MessageEvent::Pong(payload) => Self::Message(Message::Pong(payload.to_owned())),
            MessageEvent::Ping(payload) => Self::Ping(payload.to_owned()),
            MessageEvent::Close(close) => Self::Close(close.map(|(code, reason)| (code, reason.to_owned()))),
        }
    }
}
