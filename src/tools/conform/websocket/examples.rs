//! Section 15: the examples of RFC 6455 §5.7, byte for byte.

use super::frame::close;
use super::payload::bytes;
use super::peer::Item;
use super::script::Script;
use crate::tools::conform::case::{Case, Cases, Requirement, Suite};

const EXAMPLE: Requirement =
    Requirement::must(6455, "5.7", "An endpoint receives the examples of the specification.");

/// "Hello" in one masked frame.
const MASKED_HELLO: [u8; 11] = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];

/// The pong that a client sends in response to the ping of the examples.
const MASKED_PONG: [u8; 11] = [0x8a, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];

/// Returns the cases of the section.
pub fn cases() -> Vec<Case> {
    let mut cases = Cases::of(Suite::WebSocket, 15, "the examples of the specification");
    let hello = || Item::Text("Hello".into());
    let script = Script::new().send_bytes(MASKED_HELLO).pass([hello()]);
    cases.script(1, "a text message in one masked frame", EXAMPLE, script).server_only();
    let script = Script::new().send_bytes(MASKED_PONG).send([close(1000, "")]).pass([]);
    cases.script(2, "a masked pong", EXAMPLE, script).server_only();
    for (index, bytes, item, title) in [
        (3, b"\x81\x05Hello".to_vec(), hello(), "a text message in one unmasked frame"),
        (4, b"\x01\x03Hel\x80\x02lo".to_vec(), hello(), "a text message in two unmasked frames"),
        (5, b"\x89\x05Hello".to_vec(), Item::Pong("Hello".into()), "an unmasked ping"),
        (
            6,
            [&[0x82, 0x7e, 0x01, 0x00], &bytes(256)[..]].concat(),
            Item::Binary(bytes(256)),
            "a binary message of 256 bytes in one unmasked frame",
        ),
        (
            7,
            [&[0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0], &bytes(65_536)[..]].concat(),
            Item::Binary(bytes(65_536)),
            "a binary message of 64 KiB in one unmasked frame",
        ),
    ] {
        let script = Script::new().send_bytes(bytes).pass([item]);
        cases.script(index, title, EXAMPLE, script).client_only();
    }
    cases.into_vec()
}
