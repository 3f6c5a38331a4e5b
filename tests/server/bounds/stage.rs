//! A simulation, and what the tests of bounds ask of it again and again. Nothing waits here: what a visitor sends has been
//! dealt with when the call returns, and time passes only by [`Stage::pass`].

use std::net::{Ipv4Addr, SocketAddr};

use barewire::server::{Options, Peer, Simulation};

use crate::harness::{Frame, Opcode, Request, Response, masked_frame};

/// A day, in seconds: longer than any test.
const DAY: u32 = 86_400;

/// A server that is played, each of whose visitors comes from an address of its own.
pub struct Stage {
    pub server: Simulation,
    visitors: u32,
}

/// A follower on each of the transports that hold the cursor, who loses nothing, whatever others do.
pub struct Witness {
    stream: Peer,
    socket: Peer,
    said: u32,
}

impl Stage {
    /// A server on which nothing is due, but for what `set` sets.
    pub fn with(set: impl FnOnce(&mut Options)) -> Stage {
        Stage::seeded(1, set)
    }

    /// The same with other random numbers.
    pub fn seeded(seed: u64, set: impl FnOnce(&mut Options)) -> Stage {
        let mut options = Options {
            head_timeout: DAY,
            body_timeout: DAY,
            idle_timeout: DAY,
            heartbeat: DAY,
            ping_interval: DAY,
            pong_timeout: DAY,
            write_timeout: DAY,
            close_timeout: DAY,
            linger: DAY,
            drain_timeout: DAY,
            ..Options::default()
        };
        set(&mut options);
        Stage { server: Simulation::new(options, seed), visitors: 0 }
    }

    pub fn connect(&mut self) -> Peer {
        self.visitors += 1;
        let address = Ipv4Addr::from_bits(0x0a00_0000 + self.visitors);
        self.server.connect_from(Some(SocketAddr::from((address, 1))))
    }

    /// Connects and sends.
    pub fn begin(&mut self, request: &Request) -> Peer {
        let visitor = self.connect();
        self.server.send(visitor, &request.bytes());
        visitor
    }

    /// Sends `bytes` so many at a time.
    pub fn send_by(&mut self, visitor: Peer, bytes: &[u8], step: usize) {
        bytes.chunks(step).for_each(|piece| self.server.send(visitor, piece));
    }

    /// Asks on a connection of its own, which ends with it.
    pub fn ask(&mut self, request: &Request) -> Response {
        let visitor = self.begin(request);
        let response = self.response(visitor);
        self.server.half_close(visitor);
        response
    }

    /// What a visitor was sent, which has to be one answer.
    pub fn response(&mut self, visitor: Peer) -> Response {
        let mut responses = self.responses(visitor);
        assert_eq!(responses.len(), 1, "{responses:?}");
        responses.remove(0)
    }

    /// What a visitor was sent, which has to be answers with a length.
    pub fn responses(&mut self, visitor: Peer) -> Vec<Response> {
        let bytes = self.server.take(visitor);
        let (mut rest, mut responses) = (&bytes[..], Vec::new());
        while !rest.is_empty() {
            let (mut response, behind) = split_head(rest);
            let length = response.get("Content-Length").map_or(0, |length| length.parse().expect("a length"));
            let (body, behind) = behind.split_at(length);
            response.body = body.to_vec();
            responses.push(response);
            rest = behind;
        }
        responses
    }

    /// It has been refused with this status, as a whole, and its connection ends.
    pub fn assert_refused(&mut self, visitor: Peer, status: u16) {
        let response = self.response(visitor);
        response.assert_problem(status);
        assert!(response.ends() && self.server.has_ended(visitor), "{response:?}");
    }

    /// It has been told to come again, as an event stream is, and its connection ends.
    pub fn assert_told_to_come_again(&mut self, visitor: Peer) {
        let bytes = self.server.take(visitor);
        let (head, body) = split_head(&bytes);
        assert_eq!((head.status, head.get("Content-Type")), (200, Some("text/event-stream")));
        let (text, whole) = chunks(body);
        assert!(text.starts_with("retry: ") && text.matches('\n').count() == 2, "{text:?}");
        assert!(whole && self.server.has_ended(visitor));
    }

    /// Opens an event stream: what its first block says.
    pub fn event_stream(&mut self, target: &str) -> (Peer, String) {
        let visitor = self.begin(&Request::event_stream(target));
        let bytes = self.server.take(visitor);
        let (head, body) = split_head(&bytes);
        assert_eq!(head.status, 200);
        let (text, whole) = chunks(body);
        assert!(!whole, "the stream has just begun");
        (visitor, text)
    }

    /// What an event stream was sent, and whether it has come to its end.
    pub fn streamed(&mut self, visitor: Peer) -> (String, bool) {
        chunks(&self.server.take(visitor))
    }

    /// Opens a WebSocket: what the handshake was answered. Its first message is read.
    pub fn web_socket(&mut self, request: &Request) -> (Peer, Response) {
        let visitor = self.begin(request);
        let bytes = self.server.take(visitor);
        let (head, _) = split_head(&bytes);
        assert_eq!(head.status, 101, "{head:?}");
        (visitor, head)
    }

    pub fn handshake(&mut self, target: &str) -> Peer {
        self.web_socket(&Request::handshake(target)).0
    }

    /// Sends a whole message or a control frame.
    pub fn say(&mut self, visitor: Peer, opcode: Opcode, payload: impl AsRef<[u8]>) {
        self.server.send(visitor, &masked_frame(true, opcode, payload.as_ref()));
    }

    /// The frames that a WebSocket was sent. One that is compressed is for [`Stage::compressed_frames`].
    pub fn frames(&mut self, visitor: Peer) -> Vec<Frame> {
        let frames = self.compressed_frames(visitor);
        frames
            .into_iter()
            .map(|(compressed, frame)| {
                assert!(!compressed);
                frame
            })
            .collect()
    }

    /// The frames that a WebSocket was sent, and whether each is compressed.
    pub fn compressed_frames(&mut self, visitor: Peer) -> Vec<(bool, Frame)> {
        let bytes = self.server.take(visitor);
        let (mut rest, mut frames) = (&bytes[..], Vec::new());
        while let [first, second, behind @ ..] = rest {
            let opcode = match first & 0x8f {
                0x81 => Opcode::Text,
                0x82 => Opcode::Binary,
                0x88 => Opcode::Close,
                0x89 => Opcode::Ping,
                0x8a => Opcode::Pong,
                other => panic!("a frame that begins with {other:#x}"),
            };
            let (length, behind) = match second {
                126 => (usize::from(u16::from_be_bytes([behind[0], behind[1]])), &behind[2..]),
                127 => {
                    let (length, behind) = behind.split_first_chunk().expect("eight bytes of a length");
                    (usize::try_from(u64::from_be_bytes(*length)).expect("it fits"), behind)
                }
                length => (usize::from(*length), behind),
            };
            let (payload, behind) = behind.split_at(length);
            frames.push((first & 0x40 != 0, Frame { opcode, payload: payload.to_vec() }));
            rest = behind;
        }
        assert!(rest.is_empty(), "a frame that is cut");
        frames
    }

    /// A WebSocket has been sent a close frame with this code, and nothing else.
    pub fn assert_close(&mut self, visitor: Peer, code: u16) {
        let frames = self.frames(visitor);
        let [Frame { opcode: Opcode::Close, payload }] = &frames[..] else { panic!("{frames:?}") };
        assert_eq!(payload[..2], code.to_be_bytes(), "{:?}", String::from_utf8_lossy(&payload[2..]));
    }

    /// A WebSocket has been closed with this code, and its connection ends.
    pub fn assert_closed(&mut self, visitor: Peer, code: u16) {
        self.assert_close(visitor, code);
        assert!(self.server.has_ended(visitor));
    }

    /// Publishes by a request of its own: the event's id.
    pub fn publish(&mut self, topic: &str, data: impl AsRef<[u8]>) -> String {
        self.ask(&Request::post(format!("/topics/{topic}"), data)).id()
    }

    /// The data of all that is kept of a topic.
    pub fn kept(&mut self, topic: &str) -> Vec<String> {
        self.ask(&Request::get(format!("/topics/{topic}?since=start"))).data()
    }

    /// A metric, with its labels; none of a name is zero.
    pub fn metric(&mut self, name: &str) -> u64 {
        let response = self.ask(&Request::get("/metrics"));
        value(&response, name)
    }

    /// The same, asked for by one who is there already.
    pub fn metric_for(&mut self, visitor: Peer, name: &str) -> u64 {
        self.server.send(visitor, &Request::get("/metrics").bytes());
        let response = self.response(visitor);
        value(&response, name)
    }

    /// How many connections that carried this have ended for this reason.
    pub fn ended(&mut self, transport: &str, reason: &str) -> u64 {
        self.metric(&format!("connections_ended_total{{transport=\"{transport}\",reason=\"{reason}\"}}"))
    }

    /// How many requests were refused with this status.
    pub fn refused(&mut self, status: u16) -> u64 {
        self.metric(&format!("requests_refused_total{{status=\"{status}\"}}"))
    }

    /// How much was refused because there was too much of this.
    pub fn overloads(&mut self, reason: &str) -> u64 {
        self.metric(&format!("overload_refusals_total{{reason=\"{reason}\"}}"))
    }

    /// What connections hold.
    pub fn buffered(&mut self) -> u64 {
        self.metric("buffered_bytes")
    }

    /// Tenths of a second pass.
    pub fn pass(&mut self, ticks: u32) {
        self.server.advance(ticks);
    }

    /// Something has not happened yet, happens not before so many tenths of a second, and one tenth later at the latest.
    pub fn assert_due(&mut self, ticks: u32, mut has_happened: impl FnMut(&mut Stage) -> bool) {
        assert!(!has_happened(self), "before any time has passed");
        self.pass(ticks - 1);
        assert!(!has_happened(self), "one tenth of a second too early");
        self.pass(1);
        if !has_happened(self) {
            self.pass(1);
            assert!(has_happened(self), "more than one tenth of a second too late");
        }
    }

    /// The same of the end of a visitor's connection.
    pub fn assert_ends_in(&mut self, ticks: u32, visitor: Peer) {
        self.assert_due(ticks, |stage| stage.server.has_ended(visitor));
    }

    pub fn witness(&mut self) -> Witness {
        let (stream, _) = self.event_stream("/topics/witness");
        let socket = self.handshake("/topics/witness");
        Witness { stream, socket, said: 0 }
    }

    /// A witness has lost nothing, and is served on.
    pub fn assert_unharmed(&mut self, witness: &mut Witness) {
        witness.said += 1;
        let data = format!("said {}", witness.said);
        self.say(witness.socket, Opcode::Text, &data);
        let frames = self.frames(witness.socket);
        assert_eq!(frames.len(), 1, "{frames:?}");
        let event: serde_json::Value = serde_json::from_slice(&frames[0].payload).expect("an event");
        assert_eq!(event["data"], data);
        let (text, ended) = self.streamed(witness.stream);
        assert!(text.ends_with(&format!("data: {data}\n\n")), "{text:?}");
        assert!(text.matches("data: ").count() == 1 && !ended, "{text:?}");
    }
}

/// A metric's value in the text of all.
fn value(metrics: &Response, name: &str) -> u64 {
    assert_eq!(metrics.status, 200);
    let start = format!("barewire_{name} ");
    let line = metrics.text().lines().find_map(|line| line.strip_prefix(&start));
    line.map_or(0, |value| value.parse().expect("a number"))
}

/// Takes an answer's head off the front.
pub fn split_head(bytes: &[u8]) -> (Response, &[u8]) {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a whole head") + 4;
    let head = std::str::from_utf8(&bytes[..end - 4]).expect("a head is ASCII");
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 ")?.get(..3)).expect("a status");
    let fields = lines.map(|line| {
        let (name, value) = line.split_once(": ").expect("a field line");
        (name.to_owned(), value.to_owned())
    });
    let response = Response {
        status: status.parse().expect("a status is a number"),
        fields: fields.collect(),
        body: Vec::new(),
        interim: Vec::new(),
    };
    (response, &bytes[end..])
}

/// The text of whole chunks, and whether the last one is among them.
fn chunks(bytes: &[u8]) -> (String, bool) {
    let (mut rest, mut text) = (std::str::from_utf8(bytes).expect("text"), String::new());
    while !rest.is_empty() {
        let (size, behind) = rest.split_once("\r\n").expect("a chunk's size");
        let size = usize::from_str_radix(size, 16).expect("hexadecimal digits");
        if size == 0 {
            assert_eq!(behind, "\r\n");
            return (text, true);
        }
        text += &behind[..size];
        rest = behind[size..].strip_prefix("\r\n").expect("the end of a chunk");
    }
    (text, false)
}
