//! Stage 8: messages in both directions.

use super::websocket::{
    expect_event, open, wait_for, wait_for_cursor, wait_for_end, wait_for_event, wait_for_failure,
};
use crate::protocol::rule::Section;
use crate::tools::check::probe::Probe;
use crate::tools::check::stage::{Stage, Step, View};
use crate::tools::conform::trial::Finding;
use crate::tools::conform::websocket::frame::{Masking, close, ping, text};
use crate::tools::conform::websocket::peer::Item;

pub const STAGE: Stage = Stage {
    name: "frame",
    task: "On an open WebSocket, a text message of the client is published as an event, and each event is sent \
           to the client as a text message `{\"id\":\"…\",\"event\":\"message\",\"data\":\"…\"}`. The first \
           message is `{\"next\":\"…\"}`, the cursor where the client begins: that of `?since=ID`, or the \
           newest. The server answers a ping with a pong and a close frame with a close frame. When a client \
           breaks a rule, the server sends a close frame with 1002 and ends the connection.",
    example: "examples/07_websocket_frames.rs",
    read: "`take_frame` and `Client::receive`",
    view: View::Wire,
    steps: &[
        Step {
            title: "reads the masked frame of RFC 6455 section 5.7",
            why: "Byte i of the payload is XORed with byte i modulo 4 of the key.",
            section: Some(Section::rfc(6455, "5.3")),
            play: reads_masked,
        },
        Step {
            title: "unmasks each frame with its own key",
            why: "The key differs from frame to frame, and is in the header.",
            section: Some(Section::rfc(6455, "5.3")),
            play: reads_keys,
        },
        Step {
            title: "begins with the newest event, and sends each one after it",
            why: "A WebSocket follows the same list as all other clients. Take the position before the 101 is sent: the \
                  client may publish as soon as it has read it.",
            section: None,
            play: sends_events,
        },
        Step {
            title: "reads and writes lengths of two bytes",
            why: "126 in the seven bits of the length says that it is in the next two bytes.",
            section: Some(Section::rfc(6455, "5.2")),
            play: reads_long,
        },
        Step {
            title: "waits for a frame that arrives byte by byte",
            why: "A header, too, may be cut anywhere.",
            section: Some(Section::rfc(6455, "5.2")),
            play: waits,
        },
        Step {
            title: "answers a ping with its payload",
            why: "This is how a peer finds out that the connection is still alive.",
            section: Some(Section::rfc(6455, "5.5.2")),
            play: answers_ping,
        },
        Step {
            title: "answers a close frame, and ends TCP",
            why: "Both sides have then said their last word, so nothing is lost.",
            section: Some(Section::rfc(6455, "5.5.1")),
            play: closes,
        },
        Step {
            title: "fails the connection at a frame that is not masked",
            why: "Masking is what keeps a page from writing an HTTP request on the wire.",
            section: Some(Section::rfc(6455, "5.1")),
            play: refuses_unmasked,
        },
    ],
};

fn reads_masked(probe: &mut Probe) -> Result<(), Finding> {
    let mut peer = open(probe, "")?;
    peer.send(&[text("Hello")])?;
    wait_for_event(&mut peer, "Hello", probe.promptly())
}

fn reads_keys(probe: &mut Probe) -> Result<(), Finding> {
    let mut peer = open(probe, "")?;
    for (label, key) in [("one", [0x01, 0x80, 0xfe, 0x5a]), ("two", [0xc3, 0x28, 0x00, 0x11])] {
        let data = probe.data(label);
        peer.send(&[text(data.as_bytes()).masking(Masking::Key(key))])?;
        wait_for_event(&mut peer, &data, probe.promptly())?;
    }
    Ok(())
}

fn sends_events(probe: &mut Probe) -> Result<(), Finding> {
    let before = probe.data("before");
    probe.publish(&before)?;
    let mut peer = open(probe, "")?;
    wait_for_cursor(&mut peer, probe.promptly())?;
    for label in ["one", "two"] {
        let data = probe.data(label);
        probe.publish(&data)?;
        expect_event(&mut peer, &data, probe.promptly())?;
    }
    Ok(())
}

fn reads_long(probe: &mut Probe) -> Result<(), Finding> {
    let mut peer = open(probe, "")?;
    let data = probe.data(&"long ".repeat(100));
    peer.send(&[text(data.as_bytes())])?;
    wait_for_event(&mut peer, &data, probe.promptly())
}

fn waits(probe: &mut Probe) -> Result<(), Finding> {
    let mut peer = open(probe, "")?;
    let data = probe.data("in pieces");
    let bytes = peer.encode(&[text(data.as_bytes())]);
    bytes.chunks(1).try_for_each(|byte| peer.connection.send(byte))?;
    wait_for_event(&mut peer, &data, probe.promptly())
}

fn answers_ping(probe: &mut Probe) -> Result<(), Finding> {
    let mut peer = open(probe, "")?;
    peer.send(&[ping("are you there?")])?;
    let pong = Item::Pong(b"are you there?".to_vec());
    wait_for(&mut peer, &pong.to_string(), probe.promptly(), |item| *item == pong).map(drop)
}

fn closes(probe: &mut Probe) -> Result<(), Finding> {
    let mut peer = open(probe, "")?;
    peer.send(&[close(1000, "")])?;
    let is_close = |item: &Item| matches!(item, Item::Close(None | Some(1000)));
    wait_for(&mut peer, "close 1000", probe.promptly(), is_close)?;
    wait_for_end(&mut peer, probe.promptly())
}

fn refuses_unmasked(probe: &mut Probe) -> Result<(), Finding> {
    let mut peer = open(probe, "")?;
    peer.send(&[text(probe.data("unmasked")).masking(Masking::Wrong)])?;
    wait_for_failure(&mut peer, 1002, probe.promptly())
}
