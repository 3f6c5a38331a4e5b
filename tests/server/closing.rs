//! The end of a WebSocket: the closing handshake in both directions, and protocol errors.

use crate::harness::{Frame, Opcode, Request, Server, WebSocket, in_every_mode, masked_frame};

/// Opens a WebSocket on a topic, whose first message has been read, and one on the echo.
fn both(server: &Server) -> [WebSocket; 2] {
    let mut follower = server.web_socket(&Request::handshake("/topics/a"));
    follower.hello();
    [follower, server.web_socket(&Request::handshake("/echo"))]
}

fn close_payload(code: u16, reason: &str) -> Vec<u8> {
    [&code.to_be_bytes()[..], reason.as_bytes()].concat()
}

#[test]
fn answers_a_close_with_its_code_and_ends_the_connection() {
    in_every_mode(|server| {
        for code in [1000, 1001, 1011, 3000, 4999] {
            for mut socket in both(server) {
                socket.send(Opcode::Close, close_payload(code, "reason"));
                assert_eq!(socket.close().0, code);
                assert!(socket.is_at_end());
            }
        }
        for mut socket in both(server) {
            socket.send(Opcode::Close, "");
            assert_eq!(socket.frame(), Some(Frame { opcode: Opcode::Close, payload: Vec::new() }));
            assert!(socket.is_at_end());
        }
    });
}

#[test]
fn answers_a_message_before_a_close_but_not_one_after_it() {
    let server = Server::start();
    let mut socket = server.web_socket(&Request::handshake("/echo"));
    let frames = [
        masked_frame(true, Opcode::Text, b"before"),
        masked_frame(true, Opcode::Close, &close_payload(1000, "")),
        masked_frame(true, Opcode::Text, b"after"),
    ];
    socket.connection().send(frames.concat());
    assert_eq!(socket.text(), "before");
    assert_eq!(socket.close().0, 1000);
    assert!(socket.is_at_end());
}

#[test]
fn closes_with_the_code_of_the_broken_rule() {
    in_every_mode(|server| {
        let unmasked = vec![0x81, 1, b'x'];
        let reserved_bit = [&[0xc1][..], &masked_frame(true, Opcode::Text, b"x")[1..]].concat();
        let reserved_opcode = [&[0x83][..], &masked_frame(true, Opcode::Text, b"x")[1..]].concat();
        let long_ping = masked_frame(true, Opcode::Ping, &[0; 126]);
        let inside =
            [masked_frame(false, Opcode::Text, b"a"), masked_frame(true, Opcode::Text, b"b")].concat();
        for (rule, bytes, code) in [
            ("not masked", unmasked, 1002),
            ("a reserved bit", reserved_bit, 1002),
            ("a reserved opcode", reserved_opcode, 1002),
            ("a long ping", long_ping, 1002),
            ("a ping in fragments", masked_frame(false, Opcode::Ping, b"x"), 1002),
            ("nothing to continue", masked_frame(true, Opcode::Continuation, b"x"), 1002),
            ("a message inside a message", inside, 1002),
            ("half a code", masked_frame(true, Opcode::Close, &[3]), 1002),
            (
                "a code that may not be sent",
                masked_frame(true, Opcode::Close, &close_payload(1005, "")),
                1002,
            ),
            ("a reason that is not UTF-8", masked_frame(true, Opcode::Close, b"\x03\xe8\xff"), 1007),
            ("text that is not UTF-8", masked_frame(true, Opcode::Text, b"\xff"), 1007),
            ("half a character", masked_frame(true, Opcode::Text, b"\xc3"), 1007),
        ] {
            for mut socket in both(server) {
                socket.connection().send_byte_by_byte(&bytes);
                assert_eq!(socket.close().0, code, "{rule}");
                assert!(socket.is_at_end(), "{rule}");
            }
        }
        assert_eq!(server.metric("barewire_events_published_total"), 0);
    });
}

#[test]
fn the_first_frame_may_arrive_with_the_handshake() {
    let server = Server::start();
    let mut connection = server.connect();
    let frames =
        [masked_frame(true, Opcode::Text, b"first"), masked_frame(true, Opcode::Close, b"")].concat();
    connection.send([Request::handshake("/topics/a").bytes(), frames].concat());
    let mut socket = WebSocket::open(connection, false);
    socket.hello();
    // The client's own event and the close frame may arrive in either order.
    let last = std::iter::from_fn(|| socket.frame()).last().expect("a close");
    assert_eq!(last.opcode, Opcode::Close);
    assert_eq!(server.request(&Request::get("/topics/a")).data(), ["first"]);
}

#[test]
fn a_half_closed_connection_ends_the_web_socket() {
    let server = Server::start();
    for mut socket in both(&server) {
        socket.connection().half_close();
        assert!(socket.is_at_end());
    }
    // The end arrives together with the last bytes.
    for mut socket in both(&server) {
        socket.send(Opcode::Text, "x");
        socket.connection().half_close();
        socket.connection().drop_rest();
    }
    let mut connection = server.connect();
    connection.send(Request::handshake("/topics/b").bytes());
    connection.half_close();
    connection.drop_rest();
}

#[test]
fn both_sides_may_close_at_once() {
    let server = Server::start();
    let mut socket = server.web_socket(&Request::handshake("/topics/a"));
    socket.hello();
    // One write contains the frame that makes the server close, followed by the client's own close
    // frame.
    let binary = masked_frame(true, Opcode::Binary, b"not text");
    let close = masked_frame(true, Opcode::Close, &1000_u16.to_be_bytes());
    socket.connection().send([binary, close].concat());
    let frame = socket.frame().expect("the server's close frame");
    assert_eq!((frame.opcode, &frame.payload[..2]), (Opcode::Close, &1003_u16.to_be_bytes()[..]));
    assert!(socket.connection().is_at_end(), "there is no second close frame");
}
