//! Limits on the size and the number of frames of WebSocket messages, and on their compression.

use super::simulation::SimulatedServer;
#[cfg(feature = "deflate")]
use crate::harness::Request;
use crate::harness::{Frame, Opcode, masked_frame};

const N: usize = 1000;

#[test]
fn max_echo_bytes() {
    let whole = |length: usize| masked_frame(true, Opcode::Binary, &vec![b'x'; length]);
    let in_frames = |length: usize| {
        let last = masked_frame(true, Opcode::Continuation, &vec![b'x'; length - N / 2]);
        [masked_frame(false, Opcode::Binary, &[b'x'; N / 2]), last].concat()
    };
    let messages: [&dyn Fn(usize) -> Vec<u8>; 2] = [&whole, &in_frames];
    for message in messages {
        for step in [usize::MAX, 1] {
            // The limit for a topic's messages is a separate one.
            let mut server = SimulatedServer::with(|options| {
                (options.echo_bytes, options.policy.event_bytes) = (N, 10);
            });
            let mut control = server.control_followers();
            let peer = server.handshake("/echo");
            for _ in 0..2 {
                server.send_by(peer, &message(N), step);
                let echo = Frame { opcode: Opcode::Binary, payload: vec![b'x'; N] };
                assert_eq!(server.frames(peer), [echo]);
            }
            server.send_by(peer, &[message(N + 1), message(N)].concat(), step);
            server.assert_closed(peer, 1009);
            assert_eq!(server.ended("echo", "violation"), 1);
            server.assert_undisturbed(&mut control);
            assert_eq!(server.buffered(), 0);
        }
    }
    // The server checks the declared length as soon as the header has arrived, before the payload.
    let mut server = SimulatedServer::with(|options| options.echo_bytes = N);
    let peer = server.handshake("/echo");
    server.simulation.send(peer, &whole(N + 1)[..8]);
    server.assert_closed(peer, 1009);
    #[cfg(feature = "deflate")]
    for step in [usize::MAX, 1] {
        let mut server = SimulatedServer::with(|options| options.echo_bytes = N);
        let (peer, _) = server.web_socket(&offering("/echo"));
        server.send_by(peer, &compressed_frame(&"x".repeat(N)), step);
        assert_eq!(server.compressed_frames(peer).len(), 1);
        server.send_by(peer, &compressed_frame(&"x".repeat(N + 1)), step);
        server.assert_closed(peer, 1009);
    }
}

#[test]
fn max_message_frames() {
    const FRAMES: usize = 4;
    // Empty frames count as well.
    let message = |frames: usize, payload: &[u8]| {
        let mut bytes = masked_frame(false, Opcode::Text, payload);
        for _ in 2..frames {
            bytes.extend(masked_frame(false, Opcode::Continuation, payload));
            bytes.extend(masked_frame(true, Opcode::Pong, b"does not count"));
        }
        bytes.extend(masked_frame(true, Opcode::Continuation, b"x"));
        bytes
    };
    for (target, transport) in [("/topics/a", "websocket"), ("/echo", "echo")] {
        for payload in [&b""[..], b"x"] {
            for step in [usize::MAX, 1] {
                let mut server = SimulatedServer::with(|options| options.message_frames = FRAMES);
                let mut control = server.control_followers();
                let peer = server.handshake(target);
                for _ in 0..2 {
                    server.send_by(peer, &message(FRAMES, payload), step);
                    let frames = server.frames(peer);
                    assert!(frames.len() == 1 && frames[0].opcode == Opcode::Text, "{frames:?}");
                }
                server.send_by(peer, &message(FRAMES + 1, payload), step);
                server.assert_closed(peer, 1008);
                assert_eq!(server.ended(transport, "violation"), 1);
                server.assert_undisturbed(&mut control);
                assert_eq!(server.buffered(), 0);
            }
        }
    }
}

#[cfg(feature = "deflate")]
use crate::compression::compressed_frame;

#[cfg(feature = "deflate")]
fn offering(target: &str) -> Request {
    Request::handshake(target).field("Sec-WebSocket-Extensions", "permessage-deflate")
}

#[cfg(feature = "deflate")]
#[test]
fn max_echo_contexts() {
    let kept = |server: &mut SimulatedServer| {
        let (peer, head) = server.web_socket(&offering("/echo"));
        let response = head.get("Sec-WebSocket-Extensions").expect("an agreement").to_owned();
        assert_eq!(
            response.contains("server_no_context"),
            response.contains("client_no_context"),
            "{response}"
        );
        // With or without a kept context, messages are echoed.
        for _ in 0..2 {
            server.simulation.send(peer, &compressed_frame("again and again"));
            let frames = server.compressed_frames(peer);
            assert!(frames.len() == 1 && frames[0].0, "{frames:?}");
        }
        (peer, !response.contains("no_context_takeover"))
    };
    for most in [0, 2] {
        let mut server = SimulatedServer::with(|options| options.echo_contexts = most);
        let first: Vec<_> = (0..most).map(|_| kept(&mut server)).collect();
        assert!(first.iter().all(|(_, kept)| *kept));
        for _ in 0..2 {
            assert!(!kept(&mut server).1, "the limit of {most} contexts is reached");
        }
        // A connection that ends, in any way, frees its context for another.
        for (at, (peer, _)) in first.into_iter().enumerate() {
            match at {
                0 => server.simulation.reset(peer),
                _ => server.send_message(peer, Opcode::Close, 1000_u16.to_be_bytes()),
            }
            assert!(kept(&mut server).1 && !kept(&mut server).1);
        }
        // A client that requests no context takeover does not count.
        let alone = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
        let mut server = SimulatedServer::with(|options| options.echo_contexts = 1);
        let request = Request::handshake("/echo").field("Sec-WebSocket-Extensions", alone);
        server.web_socket(&request);
        assert!(kept(&mut server).1);
    }
}

#[cfg(feature = "deflate")]
#[test]
fn compress_from() {
    // In barewire.text a message is the bare data; in barewire.json it is the same object as in a
    // poll's response.
    for subprotocol in ["barewire.text", "barewire.json"] {
        let around = |id: &str| match subprotocol {
            "barewire.text" => 0,
            _ => format!("{{\"id\":\"{id}\",\"event\":\"message\",\"data\":\"\"}}").len(),
        };
        let set = |options: &mut barewire::server::Options| options.policy.compress_from = N;
        let mut server = SimulatedServer::with(set);
        // Ids have the same length while the sequence has one digit.
        let overhead = around(&server.publish("a", "x"));
        let (peer, _) =
            server.web_socket(&offering("/topics/a").field("Sec-WebSocket-Protocol", subprotocol));
        let (plain, _) =
            server.web_socket(&Request::handshake("/topics/a").field("Sec-WebSocket-Protocol", subprotocol));
        for (length, compressed) in [(N - 1, false), (N, true), (N + 1, true), (1 + overhead, false)] {
            server.publish("a", "x".repeat(length - overhead));
            let frames = server.frames(plain);
            assert!(frames.len() == 1 && frames[0].payload.len() == length);
            let frames = server.compressed_frames(peer);
            assert_eq!((frames.len(), frames[0].0), (1, compressed), "{length} bytes, {subprotocol}");
            assert_eq!(frames[0].1.payload.len() == length, !compressed);
        }
    }
}
