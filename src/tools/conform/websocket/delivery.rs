//! Section 11: how TCP delivers frames does not matter (RFC 6455 §5.2, §6.2).

use std::ops::Range;

use super::conversation::Conversation;
use super::frame::{
    CLOSE, CONTINUATION, Frame, Masking, TEXT, binary, close, continuation, ping, pong, text,
};
use super::opening::{Compression, open, open_with};
use super::payload::{bytes, letters};
use super::peer::{Item, encode};
use super::script::{PROTOCOL_ERROR, Script};
use crate::tools::conform::case::{Case, Cases, Requirement, Suite, Verdict, allowed};
use crate::tools::conform::trial::{Finding, Trial};

const ANY_CUT: Requirement = Requirement::must(
    6455,
    "6.2",
    "Incoming data is parsed as frames, wherever the segments of TCP begin and end.",
);

const AFTER_HANDSHAKE: Requirement = Requirement::must(
    6455,
    "6.2",
    "Data that follows the handshake is parsed as frames, even if it arrives together with it.",
);

const FAILS_AT_ANY_CUT: Requirement = Requirement::must(
    6455,
    "7.1.7",
    "An endpoint fails the connection for a violation, wherever the segments of TCP begin and end.",
);

/// Builds the frames of a case when it is played.
type Frames = fn() -> Vec<Frame>;

/// Returns the cases of the section.
pub fn cases() -> Vec<Case> {
    let mut cases = Cases::of(Suite::WebSocket, 11, "delivery in segments of any length");
    add_cuts(&mut cases);
    add_streams(&mut cases);
    add_with_handshake(&mut cases);
    add_on_new_connections(&mut cases);
    cases.into_vec()
}

/// Frames of one form, and their answer.
struct CutFrames {
    index: u16,
    title: &'static str,
    frames: Frames,
    item: fn() -> Item,
    /// Where the bytes of a client are cut. A cut behind those of a server divides nothing.
    cuts: Range<usize>,
}

const CUT_FRAMES: [CutFrames; 8] = [
    CutFrames {
        index: 1,
        title: "a text message, cut at each byte",
        frames: || vec![text("Hello")],
        item: || Item::Text("Hello".into()),
        cuts: 1..11,
    },
    CutFrames {
        index: 2,
        title: "an empty message, cut at each byte",
        frames: || vec![text("")],
        item: || Item::Text(Vec::new()),
        cuts: 1..6,
    },
    CutFrames {
        index: 3,
        title: "a message of 126 bytes, cut at each byte",
        frames: || vec![binary(bytes(126))],
        item: || Item::Binary(bytes(126)),
        cuts: 1..134,
    },
    CutFrames {
        index: 4,
        title: "a message of 65536 bytes, cut at each byte of its header",
        frames: || vec![binary(bytes(65_536))],
        item: || Item::Binary(bytes(65_536)),
        cuts: 1..18,
    },
    CutFrames {
        index: 5,
        title: "a ping, cut at each byte",
        frames: || vec![ping("Hello")],
        item: || Item::Pong("Hello".into()),
        cuts: 1..11,
    },
    CutFrames {
        index: 6,
        title: "two fragments with a pong between them, cut at each byte",
        frames: || vec![text("Hel").part(), pong("!"), continuation("lo")],
        item: || Item::Text("Hello".into()),
        cuts: 1..25,
    },
    CutFrames {
        index: 7,
        title: "characters of two to four bytes, cut at each byte",
        frames: || vec![text("ß€🦀")],
        item: || Item::Text("ß€🦀".into()),
        cuts: 1..15,
    },
    CutFrames {
        index: 9,
        title: "a message of 65536 bytes, cut at each of its last bytes",
        frames: || vec![binary(bytes(65_536))],
        item: || Item::Binary(bytes(65_536)),
        cuts: 65_534..65_550,
    },
];

/// Frames of each form, cut at each byte.
fn add_cuts(cases: &mut Cases) {
    for CutFrames { index, title, frames, item, cuts } in CUT_FRAMES {
        let outcomes = Script::new().pass([]).outcomes();
        // The script is large, so it is built when it is played.
        cases.add(index, title, ANY_CUT, &outcomes, move |trial| {
            let items = vec![item(); cuts.len()];
            let script = (1..).zip(cuts.clone()).fold(Script::new(), |script, (count, cut)| {
                script.send_cut(frames(), cut).await_items(count)
            });
            script.pass(items).play(trial)
        });
    }
    let script = Script::new().send_in_parts([close(1000, "enough")], 1).pass([]);
    cases.script(8, "a close frame with a reason, byte by byte", ANY_CUT, script);
}

/// Many frames, divided into writes in different ways.
fn add_streams(cases: &mut Cases) {
    let frames = || {
        vec![
            text("one"),
            ping("two"),
            binary(bytes(300)),
            text("th").part(),
            pong("nobody asked"),
            continuation("ree"),
            text(""),
        ]
    };
    let items = || {
        let message = |text: &str| Item::Text(text.into());
        vec![
            message("one"),
            Item::Pong("two".into()),
            Item::Binary(bytes(300)),
            message("three"),
            message(""),
        ]
    };
    let judged = |script: Script| script.pass(items()).allowed_with_other_pongs(items());
    let script = judged(Script::new().send(frames()));
    cases.script(11, "messages, a ping and a pong, in one write", ANY_CUT, script);
    for (index, bytes, write) in [
        (12, 1, "one byte"),
        (13, 2, "2 bytes"),
        (14, 3, "3 bytes"),
        (15, 7, "7 bytes"),
        (16, 64, "64 bytes"),
    ] {
        let script = judged(Script::new().send_in_parts(frames(), bytes));
        cases.script(index, format!("the same in writes of {write}"), ANY_CUT, script);
    }
    for (index, write, how) in [(17, usize::MAX, "in one write"), (18, 1000, "in writes of 1000 bytes")] {
        let outcomes = Script::new().pass([]).outcomes();
        let title = format!("200 messages of 997 bytes, {how}");
        cases.add(index, title, ANY_CUT, &outcomes, move |trial| {
            let script = Script::new().send_in_parts(vec![text(letters(997)); 200], write);
            script.pass(vec![Item::Text(letters(997)); 200]).play(trial)
        });
    }
}

const EARLY: &str = "rejects a request that data follows";

/// Frames in one write with the handshake.
fn add_with_handshake(cases: &mut Cases) {
    let hello = || Item::Text("Hello".into());
    let variants = [
        (vec![text("Hello")], "a message"),
        (vec![text("Hello"), close(1000, "")], "a message and a close frame"),
        (vec![text("Hel").part(), continuation("lo")], "two fragments"),
    ];
    for (number, (frames, what)) in (0..).zip(variants) {
        let answered = |script: Script| {
            let has_close = frames.iter().any(|frame| frame.opcode == CLOSE);
            let script = script.pass([hello()]);
            // An endpoint may close before it sends what it has not sent yet.
            if has_close { script.allowed("closes without the message", []) } else { script }
        };
        let script = answered(Script::new().with_handshake(frames.clone()));
        let title = format!("{what} in one write with the response of the handshake");
        cases.script(21 + number, title, AFTER_HANDSHAKE, script).client_only();
        if number == 0 {
            // The handshake's section has this case for servers.
            continue;
        }
        // A client has to wait for the response, so a server may reject this.
        let script = answered(Script::new());
        let mut outcomes = script.outcomes();
        outcomes.push(allowed(EARLY));
        let title = format!("{what} in one write with the request of the handshake");
        cases
            .add(31 + number, title, AFTER_HANDSHAKE, &outcomes, move |trial| early(trial, &script, &frames))
            .server_only();
    }
}

/// Sends frames with the request, and plays the script if the server accepts it.
fn early(trial: &mut Trial, script: &Script, frames: &[Frame]) -> Result<&'static str, Finding> {
    match open_with(trial, Compression::None, frames) {
        Ok(peer) => {
            let closes = frames.iter().any(|frame| frame.opcode == CLOSE);
            let mut script = script.clone();
            script.closes = closes;
            Conversation::new(&script, peer).play(trial)
        }
        // The same request without the frames shows whether the frames are the reason.
        Err(Finding::Failed { .. }) => open(trial, Compression::None).map(|_| EARLY),
        Err(finding) => Err(finding),
    }
}

/// Frames that end a connection, each cut at each byte, on connections of their own.
fn add_on_new_connections(cases: &mut Cases) {
    let violations: [(u16, Frames, &str); 6] = [
        (41, || vec![text("Hello").rsv(4)], "a message with RSV1"),
        (42, || vec![Frame::new(0xb, "Hello")], "a frame with a reserved opcode"),
        (43, || vec![text("Hello").masking(Masking::Wrong)], "a frame without a mask"),
        (44, || vec![ping("Hello").part()], "a ping without FIN"),
        (45, || vec![text("Hel").part(), text("lo")], "a message within a message"),
        (46, || vec![Frame::new(CLOSE, [3])], "a close frame with half a code"),
    ];
    for (index, frames, what) in violations {
        let script = move |cut| Script::new().send_cut(frames(), cut).fails([], PROTOCOL_ERROR);
        add_at_each_cut(cases, index, what, FAILS_AT_ANY_CUT, frames, script);
    }
    let invalid =
        || vec![Frame::new(TEXT, b"a\xe2\x82".to_vec()).part(), Frame::new(CONTINUATION, b"a".to_vec())];
    let script = move |cut| Script::new().send_cut(invalid(), cut).fails([], &[Some(1007)]);
    add_at_each_cut(cases, 47, "a text that is not UTF-8 in two frames", FAILS_AT_ANY_CUT, invalid, script);
    let closing = || vec![close(1000, "enough")];
    let script = move |cut| Script::new().send_cut(closing(), cut).pass([]);
    add_at_each_cut(cases, 48, "a close frame with a reason", ANY_CUT, closing, script);
}

/// Adds a case that plays a script for each cut of the frames, and whose outcome is the worst of
/// theirs.
fn add_at_each_cut(
    cases: &mut Cases,
    index: u16,
    what: &str,
    requirement: Requirement,
    frames: Frames,
    script: impl Fn(usize) -> Script + Send + Sync + 'static,
) {
    let outcomes = script(0).outcomes();
    let title = format!("{what}, cut at each byte, a connection for each");
    let case = cases.add(index, title, requirement, &outcomes.clone(), move |trial| {
        let mut worst = outcomes[0];
        for cut in 1..encode(&frames(), true).len() {
            let outcome = script(cut).play(trial)?;
            if let Some(found) = outcomes.iter().find(|known| known.name == outcome)
                && found.verdict != Verdict::Pass
            {
                worst = *found;
            }
        }
        Ok(worst.name)
    });
    case.server_only();
}
