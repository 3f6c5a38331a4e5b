//! Limits on the number of connections, on the use of each, and on rates.

use std::net::SocketAddr;

use barewire::simulation::Peer;

use super::simulation::SimulatedServer;
use crate::harness::{Frame, Opcode, Request, masked_frame};

#[test]
fn max_connections() {
    let mut server = SimulatedServer::with(|options| options.max_connections = 3);
    let mut control = server.control_followers();
    let observer = server.connect();
    server.simulation.send(observer, &Request::get("/health").bytes());
    assert_eq!(server.response(observer).status, 200, "the third of three");
    for request in [Request::get("/topics/a"), Request::post("/topics/a", "x"), Request::handshake("/echo")] {
        let surplus = server.begin(&request);
        let response = server.response(surplus);
        response.assert_problem(503);
        assert!(response.ends() && response.get("Retry-After").is_some());
        assert!(server.simulation.has_ended(surplus));
        server.simulation.half_close(surplus);
    }
    let surplus = server.begin(&Request::event_stream("/topics/a"));
    server.assert_retry_stream(surplus);
    server.simulation.half_close(surplus);
    // A health check still gets its response, once.
    let surplus = server.begin(&Request::get("/health"));
    let response = server.response(surplus);
    assert!(response.status == 200 && response.ends());
    server.simulation.half_close(surplus);
    for (name, count) in [
        ("overload_refusals_total{reason=\"connections\"}", 4),
        ("requests_refused_total{status=\"503\"}", 3),
        ("connections_ended_total{transport=\"http\",reason=\"overload\"}", 5),
        ("connections", 3),
        ("events_published_total", 0),
    ] {
        assert_eq!(server.metric_for(observer, name), count, "{name}");
    }
    server.assert_undisturbed(&mut control);
    server.simulation.half_close(observer);
    assert_eq!(server.request(&Request::get("/topics/a")).status, 200, "there is room again");
}

#[test]
fn max_per_address() {
    const N: usize = 2;
    /// The number of excess connections that get a response. Further ones are closed without one.
    const REJECTED: usize = 8;
    let mut server = SimulatedServer::with(|options| options.connections_per_address = Some(N as u32));
    let mut control = server.control_followers();
    let connect = |server: &mut SimulatedServer, address: &str| {
        let address: SocketAddr = address.parse().expect("an address and a port");
        server.simulation.connect_from(Some(address))
    };
    let is_served = |server: &mut SimulatedServer, peer: Peer| {
        server.simulation.send(peer, &Request::get("/health").bytes());
        assert_eq!(server.response(peer).status, 200);
    };
    let addresses = ["192.0.2.1:1", "[::ffff:192.0.2.1]:2", "[2001:db8::1]:1", "[2001:db8::ffff:0:0:2]:1"];
    let first = addresses.map(|address| connect(&mut server, address));
    first.iter().for_each(|peer| is_served(&mut server, *peer));
    for address in ["192.0.2.1:3", "[2001:db8::3]:1"] {
        for request in [Request::get("/topics/a"), Request::event_stream("/topics/a")] {
            let surplus = connect(&mut server, address);
            server.simulation.send(surplus, &request.bytes());
            match request.bytes().windows(6).any(|six| six == b"stream") {
                true => server.assert_retry_stream(surplus),
                false => {
                    let response = server.response(surplus);
                    response.assert_problem(429);
                    assert!(response.ends() && response.get("Retry-After").is_some());
                }
            }
            assert!(server.simulation.has_ended(surplus));
            server.simulation.half_close(surplus);
        }
    }
    // That many silent excess connections stay open to receive the response.
    for _ in 0..REJECTED {
        let silent = connect(&mut server, "192.0.2.1:4");
        assert!(!server.simulation.has_ended(silent));
    }
    let beyond = connect(&mut server, "192.0.2.1:5");
    assert!(server.simulation.has_ended(beyond) && server.simulation.take(beyond).is_empty());
    let other = connect(&mut server, "192.0.2.2:2");
    server.simulation.reset(beyond);
    is_served(&mut server, other);
    server.simulation.half_close(other);
    assert_eq!((server.overloads("address"), server.ended("http", "overload")), (4 + 1, 4));
    // Other addresses still have room, and so does this one when one of its connections has gone.
    for address in ["192.0.2.2:1", "[2001:db8:0:1::1]:1"] {
        let other = connect(&mut server, address);
        is_served(&mut server, other);
    }
    server.simulation.half_close(first[2]);
    let again = connect(&mut server, "[2001:db8::4]:1");
    is_served(&mut server, again);
    first[..2].iter().for_each(|peer| is_served(&mut server, *peer));
    server.assert_undisturbed(&mut control);
}

#[test]
fn max_requests() {
    let set = |options: &mut barewire::server::Options| options.requests_per_connection = Some(3);
    let health = Request::get("/health").bytes();
    for step in [usize::MAX, 1] {
        let mut server = SimulatedServer::with(set);
        let mut control = server.control_followers();
        let peer = server.connect();
        server.send_by(peer, &health.repeat(4), step);
        let responses = server.responses(peer);
        assert!(responses.iter().all(|response| response.status == 200));
        assert!(responses.iter().map(|response| response.ends()).eq([false, false, true]));
        assert!(server.simulation.has_ended(peer));
        assert_eq!(server.ended("http", "requests"), 1);
        server.assert_undisturbed(&mut control);
    }
    // A long poll counts as one request, and may be the last.
    let mut server = SimulatedServer::with(set);
    let peer = server.connect();
    server
        .simulation
        .send(peer, &[&health.repeat(2)[..], &Request::get("/topics/a?wait=60").bytes()].concat());
    assert_eq!(server.responses(peer).len(), 2);
    server.publish("a", "x");
    let last = server.response(peer);
    assert!(last.data() == ["x"] && last.ends() && server.simulation.has_ended(peer));
    // A WebSocket handshake also counts as one request; the WebSocket then has no limit.
    let peer = server.connect();
    server.simulation.send(peer, &[&health.repeat(2)[..], &Request::handshake("/echo").bytes()].concat());
    assert_eq!(server.responses(peer).last().map(|last| last.status), Some(101));
    for _ in 0..5 {
        server.send_message(peer, Opcode::Text, "x");
        assert_eq!(server.frames(peer), [Frame { opcode: Opcode::Text, payload: b"x".to_vec() }]);
    }
    assert_eq!(server.ended("http", "requests"), 1);
}

#[test]
fn max_message_rate() {
    const N: usize = 5;
    for (target, transport) in [("/topics/a", "websocket"), ("/echo", "echo")] {
        for step in [usize::MAX, 1] {
            let mut server = SimulatedServer::with(|options| options.messages_per_second = Some(N as u32));
            let mut control = server.control_followers();
            let peer = server.handshake(target);
            // A message counts once, however many frames it has; each ping or pong between them
            // counts as well.
            let messages = [
                masked_frame(false, Opcode::Text, b"1"),
                masked_frame(true, Opcode::Ping, b""),
                masked_frame(false, Opcode::Continuation, b""),
                masked_frame(true, Opcode::Pong, b""),
                masked_frame(true, Opcode::Continuation, b""),
                masked_frame(true, Opcode::Text, b"2"),
                masked_frame(true, Opcode::Text, b"3"),
            ];
            // The simulated clock starts at the second tick of 100 ms.
            for ticks in [9, 10, 10] {
                server.pass(ticks);
                server.send_by(peer, &messages.concat(), step);
                let replies = server.frames(peer);
                assert_eq!(replies.len(), 4, "{replies:?}");
                assert!(!server.simulation.has_ended(peer));
            }
            server.pass(9);
            let more = masked_frame(true, Opcode::Text, b"more");
            server.send_by(peer, &more.repeat(2), step);
            server.assert_closed(peer, 1008);
            assert_eq!(server.ended(transport, "rate"), 1);
            if target == "/topics/a" {
                assert_eq!(server.kept("a").len(), 9, "messages above the rate are not published");
            }
            server.assert_undisturbed(&mut control);
        }
    }
}

#[test]
fn max_outbox_bytes() {
    // While the peer reads nothing, the server reads requests until their responses have at least N
    // bytes together.
    let publish = Request::post("/topics/a", "x").bytes();
    let response = {
        let mut server = SimulatedServer::with(|_| ());
        let peer = server.connect();
        server.simulation.send(peer, &publish);
        server.simulation.take(peer).len()
    };
    for (most, read) in [(3 * response, 3), (3 * response + 1, 4), (1, 1)] {
        for step in [usize::MAX, publish.len(), 1] {
            let mut server = SimulatedServer::with(|options| options.outbox_bytes = most);
            let mut control = server.control_followers();
            let peer = server.connect();
            server.simulation.set_room(peer, 0);
            server.send_by(peer, &publish.repeat(9), step);
            assert_eq!(server.kept("a").len(), read, "bound {most}, step {step}");
            server.assert_undisturbed(&mut control);
            // The first byte that the peer reads makes room for one more request, if one byte was
            // missing.
            server.simulation.set_room(peer, 1);
            assert_eq!(
                server.kept("a").len(),
                read + usize::from(most % response == 0),
                "bound {most}, step {step}"
            );
            server.simulation.set_room(peer, usize::MAX);
            let responses = server.responses(peer);
            assert!(responses.len() == 9 && responses.iter().all(|response| response.status == 201));
            assert_eq!(server.kept("a").len(), 9, "every request gets its response in the end");
        }
    }
    // An echo is a message plus the header of its frame.
    let message = [b'x'; 98];
    for (most, read) in [(300, 3), (301, 4)] {
        let mut server = SimulatedServer::with(|options| options.outbox_bytes = most);
        let peer = server.handshake("/echo");
        server.simulation.set_room(peer, 0);
        let received = |server: &mut SimulatedServer, started: u64| {
            // The request for the metrics counts as received bytes too.
            server.metric("received_bytes_total") - started
        };
        let asking = server.metric("received_bytes_total");
        let asking = server.metric("received_bytes_total") - asking;
        let started = server.metric("received_bytes_total");
        for _ in 0..9 {
            server.send_message(peer, Opcode::Binary, message);
        }
        let frame = masked_frame(true, Opcode::Binary, &message).len() as u64;
        assert_eq!(received(&mut server, started) - asking, read * frame);
        server.simulation.set_room(peer, usize::MAX);
        assert_eq!(server.frames(peer), vec![Frame { opcode: Opcode::Binary, payload: message.to_vec() }; 9]);
    }
}
