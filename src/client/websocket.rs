//! An open WebSocket: messages in both directions and the closing handshake (RFC 6455 §5 to §7).

use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

use super::compression::{self, Deflater};
use super::error::{Error, Misuse};
use super::random::Random;
use super::request::Request;
use super::stream::{BufferedStream, Received};
use crate::protocol::websocket::ProtocolError;
use crate::protocol::websocket::client_handshake::Negotiated;
use crate::protocol::websocket::close::{self, CloseCode};
use crate::protocol::websocket::extension::Agreement;
use crate::protocol::websocket::frame::{FrameHeader, MAX_CONTROL_PAYLOAD, MAX_HEADER, Opcode};
use crate::protocol::websocket::mask;
use crate::protocol::websocket::message::{MessageEvent, Receiver};

/// Payload bytes that are masked and written at once. Masking them makes the only copy of a
/// payload.
const CHUNK: usize = 64 * 1024;

/// A message from the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
    /// A pong: the response to a ping, or unsolicited (RFC 6455 §5.5.3).
    Pong(Vec<u8>),
    /// A close frame, with the code and reason if it has them. The client has replied; the
    /// connection is over.
    Close(Option<(CloseCode, String)>),
}

/// The client's end of an open WebSocket. Dropping it without [`close`](Self::close) ends TCP only.
///
/// All calls block. If the client writes a lot before it reads, both sides can block in a write
/// until [`write_timeout`](Request::write_timeout) elapses.
#[derive(Debug)]
pub struct WebSocket {
    stream: BufferedStream,
    random: Random,
    receiver: Receiver,
    deflater: Option<Deflater>,
    state: State,
    subprotocol: Option<String>,
    agreement: Option<Agreement>,
    read_timeout: Option<Duration>,
    close_timeout: Duration,
}

/// The state of the connection (RFC 6455 §7.1).
///
/// No state covers the time between the two close frames: only [`WebSocket::close`] is active
/// then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    Closed,
}

/// An owned copy of what one call of the receiver returns.
enum Incoming {
    Message(Message),
    Ping(Vec<u8>),
    Close(Option<(CloseCode, String)>),
}

impl WebSocket {
    pub(super) fn new(
        stream: BufferedStream,
        random: Random,
        request: &Request<'_>,
        negotiated: &Negotiated<'_>,
    ) -> Self {
        let (receiver, deflater) = compression::halves(request.limits, negotiated.agreement.as_ref());
        Self {
            stream,
            random,
            receiver,
            deflater,
            state: State::Open,
            subprotocol: negotiated.subprotocol.map(str::to_owned),
            agreement: negotiated.agreement,
            read_timeout: request.read_timeout,
            close_timeout: request.close_timeout,
        }
    }

    /// Returns the subprotocol that the server has selected from those requested.
    pub fn subprotocol(&self) -> Option<&str> {
        self.subprotocol.as_deref()
    }

    /// Returns the negotiated compression, if any (RFC 7692 §7.1).
    pub fn agreement(&self) -> Option<&Agreement> {
        self.agreement.as_ref()
    }

    /// Sends a text message in one frame.
    ///
    /// # Errors
    /// [`Error::Misuse`], [`Error::TimedOut`] or [`Error::Io`]. The connection is over after the
    /// last two.
    pub fn send_text(&mut self, text: &str) -> Result<(), Error> {
        self.send_message(Opcode::Text, text.as_bytes())
    }

    /// Sends a binary message in one frame.
    ///
    /// # Errors
    /// The same as [`send_text`](Self::send_text).
    pub fn send_binary(&mut self, data: &[u8]) -> Result<(), Error> {
        self.send_message(Opcode::Binary, data)
    }

    /// Sends a ping of at most 125 bytes. [`read`](Self::read) returns the pong, after everything
    /// that the server sent before it.
    ///
    /// # Errors
    /// The same as [`send_text`](Self::send_text), and [`Misuse::PayloadTooLong`].
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
        if payload.len() > MAX_CONTROL_PAYLOAD {
            return Err(Misuse::PayloadTooLong.into());
        }
        self.send_control(Opcode::Ping, payload)
    }

    /// Waits for the next message and replies to pings meanwhile.
    ///
    /// If the server closes, the client replies with a close frame, waits for the server to end
    /// TCP, and ends TCP (RFC 6455 §5.5.1, §7.1.1).
    ///
    /// # Errors
    /// [`Error::TimedOut`] when [`read_timeout`](Request::read_timeout) elapses; no data is lost,
    /// and the next call continues. [`Error::Protocol`] when the server violates the protocol,
    /// [`Error::Ended`] when TCP ends without a close frame, and [`Error::Io`]; the connection is
    /// over after these.
    pub fn read(&mut self) -> Result<Message, Error> {
        self.ensure_open()?;
        let until = self.read_timeout.map(|timeout| Instant::now() + timeout);
        loop {
            match self.receive(until)? {
                Incoming::Message(message) => return Ok(message),
                Incoming::Ping(payload) => {
                    // §5.5.2. A failed write is ignored: the server may have sent a ping and a
                    // close frame and then ended TCP. The next read returns what has arrived and
                    // then reports the error.
                    let _ = self.send_control(Opcode::Pong, &payload);
                }
                Incoming::Close(close) => {
                    let reply = close.as_ref().map(|(code, _)| close::payload(*code, "")); // §5.5.1
                    // A failed write is ignored: the server's close frame is complete even if TCP
                    // has ended.
                    let _ = self.send_control(Opcode::Close, &reply.unwrap_or_default());
                    self.finish();
                    return Ok(Message::Close(close));
                }
            }
        }
    }

    /// Closes the connection: sends a close frame, waits for the server's, and waits for the server
    /// to end TCP (RFC 6455 §7.1.1, §7.1.2).
    ///
    /// Messages that arrive meanwhile are dropped. A reason longer than 123 bytes is truncated.
    /// Returns the code and the reason of the server's close frame.
    ///
    /// # Errors
    /// [`Misuse::ForbiddenCode`] if a close frame may not contain `code`; [`Error::TimedOut`] if
    /// the server's close frame does not arrive within [`close_timeout`](Request::close_timeout);
    /// and the errors of [`read`](Self::read). TCP ends in every case.
    pub fn close(mut self, code: CloseCode, reason: &str) -> Result<Option<(CloseCode, String)>, Error> {
        if !code.may_be_sent() {
            return Err(Misuse::ForbiddenCode.into());
        }
        self.send_control(Opcode::Close, &close::payload(code, reason))?;
        let until = Instant::now() + self.close_timeout;
        loop {
            match self.receive(Some(until))? {
                // §5.5.1: after the close frame nothing may be sent, not even a pong.
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

    /// Waits for the next message or control frame, until `until` at most.
    fn receive(&mut self, until: Option<Instant>) -> Result<Incoming, Error> {
        loop {
            match self.receiver.receive(self.stream.unread()) {
                Ok((consumed, event)) => {
                    let incoming = event.map(Incoming::from);
                    self.stream.consume(consumed);
                    if let Some(incoming) = incoming {
                        return Ok(incoming);
                    }
                }
                Err(error) => return Err(self.fail(error)),
            }
            match self.stream.fill(until) {
                Ok(Received::Data) => {}
                Ok(Received::TimedOut) => return Err(Error::TimedOut),
                Ok(Received::End) => {
                    self.shut_down();
                    return Err(Error::Ended);
                }
                Err(error) => return Err(self.io_error(error)),
            }
        }
    }

    /// Sends a message, compressed if compression was negotiated (RFC 7692 §6.1).
    ///
    /// Every message is compressed, however small, because later ones may refer to its content.
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

    /// Sends one frame: the header and the payload, masked with an unpredictable key (RFC 6455
    /// §5.3).
    fn send_frame(&mut self, opcode: Opcode, rsv1: bool, payload: &[u8]) -> Result<(), Error> {
        self.ensure_open()?;
        let masking_key = self.random.draw().map_err(|error| self.io_error(error))?;
        let payload_length = payload.len() as u64;
        let mut out = Vec::with_capacity(MAX_HEADER + payload.len().min(CHUNK));
        FrameHeader { fin: true, rsv1, opcode, masking_key: Some(masking_key), payload_length }
            .encode(&mut out);
        // A payload of any length needs the memory of one chunk. A short frame takes one write,
        // with its header.
        let (first, rest) = payload.split_at(payload.len().min(CHUNK));
        let mut offset = 0;
        for chunk in std::iter::once(first).chain(rest.chunks(CHUNK)) {
            let start = out.len();
            out.extend_from_slice(chunk);
            mask::apply(masking_key, offset, &mut out[start..]);
            offset += chunk.len();
            self.stream.write(&out).map_err(|error| self.io_error(error))?;
            out.clear();
        }
        Ok(())
    }

    /// Fails the connection (§7.1.7): sends the reason to the server and processes no more of its
    /// data.
    fn fail(&mut self, error: ProtocolError) -> Error {
        let payload = close::payload(error.close_code(), &error.close_reason());
        // The connection is over whether or not the close frame can be written.
        let _ = self.send_control(Opcode::Close, &payload);
        self.finish();
        Error::Protocol(error)
    }

    /// Ends TCP after the last frame in both directions. The server ends its side first (§7.1.1).
    fn finish(&mut self) {
        self.stream.wait_for_end(self.close_timeout);
        self.state = State::Closed;
    }

    fn shut_down(&mut self) {
        self.stream.shut_down();
        self.state = State::Closed;
    }

    /// Ends the connection after an I/O error: a half-written frame or a lost read cannot be
    /// repaired.
    fn io_error(&mut self, error: io::Error) -> Error {
        self.shut_down();
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
