//! Tests of the bare examples and of the transcripts in all examples and in the documentation, each
//! with its own server process on a free port.
//!
//! The commands at the top of each example, in the README and in the documentation run as written,
//! and their output is compared: see `transcript`, which needs neither netcat nor curl. The other
//! tests cover what a learner's first commands do not show: input that arrives byte by byte,
//! clients that do not read, invalid requests, an independent WebSocket client, and the "Break it"
//! sections, each of which must really break its example.

#[path = "../built/mod.rs"]
mod built;
mod interpreter;
mod server;
mod transcript;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::Instant;

use tungstenite::{Error, Message, WebSocket, protocol::frame::coding::CloseCode};

use server::{Server, body, eventually, expect, is_silent};
use transcript::{Runner, run_application, run_example, run_page};

const WITH_TOPIC: [&str; 5] =
    ["03_short_poll", "04_long_poll", "05_sse", "06_websocket_handshake", "07_websocket_frames"];
const WITH_STREAM: [&str; 3] = ["05_sse", "06_websocket_handshake", "07_websocket_frames"];
const WITH_HANDSHAKE: [&str; 2] = ["06_websocket_handshake", "07_websocket_frames"];
const MIB: usize = 1 << 20;

/// The handshake of RFC 6455 §1.3.
const HANDSHAKE: &str = "GET /topics/demo?since=0 HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\
    Connection: keep-alive, Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";
/// The response to [`HANDSHAKE`].
const SWITCHED: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

fn response(status: &str, kind: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}")
}

/// The body of a poll's response.
fn poll_body(events: &[(usize, &str)], next: usize) -> String {
    let events: Vec<String> = events
        .iter()
        .map(|(id, data)| format!("{{\"id\":\"{id}\",\"event\":\"message\",\"data\":\"{data}\"}}"))
        .collect();
    format!("{{\"events\":[{}],\"next\":\"{next}\"}}\n", events.join(","))
}

mod every_transcript_matches {
    use super::{Runner, run_application, run_example, run_page};

    #[test]
    fn in_01_tcp_echo() {
        run_example("01_tcp_echo", Runner::Interpreter);
        run_example("01_tcp_echo", Runner::Shell);
    }

    #[test]
    fn in_02_http() {
        run_example("02_http", Runner::Interpreter);
        run_example("02_http", Runner::Shell);
    }

    #[test]
    fn in_03_short_poll() {
        run_example("03_short_poll", Runner::Interpreter);
        run_example("03_short_poll", Runner::Shell);
    }

    #[test]
    fn in_04_long_poll() {
        run_example("04_long_poll", Runner::Interpreter);
        run_example("04_long_poll", Runner::Shell);
    }

    #[test]
    fn in_05_sse() {
        run_example("05_sse", Runner::Interpreter);
        run_example("05_sse", Runner::Shell);
    }

    #[test]
    fn in_06_websocket_handshake() {
        run_example("06_websocket_handshake", Runner::Interpreter);
        run_example("06_websocket_handshake", Runner::Shell);
    }

    #[test]
    fn in_07_websocket_frames() {
        run_example("07_websocket_frames", Runner::Interpreter);
        run_example("07_websocket_frames", Runner::Shell);
    }

    #[test]
    fn in_08_tasks_by_time() {
        run_application("08_tasks_by_time", "/tasks", Runner::Interpreter);
        run_application("08_tasks_by_time", "/tasks", Runner::Shell);
    }

    #[test]
    fn in_09_tasks_by_cursor() {
        run_application("09_tasks_by_cursor", "/tasks/events", Runner::Interpreter);
        run_application("09_tasks_by_cursor", "/tasks/events", Runner::Shell);
    }

    #[test]
    fn in_10_notifications() {
        run_application("10_notifications", "/unread", Runner::Interpreter);
        run_application("10_notifications", "/unread", Runner::Shell);
    }

    #[test]
    fn in_11_deployments() {
        run_application("11_deployments", "/deployments/events", Runner::Interpreter);
        run_application("11_deployments", "/deployments/events", Runner::Shell);
    }

    #[test]
    fn in_14_chat() {
        run_application("14_chat", "/rooms/tea", Runner::Interpreter);
        run_application("14_chat", "/rooms/tea", Runner::Shell);
    }

    #[test]
    fn in_15_editor() {
        run_application("15_editor", "/edits", Runner::Interpreter);
        run_application("15_editor", "/edits", Runner::Shell);
    }

    #[test]
    fn in_the_readme() {
        run_page("README.md", Runner::Interpreter);
        run_page("README.md", Runner::Shell);
    }

    #[test]
    fn in_the_wire_view() {
        run_page("docs/wire.md", Runner::Interpreter);
        run_page("docs/wire.md", Runner::Shell);
    }

    #[test]
    fn in_the_interface() {
        run_page("docs/interface.md", Runner::Interpreter);
        run_page("docs/interface.md", Runner::Shell);
    }
}

#[test]
fn accepts_input_byte_by_byte() {
    let get = "GET /topics/demo?since=0 HTTP/1.1\r\nHost: a\r\n\r\n";
    let post = "POST /topics/demo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\none";
    let stream =
        "GET /topics/demo HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\nLast-Event-ID: 0\r\n\r\n";
    let created = response("201 Created", "application/json", "{\"id\":\"1\"}\n");
    let polled = response("200 OK", "application/json", &poll_body(&[(1, "one")], 1));
    let streamed = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n\r\n\
        retry: 2000\nid: 0\n\nid: 1\ndata: one\n\n";
    let hello = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"; // RFC 6455 §5.7
    let handshake_and_hello = [HANDSHAKE.as_bytes(), hello].concat();
    let hello_event = "{\"id\":\"1\",\"event\":\"message\",\"data\":\"Hello\"}";
    let switched_and_event =
        [SWITCHED.as_bytes(), b"\x81\x0c{\"next\":\"0\"}\x81\x2b", hello_event.as_bytes()].concat();

    let echo = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
    expect_byte_by_byte("01_tcp_echo", b"hello\n", b"hello\n");
    expect_byte_by_byte("02_http", echo.as_bytes(), response("200 OK", "text/plain", "hello").as_bytes());
    for name in WITH_TOPIC {
        expect_byte_by_byte(name, format!("{post}{get}").as_bytes(), (created.clone() + &polled).as_bytes());
    }
    for name in WITH_STREAM {
        expect_byte_by_byte(
            name,
            format!("{post}{stream}").as_bytes(),
            (created.clone() + streamed).as_bytes(),
        );
    }
    expect_byte_by_byte("06_websocket_handshake", HANDSHAKE.as_bytes(), SWITCHED.as_bytes());
    expect_byte_by_byte("07_websocket_frames", &handshake_and_hello, &switched_and_event);
}

/// Sends the input byte by byte, and lets the server process each byte before the next one.
fn expect_byte_by_byte(name: &str, input: &[u8], output: &[u8]) {
    let server = Server::start(name);
    let mut client = server.connect();
    for byte in input {
        client.write_all(&[*byte]).expect("the server reads");
        server.wait_until_idle();
    }
    expect(&mut client, output);
}

/// Clients that start to read only after the server has moved on to other clients. The data does
/// not fit in the kernel's buffers, so the server has to write it in parts.
mod a_slow_reader_receives_every_byte {
    use super::*;

    fn data(length: usize) -> String {
        (0..length).map(|n| char::from(b'a' + (n / 7 % 26) as u8)).collect()
    }

    #[test]
    fn from_the_echo() {
        let server = Server::start("01_tcp_echo");
        let data = data(16 * MIB);
        let mut client = server.connect();
        let mut writer = client.try_clone().expect("a second handle");
        let input = data.clone();
        let writer_thread = thread::spawn(move || writer.write_all(input.as_bytes()));
        server.wait_until_idle();
        expect(&mut client, &data);
        writer_thread.join().expect("the writer ends").expect("the server reads everything");
    }

    #[test]
    fn in_a_response() {
        let server = Server::start("02_http");
        let data = data(8 * MIB);
        let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", data.len());
        let mut client = server.send(format!("{head}{data}{head}{data}"));
        server.wait_until_idle();
        expect(&mut client, response("200 OK", "text/plain", &data).repeat(2));
    }

    #[test]
    fn in_a_poll() {
        for name in WITH_TOPIC {
            let server = Server::start(name);
            let data = data(2 * MIB);
            server.publish(&data);
            let mut client = server.send("GET /topics/demo HTTP/1.1\r\nHost: a\r\n\r\n".repeat(4));
            server.wait_until_idle();
            let polled = response("200 OK", "application/json", &poll_body(&[(1, &data)], 1));
            expect(&mut client, polled.repeat(4));
        }
    }

    #[test]
    fn in_an_event_stream() {
        let server = Server::start("05_sse");
        let data = data(2 * MIB);
        let get = "GET /topics/demo HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n";
        let mut client = server.send(get);
        server.wait_until_idle();
        (1..=6).for_each(|_| drop(server.publish(&data)));
        let blocks: String = (1..=6).map(|id| format!("id: {id}\ndata: {data}\n\n")).collect();
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n\r\n";
        expect(&mut client, format!("{head}retry: 2000\nid: 0\n\n{blocks}"));
    }

    #[test]
    fn over_a_websocket() {
        let server = Server::start("07_websocket_frames");
        let data = data(2 * MIB);
        let (mut websocket, mut publisher) = (join(&server), join(&server));
        for id in 1..=4 {
            publisher.send(Message::text(data.as_str())).expect("the server reads");
            assert_eq!(text(&mut publisher), event(id, &data));
        }
        (1..=4).for_each(|id| assert_eq!(text(&mut websocket), event(id, &data)));
    }
}

#[test]
fn rejects_an_invalid_request_with_400_and_closes() {
    let bad = [
        "How do you do?\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: five\r\n\r\nhello",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\nhello",
    ];
    for name in ["02_http"].iter().chain(&WITH_TOPIC) {
        let server = Server::start(name);
        for request in bad {
            // The client does not send a FIN, so the server is the one that closes.
            let mut received = String::new();
            server.send(request).read_to_string(&mut received).expect("a response and a FIN");
            assert_eq!(received, response("400 Bad Request", "text/plain", "400 Bad Request\n"), "{request}");
        }
        let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
        assert_eq!(
            server.exchange(chunked),
            response("501 Not Implemented", "text/plain", "501 Not Implemented\n")
        );
        assert_eq!(server.get("/nowhere"), "nothing here\n");
    }
    for name in WITH_TOPIC {
        let post = b"POST /topics/demo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n\xff";
        let received = Server::start(name).exchange(post);
        assert_eq!(received, response("400 Bad Request", "text/plain", "the body must be UTF-8\n"));
    }
}

#[test]
fn closes_after_a_request_with_connection_close() {
    let server = Server::start("02_http");
    let get = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Close\r\n\r\n";
    let mut received = String::new();
    server.send(get.repeat(2)).read_to_string(&mut received).expect("a response and a FIN");
    assert_eq!(received, response("200 OK", "text/plain", "POST a body to get it back\n"));
}

#[test]
fn escapes_data_in_json_strings() {
    for name in WITH_TOPIC {
        let server = Server::start(name);
        assert_eq!(server.publish("\"\\\u{1}\t\u{1f}é😀"), "{\"id\":\"1\"}\n");
        let escaped = r#"\"\\\u0001\u0009\u001fé😀"#;
        assert_eq!(server.get("/topics/demo"), poll_body(&[(1, escaped)], 1));
    }
}

#[test]
fn a_long_poll_waits_for_an_event_and_holds_the_request_after_it() {
    for name in &WITH_TOPIC[1..] {
        let server = Server::start(name);
        server.publish("before");
        let held = "GET /topics/demo?wait=60 HTTP/1.1\r\nHost: a\r\n\r\n";
        let next = "POST /topics/demo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nafter";
        let mut first = server.send(format!("{held}{next}"));
        let mut second = server.send("GET /topics/demo?since=2&wait=60 HTTP/1.1\r\nHost: a\r\n\r\n");
        // A half-close only means that the client sends no more requests.
        second.shutdown(Shutdown::Write).expect("the connection is open");
        server.wait_until_idle();
        assert!(is_silent(&first) && is_silent(&second));

        assert_eq!(server.publish("now"), "{\"id\":\"2\"}\n");
        expect(&mut first, response("200 OK", "application/json", &poll_body(&[(2, "now")], 2)));
        // The response releases the next request, which publishes the event for the second client.
        expect(&mut first, response("201 Created", "application/json", "{\"id\":\"3\"}\n"));
        expect(&mut second, response("200 OK", "application/json", &poll_body(&[(3, "after")], 3)));
        assert_eq!(server.get("/topics/demo?since=3&wait=0"), poll_body(&[], 3));
    }
}

#[test]
fn an_event_stream_resumes_after_the_last_event_id() {
    for name in WITH_STREAM {
        let server = Server::start(name);
        for data in ["one", "two\r\n2\r2\n", "three"] {
            server.publish(data);
        }
        let field = "Accept: text/event-stream\r\nLast-Event-ID: 1";
        // The field overrides the query, because a browser reconnects to its original URL.
        let mut client =
            server.send(format!("GET /topics/demo?since=0 HTTP/1.1\r\nHost: a\r\n{field}\r\n\r\n"));
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n\r\n";
        let two = "id: 2\ndata: two\ndata: 2\ndata: 2\ndata: \n\n";
        expect(&mut client, format!("{head}retry: 2000\nid: 1\n\n{two}id: 3\ndata: three\n\n"));
        client.shutdown(Shutdown::Write).expect("the connection is open");
        server.publish("four");
        expect(&mut client, "id: 4\ndata: four\n\n");
    }
}

type Peer = WebSocket<TcpStream>;

/// Connects an independent client, which has received its starting position.
fn join(server: &Server) -> Peer {
    let url = format!("ws://127.0.0.1:{}/topics/demo?since=0", server.port);
    let (mut websocket, _) = tungstenite::client(url, server.connect()).expect("a handshake");
    assert_eq!(text(&mut websocket), "{\"next\":\"0\"}");
    websocket
}

fn text(websocket: &mut Peer) -> String {
    websocket.read().expect("a message").into_text().expect("UTF-8").to_string()
}

fn event(id: usize, data: &str) -> String {
    format!("{{\"id\":\"{id}\",\"event\":\"message\",\"data\":\"{data}\"}}")
}

#[test]
fn a_websocket_shares_the_topic_with_the_other_transports() {
    let server = Server::start("07_websocket_frames");
    let mut websocket = join(&server);
    server.publish("from a POST");
    assert_eq!(text(&mut websocket), event(1, "from a POST"));
    let mut waiting = server.send("GET /topics/demo?wait=60 HTTP/1.1\r\nHost: a\r\n\r\n");
    server.wait_until_idle();
    websocket.send(Message::text("from a WebSocket\r\n")).expect("the server reads");
    assert_eq!(text(&mut websocket), event(2, "from a WebSocket\\u000a"));
    let expected = poll_body(&[(2, "from a WebSocket\\u000a")], 2);
    expect(&mut waiting, response("200 OK", "application/json", &expected));
    assert_eq!(server.get("/topics/demo?since=1"), expected);

    // A length has three forms (RFC 6455 §5.2). The lengths test the limits of each form in both
    // directions: the server's frame is longer, because it contains the data in JSON.
    let json_length = event(3, "").len();
    let limits = [0, 1, 125, 126, 65_535, 65_536];
    for (n, length) in
        limits.iter().flat_map(|&limit| [limit, limit.max(json_length) - json_length]).enumerate()
    {
        let data = "x".repeat(length);
        websocket.send(Message::text(data.as_str())).expect("the server reads");
        assert_eq!(text(&mut websocket), event(n + 3, &data));
    }
    websocket.send(Message::Ping("anyone?".into())).expect("the server reads");
    assert_eq!(websocket.read().expect("a pong"), Message::Pong("anyone?".into()));
    websocket.close(None).expect("the server reads");
    while let Ok(message) = websocket.read() {
        assert!(message.is_close());
    }
}

#[test]
fn closes_a_websocket_with_the_code_of_the_broken_rule() {
    let server = Server::start("07_websocket_frames");
    // The masks are zero, which leaves the payload unchanged.
    let violations: [(&[u8], CloseCode); 10] = [
        (b"\x81\x05Hello", CloseCode::Protocol),          // not masked, §5.1
        (b"\xc1\x80\0\0\0\0", CloseCode::Protocol),       // a reserved bit, §5.2
        (b"\x83\x80\0\0\0\0", CloseCode::Protocol),       // a reserved opcode, §5.2
        (b"\x89\xfe\0\x7e\0\0\0\0", CloseCode::Protocol), // a ping of 126 bytes, §5.5
        (b"\x09\x80\0\0\0\0", CloseCode::Protocol),       // a ping in fragments, §5.5
        (b"\x88\x81\0\0\0\0x", CloseCode::Protocol),      // half a close code, §5.5.1
        (b"\x81\x81\0\0\0\0\xff", CloseCode::Invalid),    // not UTF-8, §8.1
        (b"\x82\x81\0\0\0\0x", CloseCode::Unsupported),   // binary
        (b"\x01\x81\0\0\0\0x", CloseCode::Unsupported),   // a fragment
        (b"\x88\x82\0\0\0\0\x0f\xa0", CloseCode::Library(4000)), // the client closes
    ];
    for (frame, code) in violations {
        let mut websocket = join(&server);
        websocket.get_mut().write_all(frame).expect("the server reads");
        match websocket.read() {
            Ok(Message::Close(Some(close))) => assert_eq!(close.code, code, "{frame:x?}"),
            other => panic!("{frame:x?}: {other:?}"),
        }
        assert!(matches!(websocket.read(), Err(Error::ConnectionClosed | Error::Protocol(_) | Error::Io(_))));
    }
    assert_eq!(server.get("/topics/demo"), poll_body(&[], 0));
}

#[test]
fn rejects_an_invalid_handshake_with_400() {
    for name in WITH_HANDSHAKE {
        let server = Server::start(name);
        assert!(server.exchange(HANDSHAKE).starts_with(SWITCHED));
        for (valid, invalid) in [
            ("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZQ=="),
            ("dGhlIHNhbXBsZSBub25jZQ==", "not base64"),
            ("Version: 13", "Version: 8"),
            ("Connection: keep-alive, Upgrade", "Connection: keep-alive"),
        ] {
            let received = server.exchange(HANDSHAKE.replace(valid, invalid));
            assert!(received.starts_with("HTTP/1.1 400 "), "{invalid}: {received}");
        }
    }
}

#[test]
fn a_handshake_without_frames_drops_what_follows_and_closes() {
    let server = Server::start("06_websocket_handshake");
    // The client does not send a FIN, so the server is the one that closes.
    let mut received = String::new();
    let hello = "\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}";
    server.send(format!("{HANDSHAKE}{hello}")).read_to_string(&mut received).expect("a response and a FIN");
    assert_eq!(received, SWITCHED);
    assert_eq!(server.get("/topics/demo"), poll_body(&[], 0));
}

/// Returns the handshake that a browser sends for a page of this origin.
fn handshake_of(origin: &str) -> String {
    HANDSHAKE.replace("Upgrade: websocket", &format!("Origin: {origin}\r\nUpgrade: websocket"))
}

#[test]
fn only_pages_of_the_own_origin_may_open_a_websocket() {
    for name in WITH_HANDSHAKE {
        let server = Server::start(name);
        let port = server.port;
        assert!(server.exchange(handshake_of(&format!("http://127.0.0.1:{port}"))).starts_with(SWITCHED));
        let attack_port = server.attack_port.expect("the port of the attack page");
        for origin in [
            format!("http://127.0.0.1:{attack_port}"),
            format!("http://localhost:{port}"),
            format!("https://127.0.0.1:{port}"),
            "http://127.0.0.1".to_owned(),
            "https://evil.example".to_owned(),
            "null".to_owned(),
        ] {
            let expected = response("403 Forbidden", "text/plain", "pages of this origin may not connect\n");
            assert_eq!(server.exchange(handshake_of(&origin)), expected, "{name}: {origin}");
        }
        // DNS rebinding: both fields contain the name of the attacker's site.
        let rebound = handshake_of(&format!("http://evil.example:{port}"))
            .replace("Host: a", &format!("Host: evil.example:{port}"));
        assert!(server.exchange(rebound).starts_with("HTTP/1.1 403 "));
    }
}

#[test]
fn a_taken_or_invalid_port_is_a_message_and_a_failure() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = taken.local_addr().expect("an address").port().to_string();
    for name in ["01_tcp_echo", "02_http"].iter().chain(&WITH_TOPIC) {
        for (port, reason) in
            [(&taken[..], "Address already in use"), ("65536", "number too large"), ("http", "invalid digit")]
        {
            let (code, message) = Server::fail(name, port);
            assert_eq!(code, Some(1), "{name}: {message}");
            assert!(message.starts_with(&format!("cannot listen on port {port}: {reason}")), "{message}");
            assert!(message.ends_with("; pass the number of a free port\n"), "{message}");
        }
    }
}

#[test]
fn a_taken_second_port_is_a_message_and_a_failure() {
    for name in WITH_HANDSHAKE {
        // The first port must be free, and the second one taken.
        let (first, _second) = (0..100)
            .find_map(|_| {
                let second = TcpListener::bind("127.0.0.1:0").ok()?;
                let first = second.local_addr().ok()?.port().checked_sub(1)?;
                TcpListener::bind(("127.0.0.1", first)).ok()?;
                Some((first, second))
            })
            .expect("two free ports");
        let (code, message) = Server::fail(name, &first.to_string());
        assert_eq!(code, Some(1), "{name}: {message}");
        assert!(message.starts_with(&format!("cannot listen on port {}: ", first + 1)), "{message}");
    }
}

mod each_documented_weakness_is_real {
    use super::*;

    /// Returns true if the server's memory has grown by `bytes` or more, or cannot be measured.
    fn has_grown(server: &Server, before: Option<usize>, bytes: usize) -> bool {
        server.resident().zip(before).is_none_or(|(now, before)| now >= before + bytes)
    }

    #[test]
    fn in_01_a_client_that_never_reads_fills_the_memory() {
        let server = Server::start("01_tcp_echo");
        let before = server.resident();
        let _writer = server.send(vec![0; 64 * MIB]);
        // The kernel's buffers hold far less than half of the data.
        eventually("the outbox grows", || has_grown(&server, before, 32 * MIB));
        server.wait_until_idle();
    }

    #[test]
    fn in_02_an_unfinished_head_stays_in_memory() {
        let server = Server::start("02_http");
        let before = server.resident();
        let client = server.send(format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(4 * MIB)));
        eventually("the inbox grows", || has_grown(&server, before, 4 * MIB));
        server.wait_until_idle();
        assert!(is_silent(&client));
    }

    #[test]
    fn in_03_a_restart_silently_loses_an_event() {
        let server = Server::start("03_short_poll");
        server.publish("one");
        server.publish("two");
        assert_eq!(server.get("/topics/demo?since=2"), poll_body(&[], 2));
        drop(server);
        let server = Server::start("03_short_poll");
        server.publish("three");
        assert_eq!(server.get("/topics/demo?since=2"), poll_body(&[], 1));
        assert_eq!(server.get("/topics/demo?since=1"), poll_body(&[], 1));
    }

    #[test]
    fn in_04_a_client_that_connects_without_a_free_descriptor_is_forgotten() {
        let server = Server::start_limited("04_long_poll", 16);
        let get = "GET /topics/demo HTTP/1.1\r\nHost: a\r\n\r\n";
        let empty = response("200 OK", "application/json", &poll_body(&[], 0));
        let Some(before) = server.descriptors_below(16) else {
            eprintln!("skipped: /proc does not list the open descriptors of a process");
            return;
        };
        // A connection holds a descriptor even if no request is sent on it.
        let mut holders: Vec<TcpStream> = (before..16).map(|_| server.connect()).collect();
        eventually("all descriptors are in use", || server.descriptors_below(16) == Some(16));
        let mut late = server.send(get);
        for _ in 0..2 {
            holders[0].write_all(get.as_bytes()).expect("the server reads");
            expect(&mut holders[0], &empty);
        }
        assert!(is_silent(&late));
        drop(holders);
        eventually("all descriptors are free", || server.descriptors_below(16) == Some(before));
        assert!(is_silent(&late));
        assert_eq!(body(&server.exchange(get)), poll_body(&[], 0));
        expect(&mut late, &empty);
    }

    #[test]
    fn in_05_each_follower_that_does_not_read_costs_a_copy() {
        let server = Server::start("05_sse");
        let get = "GET /topics/demo HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n";
        let followers: Vec<TcpStream> = (0..4).map(|_| server.send(get)).collect();
        server.wait_until_idle();
        let before = server.resident();
        let data = "x".repeat(MIB);
        (0..24).for_each(|_| drop(server.publish(&data)));
        // The topic keeps 24 MiB, and each outbox keeps what does not fit in the kernel's buffers.
        let after = server.resident();
        assert!(has_grown(&server, before, 2 * 24 * MIB), "{before:?} before, {after:?} after");
        drop(followers);
    }

    #[test]
    fn in_05_a_restart_silently_loses_an_event() {
        let follow = |server: &Server, last_id: usize| {
            let head =
                "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n\r\n";
            let mut client = server.send(format!(
                "GET /topics/demo HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\
                Last-Event-ID: {last_id}\r\n\r\n"
            ));
            expect(&mut client, format!("{head}retry: 2000\nid: {last_id}\n\n"));
            client
        };
        let server = Server::start("05_sse");
        server.publish("one");
        let mut client = follow(&server, 0);
        expect(&mut client, "id: 1\ndata: one\n\n");
        drop(server);
        let server = Server::start("05_sse");
        server.publish("lost");
        let mut client = follow(&server, 1);
        server.wait_until_idle();
        assert!(is_silent(&client));
        // The next id follows the last one of the client, so the client cannot notice the loss.
        server.publish("two");
        expect(&mut client, "id: 2\ndata: two\n\n");
    }

    /// Returns the URL that the script of the attack page connects to.
    fn url_of_the_attack(page: &str, fragment: &str) -> String {
        let script = page.split("new WebSocket(").nth(1).and_then(|rest| rest.split(")\n").next());
        let parts = script.expect("the script opens a WebSocket").split(" + ");
        parts
            .map(|part| match part {
                "location.hash.slice(1)" => fragment,
                text => text.trim_matches('"'),
            })
            .collect()
    }

    #[test]
    fn in_06_and_07_the_attack_page_connects_without_the_check() {
        for name in WITH_HANDSHAKE {
            for (arguments, is_accepted) in [(&["any-origin"][..], true), (&[], false)] {
                let server = Server::start_with(name, arguments);
                server.publish("private");
                let attack_port = server.attack_port.expect("the port of the attack page");
                let page = {
                    let mut stream = TcpStream::connect(("127.0.0.1", attack_port)).expect("it listens");
                    stream
                        .write_all(b"GET /attack HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                        .expect("the server reads");
                    let mut response = String::new();
                    stream.read_to_string(&mut response).expect("a response and a FIN");
                    response
                };
                let url = url_of_the_attack(&page, &server.port.to_string());
                assert_eq!(url, format!("ws://127.0.0.1:{}/topics/demo?since=0", server.port));

                let mut stream = server.send(handshake_of(&format!("http://127.0.0.1:{attack_port}")));
                if !is_accepted {
                    expect(&mut stream, "HTTP/1.1 403 Forbidden\r\n");
                    continue;
                }
                expect(&mut stream, SWITCHED);
                if name == "07_websocket_frames" {
                    let stolen = event(1, "private");
                    expect(
                        &mut stream,
                        [&b"\x81\x0c{\"next\":\"0\"}\x81"[..], &[stolen.len() as u8]].concat(),
                    );
                    expect(&mut stream, stolen);
                }
            }
        }
    }

    #[test]
    fn in_07_many_small_frames_hold_up_every_other_client() {
        // Both clients send the same number of bytes: pings without a payload, and one message.
        let pings = b"\x89\x80\0\0\0\0".repeat(100_000);
        let length = (pings.len() as u64 - 14).to_be_bytes();
        let message = [&b"\x81\xff"[..], &length, &[0; 4], &vec![b'x'; pings.len() - 14]].concat();
        let duration = |frames: &[u8]| {
            let server = Server::start("07_websocket_frames");
            let mut client = server.send(HANDSHAKE);
            expect(&mut client, SWITCHED);
            let start = Instant::now();
            client.write_all(frames).expect("the server reads");
            server.wait_until_idle();
            start.elapsed()
        };
        let (one, many) = (duration(&message), duration(&pings));
        assert!(many > 5 * one, "one frame took {one:?}, and the small frames {many:?}");
    }
}
