//! Section 3: the blocks of a compressed message (RFC 7692 §7.2).

use super::bits::{Bits, Kind};
use super::{Needs, RSV1, compressed_binary, compressed_text, data, plain, text_item};
use crate::protocol::websocket::deflate::compress_without_context;
use crate::tools::conform::case::{Case, Cases, Requirement, Suite, Verdict};
use crate::tools::conform::websocket::frame::{Frame, continuation, text};
use crate::tools::conform::websocket::peer::Item;
use crate::tools::conform::websocket::script::{Ending, Script};

const INFLATE: Requirement = Requirement::must(
    7692,
    "7.2.2",
    "A receiver appends 00 00 ff ff to the payload of a compressed message and inflates it.",
);
const ANY_BLOCKS: Requirement = Requirement::must(
    7692,
    "7.2.1",
    "A message is any number of DEFLATE blocks, of any type, with BFINAL set or not.",
);
const FRAGMENTS: Requirement = Requirement::must(
    7692,
    "6.2",
    "A receiver concatenates the payloads of the frames of a compressed message and inflates them.",
);
const BOMB: Requirement =
    Requirement::may(7692, "8", "A receiver limits how much it inflates, or accepts all of it.");

/// Returns the cases of the section.
pub fn cases() -> Vec<Case> {
    let mut cases = Cases::of(Suite::Deflate, 3, "the blocks of a message");
    examples(&mut cases);
    kinds(&mut cases);
    last_blocks(&mut cases);
    fragments(&mut cases);
    sizes(&mut cases);
    cases.into_vec()
}

fn hello(frames: impl Into<Vec<Frame>>) -> Script {
    Script::new().send(frames).pass([text_item("Hello")])
}

/// The examples of RFC 7692 §7.2.3, byte for byte.
fn examples(cases: &mut Cases) {
    let any = (plain(), Needs::Nothing);
    let one = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    let script = hello([compressed_text(one)]);
    cases.compressed(1, "the example with one DEFLATE block", INFLATE, any, script);
    let script = hello([compressed_text(&one[..3]).part(), continuation(&one[3..])]);
    cases.compressed(2, "the same example in two fragments", FRAGMENTS, any, script);
    let stored = [0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00];
    let script = hello([compressed_text(stored)]);
    cases.compressed(3, "the example without compression", ANY_BLOCKS, any, script);
    let last = [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00];
    let script = hello([compressed_text(last)]);
    cases.compressed(4, "the example with BFINAL", ANY_BLOCKS, any, script);
    let two = [0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00];
    let script = hello([compressed_text(two)]);
    cases.compressed(5, "the example with two blocks", ANY_BLOCKS, any, script);
    let script = Script::new().send([compressed_text([0x00])]).pass([text_item("")]);
    cases.compressed(6, "the example of an empty message", INFLATE, any, script);
    let script = Script::new().send([compressed_binary([0x00])]).pass([Item::Binary(Vec::new())]);
    cases.compressed(7, "an empty binary message", INFLATE, any, script);
    let empty = Bits::new().block(false, Kind::Fixed).end().message();
    let script = Script::new().send([compressed_text(empty)]).pass([text_item("")]);
    cases.compressed(8, "an empty message in an empty block with the fixed code", ANY_BLOCKS, any, script);
}

fn kinds(cases: &mut Cases) {
    let any = (plain(), Needs::Nothing);
    let all: Vec<u8> = (0..=255).collect();
    let binary = |payload: Vec<u8>, content: &[u8]| {
        Script::new().send([compressed_binary(payload)]).pass([Item::Binary(content.to_vec())])
    };
    let fixed = Bits::new().block(false, Kind::Fixed).literals(&all).end();
    let script = binary(fixed.clone().message(), &all);
    cases.compressed(20, "all bytes in the fixed code", ANY_BLOCKS, any, script);
    let mut dynamic = Vec::new();
    compress_without_context(15, &data::html()[..8000], &mut dynamic);
    let script = binary(dynamic, &data::html()[..8000]);
    cases.compressed(21, "blocks with dynamic codes", ANY_BLOCKS, any, script);
    let noise = data::noise(65_535);
    let script = binary(Bits::new().stored(false, &noise).message(), &noise);
    cases.compressed(22, "the longest stored block", ANY_BLOCKS, any, script);
    let mixed = fixed.stored(false, &all).block(false, Kind::Fixed).copy(256, 256).end().stored(false, b"x");
    let content = [&all[..], &all, &all, b"x"].concat();
    let script = binary(mixed.message(), &content);
    cases.compressed(23, "stored blocks between blocks with the fixed code", ANY_BLOCKS, any, script);
    let empty = (0..20).fold(Bits::new(), |bits, _| bits.stored(false, b""));
    let message = empty.block(false, Kind::Fixed).literals(b"Hello").end();
    let script = hello([compressed_text(message.clone().message())]);
    cases.compressed(24, "empty stored blocks before the data", ANY_BLOCKS, any, script);
    let message = (0..20).fold(message, |bits, _| bits.stored(false, b"")).message();
    let script = hello([compressed_text(message)]);
    cases.compressed(25, "empty stored blocks before and after the data", ANY_BLOCKS, any, script);
    let empty = (0..40).fold(Bits::new(), |bits, _| bits.block(false, Kind::Fixed).end());
    let script = hello([compressed_text(empty.block(false, Kind::Fixed).literals(b"Hello").end().message())]);
    cases.compressed(26, "empty blocks with the fixed code before the data", ANY_BLOCKS, any, script);
    let letters = b"Hello"
        .iter()
        .fold(Bits::new(), |bits, letter| bits.block(false, Kind::Fixed).literals(&[*letter]).end());
    let script = hello([compressed_text(letters.message())]);
    cases.compressed(27, "a block for each byte", ANY_BLOCKS, any, script);
}

fn last_blocks(cases: &mut Cases) {
    let any = (plain(), Needs::Nothing);
    let first = Bits::new().block(true, Kind::Fixed).literals(b"Hello").end().align();
    let twice = first.clone().block(false, Kind::Fixed).literals(b"H").copy(4, 5).end().message();
    let script = Script::new().send([compressed_text(twice)]).pass([text_item("HelloHello")]);
    cases.compressed(40, "a block with BFINAL inside, and a copy of its data", ANY_BLOCKS, any, script);
    let script = hello([compressed_text(first.clone().stored(false, b"").message())]);
    cases.compressed(41, "a block with BFINAL before an empty block", ANY_BLOCKS, any, script);
    let stored = Bits::new().stored(true, b"Hel").stored(true, b"lo").message();
    let script = hello([compressed_text(stored)]);
    cases.compressed(42, "stored blocks with BFINAL", ANY_BLOCKS, any, script);
    let letters = b"Hello"
        .iter()
        .fold(Bits::new(), |bits, letter| bits.block(true, Kind::Fixed).literals(&[*letter]).end().align());
    let script = hello([compressed_text(letters.message())]);
    cases.compressed(43, "a block with BFINAL for each byte", ANY_BLOCKS, any, script);
    let mut dynamic = Vec::new();
    compress_without_context(15, &data::html()[..4000], &mut dynamic);
    let bytes = [&first.into_bytes()[..], &dynamic].concat();
    let content = [b"Hello", &data::html()[..4000]].concat();
    let script = Script::new().send([compressed_binary(bytes)]).pass([Item::Binary(content)]);
    cases.compressed(44, "dynamic codes after a block with BFINAL", ANY_BLOCKS, any, script);
}

fn fragments(cases: &mut Cases) {
    let any = (plain(), Needs::Nothing);
    let payload = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    let bytes = payload.iter().enumerate().map(|(at, byte)| {
        let frame = if at == 0 { text([*byte]).rsv(RSV1) } else { continuation([*byte]) };
        if at + 1 == payload.len() { frame } else { frame.part() }
    });
    let bytes: Vec<Frame> = bytes.collect();
    cases.compressed(60, "a fragment for each byte", FRAGMENTS, any, hello(bytes.clone()));
    let script = Script::new().send_in_parts(bytes, 1).pass([text_item("Hello")]);
    cases.compressed(61, "a fragment for each byte, sent byte by byte", FRAGMENTS, any, script);
    let empty = [
        compressed_text("").part(),
        continuation(&payload[..]).part(),
        continuation("").part(),
        continuation(""),
    ];
    cases.compressed(62, "empty fragments before and after the data", FRAGMENTS, any, hello(empty));
    let split = [
        compressed_text([0x00, 0x01, 0x00, 0xfe, 0xff, 0xc3]).part(),
        continuation([0x00, 0x01, 0x00, 0xfe, 0xff, 0xa9, 0x00]),
    ];
    let script = Script::new().send(split).pass([text_item("\u{e9}")]);
    cases.compressed(63, "a character in two blocks and two fragments", FRAGMENTS, any, script);
    let frames = [compressed_text(&payload[..6]).part(), continuation(&payload[6..])];
    let script = Script::new().send_in_parts(frames, 1).pass([text_item("Hello")]);
    cases.compressed(64, "the last byte of the payload in a fragment of its own", FRAGMENTS, any, script);
}

fn sizes(cases: &mut Cases) {
    let any = (plain(), Needs::Nothing);
    let run =
        (0..100).fold(Bits::new().block(false, Kind::Fixed).literals(b"a"), |bits, _| bits.copy(258, 1));
    let content = "a".repeat(1 + 258 * 100);
    let script = Script::new().send([compressed_text(run.end().message())]).pass([text_item(&content)]);
    cases.compressed(80, "the longest copies, of one byte", INFLATE, any, script);
    let far = data::noise(32_768);
    let bits = Bits::new().stored(false, &far).block(false, Kind::Fixed).copy(258, 32_768).end();
    let content = [&far[..], &far[..258]].concat();
    let script = Script::new().send([compressed_binary(bits.message())]).pass([Item::Binary(content)]);
    let largest = (plain(), Needs::Window(15, false));
    cases.compressed(81, "a copy over the largest distance", INFLATE, largest, script);
    let mut bomb = Vec::new();
    compress_without_context(15, &vec![0; 1 << 20], &mut bomb);
    let script = Script::new()
        .send([compressed_binary(bomb)])
        .alternative(
            "echoes the message",
            Verdict::Informational,
            [Item::Binary(vec![0; 1 << 20])],
            Ending::Clean,
        )
        .alternative(
            "closes with 1009",
            Verdict::Informational,
            [],
            Ending::Closes(&[Some(1009), Some(1008)]),
        );
    cases.compressed(82, "a megabyte of zeros in a kilobyte", BOMB, any, script);
}
