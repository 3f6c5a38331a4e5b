//! Times, exact to a tick of 100 ms: nothing happens a tick too early, or more than one too late.

use barewire::server::Options;
use barewire::simulation::Peer;

use super::simulation::SimulatedServer;
use crate::harness::{Frame, Opcode, Request, masked_frame};

/// The time that each test sets, in seconds and in ticks of 100 ms.
const SECONDS: u32 = 7;
const TICKS: u32 = 10 * SECONDS;

/// Checks that sending one byte per second does not extend a time limit.
fn dribble(server: &mut SimulatedServer, peer: Peer, byte: &[u8]) {
    for _ in 1..SECONDS {
        server.simulation.send(peer, byte);
        server.pass(10);
    }
    server.simulation.send(peer, byte);
    server.assert_ends_in(10, peer);
}

#[test]
fn head_timeout() {
    let set = |options: &mut Options| options.head_timeout = SECONDS;
    let start = b"GET /health HTTP/1.1\r\nHost: x\r\nA: ";
    let mut server = SimulatedServer::with(set);
    let mut control = server.control_followers();
    // A silent client gets no response.
    let silent = server.connect();
    server.assert_ends_in(TICKS, silent);
    assert!(server.simulation.take(silent).is_empty());
    assert_eq!(server.ended("http", "idle"), 1);
    // The time starts with the first byte, on a new connection and after a response.
    let new = server.connect();
    server.pass(TICKS - 1);
    let kept = server.begin(&Request::get("/health"));
    assert_eq!(server.response(kept).status, 200);
    for peer in [new, kept] {
        server.simulation.send(peer, start);
        server.assert_ends_in(TICKS, peer);
        server.assert_refused(peer, 408);
    }
    let slow = server.connect();
    server.simulation.send(slow, start);
    dribble(&mut server, slow, b"a");
    server.assert_refused(slow, 408);
    // After a held poll the time starts with the poll's response.
    let held = server.begin(&Request::get("/topics/a?wait=60"));
    server.simulation.send(held, start);
    server.pass(TICKS + 10);
    server.publish("a", "x");
    assert_eq!(server.response(held).data(), ["x"]);
    server.assert_ends_in(TICKS, held);
    server.assert_refused(held, 408);
    assert_eq!((server.refused(408), server.ended("http", "request-timeout")), (4, 4));
    // A client that is in time gets its response.
    let in_time = server.connect();
    server.simulation.send(in_time, start);
    server.pass(TICKS - 1);
    server.simulation.send(in_time, b"b\r\n\r\n");
    assert_eq!(server.response(in_time).status, 200);
    server.pass(TICKS);
    assert!(!server.simulation.has_ended(in_time), "between two requests another time applies");
    server.assert_undisturbed(&mut control);
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
    let mut server = SimulatedServer::with(set);
    let mut control = server.control_followers();
    for start in &starts {
        let peer = server.connect();
        server.simulation.send(peer, start.as_bytes());
        // 100 (Continue) is an interim response.
        server.simulation.take(peer);
        server.assert_ends_in(TICKS, peer);
        server.assert_refused(peer, 408);
    }
    for start in [&starts[0], &starts[3]] {
        let peer = server.connect();
        server.simulation.send(peer, start.as_bytes());
        dribble(&mut server, peer, b"x");
        server.assert_refused(peer, 408);
    }
    assert_eq!((server.refused(408), server.ended("http", "request-timeout")), (7, 7));
    assert_eq!(server.metric("events_published_total"), 0);
    // The head has a separate time; the body's time starts at the end of the head.
    let in_time = server.connect();
    server.simulation.send(in_time, &starts[0].as_bytes()[..20]);
    server.pass(TICKS + 10);
    server.simulation.send(in_time, &starts[0].as_bytes()[20..]);
    server.pass(TICKS - 1);
    server.simulation.send(in_time, &[b'x'; 100]);
    server.response(in_time).id();
    server.assert_undisturbed(&mut control);
}

/// Asserts that the last frame that a WebSocket received is the one after the timeout of a message,
/// and that its connection has ended. Returns the frames before it.
fn assert_message_refused(server: &mut SimulatedServer, peer: Peer) -> Vec<Frame> {
    let payload =
        [&1008_u16.to_be_bytes()[..], b"the message did not arrive in time; send it faster"].concat();
    let mut frames = server.frames(peer);
    assert_eq!(frames.pop(), Some(Frame { opcode: Opcode::Close, payload }));
    assert!(server.simulation.has_ended(peer));
    frames
}

const TARGETS: [(&str, &str); 2] = [("/topics/a", "websocket"), ("/echo", "echo")];

#[test]
fn a_message_has_the_time_of_a_body() {
    let whole = masked_frame(true, Opcode::Binary, &[b'x'; 1000]);
    let first = masked_frame(false, Opcode::Binary, b"x");
    let ping = masked_frame(true, Opcode::Ping, b"x");
    // Incomplete input, and input that may follow it each second without completing it.
    let trickles: [(&[u8], Vec<u8>); 7] = [
        (&whole[..1], vec![]),
        (&whole[..20], b"x".to_vec()),
        (&whole[..20], vec![b'x'; 100]),
        (&ping[..1], vec![]),
        (&first, masked_frame(false, Opcode::Continuation, b"y")),
        (&first, masked_frame(false, Opcode::Continuation, b"")),
        (&first, ping.clone()),
    ];
    for (target, transport) in TARGETS {
        let mut server = SimulatedServer::with(|options| options.body_timeout = SECONDS);
        let mut control = server.control_followers();
        for (start, more) in &trickles {
            let peer = server.handshake(target);
            server.simulation.send(peer, start);
            server.assert_ends_in(TICKS, peer);
            assert!(assert_message_refused(&mut server, peer).is_empty());
            let peer = server.handshake(target);
            server.simulation.send(peer, start);
            dribble(&mut server, peer, more);
            let pongs = assert_message_refused(&mut server, peer);
            assert!(pongs.iter().all(|frame| frame.opcode == Opcode::Pong && *more == ping));
        }
        assert_eq!(server.ended(transport, "request-timeout"), 2 * trickles.len() as u64);
        assert_eq!((server.metric("events_published_total"), server.buffered()), (0, 0));
        server.assert_undisturbed(&mut control);
    }
}

#[test]
fn each_message_has_its_own_time() {
    let message = [
        masked_frame(false, Opcode::Text, b"a"),
        masked_frame(true, Opcode::Ping, b""),
        masked_frame(true, Opcode::Continuation, b"b"),
    ]
    .concat();
    for (target, transport) in TARGETS {
        let mut server = SimulatedServer::with(|options| options.body_timeout = SECONDS);
        let peer = server.handshake(target);
        for _ in 0..3 {
            // The rest of a message, and the first byte of the next.
            server.simulation.send(peer, &message[..1]);
            server.pass(TICKS - 1);
            server.simulation.send(peer, &[&message[1..], &message[..1]].concat());
            server.pass(TICKS - 1);
            server.simulation.send(peer, &message[1..]);
            assert_eq!(server.frames(peer).len(), 4, "two messages and two pongs");
            // No time applies between two messages.
            server.pass(2 * TICKS);
            assert!(!server.simulation.has_ended(peer));
        }
        // A control frame that arrives in parts has its own time, if no message has begun.
        let ping = masked_frame(true, Opcode::Ping, b"x");
        server.simulation.send(peer, &ping[..1]);
        server.pass(TICKS - 1);
        server.simulation.send(peer, &[&ping[1..], &message[..1]].concat());
        server.assert_ends_in(TICKS, peer);
        assert_eq!(assert_message_refused(&mut server, peer).len(), 1);
        assert_eq!((server.ended(transport, "request-timeout"), server.buffered()), (1, 0));
    }
}

#[test]
fn the_time_of_a_message_is_independent_of_the_other_times() {
    let whole = masked_frame(true, Opcode::Text, &[b'x'; 5000]);
    for (target, transport) in TARGETS {
        // Pings are sent in the meantime, and answered or not.
        let mut server = SimulatedServer::with(|options| {
            (options.body_timeout, options.ping_interval, options.pong_timeout) = (SECONDS, 2, 2 * SECONDS);
        });
        let peer = server.handshake(target);
        server.simulation.send(peer, &whole[..2000]);
        server.assert_ends_in(TICKS, peer);
        assert_eq!(assert_message_refused(&mut server, peer).len(), 1, "a ping");
        // Output is pending, and the peer reads some of it in each second.
        let mut server = SimulatedServer::with(|options| {
            (options.body_timeout, options.write_timeout) = (SECONDS, 2);
        });
        let peer = server.handshake(target);
        server.simulation.set_room(peer, 0);
        match target {
            "/echo" => server.send_message(peer, Opcode::Text, "x".repeat(1000)),
            _ => drop(server.publish("a", "x".repeat(1000))),
        }
        server.simulation.send(peer, &whole[..4000]);
        for _ in 0..SECONDS {
            server.pass(10);
            server.simulation.set_room(peer, 1);
        }
        server.pass(1);
        assert!(!server.simulation.has_ended(peer), "the close frame waits for the output before it");
        assert_eq!(server.ended(transport, "request-timeout"), 1);
        assert!(server.buffered() < 3000, "the message is no longer kept: {}", server.buffered());
        server.simulation.set_room(peer, usize::MAX);
        assert_eq!(assert_message_refused(&mut server, peer).len(), 1);
        // In the closing handshake, its own time applies.
        let mut server = SimulatedServer::with(|options| {
            (options.body_timeout, options.close_timeout) = (1, SECONDS);
        });
        let peer = server.handshake("/topics/a");
        server.send_message(peer, Opcode::Binary, "x");
        server.simulation.send(peer, &whole[..2000]);
        server.assert_ends_in(TICKS, peer);
        server.assert_close(peer, 1003);
    }
}

#[cfg(feature = "deflate")]
#[test]
fn a_compressed_message_has_the_time_of_a_body() {
    let frame = crate::compression::compressed_frame(&"again and again ".repeat(100));
    for (target, transport) in TARGETS {
        let mut server = SimulatedServer::with(|options| options.body_timeout = SECONDS);
        let request = Request::handshake(target).field("Sec-WebSocket-Extensions", "permessage-deflate");
        let (peer, _) = server.web_socket(&request);
        // On `/echo`, the server keeps the compression context between two messages.
        for _ in 0..2 {
            server.simulation.send(peer, &frame);
            assert_eq!(server.compressed_frames(peer).len(), 1);
            server.pass(2 * TICKS);
            assert!(!server.simulation.has_ended(peer));
        }
        server.simulation.send(peer, &frame[..frame.len() - 1]);
        server.pass(TICKS - 1);
        server.simulation.send(peer, &[&frame[frame.len() - 1..], &frame[..1]].concat());
        assert_eq!(server.compressed_frames(peer).len(), 1);
        server.assert_ends_in(TICKS, peer);
        assert!(assert_message_refused(&mut server, peer).is_empty());
        assert_eq!((server.ended(transport, "request-timeout"), server.buffered()), (1, 0));
    }
}

#[test]
fn idle_timeout() {
    let mut server = SimulatedServer::with(|options| options.idle_timeout = SECONDS);
    let mut control = server.control_followers();
    let peer = server.begin(&Request::get("/health"));
    // Each response restarts the time.
    for _ in 0..3 {
        assert_eq!(server.response(peer).status, 200);
        server.pass(TICKS - 1);
        assert!(!server.simulation.has_ended(peer));
        server.simulation.send(peer, &Request::get("/health").bytes());
    }
    assert_eq!(server.response(peer).status, 200);
    server.assert_ends_in(TICKS, peer);
    assert!(server.simulation.take(peer).is_empty());
    // A held poll is not idle.
    let poll = server.begin(&Request::get("/topics/a?wait=60"));
    server.pass(2 * TICKS);
    server.publish("a", "x");
    assert_eq!(server.response(poll).data(), ["x"]);
    server.assert_ends_in(TICKS, poll);
    assert_eq!(server.ended("http", "idle"), 2);
    server.assert_undisturbed(&mut control);
}

#[test]
fn write_timeout() {
    let set = |options: &mut Options| options.write_timeout = SECONDS;
    // The bytes that are pending for each peer when it has stopped reading, and the transport in
    // the metrics, unless the end is already counted.
    type Pending = fn(&mut SimulatedServer) -> Peer;
    let cases: [(Pending, Option<&str>); 6] = [
        (
            |server| {
                let (peer, _) = server.event_stream("/topics/a");
                server.simulation.set_room(peer, 0);
                server.publish("a", "x".repeat(1000));
                peer
            },
            Some("sse"),
        ),
        (
            |server| {
                let peer = server.handshake("/topics/a");
                server.simulation.set_room(peer, 0);
                server.publish("a", "x".repeat(1000));
                peer
            },
            Some("websocket"),
        ),
        (
            |server| {
                let peer = server.handshake("/echo");
                server.simulation.set_room(peer, 0);
                server.send_message(peer, Opcode::Text, "x".repeat(1000));
                peer
            },
            Some("echo"),
        ),
        (
            |server| {
                let peer = server.begin(&Request::get("/topics/a?wait=60"));
                server.simulation.set_room(peer, 0);
                server.publish("a", "x".repeat(1000));
                peer
            },
            Some("http"),
        ),
        (
            |server| {
                let peer = server.connect();
                server.simulation.set_room(peer, 0);
                server.simulation.send(peer, &Request::get("/metrics").bytes());
                peer
            },
            Some("http"),
        ),
        (
            |server| {
                let peer = server.connect();
                server.simulation.set_room(peer, 0);
                server.simulation.send(peer, &Request::get("/metrics").field("Connection", "close").bytes());
                peer
            },
            None,
        ),
    ];
    for (pending, transport) in cases {
        let mut server = SimulatedServer::with(set);
        let mut control = server.control_followers();
        let peer = pending(&mut server);
        server.assert_ends_in(TICKS, peer);
        assert!(server.simulation.take(peer).is_empty(), "the peer read nothing");
        if let Some(transport) = transport {
            assert_eq!(server.ended(transport, "write-timeout"), 1, "{transport}");
        }
        assert_eq!(
            (server.buffered(), server.simulation.connections()),
            (0, 2),
            "nothing of the connection remains"
        );
        server.assert_undisturbed(&mut control);
        // A peer that reads one byte within each timeout stays connected.
        let peer = pending(&mut server);
        for _ in 0..5 {
            server.pass(TICKS - 1);
            server.simulation.set_room(peer, 1);
        }
        assert_eq!(server.simulation.take(peer).len(), 5);
        server.assert_ends_in(TICKS, peer);
        let peer = pending(&mut server);
        server.pass(TICKS - 1);
        server.simulation.set_room(peer, usize::MAX);
        assert!(server.simulation.take(peer).len() >= 1000);
        server.pass(2 * TICKS);
        assert_eq!(server.simulation.has_ended(peer), transport.is_none());
    }
}

#[test]
fn close_timeout() {
    let mut server = SimulatedServer::with(|options| options.close_timeout = SECONDS);
    let mut control = server.control_followers();
    let open = |server: &mut SimulatedServer| {
        let peer = server.handshake("/topics/a");
        server.send_message(peer, Opcode::Binary, "x");
        server.assert_close(peer, 1003);
        peer
    };
    let peer = open(&mut server);
    server.assert_ends_in(TICKS, peer);
    // Messages that arrive after the server's close frame are ignored and not buffered.
    let peer = open(&mut server);
    for _ in 1..SECONDS {
        server.send_message(peer, Opcode::Text, "x");
        server.pass(10);
    }
    server.assert_ends_in(10, peer);
    let peer = open(&mut server);
    server.pass(TICKS - 1);
    server.send_message(peer, Opcode::Close, 1003_u16.to_be_bytes());
    assert!(server.simulation.has_ended(peer) && server.simulation.take(peer).is_empty());
    assert_eq!((server.ended("websocket", "violation"), server.ended("websocket", "pong-timeout")), (3, 0));
    assert_eq!(server.metric("events_published_total"), 0);
    server.assert_undisturbed(&mut control);
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
    let gone = |server: &mut SimulatedServer| server.simulation.connections() == 2;
    // Different ways in which the server closes its side.
    type Last = fn(&mut SimulatedServer) -> Peer;
    let cases: [Last; 6] = [
        |server| server.begin(&Request::get("/health").field("Connection", "close")),
        |server| server.begin(&Request::handshake("/echo").field("A", "").field("A", "")),
        |server| {
            let peer = server.begin(&Request::new("POST", "/topics/a").field("Content-Length", "1"));
            server.pass(10);
            peer
        },
        |server| {
            let peer = server.handshake("/echo");
            server.send_message(peer, Opcode::Close, "");
            peer
        },
        |server| {
            // The peer exceeds the memory limit.
            let peer = server.begin(&Request::new("POST", "/topics/a").field("Content-Length", "100000"));
            server.simulation.send(peer, &[b'x'; 60_000]);
            peer
        },
        |server| {
            let peer = server.handshake("/echo");
            server.simulation.send(peer, &masked_frame(true, Opcode::Text, &[b'x'; 70_000])[..60_000]);
            peer
        },
    ];
    for last in cases {
        let mut server = SimulatedServer::with(set);
        let mut control = server.control_followers();
        let peer = last(&mut server);
        assert!(server.simulation.has_ended(peer) && !server.simulation.take(peer).is_empty());
        server.assert_due(TICKS, gone);
        // Bytes that arrive in the meantime are discarded and do not extend the time.
        let peer = last(&mut server);
        server.simulation.take(peer);
        for _ in 1..SECONDS {
            server.simulation.send(peer, &Request::get("/health").bytes());
            server.pass(10);
        }
        server.assert_due(10, gone);
        assert!(server.simulation.take(peer).is_empty());
        let peer = last(&mut server);
        server.simulation.half_close(peer);
        assert!(gone(&mut server), "a peer that closes its side ends the wait");
        server.assert_undisturbed(&mut control);
    }
}

#[test]
fn drain_timeout() {
    let mut server = SimulatedServer::with(|options| options.drain_timeout = SECONDS);
    // One peer that does not answer the close, and one that reads nothing of its pending bytes.
    let socket = server.handshake("/topics/a");
    let (stream, _) = server.event_stream("/topics/a");
    server.simulation.set_room(stream, 0);
    server.publish("a", "x");
    assert!(!server.simulation.is_over());
    server.simulation.stop();
    server.assert_due(TICKS, |server| server.simulation.is_over());
    let frames = server.frames(socket);
    assert_eq!(frames.last().map(|close| &close.payload[..2]), Some(&1001_u16.to_be_bytes()[..]));

    // The drain ends earlier when all connections have ended.
    let mut server = SimulatedServer::with(|options| options.drain_timeout = SECONDS);
    let socket = server.handshake("/topics/a");
    server.simulation.stop();
    server.pass(TICKS - 1);
    assert!(!server.simulation.is_over());
    server.assert_close(socket, 1001);
    server.send_message(socket, Opcode::Close, 1001_u16.to_be_bytes());
    server.simulation.half_close(socket);
    assert!(server.simulation.is_over());
    // A second stop ends the server at once.
    let mut server = SimulatedServer::with(|options| options.drain_timeout = SECONDS);
    server.handshake("/topics/a");
    server.simulation.stop();
    assert!(!server.simulation.is_over());
    server.simulation.stop();
    assert!(server.simulation.is_over());
}
