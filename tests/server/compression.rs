//! permessage-deflate on a topic and on `/echo` (RFC 7692), with flate2 as the client's
//! implementation.

use barewire::server::Options;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};

use crate::harness::{Opcode, Request, Server, WebSocket, masked_frame};

/// The end of a compressed message, which is not sent (RFC 7692 §7.2.1).
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

fn offering(target: &str, offer: &str) -> Request {
    Request::handshake(target).field("Sec-WebSocket-Extensions", offer)
}

/// Returns whether the next frame is compressed, and its payload.
fn frame(socket: &mut WebSocket) -> (bool, Vec<u8>) {
    let connection = socket.connection();
    let start = connection.take(2).expect("a frame");
    assert!(start[0] == 0x81 || start[0] == 0xc1, "a text message: {:#x}", start[0]);
    let length = match start[1] {
        126 => {
            let length = connection.take(2).expect("two bytes of a length");
            usize::from(u16::from_be_bytes([length[0], length[1]]))
        }
        length @ ..126 => usize::from(length),
        other => panic!("the message is too long for this test: {other}"),
    };
    (start[0] == 0xc1, connection.take(length).expect("a payload"))
}

/// Inflates an independent message with a window of that many bits.
pub fn inflate(window_bits: u8, payload: &[u8]) -> String {
    let mut inflater = Decompress::new_with_window_bits(false, window_bits);
    let mut out = Vec::with_capacity(1 << 20);
    let input = [payload, &TAIL].concat();
    inflater.decompress_vec(&input, &mut out, FlushDecompress::Sync).expect("valid DEFLATE");
    assert_eq!(inflater.total_in(), input.len() as u64);
    String::from_utf8(out).expect("text")
}

fn deflate(data: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(data.len() + 64);
    let mut deflater = Compress::new(Compression::default(), false);
    deflater
        .compress_vec(data.as_bytes(), &mut out, FlushCompress::Sync)
        .expect("the buffer is large enough");
    assert!(out.ends_with(&TAIL));
    out.truncate(out.len() - TAIL.len());
    out
}

pub fn compressed_frame(data: &str) -> Vec<u8> {
    let mut frame = masked_frame(true, Opcode::Text, &deflate(data));
    frame[0] |= 0x40;
    frame
}

fn long(number: usize) -> String {
    (0..40).map(|line| format!("event {number}, line {line}\n")).collect()
}

#[test]
fn a_topic_agrees_to_compress_each_message_independently() {
    let server = Server::start();
    for (offer, response) in [
        ("permessage-deflate", "permessage-deflate; server_no_context_takeover; client_no_context_takeover"),
        (
            "permessage-deflate; server_max_window_bits=9",
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=9",
        ),
    ] {
        let socket = server.web_socket(&offering("/topics/a", offer));
        assert_eq!(socket.head.get("Sec-WebSocket-Extensions"), Some(response));
    }
    let socket = server.web_socket(&offering("/topics/a", "x-unknown"));
    assert_eq!(socket.head.get("Sec-WebSocket-Extensions"), None);
    server.request(&offering("/topics/a", "permessage-deflate;;")).assert_problem(400);
}

#[test]
fn one_event_is_compressed_for_every_window_and_subprotocol() {
    let server = Server::start();
    let wide = || offering("/topics/a", "permessage-deflate");
    let narrow = || offering("/topics/a", "permessage-deflate; server_max_window_bits=10");
    let text = |request: Request| request.field("Sec-WebSocket-Protocol", "barewire.text");
    let mut json_sockets = [(15, server.web_socket(&wide())), (9, server.web_socket(&narrow()))];
    let mut text_sockets = [(15, server.web_socket(&text(wide()))), (9, server.web_socket(&text(narrow())))];
    let mut plain = server.web_socket(&Request::handshake("/topics/a"));
    plain.hello();
    for (_, socket) in &mut json_sockets {
        let (compressed, hello) = frame(socket);
        assert!(!compressed && hello.starts_with(b"{\"next\""));
    }
    for number in 0..3 {
        let data = long(number);
        server.publish("/topics/a", &data);
        let event = plain.text();
        for (window_bits, socket) in &mut json_sockets {
            let (compressed, payload) = frame(socket);
            assert!(compressed && payload.len() < event.len() / 2, "{} of {}", payload.len(), event.len());
            assert_eq!(inflate(*window_bits, &payload), event);
        }
        for (window_bits, socket) in &mut text_sockets {
            let (compressed, payload) = frame(socket);
            assert!(compressed);
            assert_eq!(inflate(*window_bits, &payload), data);
        }
    }
}

#[test]
fn short_messages_and_those_that_would_grow_are_sent_uncompressed() {
    let server = Server::start();
    let text = offering("/topics/a", "permessage-deflate").field("Sec-WebSocket-Protocol", "barewire.text");
    let mut socket = server.web_socket(&text);
    // Pseudo-random letters, which no code shortens much.
    let mut state = 1_u32;
    let noise: String = (0..300)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            char::from_u32(0x4e00 + (state >> 17)).expect("a character of the first plane")
        })
        .collect();
    for data in ["short", &noise] {
        server.publish("/topics/a", data);
        let (compressed, payload) = frame(&mut socket);
        let received =
            if compressed { inflate(15, &payload) } else { String::from_utf8(payload).expect("text") };
        assert_eq!(received, data);
        assert!(!compressed || data != "short");
    }
}

#[test]
fn a_compressed_message_is_published_and_a_follower_resumes_among_compressed_events() {
    let server = Server::start();
    let mut socket = server.web_socket(&offering("/topics/a", "permessage-deflate"));
    frame(&mut socket);
    for number in 0..3 {
        socket.connection().send(compressed_frame(&long(number)));
        let (_, payload) = frame(&mut socket);
        assert!(inflate(15, &payload).contains(&format!("event {number}, line 39")));
    }
    let polled = server.request(&Request::get("/topics/a"));
    assert_eq!(polled.data(), [long(0), long(1), long(2)]);
    let after = &polled.events()[0].id;
    let again = offering(&format!("/topics/a?since={after}"), "permessage-deflate; server_max_window_bits=9");
    let mut socket = server.web_socket(&again);
    frame(&mut socket);
    for number in 1..3 {
        let (compressed, payload) = frame(&mut socket);
        assert!(compressed && inflate(9, &payload).contains(&format!("event {number}, line 0")));
    }
}

#[test]
fn compression_that_was_not_agreed_is_an_error() {
    let server = Server::start();
    let code = |request: &Request, bytes: &[u8]| {
        let mut socket = server.web_socket(request);
        if socket.head.get("Sec-WebSocket-Extensions").is_some() {
            frame(&mut socket);
        } else {
            socket.hello();
        }
        socket.connection().send(bytes);
        let close = socket.frame().expect("a close frame");
        assert_eq!(close.opcode, Opcode::Close);
        u16::from_be_bytes([close.payload[0], close.payload[1]])
    };
    let plain = Request::handshake("/topics/a");
    let agreed = offering("/topics/a", "permessage-deflate");
    assert_eq!(code(&plain, &compressed_frame("not agreed")), 1002);
    let mut ping = masked_frame(true, Opcode::Ping, b"");
    ping[0] |= 0x40;
    assert_eq!(code(&agreed, &ping), 1002);
    let mut junk = masked_frame(true, Opcode::Text, &[0xff; 20]);
    junk[0] |= 0x40;
    assert_eq!(code(&agreed, &junk), 1007);
    // About a hundred bytes that inflate to more than the limit of an event.
    assert_eq!(code(&agreed, &compressed_frame(&"x".repeat(100_000))), 1009);
}

#[test]
fn compression_can_be_disabled_and_echo_contexts_are_limited() {
    let off = |options: &mut Options| options.policy.compress = false;
    let server = Server::with(off);
    let socket = server.web_socket(&offering("/topics/a", "permessage-deflate"));
    assert_eq!(socket.head.get("Sec-WebSocket-Extensions"), None);

    let server = Server::with(|options| options.echo_contexts = 1);
    let echo = offering("/echo", "permessage-deflate");
    let first = server.web_socket(&echo);
    assert_eq!(first.head.get("Sec-WebSocket-Extensions"), Some("permessage-deflate"));
    let mut second = server.web_socket(&echo);
    let alone = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    assert_eq!(second.head.get("Sec-WebSocket-Extensions"), Some(alone));
    for _ in 0..2 {
        second.connection().send(compressed_frame(&long(7)));
        let (compressed, payload) = frame(&mut second);
        assert!(compressed);
        assert_eq!(inflate(15, &payload), long(7));
    }
}
