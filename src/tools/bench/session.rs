//! What one connection speaks: bytes in, cut anywhere, and what they say out. No sockets.
//!
//! It is one level below [`Follower`](crate::client::follow::Follower), which knows barewire's JSON: here a server by anybody may be
//! at the other end.

use std::rc::Rc;

use super::event_tag::Finder;
use super::template::{Asking, CursorPlace};
use crate::client::follow::{BufferedBody, Error, Head, HeadReader};
use crate::protocol::http::{BodyLimits, BodyReader, HeadLimits, Response};
use crate::protocol::sse::{Block, DecodeLimits, Decoder};
use crate::protocol::websocket::client_handshake::{
    ClientHandshake, ClientHandshakeError, Key, RequestError,
};
use crate::protocol::websocket::close::CloseCode;
use crate::protocol::websocket::frame::{self, Opcode};
use crate::protocol::websocket::message::{MessageEvent, MessageLimits, Receiver, Role};

/// Of an answer, an event or a message: more than any that a benchmark asks for.
const MOST: usize = 64 << 20;

const BODY_LIMITS: BodyLimits =
    BodyLimits { content: u64::MAX, extensions: u32::MAX, trailer: 8 * 1024, trailer_lines: 32 };

/// One connection's protocol, and how far it is.
#[derive(Debug)]
pub struct Talk(State);

#[derive(Debug)]
enum State {
    /// The answer to a handshake is awaited (RFC 6455 §4.1).
    Handshake { key: Key, subprotocols: Rc<[String]>, reader: HeadReader },
    /// A WebSocket.
    Open(Box<Receiver>),
    /// The head of an event stream is awaited.
    StreamHead(HeadReader),
    /// An event stream: its body's framing, and its lines.
    Stream(Box<(BodyReader, Decoder)>),
    /// Answers, one after another: this one's head is awaited.
    AnswerHead { place: Rc<CursorPlace>, reader: HeadReader },
    /// Its body.
    AnswerBody { place: Rc<CursorPlace>, cursor: Option<String>, whole: Box<BufferedBody> },
    /// No protocol.
    Bare(Finder),
}

/// What is heard.
#[derive(Debug, PartialEq)]
pub enum Heard<'a> {
    /// The handshake is done, or the head of an event stream is there.
    Opened,
    /// A message's payload, or an event's data.
    Message(&'a [u8]),
    /// A whole answer.
    Answer(Answer<'a>),
    /// Without a protocol: so many bytes.
    Bytes(usize),
    /// Without a protocol: the number of a marker in them.
    Marker(u64),
    /// A ping, to be answered with a pong of the same payload (RFC 6455 §5.5.2).
    Ping(&'a [u8]),
    /// The other side closes, with this code (RFC 6455 §5.5.1).
    Close(Option<CloseCode>),
}

/// A whole answer.
#[derive(Debug, PartialEq)]
pub struct Answer<'a> {
    /// Its status.
    pub status: u16,
    /// Whether the connection goes on after it (RFC 9112 §9.3).
    pub persists: bool,
    /// The cursor that it has, if that could be read.
    pub cursor: Option<String>,
    /// Its content.
    pub content: &'a [u8],
}

impl Talk {
    /// A WebSocket, whose request asks with this key, and for one of these subprotocols.
    pub fn websocket(key: Key, subprotocols: Rc<[String]>) -> Self {
        Self(State::Handshake { key, subprotocols, reader: HeadReader::default() })
    }

    /// An event stream.
    pub fn event_stream() -> Self {
        Self(State::StreamHead(HeadReader::default()))
    }

    /// Answers, one after another, and where each has its cursor.
    pub fn answers(place: Rc<CursorPlace>) -> Self {
        Self(State::AnswerHead { place, reader: HeadReader::default() })
    }

    /// Bytes.
    pub fn bare() -> Self {
        Self(State::Bare(Finder::default()))
    }

    /// Takes all of `input`, and tells what it says.
    ///
    /// # Errors
    /// The first rule that the other side breaks, or a status that refuses a handshake or an event stream. The connection is of no use
    /// after it.
    pub fn hear(&mut self, input: &mut [u8], tell: &mut impl FnMut(Heard<'_>)) -> Result<(), Error> {
        let mut at = 0;
        while at < input.len() {
            at += self.step(&mut input[at..], tell)?;
        }
        Ok(())
    }

    /// The connection has ended. The body of an answer that goes to the connection's end is whole now (RFC 9112 §6.3, rule 8); whether
    /// this was one.
    pub fn end(&mut self, tell: &mut impl FnMut(Heard<'_>)) -> bool {
        let State::AnswerBody { place, cursor, whole } = &mut self.0 else { return false };
        let Some(content) = whole.end() else { return false };
        let cursor = cursor.take().or_else(|| place.in_body(content));
        tell(Heard::Answer(Answer { status: whole.head.status, persists: false, cursor, content }));
        true
    }

    fn step(&mut self, input: &mut [u8], tell: &mut impl FnMut(Heard<'_>)) -> Result<usize, Error> {
        match &mut self.0 {
            State::Open(receiver) => {
                let (taken, event) = receiver.receive(input)?;
                match event {
                    None => {}
                    Some(MessageEvent::Text(text)) => tell(Heard::Message(text.as_bytes())),
                    Some(MessageEvent::Binary(data)) => tell(Heard::Message(data)),
                    Some(MessageEvent::Ping(payload)) => tell(Heard::Ping(payload)),
                    Some(MessageEvent::Pong(_)) => {}
                    Some(MessageEvent::Close(close)) => tell(Heard::Close(close.map(|(code, _)| code))),
                }
                Ok(taken)
            }
            State::Bare(finder) => {
                tell(Heard::Bytes(input.len()));
                finder.find(input, &mut |number| tell(Heard::Marker(number)));
                Ok(input.len())
            }
            State::Stream(stream) => {
                let (body, decoder) = &mut **stream;
                let mut content = Vec::new();
                let (taken, is_done) = body.read(input, &mut content)?;
                let mut rest = &*content;
                while let (read, Some(block)) = decoder.read_block(rest)? {
                    if let Block::Event { data, .. } = block {
                        tell(Heard::Message(data.as_bytes()));
                    }
                    rest = &rest[read..];
                }
                if is_done {
                    tell(Heard::Close(None));
                }
                // Behind the end of its body nothing is asked for, and nothing may come.
                Ok(if is_done { input.len() } else { taken })
            }
            State::AnswerBody { place, cursor, whole } => {
                let head = whole.head;
                let (taken, content) = whole.read(input)?;
                let Some(content) = content else { return Ok(taken) };
                let cursor = cursor.take().or_else(|| place.in_body(content));
                tell(Heard::Answer(Answer { status: head.status, persists: head.persists, cursor, content }));
                self.0 = State::AnswerHead { place: place.clone(), reader: HeadReader::default() };
                Ok(taken)
            }
            State::AnswerHead { place, reader } => {
                let judge = |answer: &Response<'_, '_>| Ok((Head::of(answer)?, place.in_head(answer)));
                let (mut taken, judged) = reader.read(input, &HeadLimits::default(), judge)?;
                if let Some((head, cursor)) = judged {
                    let whole = Box::new(BufferedBody::new(head, BODY_LIMITS)?);
                    self.0 = State::AnswerBody { place: place.clone(), cursor, whole };
                    // A body without a byte is whole here.
                    taken += self.step(&mut input[taken..], tell)?;
                }
                Ok(taken)
            }
            State::Handshake { key, subprotocols, reader } => {
                // What the answer is held against was said in the request; but for these, nothing of it matters here.
                let subprotocols: Vec<_> = subprotocols.iter().map(String::as_str).collect();
                let asked = ClientHandshake {
                    host: "-",
                    target: "/",
                    subprotocols: &subprotocols,
                    fields: &[],
                    offer: None,
                };
                let judge = |answer: &Response<'_, '_>| Ok(asked.check_response(key, answer).map(|_| ())?);
                let (taken, judged) = reader.read(input, &HeadLimits::default(), judge)?;
                if judged.is_some() {
                    let limits = MessageLimits { message_bytes: MOST, frames: usize::MAX };
                    self.0 = State::Open(Box::new(Receiver::new(Role::Client, limits)));
                    tell(Heard::Opened);
                }
                Ok(taken)
            }
            State::StreamHead(reader) => {
                let (taken, head) = reader.read(input, &HeadLimits::default(), Head::of)?;
                let Some(head) = head else { return Ok(taken) };
                if head.status != 200 {
                    return Err(Error::Refused { status: head.status, detail: None });
                }
                let body = BodyReader::new(head.framing, BODY_LIMITS)?;
                let decoder = Decoder::new("", DecodeLimits { line: MOST, data: MOST });
                self.0 = State::Stream(Box::new((body, decoder)));
                tell(Heard::Opened);
                Ok(taken)
            }
        }
    }
}

/// What refuses a request: the status, where an error is one.
pub fn status_of(error: &Error) -> Option<u16> {
    match error {
        Error::Refused { status, .. } | Error::Handshake(ClientHandshakeError::Status(status)) => {
            Some(*status)
        }
        _ => None,
    }
}

/// Numbers for handshakes and masks, from a generator that is cheap and foretellable (xorshift, Marsaglia 2003).
///
/// RFC 6455 §5.3 wants keys that nobody can foretell, so that a page's script can't choose the bytes on the wire and have a proxy take
/// them for a request (§10.3). No script chooses a byte here, and all payloads are this program's own. Real clients
/// draw from the system ([`crate::client`]).
#[derive(Debug)]
pub struct Keys(u64);

impl Default for Keys {
    fn default() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }
}

impl Keys {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A key for a handshake.
    pub fn handshake(&mut self) -> Key {
        let mut nonce = [0; 16];
        nonce[..8].copy_from_slice(&self.next().to_ne_bytes());
        nonce[8..].copy_from_slice(&self.next().to_ne_bytes());
        Key::new(nonce)
    }

    /// Appends a frame that is a whole message, or a pong.
    pub fn write_frame(&mut self, opcode: Opcode, payload: &[u8], out: &mut Vec<u8>) {
        let [a, b, c, d, ..] = self.next().to_ne_bytes();
        frame::write_masked_frame([a, b, c, d], opcode, payload, out);
    }
}

/// Appends the request of a handshake. No compression is offered: the load is to be the same for all servers.
///
/// # Errors
/// A field that the handshake writes itself.
pub fn write_handshake(
    asking: &Asking,
    key: &Key,
    number: usize,
    out: &mut Vec<u8>,
) -> Result<(), RequestError> {
    let fields: Vec<_> = asking.fields.iter().map(|(name, value)| (&**name, &**value)).collect();
    let mut target = Vec::new();
    asking.write_target("", number, &mut target);
    let target = String::from_utf8_lossy(&target); // a URL's, and so ASCII
    let subprotocols: Vec<_> = asking.subprotocols.iter().map(String::as_str).collect();
    let host = &asking.authority;
    ClientHandshake { host, target: &target, subprotocols: &subprotocols, fields: &fields, offer: None }
        .write_request(key, out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::websocket::frame::write_frame;
    use crate::protocol::websocket::server_handshake::accept_key;

    /// What is heard of these bytes, and the error that ends them.
    fn heard(talk: &mut Talk, pieces: &[&[u8]]) -> Vec<String> {
        let mut told = Vec::new();
        for piece in pieces {
            let mut piece = piece.to_vec();
            let result = talk.hear(&mut piece, &mut |heard| {
                told.push(match heard {
                    Heard::Message(data) => format!("message {}", String::from_utf8_lossy(data)),
                    Heard::Ping(data) => format!("ping {}", String::from_utf8_lossy(data)),
                    Heard::Answer(Answer { status, persists, cursor, content }) => {
                        let content = String::from_utf8_lossy(content);
                        format!("answer {status} {persists} {} {content}", cursor.unwrap_or_default())
                    }
                    other => format!("{other:?}"),
                });
            });
            if let Err(error) = result {
                told.push(format!("wrong: {error}"));
                break;
            }
        }
        told
    }

    /// The same however the bytes are cut in two, and byte for byte.
    fn assert_heard(talk: impl Fn() -> Talk, bytes: &[u8], expected: &[&str]) {
        assert_eq!(heard(&mut talk(), &[bytes]), expected);
        for cut in 0..=bytes.len() {
            let (first, second) = bytes.split_at(cut);
            assert_eq!(heard(&mut talk(), &[first, second]), expected, "cut at {cut}");
        }
        assert_eq!(heard(&mut talk(), &bytes.chunks(1).collect::<Vec<_>>()), expected);
    }

    fn answers(place: &str) -> Talk {
        Talk::answers(Rc::new(CursorPlace::parse(place).expect("it is one")))
    }

    #[test]
    fn answers_one_after_another() {
        let bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n{\"next\":\"a-1\"}\
            HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 304 Not Modified\r\nX-C: c\r\n\r\n\
            HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n\
            HTTP/1.1 500 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
        let expected = [
            "answer 200 true a-1 {\"next\":\"a-1\"}",
            "answer 304 true  ",
            "answer 201 true  abcde",
            "answer 500 false  ",
        ];
        assert_heard(|| answers("json:next"), bytes, &expected);
        let expected = ["answer 304 true c "];
        let bytes = b"HTTP/1.1 304 Not Modified\r\nX-C: c\r\n\r\n";
        assert_heard(|| answers("header:X-C"), bytes, &expected);
        let wrong = "wrong: The response does not begin with HTTP/ (RFC 9112 §4).";
        assert_heard(|| answers("json:next"), b"SSH-2.0", &[wrong]);
    }

    #[test]
    fn an_answer_may_go_to_the_connections_end() {
        let mut talk = answers("json:next");
        assert!(heard(&mut talk, &[b"HTTP/1.1 200 OK\r\n\r\n{\"next\":5}"]).is_empty());
        let mut told = Vec::new();
        assert!(talk.end(&mut |heard| told.push(format!("{heard:?}"))));
        assert!(told[0].contains("status: 200") && told[0].contains("\"5\""), "{told:?}");
        assert!(!answers("json:next").end(&mut |_| panic!("nothing was asked")));
    }

    #[test]
    fn an_event_stream_in_chunks_and_without() {
        let stream = b": hi\n\nid: 1\ndata: a\n\ndata: b\ndata: c\n\n";
        for framing in ["Transfer-Encoding: chunked\r\n", ""] {
            let mut bytes = format!("HTTP/1.1 200 OK\r\n{framing}\r\n").into_bytes();
            for piece in stream.chunks(7) {
                if !framing.is_empty() {
                    bytes.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
                }
                bytes.extend_from_slice(piece);
                if !framing.is_empty() {
                    bytes.extend_from_slice(b"\r\n");
                }
            }
            assert_heard(Talk::event_stream, &bytes, &["Opened", "message a", "message b\nc"]);
        }
        let bytes = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
        assert_heard(Talk::event_stream, bytes, &["wrong: the server answers 404"]);
    }

    #[test]
    fn a_websocket() {
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
        assert_heard(|| Talk::websocket(key, none()), &bytes, &expected);

        let chosen = head("Sec-WebSocket-Protocol: b\r\n");
        let asked: Rc<[String]> = Rc::from(["a".to_owned(), "b".to_owned()]);
        assert_heard(|| Talk::websocket(key, asked.clone()), &chosen, &["Opened"]);
        let mut talk = Talk::websocket(key, none());
        assert!(talk.hear(&mut chosen.clone(), &mut |_| panic!("it was not asked for")).is_err());

        let bytes = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n";
        let mut talk = Talk::websocket(key, none());
        let error = talk.hear(&mut bytes.to_vec(), &mut |_| panic!("it is refused")).expect_err("a refusal");
        assert_eq!(status_of(&error), Some(503));
    }

    #[test]
    fn bytes_are_counted_and_their_markers_found() {
        let mut bytes = b"..".to_vec();
        super::super::event_tag::write(5, 20, &mut bytes);
        let told = heard(&mut Talk::bare(), &[&bytes]);
        assert_eq!(told, ["Bytes(22)", "Marker(5)"]);
    }

    #[test]
    fn a_frame_is_masked_with_another_key_each_time() {
        let mut keys = Keys::default();
        let (mut first, mut second) = (Vec::new(), Vec::new());
        keys.write_frame(Opcode::Text, b"hello", &mut first);
        keys.write_frame(Opcode::Text, b"hello", &mut second);
        assert_ne!(first, second);
        let mut receiver = Receiver::new(Role::Server, MessageLimits { message_bytes: 10, frames: 1 });
        let (taken, event) = receiver.receive(&mut first).expect("right");
        assert_eq!((taken, event), (11, Some(MessageEvent::Text("hello"))));
    }
}
