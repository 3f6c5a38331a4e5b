//! Section 4: reserved opcodes (RFC 6455 §5.2).

use super::frame::{Frame, continuation, ping, text};
use super::peer::Item;
use super::script::{PROTOCOL_ERROR, Script};
use crate::tools::conform::case::{Case, Cases, Requirement, Suite};

const RESERVED_OPCODES: Requirement =
    Requirement::must(6455, "5.2", "An endpoint fails the connection when the opcode of a frame is unknown.");

/// Returns the cases of the section.
pub fn cases() -> Vec<Case> {
    let mut cases = Cases::of(Suite::WebSocket, 4, "reserved opcodes");
    // The same five cases for opcodes of data frames and of control frames.
    for (first, group, lowest, kind) in [(1, "4.1", 0x3, "data"), (6, "4.2", 0xb, "control")] {
        for (number, opcode) in (0..).zip(lowest..lowest + 5) {
            let (title, script) = case(number, opcode);
            let title = format!("{title} with the reserved {kind} opcode {opcode:#x}");
            let autobahn = format!("{group}.{}", number + 1);
            cases.script(first + number, title, RESERVED_OPCODES, script).autobahn(autobahn);
        }
    }
    let script = Script::new()
        .send([text("Hel").part(), Frame::new(0x3, ""), continuation("lo")])
        .fails([], PROTOCOL_ERROR);
    cases.script(11, "a frame with the opcode 0x3 within a message", RESERVED_OPCODES, script);
    let script = Script::new()
        .send([text("Hel").part(), Frame::new(0xb, ""), continuation("lo")])
        .fails([], PROTOCOL_ERROR);
    cases.script(12, "a frame with the opcode 0xb within a message", RESERVED_OPCODES, script);
    let script = Script::new()
        .send([Frame::new(0x7, "not the last").part(), continuation("last")])
        .fails([], PROTOCOL_ERROR);
    cases.script(13, "a fragmented message with the opcode 0x7", RESERVED_OPCODES, script);
    cases.into_vec()
}

/// Returns the title and the script of the case with this number, from 0, in its group.
fn case(number: u16, opcode: u8) -> (&'static str, Script) {
    let reserved = |payload: &str| Frame::new(opcode, payload);
    let after_message = |script: Script| {
        // Frames before the violation are processed, those after it are not.
        script.fails([Item::Text("Hello".into())], PROTOCOL_ERROR).may_fail(
            "fails the connection without the first message",
            [],
            PROTOCOL_ERROR,
        )
    };
    match number {
        0 => ("an empty frame", Script::new().send([reserved("")]).fails([], PROTOCOL_ERROR)),
        1 => ("a frame", Script::new().send([reserved("Hello")]).fails([], PROTOCOL_ERROR)),
        2 => {
            let script = Script::new().send([text("Hello"), reserved(""), ping("")]);
            ("a message, an empty frame and a ping; the second", after_message(script))
        }
        3 => {
            let script = Script::new().send([text("Hello"), reserved("Hello"), ping("")]);
            ("a message, a frame and a ping; the second", after_message(script))
        }
        _ => {
            let script = Script::new().send_in_parts([text("Hello"), reserved("Hello"), ping("")], 1);
            ("the same byte by byte; the second", after_message(script))
        }
    }
}
