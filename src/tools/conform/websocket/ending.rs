//! Section 14: races at the end, half-closed connections and resets (RFC 6455 §5.5.1, §7).

use std::iter;

use super::frame::{Frame, close, continuation, ping, text};
use super::opening::{Compression, open};
use super::payload::letters;
use super::peer::Item;
use super::script::{Ending, PROTOCOL_ERROR, Script};
use crate::tools::conform::case::{Case, Cases, Endpoints, Requirement, Suite, Verdict};

const NOTHING_AFTER_CLOSE: Requirement = Requirement::must(
    6455,
    "5.5.1",
    "An endpoint sends no data after its close frame; data after the peer's close frame is ignored.",
);

const NOTHING_AFTER_FAILURE: Requirement = Requirement::must(
    6455,
    "7.1.7",
    "An endpoint that fails the connection does not process data that follows.",
);

const CLIENT_FAILS: Requirement = Requirement::must(
    6455,
    "7.2.1",
    "A client fails the connection when the underlying TCP connection is lost.",
);

const SERVER_ENDS: Requirement = Requirement::should(
    6455,
    "7.2",
    "A server ends a TCP connection on which no close frame can arrive any more.",
);

const RESPONSE: Requirement =
    Requirement::must(6455, "5.5.1", "An endpoint answers a close frame with a close frame.");

const OTHERS_LIVE: Requirement = Requirement::must(
    6455,
    "6.2",
    "A server receives the messages of a connection, whatever happens to others.",
);

/// Builds the frames of a case when it is played.
type Frames = fn() -> Vec<Frame>;

/// Returns the cases of the section.
pub fn cases() -> Vec<Case> {
    let mut cases = Cases::of(Suite::WebSocket, 14, "races at the end, half-closed connections, resets");
    add_after_close(&mut cases);
    add_after_failure(&mut cases);
    for (first, is_server) in [(21, true), (41, false)] {
        add_half_closed(&mut cases, first, is_server);
    }
    add_resets(&mut cases);
    cases.into_vec()
}

fn hello() -> Item {
    Item::Text("Hello".into())
}

/// Bytes behind the suite's close frame.
fn add_after_close(cases: &mut Cases) {
    let closing = || close(1000, "");
    let script = Script::new()
        .send([text("Hello"), closing(), text("ignored")])
        .pass([hello()])
        .allowed("closes without the message", []);
    cases.script(1, "a message, a close frame and a message, in one write", NOTHING_AFTER_CLOSE, script);
    let script = Script::new().send([closing()]).send_bytes([0xff; 3]).pass([]);
    cases.script(2, "a close frame, then bytes that are no frame", NOTHING_AFTER_CLOSE, script);
    let script = Script::new().send([closing(), Frame::new(0xb, "").rsv(7)]).pass([]);
    cases.script(3, "a close frame and a violation, in one write", NOTHING_AFTER_CLOSE, script);
    let script = Script::new().send([closing(), close(1001, "again")]).pass([]);
    cases.script(4, "two close frames, in one write", NOTHING_AFTER_CLOSE, script);
    let pings: Vec<Frame> = iter::once(closing()).chain((0..100).map(|_| ping("late"))).collect();
    let script = Script::new().send(pings).pass([]);
    cases.script(5, "a close frame and 100 pings, in one write", NOTHING_AFTER_CLOSE, script);
    let script =
        Script::new().send([text("Hel").part(), closing(), continuation("lo"), text("ignored")]).pass([]);
    cases.script(6, "a close frame within a message, in one write", super::closing::CLOSE_WITHIN, script);
    let script = Script::new().send([closing(), text(letters(1 << 18))]).pass([]);
    cases.script(7, "a close frame and a message of 256 KiB, in one write", NOTHING_AFTER_CLOSE, script);
    let script = Script::new().send([closing()]).finish_sending().pass([]).alternative(
        "ends TCP without a close frame",
        Verdict::Allowed,
        [],
        Ending::Drops,
    );
    cases.script(8, "a close frame, and the end of TCP at once", RESPONSE, script);
}

/// Bytes behind a violation: the close frames of both sides cross each other.
fn add_after_failure(cases: &mut Cases) {
    let violation = || text("Hello").rsv(4);
    let failed = |frames: Vec<Frame>| Script::new().send(frames).fails([], PROTOCOL_ERROR);
    let script = failed(vec![violation(), close(1000, "")]);
    cases.script(11, "a violation and a close frame: both sides close", NOTHING_AFTER_FAILURE, script);
    let frames = iter::once(violation()).chain((0..100).map(|_| ping("late"))).collect();
    cases.script(12, "a violation and 100 pings, in one write", NOTHING_AFTER_FAILURE, failed(frames));
    let script = failed(vec![violation(), text("ignored"), violation()]);
    cases.script(13, "a violation, a message and a violation, in one write", NOTHING_AFTER_FAILURE, script);
    let script = Script::new()
        .send([violation()])
        .await_items(1)
        .send([text("ignored"), ping("late"), close(1000, "")])
        .fails([], PROTOCOL_ERROR);
    cases.script(14, "a violation, and frames after its answer", NOTHING_AFTER_FAILURE, script);
}

/// The suite sends a FIN without a close frame.
fn add_half_closed(cases: &mut Cases, first: u16, is_server: bool) {
    let echoed = || Script::new().send([text("Hello")]).await_items(1);
    let variants = [
        (Script::new(), vec![vec![]], "after the handshake"),
        (echoed(), vec![vec![hello()]], "after the echo of a message"),
        (Script::new().send([text("Hello")]), vec![vec![hello()], vec![]], "at once after a message"),
        (Script::new().send([text("Hel").part()]), vec![vec![]], "within a fragmented message"),
        (Script::new().send([text("Hel").announcing(5)]), vec![vec![]], "within a frame"),
        (Script::new().send_bytes([0x81]), vec![vec![]], "within the header of a frame"),
        (echoed().send_bytes([0x88]), vec![vec![hello()]], "within a close frame"),
    ];
    for (number, (script, answers, when)) in (0..).zip(variants) {
        let mut script = script.finish_sending();
        for items in answers {
            script = script.ends("ends its side of TCP", Verdict::Pass, items.clone());
            if is_server {
                // RFC 6455 requires this of clients only.
                let name = "keeps its side of TCP open for 3 s";
                script = script.alternative(name, Verdict::Allowed, items, Ending::StaysOpen);
            }
        }
        let requirement = if is_server { SERVER_ENDS } else { CLIENT_FAILS };
        let case = cases.script(first + number, format!("the end of TCP {when}"), requirement, script);
        case.endpoints = if is_server { Endpoints::Server } else { Endpoints::Client };
    }
}

/// The suite resets connections; another connection still works.
fn add_resets(cases: &mut Cases) {
    let variants: [(Frames, &str); 4] = [
        (Vec::new, "after the handshake"),
        (|| vec![text("Hello")], "after a message"),
        (|| vec![text("Hel").announcing(5)], "within a frame"),
        (|| vec![text(letters(1 << 18)), close(1000, "")], "after a large message and a close frame"),
    ];
    for (index, (frames, when)) in (31..).zip(variants) {
        let alive = Script::new().send([text("Hello")]).pass([hello()]);
        let outcomes = alive.outcomes();
        let title = format!("8 connections that are reset {when}, then a message on another");
        cases
            .add(index, title, OTHERS_LIVE, &outcomes, move |trial| {
                for _ in 0..8 {
                    let mut peer = open(trial, Compression::None)?;
                    peer.send(&frames())?;
                    peer.connection.reset();
                }
                alive.play(trial)
            })
            .server_only();
    }
}
