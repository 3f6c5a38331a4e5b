//! Gaps: the client receives the gap first, and then every event that is kept.

use barewire::server::Options;

use crate::harness::{Event, Gap, Request, Server, Transport, follow, in_every_mode_with};

/// A window of four events.
fn small_window(options: &mut Options) {
    options.hub.window_events = 4;
}

/// Publishes ten events, of which four are kept.
fn published(server: &Server) -> Vec<Event> {
    let event = |data: String| {
        let id = server.publish("/topics/a", &data);
        Event { id, event: "message".into(), data }
    };
    (0..10).map(|number| event(number.to_string())).collect()
}

/// Replaces the sequence in an id.
fn with_sequence(id: &str, sequence: u64) -> String {
    let (epoch, _) = id.split_once('-').expect("a hyphen");
    format!("{epoch}-{sequence}")
}

#[test]
fn every_kind_of_gap_is_reported_on_every_transport_before_the_kept_events() {
    in_every_mode_with(small_window, |server| {
        let events = published(server);
        let kept = &events[6..];
        let newest = &events[9].id;
        let (epoch, sequence) = newest.split_once('-').expect("a hyphen");
        let other_epoch: String =
            epoch.chars().map(|character| if character == 'x' { 'y' } else { 'x' }).collect();
        for since in [
            format!("{other_epoch}-{sequence}"),
            with_sequence(newest, 0),
            events[4].id.clone(),
            with_sequence(newest, 11),
            with_sequence(newest, u64::MAX),
            "junk".to_owned(),
            "-".to_owned(),
            format!("{epoch}-"),
            format!("{epoch}-x"),
            format!("{newest}x"),
            sequence.to_owned(),
        ] {
            for transport in Transport::ALL {
                let followed = follow(server, transport, "a", &since, 4);
                assert_eq!(followed.events, kept, "{since}, {transport:?}");
                let expected = match transport {
                    Transport::ShortPoll | Transport::LongPoll => Gap::default(),
                    _ => Gap { since: Some(since.clone()), oldest: Some(kept[0].id.clone()) },
                };
                assert_eq!(followed.gap, Some(expected), "{since}, {transport:?}");
            }
        }
    });
}

#[test]
fn a_cursor_equal_to_lost_through_is_no_gap_and_one_below_it_is() {
    in_every_mode_with(small_window, |server| {
        let events = published(server);
        for transport in Transport::ALL {
            let equal = follow(server, transport, "a", &events[5].id, 4);
            assert_eq!((equal.gap, &equal.events[..]), (None, &events[6..]), "{transport:?}");
            let below = follow(server, transport, "a", &events[4].id, 4);
            assert!(below.gap.is_some(), "{transport:?}");
        }
    });
}

#[test]
fn the_newest_id_is_no_gap_and_the_one_after_it_is() {
    in_every_mode_with(small_window, |server| {
        let events = published(server);
        let newest = &events[9].id;
        for transport in [Transport::ShortPoll, Transport::EventStream, Transport::WebSocket] {
            assert_eq!(follow(server, transport, "a", newest, 0).gap, None, "{transport:?}");
        }
        for transport in Transport::ALL {
            assert!(follow(server, transport, "a", &with_sequence(newest, 11), 4).gap.is_some());
        }
    });
}

#[test]
fn a_poll_reports_a_gap_in_its_body_without_an_etag_and_never_with_304() {
    in_every_mode_with(small_window, |server| {
        let events = published(server);
        let newest = &events[9].id;
        for query in ["since=junk", "since=junk&wait=60"] {
            for known in [format!("W/\"{newest}\""), "*".to_owned()] {
                let response =
                    server.request(&Request::get(format!("/topics/a?{query}")).field("If-None-Match", known));
                assert_eq!(response.status, 200);
                assert_eq!(response.get("ETag"), None);
                assert!(response.text().ends_with(&format!(r#"],"next":"{newest}","gap":true}}"#)));
            }
        }
        let response = server.request(&Request::get("/topics/a"));
        assert!(!response.text().contains("gap"), "omitted without a gap");
    });
}

#[test]
fn oldest_is_null_if_nothing_is_kept() {
    in_every_mode_with(small_window, |server| {
        for transport in Transport::ALL {
            let followed = follow(server, transport, "empty", "junk", 0);
            let expected = match transport {
                Transport::ShortPoll | Transport::LongPoll => Gap::default(),
                _ => Gap { since: Some("junk".into()), oldest: None },
            };
            assert_eq!(followed.gap, Some(expected), "{transport:?}");
        }
    });
}

#[test]
fn a_gap_repeats_the_cursor_as_it_was_sent() {
    in_every_mode_with(small_window, |server| {
        for transport in [Transport::EventStream, Transport::WebSocket] {
            let followed = follow(server, transport, "a", "%22quoted%22+%5C%0A%C3%A4", 0);
            let gap = followed.gap.expect("a gap");
            assert_eq!(gap.since.as_deref(), Some("\"quoted\" \\\n\u{e4}"), "{transport:?}");
        }
    });
}

#[test]
fn the_id_reported_with_a_gap_resumes_without_one() {
    in_every_mode_with(small_window, |server| {
        let events = published(server);
        for transport in [Transport::EventStream, Transport::WebSocket] {
            let first = follow(server, transport, "a", "junk", 0).first;
            for other in Transport::ALL {
                let followed = follow(server, other, "a", &first, 4);
                assert_eq!(
                    (followed.gap, &followed.events[..]),
                    (None, &events[6..]),
                    "{transport:?} {other:?}"
                );
            }
        }
    });
}

#[test]
fn a_new_topic_has_lost_everything_that_evicted_topics_held() {
    let one_topic = |options: &mut Options| options.hub.topics = 1;
    in_every_mode_with(one_topic, |server| {
        let first = server.publish("/topics/a", "1");
        let second = server.publish("/topics/a", "2");
        // The topic "a" is evicted for it.
        let third = server.publish("/topics/b", "3");
        for transport in Transport::ALL {
            assert!(follow(server, transport, "b", &first, 1).gap.is_some(), "{transport:?}");
            let equal = follow(server, transport, "b", &second, 1);
            assert_eq!((equal.gap, &equal.events[0].id), (None, &third), "{transport:?}");
        }
        // Nothing of the evicted topic is kept, whatever the newest event of all topics is.
        let unknown = server.request(&Request::get(format!("/topics/a?since={first}")));
        assert_eq!(unknown.json()["gap"], true);
    });
}
