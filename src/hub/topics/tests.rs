use super::{Hub, HubLimits, NoRoom, Since, TopicKey};
use crate::hub::{Encoder, Epoch, Event, Id, Tick};

const NOW: Tick = Tick(0);

fn hub(limits: HubLimits) -> Hub {
    Hub::new(Epoch::from_random(1), limits)
}

fn publish(hub: &mut Hub, key: TopicKey, data: &str) -> (u64, usize) {
    let (sequence, _) = hub.publish(key, "message", data, NOW);
    let mut dropped = 0;
    hub.trim(key, |_| dropped += 1);
    (sequence, dropped)
}

fn open(hub: &mut Hub, name: &str) -> TopicKey {
    hub.open(name, NOW).expect("room for it")
}

fn after(id: Id) -> Since {
    Since::After(id.to_string())
}

#[test]
fn sequences_count_over_all_topics_and_an_id_of_one_is_a_place_in_every_other() {
    let mut hub = hub(HubLimits::default());
    let (one, two) = (open(&mut hub, "one"), open(&mut hub, "two"));
    assert_eq!(publish(&mut hub, one, "a").0, 1);
    assert_eq!(publish(&mut hub, two, "b").0, 2);
    assert_eq!(publish(&mut hub, one, "c").0, 3);
    let placed = hub.place(Some(one), &after(hub.id(2)));
    assert_eq!((placed.after, placed.gap), (2, None));
}

#[test]
fn start_is_the_oldest_kept_and_now_only_what_comes() {
    let mut hub = hub(HubLimits { window_events: 4, ..HubLimits::default() });
    let key = open(&mut hub, "t");
    for number in 0..10 {
        publish(&mut hub, key, &number.to_string());
    }
    assert_eq!(hub.topic(key).log.len(), 4);
    assert_eq!(hub.place(Some(key), &Since::Start).after, 6);
    assert_eq!(hub.place(Some(key), &Since::Now).after, 10);
}

#[test]
fn a_gap_is_another_epoch_or_below_what_is_lost_or_beyond_the_newest_or_unreadable() {
    let mut hub = hub(HubLimits { window_events: 4, ..HubLimits::default() });
    let key = open(&mut hub, "t");
    for number in 0..10 {
        publish(&mut hub, key, &number.to_string());
    }
    let other = Id { epoch: Epoch::from_random(2), sequence: 8 };
    for since in [after(hub.id(5)), after(hub.id(11)), after(other), Since::After("nonsense".into())] {
        let placed = hub.place(Some(key), &since);
        let gap = placed.gap.unwrap_or_else(|| panic!("{since:?} is a gap"));
        assert_eq!((placed.after, gap.oldest), (6, Some(hub.id(7))));
        assert_eq!(Since::After(gap.since), since);
    }
    for sequence in 6..=10 {
        let placed = hub.place(Some(key), &after(hub.id(sequence)));
        assert_eq!((placed.after, placed.gap), (sequence, None), "equal to what is lost is no gap");
    }
}

#[test]
fn the_longest_unused_topic_without_followers_goes_and_is_remembered_as_lost() {
    let mut hub = hub(HubLimits { topics: 2, ..HubLimits::default() });
    let old = hub.open("old", Tick(1)).expect("room");
    publish(&mut hub, old, "lost");
    let newer = hub.open("newer", Tick(2)).expect("room");
    hub.join(newer, 9, Tick(2));
    hub.open("third", Tick(3)).expect("the old one makes room");
    assert_eq!(hub.find("old"), None);
    assert_eq!(hub.place(hub.find("third"), &after(hub.id(0))).gap.map(|gap| gap.oldest), Some(None));
    assert_eq!(hub.place(None, &Since::Start).after, 1);
    let third = hub.find("third").expect("it exists");
    hub.join(third, 8, Tick(3));
    assert_eq!(hub.open("fourth", Tick(4)), Err(NoRoom));
    hub.leave(newer, 9, Tick(5));
    hub.open("fourth", Tick(6)).expect("newer is without followers");
    assert_eq!(hub.find("newer"), None);
}

#[test]
fn bytes_are_bounded_over_all_topics_and_the_oldest_event_of_all_goes_first() {
    let mut hub = hub(HubLimits { window_bytes: 1 << 20, ..HubLimits::default() });
    let (one, two) = (open(&mut hub, "one"), open(&mut hub, "two"));
    let data = "x".repeat(60_000);
    publish(&mut hub, one, &data);
    for _ in 0..40 {
        publish(&mut hub, two, &data);
        assert!(hub.weights().0 <= 1 << 20);
    }
    assert!(hub.topic(one).log.is_empty());
    assert_eq!(hub.topic(one).log.lost_through(), 1);
    assert_eq!(hub.topic(two).log.len(), 17);
}

#[test]
fn a_quiet_topic_does_not_lose_its_newest_event_to_a_busy_one() {
    let mut hub = hub(HubLimits { window_bytes: 1 << 20, ..HubLimits::default() });
    let (quiet, busy) = (open(&mut hub, "quiet"), open(&mut hub, "busy"));
    let data = "x".repeat(60_000);
    publish(&mut hub, quiet, "long ago");
    for _ in 0..20 {
        publish(&mut hub, quiet, "just now");
        publish(&mut hub, busy, &data);
    }
    // All of its events are in one segment, in front of which the busy one's have to go.
    assert_eq!(hub.topic(quiet).log.len(), 21);
    for _ in 0..20 {
        publish(&mut hub, busy, &data);
    }
    assert!(hub.topic(quiet).log.is_empty(), "now it is the oldest of all");
}

#[test]
fn nothing_is_dropped_that_a_sweep_has_still_to_hand_out() {
    let mut hub = hub(HubLimits { window_events: 1, ..HubLimits::default() });
    let key = open(&mut hub, "t");
    publish(&mut hub, key, "before");
    hub.join(key, 0, NOW);
    for _ in 0..10 {
        publish(&mut hub, key, "x");
    }
    // The follower stands at the end of the first segment, and ten events wait for the sweep to come to it.
    assert_eq!(hub.topic(key).log.len(), 11);
    assert_eq!(hub.sweep_next(key), Some(0));
    hub.served(key, 0);
    assert_eq!(hub.sweep_next(key), Some(0), "events came since, so a second sweep");
    hub.served(key, 0);
    assert_eq!(hub.sweep_next(key), None);
    publish(&mut hub, key, "y");
    assert!(hub.topic(key).log.len() <= 2);
}

#[test]
fn encodings_are_bounded_and_go_when_unused_for_a_minute() {
    let encode = |event: &Event<'_>, _, out: &mut Vec<u8>| out.extend_from_slice(event.data.as_bytes());
    let encoder = Encoder { slot: 0, parameter: 0, encode };
    let mut hub = hub(HubLimits { encoded_bytes: 200_000, ..HubLimits::default() });
    let key = open(&mut hub, "t");
    for _ in 0..10 {
        publish(&mut hub, key, &"x".repeat(50_000));
    }
    for second in 0..10 {
        let now = Tick(second * 10);
        let cursor = hub.cursor(key, u64::from(second), encoder, now);
        hub.prepare(key, cursor, encoder, 1, now);
        assert!(hub.weights().1 <= 300_000, "one beyond the bound may be in use");
    }
    assert!(hub.weights().1 > 0);
    hub.age(Tick(10_000), |_| ());
    assert_eq!(hub.weights().1, 0);
    assert_eq!(hub.topic(key).log.len(), 10);
}

#[test]
fn events_age_where_an_age_is_set() {
    let mut hub = hub(HubLimits { window_age: Some(100), ..HubLimits::default() });
    let key = open(&mut hub, "t");
    publish(&mut hub, key, "x");
    hub.age(Tick(100), |_| ());
    assert_eq!(hub.topic(key).log.len(), 1);
    hub.age(Tick(101), |_| ());
    assert_eq!((hub.topic(key).log.len(), hub.topic(key).log.lost_through()), (0, 1));
}
