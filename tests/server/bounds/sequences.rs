//! Any sequence of what peers do between any two loop iterations. Every request is answered in
//! order, every event is published once, and every follower receives the events from its position
//! on without a gap, up to the newest one or up to an end that it is told.

use std::collections::BTreeMap;

use barewire::server::Options;
use barewire::simulation::{Peer, Simulation};
use proptest::prelude::*;
use serde_json::Value;

use super::simulation::split_head;
use crate::compression::{compressed_frame, inflate};
use crate::harness::{Opcode, Request, masked_frame};

/// More iterations than any sequence needs.
const ITERATIONS: usize = 50_000;
const ROOMS: [usize; 6] = [0, 1, 100, 5000, 100_000, usize::MAX];
const SIZES: [usize; 5] = [4, 300, 3000, 50_000, 30];
/// What one turn may publish after the bound is reached.
const TURN_BYTES: usize = 400_000;
/// What one write may need of encoded events.
const WRITE_BYTES: usize = 1_500_000;
const TOPICS: [&str; 2] = ["a", "b"];

const OFFER: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

/// An action: its kind, its actor, and how much.
type Action = (u8, u8, u8);

#[derive(Clone, Copy, PartialEq, Debug)]
enum Kind {
    Http,
    Stream,
    /// The number says how its messages are compressed, if at all.
    Socket(u8),
    Echo(u8),
}

/// A request, and what its response must be.
#[derive(Clone, Debug)]
enum Expected {
    /// The numbers of the events.
    Published(Vec<usize>),
    Polled,
    Missing,
}

struct Actor {
    peer: Peer,
    kind: Kind,
    topic: usize,
    expected: Vec<Expected>,
    /// The numbers of the events, or the payloads to be echoed, of a WebSocket.
    messages: Vec<String>,
    /// Bytes of a request or message that is not sent completely.
    unsent: Vec<u8>,
    received: Vec<u8>,
    was_reset: bool,
    was_closed: bool,
}

struct Run {
    server: Simulation,
    actors: Vec<Actor>,
    events: usize,
    tight: u8,
    was_stopped: bool,
    /// All events that a client knows: the topic and the number by their sequence.
    known: BTreeMap<u64, (usize, usize)>,
}

fn options(tight: u8) -> Options {
    let mut options = Options::default();
    for time in [
        &mut options.head_timeout,
        &mut options.body_timeout,
        &mut options.idle_timeout,
        &mut options.heartbeat,
        &mut options.ping_interval,
        &mut options.pong_timeout,
        &mut options.write_timeout,
        &mut options.close_timeout,
        &mut options.linger,
        &mut options.drain_timeout,
    ] {
        *time = if tight & 16 != 0 { 2 } else { 86_400 };
    }
    if tight & 1 != 0 {
        options.hub.window_bytes = 1000;
        options.hub.encoded_bytes = 1;
    }
    if tight & 2 != 0 {
        options.outbox_bytes = 1024;
    }
    if tight & 4 != 0 {
        options.buffered_bytes = 64 << 10;
    }
    if tight & 8 != 0 {
        options.hub.topics = 2;
        options.hub.window_events = 4;
    }
    options
}

fn sequence(id: &str) -> u64 {
    let (_, number) = id.rsplit_once('-').expect("an id");
    number.parse().expect("a sequence")
}

fn data(number: usize, size: usize) -> String {
    format!("{number:06} {}", "x".repeat(size))
}

impl Run {
    fn connect(&mut self, kind: Kind, topic: usize) {
        let target = |since| format!("/topics/{}?since={since}", TOPICS[topic]);
        let deflate = |request: Request, way: u8| match way {
            0 => request,
            1 => request.field("Sec-WebSocket-Extensions", OFFER),
            _ => request.field("Sec-WebSocket-Extensions", format!("{OFFER}; server_max_window_bits=9")),
        };
        let peer = self.server.connect();
        let request = match kind {
            Kind::Http => None,
            Kind::Stream => Some(Request::event_stream(target("start"))),
            Kind::Socket(way) => Some(deflate(Request::handshake(target("now")), way)),
            Kind::Echo(way) => Some(deflate(Request::handshake("/echo"), way)),
        };
        self.actors.push(Actor {
            peer,
            kind,
            topic,
            expected: Vec::new(),
            messages: Vec::new(),
            unsent: request.map_or(Vec::new(), |request| request.bytes()),
            received: Vec::new(),
            was_reset: false,
            was_closed: false,
        });
    }

    fn number(&mut self) -> usize {
        self.events += 1;
        self.events
    }

    /// Sends a part of what the actor has not sent yet, or all of it.
    fn send(&mut self, at: usize, part: usize) {
        let actor = &mut self.actors[at];
        let rest = actor.unsent.split_off(part.min(actor.unsent.len()));
        let bytes = std::mem::replace(&mut actor.unsent, rest);
        if !actor.was_closed && !actor.was_reset {
            self.server.send(actor.peer, &bytes);
        }
    }

    fn request(&mut self, at: usize, how: u8) {
        let topic = TOPICS[self.actors[at].topic];
        let size = SIZES[usize::from(how) % SIZES.len()];
        let target = format!("/topics/{topic}");
        let (request, expected) = match how / 32 {
            0..=2 => {
                let number = self.number();
                (Request::post(target, data(number, size)), Expected::Published(vec![number]))
            }
            3 => {
                let number = self.number();
                let text = data(number, size);
                let (start, end) = text.as_bytes().split_at(text.len() / 2);
                (Request::post_chunks(target, &[start, end]), Expected::Published(vec![number]))
            }
            4 => {
                let numbers: Vec<usize> = (0..size.min(3000)).map(|_| self.number()).collect();
                let lines: String = numbers.iter().map(|number| data(*number, 1) + "\n").collect();
                (Request::post_lines(target, lines), Expected::Published(numbers))
            }
            5 => (Request::get(format!("{target}?since=start")), Expected::Polled),
            6 => (Request::get(format!("{target}?wait=1")), Expected::Polled),
            _ => (Request::get("/nothing"), Expected::Missing),
        };
        let actor = &mut self.actors[at];
        actor.unsent.extend(request.bytes());
        actor.expected.push(expected);
    }

    fn message(&mut self, at: usize, how: u8) {
        let size = SIZES[usize::from(how) % SIZES.len()];
        let number = self.number();
        let actor = &mut self.actors[at];
        let (text, way) = match actor.kind {
            Kind::Socket(way) => (data(number, size), way),
            Kind::Echo(way) => (data(number, size * 5), way),
            _ => return,
        };
        if how >= 220 {
            actor.unsent.extend(masked_frame(true, Opcode::Ping, b"ping"));
            return;
        }
        actor.unsent.extend(match way {
            0 => masked_frame(true, Opcode::Text, text.as_bytes()),
            _ => compressed_frame(&text),
        });
        actor.messages.push(text);
    }

    fn act(&mut self, (kind, who, how): Action) {
        eprintln!(
            "ACT {kind} {who} {how} actor {} {:?}",
            usize::from(who) % self.actors.len(),
            self.actors[usize::from(who) % self.actors.len()].kind
        );
        let at = usize::from(who) % self.actors.len();
        let is_http = self.actors[at].kind == Kind::Http;
        let (peer, count) = (self.actors[at].peer, 1 + usize::from(how) % 5);
        match kind {
            0..=3 if self.actors[at].was_closed || self.actors[at].was_reset => {}
            0..=3 => {
                for turn in 0..count as u8 {
                    let how = how.wrapping_add(turn * 37);
                    if is_http { self.request(at, how) } else { self.message(at, how) }
                }
                let part = if how % 3 == 0 { self.actors[at].unsent.len() / 2 } else { usize::MAX };
                self.send(at, part);
            }
            4 => self.send(at, usize::from(how)),
            5..=6 => self.server.set_room(peer, ROOMS[usize::from(how) % ROOMS.len()]),
            7..=9 => (0..count).for_each(|_| _ = self.step()),
            10 => self.settle(),
            11 => self.server.advance(u32::from(how) / 8),
            12 => self.connect([Kind::Http, Kind::Stream, Kind::Socket(how % 3)][count % 3], at % 2),
            13 if how > 128 => {
                self.actors[at].was_reset = true;
                self.server.reset(peer);
            }
            14 if is_http || self.actors[at].kind == Kind::Stream => {
                self.send(at, usize::MAX);
                self.actors[at].was_closed = true;
                self.server.half_close(peer);
            }
            15 if how > 200 && !self.was_stopped => {
                self.was_stopped = true;
                self.server.stop();
            }
            _ => {}
        }
    }

    /// Runs one iteration, checks the bounds, and returns whether there is more work.
    fn step(&mut self) -> bool {
        let has_work = self.server.step();
        for actor in &mut self.actors {
            actor.received.append(&mut self.server.take(actor.peer));
        }
        let options = options(self.tight);
        let (events, encoded) = self.server.log_memory();
        let window = options.hub.window_bytes;
        assert!(events <= window + window / 4 + TURN_BYTES, "{events} bytes of events");
        assert!(encoded <= options.hub.encoded_bytes + WRITE_BYTES, "{encoded} encoded bytes");
        has_work
    }

    fn settle(&mut self) {
        for _ in 0..ITERATIONS {
            if !self.step() {
                return;
            }
        }
        panic!("the server has work without end");
    }

    fn received(&self) -> usize {
        self.actors.iter().map(|actor| actor.received.len()).sum()
    }

    /// Sends everything that is unsent, receives everything, and waits for the last polls.
    fn complete(&mut self) {
        for at in 0..self.actors.len() {
            self.send(at, usize::MAX);
            self.server.set_room(self.actors[at].peer, usize::MAX);
        }
        self.settle();
        for _ in 0..40 {
            let before = self.received();
            self.server.advance(11);
            self.settle();
            if self.received() == before {
                break;
            }
        }
    }

    /// Returns whether a connection may end for its memory or its slowness.
    fn may_end(&self) -> bool {
        self.tight & (4 | 16) != 0
    }

    fn is_alive(&self, actor: &Actor) -> bool {
        !actor.was_reset && !self.server.has_ended(actor.peer)
    }

    /// Notes an event that a client was told.
    fn learn(&mut self, id: &str, topic: usize, number: usize) {
        let before = self.known.insert(sequence(id), (topic, number));
        assert!(before.is_none_or(|before| before == (topic, number)), "{id} is {number} and {before:?}");
    }

    fn responses(&mut self, at: usize) {
        let actor = &self.actors[at];
        let (bytes, expected, topic) = (actor.received.clone(), actor.expected.clone(), actor.topic);
        let (responses, is_complete) = responses(&bytes);
        let may_fail = self.may_end() || self.was_stopped || actor.was_reset;
        assert!(is_complete || may_fail, "the last response is incomplete");
        let is_refused = |status| matches!(status, 408 | 503) && may_fail;
        assert!(responses.len() == expected.len() || may_fail, "{} of {expected:?}", responses.len());
        for ((status, body), expected) in responses.iter().zip(&expected) {
            if is_refused(*status) {
                continue;
            }
            let wanted = match expected {
                Expected::Published(_) => 201,
                Expected::Polled => 200,
                Expected::Missing => 404,
            };
            assert_eq!(*status, wanted, "{expected:?}");
            let json: Value = serde_json::from_slice(body).expect("JSON");
            match expected {
                Expected::Published(numbers) => {
                    let ids = json["ids"].as_array().cloned().unwrap_or(vec![json["id"].clone()]);
                    assert_eq!(ids.len(), numbers.len());
                    for (id, number) in ids.iter().zip(numbers) {
                        self.learn(id.as_str().expect("an id"), topic, *number);
                    }
                }
                Expected::Polled => self.learn_list(&json, topic),
                Expected::Missing => {}
            }
        }
    }

    fn learn_list(&mut self, json: &Value, topic: usize) {
        for event in json["events"].as_array().expect("events") {
            self.learn(event["id"].as_str().expect("an id"), topic, number(&event["data"]));
        }
    }

    /// Learns everything that the server keeps.
    fn poll(&mut self) {
        for (topic, name) in TOPICS.iter().enumerate() {
            let mut since = "start".to_owned();
            loop {
                let peer = self.server.connect();
                let target = format!("/topics/{name}?since={since}");
                self.server.send(peer, &Request::get(target).bytes());
                self.settle();
                let (responses, _) = responses(&self.server.take(peer));
                let json: Value = serde_json::from_slice(&responses[0].1).expect("JSON");
                self.learn_list(&json, topic);
                self.server.reset(peer);
                if json["events"].as_array().is_none_or(Vec::is_empty) {
                    break;
                }
                since = json["next"].as_str().expect("a cursor").to_owned();
            }
        }
    }

    /// Returns what an actor with an open response has been told.
    fn told(&self, actor: &Actor) -> Told {
        let may_be_cut = !self.is_alive(actor) && (actor.was_reset || self.may_end());
        match actor.kind {
            Kind::Stream => stream(&actor.received, may_be_cut),
            _ => socket(&actor.received, may_be_cut || actor.was_reset),
        }
    }

    fn check(mut self) {
        self.complete();
        for at in 0..self.actors.len() {
            if self.actors[at].kind == Kind::Http {
                self.responses(at);
            }
        }
        let all: Vec<Option<Told>> = (0..self.actors.len())
            .map(|at| {
                let actor = &self.actors[at];
                (actor.kind != Kind::Http && !actor.received.is_empty()).then(|| self.told(actor))
            })
            .collect();
        for (at, told) in all.iter().enumerate() {
            let topic = self.actors[at].topic;
            for (id, number) in told.iter().flat_map(|told| &told.events) {
                self.learn(id, topic, *number);
            }
        }
        if !self.was_stopped && !self.may_end() {
            self.poll();
        }
        let mut numbers: Vec<usize> = self.known.values().map(|(_, number)| *number).collect();
        numbers.sort_unstable();
        assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "an event is published twice");
        for (actor, told) in self.actors.iter().zip(&all) {
            match told {
                Some(told) if matches!(actor.kind, Kind::Echo(_)) => self.check_echo(actor, told),
                Some(told) => self.check_follower(actor, told),
                None => {}
            }
        }
        self.check_end();
    }

    fn check_echo(&self, actor: &Actor, told: &Told) {
        let sent = &actor.messages[..told.echoes.len()];
        assert!(told.echoes.iter().eq(sent), "the echoes differ");
        if self.is_alive(actor) && told.ended.is_none() {
            assert_eq!(told.echoes.len(), actor.messages.len(), "echoes are missing");
        }
    }

    fn check_follower(&self, actor: &Actor, told: &Told) {
        let of_topic = |from: u64, to: u64| {
            let between = self.known.range(from + 1..to);
            between.filter(|(_, (topic, _))| *topic == actor.topic).count()
        };
        let Some(mut last) = told.start else { return assert!(told.events.is_empty()) };
        for (id, _) in &told.events {
            let next = sequence(id);
            assert!(next > last, "{next} after {last}");
            assert_eq!(of_topic(last, next), 0, "{:?}: a gap between {last} and {next}", actor.kind);
            last = next;
        }
        let is_open = self.is_alive(actor) && told.ended.is_none();
        if is_open || told.ended == Some(End::Shutdown) {
            assert_eq!(of_topic(last, u64::MAX), 0, "{:?}: events after {last} are missing", actor.kind);
        }
        let is_told = told.ended.is_some() || actor.was_reset || self.may_end() || actor.was_closed;
        assert!(self.is_alive(actor) || is_told, "{:?}: ended without a word", actor.kind);
        if is_open && self.tight & 9 == 0 && !self.was_stopped && !self.may_end() {
            let published = |text: &String| {
                let number = text[..6].parse().expect("a number");
                self.known.iter().find(|(_, event)| **event == (actor.topic, number)).map(|(id, _)| *id)
            };
            let ids: Vec<Option<u64>> = actor.messages.iter().map(published).collect();
            assert!(ids.iter().all(Option::is_some) && ids.is_sorted(), "{ids:?}");
        }
    }

    /// Ends all connections. None must remain, and no topic must be in use.
    fn check_end(mut self) {
        if self.tight & 16 == 0 {
            let most = self.server.iteration_work_max();
            assert!(most <= 10_000_000, "{most} units in one iteration");
        }
        for actor in &self.actors {
            self.server.half_close(actor.peer);
        }
        self.settle();
        assert!(!self.was_stopped || self.server.is_over(), "connections are left at the shutdown");
        for actor in &self.actors {
            self.server.reset(actor.peer);
        }
        self.settle();
        assert_eq!(self.server.connections(), 0);
        for topic in ["c", "d", "e"].into_iter().filter(|_| !self.was_stopped) {
            let peer = self.server.connect();
            self.server.send(peer, &Request::post(format!("/topics/{topic}"), "x").bytes());
            while self.server.step() {}
            let (responses, _) = responses(&self.server.take(peer));
            assert_eq!(responses[0].0, 201, "a topic is in use without a user");
        }
    }
}

/// Why a follower was told that it ends.
#[derive(Clone, Copy, PartialEq, Debug)]
enum End {
    Shutdown,
    Other,
}

/// What a follower or a client of an echo was told.
#[derive(Default, Debug)]
struct Told {
    /// The position at which it began.
    start: Option<u64>,
    /// The ids and numbers of the events.
    events: Vec<(String, usize)>,
    echoes: Vec<String>,
    ended: Option<End>,
}

fn number(data: &Value) -> usize {
    let data = data.as_str().expect("data");
    data[..6].parse().expect("a number")
}

/// Returns the statuses and bodies of complete responses, and whether nothing follows them.
fn responses(bytes: &[u8]) -> (Vec<(u16, Vec<u8>)>, bool) {
    let (mut rest, mut responses) = (bytes, Vec::new());
    while rest.windows(4).any(|four| four == b"\r\n\r\n") {
        let (head, after) = split_head(rest);
        let length = head.get("Content-Length").map_or(0, |length| length.parse().expect("a length"));
        if after.len() < length {
            return (responses, false);
        }
        responses.push((head.status, after[..length].to_vec()));
        rest = &after[length..];
    }
    (responses, rest.is_empty())
}

fn stream(bytes: &[u8], may_be_cut: bool) -> Told {
    let mut told = Told::default();
    if !bytes.windows(4).any(|four| four == b"\r\n\r\n") {
        return told;
    }
    let (head, body) = split_head(bytes);
    if head.status != 200 {
        return Told { ended: Some(End::Other), ..told };
    }
    let (mut rest, mut text) = (std::str::from_utf8(body).expect("text"), String::new());
    while !rest.is_empty() {
        let chunk = rest.split_once("\r\n").and_then(|(size, after)| {
            let size = usize::from_str_radix(size, 16).unwrap_or_else(|_| panic!("no chunk size: {size:?}"));
            Some((size, after.get(..size)?, after.get(size..)?.strip_prefix("\r\n")?))
        });
        let Some((size, content, after)) = chunk else {
            assert!(may_be_cut, "the stream is cut at {rest:?}");
            break;
        };
        if size == 0 {
            assert_eq!(after, "");
            told.ended = Some(End::Other);
        }
        text += content;
        rest = after;
    }
    for block in text.split_terminator("\n\n") {
        let field = |name| block.lines().find_map(|line| line.strip_prefix(name));
        match (field("id: "), field("data: ")) {
            (Some(id), Some(data)) => told.events.push((id.into(), number(&data.into()))),
            (Some(id), None) => told.start = Some(sequence(id)),
            _ if field("retry: ").is_some() && told.ended.is_some() => told.ended = Some(End::Shutdown),
            _ => {}
        }
    }
    told
}

fn socket(bytes: &[u8], may_be_cut: bool) -> Told {
    let mut told = Told::default();
    if !bytes.windows(4).any(|four| four == b"\r\n\r\n") {
        return told;
    }
    let (head, mut rest) = split_head(bytes);
    if head.status != 101 {
        return Told { ended: Some(End::Other), ..told };
    }
    while let Some((first, payload, after)) = server_frame(rest) {
        assert_eq!(told.ended, None, "a frame after a close frame");
        rest = after;
        let text = match first {
            0x81 => String::from_utf8(payload.to_vec()).expect("text"),
            0xc1 => inflate(15, payload),
            0x88 => {
                let is_shutdown = payload.starts_with(&1001_u16.to_be_bytes());
                told.ended = Some(if is_shutdown { End::Shutdown } else { End::Other });
                continue;
            }
            0x89 | 0x8a => continue,
            other => panic!("a frame that begins with {other:#x}"),
        };
        let json: Value = serde_json::from_str(&text).unwrap_or_default();
        match (json["next"].as_str(), json["id"].as_str()) {
            (Some(next), _) => told.start = Some(sequence(next)),
            (_, Some(id)) => told.events.push((id.into(), number(&json["data"]))),
            _ => told.echoes.push(text),
        }
    }
    assert!(rest.is_empty() || may_be_cut, "{} bytes of an incomplete frame", rest.len());
    told
}

fn server_frame(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (start, after) = bytes.split_at_checked(2)?;
    let (length, after) = match start[1] {
        126 => after.split_at_checked(2)?,
        127 => after.split_at_checked(8)?,
        _ => (&start[1..], after),
    };
    let length = length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
    let (payload, after) = after.split_at_checked(length)?;
    Some((start[0], payload, after))
}

fn run(tight: u8, actions: &[Action]) {
    let mut server = Simulation::new(options(tight), 1);
    server.pause();
    let (actors, known) = (Vec::new(), BTreeMap::new());
    let mut run = Run { server, actors, events: 0, tight, was_stopped: false, known };
    let sockets = [Kind::Socket(0), Kind::Socket(1), Kind::Socket(2)];
    let echoes = [Kind::Echo(0), Kind::Echo(1), Kind::Echo(2)];
    for kind in [Kind::Http, Kind::Http, Kind::Stream].into_iter().chain(sockets).chain(echoes) {
        run.connect(kind, 0);
    }
    run.connect(Kind::Http, 1);
    run.connect(Kind::Stream, 1);
    for at in 0..run.actors.len() {
        run.send(at, usize::MAX);
    }
    run.settle();
    for action in actions {
        run.act(*action);
    }
    run.check();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_between_any_two_iterations(
        tight in 0..32_u8,
        actions in proptest::collection::vec((0..16_u8, any::<u8>(), any::<u8>()), 1..80),
    ) {
        run(tight, &actions);
    }
}

/// Returns how many sequences are run: `PROPTEST_CASES`, or a few.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(30)
}

#[test]
fn a_message_after_the_shutdown_has_begun_is_no_event() {
    let (connect, step, stop) = ((12, 0, 0), (7, 0, 0), (15, 0, 201));
    let (narrow, publish, again) = ((5, 103, 78), (0, 87, 94), (0, 165, 1));
    run(6, &[connect, connect, connect, narrow, publish, connect, step, stop, connect, again, step]);
}
