//! Section 2: pings and pongs (RFC 6455 §5.5.2, §5.5.3).

use super::frame::{Frame, close, ping, pong, text};
use super::payload::bytes;
use super::peer::Item;
use super::script::{PROTOCOL_ERROR, Script};
use crate::tools::conform::case::{Case, Cases, Requirement, Suite};

const PONG: Requirement = Requirement::must(
    6455,
    "5.5.2",
    "An endpoint answers a ping with a pong, unless it has received a close frame.",
);

const PONG_PAYLOAD: Requirement =
    Requirement::must(6455, "5.5.3", "A pong has the payload of the ping that it answers.");

const UNSOLICITED: Requirement =
    Requirement::may(6455, "5.5.3", "A pong may be sent unsolicited, and expects no response.");

const CONTROL_LENGTH: Requirement =
    Requirement::must(6455, "5.5", "A control frame has at most 125 bytes of payload.");

/// Returns the cases of the section.
pub fn cases() -> Vec<Case> {
    let mut cases = Cases::of(Suite::WebSocket, 2, "pings and pongs");
    add_pings(&mut cases);
    add_pongs(&mut cases);
    add_several(&mut cases);
    cases.into_vec()
}

fn add_pings(cases: &mut Cases) {
    let answered = |payload: &[u8]| Script::new().send([ping(payload)]).pass([Item::Pong(payload.to_vec())]);
    cases.script(1, "an empty ping", PONG, answered(b"")).autobahn("2.1");
    cases.script(2, "a ping with text", PONG_PAYLOAD, answered(b"Hello, world!")).autobahn("2.2");
    cases
        .script(
            3,
            "a ping with bytes that are not UTF-8",
            PONG_PAYLOAD,
            answered(b"\0\xff\xfe\xfd\xfc\xfb\0\xff"),
        )
        .autobahn("2.3");
    cases.script(4, "a ping of 125 bytes", PONG_PAYLOAD, answered(&bytes(125))).autobahn("2.4");
    let script = Script::new().send([ping(bytes(126))]).fails([], PROTOCOL_ERROR);
    cases.script(5, "a ping of 126 bytes", CONTROL_LENGTH, script).autobahn("2.5");
    let script = Script::new().send_in_parts([ping(bytes(125))], 1).pass([Item::Pong(bytes(125))]);
    cases.script(6, "a ping of 125 bytes, byte by byte", PONG_PAYLOAD, script).autobahn("2.6");
}

fn add_pongs(cases: &mut Cases) {
    let ignored = |payload: &str| Script::new().send([pong(payload)]).send([close(1000, "")]).pass([]);
    cases.script(7, "an empty pong without a ping", UNSOLICITED, ignored("")).autobahn("2.7");
    cases
        .script(8, "a pong with a payload, without a ping", UNSOLICITED, ignored("nobody asked"))
        .autobahn("2.8");
    let script = Script::new()
        .send([pong("nobody asked")])
        .send([ping("an actual ping")])
        .pass([Item::Pong("an actual ping".into())]);
    cases.script(9, "a pong without a ping, then a ping", UNSOLICITED, script).autobahn("2.9");
    let script = Script::new().send([pong(bytes(126))]).fails([], PROTOCOL_ERROR);
    cases.script(12, "a pong of 126 bytes", CONTROL_LENGTH, script);
}

fn add_several(cases: &mut Cases) {
    let payload = |index: usize| format!("ping {index} of 10");
    let pings: Vec<Frame> = (0..10).map(|index| ping(payload(index))).collect();
    let pongs: Vec<Item> = (0..10).map(|index| Item::Pong(payload(index).into())).collect();
    let script = pings.iter().fold(Script::new(), |script, ping| script.send([ping.clone()]));
    let script = script.pass(pongs.clone()).allowed_with_other_pongs(pongs.clone());
    cases.script(10, "10 pings", PONG, script).autobahn("2.10");
    let script = Script::new().send_in_parts(pings, 1).pass(pongs.clone()).allowed_with_other_pongs(pongs);
    cases.script(11, "10 pings, byte by byte", PONG, script).autobahn("2.11");
    let pongs = |text: &str| Item::Pong(text.into());
    let message = || Item::Text("Hello".into());
    let items = || [pongs("1"), message(), pongs("2")];
    let script = Script::new()
        .send([ping("1"), text("Hello"), ping("2")])
        .pass(items())
        .allowed_with_other_pongs(items());
    cases.script(13, "a ping, a message and a ping, in one write", PONG, script);
    let script = Script::new()
        .send([ping("late"), close(1000, "")])
        .pass([Item::Pong("late".into())])
        .allowed("closes without the pong", []);
    cases.script(14, "a ping and a close frame, in one write", PONG, script);
}
