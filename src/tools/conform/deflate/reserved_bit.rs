//! Section 5: RSV1, the bit of a compressed message (RFC 7692 §6).

use super::{Needs, RSV1, compressed_text, plain, text_item};
use crate::tools::conform::case::{Case, Cases, Requirement, Suite};
use crate::tools::conform::websocket::frame::{binary, close, continuation, ping, pong, text};
use crate::tools::conform::websocket::peer::Item;
use crate::tools::conform::websocket::script::Script;

const UNCOMPRESSED: Requirement = Requirement::must(
    7692,
    "6",
    "A message whose first frame does not have RSV1 is not compressed, also after an agreement.",
);
const FIRST_FRAME: Requirement = Requirement::must(
    7692,
    "6.1",
    "Only the first frame of a message has RSV1; a receiver fails the connection otherwise.",
);
const CONTROL: Requirement =
    Requirement::must(7692, "6.1", "A control frame does not have RSV1; a receiver fails the connection.");
const OTHER_BITS: Requirement = Requirement::must(
    6455,
    "5.2",
    "An endpoint fails the connection when a reserved bit is set that no negotiated extension defines.",
);
const ONE_MESSAGE: Requirement =
    Requirement::must(6455, "5.4", "The fragments of messages are not interleaved.");

const PROTOCOL_ERROR: &[Option<u16>] = &[Some(1002)];
const HELLO: [u8; 7] = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];

/// Returns the cases of the section.
pub fn cases() -> Vec<Case> {
    let mut cases = Cases::of(Suite::Deflate, 5, "RSV1");
    uncompressed(&mut cases);
    misplaced(&mut cases);
    cases.into_vec()
}

fn uncompressed(cases: &mut Cases) {
    let any = (plain(), Needs::Nothing);
    let script = Script::new().send([text("Hello")]).pass([text_item("Hello")]);
    cases.compressed(1, "uncompressed text", UNCOMPRESSED, any, script);
    let script = Script::new().send([binary([0xf2, 0x48])]).pass([Item::Binary(vec![0xf2, 0x48])]);
    cases.compressed(2, "an uncompressed binary message", UNCOMPRESSED, any, script);
    let script = Script::new().send([text("Hel").part(), continuation("lo")]).pass([text_item("Hello")]);
    cases.compressed(3, "uncompressed fragments", UNCOMPRESSED, any, script);
    let script = Script::new().send([text("")]).pass([text_item("")]);
    cases.compressed(4, "an uncompressed message without payload", UNCOMPRESSED, any, script);
    let frames = [compressed_text(HELLO), text("abc"), compressed_text(HELLO), text("def")];
    let items = [text_item("Hello"), text_item("abc"), text_item("Hello"), text_item("def")];
    let script = Script::new().send(frames).pass(items);
    cases.compressed(5, "compressed and uncompressed messages in turn", UNCOMPRESSED, any, script);
}

fn misplaced(cases: &mut Cases) {
    let start = || compressed_text(&HELLO[..3]).part();
    let rows = [
        (
            20,
            "RSV1 on a continuation of a compressed message",
            FIRST_FRAME,
            vec![start(), continuation(&HELLO[3..]).rsv(RSV1)],
        ),
        (
            21,
            "RSV1 on a continuation of an uncompressed message",
            FIRST_FRAME,
            vec![text("Hel").part(), continuation("lo").rsv(RSV1)],
        ),
        (22, "RSV1 on a continuation without a message", FIRST_FRAME, vec![continuation(HELLO).rsv(RSV1)]),
        (
            23,
            "RSV1 on an empty continuation",
            FIRST_FRAME,
            vec![compressed_text(HELLO).part(), continuation("").rsv(RSV1)],
        ),
        (
            24,
            "RSV1 on a continuation in the middle",
            FIRST_FRAME,
            vec![start(), continuation(&HELLO[3..5]).part().rsv(RSV1), continuation(&HELLO[5..])],
        ),
        (30, "RSV1 on a ping", CONTROL, vec![ping("p").rsv(RSV1)]),
        (31, "RSV1 on a pong", CONTROL, vec![pong("p").rsv(RSV1)]),
        (32, "RSV1 on a close frame", CONTROL, vec![close(1000, "").rsv(RSV1)]),
        (33, "RSV1 on a ping inside a compressed message", CONTROL, vec![start(), ping("").rsv(RSV1)]),
        (34, "RSV1 on a pong inside a compressed message", CONTROL, vec![start(), pong("").rsv(RSV1)]),
        (40, "RSV2 on a text message", OTHER_BITS, vec![text("Hello").rsv(2)]),
        (41, "RSV3 on a text message", OTHER_BITS, vec![text("Hello").rsv(1)]),
        (42, "RSV1 and RSV2 on a text message", OTHER_BITS, vec![compressed_text(HELLO).rsv(6)]),
        (43, "RSV1 and RSV3 on a text message", OTHER_BITS, vec![compressed_text(HELLO).rsv(5)]),
        (
            50,
            "a compressed message inside a compressed message",
            ONE_MESSAGE,
            vec![start(), compressed_text(HELLO)],
        ),
        (
            51,
            "an uncompressed message inside a compressed message",
            ONE_MESSAGE,
            vec![start(), text("Hello")],
        ),
        (
            52,
            "a compressed message inside an uncompressed message",
            ONE_MESSAGE,
            vec![text("Hel").part(), compressed_text(HELLO)],
        ),
    ];
    for (index, title, requirement, frames) in rows {
        let script = Script::new().send(frames).fails([], PROTOCOL_ERROR);
        cases.compressed(index, title, requirement, (plain(), Needs::Nothing), script);
    }
}
