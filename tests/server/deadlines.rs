//! Timeouts over real sockets. These tests check only that something happens after a timeout,
//! never exactly when.

use crate::harness::{Frame, Opcode, Request, Server, eventually, masked_frame};

#[test]
fn an_incomplete_head_times_out_with_408() {
    let server = Server::with(|options| options.head_timeout = 1);
    let mut connection = server.connect();
    connection.send("GET /health HTTP/1.1\r\nHost:");
    let response = connection.response();
    response.assert_problem(408);
    assert!(response.ends() && connection.is_at_end());
}

#[test]
fn an_incomplete_body_times_out_with_408() {
    let server = Server::with(|options| options.body_timeout = 1);
    let mut connection = server.connect();
    connection.send("POST /topics/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhell");
    let response = connection.response();
    response.assert_problem(408);
    assert!(response.ends() && connection.is_at_end());
    assert_eq!(server.metric("barewire_events_published_total"), 0);
}

#[test]
fn an_incomplete_message_times_out_with_1008() {
    let server = Server::with(|options| options.body_timeout = 1);
    for target in ["/topics/a", "/echo"] {
        let mut socket = server.web_socket(&Request::handshake(target));
        if target != "/echo" {
            socket.hello();
        }
        socket.connection().send(&masked_frame(true, Opcode::Text, b"hello")[..8]);
        assert_eq!(socket.close(), (1008, "the message did not arrive in time; send it faster".to_owned()));
        assert!(socket.is_at_end());
    }
    assert_eq!(server.metric("barewire_events_published_total"), 0);
}

#[test]
fn a_connection_without_a_request_ends() {
    let server = Server::with(|options| (options.head_timeout, options.idle_timeout) = (1, 1));
    assert!(server.connect().is_at_end());
    let mut connection = server.begin(&Request::get("/health"));
    assert_eq!(connection.response().status, 200);
    assert!(connection.is_at_end());
}

#[test]
fn a_follower_is_not_idle() {
    let server = Server::with(|options| {
        (options.head_timeout, options.idle_timeout, options.heartbeat) = (1, 1, 1);
    });
    let mut stream = server.event_stream(&Request::event_stream("/topics/a"));
    let mut socket = server.web_socket(&Request::handshake("/topics/a"));
    let mut poll = server.begin(&Request::get("/topics/a?wait=60"));
    stream.first_block();
    socket.hello();
    for _ in 0..3 {
        assert!(stream.block().expect("a heartbeat").iter().all(|(name, _)| name.is_empty()));
    }
    server.publish("/topics/a", "x");
    assert_eq!((stream.data(), socket.event().data), ("x".to_owned(), "x".to_owned()));
    assert_eq!(poll.response().data(), ["x"]);
}

#[test]
fn a_silent_web_socket_is_pinged_and_continues_if_it_answers() {
    let server = Server::with(|options| (options.ping_interval, options.pong_timeout) = (1, 1));
    for target in ["/topics/a", "/echo"] {
        let mut socket = server.web_socket(&Request::handshake(target));
        if target != "/echo" {
            socket.hello();
        }
        for _ in 0..2 {
            let Some(Frame { opcode: Opcode::Ping, payload }) = socket.frame() else { panic!("no ping") };
            socket.send(Opcode::Pong, payload);
        }
        socket.send(Opcode::Ping, "still there");
        assert_eq!(socket.frame(), Some(Frame { opcode: Opcode::Pong, payload: b"still there".to_vec() }));
    }
}

#[test]
fn a_web_socket_that_does_not_answer_its_ping_is_dropped() {
    let server = Server::with(|options| (options.ping_interval, options.pong_timeout) = (1, 1));
    let mut socket = server.web_socket(&Request::handshake("/topics/a"));
    socket.hello();
    assert_eq!(socket.frame().map(|frame| frame.opcode), Some(Opcode::Ping));
    assert_eq!(socket.frame(), None);
}

#[test]
fn a_close_without_an_answer_times_out() {
    let server = Server::with(|options| options.close_timeout = 1);
    let mut socket = server.web_socket(&Request::handshake("/topics/a"));
    socket.hello();
    socket.send(Opcode::Binary, "x");
    assert_eq!(socket.close().0, 1003);
    assert!(socket.is_at_end());
}

#[test]
fn a_follower_that_does_not_read_times_out() {
    let server = Server::with(|options| options.write_timeout = 1);
    let mut slow = server.event_stream(&Request::event_stream("/topics/a"));
    slow.first_block();
    let batch = vec!["x".repeat(60_000); 16].join("\n");
    // More than a socket's buffers hold. All of it stays in the window.
    for _ in 0..30 {
        server.request(&Request::post_lines("/topics/a", &batch)).ids();
    }
    // Only the connection that requests the metrics remains.
    eventually(|| server.metric("barewire_connections") == 1);
    slow.connection().drop_rest();
}
