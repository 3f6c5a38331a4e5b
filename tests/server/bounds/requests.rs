//! Limits on the size of requests.

use barewire::server::Options;
use barewire::simulation::Peer;

use super::simulation::SimulatedServer;
use crate::harness::{Opcode, Request, masked_frame};

/// All bytes at once, and byte by byte.
const STEPS: [usize; 2] = [usize::MAX, 1];

/// Checks that one request is accepted and another is refused with this status. The control
/// followers lose nothing, and no bytes after the refused request are read as a request.
fn accepts_and_refuses(set: impl Fn(&mut Options) + Copy, accepted: &[u8], refused: &[u8], status: u16) {
    for step in STEPS {
        let mut server = SimulatedServer::with(set);
        let mut control = server.control_followers();
        let peer = server.connect();
        for _ in 0..2 {
            server.send_by(peer, accepted, step);
            let response = server.response(peer);
            assert!(matches!(response.status, 200 | 201), "{response:?} {}", response.text());
            assert!(!response.ends() && !server.simulation.has_ended(peer));
        }
        server.send_by(peer, &[refused, accepted].concat(), step);
        server.assert_refused(peer, status);
        assert_eq!((server.refused(status), server.ended("http", "refused")), (1, 1));
        server.assert_undisturbed(&mut control);
        assert_eq!(server.buffered(), 0, "nothing of the refused request is kept");
    }
}

/// Returns a publish in chunks of up to 100 bytes.
fn in_chunks(target: &str, length: usize) -> Vec<u8> {
    let data = vec![b'x'; length];
    Request::post_chunks(target, &data.chunks(100).collect::<Vec<_>>()).bytes()
}

const N: usize = 1000;

#[test]
fn max_event_bytes() {
    let set = |options: &mut Options| options.policy.event_bytes = N;
    let publish = |length| Request::post("/topics/a", "x".repeat(length)).bytes();
    accepts_and_refuses(set, &publish(N), &publish(N + 1), 413);
    accepts_and_refuses(set, &in_chunks("/topics/a", N), &in_chunks("/topics/a", N + 1), 413);
    // A declared length is refused before the body arrives, so a client that waits for 100 never
    // sends it.
    let head = |length: usize| {
        let post = Request::new("POST", "/topics/a").field("Content-Length", length.to_string());
        post.field("Expect", "100-continue").bytes()
    };
    let mut server = SimulatedServer::with(set);
    let peer = server.connect();
    server.simulation.send(peer, &head(N));
    assert_eq!(server.response(peer).status, 100);
    server.simulation.send(peer, &[b'x'; N]);
    assert_eq!(server.response(peer).status, 201);
    server.simulation.send(peer, &head(N + 1));
    server.assert_refused(peer, 413);

    // A line of a batch is an event too. The whole body has been read, so the connection stays
    // open.
    let lines = |length| Request::post_lines("/topics/a", ["x", &"x".repeat(length), "x"].join("\n"));
    assert_eq!(server.request(&lines(N)).ids().len(), 3);
    let refused = server.request(&lines(N + 1));
    refused.assert_problem(413);
    assert!(!refused.ends());
    assert_eq!(server.metric("events_published_total"), 1 + 3, "all or none");
    assert_eq!(server.kept("a").iter().map(String::len).max(), Some(N));

    for step in STEPS {
        for frames in [1, 2] {
            messages(set, step, &|length| message(length, frames), false);
        }
        #[cfg(feature = "deflate")]
        messages(set, step, &|length| crate::compression::compressed_frame(&"x".repeat(length)), true);
    }
}

/// Returns a text message in one frame or in two.
fn message(length: usize, frames: usize) -> Vec<u8> {
    let (first, second) = (vec![b'x'; length / 2], vec![b'x'; length - length / 2]);
    match frames {
        1 => masked_frame(true, Opcode::Text, &[first, second].concat()),
        _ => [masked_frame(false, Opcode::Text, &first), masked_frame(true, Opcode::Continuation, &second)]
            .concat(),
    }
}

/// Checks that a message of N bytes is published and one of N + 1 is closed with 1009.
/// `compressed`: with compression.
fn messages(set: impl Fn(&mut Options), step: usize, message: &dyn Fn(usize) -> Vec<u8>, compressed: bool) {
    let mut server = SimulatedServer::with(set);
    let mut control = server.control_followers();
    let mut handshake = Request::handshake("/topics/a");
    if compressed {
        handshake = handshake.field("Sec-WebSocket-Extensions", "permessage-deflate");
    }
    let (peer, head) = server.web_socket(&handshake);
    assert_eq!(head.get("Sec-WebSocket-Extensions").is_some(), compressed);
    for _ in 0..2 {
        server.send_by(peer, &message(N), step);
        assert_eq!(server.compressed_frames(peer).len(), 1, "the peer's own event");
    }
    server.send_by(peer, &[message(N + 1), message(1)].concat(), step);
    server.assert_closed(peer, 1009);
    assert!(server.kept("a").iter().map(String::len).eq([N, N]));
    assert_eq!(server.ended("websocket", "violation"), 1);
    server.assert_undisturbed(&mut control);
    assert_eq!(server.buffered(), 0);
}

#[test]
fn max_batch_bytes() {
    let set = |options: &mut Options| {
        options.policy.event_bytes = N / 2;
        options.policy.batch_bytes = N;
    };
    let lines = |length: usize| [vec![b'x'; N / 2], vec![b'\n'], vec![b'x'; length - N / 2 - 1]].concat();
    let publish = |length| Request::post_lines("/topics/a", lines(length)).bytes();
    accepts_and_refuses(set, &publish(N), &publish(N + 1), 413);
    let publish = |length| {
        let lines = lines(length);
        let request = Request::post_chunks("/topics/a", &lines.chunks(100).collect::<Vec<_>>());
        request.field("Content-Type", "application/x-ndjson").bytes()
    };
    accepts_and_refuses(set, &publish(N), &publish(N + 1), 413);
}

/// Returns a request whose head has that many bytes.
fn head(length: usize) -> Vec<u8> {
    let request = |pad| Request::get("/health").field("Pad", "x".repeat(pad)).bytes();
    request(length - request(0).len())
}

#[test]
fn max_head_bytes() {
    let set = |options: &mut Options| options.head.bytes = N;
    assert_eq!((head(N).len(), head(N + 1).len()), (N, N + 1));
    accepts_and_refuses(set, &head(N), &head(N + 1), 431);
    // An endless head is refused at the byte with which it exceeds the limit.
    for step in STEPS {
        let mut server = SimulatedServer::with(set);
        let peer = server.connect();
        let endless = head(2 * N);
        server.send_by(peer, &endless[..N - 1], step);
        assert!(server.simulation.take(peer).is_empty(), "the head may still end");
        server.simulation.send(peer, &endless[N - 1..N]);
        server.assert_refused(peer, 431);
    }
}

#[test]
fn max_request_line() {
    let set = |options: &mut Options| options.head.request_line = N;
    // The other parts of the line are `GET ` and ` HTTP/1.1`.
    let line = |length: usize| Request::get(format!("/health?{}", "x".repeat(length - 21))).bytes();
    assert_eq!(line(N).windows(2).position(|two| two == b"\r\n"), Some(N));
    accepts_and_refuses(set, &line(N), &line(N + 1), 414);
    for step in STEPS {
        let mut server = SimulatedServer::with(set);
        let peer = server.connect();
        let endless = line(2 * N);
        server.send_by(peer, &endless[..N], step);
        assert!(server.simulation.take(peer).is_empty(), "the line may still end");
        server.simulation.send(peer, &endless[N..=N]);
        server.assert_refused(peer, 414);
    }
}

#[test]
fn max_field_lines() {
    let set = |options: &mut Options| options.head.field_lines = 10;
    // One of the lines is Host.
    let lines =
        |count| (1..count).fold(Request::get("/health"), |request, _| request.field("A", "b")).bytes();
    accepts_and_refuses(set, &lines(10), &lines(11), 431);
    let mut server = SimulatedServer::with(set);
    let peer: Peer = server.connect();
    let request = lines(11);
    let tenth_ends = request.len() - b"A: b\r\n\r\n".len();
    server.simulation.send(peer, &request[..tenth_ends]);
    assert!(server.simulation.take(peer).is_empty());
    server.simulation.send(peer, b"A");
    server.assert_refused(peer, 431);
}
