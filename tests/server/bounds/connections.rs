//! How many connections, how much on each, and how fast.

use std::net::SocketAddr;

use barewire::server::Peer;

use super::stage::Stage;
use crate::harness::{Frame, Opcode, Request, masked_frame};

#[test]
fn max_connections() {
    let mut stage = Stage::with(|options| options.max_connections = 3);
    let mut witness = stage.witness();
    let observer = stage.connect();
    stage.server.send(observer, &Request::get("/health").bytes());
    assert_eq!(stage.response(observer).status, 200, "the third of three");
    for request in [Request::get("/topics/a"), Request::post("/topics/a", "x"), Request::handshake("/echo")] {
        let surplus = stage.begin(&request);
        let response = stage.response(surplus);
        response.assert_problem(503);
        assert!(response.ends() && response.get("Retry-After").is_some());
        assert!(stage.server.has_ended(surplus));
        stage.server.half_close(surplus);
    }
    let surplus = stage.begin(&Request::event_stream("/topics/a"));
    stage.assert_told_to_come_again(surplus);
    stage.server.half_close(surplus);
    // How the server is can be asked also now, once.
    let surplus = stage.begin(&Request::get("/health"));
    let response = stage.response(surplus);
    assert!(response.status == 200 && response.ends());
    stage.server.half_close(surplus);
    for (name, count) in [
        ("overload_refusals_total{reason=\"connections\"}", 4),
        ("requests_refused_total{status=\"503\"}", 3),
        ("connections_ended_total{transport=\"http\",reason=\"overload\"}", 5),
        ("connections", 3),
        ("events_published_total", 0),
    ] {
        assert_eq!(stage.metric_for(observer, name), count, "{name}");
    }
    stage.assert_unharmed(&mut witness);
    stage.server.half_close(observer);
    assert_eq!(stage.ask(&Request::get("/topics/a")).status, 200, "there is room again");
}

#[test]
fn max_per_address() {
    const N: usize = 2;
    /// How many more are told so. Whoever comes after them is let go of without a word.
    const TOLD: usize = 8;
    let mut stage = Stage::with(|options| options.connections_per_address = Some(N as u32));
    let mut witness = stage.witness();
    let connect = |stage: &mut Stage, address: &str| {
        let address: SocketAddr = address.parse().expect("an address and a port");
        stage.server.connect_from(Some(address))
    };
    let is_served = |stage: &mut Stage, visitor: Peer| {
        stage.server.send(visitor, &Request::get("/health").bytes());
        assert_eq!(stage.response(visitor).status, 200);
    };
    let addresses = ["192.0.2.1:1", "[::ffff:192.0.2.1]:2", "[2001:db8::1]:1", "[2001:db8::ffff:0:0:2]:1"];
    let first = addresses.map(|address| connect(&mut stage, address));
    first.iter().for_each(|visitor| is_served(&mut stage, *visitor));
    for address in ["192.0.2.1:3", "[2001:db8::3]:1"] {
        for request in [Request::get("/topics/a"), Request::event_stream("/topics/a")] {
            let surplus = connect(&mut stage, address);
            stage.server.send(surplus, &request.bytes());
            match request.bytes().windows(6).any(|six| six == b"stream") {
                true => stage.assert_told_to_come_again(surplus),
                false => {
                    let response = stage.response(surplus);
                    response.assert_problem(429);
                    assert!(response.ends() && response.get("Retry-After").is_some());
                }
            }
            assert!(stage.server.has_ended(surplus));
            stage.server.half_close(surplus);
        }
    }
    // Of those who say nothing as many are there as may be told.
    for _ in 0..TOLD {
        let silent = connect(&mut stage, "192.0.2.1:4");
        assert!(!stage.server.has_ended(silent));
    }
    let beyond = connect(&mut stage, "192.0.2.1:5");
    assert!(stage.server.has_ended(beyond) && stage.server.take(beyond).is_empty());
    let other = connect(&mut stage, "192.0.2.2:2");
    stage.server.reset(beyond);
    is_served(&mut stage, other);
    stage.server.half_close(other);
    assert_eq!((stage.overloads("address"), stage.ended("http", "overload")), (4 + 1, 4));
    // All others have room, and so has this one when one of its own has gone.
    for address in ["192.0.2.2:1", "[2001:db8:0:1::1]:1"] {
        let other = connect(&mut stage, address);
        is_served(&mut stage, other);
    }
    stage.server.half_close(first[2]);
    let again = connect(&mut stage, "[2001:db8::4]:1");
    is_served(&mut stage, again);
    first[..2].iter().for_each(|visitor| is_served(&mut stage, *visitor));
    stage.assert_unharmed(&mut witness);
}

#[test]
fn max_requests() {
    let set = |options: &mut barewire::server::Options| options.requests = Some(3);
    let health = Request::get("/health").bytes();
    for step in [usize::MAX, 1] {
        let mut stage = Stage::with(set);
        let mut witness = stage.witness();
        let visitor = stage.connect();
        stage.send_by(visitor, &health.repeat(4), step);
        let responses = stage.responses(visitor);
        assert!(responses.iter().all(|response| response.status == 200));
        assert!(responses.iter().map(|response| response.ends()).eq([false, false, true]));
        assert!(stage.server.has_ended(visitor));
        assert_eq!(stage.ended("http", "requests"), 1);
        stage.assert_unharmed(&mut witness);
    }
    // A long poll counts as one request, and may be the last.
    let mut stage = Stage::with(set);
    let visitor = stage.connect();
    stage.server.send(visitor, &[&health.repeat(2)[..], &Request::get("/topics/a?wait=60").bytes()].concat());
    assert_eq!(stage.responses(visitor).len(), 2);
    stage.publish("a", "x");
    let last = stage.response(visitor);
    assert!(last.data() == ["x"] && last.ends() && stage.server.has_ended(visitor));
    // The same of a WebSocket, which goes on for as long as it will.
    let visitor = stage.connect();
    stage.server.send(visitor, &[&health.repeat(2)[..], &Request::handshake("/echo").bytes()].concat());
    assert_eq!(stage.responses(visitor).last().map(|last| last.status), Some(101));
    for _ in 0..5 {
        stage.say(visitor, Opcode::Text, "x");
        assert_eq!(stage.frames(visitor), [Frame { opcode: Opcode::Text, payload: b"x".to_vec() }]);
    }
    assert_eq!(stage.ended("http", "requests"), 1);
}

#[test]
fn max_message_rate() {
    const N: usize = 5;
    for (target, transport) in [("/topics/a", "websocket"), ("/echo", "echo")] {
        for step in [usize::MAX, 1] {
            let mut stage = Stage::with(|options| options.messages_per_second = Some(N as u32));
            let mut witness = stage.witness();
            let visitor = stage.handshake(target);
            // A message counts once, in however many frames, and so does each frame between them that is a ping or a pong.
            let messages = [
                masked_frame(false, Opcode::Text, b"1"),
                masked_frame(true, Opcode::Ping, b""),
                masked_frame(false, Opcode::Continuation, b""),
                masked_frame(true, Opcode::Pong, b""),
                masked_frame(true, Opcode::Continuation, b""),
                masked_frame(true, Opcode::Text, b"2"),
                masked_frame(true, Opcode::Text, b"3"),
            ];
            // The clock starts with the second tenth of a second.
            for ticks in [9, 10, 10] {
                stage.pass(ticks);
                stage.send_by(visitor, &messages.concat(), step);
                let answers = stage.frames(visitor);
                assert_eq!(answers.len(), 4, "{answers:?}");
                assert!(!stage.server.has_ended(visitor));
            }
            stage.pass(9);
            let more = masked_frame(true, Opcode::Text, b"more");
            stage.send_by(visitor, &more.repeat(2), step);
            stage.assert_closed(visitor, 1008);
            assert_eq!(stage.ended(transport, "rate"), 1);
            if target == "/topics/a" {
                assert_eq!(stage.kept("a").len(), 9, "what was too much is not published");
            }
            stage.assert_unharmed(&mut witness);
        }
    }
}

#[test]
fn max_outbox_bytes() {
    // As long as nothing of the answers is taken, so many requests are read whose answers have less than N bytes together.
    let publish = Request::post("/topics/a", "x").bytes();
    let answer = {
        let mut stage = Stage::with(|_| ());
        let visitor = stage.connect();
        stage.server.send(visitor, &publish);
        stage.server.take(visitor).len()
    };
    for (most, read) in [(3 * answer, 3), (3 * answer + 1, 4), (1, 1)] {
        for step in [usize::MAX, publish.len(), 1] {
            let mut stage = Stage::with(|options| options.outbox_bytes = most);
            let mut witness = stage.witness();
            let visitor = stage.connect();
            stage.server.set_room(visitor, 0);
            stage.send_by(visitor, &publish.repeat(9), step);
            assert_eq!(stage.kept("a").len(), read, "bound {most}, step {step}");
            stage.assert_unharmed(&mut witness);
            // The first byte that is taken makes room for one more, if it is the one that is missing.
            stage.server.set_room(visitor, 1);
            assert_eq!(
                stage.kept("a").len(),
                read + usize::from(most % answer == 0),
                "bound {most}, step {step}"
            );
            stage.server.set_room(visitor, usize::MAX);
            let responses = stage.responses(visitor);
            assert!(responses.len() == 9 && responses.iter().all(|response| response.status == 201));
            assert_eq!(stage.kept("a").len(), 9, "all are answered, in the end");
        }
    }
    // An echo is a message and the header of its frame.
    let message = [b'x'; 98];
    for (most, read) in [(300, 3), (301, 4)] {
        let mut stage = Stage::with(|options| options.outbox_bytes = most);
        let visitor = stage.handshake("/echo");
        stage.server.set_room(visitor, 0);
        let received = |stage: &mut Stage, started: u64| {
            // What asks is a request of its own.
            stage.metric("received_bytes_total") - started
        };
        let asking = stage.metric("received_bytes_total");
        let asking = stage.metric("received_bytes_total") - asking;
        let started = stage.metric("received_bytes_total");
        for _ in 0..9 {
            stage.say(visitor, Opcode::Binary, message);
        }
        let frame = masked_frame(true, Opcode::Binary, &message).len() as u64;
        assert_eq!(received(&mut stage, started) - asking, read * frame);
        stage.server.set_room(visitor, usize::MAX);
        assert_eq!(
            stage.frames(visitor),
            vec![Frame { opcode: Opcode::Binary, payload: message.to_vec() }; 9]
        );
    }
}
