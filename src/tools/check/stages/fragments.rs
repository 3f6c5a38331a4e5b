//! Stage 9: a message in several frames.

use super::websocket::{open, wait_for, wait_for_event, wait_for_failure};
use crate::protocol::rule::Section;
use crate::tools::check::probe::Probe;
use crate::tools::check::stage::{Stage, Step, View};
use crate::tools::conform::trial::Finding;
use crate::tools::conform::websocket::frame::{continuation, ping, text};
use crate::tools::conform::websocket::peer::Item;

pub const STAGE: Stage = Stage {
    name: "fragments",
    task: "A message may be divided into frames: the first has the opcode, the others the opcode 0, and the \
           last the bit FIN. Control frames may be between them, and are answered at once. Text that is not UTF-8 \
           is closed with 1007, frames in a wrong order with 1002.",
    example: "src/protocol/websocket/message.rs of barewire",
    read: "the two enums: where the next byte is in a frame, and where the next frame is in a message",
    view: View::Wire,
    steps: &[
        Step {
            title: "joins two frames to one message",
            why: "A sender need not know the length of a message before it starts to send it.",
            section: Some(Section::rfc(6455, "5.4")),
            play: joins,
        },
        Step {
            title: "answers a ping between two frames at once, and keeps the message",
            why: "A message of an hour must not keep a peer from finding out that the connection is alive.",
            section: Some(Section::rfc(6455, "5.4")),
            play: answers_ping,
        },
        Step {
            title: "checks UTF-8 over the whole message",
            why: "A character may be divided between two frames. Each frame alone is then not valid UTF-8.",
            section: Some(Section::rfc(6455, "8.1")),
            play: checks_utf8,
        },
        Step {
            title: "fails the connection at text that is not UTF-8",
            why: "The receiver must not deliver a text that is none.",
            section: Some(Section::rfc(6455, "8.1")),
            play: refuses_utf8,
        },
        Step {
            title: "fails the connection at a continuation without a start",
            why: "There is no message that the frame could continue.",
            section: Some(Section::rfc(6455, "5.4")),
            play: refuses_continuation,
        },
        Step {
            title: "fails the connection at a new message within a message",
            why: "Frames of two messages must not be mixed, because nothing says to which one a continuation \
                  belongs.",
            section: Some(Section::rfc(6455, "5.4")),
            play: refuses_start,
        },
    ],
};

fn joins(probe: &mut Probe) -> Result<(), Finding> {
    let mut peer = open(probe, "")?;
    let data = probe.data("joined");
    let (start, rest) = data.split_at(data.len() / 2);
    peer.send(&[text(start).part(), continuation("").part(), continuation(rest)])?;
    wait_for_event(&mut peer, &data, probe.promptly())
}

fn answers_ping(probe: &mut Probe) -> Result<(), Finding> {
    let mut peer = open(probe, "")?;
    let data = probe.data("joined");
    let (start, rest) = data.split_at(data.len() / 2);
    peer.send(&[text(start).part(), ping("between")])?;
    let pong = Item::Pong(b"between".to_vec());
    wait_for(&mut peer, &format!("{pong}, before the message is complete"), probe.promptly(), |item| {
        *item == pong
    })?;
    peer.send(&[continuation(rest)])?;
    wait_for_event(&mut peer, &data, probe.promptly())
}

fn checks_utf8(probe: &mut Probe) -> Result<(), Finding> {
    let mut peer = open(probe, "")?;
    let data = probe.data("κόσμε");
    // Within the second character.
    let (start, rest) = data.as_bytes().split_at(3);
    peer.send(&[text(start).part(), continuation(rest)])?;
    wait_for_event(&mut peer, &data, probe.promptly())
}

fn refuses_utf8(probe: &mut Probe) -> Result<(), Finding> {
    let mut peer = open(probe, "")?;
    peer.send(&[text("κόσμ").part(), continuation([0xed, 0xa0, 0x80])])?;
    wait_for_failure(&mut peer, 1007, probe.promptly())
}

fn refuses_continuation(probe: &mut Probe) -> Result<(), Finding> {
    let mut peer = open(probe, "")?;
    peer.send(&[continuation("lost")])?;
    wait_for_failure(&mut peer, 1002, probe.promptly())
}

fn refuses_start(probe: &mut Probe) -> Result<(), Finding> {
    let mut peer = open(probe, "")?;
    peer.send(&[text("one").part(), text("two")])?;
    wait_for_failure(&mut peer, 1002, probe.promptly())
}
