//! Topics: their names, their creation, and their number.

use barewire::server::Options;

use crate::harness::{Request, Server, eventually, in_every_mode, in_every_mode_with};

fn at_most(topics: usize) -> impl Fn(&mut Options) {
    move |options| options.hub.topics = topics
}

#[test]
fn a_name_has_1_to_64_allowed_characters() {
    in_every_mode(|server| {
        let longest = "n".repeat(64);
        for name in ["a", "A-Z.a_z~0-9", "..", &longest] {
            server.publish(&format!("/topics/{name}"), name);
            assert_eq!(server.request(&Request::get(format!("/topics/{name}"))).data(), [name]);
        }
        let too_long = "n".repeat(65);
        for name in ["", "a/b", "a%2Fb", "a%20b", "a+b", "%C3%A4", "%", "%6", "a%00", "a:b", &too_long] {
            for request in
                [Request::get(format!("/topics/{name}")), Request::post(format!("/topics/{name}"), "x")]
            {
                let response = server.request(&request);
                assert!(matches!(response.status, 400 | 404), "{name:?}: {response:?}");
            }
        }
    });
}

#[test]
fn a_percent_encoded_name_is_the_same_name() {
    in_every_mode(|server| {
        server.publish("/topics/%61%7e", "x");
        assert_eq!(server.request(&Request::get("/topics/a~")).data(), ["x"]);
        assert_eq!(server.request(&Request::get("/topics/a%7E")).data(), ["x"]);
    });
}

#[test]
fn a_short_poll_or_a_head_of_an_unknown_topic_stores_nothing() {
    in_every_mode(|server| {
        assert_eq!(server.request(&Request::get("/topics/a")).data(), [""; 0]);
        assert_eq!(server.request(&Request::head("/topics/b?wait=5")).status, 200);
        assert_eq!(
            server.request(&Request::head("/topics/c").field("Accept", "text/event-stream")).status,
            200
        );
        assert_eq!(server.metric("barewire_topics"), 0);
    });
}

#[test]
fn a_topic_is_created_by_the_first_publish_or_follower() {
    in_every_mode(|server| {
        server.publish("/topics/published", "x");
        assert_eq!(server.metric("barewire_topics"), 1);
        let poll = server.begin(&Request::get("/topics/polled?wait=60"));
        server.await_metric("barewire_topics", 2);
        let _stream = server.event_stream(&Request::event_stream("/topics/streamed"));
        assert_eq!(server.metric("barewire_topics"), 3);
        let _socket = server.web_socket(&Request::handshake("/topics/socket"));
        assert_eq!(server.metric("barewire_topics"), 4);
        drop(poll);
    });
}

#[test]
fn at_the_limit_the_topic_unused_longest_without_followers_is_evicted() {
    in_every_mode_with(at_most(3), |server| {
        let _stream = server.event_stream(&Request::event_stream("/topics/followed"));
        server.publish("/topics/followed", "x");
        server.publish("/topics/old", "x");
        server.publish("/topics/new", "x");
        // The clock has a resolution of 100 ms. Two topics used in the same tick are equally old,
        // and either may be evicted.
        server.publish("/topics/newest", "x");
        assert_eq!(server.metric("barewire_topics"), 3);
        for kept in ["followed", "newest"] {
            assert_eq!(server.request(&Request::get(format!("/topics/{kept}"))).data(), ["x"], "{kept}");
        }
        let left = ["old", "new"]
            .map(|topic| server.request(&Request::get(format!("/topics/{topic}"))).data().len());
        assert_eq!(left.iter().sum::<usize>(), 1);
    });
}

#[test]
fn if_no_topic_can_be_evicted_a_new_one_is_503_and_for_an_event_stream_200_with_a_retry() {
    in_every_mode_with(at_most(1), |server| {
        let _stream = server.event_stream(&Request::event_stream("/topics/a"));
        for request in [
            Request::post("/topics/b", "x"),
            Request::post_lines("/topics/b", "x\ny"),
            Request::get("/topics/b?wait=60"),
            Request::handshake("/topics/b"),
        ] {
            let response = server.request(&request);
            response.assert_problem(503);
            let seconds = response.get("Retry-After").expect("a Retry-After");
            assert!(seconds.parse::<u32>().is_ok(), "{seconds}");
        }
        let mut refused = server.event_stream(&Request::event_stream("/topics/b"));
        let block = refused.block().expect("one block");
        assert_eq!((block.len(), block[0].0.as_str()), (1, "retry"));
        assert!(block[0].1.parse::<u32>().is_ok(), "{block:?}");
        assert_eq!(refused.block(), None);
        assert!(refused.is_complete);
        // The existing topic still works.
        server.publish("/topics/a", "x");
        assert_eq!(server.request(&Request::get("/topics/b")).data(), [""; 0]);
    });
}

#[test]
fn a_follower_does_not_replace_a_topic_with_events_and_a_publish_does() {
    in_every_mode_with(at_most(2), |server| {
        server.publish("/topics/a", "x");
        server.publish("/topics/b", "x");
        for request in [Request::get("/topics/c?wait=0"), Request::handshake("/topics/c")] {
            server.request(&request).assert_problem(503);
        }
        let mut refused = server.event_stream(&Request::event_stream("/topics/c"));
        assert_eq!(refused.block().expect("one block")[0].0, "retry");
        assert_eq!(refused.block(), None);
        for kept in ["a", "b"] {
            assert_eq!(server.request(&Request::get(format!("/topics/{kept}"))).data(), ["x"]);
        }
        server.publish("/topics/c", "y");
        assert_eq!(server.request(&Request::get("/topics/c")).data(), ["y"]);
        assert_eq!(server.metric("barewire_topics"), 2);
    });
}

#[test]
fn a_freed_topic_makes_room_for_a_new_one() {
    let server = Server::with(at_most(1));
    let stream = server.event_stream(&Request::event_stream("/topics/a"));
    server.request(&Request::post("/topics/b", "x")).assert_problem(503);
    drop(stream);
    // Until the server notices the end of the connection, the response is 503.
    eventually(|| server.request(&Request::post("/topics/b", "x")).status == 201);
    assert_eq!(server.request(&Request::get("/topics/b")).data(), ["x"]);
}
