//! Section 1: messages of every length form (RFC 6455 §5.2).

use super::frame::{Frame, binary, text};
use super::payload::{bytes, letters};
use super::peer::Item;
use super::script::Script;
use crate::tools::conform::case::{Case, Cases, Requirement, Suite};

const LENGTH_FORMS: Requirement = Requirement::must(
    6455,
    "5.2",
    "An endpoint reads a payload length of 7, 16 or 64 bits, and receives a payload of this length.",
);

const DATA_TYPES: Requirement =
    Requirement::must(6455, "5.6", "The opcode says whether a message is text or binary.");

const IN_ORDER: Requirement = Requirement::must(
    6455,
    "6.2",
    "Incoming data is parsed as frames, and each complete message is received.",
);

/// The lengths at both sides of each limit between two forms.
const LENGTHS: [usize; 7] = [0, 125, 126, 127, 128, 65_535, 65_536];

/// Returns the cases of the section.
pub fn cases() -> Vec<Case> {
    let mut cases = Cases::of(Suite::WebSocket, 1, "messages of every length form");
    add_lengths(&mut cases, 1, "1.1", "text", |length| (text(letters(length)), Item::Text(letters(length))));
    add_lengths(&mut cases, 9, "1.2", "binary", |length| {
        (binary(bytes(length)), Item::Binary(bytes(length)))
    });
    let script = Script::new().send([text("one"), binary("two"), text("three")]).pass([
        Item::Text("one".into()),
        Item::Binary("two".into()),
        Item::Text("three".into()),
    ]);
    cases.script(17, "text, binary and text, in one write", DATA_TYPES, script);
    let lengths = [1, 130, 0, 65_540, 2, 125, 126, 300];
    let frames: Vec<Frame> = lengths.iter().map(|length| binary(bytes(*length))).collect();
    let items: Vec<Item> = lengths.iter().map(|length| Item::Binary(bytes(*length))).collect();
    let script = Script::new().send(frames.clone()).pass(items.clone());
    cases.script(18, "8 messages of different lengths, in one write", IN_ORDER, script);
    let script = frames.into_iter().fold(Script::new(), |script, frame| script.send([frame])).pass(items);
    cases.script(19, "the same messages, a write for each", IN_ORDER, script);
    cases.into_vec()
}

/// Adds a message of each length from the case `first` on, and the longest in parts.
fn add_lengths(
    cases: &mut Cases,
    first: u16,
    autobahn: &str,
    kind: &str,
    message: impl Fn(usize) -> (Frame, Item),
) {
    for (number, length) in (0..).zip(LENGTHS) {
        let (frame, item) = message(length);
        let title = match length {
            0 => format!("an empty {kind} message"),
            _ => format!("a {kind} message of {length} bytes"),
        };
        let script = Script::new().send([frame]).pass([item]);
        cases
            .script(first + number, title, LENGTH_FORMS, script)
            .autobahn(format!("{autobahn}.{}", number + 1));
    }
    let (frame, item) = message(65_536);
    let script = Script::new().send_in_parts([frame], 997).pass([item]);
    let title = format!("a {kind} message of 65536 bytes, in writes of 997 bytes");
    cases.script(first + 7, title, LENGTH_FORMS, script).autobahn(format!("{autobahn}.8"));
}
