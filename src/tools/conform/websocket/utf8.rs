//! Section 6: UTF-8, valid and invalid, cut anywhere (RFC 6455 §5.6, §8.1).

use std::time::Duration;

use super::frame::{Frame, binary, continuation, ping, text};
use super::peer::Item;
use super::script::{Ending, Script};
use super::utf8_sequences::{GROUPS, Group, in_frames, lone_continuations, starts};
use crate::tools::conform::case::{Case, Cases, Requirement, Suite, Verdict};

const VALID: Requirement = Requirement::must(6455, "5.6", "A text message is any UTF-8.");

const SPLIT: Requirement =
    Requirement::must(6455, "5.6", "A text message is UTF-8 as a whole; a frame may end within a character.");

const INVALID: Requirement =
    Requirement::must(6455, "8.1", "An endpoint fails the connection when a text is not valid UTF-8.");

const NOT_TEXT: Requirement = Requirement::must(6455, "5.6", "A binary message is arbitrary bytes.");

/// A word with characters of two and three bytes: U+03BA, U+1F79, U+03C3, U+03BC, U+03B5.
const GREEK: &[u8] = b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5";

const INVALID_PAYLOAD: &[Option<u16>] = &[Some(1007)];

/// The time in which an endpoint that checks incomplete messages rejects them.
const AT_ONCE: Duration = Duration::from_millis(500);

/// The time between two writes that an endpoint should read separately.
const BETWEEN_WRITES: Duration = Duration::from_millis(50);

/// Returns the cases of the section.
pub fn cases() -> Vec<Case> {
    let mut cases = Cases::of(Suite::WebSocket, 6, "UTF-8, valid and invalid, cut anywhere");
    add_empty(&mut cases);
    add_split(&mut cases);
    add_early(&mut cases);
    GROUPS.iter().for_each(|group| add_group(&mut cases, group));
    add_generated(&mut cases);
    add_two_frames(&mut cases);
    add_others(&mut cases);
    cases.into_vec()
}

/// Returns the script of a text message in one frame, whose bytes are UTF-8 or not.
fn in_one_frame(payload: &[u8]) -> Script {
    judged(Script::new().send([text(payload)]), payload)
}

/// Adds the answers to a text message with this payload, depending on whether it is UTF-8.
fn judged(script: Script, payload: &[u8]) -> Script {
    match std::str::from_utf8(payload) {
        Ok(_) => script.pass([Item::Text(payload.to_vec())]),
        Err(_) => script.fails([], INVALID_PAYLOAD),
    }
}

/// Returns the frames of a text message with one byte in each.
fn byte_frames(payload: &[u8]) -> Vec<Frame> {
    let parts: Vec<&[u8]> = payload.chunks(1).collect();
    text_in(&parts)
}

/// Returns the frames of a text message of these parts.
fn text_in(parts: &[&[u8]]) -> Vec<Frame> {
    let mut frames: Vec<Frame> = parts.iter().map(|part| continuation(*part).part()).collect();
    if let Some(first) = frames.first_mut() {
        first.opcode = super::frame::TEXT;
    }
    if let Some(last) = frames.last_mut() {
        last.fin = true;
    }
    frames
}

fn add_empty(cases: &mut Cases) {
    cases.script(1, "an empty text", VALID, in_one_frame(b"")).autobahn("6.1.1");
    let script = Script::new().send(text_in(&[b"", b"", b""]));
    cases.script(2, "a text of three empty frames", VALID, judged(script, b"")).autobahn("6.1.2");
    let script = Script::new().send(text_in(&[b"", b"in the middle", b""]));
    cases
        .script(3, "a text in the second of three frames", VALID, judged(script, b"in the middle"))
        .autobahn("6.1.3");
}

fn add_split(cases: &mut Cases) {
    let valid = "Smørrebrød, naïve façade, 17 €, 🦀!";
    let invalid = b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited";
    cases
        .script(4, "a text with characters of one to four bytes", VALID, in_one_frame(valid.as_bytes()))
        .autobahn("6.2.1");
    let (first, second) = valid.split_at(valid.find('€').unwrap_or_default());
    let script = Script::new().send(text_in(&[first.as_bytes(), second.as_bytes()]));
    let script = judged(script, valid.as_bytes());
    cases.script(5, "the same in two frames, cut between characters", VALID, script).autobahn("6.2.2");
    for (index, payload, title, autobahn) in [
        (6, valid.as_bytes(), "the same in frames of one byte", "6.2.3"),
        (7, GREEK, "a Greek word in frames of one byte", "6.2.4"),
    ] {
        let script = judged(Script::new().send(byte_frames(payload)), payload);
        cases.script(index, title, SPLIT, script).autobahn(autobahn);
    }
    cases.script(8, "a text with a surrogate", INVALID, in_one_frame(invalid)).autobahn("6.3.1");
    let script = judged(Script::new().send(byte_frames(invalid)), invalid);
    cases.script(9, "the same in frames of one byte", INVALID, script).autobahn("6.3.2");
}

/// Texts that turn invalid before they end: an endpoint may fail at once, or at the end.
fn add_early(cases: &mut Cases) {
    let payload = b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xf4\x90\x80\x80edited";
    let judged = |script: Script| {
        script
            .alternative("fails before the text ends", Verdict::Pass, [], Ending::Closes(INVALID_PAYLOAD))
            .fails([], INVALID_PAYLOAD)
            .in_stage(2)
            .may_fail("fails when the text ends", [], INVALID_PAYLOAD)
            .in_stage(3)
    };
    for (index, cuts, what) in [
        (10, [11, 15], "a code point above U+10FFFF"),
        (11, [12, 13], "the second byte of a code point above U+10FFFF"),
    ] {
        let parts = [&payload[..cuts[0]], &payload[cuts[0]..cuts[1]], &payload[cuts[1]..]];
        let frames = text_in(&parts);
        let mut script = Script::new();
        for (frame, wait) in frames.iter().zip([BETWEEN_WRITES, AT_ONCE, Duration::ZERO]) {
            script = script.send([frame.clone()]).await_briefly(1, wait);
        }
        let title = format!("{what} in the second of three frames");
        cases.script(index, title, INVALID, judged(script)).autobahn(format!("6.4.{}", index - 9));
        let frame = text(parts[0]).announcing(payload.len() as u64);
        // The frame's masking continues in the later writes.
        let script = Script::new()
            .send([frame])
            .await_briefly(1, BETWEEN_WRITES)
            .send_payload(parts[1], cuts[0])
            .await_briefly(1, AT_ONCE)
            .send_payload(parts[2], cuts[1]);
        let title = format!("{what} in the second of three writes of one frame");
        cases.script(index + 2, title, INVALID, judged(script)).autobahn(format!("6.4.{}", index - 7));
    }
}

fn add_group(cases: &mut Cases, group: &Group) {
    for (number, sequence) in (0..).zip(group.sequences) {
        let requirement = if std::str::from_utf8(sequence).is_ok() { VALID } else { INVALID };
        let title = format!("{}: {}", group.title, hex(sequence));
        cases.script(group.first + number, title, requirement, in_one_frame(sequence)).autobahn(format!(
            "{}.{}",
            group.autobahn,
            number + 1
        ));
    }
}

/// The groups of sequences that follow a pattern.
fn add_generated(cases: &mut Cases) {
    for (length, index) in (1..=GREEK.len()).zip(19..) {
        let prefix = &GREEK[..length];
        let requirement = if std::str::from_utf8(prefix).is_ok() { VALID } else { INVALID };
        let title = format!("a prefix of a Greek word: {}", hex(prefix));
        cases.script(index, title, requirement, in_one_frame(prefix)).autobahn(format!("6.6.{length}"));
    }
    let all = lone_continuations();
    cases
        .script(55, "all continuation bytes, one after the other", INVALID, in_one_frame(&all))
        .autobahn("6.12.8");
    for (number, (lowest, highest)) in
        (0..).zip([(0xc0, 0xdf), (0xe0, 0xef), (0xf0, 0xf7), (0xf8, 0xfb), (0xfc, 0xfd)])
    {
        let title = format!("the start bytes {lowest:x} to {highest:x}, a space after each");
        cases
            .script(56 + number, title, INVALID, in_one_frame(&starts(lowest, highest)))
            .autobahn(format!("6.13.{}", number + 1));
    }
}

fn add_two_frames(cases: &mut Cases) {
    for (index, first, second, title) in in_frames() {
        let payload = [first, second].concat();
        let requirement = if std::str::from_utf8(&payload).is_ok() { SPLIT } else { INVALID };
        let script = judged(Script::new().send(text_in(&[first, second])), &payload);
        cases.script(index, format!("{title}, in two frames"), requirement, script);
    }
}

fn add_others(cases: &mut Cases) {
    let crab = "🦀".as_bytes();
    let mut frames = byte_frames(crab);
    frames.insert(2, ping(""));
    let script = Script::new()
        .send(frames)
        .pass([Item::Pong(Vec::new()), Item::Text(crab.to_vec())])
        .allowed_with_other_pongs([Item::Pong(Vec::new()), Item::Text(crab.to_vec())]);
    cases.script(220, "a character in four frames, with a ping between them", SPLIT, script);
    let script = Script::new().send([binary([0xff, 0xfe])]).pass([Item::Binary(vec![0xff, 0xfe])]);
    cases.script(221, "a binary message that is not UTF-8", NOT_TEXT, script);
    cases.script(222, "a text with NUL", VALID, in_one_frame(b"a\0b"));
    let long = [b"x".repeat(70_000), b"\xff".to_vec()].concat();
    cases.script(223, "an invalid byte after 70000 valid ones", INVALID, in_one_frame(&long));
    let split: Vec<u8> = "€".repeat(30_000).into_bytes();
    cases.script(224, "30000 characters of three bytes", VALID, in_one_frame(&split));
    let parts: Vec<&[u8]> = split.chunks(1000).collect();
    let script = judged(Script::new().send(text_in(&parts)), &split);
    cases.script(225, "the same in frames of 1000 bytes", SPLIT, script);
    let script = judged(Script::new().send_in_parts([text(split.clone())], 1000), &split);
    cases.script(226, "the same in one frame, in writes of 1000 bytes", SPLIT, script);
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}
