//! The client side of one connection as a state machine without sockets: bytes in, split anywhere,
//! and events out.
//!
//! A session is one level below [`Follower`](crate::client::follow::Follower). It does not depend
//! on barewire's JSON, so the server can be any implementation.

use std::rc::Rc;
use std::time::Instant;

use super::event_tag::TagScanner;
use crate::client::follow::{BufferedBody, Error, Expected, Head, HeadReader};
use crate::protocol::http::{BodyLimits, BodyReader, HeadLimits, Response};
use crate::protocol::sse::{Block, DecodeLimits, Decoder};
use crate::protocol::websocket::client_handshake::{ClientHandshake, ClientHandshakeError, Key};
use crate::protocol::websocket::close::CloseCode;
use crate::protocol::websocket::message::{MessageEvent, MessageLimits, Receiver, Role};
use crate::tools::cursor_place::CursorPlace;
use crate::tools::load::{EndReason, Handler, Output};

/// The longest event or message that is accepted, in bytes: more than any benchmark sends.
const LONGEST: usize = 64 << 20;

/// The most frames of a message that are accepted. Empty ones add nothing to its length.
const MOST_FRAMES: usize = 1 << 20;

/// The protocol of one connection, and its state.
#[derive(Debug)]
pub struct Session(State);

#[derive(Debug)]
enum State {
    /// Awaits the response to a WebSocket handshake (RFC 6455 §4.1).
    Handshake { key: Key, subprotocols: Rc<[String]>, reader: HeadReader },
    /// An open WebSocket.
    Open(Box<Receiver>),
    /// Awaits the response head of an event stream.
    StreamHead(HeadReader),
    /// An open event stream: the framing of its body, and its lines.
    Stream(Box<(BodyReader, Decoder)>),
    /// Awaits the head of a response.
    ResponseHead { place: Rc<CursorPlace>, reader: HeadReader },
    /// Awaits the rest of a response's body.
    ResponseBody { place: Rc<CursorPlace>, cursor: Option<String>, body: Box<BufferedBody> },
    /// Bytes without a protocol.
    Bare(TagScanner),
}

/// Something that the server sent.
#[derive(Debug, PartialEq)]
pub enum SessionEvent<'a> {
    /// The WebSocket handshake succeeded, or the head of an event stream arrived.
    Opened,
    /// The payload of a message, or the data of an event.
    Message(&'a [u8]),
    /// A complete response.
    Response(CompleteResponse<'a>),
    /// Without a protocol: this many bytes arrived.
    Bytes(usize),
    /// Without a protocol: the number of an event tag among the bytes.
    Tag(u64),
    /// A ping, which needs a pong with the same payload (RFC 6455 §5.5.2).
    Ping(&'a [u8]),
    /// The server closes the WebSocket with this code (RFC 6455 §5.5.1), or has ended the stream.
    Close(Option<CloseCode>),
}

/// A complete response.
#[derive(Debug, PartialEq)]
pub struct CompleteResponse<'a> {
    pub status: u16,
    /// Whether the connection can carry another request (RFC 9112 §9.3).
    pub persists: bool,
    /// The cursor of the next request, if the response has one.
    pub cursor: Option<String>,
    pub content: &'a [u8],
}

impl CompleteResponse<'_> {
    /// Returns whether the server did what was requested: 2xx, or 304.
    pub const fn is_success(&self) -> bool {
        matches!(self.status, 200..=299 | 304)
    }
}

/// Handles the events of connections that carry a [`Session`].
pub trait SessionHandler {
    /// See [`Handler::connected`].
    fn connected(&mut self, _id: usize, _output: &mut Output) {}

    /// Called for each event that the server's bytes contain. They were read at `now`.
    fn event(&mut self, id: usize, event: SessionEvent<'_>, output: &mut Output, now: Instant);

    /// See [`Handler::ended`].
    fn ended(&mut self, id: usize, reason: EndReason);
}

impl<H: SessionHandler> Handler<Session> for H {
    fn connected(&mut self, id: usize, output: &mut Output) {
        SessionHandler::connected(self, id, output);
    }

    fn received(
        &mut self,
        id: usize,
        session: &mut Session,
        input: &mut [u8],
        output: &mut Output,
        now: Instant,
    ) -> Result<(), Error> {
        session.receive(input, &mut |event| self.event(id, event, output, now))
    }

    fn end_of_input(&mut self, id: usize, session: &mut Session, output: &mut Output, now: Instant) {
        session.end(&mut |event| self.event(id, event, output, now));
    }

    fn ended(&mut self, id: usize, reason: EndReason) {
        SessionHandler::ended(self, id, reason);
    }
}

impl Session {
    /// Returns a session that awaits the response to a handshake with this key, which offered these
    /// subprotocols.
    pub fn websocket(key: Key, subprotocols: Rc<[String]>) -> Self {
        Self(State::Handshake { key, subprotocols, reader: HeadReader::default() })
    }

    /// Returns a session that awaits an event stream.
    pub fn event_stream() -> Self {
        Self(State::StreamHead(HeadReader::default()))
    }

    /// Returns a session that awaits any number of responses, each with its cursor at `place`.
    pub fn responses(place: Rc<CursorPlace>) -> Self {
        Self(State::ResponseHead { place, reader: HeadReader::default() })
    }

    /// Returns a session without a protocol.
    pub fn bare() -> Self {
        Self(State::Bare(TagScanner::default()))
    }

    /// Consumes all of `input`, and passes what it contains to `emit`.
    ///
    /// # Errors
    /// The first rule that the server breaks, or the status with which it refuses a handshake or an
    /// event stream. The caller must drop the connection after an error.
    pub fn receive(
        &mut self,
        input: &mut [u8],
        emit: &mut impl FnMut(SessionEvent<'_>),
    ) -> Result<(), Error> {
        let mut at = 0;
        while at < input.len() {
            at += self.step(&mut input[at..], emit)?;
        }
        Ok(())
    }

    /// Ends the input. A response body that is delimited by the end of the connection is complete
    /// now (RFC 9112 §6.3, rule 8) and is passed to `emit`.
    pub fn end(&mut self, emit: &mut impl FnMut(SessionEvent<'_>)) {
        let State::ResponseBody { place, cursor, body } = &mut self.0 else { return };
        let Some(content) = body.end() else { return };
        let cursor = cursor.take().or_else(|| place.in_body(content));
        let status = body.head.status;
        emit(SessionEvent::Response(CompleteResponse { status, persists: false, cursor, content }));
    }

    /// Consumes the beginning of `input`, and returns its length.
    fn step(&mut self, input: &mut [u8], emit: &mut impl FnMut(SessionEvent<'_>)) -> Result<usize, Error> {
        match &mut self.0 {
            State::Open(receiver) => receive_frame(receiver, input, emit),
            State::Bare(scanner) => {
                emit(SessionEvent::Bytes(input.len()));
                scanner.scan(input, &mut |number| emit(SessionEvent::Tag(number)));
                Ok(input.len())
            }
            State::Stream(stream) => receive_stream(&mut stream.0, &mut stream.1, input, emit),
            State::ResponseBody { .. } => self.receive_response_body(input, emit),
            State::ResponseHead { place, reader } => {
                let check = |response: &Response<'_, '_>| Ok((Head::of(response)?, place.in_head(response)));
                let (mut taken, checked) = reader.read(input, &HeadLimits::default(), check)?;
                if let Some((head, cursor)) = checked {
                    let limits = BodyLimits { content: LONGEST as u64, ..BodyLimits::default() };
                    let body = Box::new(BufferedBody::new(head, limits)?);
                    self.0 = State::ResponseBody { place: place.clone(), cursor, body };
                    // An empty body is complete already.
                    taken += self.step(&mut input[taken..], emit)?;
                }
                Ok(taken)
            }
            State::Handshake { .. } => self.receive_handshake(input, emit),
            State::StreamHead(reader) => {
                let expect = |response: &Response<'_, '_>| Head::expect(Expected::EventStream, response);
                let (taken, head) = reader.read(input, &HeadLimits::default(), expect)?;
                let Some(head) = head else { return Ok(taken) };
                if head.status != 200 {
                    return Err(Error::Refused { status: head.status, detail: None });
                }
                let body = BodyReader::new(head.framing, BodyLimits::ENDLESS)?;
                let decoder = Decoder::new("", DecodeLimits { line: LONGEST, data: LONGEST });
                self.0 = State::Stream(Box::new((body, decoder)));
                emit(SessionEvent::Opened);
                Ok(taken)
            }
        }
    }

    fn receive_response_body(
        &mut self,
        input: &mut [u8],
        emit: &mut impl FnMut(SessionEvent<'_>),
    ) -> Result<usize, Error> {
        let State::ResponseBody { place, cursor, body } = &mut self.0 else { return Ok(0) };
        let Head { status, persists, .. } = body.head;
        let (taken, content) = body.read(input)?;
        let Some(content) = content else { return Ok(taken) };
        let cursor = cursor.take().or_else(|| place.in_body(content));
        emit(SessionEvent::Response(CompleteResponse { status, persists, cursor, content }));
        self.0 = State::ResponseHead { place: place.clone(), reader: HeadReader::default() };
        Ok(taken)
    }

    fn receive_handshake(
        &mut self,
        input: &mut [u8],
        emit: &mut impl FnMut(SessionEvent<'_>),
    ) -> Result<usize, Error> {
        let State::Handshake { key, subprotocols, reader } = &mut self.0 else { return Ok(0) };
        // Of the request, only the key and the subprotocols decide whether the response is valid.
        let subprotocols: Vec<_> = subprotocols.iter().map(String::as_str).collect();
        let request =
            ClientHandshake { host: "-", target: "/", subprotocols: &subprotocols, fields: &[], offer: None };
        let check = |response: &Response<'_, '_>| Ok(request.check_response(key, response).map(|_| ())?);
        let (taken, checked) = reader.read(input, &HeadLimits::default(), check)?;
        if checked.is_some() {
            let limits = MessageLimits { message_bytes: LONGEST, frames: MOST_FRAMES };
            self.0 = State::Open(Box::new(Receiver::new(Role::Client, limits)));
            emit(SessionEvent::Opened);
        }
        Ok(taken)
    }
}

fn receive_frame(
    receiver: &mut Receiver,
    input: &mut [u8],
    emit: &mut impl FnMut(SessionEvent<'_>),
) -> Result<usize, Error> {
    let (taken, event) = receiver.receive(input)?;
    match event {
        None | Some(MessageEvent::Pong(_)) => {}
        Some(MessageEvent::Text(text)) => emit(SessionEvent::Message(text.as_bytes())),
        Some(MessageEvent::Binary(data)) => emit(SessionEvent::Message(data)),
        Some(MessageEvent::Ping(payload)) => emit(SessionEvent::Ping(payload)),
        Some(MessageEvent::Close(close)) => emit(SessionEvent::Close(close.map(|(code, _)| code))),
    }
    Ok(taken)
}

fn receive_stream(
    body: &mut BodyReader,
    decoder: &mut Decoder,
    input: &mut [u8],
    emit: &mut impl FnMut(SessionEvent<'_>),
) -> Result<usize, Error> {
    let mut content = Vec::new();
    let (taken, is_done) = body.read(input, &mut content)?;
    let mut rest = &*content;
    while let (read, Some(block)) = decoder.read_block(rest)? {
        if let Block::Event { data, .. } = block {
            emit(SessionEvent::Message(data.as_bytes()));
        }
        rest = &rest[read..];
    }
    if is_done {
        emit(SessionEvent::Close(None));
    }
    // No request follows the stream, so the input after the end of its body is ignored.
    Ok(if is_done { input.len() } else { taken })
}

/// Returns the status with which the server refused a request, if `error` is a refusal.
pub fn refusal_status(error: &Error) -> Option<u16> {
    match error {
        Error::Refused { status, .. } | Error::Handshake(ClientHandshakeError::Status(status)) => {
            Some(*status)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::keys::Keys;
    use super::*;
    use crate::protocol::websocket::frame::{Opcode, write_frame};
    use crate::protocol::websocket::server_handshake::accept_key;

    /// Feeds the pieces to a session, and describes its events and the error that ends them.
    fn events(session: &mut Session, pieces: &[&[u8]]) -> Vec<String> {
        let mut events = Vec::new();
        for piece in pieces {
            let mut piece = piece.to_vec();
            let result = session.receive(&mut piece, &mut |event| {
                events.push(match event {
                    SessionEvent::Message(data) => format!("message {}", String::from_utf8_lossy(data)),
                    SessionEvent::Ping(data) => format!("ping {}", String::from_utf8_lossy(data)),
                    SessionEvent::Response(CompleteResponse { status, persists, cursor, content }) => {
                        let content = String::from_utf8_lossy(content);
                        format!("response {status} {persists} {} {content}", cursor.unwrap_or_default())
                    }
                    other => format!("{other:?}"),
                });
            });
            if let Err(error) = result {
                events.push(format!("error: {error}"));
                break;
            }
        }
        events
    }

    /// Asserts that a session reports the same events for the bytes in one piece, split in two at
    /// each position, and one at a time.
    fn assert_events(session: impl Fn() -> Session, bytes: &[u8], expected: &[&str]) {
        assert_eq!(events(&mut session(), &[bytes]), expected);
        for cut in 0..=bytes.len() {
            let (first, second) = bytes.split_at(cut);
            assert_eq!(events(&mut session(), &[first, second]), expected, "split at {cut}");
        }
        assert_eq!(events(&mut session(), &bytes.chunks(1).collect::<Vec<_>>()), expected);
    }

    fn responses(place: &str) -> Session {
        Session::responses(Rc::new(CursorPlace::parse(place).expect("a valid place")))
    }

    #[test]
    fn reads_consecutive_responses() {
        let bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n{\"next\":\"a-1\"}\
            HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 304 Not Modified\r\nX-C: c\r\n\r\n\
            HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n\
            HTTP/1.1 500 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
        let expected = [
            "response 200 true a-1 {\"next\":\"a-1\"}",
            "response 304 true  ",
            "response 201 true  abcde",
            "response 500 false  ",
        ];
        assert_events(|| responses("json:next"), bytes, &expected);
        let expected = ["response 304 true c "];
        let bytes = b"HTTP/1.1 304 Not Modified\r\nX-C: c\r\n\r\n";
        assert_events(|| responses("header:X-C"), bytes, &expected);
        let wrong = "error: The response does not begin with HTTP/ (RFC 9112 §4).";
        assert_events(|| responses("json:next"), b"SSH-2.0", &[wrong]);
    }

    #[test]
    fn the_end_of_the_connection_may_delimit_a_response() {
        let mut session = responses("json:next");
        assert!(events(&mut session, &[b"HTTP/1.1 200 OK\r\n\r\n{\"next\":5}"]).is_empty());
        let mut found = Vec::new();
        session.end(&mut |event| found.push(format!("{event:?}")));
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("status: 200") && found[0].contains("\"5\""), "{found:?}");
        responses("json:next").end(&mut |_| panic!("no response was in progress"));
    }

    #[test]
    fn reads_an_event_stream_with_and_without_chunks() {
        let stream = b": hi\n\nid: 1\ndata: a\n\ndata: b\ndata: c\n\n";
        for framing in ["Transfer-Encoding: chunked\r\n", ""] {
            let mut bytes =
                format!("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n{framing}\r\n").into_bytes();
            for piece in stream.chunks(7) {
                if !framing.is_empty() {
                    bytes.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
                }
                bytes.extend_from_slice(piece);
                if !framing.is_empty() {
                    bytes.extend_from_slice(b"\r\n");
                }
            }
            assert_events(Session::event_stream, &bytes, &["Opened", "message a", "message b\nc"]);
        }
        let bytes = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
        assert_events(Session::event_stream, bytes, &["error: the server responded with status 404"]);
    }

    #[test]
    fn reads_a_websocket() {
        let key = Keys::default().handshake();
        let accept = accept_key(key.as_bytes());
        let accept = String::from_utf8_lossy(&accept);
        let head = |more: &str| {
            let head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade";
            format!("{head}\r\nSec-WebSocket-Accept: {accept}\r\n{more}\r\n").into_bytes()
        };
        let none = || Rc::from([]);
        let mut bytes = head("");
        write_frame(Opcode::Text, b"one", &mut bytes);
        write_frame(Opcode::Ping, b"p", &mut bytes);
        write_frame(Opcode::Binary, &[b'x'; 200], &mut bytes);
        write_frame(Opcode::Close, &[0x03, 0xe9], &mut bytes);
        let long = format!("message {}", "x".repeat(200));
        let expected = ["Opened", "message one", "ping p", &long, "Close(Some(CloseCode(1001)))"];
        assert_events(|| Session::websocket(key, none()), &bytes, &expected);

        let selected = head("Sec-WebSocket-Protocol: b\r\n");
        let offered: Rc<[String]> = Rc::from(["a".to_owned(), "b".to_owned()]);
        assert_events(|| Session::websocket(key, offered.clone()), &selected, &["Opened"]);
        let mut session = Session::websocket(key, none());
        let result = session.receive(&mut selected.clone(), &mut |_| panic!("no subprotocol was offered"));
        assert!(result.is_err());

        let mut bytes = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n".to_vec();
        let mut session = Session::websocket(key, none());
        let error = session.receive(&mut bytes, &mut |_| panic!("the handshake is refused"));
        assert_eq!(refusal_status(&error.expect_err("a refusal")), Some(503));
    }

    #[test]
    fn extensions_without_an_end_are_an_error() {
        let wrong = "error: the response body is invalid: The chunk extensions are longer than the limit \
                     (RFC 9112 §7.1.1).";
        let extensions = format!("1;{}", "a".repeat(5000));
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
        let heartbeat = "3;a=b\r\n:\n\n\r\n";
        let stream = format!("{head}{}{extensions}", heartbeat.repeat(3));
        assert_events(Session::event_stream, stream.as_bytes(), &["Opened", wrong]);
        assert_events(|| responses("json:next"), format!("{head}{extensions}").as_bytes(), &[wrong]);
        // A stream may be longer than the limit of a chunk.
        let stream = format!("{head}{}", heartbeat.repeat(10_000));
        assert_eq!(events(&mut Session::event_stream(), &[stream.as_bytes()]), ["Opened"]);
    }

    #[test]
    fn counts_bare_bytes_and_finds_their_tags() {
        let mut bytes = b"..".to_vec();
        super::super::event_tag::write_event(5, 20, &mut bytes);
        let found = events(&mut Session::bare(), &[&bytes]);
        assert_eq!(found, ["Bytes(22)", "Tag(5)"]);
    }
}
