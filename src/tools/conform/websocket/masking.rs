//! Section 8: masking, and payload lengths in another form than the shortest (RFC 6455 §5.1 to
//! §5.3).

use std::time::Duration;

use super::frame::{Frame, LengthForm, Masking, binary, close, continuation, ping, text};
use super::payload::bytes;
use super::peer::Item;
use super::script::{ERROR_CODES, Ending, PROTOCOL_ERROR, Script};
use crate::tools::conform::case::{Case, Cases, Requirement, Suite, Verdict};

const CLIENT_MASKS: Requirement =
    Requirement::must(6455, "5.1", "A server closes the connection when it receives a frame without a mask.");

const SERVER_DOES_NOT_MASK: Requirement =
    Requirement::must(6455, "5.1", "A client closes the connection when it receives a masked frame.");

const ANY_KEY: Requirement =
    Requirement::must(6455, "5.3", "The masking key is any 32-bit value, and each frame has its own.");

const SHORTEST_LENGTH: Requirement =
    Requirement::must(6455, "5.2", "A payload length is encoded in the fewest bytes.");

const TOP_BIT: Requirement =
    Requirement::must(6455, "5.2", "The most significant bit of a 64-bit payload length is 0.");

const HUGE_LENGTH: Requirement =
    Requirement::must(6455, "10.4", "An endpoint with a limit protects itself against messages beyond it.");

const OTHER_CODE: &str = "fails the connection with another code";

/// The time in which an endpoint rejects what it rejects without waiting for more.
const AT_ONCE: Duration = Duration::from_millis(500);

/// Returns the cases of the section.
pub fn cases() -> Vec<Case> {
    let mut cases = Cases::of(Suite::WebSocket, 8, "masking, and forms of the length");
    add_wrong_masking(&mut cases);
    add_keys(&mut cases);
    add_longer_forms(&mut cases);
    add_huge_lengths(&mut cases);
    cases.into_vec()
}

fn add_wrong_masking(cases: &mut Cases) {
    let wrong = |frame: Frame| frame.masking(Masking::Wrong);
    let variants = || {
        [
            (vec![wrong(text("Hello"))], "a text message"),
            (vec![wrong(binary(""))], "an empty binary message"),
            (vec![wrong(ping("Hello"))], "a ping"),
            (vec![text("Hel").part(), wrong(continuation("lo"))], "the second of two fragments"),
            (vec![text("Hel").part(), wrong(ping("")), continuation("lo")], "a ping within a message"),
            (vec![wrong(binary(bytes(70_000)))], "a message of 70000 bytes"),
        ]
    };
    let failed = |frames: Vec<Frame>| Script::new().send(frames).fails([], PROTOCOL_ERROR);
    for (index, (frames, what)) in (1..).zip(variants()) {
        cases.script(index, format!("{what} without a mask"), CLIENT_MASKS, failed(frames)).server_only();
    }
    for (index, (frames, what)) in (11..).zip(variants()) {
        cases
            .script(index, format!("{what} with a mask"), SERVER_DOES_NOT_MASK, failed(frames))
            .client_only();
    }
    // The connection closes in any case; the code says whether the mask was noticed.
    let closed = || {
        Script::new().send([wrong(close(1000, ""))]).fails([], PROTOCOL_ERROR).alternative(
            "answers the close frame",
            Verdict::Allowed,
            [],
            Ending::Clean,
        )
    };
    cases.script(7, "a close frame without a mask", CLIENT_MASKS, closed()).server_only();
    cases.script(17, "a close frame with a mask", SERVER_DOES_NOT_MASK, closed()).client_only();
}

fn add_keys(cases: &mut Cases) {
    let hello = || Item::Text("Hello".into());
    let script = Script::new().send([text("Hello").masking(Masking::ZeroKey)]).pass([hello()]);
    cases.script(21, "a masking key of zeros", ANY_KEY, script).server_only();
    let script = Script::new().send([text("Hello").masking(Masking::Key([0xff; 4]))]).pass([hello()]);
    cases.script(22, "a masking key of ff bytes", ANY_KEY, script).server_only();
    let keyed = |key| binary(bytes(1000)).masking(Masking::Key(key));
    let frames: Vec<Frame> = (0..=255).map(|byte| keyed([byte, byte ^ 0x55, 1, !byte])).collect();
    let script = Script::new().send(frames).pass(vec![Item::Binary(bytes(1000)); 256]);
    cases.script(23, "256 messages of 1000 bytes, each with another key", ANY_KEY, script).server_only();
    let parts = [
        text("H").part().masking(Masking::Key([1, 2, 3, 4])),
        continuation("el").part().masking(Masking::Key([5, 6, 7, 8])),
        continuation("lo").masking(Masking::Key([9, 10, 11, 12])),
    ];
    let script = Script::new().send(parts).pass([hello()]);
    cases.script(24, "three fragments, each with another key", ANY_KEY, script).server_only();
    // The masked payload is a close frame.
    let key = [b'H' ^ 0x88, b'e' ^ 0x80, b'l', b'l'];
    let script = Script::new().send([text("Hello").masking(Masking::Key(key))]).pass([hello()]);
    cases.script(25, "a masked payload that looks like a close frame", ANY_KEY, script).server_only();
}

fn add_longer_forms(cases: &mut Cases) {
    for (index, length, form) in [
        (31, 0, LengthForm::TwoBytes),
        (32, 5, LengthForm::TwoBytes),
        (33, 125, LengthForm::TwoBytes),
        (34, 0, LengthForm::EightBytes),
        (35, 5, LengthForm::EightBytes),
        (36, 126, LengthForm::EightBytes),
        (37, 65_535, LengthForm::EightBytes),
    ] {
        let bits = if form == LengthForm::TwoBytes { 16 } else { 64 };
        // The rule binds the sender; a receiver may be generous.
        let script = Script::new()
            .send([binary(bytes(length)).length_form(form)])
            .fails([], PROTOCOL_ERROR)
            .allowed("accepts the longer form", [Item::Binary(bytes(length))]);
        cases.script(index, format!("a length of {length} in {bits} bits"), SHORTEST_LENGTH, script);
    }
    for (index, form, bits) in [(38, LengthForm::TwoBytes, 16), (39, LengthForm::EightBytes, 64)] {
        let script = Script::new()
            .send([ping("Hello").length_form(form)])
            .fails([], PROTOCOL_ERROR)
            .allowed("accepts the longer form", [Item::Pong("Hello".into())]);
        cases.script(index, format!("a ping with its length of 5 in {bits} bits"), SHORTEST_LENGTH, script);
    }
}

fn add_huge_lengths(cases: &mut Cases) {
    let announced = |length| {
        let frame = binary("Hello").length_form(LengthForm::EightBytes).announcing(length);
        Script::new().send([frame]).await_briefly(1, AT_ONCE).finish_sending()
    };
    let waits = "waits for the payload, or ends TCP without a close frame";
    for (index, length, title) in [
        (41, 1 << 63, "a 64-bit length of which only the top bit is set"),
        (42, 1 << 63 | 5, "a 64-bit length of 5, and its top bit is set"),
        (43, u64::MAX, "a 64-bit length of which all bits are set"),
    ] {
        let script = announced(length)
            .alternative("fails the connection", Verdict::Pass, [], Ending::Closes(PROTOCOL_ERROR))
            .alternative(OTHER_CODE, Verdict::Allowed, [], Ending::Closes(ERROR_CODES))
            .ends(waits, Verdict::Allowed, [])
            .alternative(waits, Verdict::Allowed, [], Ending::StaysOpen);
        cases.script(index, title, TOP_BIT, script);
    }
    for (index, length, title) in [
        (44, i64::MAX as u64, "an announced length of 2^63 - 1 bytes"),
        (45, 1 << 40, "an announced length of 1 TiB"),
        (46, 1 << 32, "an announced length of 4 GiB"),
    ] {
        let script = announced(length)
            .alternative("rejects the length", Verdict::Pass, [], Ending::Closes(&[Some(1009)]))
            .alternative(OTHER_CODE, Verdict::Allowed, [], Ending::Closes(ERROR_CODES))
            .ends(waits, Verdict::Allowed, [])
            .alternative(waits, Verdict::Allowed, [], Ending::StaysOpen);
        cases.script(index, title, HUGE_LENGTH, script);
    }
}
