//! How large a WebSocket message may be, in how many frames it may come, and what is spent on compressing it.

use super::stage::Stage;
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
            // The bound of a topic's messages is another.
            let mut stage = Stage::with(|options| {
                (options.echo_bytes, options.policy.event_bytes) = (N, 10);
            });
            let mut witness = stage.witness();
            let visitor = stage.handshake("/echo");
            for _ in 0..2 {
                stage.send_by(visitor, &message(N), step);
                let echo = Frame { opcode: Opcode::Binary, payload: vec![b'x'; N] };
                assert_eq!(stage.frames(visitor), [echo]);
            }
            stage.send_by(visitor, &[message(N + 1), message(N)].concat(), step);
            stage.assert_closed(visitor, 1009);
            assert_eq!(stage.ended("echo", "violation"), 1);
            stage.assert_unharmed(&mut witness);
            assert_eq!(stage.buffered(), 0);
        }
    }
    // What a header says is judged when it is there, and not when all of its payload has come.
    let mut stage = Stage::with(|options| options.echo_bytes = N);
    let visitor = stage.handshake("/echo");
    stage.server.send(visitor, &whole(N + 1)[..8]);
    stage.assert_closed(visitor, 1009);
    #[cfg(feature = "deflate")]
    for step in [usize::MAX, 1] {
        let mut stage = Stage::with(|options| options.echo_bytes = N);
        let (visitor, _) = stage.web_socket(&offering("/echo"));
        stage.send_by(visitor, &compressed_frame(&"x".repeat(N)), step);
        assert_eq!(stage.compressed_frames(visitor).len(), 1);
        stage.send_by(visitor, &compressed_frame(&"x".repeat(N + 1)), step);
        stage.assert_closed(visitor, 1009);
    }
}

#[test]
fn max_message_frames() {
    const FRAMES: usize = 4;
    // The first, and all behind it but the last, may be empty: they count.
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
                let mut stage = Stage::with(|options| options.message_frames = FRAMES);
                let mut witness = stage.witness();
                let visitor = stage.handshake(target);
                for _ in 0..2 {
                    stage.send_by(visitor, &message(FRAMES, payload), step);
                    let frames = stage.frames(visitor);
                    assert!(frames.len() == 1 && frames[0].opcode == Opcode::Text, "{frames:?}");
                }
                stage.send_by(visitor, &message(FRAMES + 1, payload), step);
                stage.assert_closed(visitor, 1008);
                assert_eq!(stage.ended(transport, "violation"), 1);
                stage.assert_unharmed(&mut witness);
                assert_eq!(stage.buffered(), 0);
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
    let kept = |stage: &mut Stage| {
        let (visitor, head) = stage.web_socket(&offering("/echo"));
        let answer = head.get("Sec-WebSocket-Extensions").expect("it is agreed on").to_owned();
        assert_eq!(answer.contains("server_no_context"), answer.contains("client_no_context"), "{answer}");
        // Whether it is kept or not, messages come back.
        for _ in 0..2 {
            stage.server.send(visitor, &compressed_frame("again and again"));
            let frames = stage.compressed_frames(visitor);
            assert!(frames.len() == 1 && frames[0].0, "{frames:?}");
        }
        (visitor, !answer.contains("no_context_takeover"))
    };
    for most in [0, 2] {
        let mut stage = Stage::with(|options| options.echo_contexts = most);
        let first: Vec<_> = (0..most).map(|_| kept(&mut stage)).collect();
        assert!(first.iter().all(|(_, kept)| *kept));
        for _ in 0..2 {
            assert!(!kept(&mut stage).1, "there are {most} already");
        }
        // Whoever goes, however it goes, leaves room for another.
        for (at, (visitor, _)) in first.into_iter().enumerate() {
            match at {
                0 => stage.server.reset(visitor),
                _ => stage.say(visitor, Opcode::Close, 1000_u16.to_be_bytes()),
            }
            assert!(kept(&mut stage).1 && !kept(&mut stage).1);
        }
        // One that asks for no window takes no one's room.
        let alone = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
        let mut stage = Stage::with(|options| options.echo_contexts = 1);
        let request = Request::handshake("/echo").field("Sec-WebSocket-Extensions", alone);
        stage.web_socket(&request);
        assert!(kept(&mut stage).1);
    }
}

#[cfg(feature = "deflate")]
#[test]
fn compress_from() {
    // A message of the subprotocol is its data; of the other it is what a poll has as an item.
    for subprotocol in ["barewire.text", "barewire.json"] {
        let around = |id: &str| match subprotocol {
            "barewire.text" => 0,
            _ => format!("{{\"id\":\"{id}\",\"event\":\"message\",\"data\":\"\"}}").len(),
        };
        let set = |options: &mut barewire::server::Options| options.policy.compress_from = N;
        let mut stage = Stage::with(set);
        // Ids have the same length for as long as the sequence has one digit.
        let overhead = around(&stage.publish("a", "x"));
        let (visitor, _) =
            stage.web_socket(&offering("/topics/a").field("Sec-WebSocket-Protocol", subprotocol));
        let (plain, _) =
            stage.web_socket(&Request::handshake("/topics/a").field("Sec-WebSocket-Protocol", subprotocol));
        for (length, compressed) in [(N - 1, false), (N, true), (N + 1, true), (1 + overhead, false)] {
            stage.publish("a", "x".repeat(length - overhead));
            let frames = stage.frames(plain);
            assert!(frames.len() == 1 && frames[0].payload.len() == length);
            let frames = stage.compressed_frames(visitor);
            assert_eq!((frames.len(), frames[0].0), (1, compressed), "{length} bytes, {subprotocol}");
            assert_eq!(frames[0].1.payload.len() == length, !compressed);
        }
    }
}
