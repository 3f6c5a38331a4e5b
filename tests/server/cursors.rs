//! Cursors: the start of a follower, and ids that work on every transport.

use crate::harness::{Request, Server, Transport, eventually, follow, in_every_mode};

/// Returns the data of the existing events that a follower receives, and of those that arrive later
/// up to `live`, which is published when the follower is connected.
fn followed(server: &Server, transport: Transport, request: &Request) -> Vec<String> {
    let mut data = Vec::new();
    let publish = || server.publish("/topics/a", "live");
    match transport {
        Transport::ShortPoll => return server.request(request).data(),
        Transport::LongPoll => {
            let held = server.metric("barewire_long_polls_held_total");
            let completed = server.metric("barewire_polls_total");
            let poll = server.begin(request);
            eventually(|| {
                server.metric("barewire_long_polls_held_total") > held
                    || server.metric("barewire_polls_total") > completed
            });
            publish();
            return server.finish(poll, "GET").data();
        }
        Transport::EventStream => {
            let mut stream = server.event_stream(request);
            stream.first_block();
            publish();
            while data.last().is_none_or(|last| last != "live") {
                data.push(stream.data());
            }
        }
        Transport::WebSocket => {
            let mut socket = server.web_socket(request);
            socket.first_message();
            publish();
            while data.last().is_none_or(|last| last != "live") {
                data.push(socket.event().data);
            }
        }
    }
    data
}

/// Returns a request for a topic with exactly this query.
fn request(transport: Transport, query: &str) -> Request {
    let request = transport.request("a", "");
    match transport {
        Transport::LongPoll => request.target(format!("/topics/a?wait=60&{query}")),
        _ => request.target(format!("/topics/a?{query}")),
    }
}

#[test]
fn start_is_the_oldest_event_kept_and_now_only_later_ones() {
    for transport in Transport::ALL {
        let server = Server::start();
        server.publish("/topics/a", "1");
        server.publish("/topics/a", "2");
        let live: &[&str] = match transport {
            Transport::EventStream | Transport::WebSocket => &["live"],
            // A poll's response contains only the existing events.
            Transport::LongPoll | Transport::ShortPoll => &[],
        };
        let start = followed(&server, transport, &request(transport, "since=start"));
        assert_eq!(start, [&["1", "2"], live].concat(), "{transport:?}");
        let now = followed(&server, transport, &request(transport, "since=now"));
        let expected: &[&str] = if transport == Transport::ShortPoll { &[] } else { &["live"] };
        assert_eq!(now, expected, "{transport:?}");
    }
}

#[test]
fn without_a_cursor_a_short_poll_starts_at_start_and_the_others_at_now() {
    for transport in Transport::ALL {
        let server = Server::start();
        server.publish("/topics/a", "1");
        let expected: &[&str] = if transport == Transport::ShortPoll { &["1"] } else { &["live"] };
        for query in ["", "since=", "since"] {
            assert_eq!(followed(&server, transport, &request(transport, query)), expected, "{transport:?}");
            let empty = request(transport, query).field("Last-Event-ID", "");
            assert_eq!(followed(&server, transport, &empty), expected, "{transport:?}, empty field");
        }
    }
}

#[test]
fn last_event_id_takes_precedence_over_since_unless_it_is_empty() {
    in_every_mode(|server| {
        let ids = ["1", "2", "3"].map(|data| server.publish("/topics/a", data));
        for transport in Transport::ALL {
            let both = transport.request("a", &ids[0]).field("Last-Event-ID", &ids[1]);
            let empty = transport.request("a", &ids[1]).field("Last-Event-ID", "");
            for request in [both, empty] {
                let first = match transport {
                    Transport::ShortPoll | Transport::LongPoll => server.request(&request).data().remove(0),
                    Transport::EventStream => server.event_stream(&request).data(),
                    Transport::WebSocket => {
                        let mut socket = server.web_socket(&request);
                        socket.hello();
                        socket.event().data
                    }
                };
                assert_eq!(first, "3", "{transport:?}");
            }
        }
    });
}

#[test]
fn every_transport_accepts_ids_from_every_other() {
    in_every_mode(|server| {
        for first in Transport::ALL {
            for second in Transport::ALL {
                let topic = format!("{first:?}-{second:?}");
                let target = format!("/topics/{topic}");
                server.publish(&target, "1");
                server.publish(&target, "2");
                let before = follow(server, first, &topic, "start", 2);
                server.publish("/topics/other", "on another topic");
                let missed = ["3", "4"].map(|data| server.publish(&target, data));
                let after = follow(server, second, &topic, &before.events[1].id, 2);
                let ids = after.events.iter().map(|event| event.id.clone());
                assert!(ids.eq(missed) && after.gap.is_none(), "{topic}: {after:?}");
                assert_eq!(after.events.iter().map(|event| event.data.as_str()).collect::<String>(), "34");
            }
        }
    });
}

#[test]
fn the_id_at_which_a_follower_starts_also_resumes_on_every_transport() {
    in_every_mode(|server| {
        server.publish("/topics/a", "old");
        for first in Transport::ALL {
            // The client leaves before any event has arrived. A long poll with no wait gets an
            // empty response.
            let start = match first {
                Transport::LongPoll => server.request(&Request::get("/topics/a?since=now&wait=0")).next(),
                _ => follow(server, first, "a", "now", 0).first,
            };
            let missed = server.publish("/topics/a", "missed");
            for second in Transport::ALL {
                let followed = follow(server, second, "a", &start, 1);
                assert_eq!((&followed.events[0].id, followed.gap), (&missed, None), "{first:?}, {second:?}");
            }
        }
    });
}

#[test]
fn an_id_of_another_topic_is_a_position_in_this_one() {
    in_every_mode(|server| {
        server.publish("/topics/a", "1");
        let other = server.publish("/topics/b", "x");
        let id = server.publish("/topics/a", "2");
        for transport in Transport::ALL {
            let followed = follow(server, transport, "a", &other, 1);
            assert_eq!((&followed.events[0].id, followed.gap), (&id, None), "{transport:?}");
        }
    });
}
