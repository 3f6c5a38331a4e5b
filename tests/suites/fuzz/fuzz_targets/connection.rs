//! The whole server without sockets, and any number of visitors who do anything at any time.
//!
//! The input is a play: a byte that says what somebody does, one that says who, one that says how much, and bytes as they are needed.
//!
//! The oracle:
//!
//! - Whatever visitors send and however they end, a witness on each transport (`src/witness.rs`) gets every event once, in order, and the
//!   same as the others; it is never ended, and what it publishes itself comes back to all.
//! - All that a visitor is sent can be read: HTTP answers in the order of its requests, event streams, frames.
//! - Who takes all that is sent, and ends only its own side, gets an answer to every request up to one that is the last.
//! - What was answered with 201 has been seen by the witnesses, and as it was sent.
//! - The same play has the same outcome, but for the memory that the metrics tell. If all pieces are cut smaller, the witnesses still see the same.
//! - When all are gone, or have ended and time has passed, or the server was told to end, it holds no connection but event streams of those who
//!   still listen. All the time it holds not much more memory than bytes have passed, and a fixed sum for each visitor.
#![no_main]

use std::collections::HashMap;

use barewire::protocol::http::HeadLimits;
use barewire::protocol::websocket::frame::{MAX_CONTROL_PAYLOAD, Opcode};
use barewire::server::{Options, Simulation, Peer};
use barewire_fuzz::answers::{self, Answer};
use barewire_fuzz::witness::{self, Seen, TOPIC, Witness};
use barewire_fuzz::{peak, pieces};
use libfuzzer_sys::fuzz_target;

/// Visitors at once, beside the witnesses.
const VISITORS: usize = 6;
/// Bytes that all send together.
const MOST_SENT: usize = 1 << 16;
/// Tenths of a second that pass in a play at most: five minutes.
const MOST_TICKS: u32 = 3000;

const HEAD: HeadLimits = HeadLimits { bytes: 1024, request_line: 512, field_lines: 16 };

/// What somebody may ask, ready made.
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
    let Some((lengths, play)) = lengths.split_first_chunk::<3>() else { return };
    let (outcome, peak) = peak(|| perform(*flags, play, &[0]));
    let most = (4 << 20) + VISITORS * (1 << 20) + 16 * outcome.passed;
    assert!(peak <= most, "{peak} bytes of heap, where {} have passed", outcome.passed);
    assert_eq!(perform(*flags, play, &[0]).without_process(), outcome.without_process());
    assert_eq!(perform(*flags, play, lengths).seen, outcome.seen);
});

/// Somebody, with all that has passed between them and the server.
struct Person {
    visitor: Peer,
    sent: Vec<u8>,
    received: Vec<u8>,
    /// They have ended their side.
    has_ended: bool,
    is_gone: bool,
    /// There was a moment at which they did not take all.
    was_slow: bool,
}

#[derive(Debug)]
struct Outcome {
    seen: Vec<Seen>,
    received: Vec<Vec<u8>>,
    /// Bytes in both directions.
    passed: usize,
}

impl Outcome {
    /// What the play alone decides: not what the metrics tell of the process.
    fn without_process(&self) -> (&[Seen], Vec<&[u8]>) {
        let tells = |received: &[u8]| {
            let name = b"process_resident_memory_bytes ";
            received.windows(name.len()).any(|part| part == name)
        };
        let received = self.received.iter().map(|received| &received[..]);
        (&self.seen, received.filter(|received| !tells(received)).collect())
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

/// The play as it goes on.
struct Stage<'a> {
    server: Simulation,
    witnesses: Vec<Witness>,
    people: Vec<Person>,
    lengths: &'a [u8],
    sent: usize,
    ticks: u32,
}

fn perform(flags: u8, play: &[u8], lengths: &[u8]) -> Outcome {
    let options = options(flags);
    let mut server = Simulation::new(options, 1);
    let witnesses = Witness::all(&mut server);
    let mut stage = Stage { server, witnesses, people: Vec::new(), lengths, sent: 0, ticks: 0 };
    let mut rest = play;
    while let [act, who, count, behind @ ..] = rest {
        rest = stage.act(*act, *who, *count, behind);
        stage.go_on();
    }
    stage.end(flags >> 6);

    let seen = judge(&stage.witnesses, flags & 5 != 0);
    let ids: HashMap<&str, &Seen> = seen.iter().map(|seen| (&*seen.0, seen)).collect();
    for person in &stage.people {
        let asked = answers::requests(&person.sent, &HEAD, TOPIC);
        let answers = answers::read(&person.received, &asked);
        for (answer, asked) in answers.iter().zip(&asked) {
            check(answer, asked.publishes.as_deref(), &ids);
        }
    }
    let received: Vec<Vec<u8>> = stage.people.into_iter().map(|person| person.received).collect();
    let to_witnesses: usize = stage.witnesses.iter().map(|witness| witness.received).sum();
    let passed = stage.sent + to_witnesses + received.iter().map(Vec::len).sum::<usize>();
    Outcome { seen, received, passed }
}

impl Stage<'_> {
    fn go_on(&mut self) {
        for witness in &mut self.witnesses {
            witness.go_on(&mut self.server);
        }
        for person in &mut self.people {
            person.received.append(&mut self.server.take(person.visitor));
        }
    }

    /// One act; returns what is left of the play.
    fn act<'p>(&mut self, act: u8, who: u8, count: u8, behind: &'p [u8]) -> &'p [u8] {
        let length = if matches!(act % 16, 0..=4 | 11 | 12) { usize::from(count) } else { 0 };
        let (bytes, behind) = behind.split_at(behind.len().min(length));
        match act % 16 {
            0 => self.send(who, bytes, 1),
            1 => {
                let length = bytes.len();
                let kind = if act & 16 == 0 { "" } else { "Content-Type: text/plain\r\n" };
                let topic = if act & 32 == 0 { TOPIC } else { "/topics/other" };
                let head =
                    format!("POST {topic} HTTP/1.1\r\nHost: x\r\n{kind}Content-Length: {length}\r\n\r\n");
                self.send(who, &[head.as_bytes(), bytes].concat(), 1);
            }
            2 => self.send(who, &witness::frame(Opcode::Text, bytes), 1),
            3 => {
                let opcode =
                    [Opcode::Binary, Opcode::Ping, Opcode::Pong, Opcode::Close][usize::from(act >> 4 & 3)];
                let payload =
                    if opcode.is_control() { &bytes[..bytes.len().min(MAX_CONTROL_PAYLOAD)] } else { bytes };
                self.send(who, &witness::frame(opcode, payload), 1);
            }
            4 => {
                // A frame with any first byte: fragments, compressed ones, wrong ones.
                let mut frame = witness::frame(Opcode::Text, bytes.get(1..).unwrap_or_default());
                frame[0] = bytes.first().copied().unwrap_or(0x01);
                self.send(who, &frame, 1);
            }
            5 | 6 => self.send(who, REQUESTS[usize::from(count) % REQUESTS.len()].as_bytes(), 1),
            7 => self.send(who, REQUESTS[usize::from(act >> 4) % REQUESTS.len()].as_bytes(), count.into()),
            8 => {
                if let Some(person) = self.person(who) {
                    self.server.set_room(person, usize::from(count) * usize::from(count));
                    let person = self.people.iter_mut().find(|other| other.visitor == person);
                    person.expect("all visitors are people").was_slow = true;
                }
            }
            9 => {
                if let Some(person) = self.person(who) {
                    self.server.set_room(person, usize::MAX);
                }
            }
            10 => {
                // Half a request; the rest may come, or not.
                let request = REQUESTS[usize::from(act >> 4) % REQUESTS.len()].as_bytes();
                let at = usize::from(count) % request.len();
                self.send(who, if act & 128 == 0 { &request[..at] } else { &request[at..] }, 1);
            }
            11 | 12 => {
                let text = String::from_utf8_lossy(bytes);
                let sockets: Vec<usize> = (0..self.witnesses.len())
                    .filter(|at| self.witnesses[*at].name.contains("socket"))
                    .collect();
                let speaker = sockets[usize::from(who) % sockets.len()];
                let Stage { server, witnesses, .. } = self;
                let before = witnesses[0].seen.len();
                assert!(witnesses[speaker].say(server, &text));
                self.go_on();
                let new = &self.witnesses[0].seen[before..];
                // It may answer a poll, behind which somebody has already asked to publish.
                let first = new.first();
                let data = text.replace("\r\n", "\n").replace('\r', "\n");
                assert_eq!(
                    first.map(|(_, _, said)| &**said),
                    Some(&*data),
                    "what a witness says comes back: {new:?}"
                );
            }
            13 => self.pass(u32::from(count)),
            14 => self.pass(u32::from(count) * 8),
            _ => {
                if let Some(person) = self.person(who) {
                    let at = self.people.iter().position(|other| other.visitor == person);
                    let at = at.expect("all visitors are people");
                    if act & 16 == 0 {
                        self.server.half_close(person);
                        self.people[at].has_ended = true;
                    } else {
                        self.server.reset(person);
                        self.people[at].is_gone = true;
                    }
                }
            }
        }
        behind
    }

    /// Whoever is meant; they connect, if they are not yet there or have gone. The greater half of the numbers is for those only
    /// whose connection goes on.
    fn person(&mut self, who: u8) -> Option<Peer> {
        let is_over = |person: &Person| person.has_ended || self.server.has_ended(person.visitor);
        let is_here = |person: &&Person| !person.is_gone && (who < 128 || !is_over(person));
        let here: Vec<Peer> = self.people.iter().filter(is_here).map(|person| person.visitor).collect();
        let at = usize::from(who) % VISITORS;
        if let Some(visitor) = here.get(at) {
            return Some(*visitor);
        }
        if self.people.len() >= 4 * VISITORS {
            return here.first().copied();
        }
        let visitor = self.server.connect();
        self.people.push(Person {
            visitor,
            sent: Vec::new(),
            received: Vec::new(),
            has_ended: false,
            is_gone: false,
            was_slow: false,
        });
        Some(visitor)
    }

    fn send(&mut self, who: u8, bytes: &[u8], times: usize) {
        let Some(visitor) = self.person(who) else { return };
        for _ in 0..times {
            if bytes.is_empty() || self.sent + bytes.len() > MOST_SENT {
                return;
            }
            let Some(person) = self.people.iter_mut().find(|person| person.visitor == visitor) else {
                return;
            };
            if person.has_ended {
                return;
            }
            self.sent += bytes.len();
            // What comes behind the server's end is nothing that it has been asked.
            if !self.server.has_ended(visitor) {
                person.sent.extend_from_slice(bytes);
            }
            for piece in pieces(bytes, self.lengths) {
                self.server.send(visitor, piece);
            }
        }
    }

    /// Time passes, in steps that are short enough for the witnesses to answer pings.
    fn pass(&mut self, ticks: u32) {
        let mut left = ticks.min(MOST_TICKS - self.ticks);
        self.ticks += left;
        while left > 0 {
            let step = left.min(50);
            self.server.advance(step);
            self.go_on();
            left -= step;
        }
    }

    /// All go, in one of three ways, and nothing stays behind.
    fn end(&mut self, way: u8) {
        match way {
            0 => {}
            1 => {
                for person in self.people.iter().filter(|person| !person.is_gone) {
                    self.server.half_close(person.visitor);
                    self.server.set_room(person.visitor, usize::MAX);
                }
                let mut before = self.answered();
                loop {
                    // Longer than the longest wait, and all that may come behind it.
                    self.ticks = 0;
                    self.pass(1000);
                    let now = self.answered();
                    // Whoever has asked for many waits in a row gets one answer after the other.
                    if now == before {
                        break;
                    }
                    before = now;
                }
                let streams = self.people.iter().filter(|person| self.is_listening(person)).count();
                for person in self.people.iter().filter(|person| !person.is_gone && !person.was_slow) {
                    let asked = answers::requests(&person.sent, &HEAD, TOPIC);
                    let answers = answers::read(&person.received, &asked);
                    let whole = asked.iter().filter(|asked| asked.is_whole).count();
                    let is_over = answers.last().is_some_and(|last| last.closes || !last.is_whole);
                    assert!(
                        is_over || answers.len() >= whole,
                        "{} answers to {}",
                        answers.len(),
                        person.sent.escape_ascii()
                    );
                }
                let most = self.witnesses.len() + streams;
                assert!(
                    self.server.connections() <= most,
                    "{} connections of {most}",
                    self.server.connections()
                );
            }
            _ => {
                self.server.stop();
                for _ in 0..3 {
                    self.server.advance(50);
                    for person in &mut self.people {
                        person.received.append(&mut self.server.take(person.visitor));
                    }
                }
                assert!(self.server.is_over());
            }
        }
        let all = self.people.iter().map(|person| person.visitor);
        for visitor in all.chain(self.witnesses.iter().map(|witness| witness.visitor)) {
            self.server.reset(visitor);
        }
        assert_eq!(self.server.connections(), 0, "somebody is gone, and still there");
    }

    /// Whether the server may still be sending somebody an event stream.
    fn is_listening(&self, person: &Person) -> bool {
        let is_here = !person.is_gone && !self.server.has_ended(person.visitor);
        is_here && read(person).last().is_some_and(|last| last.events.is_some() && !last.is_whole)
    }

    /// How many whole answers each has.
    fn answered(&self) -> Vec<usize> {
        self.people
            .iter()
            .map(|person| read(person).iter().filter(|answer| answer.is_whole).count())
            .collect()
    }
}

fn read(person: &Person) -> Vec<Answer> {
    let asked = answers::requests(&person.sent, &HEAD, TOPIC);
    answers::read(&person.received, &asked)
}

/// Holds the witnesses against each other, and gives what they have seen.
fn judge(witnesses: &[Witness], may_trim: bool) -> Vec<Seen> {
    let seen = &witnesses[0].seen;
    let sequence = |id: &str| id.rsplit_once('-').and_then(|(_, digits)| digits.parse::<u64>().ok());
    assert!(seen.is_sorted_by_key(|(id, ..)| sequence(id)));
    assert!(seen.windows(2).all(|two| two[0].0 != two[1].0), "an event came twice");
    for witness in &witnesses[1..] {
        assert!(!witness.gap || may_trim, "{} was told of a gap, and nothing was dropped", witness.name);
        if !witness.knows_ids() {
            let data = |seen: &[Seen]| seen.iter().map(|(.., data)| data.clone()).collect::<Vec<_>>();
            assert_eq!(data(&witness.seen), data(seen), "{}", witness.name);
        } else if witness.gap {
            assert!(seen.ends_with(&witness.seen), "{} has other events", witness.name);
        } else {
            assert_eq!(&witness.seen, seen, "{}", witness.name);
        }
    }
    seen.clone()
}

/// What a visitor was told is what the witnesses have seen.
fn check(answer: &Answer, publishes: Option<&[u8]>, ids: &HashMap<&str, &Seen>) {
    if let (201, true, Some(content)) = (answer.status, answer.is_whole, publishes) {
        let body: serde_json::Value = serde_json::from_slice(&answer.content).expect("JSON");
        let id = body["id"].as_str().expect("an id");
        let (_, name, data) =
            ids.get(id).unwrap_or_else(|| panic!("{id} was accepted, and nobody has seen it"));
        let content = std::str::from_utf8(content).expect("it was accepted");
        assert_eq!((&**name, data), ("message", &content.replace("\r\n", "\n").replace('\r', "\n")));
    }
    let mut last = 0;
    for event in answer.events.iter().flatten() {
        let sequence = event.id.rsplit_once('-').and_then(|(_, digits)| digits.parse().ok()).unwrap_or(0);
        if event.event == "gap" {
            continue;
        }
        assert!(sequence > last, "{} comes behind {last}", event.id);
        last = sequence;
        if let Some((_, name, data)) = ids.get(&*event.id) {
            assert_eq!((name, data), (&event.event, &event.data));
        }
    }
}
