use super::Log;
use crate::hub::Tick;

const NOW: Tick = Tick(7);

fn log(events: u64, window: usize) -> Log {
    let mut log = Log::new(0, window);
    for sequence in 1..=events {
        log.append(sequence, "message", &format!("event {sequence}"), NOW);
    }
    log
}

#[test]
fn a_segment_closes_at_64_kib_and_an_event_is_never_split() {
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
fn dropping_stops_at_the_floor_and_counts_the_lost_events() {
    let mut log = log(1000, 65_536);
    assert!(log.drop_oldest(0).is_none());
    let (number, segment) = log.drop_oldest(1).expect("segment 0 is below the floor");
    assert_eq!((number, segment.len(), log.lost_through(), log.len()), (0, 256, 256, 744));
    assert_eq!(log.oldest(), Some(257));
    assert!(log.drop_oldest(1).is_none());
}
