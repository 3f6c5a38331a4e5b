//! Tests of event streams with vectors and properties.

use std::fmt::Write as _;

use barewire::protocol::sse::{self, DecodeError, DecodeLimits, Decoder, Event};
use proptest::prelude::*;

use crate::vectors::{self, cut_at, cuts};

/// Decodes `parts` up to the first error.
fn decode<'a>(
    parts: impl IntoIterator<Item = &'a [u8]>,
    limits: DecodeLimits,
) -> (Decoder, Vec<Event>, Option<DecodeError>) {
    let mut decoder = Decoder::new("", limits);
    let mut events = Vec::new();
    for part in parts {
        let mut rest = part;
        while !rest.is_empty() {
            match decoder.read(rest) {
                Ok((consumed, event)) => {
                    assert!(consumed > 0 && (event.is_some() || consumed == rest.len()));
                    rest = &rest[consumed..];
                    events.extend(event);
                }
                Err(error) => return (decoder, events, Some(error)),
            }
        }
    }
    (decoder, events, None)
}

#[test]
fn decodes_every_stream_of_the_vectors() {
    for vector in vectors::parse(include_str!("../vectors/event_stream.txt")) {
        let name = vector.text("name");
        // The stream ends with the body, so no data can follow it.
        for parts in cuts(vector.get("in").expect("a stream")) {
            let (decoder, events, error) = decode(parts, DecodeLimits::default());
            let events = events.iter().fold(String::new(), |mut lines, Event { id, event, data }| {
                writeln!(lines, "[{id}] {event} {data:?}").expect("a String accepts all text");
                lines
            });
            assert_eq!(events, vector.text("events"), "{name}, line {}", vector.line);
            assert_eq!(error, None, "{name}");
            if vector.get("last").is_some() {
                assert_eq!(decoder.last_event_id(), vector.text("last"), "{name}");
            }
            let retry = decoder.retry().map(|retry| retry.to_string());
            assert_eq!(retry.as_deref(), vector.get("retry").map(|_| vector.text("retry")), "{name}");
        }
    }
}

fn places() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(0..4096usize, 0..12)
}

/// Returns data as the hub stores them: any text without a carriage return.
fn data() -> impl Strategy<Value = String> {
    let any_text = any::<String>().prop_map(|text| text.replace('\r', "\n"));
    prop_oneof![any_text, "[ a:\n\u{feff}]{0,20}"]
}

/// Returns an event name that the hub accepts: not empty, without control characters.
fn event_name() -> impl Strategy<Value = String> {
    prop_oneof![Just("message".to_owned()), "[^\\p{Cc}]{1,20}"]
}

proptest! {
    #[test]
    fn decodes_encoded_events(
        events in prop::collection::vec(("[A-Za-z0-9]{1,8}-[A-Za-z0-9]{1,8}", event_name(), data()), 0..6),
        places in places(),
    ) {
        let mut bytes = Vec::new();
        sse::write_first_block(2000, "first-0", None, &mut bytes);
        let mut expected = Vec::new();
        for (id, event, data) in events {
            sse::write_event(&id, &event, &data, &mut bytes);
            bytes.extend_from_slice(sse::HEARTBEAT);
            expected.push(Event { id, event, data });
        }
        let (decoder, read, error) = decode(cut_at(&bytes, &places), DecodeLimits::default());
        prop_assert_eq!(error, None);
        prop_assert_eq!(decoder.retry(), Some(2000));
        prop_assert_eq!(decoder.last_event_id(), expected.last().map_or("first-0", |event| &event.id));
        prop_assert_eq!(read, expected);
    }

    #[test]
    fn any_stream_has_the_same_result_however_it_is_split(
        fragments in prop::collection::vec(
            prop_oneof![
                6 => prop::sample::select(&[
                    "data", "data: a", "id: 1", "event: b", "retry: 5", ":", "\n", "\n\n", "\r", "\r\n", " ", "\u{feff}",
                ][..]).prop_map(|fragment| fragment.as_bytes().to_vec()),
                1 => prop::collection::vec(any::<u8>(), 0..3),
            ],
            0..40,
        ),
        places in places(),
    ) {
        let bytes = fragments.concat();
        let limits = DecodeLimits { line: 20, data: 12 };
        let (complete, events, error) = decode([&bytes[..]], limits);
        for parts in [cut_at(&bytes, &places), bytes.chunks(1).collect()] {
            let (decoder, split_events, split_error) = decode(parts, limits);
            prop_assert_eq!((&split_events, split_error), (&events, error));
            prop_assert_eq!(decoder.last_event_id(), complete.last_event_id());
            prop_assert_eq!(decoder.retry(), complete.retry());
        }
    }
}
