//! How many topics, and what is kept of their events.

use barewire::server::{Options, Peer};

use super::stage::Stage;
use crate::harness::Request;

#[test]
fn max_topics() {
    let mut stage = Stage::with(|options| options.hub.topics = 3);
    for topic in ["a", "b", "c"] {
        stage.publish(topic, topic);
        stage.pass(1);
    }
    assert_eq!(stage.metric("topics"), 3);
    assert!(["a", "b", "c"].iter().all(|topic| stage.kept(topic) == [*topic]));
    // The longest unused one goes: `a`, had it not been used since.
    stage.publish("a", "again");
    stage.pass(1);
    let last_of_b = stage.ask(&Request::get("/topics/b")).next();
    stage.publish("d", "d");
    assert_eq!(stage.metric("topics"), 3);
    assert_eq!(stage.kept("a"), ["a", "again"]);
    assert_eq!(
        (stage.kept("b"), stage.kept("c"), stage.kept("d")),
        (vec![], vec!["c".into()], vec!["d".into()])
    );
    let lost = stage.ask(&Request::get(format!("/topics/b?since={last_of_b}")));
    assert_eq!(lost.json().get("gap"), None, "what is lost it has seen");

    // One that is followed does not go, on whatever transport.
    let (stream, _) = stage.event_stream("/topics/a");
    let poll = stage.begin(&Request::get("/topics/c?wait=60"));
    let socket = stage.handshake("/topics/d");
    for request in [
        Request::post("/topics/e", "x"),
        Request::post_lines("/topics/e", "x\ny"),
        Request::get("/topics/e?wait=60"),
        Request::handshake("/topics/e"),
    ] {
        let response = stage.ask(&request);
        response.assert_problem(503);
        assert!(response.get("Retry-After").is_some() && !response.ends());
    }
    let surplus = stage.begin(&Request::event_stream("/topics/e"));
    stage.assert_told_to_come_again(surplus);
    assert_eq!((stage.overloads("topics"), stage.refused(503)), (5, 4));
    let unknown = stage.ask(&Request::get("/topics/e"));
    assert!(unknown.status == 200 && unknown.data().is_empty(), "a short poll needs no topic");
    for (topic, data) in [("a", "1"), ("c", "2"), ("d", "3")] {
        stage.publish(topic, data);
    }
    assert!(stage.streamed(stream).0.ends_with("data: 1\n\n"));
    assert_eq!(stage.response(poll).data(), ["2"]);
    assert_eq!(stage.frames(socket).len(), 1);
    // The poll is answered, so its topic may go.
    stage.publish("e", "x");
    assert_eq!((stage.metric("topics"), stage.kept("c").len()), (3, 0));
}

/// A follower on each transport that is served at once: whatever is dropped, they have been given it.
struct Followers {
    stream: Peer,
    socket: Peer,
}

impl Followers {
    fn of(stage: &mut Stage) -> Followers {
        Followers { stream: stage.event_stream("/topics/a").0, socket: stage.handshake("/topics/a") }
    }

    /// Publishes, and each gets it.
    fn publish(&self, stage: &mut Stage, data: &str) -> String {
        let id = stage.publish("a", data);
        let (text, ended) = stage.streamed(self.stream);
        assert!(text == format!("id: {id}\ndata: {data}\n\n") && !ended, "{text:?}");
        let frames = stage.frames(self.socket);
        assert!(frames.len() == 1 && String::from_utf8_lossy(&frames[0].payload).contains(&id));
        id
    }
}

/// Whoever asks for what comes after `id` is told of a gap.
fn has_gap(stage: &mut Stage, id: &str) -> bool {
    let response = stage.ask(&Request::get(format!("/topics/a?since={id}")));
    response.json().get("gap").is_some()
}

#[test]
fn window_events() {
    // A window of N is kept to exactly, as long as a segment is one event; else it drops a segment when all that is left
    // is N.
    for (window, segment) in [(2, 1), (4, 1), (7, 1), (8, 2), (40, 10)] {
        let mut stage = Stage::with(|options| options.hub.window_events = window);
        let followers = Followers::of(&mut stage);
        let ids: Vec<String> =
            (0..window).map(|number| followers.publish(&mut stage, &number.to_string())).collect();
        assert_eq!(stage.kept("a").len(), window, "the window is granted");
        assert!(!has_gap(&mut stage, &ids[0]));
        for number in window..3 * window {
            followers.publish(&mut stage, &number.to_string());
            let kept = stage.kept("a");
            assert!((window..window + segment).contains(&kept.len()), "{} of {window}", kept.len());
            let oldest = number + 1 - kept.len();
            assert!(
                oldest.is_multiple_of(segment)
                    && kept[0] == oldest.to_string()
                    && kept.ends_with(&[number.to_string()])
            );
        }
        assert_eq!(stage.ended("sse", "too-slow") + stage.ended("websocket", "too-slow"), 0);
        assert!(has_gap(&mut stage, &ids[0]));
    }
    // The smallest: what followers are still to be given is kept for them until the next one comes.
    let mut stage = Stage::with(|options| options.hub.window_events = 1);
    for number in 0..3 {
        stage.publish("a", number.to_string());
        assert_eq!(stage.kept("a"), [number.to_string()]);
    }
    let followers = Followers::of(&mut stage);
    for number in 3..6 {
        followers.publish(&mut stage, &number.to_string());
        assert!((1..=2).contains(&stage.kept("a").len()));
    }
}

/// Publishes five events, each a segment of its own, with followers that read along. One more follower takes nothing.
fn five_events(set: impl FnOnce(&mut Options)) -> (Stage, Peer, Vec<String>) {
    let mut stage = Stage::with(|options| {
        options.hub.window_events = 7;
        set(options);
    });
    let followers = Followers::of(&mut stage);
    let (slow, _) = stage.event_stream("/topics/a");
    stage.server.set_room(slow, 10);
    let ids = (0..5).map(|number| followers.publish(&mut stage, &number.to_string().repeat(500))).collect();
    (stage, slow, ids)
}

#[test]
fn window_bytes() {
    let (mut stage, slow, ids) = five_events(|_| ());
    let all = stage.metric("log_bytes") as usize;
    assert!((2500..3500).contains(&all), "{all}");
    assert!(!has_gap(&mut stage, &ids[0]) && !stage.server.has_ended(slow));

    // As much as there is changes nothing.
    let (mut stage, slow, _) = five_events(|options| options.hub.window_bytes = all);
    assert_eq!((stage.metric("log_bytes") as usize, stage.kept("a").len()), (all, 5));
    stage.server.set_room(slow, usize::MAX);
    let (text, ended) = stage.streamed(slow);
    assert!(text.matches("data: ").count() == 5 && !ended);

    // One byte less, and the oldest event goes. Who has stood in it gets it to its end, and is ended.
    let (mut stage, slow, ids) = five_events(|options| options.hub.window_bytes = all - 1);
    assert!((stage.metric("log_bytes") as usize) < all);
    let kept = stage.kept("a");
    assert!(kept.len() == 4 && kept[0].starts_with('1'));
    stage.server.set_room(slow, usize::MAX);
    let (text, ended) = stage.streamed(slow);
    assert_eq!(text, format!("id: {}\ndata: {}\n\n", ids[0], "0".repeat(500)));
    assert!(ended && stage.server.has_ended(slow));
    assert_eq!((stage.metric("followers_too_slow_total"), stage.ended("sse", "too-slow")), (1, 1));
    // `start` begins with what is kept, and so does whoever has seen the first.
    assert!(!has_gap(&mut stage, &ids[0]));
    // Bytes are counted over all topics: another's event takes the room of the next.
    stage.publish("b", "x".repeat(500));
    assert!(stage.kept("a").len() == 3 && has_gap(&mut stage, &ids[0]));
}

#[test]
fn window_age() {
    // In tenths of a second; the window is looked at once a second.
    const AGE: u32 = 20;
    for start in 0..10 {
        let mut stage = Stage::with(|options| options.hub.window_age = Some(AGE));
        let followers = Followers::of(&mut stage);
        stage.pass(start);
        let first = followers.publish(&mut stage, "first");
        let mut age = 0;
        while stage.kept("a") == ["first"] {
            age += 1;
            assert!(age <= AGE + 10, "it has gone by then");
            stage.pass(1);
        }
        assert!(age > AGE, "an event of {age} tenths of a second may stay");
        assert!(stage.kept("a").is_empty() && stage.metric("log_bytes") == 0);
        assert!(!has_gap(&mut stage, &first), "what is lost it has seen");
        followers.publish(&mut stage, "second");
        assert_eq!(stage.kept("a"), ["second"]);
    }
    let mut stage = Stage::with(|_| ());
    stage.publish("a", "x");
    stage.pass(100_000);
    assert_eq!(stage.kept("a"), ["x"], "without the option events do not age");
}

/// Publishes three events, each a segment of its own, a tenth of a second apart, with a follower that reads along and
/// one that stands in the middle of the first event.
fn three_encodings(set: impl FnOnce(&mut Options)) -> (Stage, Peer, u64) {
    let mut stage = Stage::with(|options| {
        options.hub.window_events = 7;
        set(options);
    });
    let (reads, _) = stage.event_stream("/topics/a");
    let (slow, _) = stage.event_stream("/topics/a");
    stage.server.set_room(slow, 100);
    for number in 0..3 {
        let data = number.to_string().repeat(1000);
        let id = stage.publish("a", &data);
        assert_eq!(stage.streamed(reads), (format!("id: {id}\ndata: {data}\n\n"), false));
        stage.pass(1);
    }
    let encoded = stage.metric("encoded_bytes");
    (stage, slow, encoded)
}

#[test]
fn encoded_bytes() {
    let (mut stage, _, all) = three_encodings(|_| ());
    assert!((3000..8000).contains(&all), "{all}");
    // They are all counted anew each few seconds, which comes to the same.
    stage.pass(100);
    assert_eq!(stage.metric("encoded_bytes"), all);
    let bound = |bytes: u64| move |options: &mut Options| options.hub.encoded_bytes = bytes as usize;
    // As much as there is changes nothing.
    let (_, _, encoded) = three_encodings(bound(all));
    assert_eq!(encoded, all);
    // What was used last stays, however much it is: the newest event, and the one behind which its reader stood.
    let (_, _, last) = three_encodings(bound(1));
    assert!(last < all, "{last} of {all}");
    for most in [all - 1, last, 1] {
        let (mut stage, slow, encoded) = three_encodings(bound(most));
        // The longest unused ones go, down to three quarters.
        assert!(encoded <= last.max(most / 4 * 3), "{encoded} of {most}");
        // They are made anew when needed, byte for byte: for who begins, and for who stands in the middle of one.
        stage.server.set_room(slow, usize::MAX);
        let (text, ended) = stage.streamed(slow);
        let (_, first_block) = stage.event_stream("/topics/a?since=start");
        assert!(text.matches("data: ").count() == 3 && !ended, "{text:?}");
        assert!(first_block.ends_with(&text), "{first_block:?}");
        let kept = stage.kept("a");
        assert!(kept.len() == 3 && kept.iter().all(|data| data.len() == 1000));
    }
}
