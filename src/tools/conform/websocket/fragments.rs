//! Section 5: fragmented messages, and control frames within them (RFC 6455 §5.4).

use super::frame::{BINARY, Frame, TEXT, binary, continuation, ping, pong, text};
use super::payload::bytes;
use super::peer::Item;
use super::script::{PROTOCOL_ERROR, Script};
use crate::tools::conform::case::{Case, Cases, Requirement, Suite};

const CONTROL_FRAGMENTS: Requirement = Requirement::must(6455, "5.5", "A control frame is not fragmented.");

const FRAGMENTS: Requirement = Requirement::must(
    6455,
    "5.4",
    "A message is the payloads of its frames: one with the opcode of its type, then continuation frames.",
);

const CONTROL_WITHIN: Requirement = Requirement::must(
    6455,
    "5.4",
    "An endpoint handles control frames in the middle of a fragmented message.",
);

const NOTHING_TO_CONTINUE: Requirement =
    Requirement::must(6455, "5.4", "A continuation frame continues a message that has started.");

const INTERLEAVED: Requirement =
    Requirement::must(6455, "5.4", "The frames of one message are not interleaved with those of another.");

/// Returns the cases of the section.
pub fn cases() -> Vec<Case> {
    let mut cases = Cases::of(Suite::WebSocket, 5, "fragments, and control frames between them");
    add_fragmented_controls(&mut cases);
    add_two_fragments(&mut cases);
    add_orphans(&mut cases);
    add_orphans_and_messages(&mut cases);
    add_pings_and_pauses(&mut cases);
    add_more_fragments(&mut cases);
    add_more_violations(&mut cases);
    cases.into_vec()
}

/// How the frames of a script are divided into writes.
#[derive(Clone, Copy)]
enum Writes {
    One,
    PerFrame,
    PerByte,
}

impl Writes {
    const ALL: [(Self, &'static str); 3] = [
        (Self::One, "in one write"),
        (Self::PerFrame, "a write for each frame"),
        (Self::PerByte, "byte by byte"),
    ];

    fn of(self, frames: Vec<Frame>) -> Script {
        match self {
            Self::One => Script::new().send(frames),
            Self::PerFrame => frames.into_iter().fold(Script::new(), |script, frame| script.send([frame])),
            Self::PerByte => Script::new().send_in_parts(frames, 1),
        }
    }
}

fn message(text: &str) -> Item {
    Item::Text(text.into())
}

fn pong_of(text: &str) -> Item {
    Item::Pong(text.into())
}

fn add_fragmented_controls(cases: &mut Cases) {
    for (index, first, kind) in [(1, ping("first"), "ping"), (2, pong("first"), "pong")] {
        let script = Script::new().send([first.part(), continuation("second")]).fails([], PROTOCOL_ERROR);
        cases
            .script(index, format!("a {kind} in two fragments"), CONTROL_FRAGMENTS, script)
            .autobahn(format!("5.{index}"));
    }
}

fn add_two_fragments(cases: &mut Cases) {
    for (index, (writes, how)) in (3..).zip(Writes::ALL) {
        let script = writes.of(vec![text("first, ").part(), continuation("second")]);
        let title = format!("a text message in two fragments, {how}");
        cases
            .script(index, title, FRAGMENTS, script.pass([message("first, second")]))
            .autobahn(format!("5.{index}"));
    }
    for (index, (writes, how)) in (6..).zip(Writes::ALL) {
        let script = writes.of(vec![text("first, ").part(), ping("now"), continuation("second")]);
        let script = script
            .pass([pong_of("now"), message("first, second")])
            .allowed_with_other_pongs([pong_of("now"), message("first, second")]);
        let title = format!("two fragments with a ping between them, {how}");
        cases.script(index, title, CONTROL_WITHIN, script).autobahn(format!("5.{index}"));
    }
}

/// Continuation frames without a message, before a message.
fn add_orphans(cases: &mut Cases) {
    let last = || continuation("of nothing");
    for (first, frame, kind) in
        [(9, last(), "a last continuation"), (12, last().part(), "a continuation that is not the last")]
    {
        for (index, (writes, how)) in (first..).zip(Writes::ALL) {
            let script = writes.of(vec![frame.clone(), text("Hello")]).fails([], PROTOCOL_ERROR);
            let title = format!("{kind} of nothing, then a message, {how}");
            cases.script(index, title, NOTHING_TO_CONTINUE, script).autobahn(format!("5.{index}"));
        }
    }
}

fn add_orphans_and_messages(cases: &mut Cases) {
    let script = Script::new()
        .send([text("one, ").part(), continuation("two"), continuation("three").part(), text("four")])
        .fails([message("one, two")], PROTOCOL_ERROR)
        .may_fail("fails the connection without the first message", [], PROTOCOL_ERROR);
    let title = "a message in two fragments, a continuation of nothing and a message";
    cases.script(15, title, NOTHING_TO_CONTINUE, script).autobahn("5.15");
    for (index, first, kind) in [
        (16, continuation("one").part(), "a continuation of nothing that is not the last"),
        (17, continuation("one"), "a last continuation of nothing"),
    ] {
        let frames = [first, text("two, ").part(), continuation("three")];
        let script = Script::new().send([frames.clone(), frames].concat()).fails([], PROTOCOL_ERROR);
        let title = format!("twice {kind} and a message in two fragments");
        cases.script(index, title, NOTHING_TO_CONTINUE, script).autobahn(format!("5.{index}"));
    }
    let script = Script::new().send([text("one").part(), text("two")]).fails([], PROTOCOL_ERROR);
    cases.script(18, "two fragments, both of which are text frames", INTERLEAVED, script).autobahn("5.18");
}

fn add_pings_and_pauses(cases: &mut Cases) {
    let before = [text("1, ").part(), continuation("2, ").part(), ping("first")];
    let after = [continuation("3, ").part(), continuation("4, ").part(), ping("second"), continuation("5")];
    let all = message("1, 2, 3, 4, 5");
    let judged = |script: Script| {
        script.pass([pong_of("first"), pong_of("second"), all.clone()]).allowed_with_other_pongs([
            pong_of("first"),
            pong_of("second"),
            all.clone(),
        ])
    };
    // The second part follows when the first ping is answered.
    let script = Script::new().send(before.clone()).await_items(1).send(after.clone());
    cases
        .script(19, "5 fragments with two pings, in two writes", CONTROL_WITHIN, judged(script))
        .autobahn("5.19");
    let script = before.into_iter().fold(Script::new(), |script, frame| script.send([frame])).await_items(1);
    let script = after.into_iter().fold(script, |script, frame| script.send([frame]));
    cases.script(20, "the same, a write for each frame", CONTROL_WITHIN, judged(script)).autobahn("5.20");
}

fn add_more_fragments(cases: &mut Cases) {
    let empty = [binary("").part(), continuation("").part(), continuation("")];
    let script = Script::new().send(empty).pass([Item::Binary(Vec::new())]);
    cases.script(21, "a binary message of three empty frames", FRAGMENTS, script);
    let script = Script::new()
        .send([binary("").part(), continuation("").part(), continuation([0, 1, 2])])
        .pass([Item::Binary(vec![0, 1, 2])]);
    cases.script(22, "only the last of three frames has a payload", FRAGMENTS, script);
    let script = Script::new()
        .send([
            binary("a").part(),
            ping(""),
            continuation("b").part(),
            pong("nobody asked"),
            continuation("c"),
        ])
        .pass([pong_of(""), Item::Binary("abc".into())])
        .allowed_with_other_pongs([pong_of(""), Item::Binary("abc".into())]);
    cases.script(23, "a ping and a pong between fragments", CONTROL_WITHIN, script);
    for (index, length, how) in
        [(24, 1000, "1000 frames of one byte"), (25, 1, "one byte after 1000 empty frames")]
    {
        let payload = bytes(length);
        let mut frames: Vec<Frame> = match length {
            1 => (0..1000).map(|_| continuation("").part()).collect(),
            _ => payload[..length - 1].iter().map(|byte| continuation([*byte]).part()).collect(),
        };
        frames[0].opcode = BINARY;
        frames.push(continuation([payload[length - 1]]));
        let script = Script::new()
            .send(frames)
            .pass([Item::Binary(payload)])
            .allowed_refusal("rejects the number of frames", &[Some(1008), Some(1009), Some(1013)]);
        cases.script(index, format!("a binary message of {how}"), FRAGMENTS, script);
    }
    let payload = |index: usize| format!("ping {index}");
    let mut frames: Vec<Frame> =
        (0..10).flat_map(|index| [continuation("x").part(), ping(payload(index))]).collect();
    frames[0].opcode = TEXT;
    frames.push(continuation("x"));
    let items: Vec<Item> =
        (0..10).map(|index| pong_of(&payload(index))).chain([message(&"x".repeat(11))]).collect();
    let script = Script::new().send(frames).pass(items.clone()).allowed_with_other_pongs(items);
    cases.script(26, "11 fragments with a ping after each of 10", CONTROL_WITHIN, script);
}

fn add_more_violations(cases: &mut Cases) {
    let failed = |frames: Vec<Frame>| Script::new().send(frames).fails([], PROTOCOL_ERROR);
    let script = failed(vec![text("Hel").part(), binary("lo")]);
    cases.script(27, "a binary frame within a text message", INTERLEAVED, script);
    let script = failed(vec![text("Hel").part(), text("lo").part()]);
    cases.script(28, "the first frame of a message within another", INTERLEAVED, script);
    let script = failed(vec![text("").part(), text("lo")]);
    cases.script(29, "a text frame within a message that is still empty", INTERLEAVED, script);
    let script = failed(vec![binary("Hel").part(), ping("").part(), continuation("lo")]);
    cases.script(30, "a ping without FIN within a message", CONTROL_FRAGMENTS, script);
    for (index, frames, kind) in [
        (31, vec![text("Hello"), continuation("!")], "an unfragmented"),
        (32, vec![text("Hel").part(), continuation("lo"), continuation("!")], "a fragmented"),
    ] {
        let script = Script::new().send(frames).fails([message("Hello")], PROTOCOL_ERROR).may_fail(
            "fails the connection without the message",
            [],
            PROTOCOL_ERROR,
        );
        cases.script(index, format!("a last continuation after {kind} message"), NOTHING_TO_CONTINUE, script);
    }
}
