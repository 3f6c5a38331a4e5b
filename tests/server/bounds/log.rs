//! Limits on topics and on the events that they keep.

use barewire::server::Options;
use barewire::simulation::Peer;

use super::simulation::SimulatedServer;
use crate::harness::Request;

#[test]
fn max_topics() {
    let mut server = SimulatedServer::with(|options| options.hub.topics = 3);
    let mut ids = Vec::new();
    for topic in ["a", "b", "c"] {
        ids.push(server.publish(topic, topic));
        server.pass(1);
    }
    assert_eq!(server.metric("topics"), 3);
    // The topic that has been unused longest is evicted. That would be `a` without this publish,
    // and `c` without this poll.
    server.publish("a", "again");
    server.pass(1);
    assert_eq!(server.kept("b"), ["b"]);
    server.pass(1);
    server.publish("d", "d");
    assert_eq!(server.metric("topics"), 3);
    assert_eq!(server.kept("a"), ["a", "again"]);
    assert_eq!(
        (server.kept("b"), server.kept("c"), server.kept("d")),
        (vec!["b".into()], vec![], vec!["d".into()])
    );
    let last_of_c = &ids[2];
    let lost = server.request(&Request::get(format!("/topics/c?since={last_of_c}")));
    assert_eq!(lost.json().get("gap"), None, "the client has received everything that was lost");

    // A topic with followers is not evicted, whatever their transport.
    let (stream, _) = server.event_stream("/topics/a");
    let poll = server.begin(&Request::get("/topics/b?wait=60"));
    let socket = server.handshake("/topics/d");
    for request in [
        Request::post("/topics/e", "x"),
        Request::post_lines("/topics/e", "x\ny"),
        Request::get("/topics/e?wait=60"),
        Request::handshake("/topics/e"),
    ] {
        let response = server.request(&request);
        response.assert_problem(503);
        assert!(response.get("Retry-After").is_some() && !response.ends());
    }
    let surplus = server.begin(&Request::event_stream("/topics/e"));
    server.assert_retry_stream(surplus);
    assert_eq!((server.overloads("topics"), server.refused(503)), (5, 4));
    let unknown = server.request(&Request::get("/topics/e"));
    assert!(unknown.status == 200 && unknown.data().is_empty(), "a short poll needs no topic");
    for (topic, data) in [("a", "1"), ("b", "2"), ("d", "3")] {
        server.publish(topic, data);
    }
    assert!(server.streamed(stream).0.ends_with("data: 1\n\n"));
    assert_eq!(server.response(poll).data(), ["2"]);
    assert_eq!(server.frames(socket).len(), 1);
    // The poll has its response, so its topic may be evicted.
    server.publish("e", "x");
    assert_eq!((server.metric("topics"), server.kept("b").len()), (3, 0));
}

/// Requests that follow a topic and wait, which creates the topic.
fn waiting(topic: &str) -> [Request; 4] {
    let target = format!("/topics/{topic}");
    [
        Request::get(format!("{target}?wait=0")),
        Request::get(&target).field("Prefer", "wait=1"),
        Request::handshake(&target),
        Request::event_stream(&target),
    ]
}

#[test]
fn followers_do_not_remove_the_events_of_others() {
    let mut server = SimulatedServer::with(|options| options.hub.topics = 60);
    let topics: Vec<String> = (0..50).map(|number| format!("t{number}")).collect();
    for topic in &topics {
        server.publish(topic, topic);
    }
    // More followers of unknown topics than topics, all of them used later than the others.
    for number in 0..1030 {
        server.pass(1);
        for request in waiting(&format!("junk{number}")) {
            let peer = server.begin(&request);
            server.simulation.reset(peer);
        }
    }
    assert_eq!((server.metric("topics"), server.overloads("topics")), (60, 0));
    // Publishes to new topics replace the topics without events first.
    for number in 0..10 {
        server.publish(&format!("new{number}"), "x");
    }
    assert_eq!(server.metric("topics"), 60);
    for topic in &topics {
        assert_eq!(server.kept(topic), [topic.as_str()]);
    }
    // No topic is left that a follower may replace.
    let [poll, prefers, socket, stream] = waiting("junk");
    for request in [poll, prefers, socket] {
        let response = server.request(&request);
        response.assert_problem(503);
        assert!(response.get("Retry-After").is_some() && !response.ends());
    }
    let stream = server.begin(&stream);
    server.assert_retry_stream(stream);
    assert_eq!((server.overloads("topics"), server.metric("topics")), (4, 60));
    // Topics that exist are followed as ever, and a publish still creates a new one.
    let poll = server.begin(&Request::get("/topics/t7?wait=60"));
    server.publish("t7", "y");
    assert_eq!(server.response(poll).data(), ["y"]);
    server.publish("junk", "x");
    assert_eq!((server.kept("junk").len(), server.metric("topics")), (1, 60));
}

#[test]
fn a_short_poll_keeps_the_topic_and_creates_none() {
    let mut server = SimulatedServer::with(|options| options.hub.topics = 2);
    for topic in ["polled", "unused"] {
        server.publish(topic, topic);
        server.pass(1);
    }
    for request in [
        Request::get("/topics/polled"),
        Request::head("/topics/polled?wait=60"),
        Request::get("/topics/unknown"),
        Request::head("/topics/unknown?wait=60"),
        Request::head("/topics/unknown").field("Accept", "text/event-stream"),
    ] {
        let peer = server.begin(&request);
        assert!(server.simulation.take(peer).starts_with(b"HTTP/1.1 200 OK\r\n"));
    }
    assert_eq!(server.metric("topics"), 2);
    server.publish("new", "x");
    assert_eq!(server.kept("polled"), ["polled"]);
    assert!(server.kept("unused").is_empty());
}

/// A follower on each streaming transport that reads everything at once, and so receives every
/// event before it is dropped.
struct Followers {
    stream: Peer,
    socket: Peer,
}

impl Followers {
    fn of(server: &mut SimulatedServer) -> Followers {
        Followers { stream: server.event_stream("/topics/a").0, socket: server.handshake("/topics/a") }
    }

    /// Publishes an event and checks that each follower receives it.
    fn publish(&self, server: &mut SimulatedServer, data: &str) -> String {
        let id = server.publish("a", data);
        let (text, ended) = server.streamed(self.stream);
        assert!(text == format!("id: {id}\ndata: {data}\n\n") && !ended, "{text:?}");
        let frames = server.frames(self.socket);
        assert!(frames.len() == 1 && String::from_utf8_lossy(&frames[0].payload).contains(&id));
        id
    }
}

/// Returns whether a client that requests the events after `id` receives a gap.
fn has_gap(server: &mut SimulatedServer, id: &str) -> bool {
    let response = server.request(&Request::get(format!("/topics/a?since={id}")));
    response.json().get("gap").is_some()
}

#[test]
fn window_events() {
    // A window of N events is exact while a segment holds one event. Otherwise it drops a segment
    // only if N events remain.
    for (window, segment) in [(2, 1), (4, 1), (7, 1), (8, 2), (40, 10)] {
        let mut server = SimulatedServer::with(|options| options.hub.window_events = window);
        let followers = Followers::of(&mut server);
        let ids: Vec<String> =
            (0..window).map(|number| followers.publish(&mut server, &number.to_string())).collect();
        assert_eq!(server.kept("a").len(), window, "the whole window is available");
        assert!(!has_gap(&mut server, &ids[0]));
        for number in window..3 * window {
            followers.publish(&mut server, &number.to_string());
            let kept = server.kept("a");
            assert!((window..window + segment).contains(&kept.len()), "{} of {window}", kept.len());
            let oldest = number + 1 - kept.len();
            assert!(
                oldest.is_multiple_of(segment)
                    && kept[0] == oldest.to_string()
                    && kept.ends_with(&[number.to_string()])
            );
        }
        assert_eq!(server.ended("sse", "too-slow") + server.ended("websocket", "too-slow"), 0);
        assert!(has_gap(&mut server, &ids[0]));
    }
    // The smallest window: events that followers have yet to receive stay until the next one
    // arrives.
    let mut server = SimulatedServer::with(|options| options.hub.window_events = 1);
    for number in 0..3 {
        server.publish("a", number.to_string());
        assert_eq!(server.kept("a"), [number.to_string()]);
    }
    let followers = Followers::of(&mut server);
    for number in 3..6 {
        followers.publish(&mut server, &number.to_string());
        assert!((1..=2).contains(&server.kept("a").len()));
    }
}

/// Publishes five events, each in its own segment, with followers that read along. One more
/// follower reads nothing.
fn five_events(set: impl FnOnce(&mut Options)) -> (SimulatedServer, Peer, Vec<String>) {
    let mut server = SimulatedServer::with(|options| {
        options.hub.window_events = 7;
        set(options);
    });
    let followers = Followers::of(&mut server);
    let (slow, _) = server.event_stream("/topics/a");
    server.simulation.set_room(slow, 10);
    let ids = (0..5).map(|number| followers.publish(&mut server, &number.to_string().repeat(500))).collect();
    (server, slow, ids)
}

#[test]
fn window_bytes() {
    let (mut server, slow, ids) = five_events(|_| ());
    let all = server.metric("log_bytes") as usize;
    assert!((2500..3500).contains(&all), "{all}");
    assert!(!has_gap(&mut server, &ids[0]) && !server.simulation.has_ended(slow));

    // A limit equal to the used bytes changes nothing.
    let (mut server, slow, _) = five_events(|options| options.hub.window_bytes = all);
    assert_eq!((server.metric("log_bytes") as usize, server.kept("a").len()), (all, 5));
    server.simulation.set_room(slow, usize::MAX);
    let (text, ended) = server.streamed(slow);
    assert!(text.matches("data: ").count() == 5 && !ended);

    // With one byte less, the oldest event is dropped. The follower in the middle of it receives it
    // to its end and is then closed.
    let (mut server, slow, ids) = five_events(|options| options.hub.window_bytes = all - 1);
    assert!((server.metric("log_bytes") as usize) < all);
    let kept = server.kept("a");
    assert!(kept.len() == 4 && kept[0].starts_with('1'));
    server.simulation.set_room(slow, usize::MAX);
    let (text, ended) = server.streamed(slow);
    assert_eq!(text, format!("id: {}\ndata: {}\n\n", ids[0], "0".repeat(500)));
    assert!(ended && server.simulation.has_ended(slow));
    assert_eq!((server.metric("followers_too_slow_total"), server.ended("sse", "too-slow")), (1, 1));
    // `start` begins with the events that are kept, and so does a client that has received the
    // first one.
    assert!(!has_gap(&mut server, &ids[0]));
    // Bytes are counted over all topics: another topic's event displaces the next one here.
    server.publish("b", "x".repeat(500));
    assert!(server.kept("a").len() == 3 && has_gap(&mut server, &ids[0]));
}

#[test]
fn window_age() {
    // In ticks of 100 ms. The server checks ages once per second.
    const AGE: u32 = 20;
    for start in 0..10 {
        let mut server = SimulatedServer::with(|options| options.hub.window_age = Some(AGE));
        let followers = Followers::of(&mut server);
        server.pass(start);
        let first = followers.publish(&mut server, "first");
        let mut age = 0;
        while server.kept("a") == ["first"] {
            age += 1;
            assert!(age <= AGE + 10, "the event is gone by then");
            server.pass(1);
        }
        assert!(age > AGE, "an event that is {age} ticks old is kept");
        assert!(server.kept("a").is_empty() && server.metric("log_bytes") == 0);
        assert!(!has_gap(&mut server, &first), "the client has received everything that was lost");
        followers.publish(&mut server, "second");
        assert_eq!(server.kept("a"), ["second"]);
    }
    let mut server = SimulatedServer::with(|_| ());
    server.publish("a", "x");
    server.pass(100_000);
    assert_eq!(server.kept("a"), ["x"], "events do not expire without the option");
}

/// Publishes three events, each in its own segment, one tick apart, with one follower that reads
/// along and one in the middle of the first event.
fn three_encodings(set: impl FnOnce(&mut Options)) -> (SimulatedServer, Peer, u64) {
    let mut server = SimulatedServer::with(|options| {
        options.hub.window_events = 7;
        set(options);
    });
    let (reads, _) = server.event_stream("/topics/a");
    let (slow, _) = server.event_stream("/topics/a");
    server.simulation.set_room(slow, 100);
    for number in 0..3 {
        let data = number.to_string().repeat(1000);
        let id = server.publish("a", &data);
        assert_eq!(server.streamed(reads), (format!("id: {id}\ndata: {data}\n\n"), false));
        server.pass(1);
    }
    let encoded = server.metric("encoded_bytes");
    (server, slow, encoded)
}

#[test]
fn encoded_bytes() {
    let (mut server, _, all) = three_encodings(|_| ());
    assert!((3000..8000).contains(&all), "{all}");
    // The server counts them again every few seconds, with the same result.
    server.pass(100);
    assert_eq!(server.metric("encoded_bytes"), all);
    let bound = |bytes: u64| move |options: &mut Options| options.hub.encoded_bytes = bytes as usize;
    // A limit equal to the used bytes changes nothing.
    let (_, _, encoded) = three_encodings(bound(all));
    assert_eq!(encoded, all);
    // The encodings used last stay, whatever their size: that of the newest event, and that of the
    // previous event, which its reader used.
    let (_, _, last) = three_encodings(bound(1));
    assert!(last < all, "{last} of {all}");
    for most in [all - 1, last, 1] {
        let (mut server, slow, encoded) = three_encodings(bound(most));
        // The encodings unused longest are dropped, down to three quarters of the limit.
        assert!(encoded <= last.max(most / 4 * 3), "{encoded} of {most}");
        // They are encoded again when needed, byte for byte, for a new follower and for one in the
        // middle of an event.
        server.simulation.set_room(slow, usize::MAX);
        let (text, ended) = server.streamed(slow);
        let (_, first_block) = server.event_stream("/topics/a?since=start");
        assert!(text.matches("data: ").count() == 3 && !ended, "{text:?}");
        assert!(first_block.ends_with(&text), "{first_block:?}");
        let kept = server.kept("a");
        assert!(kept.len() == 3 && kept.iter().all(|data| data.len() == 1000));
    }
}
