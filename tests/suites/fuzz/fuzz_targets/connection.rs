//! The whole server without sockets, and any number of peers that do anything at any time.
//!
//! The input is a scenario, a sequence of steps. Each step has a byte for its kind, one for the
//! peer, one for a count, and further bytes if needed.
//!
//! The properties:
//!
//! - Whatever peers send and however they end, a well-behaved follower on each transport
//!   (`src/follower.rs`) receives every event once, in order, and the same events as the others.
//!   Its connection never ends, and its own publishes reach all.
//! - Everything that a peer receives is valid: HTTP responses in the order of its requests, event
//!   streams, frames.
//! - A peer that reads everything, and closes only its own side, gets a response to every request
//!   up to the last one on the connection.
//! - Every event whose publish got a 201 reached the followers unchanged.
//! - The same scenario has the same outcome, except for the memory figures in the metrics. If all
//!   data is split smaller, the followers still receive the same events.
//! - When all peers are gone, or have closed and time has passed, or the server was stopped, it
//!   holds no connections except the event streams of peers that still listen. At all times its
//!   memory stays below a small multiple of the bytes passed, plus a fixed amount per peer.
#![no_main]

use std::collections::HashMap;

use barewire::protocol::http::HeadLimits;
use barewire::protocol::websocket::frame::{MAX_CONTROL_PAYLOAD, Opcode};
use barewire::server::Options;
use barewire::simulation::{Peer, Simulation};
use barewire_fuzz::follower::{self, Event, Follower, TOPIC};
use barewire_fuzz::responses::{self, Response};
use barewire_fuzz::{peak, split};
use libfuzzer_sys::fuzz_target;

/// Peers at once, besides the well-behaved followers.
const MAX_PEERS: usize = 6;
/// The limit on the bytes that all peers send together.
const MAX_SENT: usize = 1 << 16;
/// The limit on the ticks of 100 ms in a scenario: five minutes.
const MAX_TICKS: u32 = 3000;

const HEAD: HeadLimits = HeadLimits { bytes: 1024, request_line: 512, field_lines: 16 };

/// Requests that a peer may send.
const REQUESTS: [&str; 24] = [
    "GET /topics/w HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n",
    "GET /topics/w?since=start HTTP/1.0\r\nAccept: text/event-stream\r\n\r\n",
    "GET /topics/w?since=start HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n",
    "GET /topics/w?since=start HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET /topics/w?wait=3 HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET /topics/w HTTP/1.1\r\nHost: x\r\nPrefer: wait=60\r\n\r\n",
    "HEAD /topics/w HTTP/1.1\r\nHost: x\r\n\r\n",
    "POST /topics/w HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
    "POST /topics/w HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\na\rb\r\n1\r\n\n\r\n0\r\n\r\n",
    "POST /topics/w HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n",
    "POST /topics/w HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\nContent-Length: 8\r\n\r\na\nb\r\n\nc\n",
    "POST /topics/other?event=e HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx",
    "POST /topics/w HTTP/1.1\r\nHost: x\r\nContent-Length: 70000\r\n\r\n",
    "GET /topics/w HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    "GET /topics/w?since=start HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
     Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: barewire.text\r\n\
     Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n",
    "GET /echo HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    "GET /echo HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
    "GET /topics/w HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 12\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "OPTIONS /topics/w HTTP/1.1\r\nHost: x\r\nOrigin: http://a\r\nAccess-Control-Request-Method: POST\r\n\r\n",
    "GET /topics/third?wait=60 HTTP/1.1\r\nHost: x\r\n\r\n",
    "PUT /topics/w HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
    "GET /topics/w HTTP/1.1\r\n\r\n",
];

fuzz_target!(|bytes: &[u8]| {
    let [flags, lengths @ ..] = bytes else { return };
    let Some((lengths, scenario)) = lengths.split_first_chunk::<3>() else { return };
    let (outcome, peak) = peak(|| run(*flags, scenario, &[0]));
    let most = (4 << 20) + MAX_PEERS * (1 << 20) + 16 * outcome.passed;
    assert!(peak <= most, "{peak} bytes of heap after {} bytes in both directions", outcome.passed);
    assert_eq!(run(*flags, scenario, &[0]).without_process(), outcome.without_process());
    assert_eq!(run(*flags, scenario, lengths).events, outcome.events);
});

/// A peer of the scenario, with everything that it has sent and received.
struct Actor {
    peer: Peer,
    sent: Vec<u8>,
    received: Vec<u8>,
    /// Whether the peer has closed its side.
    has_ended: bool,
    is_gone: bool,
    /// Whether the peer was at any time unable to read everything.
    was_slow: bool,
}

#[derive(Debug)]
struct Outcome {
    events: Vec<Event>,
    received: Vec<Vec<u8>>,
    /// Bytes in both directions.
    passed: usize,
}

impl Outcome {
    /// Returns the part of the outcome that the scenario alone determines, without the metrics of
    /// the process.
    fn without_process(&self) -> (&[Event], Vec<&[u8]>) {
        let has_metrics = |received: &[u8]| {
            let name = b"process_resident_memory_bytes ";
            received.windows(name.len()).any(|part| part == name)
        };
        let received = self.received.iter().map(|received| &received[..]);
        (&self.events, received.filter(|received| !has_metrics(received)).collect())
    }
}

fn options(flags: u8) -> Options {
    let mut options = Options { head: HEAD, ..Options::default() };
    if flags & 1 != 0 {
        options.hub.window_events = 4;
        options.hub.window_bytes = 1 << 14;
    }
    if flags & 2 != 0 {
        options.hub.encoded_bytes = 1 << 10;
    }
    if flags & 4 != 0 {
        options.hub.topics = 2;
        options.hub.window_age = Some(100);
    }
    if flags & 8 != 0 {
        options.policy.compress_from = 1;
        options.echo_contexts = 1;
    }
    if flags & 16 != 0 {
        options.max_connections = 8 + 3;
        options.echo_bytes = 100;
        options.message_frames = 3;
    }
    options
}

/// A running scenario.
struct Run<'a> {
    server: Simulation,
    followers: Vec<Follower>,
    actors: Vec<Actor>,
    lengths: &'a [u8],
    sent: usize,
    ticks: u32,
}

fn run(flags: u8, scenario: &[u8], lengths: &[u8]) -> Outcome {
    let options = options(flags);
    let mut server = Simulation::new(options, 1);
    let followers = Follower::all(&mut server);
    let mut run = Run { server, followers, actors: Vec::new(), lengths, sent: 0, ticks: 0 };
    let mut rest = scenario;
    while let [kind, who, count, after @ ..] = rest {
        rest = run.step(*kind, *who, *count, after);
        run.proceed();
    }
    run.end(flags >> 6);

    let events = compare(&run.followers, flags & 5 != 0);
    let ids: HashMap<&str, &Event> = events.iter().map(|event| (&*event.0, event)).collect();
    for actor in &run.actors {
        let requests = responses::requests(&actor.sent, &HEAD, TOPIC);
        let responses = responses::read(&actor.received, &requests);
        for (response, request) in responses.iter().zip(&requests) {
            check(response, request.publishes.as_deref(), &ids);
        }
    }
    let received: Vec<Vec<u8>> = run.actors.into_iter().map(|actor| actor.received).collect();
    let to_followers: usize = run.followers.iter().map(|follower| follower.received).sum();
    let passed = run.sent + to_followers + received.iter().map(Vec::len).sum::<usize>();
    Outcome { events, received, passed }
}

impl Run<'_> {
    fn proceed(&mut self) {
        for follower in &mut self.followers {
            follower.proceed(&mut self.server);
        }
        for actor in &mut self.actors {
            actor.received.append(&mut self.server.take(actor.peer));
        }
    }

    /// Executes one step. Returns the rest of the scenario.
    fn step<'p>(&mut self, kind: u8, who: u8, count: u8, after: &'p [u8]) -> &'p [u8] {
        let length = if matches!(kind % 16, 0..=4 | 11 | 12) { usize::from(count) } else { 0 };
        let (bytes, after) = after.split_at(after.len().min(length));
        match kind % 16 {
            0 => self.send(who, bytes, 1),
            1 => {
                let length = bytes.len();
                let media_type = if kind & 16 == 0 { "" } else { "Content-Type: text/plain\r\n" };
                let topic = if kind & 32 == 0 { TOPIC } else { "/topics/other" };
                let head = format!(
                    "POST {topic} HTTP/1.1\r\nHost: x\r\n{media_type}Content-Length: {length}\r\n\r\n"
                );
                self.send(who, &[head.as_bytes(), bytes].concat(), 1);
            }
            2 => self.send(who, &follower::frame(Opcode::Text, bytes), 1),
            3 => {
                let opcode =
                    [Opcode::Binary, Opcode::Ping, Opcode::Pong, Opcode::Close][usize::from(kind >> 4 & 3)];
                let payload =
                    if opcode.is_control() { &bytes[..bytes.len().min(MAX_CONTROL_PAYLOAD)] } else { bytes };
                self.send(who, &follower::frame(opcode, payload), 1);
            }
            4 => {
                // A frame with any first byte: fragments, compressed frames, invalid ones.
                let mut frame = follower::frame(Opcode::Text, bytes.get(1..).unwrap_or_default());
                frame[0] = bytes.first().copied().unwrap_or(0x01);
                self.send(who, &frame, 1);
            }
            5 | 6 => self.send(who, REQUESTS[usize::from(count) % REQUESTS.len()].as_bytes(), 1),
            7 => self.send(who, REQUESTS[usize::from(kind >> 4) % REQUESTS.len()].as_bytes(), count.into()),
            8 => {
                if let Some(peer) = self.peer(who) {
                    self.server.set_room(peer, usize::from(count) * usize::from(count));
                    let actor = self.actors.iter_mut().find(|other| other.peer == peer);
                    actor.expect("every peer is an actor").was_slow = true;
                }
            }
            9 => {
                if let Some(peer) = self.peer(who) {
                    self.server.set_room(peer, usize::MAX);
                }
            }
            10 => {
                // One part of a request; the other part may follow or not.
                let request = REQUESTS[usize::from(kind >> 4) % REQUESTS.len()].as_bytes();
                let at = usize::from(count) % request.len();
                self.send(who, if kind & 128 == 0 { &request[..at] } else { &request[at..] }, 1);
            }
            11 | 12 => {
                let text = String::from_utf8_lossy(bytes);
                let sockets: Vec<usize> = (0..self.followers.len())
                    .filter(|at| self.followers[*at].name.contains("socket"))
                    .collect();
                let publisher = sockets[usize::from(who) % sockets.len()];
                let Run { server, followers, .. } = self;
                let before = followers[0].events.len();
                assert!(followers[publisher].publish(server, &text));
                self.proceed();
                let new = &self.followers[0].events[before..];
                // The event may complete a poll on whose connection a publish is already waiting.
                let first = new.first();
                let data = text.replace("\r\n", "\n").replace('\r', "\n");
                assert_eq!(
                    first.map(|(_, _, data)| &**data),
                    Some(&*data),
                    "a well-behaved follower's publish reaches the followers: {new:?}"
                );
            }
            13 => self.pass(u32::from(count)),
            14 => self.pass(u32::from(count) * 8),
            _ => {
                if let Some(peer) = self.peer(who) {
                    let at = self.actors.iter().position(|other| other.peer == peer);
                    let at = at.expect("every peer is an actor");
                    if kind & 16 == 0 {
                        self.server.half_close(peer);
                        self.actors[at].has_ended = true;
                    } else {
                        self.server.reset(peer);
                        self.actors[at].is_gone = true;
                    }
                }
            }
        }
        after
    }

    /// Returns the peer with this number, and connects a new one if it does not exist or has gone.
    /// Numbers from 128 select only peers whose connection is still open.
    fn peer(&mut self, who: u8) -> Option<Peer> {
        let is_over = |actor: &Actor| actor.has_ended || self.server.has_ended(actor.peer);
        let is_here = |actor: &&Actor| !actor.is_gone && (who < 128 || !is_over(actor));
        let here: Vec<Peer> = self.actors.iter().filter(is_here).map(|actor| actor.peer).collect();
        let at = usize::from(who) % MAX_PEERS;
        if let Some(peer) = here.get(at) {
            return Some(*peer);
        }
        if self.actors.len() >= 4 * MAX_PEERS {
            return here.first().copied();
        }
        let peer = self.server.connect();
        self.actors.push(Actor {
            peer,
            sent: Vec::new(),
            received: Vec::new(),
            has_ended: false,
            is_gone: false,
            was_slow: false,
        });
        Some(peer)
    }

    fn send(&mut self, who: u8, bytes: &[u8], times: usize) {
        let Some(peer) = self.peer(who) else { return };
        for _ in 0..times {
            if bytes.is_empty() || self.sent + bytes.len() > MAX_SENT {
                return;
            }
            let Some(actor) = self.actors.iter_mut().find(|actor| actor.peer == peer) else {
                return;
            };
            if actor.has_ended {
                return;
            }
            self.sent += bytes.len();
            // Bytes that arrive after the server has closed its side are not requests.
            if !self.server.has_ended(peer) {
                actor.sent.extend_from_slice(bytes);
            }
            for part in split(bytes, self.lengths) {
                self.server.send(peer, part);
            }
        }
    }

    /// Lets time pass, in steps short enough for the followers to answer pings.
    fn pass(&mut self, ticks: u32) {
        let mut left = ticks.min(MAX_TICKS - self.ticks);
        self.ticks += left;
        while left > 0 {
            let step = left.min(50);
            self.server.advance(step);
            self.proceed();
            left -= step;
        }
    }

    /// Ends all peers in one of three ways, and checks that no connection remains.
    fn end(&mut self, way: u8) {
        match way {
            0 => {}
            1 => {
                for actor in self.actors.iter().filter(|actor| !actor.is_gone) {
                    self.server.half_close(actor.peer);
                    self.server.set_room(actor.peer, usize::MAX);
                }
                let mut before = self.responses();
                loop {
                    // Longer than the longest wait and everything that may follow it.
                    self.ticks = 0;
                    self.pass(1000);
                    let now = self.responses();
                    // A peer with several pending waits gets one response after the other.
                    if now == before {
                        break;
                    }
                    before = now;
                }
                let streams = self.actors.iter().filter(|actor| self.is_listening(actor)).count();
                for actor in self.actors.iter().filter(|actor| !actor.is_gone && !actor.was_slow) {
                    let requests = responses::requests(&actor.sent, &HEAD, TOPIC);
                    let responses = responses::read(&actor.received, &requests);
                    let complete = requests.iter().filter(|request| request.is_complete).count();
                    let is_over = responses.last().is_some_and(|last| last.closes || !last.is_complete);
                    assert!(
                        is_over || responses.len() >= complete,
                        "{} responses to {}",
                        responses.len(),
                        actor.sent.escape_ascii()
                    );
                }
                let most = self.followers.len() + streams;
                assert!(
                    self.server.connections() <= most,
                    "{} connections, expected at most {most}",
                    self.server.connections()
                );
            }
            _ => {
                self.server.stop();
                for _ in 0..3 {
                    self.server.advance(50);
                    for actor in &mut self.actors {
                        actor.received.append(&mut self.server.take(actor.peer));
                    }
                }
                assert!(self.server.is_over());
            }
        }
        let all = self.actors.iter().map(|actor| actor.peer);
        for peer in all.chain(self.followers.iter().map(|follower| follower.peer)) {
            self.server.reset(peer);
        }
        assert_eq!(self.server.connections(), 0, "connections of peers that are gone");
    }

    /// Returns whether the server may still be sending this peer an event stream.
    fn is_listening(&self, actor: &Actor) -> bool {
        let is_here = !actor.is_gone && !self.server.has_ended(actor.peer);
        is_here && read(actor).last().is_some_and(|last| last.events.is_some() && !last.is_complete)
    }

    /// Returns the number of complete responses of each peer.
    fn responses(&self) -> Vec<usize> {
        self.actors
            .iter()
            .map(|actor| read(actor).iter().filter(|response| response.is_complete).count())
            .collect()
    }
}

fn read(actor: &Actor) -> Vec<Response> {
    let requests = responses::requests(&actor.sent, &HEAD, TOPIC);
    responses::read(&actor.received, &requests)
}

/// Compares the well-behaved followers with each other, and returns the events that they received.
fn compare(followers: &[Follower], may_trim: bool) -> Vec<Event> {
    let events = &followers[0].events;
    let sequence = |id: &str| id.rsplit_once('-').and_then(|(_, digits)| digits.parse::<u64>().ok());
    assert!(events.is_sorted_by_key(|(id, ..)| sequence(id)));
    assert!(events.windows(2).all(|two| two[0].0 != two[1].0), "an event arrived twice");
    for follower in &followers[1..] {
        assert!(!follower.gap || may_trim, "{} received a gap, but nothing was dropped", follower.name);
        if !follower.knows_ids() {
            let data = |events: &[Event]| events.iter().map(|(.., data)| data.clone()).collect::<Vec<_>>();
            assert_eq!(data(&follower.events), data(events), "{}", follower.name);
        } else if follower.gap {
            assert!(events.ends_with(&follower.events), "{} has other events", follower.name);
        } else {
            assert_eq!(&follower.events, events, "{}", follower.name);
        }
    }
    events.clone()
}

/// Checks that a response agrees with the events that the followers received.
fn check(response: &Response, publishes: Option<&[u8]>, ids: &HashMap<&str, &Event>) {
    if let (201, true, Some(content)) = (response.status, response.is_complete, publishes) {
        let body: serde_json::Value = serde_json::from_slice(&response.content).expect("JSON");
        let id = body["id"].as_str().expect("an id");
        let (_, name, data) =
            ids.get(id).unwrap_or_else(|| panic!("{id} was accepted, but no follower received it"));
        let content = std::str::from_utf8(content).expect("an accepted event is UTF-8");
        assert_eq!((&**name, data), ("message", &content.replace("\r\n", "\n").replace('\r', "\n")));
    }
    let mut last = 0;
    for event in response.events.iter().flatten() {
        let sequence = event.id.rsplit_once('-').and_then(|(_, digits)| digits.parse().ok()).unwrap_or(0);
        if event.event == "gap" {
            continue;
        }
        assert!(sequence > last, "{} follows {last}", event.id);
        last = sequence;
        if let Some((_, name, data)) = ids.get(&*event.id) {
            assert_eq!((name, data), (&event.event, &event.data));
        }
    }
}
