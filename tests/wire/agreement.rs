//! The spans of frames and event streams agree with the protocol code's decoders.

use std::fmt::Write;

use barewire::protocol::sse::{DecodeLimits, Decoder};
use barewire::protocol::websocket::extension::Agreement;
use barewire::protocol::websocket::message::{MessageEvent, MessageLimits, Receiver, Role};
use barewire::wire::{Compression, Content, Kind, Note, Side, Span, Start};
use proptest::prelude::*;

use crate::vectors;
use crate::{first_violation, one_side};

const NO_LIMITS: MessageLimits = MessageLimits { message_bytes: usize::MAX, frames: usize::MAX };

/// Decodes frames with the protocol code. Returns the events up to a failure or a close frame, the
/// failure with its offset, and whether a close frame was received.
fn received(
    bytes: &[u8],
    role: Role,
    agreement: Option<&Agreement>,
) -> (Vec<String>, Option<(u64, String)>, bool) {
    let mut receiver = match agreement {
        None => Receiver::new(role, NO_LIMITS),
        #[cfg(feature = "deflate")]
        Some(agreement) => Receiver::with_deflate(role, NO_LIMITS, agreement),
        #[cfg(not(feature = "deflate"))]
        Some(_) => unreachable!("no vector without the feature"),
    };
    let mut events = Vec::new();
    for (at, byte) in bytes.iter().enumerate() {
        match receiver.receive(&mut [*byte]) {
            Ok((_, None)) => {}
            Ok((_, Some(event))) => {
                events.push(match event {
                    MessageEvent::Text(text) => format!("text {text:?}"),
                    MessageEvent::Binary(bytes) => format!("binary {}", bytes.escape_ascii()),
                    MessageEvent::Ping(bytes) => format!("ping {}", bytes.escape_ascii()),
                    MessageEvent::Pong(bytes) => format!("pong {}", bytes.escape_ascii()),
                    MessageEvent::Close(None) => "close".into(),
                    MessageEvent::Close(Some((code, reason))) => format!("close {code} {reason:?}"),
                });
                if matches!(event, MessageEvent::Close(_)) {
                    return (events, None, true);
                }
            }
            Err(failure) => return (events, Some((at as u64, failure.to_string())), false),
        }
    }
    (events, None, false)
}

/// Returns the same events, derived from the spans.
fn events_of(spans: &[Span]) -> Vec<String> {
    let mut events = Vec::new();
    let mut control: Option<(&str, usize, Vec<u8>)> = None;
    for span in spans {
        if span.field == "FIN, RSV1-3, opcode" {
            control = match span.bits[4].value {
                0x8 => Some(("close", usize::MAX, Vec::new())),
                0x9 => Some(("ping", usize::MAX, Vec::new())),
                0xA => Some(("pong", usize::MAX, Vec::new())),
                _ => None,
            };
        }
        if let Some((_, length, payload)) = &mut control {
            match span.field {
                "MASK, Payload len" => *length = usize::from(span.bits[1].value),
                "Payload Data" | "status code" | "reason" => payload.extend_from_slice(span.content()),
                _ => {}
            }
            let awaits_key = span.field == "MASK, Payload len" && span.bits[0].value == 1;
            if payload.len() == *length && !awaits_key && !span.cut_off {
                let (name, _, payload) = control.take().expect("a control frame");
                events.push(match (name, &payload[..]) {
                    ("close", []) => "close".into(),
                    ("close", [high, low, reason @ ..]) => {
                        let code = u16::from_be_bytes([*high, *low]);
                        format!("close {code} {:?}", String::from_utf8_lossy(reason))
                    }
                    (name, payload) => format!("{name} {}", payload.escape_ascii()),
                });
            }
        }
        for note in &span.notes {
            if let Note::Message { content, .. } = note {
                events.push(match content {
                    Content::Text(text) => format!("text {text:?}"),
                    Content::Binary(bytes) => format!("binary {}", bytes.escape_ascii()),
                    Content::NotKept(why) => format!("not kept: {why}"),
                });
            }
        }
    }
    events
}

/// Asserts that the spans of frames agree with the receiver.
fn assert_agree(bytes: &[u8], side: Side, agreement: Option<&Agreement>, what: &str) {
    let role = if side == Side::Client { Role::Server } else { Role::Client };
    let compression = agreement.map_or(Compression::None, |agreement| Compression::Agreed(*agreement));
    let spans = one_side(Start::WebSocket(compression), side, [bytes]);
    let (events, failure, is_closed) = received(bytes, role, agreement);
    let shown = events_of(&spans);
    assert_eq!(shown[..events.len().min(shown.len())], events, "{what}");
    let marked = first_violation(&spans);
    match failure {
        Some((at, failure)) => {
            let marked = marked.unwrap_or_else(|| panic!("{what}: {failure} at {at}, but no span is marked"));
            assert!(marked.offset <= at, "{what}: {failure} at {at}, but the first mark is {marked:?}");
        }
        None if is_closed => {
            let rule = marked.and_then(|span| span.violation.as_ref()).map(|rule| rule.sentence);
            let is_late = rule == Some("A frame follows the close frame.");
            assert!(marked.is_none() || is_late, "{what}: {marked:?} is marked");
        }
        None => {
            assert_eq!(shown, events, "{what}");
            // A receiver checks the payload of a close frame only when it is complete.
            let marked = marked.filter(|span| !matches!(span.field, "status code" | "reason"));
            assert_eq!(marked, None, "{what}");
        }
    }
}

fn assert_vectors_agree(file: &str, agreement: impl Fn(&vectors::Vector) -> Option<Agreement>) {
    for vector in vectors::parse(file) {
        let mut bytes = vector.get("input").expect("every vector has an input").to_vec();
        let counting =
            vector.get("counting").map_or("0", |number| std::str::from_utf8(number).expect("digits"));
        bytes.extend((0..=0xFF).cycle().take(counting.parse().expect("a number")));
        let side = if vector.text("role") == "server" { Side::Client } else { Side::Server };
        assert_agree(
            &bytes,
            side,
            agreement(&vector).as_ref(),
            &format!("line {}, {}", vector.line, vector.text("name")),
        );
    }
}

#[test]
fn spans_agree_with_the_receiver_on_the_frame_vectors() {
    assert_vectors_agree(include_str!("../vectors/websocket.txt"), |_| None);
}

#[cfg(feature = "deflate")]
#[test]
fn spans_agree_with_the_receiver_on_the_compressed_frame_vectors() {
    use barewire::protocol::websocket::extension::{Offer, check_response};

    assert_vectors_agree(include_str!("../vectors/websocket-deflate.txt"), |vector| {
        let response = vector.get("agreement").unwrap_or(b"permessage-deflate");
        check_response(&Offer::default(), [response].into_iter()).expect("a valid response")
    });
}

/// Generates frames. Most are valid; any part of the others may be invalid.
fn frame() -> impl Strategy<Value = Vec<u8>> {
    let opcode = prop_oneof![6 => prop::sample::select(&[0u8, 1, 2, 0, 1, 9, 10][..]), 1 => 0..16u8];
    let text = prop_oneof![
        4 => "[a-zé€😀]{0,8}".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..8),
        1 => prop::collection::vec(any::<u8>(), 120..140),
        1 => Just(b"\xf2\x48\xcd\xc9\xc9\x07\x00".to_vec()),
        1 => Just(b"\x03\xe8bye".to_vec()),
    ];
    (
        any::<bool>(),
        prop_oneof![9 => Just(0u8), 1 => 0..8u8],
        opcode,
        prop_oneof![9 => Just(true), 1 => Just(false)],
        any::<[u8; 4]>(),
        text,
    )
        .prop_map(|(fin, rsv, opcode, is_masked, key, payload)| {
            let mut bytes = vec![u8::from(fin || opcode > 7) << 7 | rsv << 4 | opcode];
            let mask = u8::from(is_masked) << 7;
            match u8::try_from(payload.len()) {
                Ok(length @ ..126) => bytes.push(mask | length),
                _ => {
                    bytes.push(mask | 126);
                    bytes.extend((payload.len() as u16).to_be_bytes());
                }
            }
            let key = if is_masked { key } else { [0; 4] };
            if is_masked {
                bytes.extend(key);
            }
            bytes.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
            bytes
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn spans_agree_with_the_receiver_on_any_frames(
        frames in prop::collection::vec(frame(), 0..8), cut in 0..4usize, deflates: bool, is_client in prop::bool::weighted(0.9),
    ) {
        let bytes = frames.concat();
        let bytes = &bytes[..bytes.len().saturating_sub(cut)];
        let agreement = Agreement::default();
        let side = if is_client { Side::Client } else { Side::Server };
        assert_agree(bytes, side, (deflates && cfg!(feature = "deflate")).then_some(&agreement), "frames");
    }
}

/// Returns the events that the decoder dispatches.
fn decoded(bytes: &[u8]) -> String {
    let mut decoder = Decoder::new("", DecodeLimits::default());
    let (mut events, mut rest) = (String::new(), bytes);
    while !rest.is_empty() {
        let (taken, event) = decoder.read(rest).expect("within its limits");
        rest = &rest[taken..];
        if let Some(event) = event {
            writeln!(events, "[{}] {} {:?}", event.id, event.event, event.data)
                .expect("writing to a String never fails");
        }
    }
    events
}

/// Returns the events in the notes of the spans.
fn dispatched(spans: &[Span]) -> String {
    let mut events = String::new();
    for span in spans {
        for note in &span.notes {
            if let Note::Event { id, event, data } = note {
                writeln!(events, "[{id}] {event} {data:?}").expect("writing to a String never fails");
                assert_eq!(span.field, "end-of-line");
            }
        }
    }
    events
}

/// Returns the data of the events, joined from the spans. Each data field must be one span, so the
/// stream must not be chunked.
fn joined(spans: &[Span]) -> Vec<String> {
    let (mut events, mut data, mut last) = (Vec::new(), None::<String>, "");
    for span in spans {
        match span.field {
            "field name" => last = if span.value == "data" { "data" } else { "" },
            "field value" if span.kind == Kind::Payload => {
                let line = String::from_utf8_lossy(&span.bytes).into_owned();
                data = Some(data.map_or(line.clone(), |data| data + "\n" + &line));
                last = "";
            }
            "end-of-line" => {
                // A data field without a value adds an empty line.
                if std::mem::take(&mut last) == "data" {
                    data = Some(data.map_or(String::new(), |data| data + "\n"));
                }
                if span.kind == Kind::Control {
                    events.extend(data.take());
                }
            }
            _ => {}
        }
    }
    events
}

fn assert_stream_agrees(bytes: &[u8], what: &str) {
    let spans = one_side(Start::EventStream, Side::Server, [bytes]);
    assert_eq!(dispatched(&spans), decoded(bytes), "{what}");
    assert_eq!(first_violation(&spans), None, "{what}");
    let data: Vec<String> = spans
        .iter()
        .flat_map(|span| &span.notes)
        .filter_map(|note| match note {
            Note::Event { data, .. } => Some(data.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(joined(&spans), data, "{what}");
}

#[test]
fn spans_agree_with_the_decoder_on_the_event_stream_vectors() {
    for vector in vectors::parse(include_str!("../vectors/event_stream.txt")) {
        let bytes = vector.get("in").expect("a stream");
        assert_stream_agrees(bytes, vector.text("name"));
        assert_eq!(dispatched(&one_side(Start::EventStream, Side::Server, [bytes])), vector.text("events"));
    }
}

const LINES: &[&str] = &[
    "data: a\n",
    "data:b\r\n",
    "data\r",
    "data:  c d\n",
    "\n",
    "\r\n",
    "\r",
    "id: 1\n",
    "id\n",
    "id: a\0b\n",
    "event: e\n",
    "retry: 10\n",
    "retry: x\n",
    ": c\n",
    ":\n",
    "foo: bar\n",
    "data: é€\n",
    "\u{feff}",
    "d",
    "ata: x\n",
];

proptest! {
    #[test]
    fn spans_agree_with_the_decoder_on_any_event_stream(
        lines in prop::collection::vec(prop::sample::select(LINES), 0..16),
        sizes in prop::collection::vec(1..9usize, 1..40),
    ) {
        let bytes = lines.concat().into_bytes();
        assert_stream_agrees(&bytes, "a stream");
        // Chunked, with a boundary at any byte.
        let mut chunked = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        let (mut rest, mut sizes) = (&bytes[..], sizes.iter().cycle());
        while !rest.is_empty() {
            let (chunk, after) = rest.split_at(rest.len().min(*sizes.next().expect("it cycles")));
            chunked.extend(format!("{:x}\r\n", chunk.len()).bytes());
            chunked.extend_from_slice(chunk);
            chunked.extend_from_slice(b"\r\n");
            rest = after;
        }
        chunked.extend_from_slice(b"0\r\n\r\n");
        let spans = one_side(Start::Http, Side::Server, [&chunked[..]]);
        prop_assert_eq!(dispatched(&spans), decoded(&bytes));
        prop_assert_eq!(first_violation(&spans), None);
    }
}
