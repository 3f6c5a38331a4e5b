use std::collections::HashMap;

use proptest::prelude::*;

use super::{Followers, Hub, HubLimits, NoRoom, Opener, Positions, TopicKey};
use crate::hub::Since;
use crate::hub::{Encoders, Epoch, Event, Id, Tick};

const NOW: Tick = Tick(0);

fn data(event: &Event<'_>, _: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(event.data.as_bytes());
}

fn hub(limits: HubLimits) -> Hub {
    Hub::new(Epoch::from_random(1), limits, Encoders { functions: [data; 9], parameter: 0, work: [1; 9] })
}

/// Publishes an event, enforces the window, and returns the event's sequence.
fn publish(hub: &mut Hub, key: TopicKey, data: &str) -> u64 {
    let id = hub.publish(key, "message", data, NOW);
    hub.trim();
    assert!(hub.next_dropped().is_none(), "no follower lags");
    id.sequence
}

fn open(hub: &mut Hub, name: &str) -> TopicKey {
    hub.open(name, Opener::Publisher, NOW).expect("room for it")
}

fn after(id: Id) -> Since {
    Since::After(id.to_string())
}

#[test]
fn sequences_count_over_all_topics_and_an_id_is_a_position_in_every_topic() {
    let mut hub = hub(HubLimits::default());
    let (one, two) = (open(&mut hub, "one"), open(&mut hub, "two"));
    assert_eq!(publish(&mut hub, one, "a"), 1);
    assert_eq!(publish(&mut hub, two, "b"), 2);
    assert_eq!(publish(&mut hub, one, "c"), 3);
    let placed = hub.place(Some(one), &after(hub.id(2)));
    assert_eq!((placed.after, placed.gap), (2, None));
}

#[test]
fn start_is_before_the_oldest_kept_event_and_now_after_the_newest() {
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
fn a_gap_is_another_epoch_a_lost_or_future_sequence_or_an_unreadable_id() {
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
        assert_eq!((placed.after, placed.gap), (sequence, None), "the last lost sequence is not a gap");
    }
}

#[test]
fn the_least_recently_used_topic_without_followers_is_evicted_and_its_events_count_as_lost() {
    let mut hub = hub(HubLimits { topics: 2, ..HubLimits::default() });
    let old = hub.open("old", Opener::Publisher, Tick(1)).expect("room");
    publish(&mut hub, old, "lost");
    let newer = hub.open("newer", Opener::Publisher, Tick(2)).expect("room");
    hub.join(newer, 9, Tick(2));
    hub.open("third", Opener::Publisher, Tick(3)).expect("the old topic is evicted");
    assert_eq!(hub.find("old"), None);
    assert_eq!(hub.place(hub.find("third"), &after(hub.id(0))).gap.map(|gap| gap.oldest), Some(None));
    assert_eq!(hub.place(None, &Since::Start).after, 1);
    let third = hub.find("third").expect("it exists");
    hub.join(third, 8, Tick(3));
    assert_eq!(hub.open("fourth", Opener::Publisher, Tick(4)), Err(NoRoom));
    hub.leave(newer, 9, Tick(5));
    hub.open("fourth", Opener::Publisher, Tick(6)).expect("newer has no followers");
    assert_eq!(hub.find("newer"), None);
}

#[test]
fn a_follower_evicts_only_a_topic_without_events_and_without_followers() {
    let mut hub = hub(HubLimits { topics: 3, window_age: Some(100), ..HubLimits::default() });
    let full = open(&mut hub, "full");
    publish(&mut hub, full, "kept");
    let followed = open(&mut hub, "followed");
    hub.join(followed, 1, NOW);
    hub.open("empty", Opener::Follower, Tick(1)).expect("room");
    for number in 0..10 {
        let name = format!("junk{number}");
        hub.open(&name, Opener::Follower, Tick(2)).expect("the last empty topic is evicted for it");
        assert_eq!((hub.topic_count(), hub.topic(full).log.len()), (3, 1));
    }
    let junk = hub.find("junk9").expect("it exists");
    publish(&mut hub, junk, "kept too");
    assert_eq!(hub.open("next", Opener::Follower, Tick(3)), Err(NoRoom));
    assert_eq!(hub.open("full", Opener::Follower, Tick(3)), Ok(full), "a topic that exists needs no room");
    // Once its events have left the window, the topic is empty.
    hub.age(Tick(101));
    hub.open("next", Opener::Follower, Tick(102)).expect("an empty topic is evicted");
    assert_eq!((hub.find("junk9"), hub.find("full")), (None, Some(full)), "the least recently used one");
}

#[test]
fn a_publisher_evicts_a_topic_without_events_before_one_with_events() {
    let mut hub = hub(HubLimits { topics: 3, ..HubLimits::default() });
    for (name, tick) in [("first", 1), ("second", 2)] {
        let key = hub.open(name, Opener::Publisher, Tick(tick)).expect("room");
        publish(&mut hub, key, name);
    }
    hub.open("empty", Opener::Follower, Tick(3)).expect("room");
    let third = hub.open("third", Opener::Publisher, Tick(4)).expect("the empty topic is evicted");
    publish(&mut hub, third, "third");
    assert_eq!((hub.find("empty"), hub.find("first").is_some()), (None, true));
    // A use that stores nothing counts too.
    assert!(hub.touch("first", Tick(5)).is_some() && hub.touch("unknown", Tick(5)).is_none());
    hub.open("fourth", Opener::Publisher, Tick(6)).expect("the least recently used topic is evicted");
    assert_eq!((hub.find("second"), hub.find("first").is_some(), hub.topic_count()), (None, true, 3));
}

#[test]
fn bytes_are_bounded_over_all_topics_and_the_oldest_events_are_dropped_first() {
    let mut hub = hub(HubLimits { window_bytes: 1 << 20, ..HubLimits::default() });
    let (one, two) = (open(&mut hub, "one"), open(&mut hub, "two"));
    let data = "x".repeat(60_000);
    publish(&mut hub, one, &data);
    for _ in 0..40 {
        publish(&mut hub, two, &data);
        assert!(hub.event_bytes() <= 1 << 20);
    }
    assert!(hub.topic(one).log.len() == 0);
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
    // All of its events are in one segment, whose newest event is newer than the busy topic's
    // oldest.
    assert_eq!(hub.topic(quiet).log.len(), 21);
    for _ in 0..20 {
        publish(&mut hub, busy, &data);
    }
    assert!(hub.topic(quiet).log.len() == 0, "now its events are the oldest");
}

#[test]
fn no_event_is_dropped_that_a_fan_out_still_needs() {
    let mut hub = hub(HubLimits { window_events: 1, ..HubLimits::default() });
    let key = open(&mut hub, "t");
    publish(&mut hub, key, "before");
    hub.join(key, 0, NOW);
    for _ in 0..10 {
        publish(&mut hub, key, "x");
    }
    // The follower's cursor is at the end of the first segment, and ten events wait for delivery.
    assert_eq!(hub.topic(key).log.len(), 11);
    assert_eq!(hub.next_delivery(), Some((key, 0)));
    hub.delivered((key, 0));
    assert_eq!(hub.next_delivery(), Some((key, 0)), "a second pass, for the events since the first began");
    hub.delivered((key, 0));
    assert_eq!(hub.next_delivery(), None);
    publish(&mut hub, key, "y");
    assert!(hub.topic(key).log.len() <= 2);
}

#[test]
fn encoded_buffers_are_bounded_and_dropped_when_unused_for_a_minute() {
    let mut hub = hub(HubLimits { encoded_bytes: 200_000, ..HubLimits::default() });
    let key = open(&mut hub, "t");
    for _ in 0..10 {
        publish(&mut hub, key, &"x".repeat(50_000));
    }
    for second in 0..10 {
        let now = Tick(second * 10);
        let (segment, _) = hub.topic(key).log.first_after(u64::from(second));
        hub.encode(key, segment, 0, 1, now);
        assert!(hub.encoded_bytes() <= 300_000, "a buffer beyond the bound may be in use");
    }
    assert!(hub.encoded_bytes() > 0);
    hub.age(Tick(10_000));
    assert_eq!(hub.encoded_bytes(), 0);
    assert_eq!(hub.topic(key).log.len(), 10);
}

#[test]
fn events_are_dropped_at_their_age_limit() {
    let mut hub = hub(HubLimits { window_age: Some(100), ..HubLimits::default() });
    let key = open(&mut hub, "t");
    publish(&mut hub, key, "x");
    hub.age(Tick(100));
    assert_eq!(hub.topic(key).log.len(), 1);
    hub.age(Tick(101));
    assert_eq!((hub.topic(key).log.len(), hub.topic(key).log.lost_through()), (0, 1));
}

/// What may happen between two steps of a fan-out.
#[derive(Clone, Debug)]
enum Step {
    Join,
    Leave(usize),
    FallBehind(usize),
    CatchUp(usize),
    Publish,
    Serve,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Join),
        1 => (0..64_usize).prop_map(Step::Leave),
        1 => (0..64_usize).prop_map(Step::FallBehind),
        1 => (0..64_usize).prop_map(Step::CatchUp),
        1 => Just(Step::Publish),
        4 => Just(Step::Serve),
    ]
}

proptest! {
    /// The model: each follower has been sent a number of events, which serving it sets to all. No
    /// follower is served more than twice for one event, and at the end of the fan-out every
    /// follower that is caught up has been sent every event.
    #[test]
    fn a_fan_out_skips_no_follower_and_serves_none_twice(steps in proptest::collection::vec(step(), 1..300)) {
        let (mut followers, mut positions) = (Followers::default(), Positions::default());
        let mut sent: HashMap<u32, u32> = HashMap::new();
        let (mut published, mut key) = (0, 0);
        let mut served_since: HashMap<u32, u32> = HashMap::new();
        for step in steps {
            let pick = |list: &[u32], at: usize| (!list.is_empty()).then(|| list[at % list.len()]);
            match step {
                Step::Join => {
                    followers.join(key, &mut positions);
                    sent.insert(key, published);
                    key += 1;
                }
                Step::Leave(at) => {
                    let list = if at % 2 == 0 { &followers.caught_up } else { &followers.lagging };
                    if let Some(follower) = pick(list, at / 2) {
                        followers.leave(follower, &mut positions);
                        sent.remove(&follower);
                    }
                }
                Step::FallBehind(at) => {
                    if let Some(follower) = pick(&followers.caught_up, at) {
                        followers.set_lagging(follower, true, &mut positions);
                    }
                }
                Step::CatchUp(at) => {
                    if let Some(follower) = pick(&followers.lagging, at) {
                        followers.set_lagging(follower, false, &mut positions);
                        sent.insert(follower, published);
                        // The follower is at the end of the list again, where the fan-out in
                        // progress reaches it once more, with nothing new.
                        served_since.remove(&follower);
                    }
                }
                Step::Publish => {
                    published += 1;
                    followers.announce(0);
                    served_since.clear();
                }
                Step::Serve => {
                    if let Some(follower) = followers.next(0) {
                        let times = served_since.entry(follower).or_default();
                        *times += 1;
                        // Once in the pass during which the event was published, once in the
                        // second.
                        prop_assert!(*times <= 2, "follower {follower} was served {times} times for one event");
                        sent.insert(follower, published);
                        followers.served(follower);
                    }
                }
            }
            for (at, follower) in followers.caught_up.iter().enumerate() {
                prop_assert_eq!(positions.get(*follower), Some(at as u32));
            }
        }
        while let Some(follower) = followers.next(0) {
            sent.insert(follower, published);
            followers.served(follower);
        }
        for follower in &followers.caught_up {
            prop_assert_eq!(sent[follower], published, "follower {} was skipped", follower);
        }
    }
}
