//! The six bare examples and the command, each as a process of its own on a port that was free.
//!
//! What stands at the top of an example, in the README and in the documentation is typed for real and compared: see `transcript`, which needs
//! neither netcat nor curl. The rest is what a learner's first commands do not show: input that comes byte by byte,
//! readers that do not read, requests that are none, an independent WebSocket client, and that what is said to
//! break does break.

mod server;
mod transcript;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;

use tungstenite::{Error, Message, WebSocket, protocol::frame::coding::CloseCode};

use server::{Server, body, eventually, expect, is_silent};
use transcript::{Typist, play, play_page};

const WITH_TOPIC: [&str; 4] = ["03_short_poll", "04_long_poll", "05_sse", "06_websocket"];
const MIB: usize = 1 << 20;

/// The handshake of RFC 6455 §1.3, and the answer that it gives for it.
const HANDSHAKE: &str = "GET /topics/demo?since=0 HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\
    Connection: keep-alive, Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";
const SWITCHED: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

fn answer(status: &str, kind: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}")
}

fn page(events: &[(usize, &str)], next: usize) -> String {
    let events: Vec<String> = events
        .iter()
        .map(|(id, data)| format!("{{\"id\":\"{id}\",\"event\":\"message\",\"data\":\"{data}\"}}"))
        .collect();
    format!("{{\"events\":[{}],\"next\":\"{next}\"}}\n", events.join(","))
}

mod the_lines_at_the_top {
    use super::{Typist, play};

    #[test]
    fn of_01_tcp_echo() {
        play("01_tcp_echo", Typist::Interpreter);
        play("01_tcp_echo", Typist::Shell);
    }

    #[test]
    fn of_02_http() {
        play("02_http", Typist::Interpreter);
        play("02_http", Typist::Shell);
    }

    #[test]
    fn of_03_short_poll() {
        play("03_short_poll", Typist::Interpreter);
        play("03_short_poll", Typist::Shell);
    }

    #[test]
    fn of_04_long_poll() {
        play("04_long_poll", Typist::Interpreter);
        play("04_long_poll", Typist::Shell);
    }

    #[test]
    fn of_05_sse() {
        play("05_sse", Typist::Interpreter);
        play("05_sse", Typist::Shell);
    }

    #[test]
    fn of_06_websocket() {
        play("06_websocket", Typist::Interpreter);
        play("06_websocket", Typist::Shell);
    }
}

mod the_lines {
    use super::{Typist, play_page};

    #[test]
    fn of_the_readme() {
        play_page("README.md", Typist::Interpreter);
        play_page("README.md", Typist::Shell);
    }

    #[test]
    fn of_the_wire_view() {
        play_page("docs/wire.md", Typist::Interpreter);
        play_page("docs/wire.md", Typist::Shell);
    }

    #[test]
    fn of_the_interface() {
        play_page("docs/interface.md", Typist::Interpreter);
        play_page("docs/interface.md", Typist::Shell);
    }
}

#[test]
fn input_may_come_byte_by_byte() {
    let get = "GET /topics/demo?since=0 HTTP/1.1\r\nHost: a\r\n\r\n";
    let post = "POST /topics/demo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\none";
    let stream =
        "GET /topics/demo HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\nLast-Event-ID: 0\r\n\r\n";
    let created = answer("201 Created", "application/json", "{\"id\":\"1\"}\n");
    let polled = answer("200 OK", "application/json", &page(&[(1, "one")], 1));
    let streamed = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n\r\n\
        retry: 2000\nid: 0\n\nid: 1\ndata: one\n\n";
    let hello = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"; // RFC 6455 §5.7
    let handshake_and_hello = [HANDSHAKE.as_bytes(), hello].concat();
    let said = "{\"id\":\"1\",\"event\":\"message\",\"data\":\"Hello\"}";
    let switched_and_said =
        [SWITCHED.as_bytes(), b"\x81\x0c{\"next\":\"0\"}\x81\x2b", said.as_bytes()].concat();

    let echo = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
    byte_by_byte("01_tcp_echo", b"hello\n", b"hello\n");
    byte_by_byte("02_http", echo.as_bytes(), answer("200 OK", "text/plain", "hello").as_bytes());
    for name in WITH_TOPIC {
        byte_by_byte(name, format!("{post}{get}").as_bytes(), (created.clone() + &polled).as_bytes());
    }
    for name in ["05_sse", "06_websocket"] {
        byte_by_byte(name, format!("{post}{stream}").as_bytes(), (created.clone() + streamed).as_bytes());
    }
    byte_by_byte("06_websocket", &handshake_and_hello, &switched_and_said);
}

fn byte_by_byte(name: &str, input: &[u8], output: &[u8]) {
    let server = Server::start(name);
    let mut client = server.connect();
    for byte in input {
        client.write_all(&[*byte]).expect("it reads");
        server.settle();
    }
    expect(&mut client, output);
}

/// Readers that let the server go on with others first, so that it has to write in parts: what is sent is more
/// than the kernel's buffers hold.
mod a_reader_that_takes_its_time_gets_every_byte {
    use super::*;

    fn data(length: usize) -> String {
        (0..length).map(|n| char::from(b'a' + (n / 7 % 26) as u8)).collect()
    }

    #[test]
    fn of_the_echo() {
        let server = Server::start("01_tcp_echo");
        let data = data(16 * MIB);
        let mut client = server.connect();
        let mut writer = client.try_clone().expect("a second handle");
        let written = data.clone();
        let writing = thread::spawn(move || writer.write_all(written.as_bytes()));
        server.settle();
        expect(&mut client, &data);
        writing.join().expect("the writer ends").expect("it reads all");
    }

    #[test]
    fn of_an_answer() {
        let server = Server::start("02_http");
        let data = data(8 * MIB);
        let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", data.len());
        let mut client = server.send(format!("{head}{data}{head}{data}"));
        server.settle();
        expect(&mut client, answer("200 OK", "text/plain", &data).repeat(2));
    }

    #[test]
    fn of_a_poll() {
        for name in WITH_TOPIC {
            let server = Server::start(name);
            let data = data(2 * MIB);
            server.publish(&data);
            let mut client = server.send("GET /topics/demo HTTP/1.1\r\nHost: a\r\n\r\n".repeat(4));
            server.settle();
            let polled = answer("200 OK", "application/json", &page(&[(1, &data)], 1));
            expect(&mut client, polled.repeat(4));
        }
    }

    #[test]
    fn of_an_event_stream() {
        let server = Server::start("05_sse");
        let data = data(2 * MIB);
        let get = "GET /topics/demo HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n";
        let mut client = server.send(get);
        server.settle();
        (1..=6).for_each(|_| drop(server.publish(&data)));
        let blocks: String = (1..=6).map(|id| format!("id: {id}\ndata: {data}\n\n")).collect();
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n\r\n";
        expect(&mut client, format!("{head}retry: 2000\nid: 0\n\n{blocks}"));
    }

    #[test]
    fn of_a_websocket() {
        let server = Server::start("06_websocket");
        let data = data(2 * MIB);
        let (mut websocket, mut publisher) = (join(&server), join(&server));
        for id in 1..=4 {
            publisher.send(Message::text(data.as_str())).expect("it reads");
            assert_eq!(text(&mut publisher), event(id, &data));
        }
        (1..=4).for_each(|id| assert_eq!(text(&mut websocket), event(id, &data)));
    }
}

#[test]
fn what_is_no_request_is_answered_400_and_the_connection_ends() {
    let bad = [
        "How do you do?\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: five\r\n\r\nhello",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\nhello",
    ];
    for name in ["02_http"].iter().chain(&WITH_TOPIC) {
        let server = Server::start(name);
        for request in bad {
            // The peer has not said that it is done, so it is the server that ends the connection.
            let mut answered = String::new();
            server.send(request).read_to_string(&mut answered).expect("an answer and FIN");
            assert_eq!(answered, answer("400 Bad Request", "text/plain", "400 Bad Request\n"), "{request}");
        }
        let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
        assert_eq!(
            server.exchange(chunked),
            answer("501 Not Implemented", "text/plain", "501 Not Implemented\n")
        );
        assert_eq!(server.get("/nowhere"), "nothing here\n");
    }
    for name in WITH_TOPIC {
        let post = b"POST /topics/demo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n\xff";
        let answered = Server::start(name).exchange(post);
        assert_eq!(answered, answer("400 Bad Request", "text/plain", "data is UTF-8\n"));
    }
}

#[test]
fn connection_close_is_the_last_request() {
    let server = Server::start("02_http");
    let get = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Close\r\n\r\n";
    let mut answered = String::new();
    server.send(get.repeat(2)).read_to_string(&mut answered).expect("an answer and FIN");
    assert_eq!(answered, answer("200 OK", "text/plain", "POST, and I say it too\n"));
}

#[test]
fn json_escapes_what_a_string_cannot_hold() {
    for name in WITH_TOPIC {
        let server = Server::start(name);
        assert_eq!(server.publish("\"\\\u{1}\t\u{1f}é😀"), "{\"id\":\"1\"}\n");
        let escaped = r#"\"\\\u0001\u0009\u001fé😀"#;
        assert_eq!(server.get("/topics/demo"), page(&[(1, escaped)], 1));
    }
}

#[test]
fn a_long_poll_waits_for_an_event_and_what_is_behind_it_waits_too() {
    for name in &WITH_TOPIC[1..] {
        let server = Server::start(name);
        server.publish("before");
        let held = "GET /topics/demo?wait=60 HTTP/1.1\r\nHost: a\r\n\r\n";
        let behind = "POST /topics/demo HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nbehind";
        let mut first = server.send(format!("{held}{behind}"));
        let mut second = server.send("GET /topics/demo?since=2&wait=60 HTTP/1.1\r\nHost: a\r\n\r\n");
        // A half-close says only that no more requests come.
        second.shutdown(Shutdown::Write).expect("the connection stands");
        server.settle();
        assert!(is_silent(&first) && is_silent(&second));

        assert_eq!(server.publish("now"), "{\"id\":\"2\"}\n");
        expect(&mut first, answer("200 OK", "application/json", &page(&[(2, "now")], 2)));
        // The answer lets the request behind it through, and that is what the other one waits for.
        expect(&mut first, answer("201 Created", "application/json", "{\"id\":\"3\"}\n"));
        expect(&mut second, answer("200 OK", "application/json", &page(&[(3, "behind")], 3)));
        assert_eq!(server.get("/topics/demo?since=3&wait=0"), page(&[], 3));
    }
}

#[test]
fn an_event_stream_goes_on_where_the_last_event_id_says() {
    for name in ["05_sse", "06_websocket"] {
        let server = Server::start(name);
        for data in ["one", "two\r\n2\r2\n", "three"] {
            server.publish(data);
        }
        let field = "Accept: text/event-stream\r\nLast-Event-ID: 1";
        // The field counts more than the query: a browser reconnects to the URL that it was given.
        let mut client =
            server.send(format!("GET /topics/demo?since=0 HTTP/1.1\r\nHost: a\r\n{field}\r\n\r\n"));
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n\r\n";
        let two = "id: 2\ndata: two\ndata: 2\ndata: 2\ndata: \n\n";
        expect(&mut client, format!("{head}retry: 2000\nid: 1\n\n{two}id: 3\ndata: three\n\n"));
        client.shutdown(Shutdown::Write).expect("the connection stands");
        server.publish("four");
        expect(&mut client, "id: 4\ndata: four\n\n");
    }
}

type Peer = WebSocket<TcpStream>;

/// An independent client, that has been told where it starts.
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
fn a_websocket_and_the_other_transports_see_the_same_topic() {
    let server = Server::start("06_websocket");
    let mut websocket = join(&server);
    server.publish("from a POST");
    assert_eq!(text(&mut websocket), event(1, "from a POST"));
    let mut waiting = server.send("GET /topics/demo?wait=60 HTTP/1.1\r\nHost: a\r\n\r\n");
    server.settle();
    websocket.send(Message::text("from a WebSocket\r\n")).expect("it reads");
    assert_eq!(text(&mut websocket), event(2, "from a WebSocket\\u000a"));
    let expected = page(&[(2, "from a WebSocket\\u000a")], 2);
    expect(&mut waiting, answer("200 OK", "application/json", &expected));
    assert_eq!(server.get("/topics/demo?since=1"), expected);

    // A length has three forms (RFC 6455 §5.2). The JSON is longer than the data, by as much as an empty event.
    let around = event(3, "").len();
    let ends = [0, 1, 125, 126, 65_535, 65_536];
    for (n, length) in ends.iter().flat_map(|&end| [end, end.max(around) - around]).enumerate() {
        let data = "x".repeat(length);
        websocket.send(Message::text(data.as_str())).expect("it reads");
        assert_eq!(text(&mut websocket), event(n + 3, &data));
    }
    websocket.send(Message::Ping("anyone?".into())).expect("it reads");
    assert_eq!(websocket.read().expect("a pong"), Message::Pong("anyone?".into()));
    websocket.close(None).expect("it reads");
    while let Ok(message) = websocket.read() {
        assert!(message.is_close());
    }
}

#[test]
fn a_websocket_that_breaks_a_rule_is_told_which() {
    let server = Server::start("06_websocket");
    // The frames are masked with zeros, which leaves the payload as it is.
    let rules: [(&[u8], CloseCode); 10] = [
        (b"\x81\x05Hello", CloseCode::Protocol),          // not masked, §5.1
        (b"\xc1\x80\0\0\0\0", CloseCode::Protocol),       // a reserved bit, §5.2
        (b"\x83\x80\0\0\0\0", CloseCode::Protocol),       // a reserved opcode, §5.2
        (b"\x89\xfe\0\x7e\0\0\0\0", CloseCode::Protocol), // a ping of 126 bytes, §5.5
        (b"\x09\x80\0\0\0\0", CloseCode::Protocol),       // a ping in fragments, §5.5
        (b"\x88\x81\0\0\0\0x", CloseCode::Protocol),      // half a close code, §5.5.1
        (b"\x81\x81\0\0\0\0\xff", CloseCode::Invalid),    // no UTF-8, §8.1
        (b"\x82\x81\0\0\0\0x", CloseCode::Unsupported),   // binary
        (b"\x01\x81\0\0\0\0x", CloseCode::Unsupported),   // a fragment
        (b"\x88\x82\0\0\0\0\x0f\xa0", CloseCode::Library(4000)), // a close of the client's own
    ];
    for (frame, code) in rules {
        let mut websocket = join(&server);
        websocket.get_mut().write_all(frame).expect("it reads");
        match websocket.read() {
            Ok(Message::Close(Some(close))) => assert_eq!(close.code, code, "{frame:x?}"),
            other => panic!("{frame:x?}: {other:?}"),
        }
        assert!(matches!(websocket.read(), Err(Error::ConnectionClosed | Error::Protocol(_) | Error::Io(_))));
    }
    assert_eq!(server.get("/topics/demo"), page(&[], 0));
}

#[test]
fn a_handshake_that_is_none_is_answered_400() {
    let server = Server::start("06_websocket");
    assert!(server.exchange(HANDSHAKE).starts_with(SWITCHED));
    for (part, other) in [
        ("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZQ=="),
        ("dGhlIHNhbXBsZSBub25jZQ==", "not base64"),
        ("Version: 13", "Version: 8"),
        ("Connection: keep-alive, Upgrade", "Connection: keep-alive"),
    ] {
        let answered = server.exchange(HANDSHAKE.replace(part, other));
        assert!(answered.starts_with("HTTP/1.1 400 "), "{other}: {answered}");
    }
}

mod what_is_said_to_break {
    use super::*;

    /// Memory that the server has taken since `before`; where nobody tells how much, as much as is claimed.
    fn has_grown(server: &Server, before: Option<usize>, by: usize) -> bool {
        server.resident().zip(before).is_none_or(|(now, before)| now >= before + by)
    }

    #[test]
    fn in_01_a_writer_that_never_reads_fills_the_memory() {
        let server = Server::start("01_tcp_echo");
        let before = server.resident();
        let _writer = server.send(vec![0; 64 * MIB]);
        // What the kernel's own buffers hold is far less than half of it.
        eventually("the outbox grows", || has_grown(&server, before, 32 * MIB));
        server.settle();
    }

    #[test]
    fn in_02_a_head_without_an_end_is_kept() {
        let server = Server::start("02_http");
        let before = server.resident();
        let client = server.send(format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(4 * MIB)));
        eventually("the inbox grows", || has_grown(&server, before, 4 * MIB));
        server.settle();
        assert!(is_silent(&client));
    }

    #[test]
    fn in_03_a_restart_loses_an_event_and_says_nothing() {
        let server = Server::start("03_short_poll");
        server.publish("one");
        server.publish("two");
        assert_eq!(server.get("/topics/demo?since=2"), page(&[], 2));
        drop(server);
        let server = Server::start("03_short_poll");
        server.publish("three");
        assert_eq!(server.get("/topics/demo?since=2"), page(&[], 1));
        assert_eq!(server.get("/topics/demo?since=1"), page(&[], 1));
    }

    #[test]
    fn in_04_who_comes_when_descriptors_are_out_is_forgotten() {
        let server = Server::start_limited("04_long_poll", 16);
        let get = "GET /topics/demo HTTP/1.1\r\nHost: a\r\n\r\n";
        let empty = answer("200 OK", "application/json", &page(&[], 0));
        let Some(none_connected) = server.descriptors_below(16) else {
            eprintln!("skipped: nobody tells how many descriptors a process has open");
            return;
        };
        // Whether they wait in a poll or say nothing, they hold a descriptor.
        let mut holders: Vec<TcpStream> = (none_connected..16).map(|_| server.connect()).collect();
        eventually("all descriptors are in use", || server.descriptors_below(16) == Some(16));
        let mut late = server.send(get);
        for _ in 0..2 {
            holders[0].write_all(get.as_bytes()).expect("it reads");
            expect(&mut holders[0], &empty);
        }
        assert!(is_silent(&late));
        drop(holders);
        eventually("all descriptors are free", || server.descriptors_below(16) == Some(none_connected));
        assert!(is_silent(&late));
        assert_eq!(body(&server.exchange(get)), page(&[], 0));
        expect(&mut late, &empty);
    }

    #[test]
    fn in_05_each_follower_that_does_not_read_keeps_its_own_copy() {
        let server = Server::start("05_sse");
        let get = "GET /topics/demo HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n";
        let followers: Vec<TcpStream> = (0..4).map(|_| server.send(get)).collect();
        server.settle();
        let before = server.resident();
        let data = "x".repeat(MIB);
        (0..24).for_each(|_| drop(server.publish(&data)));
        // The topic's 24 MiB and four times what the kernel does not hold of them.
        assert!(has_grown(&server, before, 2 * 24 * MIB), "{before:?}, then {:?}", server.resident());
        drop(followers);
    }
}
