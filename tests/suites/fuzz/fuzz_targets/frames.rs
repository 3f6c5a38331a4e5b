//! WebSocket frames, as both sides receive them.
//!
//! The oracle:
//!
//! - However the bytes are cut, the events are the same, and so is the failure, if there is one.
//! - A second receiver, in one pass over all the bytes (`src/plain_frames.rs`), finds the same events and the same close code.
//! - Messages and control frames that this code writes, in any fragments, under any key, come out as they went in.
//! - An event that is written anew is received as the same event.
//! - What is on the heap never exceeds a few times the bytes that have come, whatever length a header declares.
#![no_main]

use arbitrary::Arbitrary;
use barewire::protocol::websocket::close;
use barewire::protocol::websocket::frame::{FrameHeader, MAX_CONTROL_PAYLOAD, Opcode, write_frame};
use barewire::protocol::websocket::mask;
use barewire::protocol::websocket::message::{MessageEvent, MessageLimits, Receiver, Role};
use barewire_fuzz::plain_frames::{self, Got, Terms};
use barewire_fuzz::{cuts, peak};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    is_server: bool,
    /// Whether `bytes` are the wire itself, or what messages are made of.
    is_wire: bool,
    lengths: [u8; 4],
    key: [u8; 4],
    message_bytes: u8,
    frames: u8,
    bytes: &'a [u8],
}

fuzz_target!(|input: Input<'_>| {
    let role = if input.is_server { Role::Server } else { Role::Client };
    // The greatest limit allows whatever a header can declare.
    let message_bytes = if input.message_bytes == u8::MAX { usize::MAX } else { input.message_bytes.into() };
    let limits = MessageLimits { message_bytes, frames: 1 + usize::from(input.frames % 8) };
    let (wire, limits) = if input.is_wire {
        (input.bytes.to_vec(), limits)
    } else {
        let limits = MessageLimits { message_bytes: 4096, frames: 1 + MOST_CUTS };
        let (wire, expected) = write_messages(&input, role);
        assert_eq!(receive(role, limits, &[&wire]), (expected, None));
        (wire, limits)
    };

    let whole = receive(role, limits, &[&wire]);
    for pieces in cuts(&wire, &input.lengths) {
        assert_eq!(receive(role, limits, &pieces), whole);
    }
    let MessageLimits { message_bytes, frames } = limits;
    let terms = Terms { is_server: input.is_server, message_bytes, frames };
    assert_eq!(plain_frames::receive(&wire, terms), whole);

    for event in &whole.0 {
        write_anew(event);
    }

    let mut pieces: Vec<Vec<u8>> =
        cuts(&wire, &input.lengths)[0].iter().map(|piece| piece.to_vec()).collect();
    let mut receiver = Receiver::new(role, limits);
    let ((), peak) = peak(|| {
        for piece in &mut pieces {
            let mut rest = &mut piece[..];
            while !rest.is_empty() {
                let Ok((consumed, _)) = receiver.receive(rest) else { return };
                rest = &mut rest[consumed..];
            }
        }
    });
    // A vector that grows is there twice for a moment, and has up to twice the room that it needs.
    assert!(peak <= 3 * wire.len() + 256, "{peak} bytes of heap for {} on the wire", wire.len());
});

fn got(event: MessageEvent<'_>) -> Got {
    match event {
        MessageEvent::Text(text) => Got::Text(text.to_owned()),
        MessageEvent::Binary(bytes) => Got::Binary(bytes.to_vec()),
        MessageEvent::Ping(bytes) => Got::Ping(bytes.to_vec()),
        MessageEvent::Pong(bytes) => Got::Pong(bytes.to_vec()),
        MessageEvent::Close(close) => Got::Close(close.map(|(code, reason)| (code.0, reason.to_owned()))),
    }
}

/// All events, and the close code of the failure, if there is one.
fn receive(role: Role, limits: MessageLimits, pieces: &[&[u8]]) -> (Vec<Got>, Option<u16>) {
    let mut receiver = Receiver::new(role, limits);
    let (mut events, mut failure, mut ended) = (Vec::new(), None, false);
    for piece in pieces {
        let mut piece = piece.to_vec();
        let mut rest = &mut piece[..];
        while !rest.is_empty() {
            // As the server does with a connection that is silent: nothing is lost.
            if receiver.is_idle() {
                assert!(!ended, "a receiver that has ended is not idle");
                receiver = Receiver::new(role, limits);
            }
            let length = rest.len();
            match receiver.receive(rest) {
                Ok((consumed, event)) => {
                    assert!(event.is_some() || consumed == length, "no event, but not all is consumed");
                    assert!(!ended || event.is_none(), "{event:?} behind the end");
                    ended |= matches!(event, Some(MessageEvent::Close(_)));
                    events.extend(event.map(got));
                    rest = &mut rest[consumed..];
                }
                Err(error) => {
                    assert!(!ended, "{error:?} behind the end");
                    assert!(error.to_string().contains("RFC"));
                    ended = true;
                    failure = Some(error.close_code().0);
                    rest = &mut [];
                }
            }
        }
    }
    (events, failure)
}

/// Writes an event as a server does, and receives it.
fn write_anew(event: &Got) {
    let mut frame = Vec::new();
    match event {
        Got::Text(text) => write_frame(Opcode::Text, text.as_bytes(), &mut frame),
        Got::Binary(bytes) => write_frame(Opcode::Binary, bytes, &mut frame),
        Got::Ping(bytes) => write_frame(Opcode::Ping, bytes, &mut frame),
        Got::Pong(bytes) => write_frame(Opcode::Pong, bytes, &mut frame),
        Got::Close(None) => write_frame(Opcode::Close, &[], &mut frame),
        Got::Close(Some((code, reason))) => close::encode(close::CloseCode(*code), reason, &mut frame),
    }
    let limits = MessageLimits { message_bytes: frame.len(), frames: 1 };
    assert_eq!(receive(Role::Client, limits, &[&frame]), (vec![event.clone()], None));
}

const MOST_CUTS: usize = 5;

/// Makes messages and control frames of the input's bytes: what a peer of `role` sends, and what it is to give.
///
/// Each begins with a byte that says what it is and one that says how long. A message has a third, by which it is cut into frames.
fn write_messages(input: &Input<'_>, role: Role) -> (Vec<u8>, Vec<Got>) {
    let mut key = (role == Role::Server).then_some(input.key);
    let (mut wire, mut expected) = (Vec::new(), Vec::new());
    let mut frame = |opcode, fin, payload: &[u8], wire: &mut Vec<u8>| {
        let payload_length = payload.len() as u64;
        FrameHeader { fin, rsv1: false, opcode, masking_key: key, payload_length }.encode(wire);
        let start = wire.len();
        wire.extend_from_slice(payload);
        mask::apply(key.unwrap_or_default(), 0, &mut wire[start..]);
        // Another key for each frame (§5.3).
        key = key.map(|key| u32::from_be_bytes(key).wrapping_mul(0x9E37_79B1).to_be_bytes());
    };
    let mut rest = input.bytes;
    while let [kind, length, behind @ ..] = rest {
        // Some are longer than what a length in 7 bits says.
        let length = usize::from(*length) << (kind >> 6);
        let (payload, behind) = behind.split_at(behind.len().min(length));
        rest = behind;
        let control = &payload[..payload.len().min(MAX_CONTROL_PAYLOAD)];
        let (opcode, payload, event) = match kind % 4 {
            0 => {
                let text = String::from_utf8_lossy(payload).into_owned();
                (Opcode::Text, text.clone().into_bytes(), Got::Text(text))
            }
            1 => (Opcode::Binary, payload.to_vec(), Got::Binary(payload.to_vec())),
            2 => {
                frame(Opcode::Ping, true, control, &mut wire);
                expected.push(Got::Ping(control.to_vec()));
                continue;
            }
            _ => {
                frame(Opcode::Pong, true, control, &mut wire);
                expected.push(Got::Pong(control.to_vec()));
                continue;
            }
        };
        // A message is at most 4,096 bytes long, which its text can exceed by what replaces bad UTF-8.
        if payload.len() > 4096 {
            continue;
        }
        let fragments = usize::from(kind / 4 % 8).min(MOST_CUTS);
        let mut left = &payload[..];
        for number in 0..=fragments {
            let last = number == fragments;
            // A part of what is left, that may be nothing; the last takes all.
            let part = if last { left.len() } else { left.len() * (number % 3) / 4 };
            let (fragment, behind) = left.split_at(part);
            left = behind;
            frame(if number == 0 { opcode } else { Opcode::Continuation }, last, fragment, &mut wire);
            if !last && number % 2 == 1 {
                frame(Opcode::Ping, true, &[number as u8], &mut wire);
                expected.push(Got::Ping(vec![number as u8]));
            }
        }
        expected.push(event);
    }
    (wire, expected)
}
