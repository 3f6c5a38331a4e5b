//! Server-Sent Events on the wire.

use crate::harness::{Block, Event, Request, in_every_mode, in_every_mode_with};

fn block(fields: &[(&str, &str)]) -> Option<Block> {
    Some(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
}

#[test]
fn the_head_prevents_caches_and_proxies_from_buffering_the_stream() {
    in_every_mode(|server| {
        let stream = server.event_stream(&Request::event_stream("/topics/a"));
        assert_eq!(stream.head.get("Cache-Control"), Some("no-store, no-transform"));
        assert_eq!(stream.head.get("X-Accel-Buffering"), Some("no"));
    });
}

#[test]
fn the_first_block_is_retry_and_id_without_data() {
    in_every_mode(|server| {
        let id = server.publish("/topics/a", "x");
        let mut stream = server.event_stream(&Request::event_stream("/topics/a"));
        let first = stream.block().expect("an immediate block");
        assert_eq!((first[0].0.as_str(), &first[1..]), ("retry", &block(&[("id", &id)]).expect("one")[..]));
    });
}

#[test]
fn an_event_has_id_event_and_data_and_message_omits_its_name() {
    in_every_mode(|server| {
        let mut stream = server.event_stream(&Request::event_stream("/topics/a"));
        stream.first_block();
        let id = server.publish("/topics/a", "plain");
        assert_eq!(stream.block(), block(&[("id", &id), ("data", "plain")]));
        let id = server.publish("/topics/a?event=message", "x");
        assert_eq!(stream.block(), block(&[("id", &id), ("data", "x")]));
        let id = server.publish("/topics/a?event=named", " a\n\nb: c\n");
        let lines = [("data", " a"), ("data", ""), ("data", "b: c"), ("data", "")];
        assert_eq!(stream.block(), block(&[&[("id", id.as_str()), ("event", "named")][..], &lines].concat()));
        let id = server.publish("/topics/a", "");
        assert_eq!(stream.block(), block(&[("id", &id), ("data", "")]));
    });
}

#[test]
fn a_silent_stream_gets_comments_as_heartbeats() {
    in_every_mode_with(
        |options| options.heartbeat = 1,
        |server| {
            let mut stream = server.event_stream(&Request::event_stream("/topics/a"));
            stream.first_block();
            for _ in 0..2 {
                let heartbeat = stream.block().expect("a comment before the end");
                assert!(heartbeat.iter().all(|(name, _)| name.is_empty()), "{heartbeat:?}");
            }
            server.publish("/topics/a", "x");
            assert_eq!(stream.data(), "x");
        },
    );
}

#[test]
fn in_http_1_0_the_stream_is_not_chunked_and_ends_with_the_connection() {
    in_every_mode(|server| {
        let request = Request::event_stream("/topics/a").http10().field("Connection", "keep-alive");
        let mut stream = server.event_stream(&request);
        stream.first_block();
        let published = ["1", "2\n3"].map(|data| {
            let id = server.publish("/topics/a", data);
            Event { id, event: "message".into(), data: data.into() }
        });
        assert_eq!([stream.event(), stream.event()], published.map(Some));
        server.stop();
        while let Some(block) = stream.block() {
            assert!(block.iter().all(|(name, _)| name == "retry"), "{block:?}");
        }
        assert!(stream.is_at_end());
    });
}

#[test]
fn all_followers_of_a_topic_receive_its_events_in_order() {
    in_every_mode(|server| {
        let stream = || server.event_stream(&Request::event_stream("/topics/a"));
        let mut streams: Vec<_> = (0..20).map(|_| stream()).collect();
        let mut other = server.event_stream(&Request::event_stream("/topics/b"));
        let lines: Vec<String> = (0..1000).map(|number| number.to_string()).collect();
        server.request(&Request::post_lines("/topics/a", lines.join("\n"))).ids();
        server.publish("/topics/b", "on b");
        for stream in &mut streams {
            assert!(lines.iter().all(|line| stream.data() == *line));
        }
        assert_eq!(other.data(), "on b", "no event of another topic");
    });
}
