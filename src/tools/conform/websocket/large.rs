//! Sections 9 and 10: large messages, many messages, and large messages in fragments (RFC 6455
//! §5.4, §10.4).

use std::borrow::Cow;

use super::frame::{BINARY, Frame, TEXT, binary, continuation, text};
use super::payload::{bytes, letters};
use super::peer::Item;
use super::script::Script;
use crate::tools::conform::case::{Case, Cases, Requirement, Suite};

const LENGTH: Requirement = Requirement::may(
    6455,
    "10.4",
    "A message has any length; an endpoint may have a limit, which it enforces.",
);

const FRAGMENT_LENGTH: Requirement =
    Requirement::must(6455, "5.4", "A message may be divided into frames of any length.");

const MANY: Requirement = Requirement::must(
    6455,
    "6.2",
    "Incoming data is parsed as frames, and each complete message is received.",
);

/// The codes that report that a message exceeds a limit.
const TOO_BIG: &[Option<u16>] = &[Some(1009), Some(1008)];

const MIB: usize = 1 << 20;

/// The length from which a message takes long.
const LONG: usize = 4 * MIB;

/// The length of a write below which a message of 1 MiB takes long.
const SHORT_WRITE: usize = 1024;

/// The type of a message.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    Binary,
}

impl Kind {
    /// Both kinds, with the distance of their cases from the first of a group.
    const ALL: [Self; 2] = [Self::Text, Self::Binary];

    fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Binary => "binary",
        }
    }

    fn payload(self, length: usize) -> Vec<u8> {
        match self {
            Self::Text => letters(length),
            Self::Binary => bytes(length),
        }
    }

    fn frame(self, length: usize) -> Frame {
        match self {
            Self::Text => text(self.payload(length)),
            Self::Binary => binary(self.payload(length)),
        }
    }

    fn frames(self, length: usize, fragment: usize) -> Vec<Frame> {
        let payload = self.payload(length);
        let mut frames: Vec<Frame> = payload.chunks(fragment).map(|part| continuation(part).part()).collect();
        if let Some(first) = frames.first_mut() {
            first.opcode = match self {
                Self::Text => TEXT,
                Self::Binary => BINARY,
            };
        }
        if let Some(last) = frames.last_mut() {
            last.fin = true;
        }
        frames
    }

    fn item(self, length: usize) -> Item {
        match self {
            Self::Text => Item::Text(self.payload(length)),
            Self::Binary => Item::Binary(self.payload(length)),
        }
    }
}

/// Returns the cases of both sections.
pub fn cases() -> Vec<Case> {
    let mut cases = Cases::of(Suite::WebSocket, 9, "large messages, many messages");
    for (kind, distance) in Kind::ALL.into_iter().zip([0, 1]) {
        add_lengths(&mut cases, 1 + 6 * distance, 1 + distance, kind);
        add_fragments(&mut cases, 13 + 9 * distance, 3 + distance, kind);
        add_writes(&mut cases, 31 + 6 * distance, 5 + distance, kind);
        add_round_trips(&mut cases, 43 + 6 * distance, 7 + distance, kind);
    }
    let title = "1000 messages of 100 bytes, in one write";
    add(&mut cases, 55, title, MANY, || {
        let payload = |index: usize| format!("{index:0>100}").into_bytes();
        let frames: Vec<Frame> = (0..1000).map(|index| text(payload(index))).collect();
        let items: Vec<Item> = (0..1000).map(|index| Item::Text(payload(index))).collect();
        (Script::new().send(frames), items)
    });
    let mut fragments = Cases::of(Suite::WebSocket, 10, "large messages in fragments");
    let title = "a text message of 65536 bytes in frames of 1300 bytes";
    let script = || (Script::new().send(Kind::Text.frames(65_536, 1300)), [Kind::Text.item(65_536)]);
    add(&mut fragments, 1, title, FRAGMENT_LENGTH, script).autobahn("10.1.1");
    let mut cases = cases.into_vec();
    cases.extend(fragments.into_vec());
    cases
}

/// Adds the answers to a large message.
fn answered(script: Script, items: impl Into<Vec<Item>>) -> Script {
    script.pass(items).allowed_refusal("rejects the length of the message", TOO_BIG)
}

/// Adds a case whose script is built when it is played: all of them together are too large to keep.
fn add<I: Into<Vec<Item>>>(
    cases: &mut Cases,
    index: u16,
    title: impl Into<Cow<'static, str>>,
    requirement: Requirement,
    build: impl Fn() -> (Script, I) + Send + Sync + 'static,
) -> &mut Case {
    let outcomes = answered(Script::new(), []).outcomes();
    cases.add(index, title, requirement, &outcomes, move |trial| {
        let (script, items) = build();
        answered(script, items).play(trial)
    })
}

fn size(length: usize) -> String {
    match length {
        MIB.. => format!("{} MiB", length / MIB),
        1024.. => format!("{} KiB", length / 1024),
        _ => format!("{length} bytes"),
    }
}

fn add_lengths(cases: &mut Cases, first: u16, group: u16, kind: Kind) {
    let lengths = [1 << 16, 1 << 18, MIB, 4 * MIB, 8 * MIB, 16 * MIB];
    for (number, length) in (0..).zip(lengths) {
        let title = format!("a {} message of {}", kind.name(), size(length));
        let script = move || (Script::new().send([kind.frame(length)]), [kind.item(length)]);
        let case = add(cases, first + number, title, LENGTH, script);
        case.autobahn(format!("9.{group}.{}", number + 1));
        case.is_long = length >= LONG;
    }
}

fn add_fragments(cases: &mut Cases, first: u16, group: u16, kind: Kind) {
    let length = 4 * MIB;
    for (number, fragment) in (0..).zip((0..9).map(|step| 64_usize << (2 * step))) {
        let title = format!("a {} message of 4 MiB in frames of {}", kind.name(), size(fragment));
        let script = move || (Script::new().send(kind.frames(length, fragment)), [kind.item(length)]);
        add(cases, first + number, title, FRAGMENT_LENGTH, script)
            .autobahn(format!("9.{group}.{}", number + 1))
            .long();
    }
}

fn add_writes(cases: &mut Cases, first: u16, group: u16, kind: Kind) {
    for (number, write) in (0..).zip((0..6).map(|step| 64_usize << step)) {
        let title = format!("a {} message of 1 MiB in writes of {}", kind.name(), size(write));
        let script = move || (Script::new().send_in_parts([kind.frame(MIB)], write), [kind.item(MIB)]);
        let case = add(cases, first + number, title, LENGTH, script);
        case.autobahn(format!("9.{group}.{}", number + 1));
        case.is_long = write < SHORT_WRITE;
    }
}

fn add_round_trips(cases: &mut Cases, first: u16, group: u16, kind: Kind) {
    for (number, length) in (0..).zip([0, 16, 64, 256, 1024, 4096]) {
        let title =
            format!("1000 {} messages of {}, each after the echo of the last", kind.name(), size(length));
        let script = move || {
            let round_trip = |script: Script, count| script.send([kind.frame(length)]).await_items(count);
            let script = (1..=1000).fold(Script::new(), round_trip);
            (script, vec![kind.item(length); 1000])
        };
        add(cases, first + number, title, MANY, script).autobahn(format!("9.{group}.{}", number + 1)).long();
    }
}
