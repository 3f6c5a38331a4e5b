//! How large a request may be.

use barewire::server::{Options, Peer};

use super::stage::Stage;
use crate::harness::{Opcode, Request, masked_frame};

/// Whole, and byte by byte.
const STEPS: [usize; 2] = [usize::MAX, 1];

/// What is granted, and what is refused with this status: the witness of both loses nothing, and nothing is read as a
/// request behind the one that was refused.
fn grants_and_refuses(set: impl Fn(&mut Options) + Copy, granted: &[u8], refused: &[u8], status: u16) {
    for step in STEPS {
        let mut stage = Stage::with(set);
        let mut witness = stage.witness();
        let visitor = stage.connect();
        for _ in 0..2 {
            stage.send_by(visitor, granted, step);
            let response = stage.response(visitor);
            assert!(matches!(response.status, 200 | 201), "{response:?} {}", response.text());
            assert!(!response.ends() && !stage.server.has_ended(visitor));
        }
        stage.send_by(visitor, &[refused, granted].concat(), step);
        stage.assert_refused(visitor, status);
        assert_eq!((stage.refused(status), stage.ended("http", "refused")), (1, 1));
        stage.assert_unharmed(&mut witness);
        assert_eq!(stage.buffered(), 0, "nothing is kept of what was refused");
    }
}

/// A publish in chunks of up to 100 bytes.
fn in_chunks(target: &str, length: usize) -> Vec<u8> {
    let data = vec![b'x'; length];
    Request::post_chunks(target, &data.chunks(100).collect::<Vec<_>>()).bytes()
}

const N: usize = 1000;

#[test]
fn max_event_bytes() {
    let set = |options: &mut Options| options.policy.event_bytes = N;
    let publish = |length| Request::post("/topics/a", "x".repeat(length)).bytes();
    grants_and_refuses(set, &publish(N), &publish(N + 1), 413);
    grants_and_refuses(set, &in_chunks("/topics/a", N), &in_chunks("/topics/a", N + 1), 413);
    // What was only declared is refused before it comes, and who waits for 100 never sends it.
    let head = |length: usize| {
        let post = Request::new("POST", "/topics/a").field("Content-Length", length.to_string());
        post.field("Expect", "100-continue").bytes()
    };
    let mut stage = Stage::with(set);
    let visitor = stage.connect();
    stage.server.send(visitor, &head(N));
    assert_eq!(stage.response(visitor).status, 100);
    stage.server.send(visitor, &[b'x'; N]);
    assert_eq!(stage.response(visitor).status, 201);
    stage.server.send(visitor, &head(N + 1));
    stage.assert_refused(visitor, 413);

    // A line among many is an event too. All of the body has been read, so the connection goes on.
    let lines = |length| Request::post_lines("/topics/a", ["x", &"x".repeat(length), "x"].join("\n"));
    assert_eq!(stage.ask(&lines(N)).ids().len(), 3);
    let refused = stage.ask(&lines(N + 1));
    refused.assert_problem(413);
    assert!(!refused.ends());
    assert_eq!(stage.metric("events_published_total"), 1 + 3, "all or none");
    assert_eq!(stage.kept("a").iter().map(String::len).max(), Some(N));

    for step in STEPS {
        for frames in [1, 2] {
            messages(set, step, &|length| message(length, frames), false);
        }
        #[cfg(feature = "deflate")]
        messages(set, step, &|length| crate::compression::compressed_frame(&"x".repeat(length)), true);
    }
}

/// A text message in one frame, or in two.
fn message(length: usize, frames: usize) -> Vec<u8> {
    let (first, second) = (vec![b'x'; length / 2], vec![b'x'; length - length / 2]);
    match frames {
        1 => masked_frame(true, Opcode::Text, &[first, second].concat()),
        _ => [masked_frame(false, Opcode::Text, &first), masked_frame(true, Opcode::Continuation, &second)]
            .concat(),
    }
}

/// A message of N bytes is published, and one of N + 1 is closed with 1009. `compressed`: that was agreed on.
fn messages(set: impl Fn(&mut Options), step: usize, message: &dyn Fn(usize) -> Vec<u8>, compressed: bool) {
    let mut stage = Stage::with(set);
    let mut witness = stage.witness();
    let mut handshake = Request::handshake("/topics/a");
    if compressed {
        handshake = handshake.field("Sec-WebSocket-Extensions", "permessage-deflate");
    }
    let (visitor, head) = stage.web_socket(&handshake);
    assert_eq!(head.get("Sec-WebSocket-Extensions").is_some(), compressed);
    for _ in 0..2 {
        stage.send_by(visitor, &message(N), step);
        assert_eq!(stage.compressed_frames(visitor).len(), 1, "its own event");
    }
    stage.send_by(visitor, &[message(N + 1), message(1)].concat(), step);
    stage.assert_closed(visitor, 1009);
    assert!(stage.kept("a").iter().map(String::len).eq([N, N]));
    assert_eq!(stage.ended("websocket", "violation"), 1);
    stage.assert_unharmed(&mut witness);
    assert_eq!(stage.buffered(), 0);
}

#[test]
fn max_batch_bytes() {
    let set = |options: &mut Options| {
        options.policy.event_bytes = N / 2;
        options.policy.batch_bytes = N;
    };
    let lines = |length: usize| [vec![b'x'; N / 2], vec![b'\n'], vec![b'x'; length - N / 2 - 1]].concat();
    let publish = |length| Request::post_lines("/topics/a", lines(length)).bytes();
    grants_and_refuses(set, &publish(N), &publish(N + 1), 413);
    let publish = |length| {
        let lines = lines(length);
        let request = Request::post_chunks("/topics/a", &lines.chunks(100).collect::<Vec<_>>());
        request.field("Content-Type", "application/x-ndjson").bytes()
    };
    grants_and_refuses(set, &publish(N), &publish(N + 1), 413);
}

/// A request whose head has so many bytes.
fn head(length: usize) -> Vec<u8> {
    let request = |pad| Request::get("/health").field("Pad", "x".repeat(pad)).bytes();
    request(length - request(0).len())
}

#[test]
fn max_head_bytes() {
    let set = |options: &mut Options| options.head.bytes = N;
    assert_eq!((head(N).len(), head(N + 1).len()), (N, N + 1));
    grants_and_refuses(set, &head(N), &head(N + 1), 431);
    // A head without end is refused with the byte after which it can't be one any more.
    for step in STEPS {
        let mut stage = Stage::with(set);
        let visitor = stage.connect();
        let endless = head(2 * N);
        stage.send_by(visitor, &endless[..N - 1], step);
        assert!(stage.server.take(visitor).is_empty(), "it may yet end");
        stage.server.send(visitor, &endless[N - 1..N]);
        stage.assert_refused(visitor, 431);
    }
}

#[test]
fn max_request_line() {
    let set = |options: &mut Options| options.head.request_line = N;
    // What stands around the target: `GET ` and ` HTTP/1.1`.
    let line = |length: usize| Request::get(format!("/health?{}", "x".repeat(length - 21))).bytes();
    assert_eq!(line(N).windows(2).position(|two| two == b"\r\n"), Some(N));
    grants_and_refuses(set, &line(N), &line(N + 1), 414);
    for step in STEPS {
        let mut stage = Stage::with(set);
        let visitor = stage.connect();
        let endless = line(2 * N);
        stage.send_by(visitor, &endless[..N], step);
        assert!(stage.server.take(visitor).is_empty(), "it may yet end");
        stage.server.send(visitor, &endless[N..=N]);
        stage.assert_refused(visitor, 414);
    }
}

#[test]
fn max_field_lines() {
    let set = |options: &mut Options| options.head.field_lines = 10;
    // One is Host.
    let lines =
        |count| (1..count).fold(Request::get("/health"), |request, _| request.field("A", "b")).bytes();
    grants_and_refuses(set, &lines(10), &lines(11), 431);
    let mut stage = Stage::with(set);
    let visitor: Peer = stage.connect();
    let request = lines(11);
    let tenth_ends = request.len() - b"A: b\r\n\r\n".len();
    stage.server.send(visitor, &request[..tenth_ends]);
    assert!(stage.server.take(visitor).is_empty());
    stage.server.send(visitor, b"A");
    stage.assert_refused(visitor, 431);
}
