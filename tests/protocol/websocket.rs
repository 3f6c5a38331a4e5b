//! Tests of the WebSocket protocol with the vectors of `tests/vectors/websocket*.txt`, properties,
//! and an independent client.

use std::collections::VecDeque;
use std::io::{self, Read, Write};

use barewire::protocol::websocket::ProtocolError;
use barewire::protocol::websocket::close::{self, CloseCode, MAX_REASON};
use barewire::protocol::websocket::frame::{FrameHeader, MAX_CONTROL_PAYLOAD, Opcode, write_frame};
use barewire::protocol::websocket::message::{MessageEvent, MessageLimits, Receiver, Role};
use barewire::protocol::websocket::{mask, server_handshake};
use proptest::prelude::*;
use proptest::sample::Index;
use tungstenite::protocol::frame::{CloseFrame, coding};
use tungstenite::{Message, WebSocket};

use crate::vectors::{self, Vector};

/// Passes `parts` to a `new` receiver, as reads from a socket would. Returns the events and the
/// error, formatted by `show`, and whether the receiver is idle at the end.
pub fn received(
    new: impl Fn() -> Receiver,
    parts: &[&[u8]],
    show: impl Fn(Result<MessageEvent, ProtocolError>) -> String,
) -> (Vec<String>, bool) {
    let mut receiver = new();
    let (mut results, mut ended) = (Vec::new(), false);
    for part in parts {
        let mut part = part.to_vec();
        let mut rest = &mut part[..];
        while !rest.is_empty() {
            // A server may drop the receiver of an idle connection without losing state.
            if receiver.is_idle() {
                receiver = new();
            }
            let length = rest.len();
            let consumed = match receiver.receive(rest) {
                Ok((consumed, event)) => {
                    assert!(!ended || event.is_none(), "{event:?} after the end");
                    assert!(
                        event.is_some() || consumed == length,
                        "without an event all bytes must be consumed"
                    );
                    ended |= matches!(event, Some(MessageEvent::Close(_)));
                    results.extend(event.map(|event| show(Ok(event))));
                    consumed
                }
                Err(error) => {
                    assert!(!ended, "{error:?} after the end");
                    ended = true;
                    results.push(show(Err(error)));
                    length
                }
            };
            rest = &mut rest[consumed..];
        }
    }
    assert!(!(ended && receiver.is_idle()), "a receiver that has ended must not be idle");
    (results, receiver.is_idle())
}

/// Formats an event or an error as the vector files do.
fn vector_format(result: Result<MessageEvent, ProtocolError>) -> String {
    let payload = |kind, bytes: &[u8]| match bytes.len() {
        ..=MAX_REASON => format!("{kind} \"{}\"", bytes.escape_ascii()),
        length => format!("{kind} of {length} bytes"),
    };
    match result {
        Ok(MessageEvent::Text(text)) => format!("text \"{text}\""),
        Ok(MessageEvent::Binary(bytes)) => payload("binary", bytes),
        Ok(MessageEvent::Ping(bytes)) => payload("ping", bytes),
        Ok(MessageEvent::Pong(bytes)) => payload("pong", bytes),
        Ok(MessageEvent::Close(None)) => "close".to_owned(),
        Ok(MessageEvent::Close(Some((code, reason)))) => format!("close {code} \"{reason}\""),
        Err(error) => format!("fail {} {}", error.close_code(), error.close_reason()),
    }
}

/// Formats any event or error in full.
pub fn in_full(result: Result<MessageEvent, ProtocolError>) -> String {
    format!("{result:?}")
}

fn limits(vector: &Vector) -> MessageLimits {
    let Some(limits) = vector.get("limits") else {
        return MessageLimits { message_bytes: 70_000, frames: 8 };
    };
    let limits = std::str::from_utf8(limits).expect("limits are text");
    let (message_bytes, frames) = limits.split_once(' ').expect("limits are two numbers");
    let number = |text: &str| text.parse().expect("a limit is a number");
    MessageLimits { message_bytes: number(message_bytes), frames: number(frames) }
}

/// Returns a frame from the peer of `role`.
pub fn frame_to(role: Role, opcode: Opcode, fin: bool, key: [u8; 4], payload: &[u8]) -> Vec<u8> {
    let masking_key = (role == Role::Server).then_some(key);
    let payload_length = payload.len() as u64;
    let mut out = Vec::new();
    FrameHeader { fin, rsv1: false, opcode, masking_key, payload_length }.encode(&mut out);
    let start = out.len();
    out.extend_from_slice(payload);
    mask::apply_plain(masking_key.unwrap_or_default(), 0, &mut out[start..]);
    out
}

#[test]
fn receives_every_vector_however_it_is_split() {
    run(include_str!("../vectors/websocket.txt"), |_, role, limits| Receiver::new(role, limits));
}

/// Runs the vectors of a file, each with receivers that `new` returns for it.
pub fn run(file: &str, new: impl Fn(&Vector, Role, MessageLimits) -> Receiver) {
    for vector in vectors::parse(file) {
        let at = format!("line {}, {}", vector.line, vector.text("name"));
        let role = match vector.text("role") {
            "server" => Role::Server,
            "client" => Role::Client,
            other => panic!("{at}: unknown role {other}"),
        };
        let mut input = vector.get("input").expect("every vector has an input").to_vec();
        let counting = vector.get("counting").map_or("0", |number| std::str::from_utf8(number).unwrap());
        input.extend((0..=0xFF).cycle().take(counting.parse().expect("a number")));
        let limits = limits(&vector);
        let expected: Vec<&str> =
            vector.text("expected").split(" | ").filter(|item| !item.is_empty()).collect();

        let new = || new(&vector, role, limits);
        let (results, idle) = received(new, &[&input], vector_format);
        assert_eq!(results, expected, "{at}, complete");
        // A long input is split only near its ends.
        let far = |part: &[u8]| part.len() > 300 && input.len() - part.len() > 300;
        for parts in vectors::cuts(&input).filter(|parts| parts.len() != 2 || !far(parts[0])) {
            let lengths = || parts.iter().map(|part| part.len()).collect::<Vec<_>>();
            let split = received(new, &parts, vector_format);
            assert_eq!(split, (split.0.clone(), idle), "{at}, in parts of {:?} bytes", lengths());
            assert_eq!(split.0, expected, "{at}, in parts of {:?} bytes", lengths());
        }

        // A ping after the input is received between two messages, and ignored after the end.
        let ended = results.last().is_some_and(|last| last.starts_with("fail") || last.starts_with("close"));
        if idle || ended {
            let ping = frame_to(role, Opcode::Ping, true, [1, 2, 3, 4], b"next");
            let both = [&input[..], &ping].concat();
            let expected = [&expected[..], if idle { &["ping \"next\""] } else { &[] }].concat();
            for parts in [&[&both[..]][..], &[&input, &ping]] {
                assert_eq!(received(new, parts, vector_format).0, expected, "{at}, with a ping after it");
            }
        }
    }
}

#[test]
fn checks_every_handshake_of_the_vectors() {
    for vector in vectors::parse(include_str!("../vectors/websocket-handshake.txt")) {
        let lines = |key| {
            let value = vector.get(key).unwrap_or_default();
            value.split_inclusive(|byte| *byte == b'\n').map(|line| &line[..line.len() - 1])
        };
        let result = match server_handshake::check(lines("key"), lines("version")) {
            Ok(accept) => {
                let accept = std::str::from_utf8(accept.as_bytes()).expect("base64 is ASCII");
                match server_handshake::choose_subprotocol(lines("protocol"), &["superchat", "chat"]) {
                    Some(protocol) => format!("{accept} {protocol}"),
                    None => accept.to_owned(),
                }
            }
            Err(error) => format!("{} {error}", error.status().code()),
        };
        assert_eq!(result, vector.text("expected"), "line {}, {}", vector.line, vector.text("name"));
    }
}

/// The bit of a frame's first byte that marks a compressed message (RFC 7692 §6).
pub const RSV1: u8 = 0x40;

/// A message or a control frame of the peer.
#[derive(Clone, Debug)]
pub enum Sent {
    Message { text: Option<String>, binary: Vec<u8>, places: Vec<Index>, between: Vec<(Opcode, Vec<u8>)> },
    Control(Opcode, Vec<u8>),
}

fn control() -> impl Strategy<Value = (Opcode, Vec<u8>)> {
    let opcode = prop::sample::select(&[Opcode::Ping, Opcode::Pong][..]);
    (opcode, prop::collection::vec(any::<u8>(), 0..=MAX_CONTROL_PAYLOAD))
}

pub fn sent() -> impl Strategy<Value = Sent> {
    let message = (
        any::<Option<String>>(),
        prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200),
            prop::collection::vec(any::<u8>(), 65_530..65_540)
        ],
        prop::collection::vec(any::<Index>(), 0..4),
        prop::collection::vec(control(), 0..4),
    );
    let message =
        message.prop_map(|(text, binary, places, between)| Sent::Message { text, binary, places, between });
    prop_oneof![4 => message, 1 => control().prop_map(|(opcode, payload)| Sent::Control(opcode, payload))]
}

fn control_event(opcode: Opcode, payload: &[u8]) -> MessageEvent<'_> {
    if opcode == Opcode::Ping { MessageEvent::Ping(payload) } else { MessageEvent::Pong(payload) }
}

impl Sent {
    /// Appends the frames to `wire` and the expected events to `expected`. If `compress` returns a
    /// payload, the message is compressed.
    pub fn write(
        &self,
        role: Role,
        key: [u8; 4],
        compress: impl FnOnce(&[u8]) -> Option<Vec<u8>>,
        wire: &mut Vec<u8>,
        expected: &mut Vec<String>,
    ) {
        let (payload, first, event, places, between) = match self {
            Self::Control(opcode, payload) => {
                wire.extend(frame_to(role, *opcode, true, key, payload));
                expected.push(in_full(Ok(control_event(*opcode, payload))));
                return;
            }
            Self::Message { text: Some(text), places, between, .. } => {
                (text.as_bytes(), Opcode::Text, MessageEvent::Text(text), places, between)
            }
            Self::Message { text: None, binary, places, between } => {
                (&binary[..], Opcode::Binary, MessageEvent::Binary(binary), places, between)
            }
        };
        let compressed = compress(payload);
        let start = wire.len();
        let fragments = split(compressed.as_deref().unwrap_or(payload), places);
        for (number, fragment) in fragments.iter().enumerate() {
            let opcode = if number == 0 { first } else { Opcode::Continuation };
            let fin = number + 1 == fragments.len();
            wire.extend(frame_to(role, opcode, fin, key, fragment));
            if let (false, Some((opcode, payload))) = (fin, between.get(number)) {
                wire.extend(frame_to(role, *opcode, true, key, payload));
                expected.push(in_full(Ok(control_event(*opcode, payload))));
            }
        }
        if compressed.is_some() {
            wire[start] |= RSV1;
        }
        expected.push(in_full(Ok(event)));
    }
}

/// Splits `bytes` into `places.len() + 1` parts, some of which may be empty.
pub fn split<'a>(bytes: &'a [u8], places: &[Index]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = places.iter().map(|place| place.index(bytes.len() + 1)).collect();
    places.sort_unstable();
    let starts = [0].into_iter().chain(places.iter().copied());
    let ends = places.iter().copied().chain([bytes.len()]);
    starts.zip(ends).map(|(start, end)| &bytes[start..end]).collect()
}

/// Returns frames that are mostly valid, and arbitrary bytes.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    let payload = prop_oneof![
        any::<[u8; 3]>().prop_map(|bytes| bytes.to_vec()),
        "\\PC{0,6}".prop_map(String::into_bytes),
        prop::collection::vec(prop::sample::select(&b"\x03\xE8\x00ab\xE2\x82\xAC\xFF"[..]), 0..140),
    ];
    let first = prop_oneof![
        8 => prop::sample::select(&[0x00, 0x01, 0x02, 0x80, 0x81, 0x82, 0x88, 0x89, 0x8A][..]),
        1 => any::<u8>(),
    ];
    let frame = (first, any::<[u8; 4]>(), payload).prop_map(|(first, key, payload)| {
        let mut frame = frame_to(Role::Server, Opcode::Text, true, key, &payload);
        frame[0] = first;
        frame
    });
    prop_oneof![9 => frame, 1 => prop::collection::vec(any::<u8>(), 0..20)]
}

proptest! {
    #[test]
    fn receives_every_sent_message(
        server: bool, key: [u8; 4], sent in prop::collection::vec(sent(), 0..5),
        places in prop::collection::vec(any::<Index>(), 0..20),
    ) {
        let role = if server { Role::Server } else { Role::Client };
        let (mut wire, mut expected) = (Vec::new(), Vec::new());
        for sent in sent {
            sent.write(role, key, |_| None, &mut wire, &mut expected);
        }
        let limits = MessageLimits { message_bytes: 65_540, frames: 5 };
        let complete: &[&[u8]] = &[&wire];
        // One byte at a time, or larger parts for long messages, which would take too long
        // otherwise.
        let small = wire.chunks(1 + wire.len() / 4096).collect::<Vec<_>>();
        for parts in [complete, &split(&wire, &places), &small] {
            let (results, idle) = received(|| Receiver::new(role, limits), parts, in_full);
            prop_assert_eq!(&results, &expected);
            prop_assert!(idle);
        }
    }

    #[test]
    fn any_bytes_have_the_same_result_however_they_are_split(
        frames in prop::collection::vec(noise(), 0..12), places in prop::collection::vec(any::<Index>(), 0..20),
        server in prop::bool::weighted(0.9), message_bytes in 0..300_usize, frame_limit in 1..6_usize,
    ) {
        let role = if server { Role::Server } else { Role::Client };
        let wire = frames.concat();
        let limits = MessageLimits { message_bytes, frames: frame_limit };
        let new = || Receiver::new(role, limits);
        let complete = received(new, &[&wire], in_full);
        prop_assert_eq!(&complete, &received(new, &split(&wire, &places), in_full));
        prop_assert_eq!(&complete, &received(new, &wire.chunks(1).collect::<Vec<_>>(), in_full));
    }
}

/// Two directions of bytes in memory, which the other peer uses as its socket.
#[derive(Default)]
struct Memory {
    to_peer: VecDeque<u8>,
    from_peer: Vec<u8>,
}

impl Read for Memory {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.to_peer.is_empty() {
            Err(io::ErrorKind::WouldBlock.into())
        } else {
            self.to_peer.read(buffer)
        }
    }
}

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.from_peer.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn exchanges_messages_with_an_independent_client() {
    let mut client = WebSocket::from_raw_socket(Memory::default(), tungstenite::protocol::Role::Client, None);
    let lengths = [0, 1, 125, 126, 127, 65_535, 65_536, 100_000];
    let mut expected = Vec::new();
    let mut ours = Vec::new();
    for length in lengths {
        let (text, bytes) = ("é".repeat(length / 2), vec![0xA5; length]);
        client.send(Message::text(text.clone())).unwrap();
        client.send(Message::binary(bytes.clone())).unwrap();
        write_frame(Opcode::Text, text.as_bytes(), &mut ours);
        write_frame(Opcode::Binary, &bytes, &mut ours);
        expected.extend([in_full(Ok(MessageEvent::Text(&text))), in_full(Ok(MessageEvent::Binary(&bytes)))]);
    }
    client.send(Message::Ping("there?".into())).unwrap();
    expected.push(in_full(Ok(MessageEvent::Ping(b"there?"))));
    close::encode(CloseCode::GOING_AWAY, "noon", &mut ours);
    client.get_mut().to_peer.extend(&ours);

    for length in lengths {
        assert_eq!(client.read().unwrap(), Message::text("é".repeat(length / 2)));
        assert_eq!(client.read().unwrap(), Message::binary(vec![0xA5; length]));
    }
    let frame = CloseFrame { code: coding::CloseCode::Away, reason: "noon".into() };
    assert_eq!(client.read().unwrap(), Message::Close(Some(frame)));
    // The client responds with the same code (RFC 6455 §5.5.1) and a reason of its choice.
    assert!(client.read().is_err(), "no message follows a close frame");

    let limits = MessageLimits { message_bytes: 100_000, frames: 1 };
    let new = || Receiver::new(Role::Server, limits);
    let (mut results, _) = received(new, &[&client.get_ref().from_peer], in_full);
    let close = results.pop().unwrap_or_default();
    assert!(close.starts_with("Ok(Close(Some((CloseCode(1001)"), "{close}");
    assert_eq!(results, expected);
}
