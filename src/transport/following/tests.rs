use proptest::prelude::*;

use super::{Encoding, Following};
use crate::hub::{Encoders, Epoch, Event, Hub, HubLimits, Id, Opener, Tick, TopicKey};

const NOW: Tick = Tick(7);
const LINES: Encoding = Encoding::JsonMessages;

fn line(event: &Event<'_>, _: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(event.data.as_bytes());
    out.push(b'\n');
}

/// A hub whose every encoding is the data and a line feed, with one topic.
fn hub(window_events: usize) -> (Hub, TopicKey) {
    let limits = HubLimits { window_events, ..HubLimits::default() };
    let mut hub = Hub::new(
        Epoch::from_random(7),
        limits,
        Encoders { functions: [line; 9], parameter: 0, work: [1; 9] },
    );
    let topic = hub.open("t", Opener::Publisher, NOW).expect("there is room for a topic");
    (hub, topic)
}

fn publish(hub: &mut Hub, topic: TopicKey, numbers: impl IntoIterator<Item = u64>) {
    for number in numbers {
        hub.publish(topic, "message", &format!("event {number}"), NOW);
    }
    hub.trim();
    assert!(hub.next_dropped().is_none(), "no follower lags");
}

fn text(hub: &Hub, following: &Following) -> String {
    let bytes: Vec<u8> = following.pending(hub).flatten().copied().collect();
    String::from_utf8(bytes).expect("text")
}

#[test]
fn the_events_after_a_sequence_are_pending_over_all_segments() {
    let (mut hub, topic) = hub(65_536);
    publish(&mut hub, topic, 1..=1000);
    for after in [0, 1, 255, 256, 257, 999, 1000] {
        let mut following = Following::after(&mut hub, topic, after, LINES, NOW);
        following.prepare(&mut hub, usize::MAX / 2, NOW);
        let expected: String = (after + 1..=1000).map(|number| format!("event {number}\n")).collect();
        assert_eq!(text(&hub, &following), expected);
        assert_eq!(following.is_caught_up(&hub), after == 1000);
    }
}

#[test]
fn the_end_of_a_closed_segment_is_the_start_of_the_next_even_if_that_is_not_encoded() {
    let (mut hub, topic) = hub(1000);
    publish(&mut hub, topic, 1..=600);
    let mut following = Following::after(&mut hub, topic, 0, LINES, NOW);
    following.prepare(&mut hub, 1, NOW);
    let first = text(&hub, &following).len();
    following.advance(&hub, first);
    assert_eq!((following.segment(), following.offset()), (1, 0));
    // So the follower is not in the segment when that is dropped.
    publish(&mut hub, topic, 601..=1256);
    assert_eq!(hub.topic(topic).log.first_segment(), 1);
    following.clamp_to_window(&hub);
    assert_eq!((following.segment(), following.offset()), (1, 0));
    following.prepare(&mut hub, 1, NOW);
    assert!(text(&hub, &following).starts_with("event 251\n"));
}

#[test]
fn a_buffer_that_is_not_complete_hides_the_segments_after_it() {
    let (mut hub, topic) = hub(65_536);
    publish(&mut hub, topic, 1..=10);
    let mut following = Following::after(&mut hub, topic, 0, LINES, NOW);
    following.prepare(&mut hub, usize::MAX / 2, NOW);
    publish(&mut hub, topic, 11..=600);
    let newest = Following::after(&mut hub, topic, 600, LINES, NOW);
    assert!(newest.is_caught_up(&hub));
    // The first segment's buffer still ends at event 10, the middle segment has none, the last
    // segment's is complete.
    assert!(text(&hub, &following).ends_with("event 10\n"));
    let written = text(&hub, &following).len();
    following.advance(&hub, written);
    assert!(!following.is_caught_up(&hub));
    following.prepare(&mut hub, usize::MAX / 2, NOW);
    assert!(text(&hub, &following).starts_with("event 11\n"));
    assert!(text(&hub, &following).ends_with("event 600\n"));
}

#[test]
fn a_follower_at_the_end_of_a_dropped_segment_continues_with_the_next() {
    let (mut hub, topic) = hub(1);
    publish(&mut hub, topic, 1..=1);
    let mut following = Following::after(&mut hub, topic, 1, LINES, NOW);
    assert!(following.is_caught_up(&hub));
    publish(&mut hub, topic, 2..=2);
    assert_eq!(hub.topic(topic).log.first_segment(), 1);
    following.prepare(&mut hub, usize::MAX / 2, NOW);
    assert_eq!(text(&hub, &following), "event 2\n");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However large the events are and however the writes split them, a follower that starts
    /// anywhere is sent every later event in order, and knows at each byte how much of the current
    /// event is left.
    #[test]
    fn any_split_delivers_every_event_once(
        sizes in proptest::collection::vec(prop_oneof![0..20_usize, Just(30_000_usize), Just(65_536_usize)], 1..40),
        start in 0..40_u64,
        writes in proptest::collection::vec(1..50_000_usize, 1..20),
    ) {
        let (mut hub, topic) = hub(65_536);
        let start = start.min(sizes.len() as u64);
        let mut expected = Vec::new();
        for (number, size) in sizes.iter().enumerate() {
            let data = char::from(b'a' + (number % 26) as u8).to_string().repeat(*size);
            hub.publish(topic, "m", &data, NOW);
            if number as u64 >= start {
                expected.extend_from_slice(data.as_bytes());
                expected.push(b'\n');
            }
        }
        let mut following = Following::after(&mut hub, topic, start, LINES, NOW);
        let mut written = Vec::new();
        for write in writes.into_iter().cycle() {
            following.prepare(&mut hub, write, NOW);
            let pending: Vec<u8> = following.pending(&hub).flatten().copied().collect();
            let in_the_middle = written.last().is_some_and(|byte| *byte != b'\n');
            let rest = pending.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            prop_assert_eq!(following.rest_of_event(&hub), if in_the_middle { rest } else { 0 });
            if pending.is_empty() {
                break;
            }
            let write = write.min(pending.len());
            written.extend_from_slice(&pending[..write]);
            following.advance(&hub, write);
        }
        prop_assert!(written == expected);
        prop_assert!(following.is_caught_up(&hub));
    }
}

fn encoded(encoding: Encoding) -> Vec<u8> {
    let id = Id { epoch: Epoch::from_random(0), sequence: 12 };
    let mut out = Vec::new();
    let event = Event { id, name: "greeting", data: "a \"b\"\nc" };
    encoding.write(&event, 0, &mut out);
    out
}

#[test]
fn one_event_in_the_encodings_without_compression() {
    let json = br#"{"id":"00000000-12","event":"greeting","data":"a \"b\"\nc"}"#;
    assert_eq!(encoded(Encoding::JsonItems), [json, &b","[..]].concat());
    assert_eq!(encoded(Encoding::JsonMessages), [&[0x81, json.len() as u8], &json[..]].concat());
    assert_eq!(encoded(Encoding::TextMessages), b"\x81\x07a \"b\"\nc");
    let stream = b"id: 00000000-12\nevent: greeting\ndata: a \"b\"\ndata: c\n\n";
    assert_eq!(encoded(Encoding::EventStream), stream);
    assert_eq!(encoded(Encoding::EventStreamChunks), [b"35\r\n", &stream[..], b"\r\n"].concat());
    assert_eq!(stream.len(), 0x35);
}
