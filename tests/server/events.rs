//! Events and their ids.

use crate::harness::{Event, Request, Server, Transport, follow, in_every_mode};

#[test]
fn an_id_is_epoch_and_sequence_and_needs_no_escaping() {
    in_every_mode(|server| {
        let ids = [server.publish("/topics/a", "x"), server.publish("/topics/b", "x")];
        for id in &ids {
            let (epoch, sequence) = id.split_once('-').expect("a hyphen between the two");
            for part in [epoch, sequence] {
                assert!(!part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{id}");
            }
        }
        assert_ne!(ids[0], ids[1]);
    });
}

#[test]
fn each_run_of_the_server_has_its_own_epoch() {
    let ids = [Server::start().publish("/topics/a", "x"), Server::start().publish("/topics/a", "x")];
    assert_ne!(ids[0], ids[1]);
}

#[test]
fn an_event_is_the_same_on_all_four_transports() {
    in_every_mode(|server| {
        let mut published = Vec::new();
        for (event, data) in
            [("message", "plain"), ("greeting", "\"quoted\" \\ and \u{1f600}"), ("tab", "\t\u{1}\u{7f}")]
        {
            let id = server.publish(&format!("/topics/a?event={event}"), data);
            published.push(Event { id, event: event.into(), data: data.into() });
        }
        for transport in Transport::ALL {
            assert_eq!(follow(server, transport, "a", "start", 3).events, published, "{transport:?}");
        }
    });
}

#[test]
fn crlf_and_cr_become_lf_on_all_four_transports() {
    in_every_mode(|server| {
        server.publish("/topics/a", "a\r\nb\rc\nd\r\r\n\n\re");
        let ids = server.request(&Request::post_lines("/topics/a", "one\rtwo\r\nthree")).ids();
        assert_eq!(ids.len(), 2);
        server.publish("/topics/a", "\r");
        for transport in Transport::ALL {
            let events = follow(server, transport, "a", "start", 4).events;
            let data: Vec<&str> = events.iter().map(|event| event.data.as_str()).collect();
            assert_eq!(data, ["a\nb\nc\nd\n\n\n\ne", "one\ntwo", "three", "\n"], "{transport:?}");
        }
    });
}
