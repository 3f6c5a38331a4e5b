//! Section 4: context takeover (RFC 7692 §7.1.1).

use super::bits::{Bits, Kind};
use super::{
    INVALID_DATA, Needs, compressed_binary, compressed_text, data, of_endpoint, plain, restricted, text_item,
};
use crate::protocol::websocket::deflate::{Deflater, LEVEL};
use crate::protocol::websocket::extension::{Direction, Offer, ServerPreferences};
use crate::tools::conform::case::{Case, Cases, Requirement, Suite};
use crate::tools::conform::trial::{Finding, Trial};
use crate::tools::conform::websocket::frame::{Frame, binary, continuation, ping, pong, text};
use crate::tools::conform::websocket::opening::{Compression, open};
use crate::tools::conform::websocket::peer::Item;
use crate::tools::conform::websocket::script::Script;

const CONTEXT: Requirement = Requirement::must(
    7692,
    "7.2.2",
    "Unless agreed otherwise, a message may refer to the compressed messages before it.",
);
const UNCOMPRESSED: Requirement = Requirement::must(
    7692,
    "7.2.2",
    "Messages that are not compressed, and control frames, do not change the window.",
);
const NO_CONTEXT: Requirement = Requirement::must(
    7692,
    "7.1.1",
    "After an agreement to no context takeover, a message does not refer to the messages before it.",
);
const NO_CONTEXT_RECEIVED: Requirement = Requirement::may(
    7692,
    "7.1.1",
    "A receiver may forget the window after each message if the sender must not use it.",
);

/// "Hello", and the same as a copy of the previous message (§7.2.3.2).
const HELLO: [u8; 7] = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
const AGAIN: [u8; 5] = [0xf2, 0x00, 0x11, 0x00, 0x00];

/// Returns the cases of the section.
pub fn cases() -> Vec<Case> {
    let mut cases = Cases::of(Suite::Deflate, 4, "context takeover");
    used(&mut cases);
    between(&mut cases);
    distances(&mut cases);
    forbidden(&mut cases);
    cases.into_vec()
}

fn hello() -> Frame {
    compressed_text(HELLO)
}

fn again() -> Frame {
    compressed_text(AGAIN)
}

fn answered(frames: impl Into<Vec<Frame>>, items: impl Into<Vec<Item>>) -> Script {
    Script::new().send(frames).pass(items)
}

fn used(cases: &mut Cases) {
    let context = (plain(), Needs::Context);
    let twice = [text_item("Hello"), text_item("Hello")];
    let script = answered([hello(), again()], twice.clone());
    cases.compressed(1, "the example of a message that refers to the previous one", CONTEXT, context, script);
    let script = Script::new().send([hello()]).await_items(1).send([again()]).pass(twice.clone());
    cases.compressed(2, "the same, after the answer to the first message", CONTEXT, context, script);
    let script = answered([hello(), hello()], twice.clone());
    let any = (plain(), Needs::Nothing);
    cases.compressed(3, "messages that do not use their context", CONTEXT, any, script);
    let parts = [hello(), compressed_text(&AGAIN[..2]).part(), continuation(&AGAIN[2..])];
    let script = answered(parts, twice.clone());
    cases.compressed(4, "a reference in the fragments of the next message", CONTEXT, context, script);
    let items = [text_item("Hello"), Item::Binary(b"Hello".to_vec())];
    let script = answered([hello(), compressed_binary(AGAIN)], items);
    cases.compressed(5, "a binary message that refers to text", CONTEXT, context, script);
    let first = Bits::new().block(true, Kind::Fixed).literals(b"Hello").end().align().message();
    let script = answered([compressed_text(first), again()], twice);
    cases.compressed(6, "a reference to a message with BFINAL", CONTEXT, context, script);
    let frames: Vec<Frame> = [hello()].into_iter().chain((0..9).map(|_| again())).collect();
    let script = answered(frames, vec![text_item("Hello"); 10]);
    cases.compressed(7, "ten messages, each with a reference to the previous one", CONTEXT, context, script);
    let (frames, items) = many();
    let script = answered(frames, items);
    let largest = (plain(), Needs::Window(15, true));
    cases.compressed(8, "forty messages of a compressor with context takeover", CONTEXT, largest, script);
}

fn many() -> (Vec<Frame>, Vec<Item>) {
    let mut deflater = Deflater::new(Direction { context_takeover: true, max_window_bits: 15 }, LEVEL);
    let messages = data::json().chunks(1000).take(40);
    messages
        .map(|message| {
            let mut payload = Vec::new();
            deflater.compress(message, &mut payload);
            (compressed_binary(payload), Item::Binary(message.to_vec()))
        })
        .unzip()
}

fn between(cases: &mut Cases) {
    let context = (plain(), Needs::Context);
    let items = [text_item("Hello"), text_item("abc"), text_item("Hello")];
    let script = answered([hello(), text("abc"), again()], items);
    cases.compressed(20, "an uncompressed message before the reference", UNCOMPRESSED, context, script);
    let items = [text_item("Hello"), Item::Binary(b"abcdefgh".to_vec()), text_item("Hello")];
    let frames = [hello(), binary("abcd").part(), continuation("efgh"), again()];
    let script = answered(frames, items);
    cases.compressed(21, "uncompressed fragments before the reference", UNCOMPRESSED, context, script);
    let items = [text_item("Hello"), Item::Pong(b"p".to_vec()), text_item("Hello")];
    // A pong may overtake the answer to a message, so the suite waits.
    let script = Script::new().send([hello()]).await_items(1).send([ping("p")]).await_items(2);
    let script = script.send([again()]).pass(items);
    cases.compressed(22, "a ping before the reference", UNCOMPRESSED, context, script);
    let script = answered([hello(), pong("p"), again()], [text_item("Hello"), text_item("Hello")]);
    cases.compressed(23, "a pong before the reference", UNCOMPRESSED, context, script);
    let items = [text_item("Hello"), text_item(""), text_item("Hello")];
    let script = answered([hello(), compressed_text([0x00]), again()], items);
    cases.compressed(24, "an empty compressed message before the reference", CONTEXT, context, script);
    let first = [
        compressed_text(&HELLO[..3]).part(),
        ping("p"),
        continuation(&HELLO[3..5]).part(),
        pong(""),
        continuation(&HELLO[5..]),
    ];
    let second = [compressed_text(&AGAIN[..1]).part(), ping("q"), continuation(&AGAIN[1..])];
    let items =
        [Item::Pong(b"p".to_vec()), text_item("Hello"), Item::Pong(b"q".to_vec()), text_item("Hello")];
    let script = Script::new().send(first).await_items(2).send(second).pass(items);
    let title = "control frames between the fragments of both messages";
    cases.compressed(25, title, UNCOMPRESSED, context, script);
    let frames = [compressed_text(&HELLO[..3]).part(), ping("p"), continuation(&HELLO[3..])];
    let script = answered(frames, [Item::Pong(b"p".to_vec()), text_item("Hello")]);
    let any = (plain(), Needs::Nothing);
    cases.compressed(26, "a ping between the fragments of one message", UNCOMPRESSED, any, script);
}

fn distances(cases: &mut Cases) {
    let largest = (plain(), Needs::Window(15, true));
    let noise = data::noise(32_768);
    let start = compressed_binary(Bits::new().stored(false, &noise).message());
    let copy = Bits::new().block(false, Kind::Fixed).copy(258, 32_768).end().message();
    let items = [Item::Binary(noise.clone()), Item::Binary(noise[..258].to_vec())];
    let script = answered([start.clone(), compressed_binary(copy)], items);
    cases.compressed(40, "a reference over the largest distance", CONTEXT, largest, script);
    // The last messages before the reference move the window.
    let middle = compressed_binary(Bits::new().stored(false, &noise[..100]).message());
    let copy = Bits::new().block(false, Kind::Fixed).copy(10, 32_768).end().message();
    let items = [
        Item::Binary(noise.clone()),
        Item::Binary(noise[..100].to_vec()),
        Item::Binary(noise[100..110].to_vec()),
    ];
    let script = answered([start, middle, compressed_binary(copy)], items);
    cases.compressed(41, "a reference to the message before the last one", CONTEXT, largest, script);
    let frames = [hello(), compressed_text(Bits::new().block(false, Kind::Fixed).copy(5, 6).end().message())];
    let script = Script::new().send(frames).fails([text_item("Hello")], INVALID_DATA).may_fail(
        "fails the connection without the first message",
        [],
        INVALID_DATA,
    );
    cases.compressed(42, "a reference before the first message", CONTEXT, (plain(), Needs::Context), script);
}

fn forbidden(cases: &mut Cases) {
    let script = || {
        Script::new()
            .send([hello()])
            .await_items(1)
            .send([again()])
            .fails([text_item("Hello")], INVALID_DATA)
            .allowed("keeps the window all the same", [text_item("Hello"), text_item("Hello")])
    };
    let outcomes = script().outcomes();
    let play = move |trial: &mut Trial| {
        let peer = open(trial, restricted(trial, true, 15))?;
        Needs::NoContext.check(&peer)?;
        script().play_on(peer, trial)
    };
    let title = "a reference although the suite must not use the context";
    cases.add(60, title, NO_CONTEXT_RECEIVED, &outcomes, play);
    for (index, title, both) in [
        (61, "messages of an endpoint that must not use its context", false),
        (62, "messages when neither side may use its context", true),
    ] {
        let script = || {
            let same = data::json()[..2000].to_vec();
            let frame = compressed_binary(Bits::new().stored(false, &same).message());
            answered(vec![frame; 4], vec![Item::Binary(same); 4])
        };
        let outcomes = script().outcomes();
        let play = move |trial: &mut Trial| {
            let compression = without_context(both);
            let peer = open(trial, compression)?;
            if of_endpoint(&peer).context_takeover {
                return Err(Finding::NotApplicable("the endpoint may use its context".into()));
            }
            script().play_on(peer, trial)
        };
        cases.add(index, title, NO_CONTEXT, &outcomes, play);
    }
}

/// Returns the compression in which the messages of the endpoint do not use the context, whichever
/// role it has, and with `both` those of the suite neither.
fn without_context(both: bool) -> Compression {
    let offer =
        Offer { server_no_context_takeover: true, client_no_context_takeover: both, ..Offer::default() };
    let preferences = ServerPreferences {
        client_no_context_takeover: true,
        server_no_context_takeover: both,
        ..ServerPreferences::default()
    };
    Compression::Deflate { offer, preferences }
}
