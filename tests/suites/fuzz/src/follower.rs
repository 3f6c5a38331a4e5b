//! Well-behaved followers, one per transport. Each of them must receive every event exactly once
//! and in order, whatever other peers do.

use barewire::protocol::http::{BodyLimits, BodyReader, Framing, Version};
use barewire::protocol::sse::{DecodeLimits, Decoder};
use barewire::protocol::websocket::frame::{FrameHeader, Opcode};
use barewire::protocol::websocket::mask;
use barewire::protocol::websocket::message::{MessageEvent, Receiver};
use barewire::simulation::{Peer, Simulation};
use serde_json::Value;

use crate::responses::{self, Request};

/// The topic that every well-behaved follower follows.
pub const TOPIC: &str = "/topics/w";

/// An event: its id (empty if the transport does not send it), its name, and its data.
pub type Event = (String, String, String);

/// The state of a follower's transport.
enum Link {
    /// An event stream. The `BodyReader` is present if the stream is chunked.
    Stream(Option<BodyReader>, Decoder),
    /// A WebSocket. The flag is true if its messages are JSON, false if they contain only the data.
    Socket(Receiver, bool),
    /// The next cursor, and the `wait` parameter in seconds; a short poll has none.
    Poll(String, Option<u32>),
}

/// A follower that reads everything it is sent, answers pings, and keeps polling.
pub struct Follower {
    pub peer: Peer,
    pub name: &'static str,
    link: Link,
    pub events: Vec<Event>,
    /// True if the server reported a gap, which only a poll may receive. `events` then begins after
    /// the last gap.
    pub gap: bool,
    /// The number of bytes received.
    pub received: usize,
}

impl Follower {
    /// Connects one follower per transport, each on its own connection.
    pub fn all(server: &mut Simulation) -> Vec<Follower> {
        let socket = |server: &mut Simulation, name, fields: &str| {
            let request = format!(
                "GET {TOPIC} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{fields}\r\n"
            );
            let (peer, mut bytes) = send_request(server, &request);
            let receiver = responses::take_head(&mut bytes, 101, responses::receiver);
            (Follower::new(peer, name, Link::Socket(receiver, name != "bare socket")), bytes)
        };
        let stream = |server: &mut Simulation, name, version: &str| {
            let request = format!("GET {TOPIC} {version}\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n");
            let (peer, mut bytes) = send_request(server, &request);
            let is_chunked =
                responses::take_head(&mut bytes, 200, |fields| fields.get("Transfer-Encoding").is_some());
            let limits = BodyLimits { content: u64::MAX, ..BodyLimits::default() };
            let chunks = is_chunked
                .then(|| BodyReader::new(Framing::Chunked, limits).expect("chunks declare no length"));
            let limits = DecodeLimits { line: 1 << 30, data: 1 << 30 };
            (Follower::new(peer, name, Link::Stream(chunks, Decoder::new("", limits))), bytes)
        };
        let mut all = vec![
            stream(server, "chunked stream", "HTTP/1.1"),
            stream(server, "unchunked stream", "HTTP/1.0"),
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
            let request = format!("GET {TOPIC}?since=now HTTP/1.1\r\nHost: x\r\n\r\n");
            let (peer, bytes) = send_request(server, &request);
            let mut follower = Follower::new(peer, name, Link::Poll(String::new(), wait));
            follower.read_poll(&bytes);
            assert!(follower.events.is_empty(), "nothing has been published");
            if wait.is_some() {
                follower.poll(server);
            }
            all.push((follower, Vec::new()));
        }
        all.into_iter()
            .map(|(mut follower, bytes)| {
                let reply = follower.receive(bytes);
                assert!(reply.is_empty());
                follower
            })
            .collect()
    }

    fn new(peer: Peer, name: &'static str, link: Link) -> Follower {
        Follower { peer, name, link, events: Vec::new(), gap: false, received: 0 }
    }

    /// Returns whether this follower's transport sends event ids.
    pub fn knows_ids(&self) -> bool {
        !matches!(self.link, Link::Socket(_, false))
    }

    /// Returns whether this follower polls.
    pub fn polls(&self) -> bool {
        matches!(self.link, Link::Poll(..))
    }

    /// Reads everything that has arrived, and sends pongs and the next polls.
    pub fn proceed(&mut self, server: &mut Simulation) {
        loop {
            let bytes = server.take(self.peer);
            assert!(!server.has_ended(self.peer), "{} was closed: {}", self.name, bytes.escape_ascii());
            let is_short = matches!(self.link, Link::Poll(_, None));
            if bytes.is_empty() && !is_short {
                return;
            }
            self.received += bytes.len();
            let reply = self.receive(bytes);
            if !reply.is_empty() {
                server.send(self.peer, &reply);
            }
            if self.polls() {
                let before = self.events.len();
                self.poll(server);
                if is_short {
                    let response = server.take(self.peer);
                    self.received += response.len();
                    self.read_poll(&response);
                    // One response may contain only some of the events, so a short poll repeats
                    // until a response contains none.
                    if self.events.len() == before {
                        return;
                    }
                }
            }
        }
    }

    /// Publishes a text message if this follower uses a WebSocket. Returns whether it does.
    pub fn publish(&mut self, server: &mut Simulation, text: &str) -> bool {
        if !matches!(self.link, Link::Socket(..)) {
            return false;
        }
        server.send(self.peer, &frame(Opcode::Text, text.as_bytes()));
        true
    }

    fn poll(&mut self, server: &mut Simulation) {
        let Link::Poll(cursor, wait) = &self.link else { return };
        let wait = wait.map(|wait| format!("&wait={wait}")).unwrap_or_default();
        let request = format!("GET {TOPIC}?since={cursor}{wait} HTTP/1.1\r\nHost: x\r\n\r\n");
        server.send(self.peer, request.as_bytes());
    }

    /// Processes received bytes and returns the pongs to send.
    fn receive(&mut self, mut bytes: Vec<u8>) -> Vec<u8> {
        let mut reply = Vec::new();
        match &mut self.link {
            Link::Poll(..) => self.read_poll(&bytes),
            Link::Stream(chunks, decoder) => {
                if let Some(chunks) = chunks {
                    let mut content = Vec::new();
                    let (_, done) = chunks.read(&bytes, &mut content).expect("chunks");
                    assert!(!done, "{} was closed", self.name);
                    bytes = content;
                }
                let mut rest = &bytes[..];
                while !rest.is_empty() {
                    let (taken, event) = decoder.read(rest).expect("an event stream");
                    rest = &rest[taken..];
                    if let Some(event) = event {
                        assert_ne!(event.event, "gap", "a well-behaved follower received a gap");
                        self.events.push((event.id, event.event, event.data));
                    }
                }
            }
            Link::Socket(receiver, is_json) => {
                let mut rest = &mut bytes[..];
                while !rest.is_empty() {
                    let (consumed, event) = receiver.receive(rest).expect("frames");
                    match event {
                        Some(MessageEvent::Text(text)) if *is_json => {
                            let message: Value = serde_json::from_str(text).expect("JSON");
                            match message.get("next") {
                                Some(_) => assert!(
                                    message.get("gap").is_none(),
                                    "a well-behaved follower received a gap"
                                ),
                                None => self.events.push(event_of(&message)),
                            }
                        }
                        Some(MessageEvent::Text(text)) => {
                            self.events.push((String::new(), String::new(), text.to_owned()));
                        }
                        Some(MessageEvent::Ping(payload)) => reply.extend(frame(Opcode::Pong, payload)),
                        Some(other) => panic!("{}: {other:?}", self.name),
                        None => {}
                    }
                    rest = &mut rest[consumed..];
                }
            }
        }
        reply
    }

    fn read_poll(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let Link::Poll(cursor, _) = &mut self.link else { return };
        let requests =
            [Request { is_head: false, version: Version::Http11, publishes: None, is_complete: true }];
        let responses = responses::read(bytes, &requests);
        let [response] = &responses[..] else { panic!("{responses:?}") };
        assert!(response.status == 200 && response.is_complete, "{response:?}");
        let body: Value = serde_json::from_slice(&response.content).expect("JSON");
        if body.get("gap").is_some() {
            self.gap = true;
            self.events.clear();
        }
        self.events.extend(body["events"].as_array().expect("a list").iter().map(event_of));
        *cursor = body["next"].as_str().expect("a cursor").to_owned();
        if let Some((last, ..)) = self.events.last() {
            assert!(self.gap || *cursor >= *last || cursor.len() > last.len(), "{cursor} is before {last}");
        }
    }
}

fn send_request(server: &mut Simulation, request: &str) -> (Peer, Vec<u8>) {
    let peer = server.connect();
    server.send(peer, request.as_bytes());
    let response = server.take(peer);
    (peer, response)
}

fn event_of(event: &Value) -> Event {
    let text = |name: &str| event[name].as_str().expect("a string").to_owned();
    (text("id"), text("event"), text("data"))
}

/// Returns a masked frame, as a client must send it (RFC 6455 §5.3).
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
