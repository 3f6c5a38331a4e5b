//! Followers that behave well, one on each transport: whatever others do, each gets every event once and in order.

use barewire::protocol::http::{BodyLimits, BodyReader, Framing, Version};
use barewire::protocol::sse::{DecodeLimits, Decoder};
use barewire::protocol::websocket::frame::{FrameHeader, Opcode};
use barewire::protocol::websocket::mask;
use barewire::protocol::websocket::message::{MessageEvent, Receiver};
use barewire::server::{Peer, Simulation};
use serde_json::Value;

use crate::answers::{self, Asked};

/// The topic that all witnesses follow.
pub const TOPIC: &str = "/topics/w";

/// An event: its id, empty where the transport does not tell it, its name, and its data.
pub type Seen = (String, String, String);

/// How one follows.
enum Link {
    Stream(Option<BodyReader>, Decoder),
    /// With JSON, or with bare data.
    Socket(Receiver, bool),
    /// The cursor to go on from, and how long to wait.
    Poll(String, Option<u32>),
}

/// One follower that takes all it is sent, answers pings, and asks again.
pub struct Witness {
    pub visitor: Peer,
    pub name: &'static str,
    link: Link,
    pub seen: Vec<Seen>,
    /// It was told of a gap, which only a poll may be: what it has seen begins behind it.
    pub gap: bool,
    pub received: usize,
}

impl Witness {
    /// One on each transport, on its own connection.
    pub fn all(server: &mut Simulation) -> Vec<Witness> {
        let socket = |server: &mut Simulation, name, fields: &str| {
            let request = format!(
                "GET {TOPIC} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{fields}\r\n"
            );
            let (visitor, mut bytes) = ask(server, &request);
            let receiver = answers::take_head(&mut bytes, 101, answers::receiver);
            (Witness::new(visitor, name, Link::Socket(receiver, name != "bare socket")), bytes)
        };
        let stream = |server: &mut Simulation, name, version: &str| {
            let request = format!("GET {TOPIC} {version}\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n");
            let (visitor, mut bytes) = ask(server, &request);
            let is_chunked =
                answers::take_head(&mut bytes, 200, |fields| fields.get("Transfer-Encoding").is_some());
            let limits = BodyLimits { content: u64::MAX, ..BodyLimits::default() };
            let chunks =
                is_chunked.then(|| BodyReader::new(Framing::Chunked, limits).expect("nothing is announced"));
            let limits = DecodeLimits { line: 1 << 30, data: 1 << 30 };
            (Witness::new(visitor, name, Link::Stream(chunks, Decoder::new("", limits))), bytes)
        };
        let mut all = vec![
            stream(server, "stream in chunks", "HTTP/1.1"),
            stream(server, "bare stream", "HTTP/1.0"),
            socket(server, "socket", ""),
            socket(server, "compressed socket", "Sec-WebSocket-Extensions: permessage-deflate\r\n"),
            socket(
                server,
                "small window",
                "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=9\r\n",
            ),
            socket(server, "bare socket", "Sec-WebSocket-Protocol: barewire.text\r\n"),
        ];
        for (name, wait) in [("long poll", Some(60)), ("short poll", None)] {
            let (visitor, bytes) = ask(server, &format!("GET {TOPIC}?since=now HTTP/1.1\r\nHost: x\r\n\r\n"));
            let mut witness = Witness::new(visitor, name, Link::Poll(String::new(), wait));
            witness.answer(&bytes);
            assert!(witness.seen.is_empty(), "nothing has been published");
            if wait.is_some() {
                witness.poll(server);
            }
            all.push((witness, Vec::new()));
        }
        all.into_iter()
            .map(|(mut witness, bytes)| {
                let owed = witness.take_in(bytes);
                assert!(owed.is_empty());
                witness
            })
            .collect()
    }

    fn new(visitor: Peer, name: &'static str, link: Link) -> Witness {
        Witness { visitor, name, link, seen: Vec::new(), gap: false, received: 0 }
    }

    /// Whether it tells the ids of events.
    pub fn knows_ids(&self) -> bool {
        !matches!(self.link, Link::Socket(_, false))
    }

    /// Whether it asks again and again.
    pub fn polls(&self) -> bool {
        matches!(self.link, Link::Poll(..))
    }

    /// Takes what has come, and does what it has to do then.
    pub fn go_on(&mut self, server: &mut Simulation) {
        loop {
            let bytes = server.take(self.visitor);
            assert!(!server.has_ended(self.visitor), "{} was ended: {}", self.name, bytes.escape_ascii());
            let is_short = matches!(self.link, Link::Poll(_, None));
            if bytes.is_empty() && !is_short {
                return;
            }
            self.received += bytes.len();
            let owed = self.take_in(bytes);
            if !owed.is_empty() {
                server.send(self.visitor, &owed);
            }
            if self.polls() {
                let before = self.seen.len();
                self.poll(server);
                if is_short {
                    let answer = server.take(self.visitor);
                    self.received += answer.len();
                    self.answer(&answer);
                    // One answer may not hold all.
                    if self.seen.len() == before {
                        return;
                    }
                }
            }
        }
    }

    /// Publishes a text: by a message, if it is a WebSocket.
    pub fn say(&mut self, server: &mut Simulation, text: &str) -> bool {
        if !matches!(self.link, Link::Socket(..)) {
            return false;
        }
        server.send(self.visitor, &frame(Opcode::Text, text.as_bytes()));
        true
    }

    fn poll(&mut self, server: &mut Simulation) {
        let Link::Poll(cursor, wait) = &self.link else { return };
        let wait = wait.map(|wait| format!("&wait={wait}")).unwrap_or_default();
        let request = format!("GET {TOPIC}?since={cursor}{wait} HTTP/1.1\r\nHost: x\r\n\r\n");
        server.send(self.visitor, request.as_bytes());
    }

    /// Takes in bytes, and gives what is owed for them.
    fn take_in(&mut self, mut bytes: Vec<u8>) -> Vec<u8> {
        let mut owed = Vec::new();
        match &mut self.link {
            Link::Poll(..) => self.answer(&bytes),
            Link::Stream(chunks, decoder) => {
                if let Some(chunks) = chunks {
                    let mut content = Vec::new();
                    let (_, done) = chunks.read(&bytes, &mut content).expect("chunks");
                    assert!(!done, "{} was ended", self.name);
                    bytes = content;
                }
                let mut rest = &bytes[..];
                while !rest.is_empty() {
                    let (taken, event) = decoder.read(rest).expect("an event stream");
                    rest = &rest[taken..];
                    if let Some(event) = event {
                        assert_ne!(event.event, "gap", "a gap for who follows");
                        self.seen.push((event.id, event.event, event.data));
                    }
                }
            }
            Link::Socket(receiver, is_json) => {
                let mut rest = &mut bytes[..];
                while !rest.is_empty() {
                    let (consumed, event) = receiver.receive(rest).expect("frames");
                    match event {
                        Some(MessageEvent::Text(text)) if *is_json => {
                            let said: Value = serde_json::from_str(text).expect("JSON");
                            match said.get("next") {
                                Some(_) => assert!(said.get("gap").is_none(), "a gap for who follows"),
                                None => self.seen.push(seen(&said)),
                            }
                        }
                        Some(MessageEvent::Text(text)) => {
                            self.seen.push((String::new(), String::new(), text.to_owned()));
                        }
                        Some(MessageEvent::Ping(payload)) => owed.extend(frame(Opcode::Pong, payload)),
                        Some(other) => panic!("{}: {other:?}", self.name),
                        None => {}
                    }
                    rest = &mut rest[consumed..];
                }
            }
        }
        owed
    }

    fn answer(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let Link::Poll(cursor, _) = &mut self.link else { return };
        let asked = [Asked { is_head: false, version: Version::Http11, publishes: None, is_whole: true }];
        let answers = answers::read(bytes, &asked);
        let [answer] = &answers[..] else { panic!("{answers:?}") };
        assert!(answer.status == 200 && answer.is_whole, "{answer:?}");
        let body: Value = serde_json::from_slice(&answer.content).expect("JSON");
        if body.get("gap").is_some() {
            self.gap = true;
            self.seen.clear();
        }
        self.seen.extend(body["events"].as_array().expect("a list").iter().map(seen));
        *cursor = body["next"].as_str().expect("a cursor").to_owned();
        if let Some((last, ..)) = self.seen.last() {
            assert!(self.gap || *cursor >= *last || cursor.len() > last.len(), "{cursor} is behind {last}");
        }
    }
}

fn ask(server: &mut Simulation, request: &str) -> (Peer, Vec<u8>) {
    let visitor = server.connect();
    server.send(visitor, request.as_bytes());
    let answer = server.take(visitor);
    (visitor, answer)
}

fn seen(event: &Value) -> Seen {
    let text = |name: &str| event[name].as_str().expect("a text").to_owned();
    (text("id"), text("event"), text("data"))
}

/// A frame as a client sends it.
pub fn frame(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let masking_key = [0x12, 0x34, 0x56, 0x78];
    let mut out = Vec::new();
    let payload_length = payload.len() as u64;
    FrameHeader { fin: true, rsv1: false, opcode, masking_key: Some(masking_key), payload_length }
        .encode(&mut out);
    let start = out.len();
    out.extend_from_slice(payload);
    mask::apply(masking_key, 0, &mut out[start..]);
    out
}
