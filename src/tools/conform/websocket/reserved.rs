//! Section 3: reserved bits (RFC 6455 §5.2).

use super::frame::{binary, close, continuation, ping, text};
use super::peer::Item;
use super::script::{PROTOCOL_ERROR, Script};
use crate::tools::conform::case::{Case, Cases, Requirement, Suite};

const RESERVED_BITS: Requirement = Requirement::must(
    6455,
    "5.2",
    "An endpoint fails the connection when a reserved bit is set that no negotiated extension defines.",
);

/// Returns the cases of the section.
pub fn cases() -> Vec<Case> {
    let mut cases = Cases::of(Suite::WebSocket, 3, "reserved bits");
    let hello = || Item::Text(b"Hello".to_vec());
    let refused = || Script::new().send([text("Hello").rsv(4)]).fails([], PROTOCOL_ERROR);
    cases.script(1, "a text message with RSV1", RESERVED_BITS, refused()).autobahn("3.1");
    // Frames before the violation are processed, those after it are not.
    let between = |rsv| [text("Hello"), text("Hello").rsv(rsv), ping("")];
    let script = Script::new().send(between(2)).fails([hello()], PROTOCOL_ERROR).may_fail(
        "fails the connection without the first message",
        [],
        PROTOCOL_ERROR,
    );
    cases.script(2, "a message, a message with RSV2, a ping", RESERVED_BITS, script).autobahn("3.2");
    let script = Script::new()
        .send([text("Hello")])
        .send([text("Hello").rsv(3)])
        .send([ping("")])
        .fails([hello()], PROTOCOL_ERROR)
        .may_fail("fails the connection without the first message", [], PROTOCOL_ERROR);
    cases
        .script(3, "the same with RSV2 and RSV3, a write for each frame", RESERVED_BITS, script)
        .autobahn("3.3");
    let script = Script::new().send_in_parts(between(4), 1).fails([hello()], PROTOCOL_ERROR).may_fail(
        "fails the connection without the first message",
        [],
        PROTOCOL_ERROR,
    );
    cases.script(4, "the same with RSV1, byte by byte", RESERVED_BITS, script).autobahn("3.4");
    let script = Script::new().send([binary([0, 1, 2]).rsv(5)]).fails([], PROTOCOL_ERROR);
    cases.script(5, "a binary message with RSV1 and RSV3", RESERVED_BITS, script).autobahn("3.5");
    let script = Script::new().send([ping("Hello").rsv(6)]).fails([], PROTOCOL_ERROR);
    cases.script(6, "a ping with RSV1 and RSV2", RESERVED_BITS, script).autobahn("3.6");
    let script = Script::new().send([close(1000, "").rsv(7)]).fails([], PROTOCOL_ERROR);
    cases.script(7, "a close frame with all reserved bits", RESERVED_BITS, script).autobahn("3.7");
    let script =
        Script::new().send([text("Hel").part(), continuation("lo").rsv(4)]).fails([], PROTOCOL_ERROR);
    cases.script(8, "RSV1 on a continuation frame", RESERVED_BITS, script);
    let script = Script::new()
        .send([text("Hel").part(), ping("").rsv(1), continuation("lo")])
        .fails([], PROTOCOL_ERROR);
    cases.script(9, "RSV3 on a ping within a message", RESERVED_BITS, script);
    for (index, rsv, title) in [(10, 2, "RSV2"), (11, 1, "RSV3")] {
        let script = Script::new().send([text("Hello").rsv(rsv)]).fails([], PROTOCOL_ERROR);
        cases.script(index, format!("a text message with {title}"), RESERVED_BITS, script);
    }
    cases.into_vec()
}
