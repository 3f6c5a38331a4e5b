//! HTTP connections: several requests on one connection, closing, and half-closes.

use crate::harness::{Connection, Request, Response, Server, eventually, in_every_mode};

const HEALTH: &str = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";

fn is_health(response: &Response) -> bool {
    response.status == 200 && response.text() == r#"{"status":"ok"}"#
}

#[test]
fn a_connection_stays_open_until_a_request_says_close() {
    let server = Server::start();
    let mut connection = server.connect();
    let requests = [
        Request::get("/health"),
        Request::head("/health"),
        Request::post("/topics/a", "x"),
        Request::post_chunks("/topics/a", &[b"x", b"y"]),
        Request::get("/topics/a").field("If-None-Match", "*"),
        Request::get("/nowhere"),
        Request::new("DELETE", "/health"),
        Request::new("BREW", "/health"),
        Request::new("OPTIONS", "*"),
        Request::get("/topics/a?wait=x"),
        Request::post("/topics/a", b"\xff"),
        Request::post("/health", "with an unwanted body"),
        Request::get("/health").field("Connection", "keep-alive"),
    ];
    for request in &requests {
        connection.send(request.bytes());
        let response = connection.response_to(request.method);
        assert!(!response.ends(), "{response:?}");
    }
    connection.send(Request::get("/health").field("Connection", "x, Close").bytes());
    let last = connection.response();
    assert!(is_health(&last) && last.ends());
    assert!(connection.is_at_end());
}

#[test]
fn an_http_1_0_connection_closes_after_one_response_unless_the_request_says_keep_alive() {
    in_every_mode(|server| {
        let response = server.request(&Request::get("/health").http10());
        assert!(is_health(&response) && response.ends());
        let response = server.request(&Request::get("/health").http10().field("Connection", "Keep-Alive"));
        assert!(is_health(&response));
        assert_eq!(response.get("Connection"), Some("keep-alive"));
    });
}

#[test]
fn closes_the_connection_after_an_invalid_request() {
    in_every_mode(|server| {
        let post =
            |fields: &str| format!("POST /topics/a HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n\r\n0\r\n\r\n");
        for (bytes, status) in [
            (post("Content-Length: 5\r\nTransfer-Encoding: chunked"), 400),
            (post("Content-Length: 5\r\nContent-Length: 5"), 400),
            (post("Content-Length: 5, 5"), 400),
            (post("Content-Length: +5"), 400),
            (post("Content-Length: 5x"), 400),
            (post("Transfer-Encoding: gzip"), 400),
            (post("Transfer-Encoding: gzip, chunked"), 501),
            (post("Transfer-Encoding: chunked, chunked"), 400),
            (post("Transfer-Encoding: chunked").replace("1.1", "1.0"), 400),
            (post("Transfer-Encoding: chunked").replace("\r\n0\r\n", "\r\nx\r\n"), 400),
            (post("Content-Length : 5"), 400),
            ("GET /health HTTP/1.1\nHost: localhost\n\n".into(), 400),
            ("GET /health HTTP/1.1\r\nHost: localhost\r\n folded\r\n\r\n".into(), 400),
            ("GET /health HTTP/1.1\r\nHost: localhost\r\nA: \0\r\n\r\n".into(), 400),
            ("GET /health HTTP/1.1\r\n\r\n".into(), 400),
            ("GET /health HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n".into(), 400),
            ("GET /health HTTP/1.1\r\nHost: a b\r\n\r\n".into(), 400),
            ("GET  /health HTTP/1.1\r\nHost: localhost\r\n\r\n".into(), 400),
            ("GET health HTTP/1.1\r\nHost: localhost\r\n\r\n".into(), 400),
            ("GET /health HTTP/2.0\r\nHost: localhost\r\n\r\n".into(), 505),
            ("GET /health HTTP/1.2\r\nHost: localhost\r\n\r\n".into(), 505),
            (format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "a".repeat(9000)), 414),
            (format!("GET /health HTTP/1.1\r\nHost: localhost\r\nA: {}\r\n\r\n", "a".repeat(20_000)), 431),
            (format!("GET /health HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "A: b\r\n".repeat(200)), 431),
            ("\u{16}\u{3}\u{1}\u{2}\0\u{1}\0".into(), 400),
        ] {
            let response = server.request_bytes(&bytes);
            assert_eq!(response.status, status, "{bytes:?}");
            response.assert_problem(status);
            assert!(response.ends(), "{bytes:?}");
        }
        assert_eq!(server.metric("barewire_events_published_total"), 0);
    });
}

#[test]
fn sends_100_continue_before_the_body() {
    let server = Server::start();
    let expects = Request::new("POST", "/topics/a").field("Expect", "100-continue");
    let mut connection = server.connect();
    connection.send(expects.clone().field("Content-Length", "4").bytes());
    connection.take(b"HTTP/1.1 100 Continue\r\n\r\n".len()).expect("the interim response");
    connection.send("body");
    assert_eq!(connection.response().status, 201);
    connection.send(expects.clone().field("Transfer-Encoding", "chunked").bytes());
    connection.take(b"HTTP/1.1 100 Continue\r\n\r\n".len()).expect("the interim response");
    connection.send("4\r\nbody\r\n0\r\n\r\n");
    assert_eq!(connection.response().status, 201);
    assert_eq!(server.request(&Request::get("/topics/a")).data(), ["body"; 2]);
}

#[test]
fn sends_the_final_response_instead_of_100_if_the_body_is_unwanted() {
    let server = Server::with(|options| options.policy.access.publish_token = Some("secret".into()));
    for (target, length, status) in [
        ("/topics/a", 4, 401),
        ("/topics/a?event=gap&access_token=secret", 4, 400),
        ("/topics/a?access_token=secret", 1 << 20, 413),
        ("/nowhere", 4, 404),
    ] {
        let request = Request::new("POST", target).field("Expect", "100-continue");
        let response = server.begin(&request.field("Content-Length", length.to_string())).response();
        assert_eq!((response.status, response.interim.as_slice()), (status, &[][..]), "{target}");
    }
}

#[test]
fn rejects_any_other_expectation_with_417() {
    in_every_mode(|server| {
        server.request(&Request::post("/topics/a", "x").field("Expect", "200-ok")).assert_problem(417);
    });
}

#[test]
fn responds_to_pipelined_requests_in_order() {
    let server = Server::start();
    let mut connection = server.connect();
    let publishes = (0..500).map(|number: u32| Request::post("/topics/a", number.to_string()).bytes());
    connection.send(publishes.collect::<Vec<_>>().concat());
    connection.send([Request::get("/topics/a").bytes(), HEALTH.into()].concat());
    let ids: Vec<String> = (0..500).map(|_| connection.response().id()).collect();
    let events = connection.response().events();
    assert!(events.iter().map(|event| &event.id).eq(&ids));
    assert!(is_health(&connection.response()));
}

/// Waits until the server has held `held` long polls since its start.
fn await_held(server: &Server, held: u64) {
    server.await_metric("barewire_long_polls_held_total", held);
}

#[test]
fn requests_pipelined_after_a_held_poll_wait_for_its_response() {
    let server = Server::start();
    let mut connection = server.connect();
    let poll = Request::get("/topics/a?wait=60").bytes();
    let publish = Request::post("/topics/b", "pipelined").bytes();
    connection.send([&poll[..], HEALTH.as_bytes(), &poll, &publish, HEALTH.as_bytes()].concat());
    await_held(&server, 1);
    assert_eq!(server.request(&Request::get("/topics/b")).data(), [""; 0], "the publish is still waiting");
    server.publish("/topics/a", "1");
    assert_eq!(connection.response().data(), ["1"]);
    assert!(is_health(&connection.response()));
    await_held(&server, 2);
    // The first part of one more request arrives while the second poll is held, and the rest later.
    let (first, second) = HEALTH.split_at(10);
    connection.send(first);
    server.publish("/topics/a", "2");
    assert_eq!(connection.response().data(), ["2"]);
    assert_eq!(connection.response().status, 201);
    assert!(is_health(&connection.response()));
    connection.send(second);
    assert!(is_health(&connection.response()));
    assert_eq!(server.request(&Request::get("/topics/b")).data(), ["pipelined"]);
}

/// Connects, sends `bytes`, and closes the client's side of the connection, as `nc` does.
fn half_closed(server: &Server, bytes: impl AsRef<[u8]>) -> Connection {
    let mut connection = server.connect();
    connection.send(bytes);
    connection.half_close();
    connection
}

#[test]
fn after_a_half_close_all_responses_arrive_before_the_connection_closes() {
    let server = Server::start();
    let mut connection = half_closed(&server, HEALTH.repeat(3));
    assert!((0..3).all(|_| is_health(&connection.response())));
    assert!(connection.is_at_end());

    let mut connection = half_closed(&server, Request::post("/topics/a", "x".repeat(60_000)).bytes());
    connection.response().id();
    assert!(connection.is_at_end());
}

#[test]
fn a_half_close_within_a_request_closes_the_connection() {
    let server = Server::start();
    for part in
        ["", "GET /hea", "POST /topics/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhell"]
    {
        assert!(half_closed(&server, part).is_at_end(), "{part:?}");
    }
    assert_eq!(server.metric("barewire_events_published_total"), 0);
}

#[test]
fn a_long_poll_gets_its_response_after_a_half_close() {
    let server = Server::start();
    let mut connection =
        half_closed(&server, [Request::get("/topics/a?wait=60").bytes(), HEALTH.into()].concat());
    await_held(&server, 1);
    server.publish("/topics/a", "x");
    assert_eq!(connection.response().data(), ["x"]);
    assert!(is_health(&connection.response()));
    assert!(connection.is_at_end());
}

#[test]
fn an_event_stream_continues_after_a_half_close() {
    let server = Server::start();
    for request in [Request::event_stream("/topics/a"), Request::event_stream("/topics/a").http10()] {
        let mut stream = server.event_stream(&request);
        stream.connection().half_close();
        stream.first_block();
        for data in ["1", "2"] {
            server.publish("/topics/a", data);
            assert_eq!(stream.data(), data);
        }
    }
}

#[test]
fn a_topic_is_freed_when_its_last_follower_disconnects() {
    let server = Server::with(|options| options.hub.topics = 1);
    let followed = |request: Request| {
        // A follower does not replace a topic with events, and a publish does.
        server.publish("/topics/a", "x");
        let mut connection = server.begin(&request);
        connection.take("HTTP/1.1 200".len()).expect("a response");
        server.request(&Request::post("/topics/b", "x")).assert_problem(503);
        drop(connection);
        // Another topic fits once the server has noticed that the last follower disconnected.
        eventually(|| server.request(&Request::post("/topics/b", "x")).status == 201);
    };
    followed(Request::event_stream("/topics/a"));
    followed(Request::handshake("/topics/a"));
}
