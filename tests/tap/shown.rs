//! What is shown of servers and clients that know nothing of barewire, and of barewire itself.

use std::io::{Read, Write};
use std::net::TcpStream;

use tungstenite::Message;
use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode;

use crate::running::Running;
use crate::serve_one;
use crate::tap::{Tap, assert_right, bytes, notes, said, values};

/// Reads a request's head, and says what it was.
pub fn head(mut stream: &TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("a head");
        head.push(byte[0]);
    }
    String::from_utf8(head).expect("ASCII")
}

/// A server of tungstenite's: it pings, answers each message, and is told when to end.
fn web_socket_server(stream: TcpStream) {
    let mut socket = tungstenite::accept(stream).expect("a handshake");
    socket.send(Message::Ping("are you there?".into())).expect("it reads");
    loop {
        match socket.read() {
            Ok(message @ (Message::Text(_) | Message::Binary(_))) => socket.send(message).expect("it reads"),
            Ok(_) => {}
            Err(_) => return,
        }
    }
}

#[test]
fn an_independent_web_socket_server_and_client() {
    let (server, serving) = serve_one(web_socket_server);
    let tap = Tap::to(server, &[]);
    let url = format!("ws://{}/chat", tap.address);
    let (mut socket, _) = tungstenite::client(url, tap.connect()).expect("a handshake");
    assert_eq!(socket.read().expect("a ping"), Message::Ping("are you there?".into()));
    for message in [Message::text("Grüße"), Message::binary(vec![0, 255, 1])] {
        socket.send(message.clone()).expect("it reads");
        assert_eq!(socket.read().expect("an echo"), message);
    }
    socket.close(Some(CloseFrame { code: CloseCode::Normal, reason: "done".into() })).expect("it reads");
    while socket.read().is_ok() {}
    serving.join().expect("a server");
    drop(socket);
    let shown = tap.shown(1);
    assert_right(&shown);
    assert_eq!(values(&shown, "client", "request-target"), ["/chat"]);
    assert_eq!(notes(&shown, "handshake").len(), 1);
    assert!(notes(&shown, "handshake").iter().all(|note| note["is_sent"] == true));
    let frames = |side| {
        let mut frames = values(&shown, side, "FIN, RSV1-3, opcode");
        // When a pong is sent is its sender's to choose.
        frames.sort();
        frames
    };
    assert_eq!(frames("client"), ["FIN, binary", "FIN, close", "FIN, pong", "FIN, text"]);
    assert_eq!(frames("server"), ["FIN, binary", "FIN, close", "FIN, ping", "FIN, text"]);
    let texts: Vec<_> = notes(&shown, "message").into_iter().filter(|note| note["text"] == "Grüße").collect();
    assert_eq!(texts.len(), 2);
    for side in ["client", "server"] {
        assert_eq!(values(&shown, side, "status code"), ["1000"]);
        let sent = shown.last().expect("its end")[side].as_u64().expect("a number");
        assert_eq!(bytes(&shown, side).len() as u64, sent, "each byte in one span");
    }
}

#[test]
fn an_independent_event_stream() {
    let (server, serving) = serve_one(|mut stream| {
        head(&stream);
        let answer = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
        stream.write_all(answer.as_bytes()).expect("it reads");
        for number in 1..=3 {
            write!(stream, ": comment\nid: {number}\nevent: tick\ndata: one\ndata: two\n\n")
                .expect("it reads");
        }
    });
    let tap = Tap::to(server, &[]);
    let mut client = tap.connect();
    client
        .write_all(b"GET /events HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n")
        .expect("it reads");
    let mut all = String::new();
    client.read_to_string(&mut all).expect("an end in order");
    serving.join().expect("a server");
    drop(client);
    let shown = tap.shown(1);
    assert_right(&shown);
    assert_eq!(bytes(&shown, "server"), all.as_bytes());
    assert_eq!(values(&shown, "server", "field name").len(), 12);
    let events: Vec<String> = notes(&shown, "event").iter().map(|note| note["data"].to_string()).collect();
    assert_eq!(events, ["\"one\\ntwo\""; 3]);
}

#[test]
fn a_publish_in_chunks_and_a_long_poll_of_barewires_own() {
    let server = Running::start(|_| {});
    let tap = Tap::to(server.address, &[]);
    let mut poll = tap.connect();
    poll.write_all(
        b"GET /topics/a?wait=30&access_token=s3cret HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    )
    .expect("it reads");
    while tap.line()["field"] != "request-target" {}
    let mut publish = tap.connect();
    let chunks = "6\r\nHello \r\n6;x=y\r\nchunks\r\n0\r\n\r\n";
    write!(publish, "POST /topics/a HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}")
        .expect("it reads");
    let (mut created, mut polled) = (String::new(), String::new());
    publish.read_to_string(&mut created).expect("an end in order");
    assert!(created.starts_with("HTTP/1.1 201"), "{created}");
    poll.read_to_string(&mut polled).expect("an end in order");
    assert!(polled.contains("Hello chunks"), "{polled}");
    drop((poll, publish));
    let mut shown = Vec::new();
    while said(&shown, "over") < 2 {
        shown.push(tap.line());
    }
    assert_right(&shown);
    let of = |connection: u64| -> Vec<_> {
        shown.iter().filter(|line| line["connection"] == connection).cloned().collect()
    };
    assert_eq!(values(&of(2), "client", "chunk-data"), ["Hello ", "chunks"]);
    assert_eq!(values(&of(2), "client", "chunk-size").len(), 3);
    assert_eq!(bytes(&of(2), "server"), created.as_bytes());
    assert_eq!(notes(&of(1), "response")[0]["status"], 200);
    assert!(values(&of(1), "server", "message-body")[0].contains("Hello chunks"));
    assert!(shown.iter().all(|line| !line.to_string().contains("s3cret")), "a token is no one's to see");
}

#[test]
fn secrets_are_shown_where_that_is_asked_for() {
    let (server, serving) = serve_one(|stream| head(&stream));
    let tap = Tap::to(server, &["--show-secrets"]);
    let request = "GET /?access_token=s3cret HTTP/1.1\r\nCookie: a=s3cret\r\n\r\n";
    tap.connect().write_all(request.as_bytes()).expect("it reads");
    assert_eq!(serving.join().expect("a server"), request);
    assert_eq!(bytes(&tap.shown(1), "client"), request.as_bytes());
}

#[test]
fn what_is_none_of_them_passes_and_is_told_of_once() {
    // SSH: the server speaks first, and the client says something that could be a request line.
    for (first, then, side) in [
        ("SSH-2.0-OpenSSH_9.6\r\n", &b"SSH-2.0-client 1\r\n\0\0\x01\n\r\n\x14"[..], "server"),
        ("", b"\x16\x03\x01\x02\0\n\n\x01", "client"),
        ("220 mail.example ESMTP\r\n", b"EHLO client.example\r\nQUIT\r\n", "server"),
    ] {
        let (server, serving) = serve_one(move |mut stream| {
            stream.write_all(first.as_bytes()).expect("it reads");
            let mut all = vec![0; then.len()];
            stream.read_exact(&mut all).expect("what the client sends");
            stream.write_all(&[b'\n'; 10_000]).expect("it reads");
            all
        });
        let tap = Tap::to(server, &[]);
        let mut client = tap.connect();
        let mut banner = vec![0; first.len()];
        client.read_exact(&mut banner).expect("a banner");
        if !first.is_empty() {
            while tap.line()["event"] != "unknown" {}
        }
        client.write_all(then).expect("it reads");
        let mut rest = Vec::new();
        client.read_to_end(&mut rest).expect("an end in order");
        assert_eq!((banner.as_slice(), rest.len()), (first.as_bytes(), 10_000));
        assert_eq!(serving.join().expect("a server"), then);
        drop(client);
        let shown = tap.shown(1);
        if first.is_empty() {
            let unknown: Vec<_> = shown.iter().filter(|line| line["event"] == "unknown").collect();
            assert_eq!(unknown.len(), 1, "{shown:#?}");
            assert_eq!(unknown[0]["side"], side);
        } else {
            assert_eq!(said(&shown, "unknown"), 0, "it has been said already");
            assert!(shown.iter().all(|line| line["bytes"].is_null()), "{shown:#?}");
        }
    }
}

#[test]
fn only_what_is_chosen_is_shown() {
    let server = Running::start(|_| {});
    let ask = |tap: &Tap, request: &str| -> String {
        let mut client = tap.connect();
        client.write_all(request.as_bytes()).expect("it reads");
        let mut all = String::new();
        client.read_to_string(&mut all).expect("an end in order");
        all
    };
    let short = "GET /topics/a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let talk = |tap: &Tap| {
        ask(tap, short);
        let url = format!("ws://{}/echo", tap.address);
        let (mut socket, _) = tungstenite::client(url, tap.connect()).expect("a handshake");
        socket.send(Message::text("chosen")).expect("it reads");
        assert_eq!(socket.read().expect("an echo"), Message::text("chosen"));
        socket.close(None).expect("it reads");
        while socket.read().is_ok() {}
        drop(socket);
        ask(tap, short);
    };
    for (choice, connections) in [
        (&["--wire-only", "websocket"][..], &[2][..]),
        (&["--wire-only", "http"], &[1, 3]),
        (&["--wire-only", "3", "--wire-only", "1"], &[1, 3]),
        (&["--wire-only", "2", "--wire-only", "http"], &[]),
        (&["--wire-only", "websocket", "--wire-only", "http"], &[1, 2, 3]),
    ] {
        let tap = Tap::to(server.address, choice);
        talk(&tap);
        let (status, shown, errors) = tap.end("TERM");
        assert!(status.success(), "{errors}");
        let mut seen: Vec<u64> = shown.iter().filter_map(|line| line["connection"].as_u64()).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen, connections, "{choice:?}");
        for connection in connections {
            let of: Vec<_> = shown.iter().filter(|line| line["connection"] == *connection).cloned().collect();
            assert_eq!((said(&of, "opened"), said(&of, "over")), (1, 1));
            let request = String::from_utf8(bytes(&of, "client")[..3].to_vec());
            assert_eq!(request.as_deref(), Ok("GET"), "from the first byte on");
        }
    }
}

#[test]
fn a_long_payload_is_shortened_and_its_length_told() {
    const LENGTH: usize = 300_000;
    let (server, serving) = serve_one(|mut stream| {
        head(&stream);
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", LENGTH + 1).expect("it reads");
        stream.write_all(&[b'x'; LENGTH]).expect("it reads");
    });
    let tap = Tap::to(server, &[]);
    let mut client = tap.connect();
    client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").expect("it reads");
    client.read_to_end(&mut Vec::new()).expect("an end in order");
    serving.join().expect("a server");
    drop(client);
    let shown = tap.shown(1);
    let more: u64 = shown.iter().filter_map(|line| line["more"].as_u64()).sum();
    let bodies = shown.iter().filter(|line| line["field"] == "message-body" && line["bytes"].is_string());
    let whole: usize = bodies.map(|span| span["bytes"].as_str().map_or(0, str::len) / 2).sum();
    assert_eq!(more as usize + whole, LENGTH, "{shown:#?}");
    assert!(whole <= 2 * 4096);
}
