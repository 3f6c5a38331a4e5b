//! WebSocket frames, received in either role.
//!
//! The properties:
//!
//! - However the bytes are split, the events and the failure, if there is one, are the same.
//! - A second receiver with a single pass over all bytes (`src/plain_frames.rs`) finds the same
//!   events and the same close code.
//! - Messages and control frames that this file encodes, with any fragments and any masking key,
//!   decode to themselves.
//! - An event that is encoded again decodes to the same event.
//! - The heap never exceeds a small multiple of the bytes received, whatever length a header
//!   declares.
#![no_main]

use arbitrary::Arbitrary;
use barewire::protocol::websocket::close;
use barewire::protocol::websocket::frame::{FrameHeader, MAX_CONTROL_PAYLOAD, Opcode, write_frame};
use barewire::protocol::websocket::mask;
use barewire::protocol::websocket::message::{MessageEvent, MessageLimits, Receiver, Role};
use barewire_fuzz::plain_frames::{self, Received, Setup};
use barewire_fuzz::{peak, splits};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    is_server: bool,
    /// Whether `bytes` is the wire itself, or the material for messages.
    is_wire: bool,
    lengths: [u8; 4],
    key: [u8; 4],
    message_bytes: u8,
    frames: u8,
    bytes: &'a [u8],
}

fuzz_target!(|input: Input<'_>| {
    let role = if input.is_server { Role::Server } else { Role::Client };
    // The highest limit allows any length that a header can declare.
    let message_bytes = if input.message_bytes == u8::MAX { usize::MAX } else { input.message_bytes.into() };
    let limits = MessageLimits { message_bytes, frames: 1 + usize::from(input.frames % 8) };
    let (wire, limits) = if input.is_wire {
        (input.bytes.to_vec(), limits)
    } else {
        let limits = MessageLimits { message_bytes: 4096, frames: 1 + MAX_SPLITS };
        let (wire, expected) = encode_messages(&input, role);
        assert_eq!(receive(role, limits, &[&wire]), (expected, None));
        (wire, limits)
    };

    let whole = receive(role, limits, &[&wire]);
    for parts in splits(&wire, &input.lengths) {
        assert_eq!(receive(role, limits, &parts), whole);
    }
    let MessageLimits { message_bytes, frames } = limits;
    let setup = Setup { is_server: input.is_server, message_bytes, frames };
    assert_eq!(plain_frames::receive(&wire, setup), whole);

    for event in &whole.0 {
        encode_again(event);
    }

    let mut parts: Vec<Vec<u8>> = splits(&wire, &input.lengths)[0].iter().map(|part| part.to_vec()).collect();
    let mut receiver = Receiver::new(role, limits);
    let ((), peak) = peak(|| {
        for part in &mut parts {
            let mut rest = &mut part[..];
            while !rest.is_empty() {
                let Ok((consumed, _)) = receiver.receive(rest) else { return };
                rest = &mut rest[consumed..];
            }
        }
    });
    // A growing vector briefly exists twice, with up to twice the capacity that it needs.
    assert!(peak <= 3 * wire.len() + 256, "{peak} bytes of heap for {} on the wire", wire.len());
});

fn received(event: MessageEvent<'_>) -> Received {
    match event {
        MessageEvent::Text(text) => Received::Text(text.to_owned()),
        MessageEvent::Binary(bytes) => Received::Binary(bytes.to_vec()),
        MessageEvent::Ping(bytes) => Received::Ping(bytes.to_vec()),
        MessageEvent::Pong(bytes) => Received::Pong(bytes.to_vec()),
        MessageEvent::Close(close) => {
            Received::Close(close.map(|(code, reason)| (code.0, reason.to_owned())))
        }
    }
}

/// Returns all events, and the close code of the failure if there is one.
fn receive(role: Role, limits: MessageLimits, parts: &[&[u8]]) -> (Vec<Received>, Option<u16>) {
    let mut receiver = Receiver::new(role, limits);
    let (mut events, mut failure, mut ended) = (Vec::new(), None, false);
    for part in parts {
        let mut part = part.to_vec();
        let mut rest = &mut part[..];
        while !rest.is_empty() {
            // The server drops the receiver of an idle connection; that must lose nothing.
            if receiver.is_idle() {
                assert!(!ended, "a receiver that has ended is not idle");
                receiver = Receiver::new(role, limits);
            }
            let length = rest.len();
            match receiver.receive(rest) {
                Ok((consumed, event)) => {
                    assert!(event.is_some() || consumed == length, "no event, but not all is consumed");
                    assert!(!ended || event.is_none(), "{event:?} after the end");
                    ended |= matches!(event, Some(MessageEvent::Close(_)));
                    events.extend(event.map(received));
                    rest = &mut rest[consumed..];
                }
                Err(error) => {
                    assert!(!ended, "{error:?} after the end");
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

/// Encodes an event as a server does, and receives it.
fn encode_again(event: &Received) {
    let mut frame = Vec::new();
    match event {
        Received::Text(text) => write_frame(Opcode::Text, text.as_bytes(), &mut frame),
        Received::Binary(bytes) => write_frame(Opcode::Binary, bytes, &mut frame),
        Received::Ping(bytes) => write_frame(Opcode::Ping, bytes, &mut frame),
        Received::Pong(bytes) => write_frame(Opcode::Pong, bytes, &mut frame),
        Received::Close(None) => write_frame(Opcode::Close, &[], &mut frame),
        Received::Close(Some((code, reason))) => close::encode(close::CloseCode(*code), reason, &mut frame),
    }
    let limits = MessageLimits { message_bytes: frame.len(), frames: 1 };
    assert_eq!(receive(Role::Client, limits, &[&frame]), (vec![event.clone()], None));
}

const MAX_SPLITS: usize = 5;

/// Makes messages and control frames from the input's bytes. Returns the encoded bytes for a
/// receiver in `role`, and the expected events.
///
/// Each message begins with a byte for its kind and one for its length. The kind also determines
/// its number of frames.
fn encode_messages(input: &Input<'_>, role: Role) -> (Vec<u8>, Vec<Received>) {
    let mut key = (role == Role::Server).then_some(input.key);
    let (mut wire, mut expected) = (Vec::new(), Vec::new());
    let mut frame = |opcode, fin, payload: &[u8], wire: &mut Vec<u8>| {
        let payload_length = payload.len() as u64;
        FrameHeader { fin, rsv1: false, opcode, masking_key: key, payload_length }.encode(wire);
        let start = wire.len();
        wire.extend_from_slice(payload);
        mask::apply(key.unwrap_or_default(), 0, &mut wire[start..]);
        // A new masking key for each frame (§5.3).
        key = key.map(|key| u32::from_be_bytes(key).wrapping_mul(0x9E37_79B1).to_be_bytes());
    };
    let mut rest = input.bytes;
    while let [kind, length, after @ ..] = rest {
        // Some payloads are longer than a 7-bit length can express.
        let length = usize::from(*length) << (kind >> 6);
        let (payload, after) = after.split_at(after.len().min(length));
        rest = after;
        let control = &payload[..payload.len().min(MAX_CONTROL_PAYLOAD)];
        let (opcode, payload, event) = match kind % 4 {
            0 => {
                let text = String::from_utf8_lossy(payload).into_owned();
                (Opcode::Text, text.clone().into_bytes(), Received::Text(text))
            }
            1 => (Opcode::Binary, payload.to_vec(), Received::Binary(payload.to_vec())),
            2 => {
                frame(Opcode::Ping, true, control, &mut wire);
                expected.push(Received::Ping(control.to_vec()));
                continue;
            }
            _ => {
                frame(Opcode::Pong, true, control, &mut wire);
                expected.push(Received::Pong(control.to_vec()));
                continue;
            }
        };
        // Replacing invalid UTF-8 can make a text longer than the limit of 4,096 bytes.
        if payload.len() > 4096 {
            continue;
        }
        let fragments = usize::from(kind / 4 % 8).min(MAX_SPLITS);
        let mut left = &payload[..];
        for number in 0..=fragments {
            let last = number == fragments;
            // Each fragment takes a part of the rest, possibly nothing; the last one takes
            // everything.
            let part = if last { left.len() } else { left.len() * (number % 3) / 4 };
            let (fragment, after) = left.split_at(part);
            left = after;
            frame(if number == 0 { opcode } else { Opcode::Continuation }, last, fragment, &mut wire);
            if !last && number % 2 == 1 {
                frame(Opcode::Ping, true, &[number as u8], &mut wire);
                expected.push(Received::Ping(vec![number as u8]));
            }
        }
        expected.push(event);
    }
    (wire, expected)
}
