//! Section 7: the closing handshake, its codes and reasons (RFC 6455 §5.5.1, §7).

use super::frame::{CLOSE, Frame, close, continuation, ping, text};
use super::payload::letters;
use super::peer::Item;
use super::script::{Ending, PROTOCOL_ERROR, Script};
use crate::protocol::websocket::ProtocolError;
use crate::protocol::websocket::close::CloseCode;
use crate::tools::conform::case::{Case, Cases, Requirement, Suite, Verdict};

const RESPONSE: Requirement = Requirement::must(
    6455,
    "5.5.1",
    "An endpoint answers a close frame with a close frame, and then closes the TCP connection.",
);

const NOTHING_AFTER_CLOSE: Requirement = Requirement::must(
    6455,
    "5.5.1",
    "An endpoint sends no data after its close frame; data after the peer's close frame is ignored.",
);

pub const CLOSE_WITHIN: Requirement = Requirement::must(
    6455,
    "5.4",
    "A control frame, such as a close frame, may be within a message, and is handled there: it breaks no rule.",
);

const CODE_LENGTH: Requirement = Requirement::must(
    6455,
    "5.5.1",
    "The payload of a close frame is empty or starts with a status code of two bytes.",
);

const CONTROL_LENGTH: Requirement =
    Requirement::must(6455, "5.5", "A control frame has at most 125 bytes of payload.");

const REASON: Requirement = Requirement::must(6455, "5.5.1", "The reason of a close frame is UTF-8.");

const FRAGMENTED: Requirement = Requirement::must(6455, "5.5", "A control frame is not fragmented.");

const VALID_CODE: Requirement = Requirement::must(
    6455,
    "7.4.1",
    "A close frame may hold a defined status code, or one from 3000 to 4999.",
);

const INVALID_CODE: Requirement = Requirement::must(
    6455,
    "7.4",
    "A close frame holds no status code that is reserved, undefined or never sent in a frame.",
);

const UNDEFINED_CODE: Requirement =
    Requirement::may(6455, "7.4.2", "Status codes from 5000 on have no meaning.");

const ORDER: Requirement =
    Requirement::may(6455, "5.5.1", "An endpoint may send its close frame after the current message.");

/// The reason of a close frame is invalid: RFC 6455 names no code, and both fit.
const INVALID_REASON: &[Option<u16>] = &[Some(1007), Some(1002)];

/// Returns the cases of the section.
pub fn cases() -> Vec<Case> {
    let mut cases = Cases::of(Suite::WebSocket, 7, "the closing handshake, its codes and reasons");
    add_sequences(&mut cases);
    add_payloads(&mut cases);
    add_valid_codes(&mut cases);
    add_invalid_codes(&mut cases);
    add_undefined_codes(&mut cases);
    cases.into_vec()
}

/// Frames before and after the close frame.
fn add_sequences(cases: &mut Cases) {
    let closing = || close(1000, "");
    let script = Script::new().send([text("Hello")]).pass([Item::Text("Hello".into())]);
    cases.script(1, "a message, and a close frame after its echo", RESPONSE, script).autobahn("7.1.1");
    let after_close = |frame: Frame| Script::new().send([closing()]).send([frame]).pass([]);
    let script = after_close(Frame::new(CLOSE, ""));
    cases.script(2, "two close frames", NOTHING_AFTER_CLOSE, script).autobahn("7.1.2");
    let script = after_close(ping(""));
    cases.script(3, "a ping after a close frame", NOTHING_AFTER_CLOSE, script).autobahn("7.1.3");
    let script = after_close(text("Hello"));
    cases.script(4, "a message after a close frame", NOTHING_AFTER_CLOSE, script).autobahn("7.1.4");
    let script =
        Script::new().send([text("Hel").part()]).send([closing()]).send([continuation("lo")]).pass([]);
    cases.script(5, "a close frame between two fragments", CLOSE_WITHIN, script).autobahn("7.1.5");
    let big = || Item::Text(letters(1 << 18));
    let hello = || Item::Text("Hello".into());
    let informational = Verdict::Informational;
    let script = Script::new()
        .send([text(letters(1 << 18)), text("Hello"), closing(), ping("")])
        .ends("echoes both messages first", informational, [big(), hello()])
        .ends("echoes the first message only", informational, [big()])
        .ends("echoes no message", informational, []);
    let title = "a message of 256 KiB, a short one, a close frame and a ping, in one write";
    cases.script(6, title, ORDER, script).autobahn("7.1.6");
}

/// The payload of the close frame: its length, and its reason.
fn add_payloads(cases: &mut Cases) {
    let closed = |frame: Frame| Script::new().send([frame]).pass([]);
    let failed = |frame: Frame| Script::new().send([frame]).fails([], PROTOCOL_ERROR);
    let script = closed(Frame::new(CLOSE, ""));
    cases.script(7, "a close frame without a code", CODE_LENGTH, script).autobahn("7.3.1");
    let script = failed(Frame::new(CLOSE, [3]));
    cases.script(8, "a close frame with half a code", CODE_LENGTH, script).autobahn("7.3.2");
    cases.script(9, "a close frame with a code", CODE_LENGTH, closed(close(1000, ""))).autobahn("7.3.3");
    let script = closed(close(1000, "nothing left to say"));
    cases.script(10, "a close frame with a reason", RESPONSE, script).autobahn("7.3.4");
    let reason = |length: usize| String::from_utf8_lossy(&letters(length)).into_owned();
    let script = closed(close(1000, &reason(123)));
    cases.script(11, "a close frame with a reason of 123 bytes", RESPONSE, script).autobahn("7.3.5");
    let script = failed(close(1000, &reason(124)));
    cases.script(12, "a close frame with a reason of 124 bytes", CONTROL_LENGTH, script).autobahn("7.3.6");
    let with_reason = |reason: &[u8]| Frame::new(CLOSE, [&1000_u16.to_be_bytes(), reason].concat());
    for (index, reason, title) in [
        (13, &b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited"[..], "that has a surrogate"),
        (44, b"\xc3", "that ends within a character"),
        (45, b"\xff", "that has the byte ff"),
    ] {
        let script = Script::new().send([with_reason(reason)]).fails([], INVALID_REASON);
        let case = cases.script(index, format!("a close frame with a reason {title}"), REASON, script);
        if index == 13 {
            case.autobahn("7.5.1");
        }
    }
    let script = closed(close(1000, "κόσμε"));
    cases.script(43, "a close frame with a reason in Greek", REASON, script);
    let script = Script::new().send([close(1000, "").part()]).fails([], PROTOCOL_ERROR);
    cases.script(46, "a close frame without FIN", FRAGMENTED, script);
}

/// The codes that RFC 6455 defines for frames, and the ends of the ranges for libraries and
/// applications. The response has the same code, 1000, or none.
const VALID_CODES: [(u16, &[Option<u16>]); 13] = [
    (1000, &[Some(1000), None]),
    (1001, &[Some(1001), Some(1000), None]),
    (1002, &[Some(1002), Some(1000), None]),
    (1003, &[Some(1003), Some(1000), None]),
    (1007, &[Some(1007), Some(1000), None]),
    (1008, &[Some(1008), Some(1000), None]),
    (1009, &[Some(1009), Some(1000), None]),
    (1010, &[Some(1010), Some(1000), None]),
    (1011, &[Some(1011), Some(1000), None]),
    (3000, &[Some(3000), Some(1000), None]),
    (3999, &[Some(3999), Some(1000), None]),
    (4000, &[Some(4000), Some(1000), None]),
    (4999, &[Some(4999), Some(1000), None]),
];

fn add_valid_codes(cases: &mut Cases) {
    for (number, (code, responses)) in (0..).zip(VALID_CODES) {
        let script = Script::new().send([close(code, "")]).closes([], responses);
        cases
            .script(14 + number, format!("the valid code {code}"), VALID_CODE, script)
            .autobahn(format!("7.7.{}", number + 1));
    }
    // These codes were registered after RFC 6455, which calls them reserved.
    for (index, code, responses) in [
        (38, 1012, &[Some(1012), Some(1000), None][..]),
        (39, 1013, &[Some(1013), Some(1000), None]),
        (40, 1014, &[Some(1014), Some(1000), None]),
    ] {
        let script = Script::new().send([close(code, "")]).closes([], responses).may_fail(
            "rejects a code that RFC 6455 does not define",
            [],
            PROTOCOL_ERROR,
        );
        let title = format!("the code {code}, which was registered after RFC 6455");
        cases.script(index, title, VALID_CODE, script);
    }
}

fn add_invalid_codes(cases: &mut Cases) {
    let failed = |code| Script::new().send([close(code, "")]).fails([], PROTOCOL_ERROR);
    for (number, code) in (0..).zip([0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999]) {
        cases
            .script(27 + number, format!("the invalid code {code}"), INVALID_CODE, failed(code))
            .autobahn(format!("7.9.{}", number + 1));
    }
    cases.script(41, "the code 1015, which is never sent in a frame", INVALID_CODE, failed(1015));
}

fn add_undefined_codes(cases: &mut Cases) {
    for (index, code) in [(36, 5000), (37, 65_535)] {
        let echo = Item::Broken(ProtocolError::ForbiddenCloseCode(CloseCode(code)));
        let script = Script::new()
            .send([close(code, "")])
            .alternative("fails the connection", Verdict::Informational, [], Ending::Closes(PROTOCOL_ERROR))
            .alternative("answers with another code", Verdict::Informational, [], Ending::Clean)
            .ends("answers with the same code", Verdict::Informational, [echo])
            .ends("ends the connection in another way", Verdict::Informational, []);
        let title = format!("the code {code}, which is in no range");
        cases.script(index, title, UNDEFINED_CODE, script).autobahn(format!("7.13.{}", index - 35));
    }
}
