use proptest::prelude::*;

use super::{Cursor, Log};
use crate::hub::{Encoder, Epoch, Event, Tick};

fn plain(event: &Event<'_>, _: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(event.data.as_bytes());
    out.push(b'\n');
}

const PLAIN: Encoder = Encoder { slot: 3, parameter: 0, encode: plain };
const NOW: Tick = Tick(7);

fn epoch() -> Epoch {
    Epoch::from_random(7)
}

fn log(events: u64, window: usize) -> Log {
    let mut log = Log::new(0, window);
    for sequence in 1..=events {
        log.append(sequence, "message", &format!("event {sequence}"), NOW);
    }
    log
}

fn text(log: &Log, cursor: Cursor) -> String {
    let bytes: Vec<u8> = log.owed(cursor, PLAIN.slot).flatten().copied().collect();
    String::from_utf8(bytes).expect("text")
}

#[test]
fn a_cursor_is_owed_what_comes_after_its_sequence_over_all_segments() {
    let mut log = log(1000, 65_536);
    for after in [0, 1, 255, 256, 257, 999, 1000] {
        let (cursor, _) = log.cursor_after(after, PLAIN, epoch(), NOW);
        log.prepare(cursor, PLAIN, usize::MAX, epoch(), NOW);
        let wanted: String = (after + 1..=1000).map(|number| format!("event {number}\n")).collect();
        assert_eq!(text(&log, cursor), wanted);
        assert_eq!(log.is_at_head(cursor, PLAIN.slot), after == 1000);
    }
}

#[test]
fn at_a_closed_segment_s_end_a_cursor_stands_at_the_next_one_s_start_though_that_has_no_run() {
    let mut log = log(600, 65_536);
    let (start, _) = log.cursor_after(0, PLAIN, epoch(), NOW);
    log.prepare(start, PLAIN, 1, epoch(), NOW);
    let first = text(&log, start).len();
    assert_eq!(log.advance(start, PLAIN.slot, first), Cursor { segment: 1, offset: 0 });
    // So whoever has been given all of a segment does not stand in it when it goes.
    log.drop_oldest(u32::MAX);
    let moved = Cursor { segment: 1, offset: 0 };
    assert_eq!(log.settle(moved), moved);
    log.prepare(moved, PLAIN, 1, epoch(), NOW);
    assert!(text(&log, moved).starts_with("event 257\n"));
}

#[test]
fn a_run_that_is_not_whole_hides_what_stands_behind_it() {
    let mut log = log(10, 65_536);
    let (start, _) = log.cursor_after(0, PLAIN, epoch(), NOW);
    log.prepare(start, PLAIN, usize::MAX, epoch(), NOW);
    for sequence in 11..=600 {
        log.append(sequence, "message", &format!("event {sequence}"), NOW);
    }
    let (end, _) = log.cursor_after(600, PLAIN, epoch(), NOW);
    assert!(log.is_at_head(end, PLAIN.slot));
    // The first segment's run still ends at event 10, the middle one has none, the last has been made.
    assert!(text(&log, start).ends_with("event 10\n"));
    let moved = log.advance(start, PLAIN.slot, text(&log, start).len());
    assert!(!log.is_at_head(moved, PLAIN.slot));
    log.prepare(moved, PLAIN, usize::MAX, epoch(), NOW);
    assert!(text(&log, moved).starts_with("event 11\n"));
    assert!(text(&log, moved).ends_with("event 600\n"));
}

#[test]
fn a_segment_is_closed_at_64_kib_and_an_event_is_never_cut() {
    let mut log = Log::new(0, 65_536);
    let half = "x".repeat(40_000);
    for sequence in 1..=3 {
        log.append(sequence, "m", &half, NOW);
    }
    assert_eq!(log.segments().count(), 3);
    log.append(4, "m", &"y".repeat(65_536), NOW);
    assert_eq!(log.segments().map(|segment| segment.len()).collect::<Vec<_>>(), [1, 1, 1, 1]);
}

#[test]
fn dropping_stops_at_the_floor_and_counts_what_is_lost() {
    let mut log = log(1000, 65_536);
    assert!(log.drop_oldest(0).is_none());
    let (number, segment) = log.drop_oldest(1).expect("segment 0 is below the floor");
    assert_eq!((number, segment.len(), log.lost_through(), log.len()), (0, 256, 256, 744));
    assert_eq!(log.oldest(), Some(257));
    assert!(log.drop_oldest(1).is_none());
}

#[test]
fn one_who_stood_at_the_end_of_a_dropped_segment_goes_on_at_the_next() {
    let mut log = log(3, 65_536);
    let (head, _) = log.cursor_after(3, PLAIN, epoch(), NOW);
    log.drop_oldest(u32::MAX);
    assert!(log.is_at_head(head, PLAIN.slot));
    log.append(4, "message", "event 4", NOW);
    let head = log.settle(head);
    log.prepare(head, PLAIN, usize::MAX, epoch(), NOW);
    assert_eq!(text(&log, head), "event 4\n");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever sizes the events have, and in whatever pieces they are written, a cursor that starts anywhere
    /// hands out every later event whole and in order, and knows at each byte how much is left of its event.
    #[test]
    fn any_pieces_make_up_the_whole(
        sizes in proptest::collection::vec(prop_oneof![0..20_usize, Just(30_000_usize), Just(65_536_usize)], 1..40),
        start in 0..40_u64,
        pieces in proptest::collection::vec(1..50_000_usize, 1..20),
    ) {
        let mut log = Log::new(0, 65_536);
        let start = start.min(sizes.len() as u64);
        let mut wanted = Vec::new();
        for (number, size) in sizes.iter().enumerate() {
            let data = char::from(b'a' + (number % 26) as u8).to_string().repeat(*size);
            log.append(number as u64 + 1, "m", &data, NOW);
            if number as u64 >= start {
                wanted.extend_from_slice(data.as_bytes());
                wanted.push(b'\n');
            }
        }
        let (mut cursor, _) = log.cursor_after(start, PLAIN, epoch(), NOW);
        let mut written = Vec::new();
        for piece in pieces.into_iter().cycle() {
            log.prepare(cursor, PLAIN, piece, epoch(), NOW);
            let owed: Vec<u8> = log.owed(cursor, PLAIN.slot).flatten().copied().collect();
            let left = log.left_of_event(cursor, PLAIN.slot);
            let in_the_middle = written.last().is_some_and(|byte| *byte != b'\n');
            let wanted_left = owed.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            prop_assert_eq!(left, if in_the_middle { wanted_left } else { 0 });
            if owed.is_empty() {
                break;
            }
            let piece = piece.min(owed.len());
            written.extend_from_slice(&owed[..piece]);
            cursor = log.advance(cursor, PLAIN.slot, piece);
        }
        prop_assert!(written == wanted);
        prop_assert!(log.is_at_head(cursor, PLAIN.slot));
    }
}
