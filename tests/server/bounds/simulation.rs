//! A simulated server with helpers for the tests of limits. Nothing waits here: the server has
//! processed a peer's bytes when the call returns, and time passes only in
//! [`SimulatedServer::pass`].

use std::net::{Ipv4Addr, SocketAddr};

use barewire::server::Options;
use barewire::simulation::{Peer, Simulation};

use crate::harness::{Frame, Opcode, Request, Response, masked_frame};

/// A day, in seconds: longer than any test.
const DAY: u32 = 86_400;

/// A simulated server. Each of its peers connects from a different address.
pub struct SimulatedServer {
    pub simulation: Simulation,
    peers: u32,
}

/// Well-behaved followers on the streaming transports. Whatever other peers do, these followers
/// must lose nothing.
pub struct ControlFollowers {
    stream: Peer,
    socket: Peer,
    published: u32,
}

impl SimulatedServer {
    /// Creates a server on which no timeout is due, except those that `set` configures.
    pub fn with(set: impl FnOnce(&mut Options)) -> SimulatedServer {
        SimulatedServer::seeded(1, set)
    }

    /// Creates a server with another seed for its random numbers.
    pub fn seeded(seed: u64, set: impl FnOnce(&mut Options)) -> SimulatedServer {
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
        SimulatedServer { simulation: Simulation::new(options, seed), peers: 0 }
    }

    pub fn connect(&mut self) -> Peer {
        self.peers += 1;
        let address = Ipv4Addr::from_bits(0x0a00_0000 + self.peers);
        self.simulation.connect_from(Some(SocketAddr::from((address, 1))))
    }

    /// Connects and sends a request.
    pub fn begin(&mut self, request: &Request) -> Peer {
        let peer = self.connect();
        self.simulation.send(peer, &request.bytes());
        peer
    }

    /// Sends `bytes` in parts of `step` bytes.
    pub fn send_by(&mut self, peer: Peer, bytes: &[u8], step: usize) {
        bytes.chunks(step).for_each(|part| self.simulation.send(peer, part));
    }

    /// Sends a request on a new connection, reads its response, and closes the connection.
    pub fn request(&mut self, request: &Request) -> Response {
        let peer = self.begin(request);
        let response = self.response(peer);
        self.simulation.half_close(peer);
        response
    }

    /// Parses what a peer received, which must be exactly one response.
    pub fn response(&mut self, peer: Peer) -> Response {
        let mut responses = self.responses(peer);
        assert_eq!(responses.len(), 1, "{responses:?}");
        responses.remove(0)
    }

    /// Parses what a peer received, which must be responses with a length.
    pub fn responses(&mut self, peer: Peer) -> Vec<Response> {
        let bytes = self.simulation.take(peer);
        let (mut rest, mut responses) = (&bytes[..], Vec::new());
        while !rest.is_empty() {
            let (mut response, after) = split_head(rest);
            let length = response.get("Content-Length").map_or(0, |length| length.parse().expect("a length"));
            let (body, after) = after.split_at(length);
            response.body = body.to_vec();
            responses.push(response);
            rest = after;
        }
        responses
    }

    /// Asserts that the peer received only a refusal with this status, and that its connection has
    /// ended.
    pub fn assert_refused(&mut self, peer: Peer, status: u16) {
        let response = self.response(peer);
        response.assert_problem(status);
        assert!(response.ends() && self.simulation.has_ended(peer), "{response:?}");
    }

    /// Asserts that the peer received an event stream with only a reconnect delay, and that its
    /// connection has ended.
    pub fn assert_retry_stream(&mut self, peer: Peer) {
        let bytes = self.simulation.take(peer);
        let (head, body) = split_head(&bytes);
        assert_eq!((head.status, head.get("Content-Type")), (200, Some("text/event-stream")));
        let (text, complete) = chunks(body);
        assert!(text.starts_with("retry: ") && text.matches('\n').count() == 2, "{text:?}");
        assert!(complete && self.simulation.has_ended(peer));
    }

    /// Opens an event stream and returns its first block.
    pub fn event_stream(&mut self, target: &str) -> (Peer, String) {
        let peer = self.begin(&Request::event_stream(target));
        let bytes = self.simulation.take(peer);
        let (head, body) = split_head(&bytes);
        assert_eq!(head.status, 200);
        let (text, complete) = chunks(body);
        assert!(!complete, "the stream has just begun");
        (peer, text)
    }

    /// Returns the text that an event stream received, and whether the stream has ended.
    pub fn streamed(&mut self, peer: Peer) -> (String, bool) {
        chunks(&self.simulation.take(peer))
    }

    /// Opens a WebSocket and returns the response to its handshake. Discards its first message.
    pub fn web_socket(&mut self, request: &Request) -> (Peer, Response) {
        let peer = self.begin(request);
        let bytes = self.simulation.take(peer);
        let (head, _) = split_head(&bytes);
        assert_eq!(head.status, 101, "{head:?}");
        (peer, head)
    }

    pub fn handshake(&mut self, target: &str) -> Peer {
        self.web_socket(&Request::handshake(target)).0
    }

    /// Sends a complete message or a control frame.
    pub fn send_message(&mut self, peer: Peer, opcode: Opcode, payload: impl AsRef<[u8]>) {
        self.simulation.send(peer, &masked_frame(true, opcode, payload.as_ref()));
    }

    /// Returns the frames that a WebSocket received. Compressed ones require
    /// [`SimulatedServer::compressed_frames`].
    pub fn frames(&mut self, peer: Peer) -> Vec<Frame> {
        let frames = self.compressed_frames(peer);
        frames
            .into_iter()
            .map(|(compressed, frame)| {
                assert!(!compressed);
                frame
            })
            .collect()
    }

    /// Returns the frames that a WebSocket received, and whether each is compressed.
    pub fn compressed_frames(&mut self, peer: Peer) -> Vec<(bool, Frame)> {
        let bytes = self.simulation.take(peer);
        let (mut rest, mut frames) = (&bytes[..], Vec::new());
        while let [first, second, after @ ..] = rest {
            let opcode = match first & 0x8f {
                0x81 => Opcode::Text,
                0x82 => Opcode::Binary,
                0x88 => Opcode::Close,
                0x89 => Opcode::Ping,
                0x8a => Opcode::Pong,
                other => panic!("a frame that begins with {other:#x}"),
            };
            let (length, after) = match second {
                126 => (usize::from(u16::from_be_bytes([after[0], after[1]])), &after[2..]),
                127 => {
                    let (length, after) = after.split_first_chunk().expect("eight bytes of a length");
                    (usize::try_from(u64::from_be_bytes(*length)).expect("a length that fits"), after)
                }
                length => (usize::from(*length), after),
            };
            let (payload, after) = after.split_at(length);
            frames.push((first & 0x40 != 0, Frame { opcode, payload: payload.to_vec() }));
            rest = after;
        }
        assert!(rest.is_empty(), "the last frame is incomplete");
        frames
    }

    /// Asserts that a WebSocket received only a close frame with this code.
    pub fn assert_close(&mut self, peer: Peer, code: u16) {
        let frames = self.frames(peer);
        let [Frame { opcode: Opcode::Close, payload }] = &frames[..] else { panic!("{frames:?}") };
        assert_eq!(payload[..2], code.to_be_bytes(), "{:?}", String::from_utf8_lossy(&payload[2..]));
    }

    /// Asserts that a WebSocket received only a close frame with this code, and that its connection
    /// has ended.
    pub fn assert_closed(&mut self, peer: Peer, code: u16) {
        self.assert_close(peer, code);
        assert!(self.simulation.has_ended(peer));
    }

    /// Publishes an event on a new connection and returns its id.
    pub fn publish(&mut self, topic: &str, data: impl AsRef<[u8]>) -> String {
        self.request(&Request::post(format!("/topics/{topic}"), data)).id()
    }

    /// Returns the data of all events that a topic keeps.
    pub fn kept(&mut self, topic: &str) -> Vec<String> {
        self.request(&Request::get(format!("/topics/{topic}?since=start"))).data()
    }

    /// Returns the value of a metric, named with its labels. A missing one is zero.
    pub fn metric(&mut self, name: &str) -> u64 {
        let response = self.request(&Request::get("/metrics"));
        value(&response, name)
    }

    /// Requests a metric on an existing connection.
    pub fn metric_for(&mut self, peer: Peer, name: &str) -> u64 {
        self.simulation.send(peer, &Request::get("/metrics").bytes());
        let response = self.response(peer);
        value(&response, name)
    }

    /// Returns the number of connections with this transport that have ended for this reason.
    pub fn ended(&mut self, transport: &str, reason: &str) -> u64 {
        self.metric(&format!("connections_ended_total{{transport=\"{transport}\",reason=\"{reason}\"}}"))
    }

    /// Returns the number of requests refused with this status.
    pub fn refused(&mut self, status: u16) -> u64 {
        self.metric(&format!("requests_refused_total{{status=\"{status}\"}}"))
    }

    /// Returns the number of refusals for this kind of overload.
    pub fn overloads(&mut self, reason: &str) -> u64 {
        self.metric(&format!("overload_refusals_total{{reason=\"{reason}\"}}"))
    }

    /// Returns the bytes that all connections hold.
    pub fn buffered(&mut self) -> u64 {
        self.metric("buffered_bytes")
    }

    /// Lets that many ticks of 100 ms pass.
    pub fn pass(&mut self, ticks: u32) {
        self.simulation.advance(ticks);
    }

    /// Asserts that an event happens after that many ticks: not earlier, and at most one tick
    /// later.
    pub fn assert_due(&mut self, ticks: u32, mut has_happened: impl FnMut(&mut SimulatedServer) -> bool) {
        assert!(!has_happened(self), "it happened before any time had passed");
        self.pass(ticks - 1);
        assert!(!has_happened(self), "it happened one tick too early");
        self.pass(1);
        if !has_happened(self) {
            self.pass(1);
            assert!(has_happened(self), "it did not happen within one tick after its time");
        }
    }

    /// Asserts that a peer's connection ends after that many ticks.
    pub fn assert_ends_in(&mut self, ticks: u32, peer: Peer) {
        self.assert_due(ticks, |server| server.simulation.has_ended(peer));
    }

    pub fn control_followers(&mut self) -> ControlFollowers {
        let (stream, _) = self.event_stream("/topics/control");
        let socket = self.handshake("/topics/control");
        ControlFollowers { stream, socket, published: 0 }
    }

    /// Publishes an event and asserts that the control followers receive it and nothing else.
    pub fn assert_undisturbed(&mut self, control: &mut ControlFollowers) {
        control.published += 1;
        let data = format!("event {}", control.published);
        self.send_message(control.socket, Opcode::Text, &data);
        let frames = self.frames(control.socket);
        assert_eq!(frames.len(), 1, "{frames:?}");
        let event: serde_json::Value = serde_json::from_slice(&frames[0].payload).expect("an event");
        assert_eq!(event["data"], data);
        let (text, ended) = self.streamed(control.stream);
        assert!(text.ends_with(&format!("data: {data}\n\n")), "{text:?}");
        assert!(text.matches("data: ").count() == 1 && !ended, "{text:?}");
    }
}

/// Returns a metric's value from the text of all metrics.
fn value(metrics: &Response, name: &str) -> u64 {
    assert_eq!(metrics.status, 200);
    let start = format!("barewire_{name} ");
    let line = metrics.text().lines().find_map(|line| line.strip_prefix(&start));
    line.map_or(0, |value| value.parse().expect("a number"))
}

/// Splits a response's head from the front of the bytes.
pub fn split_head(bytes: &[u8]) -> (Response, &[u8]) {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a complete head") + 4;
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

/// Returns the text of complete chunks, and whether the last chunk is among them.
fn chunks(bytes: &[u8]) -> (String, bool) {
    let (mut rest, mut text) = (std::str::from_utf8(bytes).expect("text"), String::new());
    while !rest.is_empty() {
        let (size, after) = rest.split_once("\r\n").expect("a chunk size");
        let size = usize::from_str_radix(size, 16).expect("hexadecimal digits");
        if size == 0 {
            assert_eq!(after, "\r\n");
            return (text, true);
        }
        text += &after[..size];
        rest = after[size..].strip_prefix("\r\n").expect("the end of a chunk");
    }
    (text, false)
}
