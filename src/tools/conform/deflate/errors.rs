//! Section 7: compressed messages that cannot be inflated (RFC 7692 §7.2.2), and text that is not
//! UTF-8 when it is.

use super::bits::{Bits, Kind};
use super::{INVALID_DATA, Needs, compressed_binary, compressed_text, plain, text_item};
use crate::tools::conform::case::{Case, Cases, Requirement, Suite};
use crate::tools::conform::websocket::frame::continuation;
use crate::tools::conform::websocket::peer::Item;
use crate::tools::conform::websocket::script::Script;

const INVALID: Requirement = Requirement::must(
    7692,
    "7.2.2",
    "A message that cannot be inflated has no content; a receiver fails the connection.",
);
const UNFINISHED: Requirement = Requirement::must(
    7692,
    "7.2.1",
    "A sender ends a message with an empty stored block, and removes its last four bytes.",
);
const UTF8: Requirement = Requirement::must(
    6455,
    "8.1",
    "A receiver of text that is not UTF-8 fails the connection; text is validated after inflation.",
);

const NOT_UTF8: &[Option<u16>] = &[Some(1007)];

/// Returns the cases of the section.
pub fn cases() -> Vec<Case> {
    let mut cases = Cases::of(Suite::Deflate, 7, "invalid data");
    streams(&mut cases);
    ends(&mut cases);
    texts(&mut cases);
    cases.into_vec()
}

fn streams(cases: &mut Cases) {
    let fixed = || Bits::new().block(false, Kind::Fixed);
    let dynamic = || Bits::new().block(false, Kind::Dynamic);
    // The lengths of 17 code lengths are 0, then those of the last ones.
    let too_many = dynamic().bits(31, 5).bits(31, 5).bits(0, 4).bits(0, 12);
    let too_full = dynamic().bits(0, 5).bits(0, 5).bits(0, 4).bits(0b001_001_001_001, 12);
    let rows: [(u16, &'static str, Vec<u8>); 12] = [
        (1, "a block of the reserved type", Bits::new().block(false, Kind::Reserved).message()),
        (2, "a last block of the reserved type", Bits::new().block(true, Kind::Reserved).message()),
        (
            3,
            "a stored block with a wrong complement",
            vec![0x00, 0x05, 0x00, 0xfa, 0xfe, b'H', b'e', b'l', b'l', b'o', 0x00],
        ),
        (4, "the length code 286", fixed().literals(b"Hello").symbol(286).bits(0, 5).end().message()),
        (5, "the length code 287", fixed().literals(b"Hello").symbol(287).bits(0, 5).end().message()),
        (6, "the distance code 30", fixed().literals(b"Hello").symbol(257).raw_distance(30).end().message()),
        (7, "the distance code 31", fixed().literals(b"Hello").symbol(257).raw_distance(31).end().message()),
        (8, "a copy before the first byte", fixed().literals(b"H").copy(4, 2).end().message()),
        (9, "a copy as the first symbol", fixed().copy(4, 1).end().message()),
        (10, "a block with too many codes", too_many.message()),
        (11, "a block whose code of code lengths has too many codes", too_full.message()),
        (12, "bytes that are no DEFLATE", vec![0xff; 16]),
    ];
    for (index, title, payload) in rows {
        let script = Script::new().send([compressed_text(payload)]).fails([], INVALID_DATA);
        cases.compressed(index, title, INVALID, (plain(), Needs::Nothing), script);
    }
    let second = Bits::new().block(false, Kind::Reserved).message();
    let frames =
        [compressed_text(Bits::new().stored(false, b"Hel").into_bytes()).part(), continuation(second)];
    let script = Script::new().send(frames).fails([], INVALID_DATA);
    cases.compressed(
        13,
        "a reserved block in the second fragment",
        INVALID,
        (plain(), Needs::Nothing),
        script,
    );
}

fn ends(cases: &mut Cases) {
    let hello = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    let taken = "takes what was inflated as the message";
    let rows: [(u16, &'static str, Vec<u8>, &'static str); 6] = [
        (20, "a message that ends within a block", hello[..5].to_vec(), "Hellh"),
        (21, "a message that ends within the header of a block", vec![0x04], ""),
        (
            22,
            "a message that ends within a stored block",
            Bits::new().stored(false, b"Hello").into_bytes()[..8].to_vec(),
            "Hel",
        ),
        (
            23,
            "a message without its final empty block",
            vec![0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00],
            "Hello",
        ),
        (
            24,
            "a message with the four bytes that a sender removes",
            [&hello[..], &[0x00, 0x00, 0xff, 0xff]].concat(),
            "Hello",
        ),
        (25, "a compressed message without a byte", Vec::new(), ""),
    ];
    for (index, title, payload, content) in rows {
        let mut script = Script::new().send([compressed_text(payload)]).fails([], INVALID_DATA);
        // The bytes that the receiver appends complete the symbol of 20, and zlib does not report
        // that the others end too early or too late. No sentence requires a receiver to notice.
        if !matches!(index, 21 | 22) {
            script = script.allowed(taken, [text_item(content)]);
        }
        cases.compressed(index, title, UNFINISHED, (plain(), Needs::Nothing), script);
    }
}

fn texts(cases: &mut Cases) {
    let any = (plain(), Needs::Nothing);
    let rows: [(u16, &'static str, &'static [u8]); 5] = [
        (40, "a surrogate", b"ab\xed\xa0\x80"),
        (41, "a character that is incomplete at the end", b"a\xc3"),
        (42, "an overlong character", b"\xc0\x80"),
        (43, "a byte that is not UTF-8", b"Hello\xff"),
        (44, "a character above U+10FFFF", b"\xf4\x90\x80\x80"),
    ];
    for (index, title, content) in rows {
        let payload = Bits::new().stored(false, content).message();
        let script = Script::new().send([compressed_text(payload)]).fails([], NOT_UTF8);
        cases.compressed(index, format!("compressed text with {title}"), UTF8, any, script);
        let payload = Bits::new().block(false, Kind::Fixed).literals(content).end().message();
        let script = Script::new().send([compressed_binary(payload)]).pass([Item::Binary(content.to_vec())]);
        cases.compressed(index + 10, format!("a binary message with {title}"), UTF8, any, script);
    }
    let frames = [
        compressed_text(Bits::new().stored(false, b"H\xc3").into_bytes()).part(),
        continuation(Bits::new().stored(false, b"(").message()),
    ];
    let script = Script::new().send(frames).fails([], NOT_UTF8);
    cases.compressed(60, "compressed text that the second fragment makes invalid", UTF8, any, script);
}
