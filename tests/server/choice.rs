//! The choice of a request's transport, by the rules of the table in their order.

use crate::harness::{Request, Server, in_every_mode};

/// Returns the transport that a request for a topic with one event gets. A long poll differs from a
/// short one in its default cursor.
fn transport(server: &Server, request: &Request) -> &'static str {
    let mut connection = server.connect();
    connection.send(request.bytes());
    let end = |unread: &[u8]| unread.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4);
    let head = String::from_utf8(connection.read_until(end).expect("a head")).expect("ASCII");
    match &head[..12] {
        "HTTP/1.1 101" => "WebSocket",
        "HTTP/1.1 200" if head.contains("text/event-stream") => "SSE",
        "HTTP/1.1 200" => match server.request(request).events().len() {
            0 => "long poll",
            _ => "short poll",
        },
        other => panic!("{other}"),
    }
}

#[test]
fn the_order_is_websocket_then_event_stream_then_long_poll_then_short_poll() {
    let server = Server::start();
    server.publish("/topics/a", "x");
    let everything =
        Request::handshake("/topics/a?wait=0").field("Accept", "text/event-stream").field("Prefer", "wait=0");
    assert_eq!(transport(&server, &everything), "WebSocket");
    assert_eq!(transport(&server, &everything.clone().without("Upgrade")), "SSE");
    let poll = everything.without("Upgrade").without("Accept");
    assert_eq!(transport(&server, &poll), "long poll");
    assert_eq!(transport(&server, &poll.clone().target("/topics/a")), "long poll");
    assert_eq!(transport(&server, &poll.without("Prefer")), "long poll");
    assert_eq!(transport(&server, &Request::get("/topics/a")), "short poll");
}

#[test]
fn upgrade_and_connection_are_case_insensitive_lists_on_several_lines() {
    let server = Server::start();
    server.publish("/topics/a", "x");
    let plain = Request::handshake("/topics/a").without("Upgrade").without("Connection");
    for (upgrade, connection) in [
        ("websocket", "upgrade"),
        ("WebSocket", "UPGRADE"),
        ("h2c, websocket", "keep-alive, Upgrade"),
        ("websocket,h2c", "Upgrade,, x"),
    ] {
        let request = plain.clone().field("Upgrade", upgrade).field("Connection", connection);
        assert_eq!(transport(&server, &request), "WebSocket", "{upgrade} / {connection}");
    }
    let lines = plain.clone().field("Upgrade", "h2c").field("Upgrade", "websocket");
    let lines = lines.field("Connection", "keep-alive").field("Connection", "Upgrade");
    assert_eq!(transport(&server, &lines), "WebSocket");
    for upgrade in ["h2c", "websockets", "web socket", ""] {
        let request = plain.clone().field("Upgrade", upgrade).field("Connection", "Upgrade");
        assert_eq!(transport(&server, &request), "short poll", "{upgrade}");
    }
}

#[test]
fn ignores_an_upgrade_in_http_1_0() {
    in_every_mode(|server| {
        server.publish("/topics/a", "x");
        let response = server.request(&Request::handshake("/topics/a").http10());
        assert_eq!(response.data(), ["x"]);
    });
}

#[test]
fn accept_selects_an_event_stream_by_name_and_quality() {
    let server = Server::start();
    server.publish("/topics/a", "x");
    for accept in [
        "text/event-stream",
        "TEXT/Event-Stream",
        "text/event-stream;q=0.001",
        "text/event-stream; q=0.5, application/json; q=0.5",
        "application/json;q=0.8, text/event-stream;q=0.9",
        "application/json, text/event-stream",
        "text/html, text/event-stream",
    ] {
        let request = Request::get("/topics/a").field("Accept", accept);
        assert_eq!(transport(&server, &request), "SSE", "{accept}");
    }
    for accept in [
        "*/*",
        "text/*",
        "application/json",
        "text/event-stream;q=0",
        "text/event-stream;q=0.5, application/json",
        "text/event-stream;q=0.899, application/json;q=0.9",
        "text/event-streams",
        "",
    ] {
        let request = Request::get("/topics/a").field("Accept", accept);
        assert_eq!(transport(&server, &request), "short poll", "{accept}");
    }
    let lines = Request::get("/topics/a").field("Accept", "text/html").field("Accept", "text/event-stream");
    assert_eq!(transport(&server, &lines), "SSE");
}

#[test]
fn head_responds_like_an_immediate_short_poll() {
    in_every_mode(|server| {
        server.publish("/topics/a", "x");
        let poll = server.request(&Request::get("/topics/a"));
        let handshake = Request::handshake("/topics/a").method("HEAD");
        for request in [
            Request::head("/topics/a"),
            Request::head("/topics/a?wait=60"),
            Request::head("/topics/a").field("Prefer", "wait=60"),
            Request::head("/topics/a").field("Accept", "text/event-stream"),
            handshake,
        ] {
            let head = server.request(&request);
            assert_eq!(head.status, 200);
            for field in
                ["Content-Length", "Content-Type", "ETag", "Vary", "Cache-Control", "Preference-Applied"]
            {
                assert_eq!(head.get(field), poll.get(field), "{field}");
            }
        }
        // HEAD never waits, even if no event is available.
        let id = poll.next();
        assert_eq!(server.request(&Request::head(format!("/topics/a?since={id}&wait=60"))).status, 200);
    });
}

#[test]
fn an_invalid_handshake_is_400_and_another_version_426() {
    in_every_mode(|server| {
        let valid = Request::handshake("/topics/a");
        let key = valid.clone().without("Sec-WebSocket-Key");
        for invalid in [
            valid.clone().without("Connection"),
            valid.clone().without("Connection").field("Connection", "keep-alive"),
            key.clone(),
            key.clone().field("Sec-WebSocket-Key", ""),
            key.clone().field("Sec-WebSocket-Key", "c2hvcnQ="),
            key.clone().field("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZSE="),
            key.field("Sec-WebSocket-Key", "!!!!IHNhbXBsZSBub25jZQ=="),
        ] {
            server.request(&invalid).assert_problem(400);
        }
        let version = valid.without("Sec-WebSocket-Version");
        for other in ["8", "14", "013"] {
            let response = server.request(&version.clone().field("Sec-WebSocket-Version", other));
            response.assert_problem(426);
            assert_eq!(response.get("Sec-WebSocket-Version"), Some("13"));
            assert_eq!(response.get("Upgrade"), Some("websocket"));
            assert_eq!(response.get("Connection"), Some("Upgrade"));
        }
    });
}

#[test]
fn a_handshake_is_a_get_without_content() {
    let server = Server::start();
    let with_content = Request::handshake("/topics/a").field("Content-Length", "5");
    let response = server.request(&with_content);
    response.assert_problem(400);
    assert!(response.ends(), "the bytes after it are neither content nor frames");
    // A POST publishes. The server ignores its Upgrade, as RFC 9110 §7.8 allows.
    let post = Request::handshake("/topics/a").method("POST").field("Content-Length", "0");
    assert_eq!(server.request(&post).status, 201);
    assert_eq!(server.request(&Request::handshake("/echo").method("POST")).status, 405);
}
