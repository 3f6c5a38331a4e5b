//! Times, to the tenth of a second: nothing happens one too early, or more than one too late.

use barewire::server::{Options, Peer};

use super::stage::Stage;
use crate::harness::{Opcode, Request, masked_frame};

/// The time that a test sets, in seconds, and as long in tenths.
const SECONDS: u32 = 7;
const TICKS: u32 = 10 * SECONDS;

/// A byte a second does not hold what has to be there in time.
fn dribble(stage: &mut Stage, visitor: Peer, byte: &[u8]) {
    for _ in 1..SECONDS {
        stage.server.send(visitor, byte);
        stage.pass(10);
    }
    stage.server.send(visitor, byte);
    stage.assert_ends_in(10, visitor);
}

#[test]
fn head_timeout() {
    let set = |options: &mut Options| options.head_timeout = SECONDS;
    let start = b"GET /health HTTP/1.1\r\nHost: x\r\nA: ";
    let mut stage = Stage::with(set);
    let mut witness = stage.witness();
    // Who says nothing is told nothing.
    let silent = stage.connect();
    stage.assert_ends_in(TICKS, silent);
    assert!(stage.server.take(silent).is_empty());
    assert_eq!(stage.ended("http", "idle"), 1);
    // From the first byte on, on a new connection and behind an answer.
    let new = stage.connect();
    stage.pass(TICKS - 1);
    let kept = stage.begin(&Request::get("/health"));
    assert_eq!(stage.response(kept).status, 200);
    for visitor in [new, kept] {
        stage.server.send(visitor, start);
        stage.assert_ends_in(TICKS, visitor);
        stage.assert_refused(visitor, 408);
    }
    let slow = stage.connect();
    stage.server.send(slow, start);
    dribble(&mut stage, slow, b"a");
    stage.assert_refused(slow, 408);
    // Behind a held poll its time begins when that is answered.
    let held = stage.begin(&Request::get("/topics/a?wait=60"));
    stage.server.send(held, start);
    stage.pass(TICKS + 10);
    stage.publish("a", "x");
    assert_eq!(stage.response(held).data(), ["x"]);
    stage.assert_ends_in(TICKS, held);
    stage.assert_refused(held, 408);
    assert_eq!((stage.refused(408), stage.ended("http", "request-timeout")), (4, 4));
    // Who is in time is served.
    let in_time = stage.connect();
    stage.server.send(in_time, start);
    stage.pass(TICKS - 1);
    stage.server.send(in_time, b"b\r\n\r\n");
    assert_eq!(stage.response(in_time).status, 200);
    stage.pass(TICKS);
    assert!(!stage.server.has_ended(in_time), "between two requests the time is another");
    stage.assert_unharmed(&mut witness);
}

#[test]
fn body_timeout() {
    let set = |options: &mut Options| options.body_timeout = SECONDS;
    let post = "POST /topics/a HTTP/1.1\r\nHost: x\r\n";
    let starts = [
        format!("{post}Content-Length: 100\r\n\r\n"),
        format!("{post}Content-Length: 100\r\n\r\nabc"),
        format!("{post}Transfer-Encoding: chunked\r\n\r\n"),
        format!("{post}Transfer-Encoding: chunked\r\n\r\n60\r\nabc"),
        format!("{post}Content-Length: 100\r\nExpect: 100-continue\r\n\r\n"),
    ];
    let mut stage = Stage::with(set);
    let mut witness = stage.witness();
    for start in &starts {
        let visitor = stage.connect();
        stage.server.send(visitor, start.as_bytes());
        // 100 (Continue) is no answer yet.
        stage.server.take(visitor);
        stage.assert_ends_in(TICKS, visitor);
        stage.assert_refused(visitor, 408);
    }
    for start in [&starts[0], &starts[3]] {
        let visitor = stage.connect();
        stage.server.send(visitor, start.as_bytes());
        dribble(&mut stage, visitor, b"x");
        stage.assert_refused(visitor, 408);
    }
    assert_eq!((stage.refused(408), stage.ended("http", "request-timeout")), (7, 7));
    assert_eq!(stage.metric("events_published_total"), 0);
    // The head has a time of its own, from whose end this one begins.
    let in_time = stage.connect();
    stage.server.send(in_time, &starts[0].as_bytes()[..20]);
    stage.pass(TICKS + 10);
    stage.server.send(in_time, &starts[0].as_bytes()[20..]);
    stage.pass(TICKS - 1);
    stage.server.send(in_time, &[b'x'; 100]);
    stage.response(in_time).id();
    stage.assert_unharmed(&mut witness);
}

#[test]
fn idle_timeout() {
    let mut stage = Stage::with(|options| options.idle_timeout = SECONDS);
    let mut witness = stage.witness();
    let visitor = stage.begin(&Request::get("/health"));
    // Each answer begins it anew.
    for _ in 0..3 {
        assert_eq!(stage.response(visitor).status, 200);
        stage.pass(TICKS - 1);
        assert!(!stage.server.has_ended(visitor));
        stage.server.send(visitor, &Request::get("/health").bytes());
    }
    assert_eq!(stage.response(visitor).status, 200);
    stage.assert_ends_in(TICKS, visitor);
    assert!(stage.server.take(visitor).is_empty());
    // A poll that is held is not idle.
    let poll = stage.begin(&Request::get("/topics/a?wait=60"));
    stage.pass(2 * TICKS);
    stage.publish("a", "x");
    assert_eq!(stage.response(poll).data(), ["x"]);
    stage.assert_ends_in(TICKS, poll);
    assert_eq!(stage.ended("http", "idle"), 2);
    stage.assert_unharmed(&mut witness);
}

#[test]
fn write_timeout() {
    let set = |options: &mut Options| options.write_timeout = SECONDS;
    // What each is owed when it has stopped taking anything, and as what its end is counted, if not already.
    type Owed = fn(&mut Stage) -> Peer;
    let cases: [(Owed, Option<&str>); 6] = [
        (
            |stage| {
                let (visitor, _) = stage.event_stream("/topics/a");
                stage.server.set_room(visitor, 0);
                stage.publish("a", "x".repeat(1000));
                visitor
            },
            Some("sse"),
        ),
        (
            |stage| {
                let visitor = stage.handshake("/topics/a");
                stage.server.set_room(visitor, 0);
                stage.publish("a", "x".repeat(1000));
                visitor
            },
            Some("websocket"),
        ),
        (
            |stage| {
                let visitor = stage.handshake("/echo");
                stage.server.set_room(visitor, 0);
                stage.say(visitor, Opcode::Text, "x".repeat(1000));
                visitor
            },
            Some("echo"),
        ),
        (
            |stage| {
                let visitor = stage.begin(&Request::get("/topics/a?wait=60"));
                stage.server.set_room(visitor, 0);
                stage.publish("a", "x".repeat(1000));
                visitor
            },
            Some("http"),
        ),
        (
            |stage| {
                let visitor = stage.connect();
                stage.server.set_room(visitor, 0);
                stage.server.send(visitor, &Request::get("/metrics").bytes());
                visitor
            },
            Some("http"),
        ),
        (
            |stage| {
                let visitor = stage.connect();
                stage.server.set_room(visitor, 0);
                stage.server.send(visitor, &Request::get("/metrics").field("Connection", "close").bytes());
                visitor
            },
            None,
        ),
    ];
    for (owed, transport) in cases {
        let mut stage = Stage::with(set);
        let mut witness = stage.witness();
        let visitor = owed(&mut stage);
        stage.assert_ends_in(TICKS, visitor);
        assert!(stage.server.take(visitor).is_empty(), "it took nothing");
        if let Some(transport) = transport {
            assert_eq!(stage.ended(transport, "write-timeout"), 1, "{transport}");
        }
        assert_eq!((stage.buffered(), stage.server.connections()), (0, 2), "nothing of it is left");
        stage.assert_unharmed(&mut witness);
        // Whoever takes one byte in each such time gets all of it.
        let visitor = owed(&mut stage);
        for _ in 0..5 {
            stage.pass(TICKS - 1);
            stage.server.set_room(visitor, 1);
        }
        assert_eq!(stage.server.take(visitor).len(), 5);
        stage.assert_ends_in(TICKS, visitor);
        let visitor = owed(&mut stage);
        stage.pass(TICKS - 1);
        stage.server.set_room(visitor, usize::MAX);
        assert!(stage.server.take(visitor).len() >= 1000);
        stage.pass(2 * TICKS);
        assert_eq!(stage.server.has_ended(visitor), transport.is_none());
    }
}

#[test]
fn close_timeout() {
    let mut stage = Stage::with(|options| options.close_timeout = SECONDS);
    let mut witness = stage.witness();
    let open = |stage: &mut Stage| {
        let visitor = stage.handshake("/topics/a");
        stage.say(visitor, Opcode::Binary, "x");
        stage.assert_close(visitor, 1003);
        visitor
    };
    let visitor = open(&mut stage);
    stage.assert_ends_in(TICKS, visitor);
    // What it says meanwhile is of no use, and holds nothing.
    let visitor = open(&mut stage);
    for _ in 1..SECONDS {
        stage.say(visitor, Opcode::Text, "x");
        stage.pass(10);
    }
    stage.assert_ends_in(10, visitor);
    let visitor = open(&mut stage);
    stage.pass(TICKS - 1);
    stage.say(visitor, Opcode::Close, 1003_u16.to_be_bytes());
    assert!(stage.server.has_ended(visitor) && stage.server.take(visitor).is_empty());
    assert_eq!((stage.ended("websocket", "violation"), stage.ended("websocket", "pong-timeout")), (3, 0));
    assert_eq!(stage.metric("events_published_total"), 0);
    stage.assert_unharmed(&mut witness);
}

#[test]
fn linger() {
    let set = |options: &mut Options| {
        options.linger = SECONDS;
        options.buffered_bytes = 50_000;
        options.head.field_lines = 5;
        options.body_timeout = 1;
        options.policy.event_bytes = 100_000;
    };
    let gone = |stage: &mut Stage| stage.server.connections() == 2;
    // However the server has come to end its side.
    type Last = fn(&mut Stage) -> Peer;
    let cases: [Last; 6] = [
        |stage| stage.begin(&Request::get("/health").field("Connection", "close")),
        |stage| stage.begin(&Request::handshake("/echo").field("A", "").field("A", "")),
        |stage| {
            let visitor = stage.begin(&Request::new("POST", "/topics/a").field("Content-Length", "1"));
            stage.pass(10);
            visitor
        },
        |stage| {
            let visitor = stage.handshake("/echo");
            stage.say(visitor, Opcode::Close, "");
            visitor
        },
        |stage| {
            // It holds more than may be held.
            let visitor = stage.begin(&Request::new("POST", "/topics/a").field("Content-Length", "100000"));
            stage.server.send(visitor, &[b'x'; 60_000]);
            visitor
        },
        |stage| {
            let visitor = stage.handshake("/echo");
            stage.server.send(visitor, &masked_frame(true, Opcode::Text, &[b'x'; 70_000])[..60_000]);
            visitor
        },
    ];
    for last in cases {
        let mut stage = Stage::with(set);
        let mut witness = stage.witness();
        let visitor = last(&mut stage);
        assert!(stage.server.has_ended(visitor) && !stage.server.take(visitor).is_empty());
        stage.assert_due(TICKS, gone);
        // What it sends meanwhile is not read as anything, and gives it no more time.
        let visitor = last(&mut stage);
        stage.server.take(visitor);
        for _ in 1..SECONDS {
            stage.server.send(visitor, &Request::get("/health").bytes());
            stage.pass(10);
        }
        stage.assert_due(10, gone);
        assert!(stage.server.take(visitor).is_empty());
        let visitor = last(&mut stage);
        stage.server.half_close(visitor);
        assert!(gone(&mut stage), "who ends its side is not waited for");
        stage.assert_unharmed(&mut witness);
    }
}

#[test]
fn drain_timeout() {
    let mut stage = Stage::with(|options| options.drain_timeout = SECONDS);
    // One that does not answer its close, and one that takes nothing of what it is owed.
    let socket = stage.handshake("/topics/a");
    let (stream, _) = stage.event_stream("/topics/a");
    stage.server.set_room(stream, 0);
    stage.publish("a", "x");
    assert!(!stage.server.is_over());
    stage.server.stop();
    stage.assert_due(TICKS, |stage| stage.server.is_over());
    let frames = stage.frames(socket);
    assert_eq!(frames.last().map(|close| &close.payload[..2]), Some(&1001_u16.to_be_bytes()[..]));

    // It is over before, when all have ended.
    let mut stage = Stage::with(|options| options.drain_timeout = SECONDS);
    let socket = stage.handshake("/topics/a");
    stage.server.stop();
    stage.pass(TICKS - 1);
    assert!(!stage.server.is_over());
    stage.assert_close(socket, 1001);
    stage.say(socket, Opcode::Close, 1001_u16.to_be_bytes());
    stage.server.half_close(socket);
    assert!(stage.server.is_over());
    // And at once, when it is told so again.
    let mut stage = Stage::with(|options| options.drain_timeout = SECONDS);
    stage.handshake("/topics/a");
    stage.server.stop();
    assert!(!stage.server.is_over());
    stage.server.stop();
    assert!(stage.server.is_over());
}
