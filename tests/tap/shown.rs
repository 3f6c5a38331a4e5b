//! The view of independent servers and clients, and of barewire itself.

use std::io::{Read, Write};
use std::net::TcpStream;

use tungstenite::Message;
use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode;

use crate::harness::{Tap, assert_no_violation, bytes, count, notes, values};
use crate::running::Running;
use crate::serve_one;

/// Reads and returns the head of a request.
pub fn head(mut stream: &TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("a head");
        head.push(byte[0]);
    }
    String::from_utf8(head).expect("ASCII")
}

/// Runs a tungstenite server that sends a ping and echoes each message until the client closes.
fn web_socket_server(stream: TcpStream) {
    let mut socket = tungstenite::accept(stream).expect("a handshake");
    socket.send(Message::Ping("are you there?".into())).expect("the peer reads");
    loop {
        match socket.read() {
            Ok(message @ (Message::Text(_) | Message::Binary(_))) => {
                socket.send(message).expect("the peer reads")
            }
            Ok(_) => {}
            Err(_) => return,
        }
    }
}

#[test]
fn shows_an_independent_web_socket_server_and_client() {
    let (server, serving) = serve_one(web_socket_server);
    let tap = Tap::to(server, &[]);
    let url = format!("ws://{}/chat", tap.address);
    let (mut socket, _) = tungstenite::client(url, tap.connect()).expect("a handshake");
    assert_eq!(socket.read().expect("a ping"), Message::Ping("are you there?".into()));
    for message in [Message::text("Grüße"), Message::binary(vec![0, 255, 1])] {
        socket.send(message.clone()).expect("the peer reads");
        assert_eq!(socket.read().expect("an echo"), message);
    }
    socket
        .close(Some(CloseFrame { code: CloseCode::Normal, reason: "done".into() }))
        .expect("the peer reads");
    while socket.read().is_ok() {}
    serving.join().expect("the server does not panic");
    drop(socket);
    let shown = tap.shown(1);
    assert_no_violation(&shown);
    assert_eq!(values(&shown, "client", "request-target"), ["/chat"]);
    assert_eq!(notes(&shown, "handshake").len(), 1);
    assert!(notes(&shown, "handshake").iter().all(|note| note["is_sent"] == true));
    let frames = |side| {
        let mut frames = values(&shown, side, "FIN, RSV1-3, opcode");
        // The order of a pong and other frames is not determined.
        frames.sort();
        frames
    };
    assert_eq!(frames("client"), ["FIN, binary", "FIN, close", "FIN, pong", "FIN, text"]);
    assert_eq!(frames("server"), ["FIN, binary", "FIN, close", "FIN, ping", "FIN, text"]);
    let texts: Vec<_> = notes(&shown, "message").into_iter().filter(|note| note["text"] == "Grüße").collect();
    assert_eq!(texts.len(), 2);
    for side in ["client", "server"] {
        assert_eq!(values(&shown, side, "status code"), ["1000"]);
        let sent = shown.last().expect("the last line")[side].as_u64().expect("a number");
        assert_eq!(bytes(&shown, side).len() as u64, sent, "each byte in one span");
    }
}

#[test]
fn shows_an_independent_event_stream() {
    let (server, serving) = serve_one(|mut stream| {
        head(&stream);
        let response = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
        stream.write_all(response.as_bytes()).expect("the peer reads");
        for number in 1..=3 {
            write!(stream, ": comment\nid: {number}\nevent: tick\ndata: one\ndata: two\n\n")
                .expect("the peer reads");
        }
    });
    let tap = Tap::to(server, &[]);
    let mut client = tap.connect();
    client
        .write_all(b"GET /events HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n")
        .expect("the peer reads");
    let mut all = String::new();
    client.read_to_string(&mut all).expect("an orderly end");
    serving.join().expect("the server does not panic");
    drop(client);
    let shown = tap.shown(1);
    assert_no_violation(&shown);
    assert_eq!(bytes(&shown, "server"), all.as_bytes());
    assert_eq!(values(&shown, "server", "field name").len(), 12);
    let events: Vec<String> = notes(&shown, "event").iter().map(|note| note["data"].to_string()).collect();
    assert_eq!(events, ["\"one\\ntwo\""; 3]);
}

#[test]
fn shows_a_chunked_publish_and_a_long_poll_of_barewire() {
    let server = Running::start(|_| {});
    let tap = Tap::to(server.address, &[]);
    let mut poll = tap.connect();
    poll.write_all(
        b"GET /topics/a?wait=30&access_token=s3cret HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    )
    .expect("the peer reads");
    while tap.line()["field"] != "request-target" {}
    let mut publish = tap.connect();
    let chunks = "6\r\nHello \r\n6;x=y\r\nchunks\r\n0\r\n\r\n";
    write!(publish, "POST /topics/a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}")
        .expect("the peer reads");
    let (mut created, mut polled) = (String::new(), String::new());
    publish.read_to_string(&mut created).expect("an orderly end");
    assert!(created.starts_with("HTTP/1.1 201"), "{created}");
    poll.read_to_string(&mut polled).expect("an orderly end");
    assert!(polled.contains("Hello chunks"), "{polled}");
    drop((poll, publish));
    let mut shown = Vec::new();
    while count(&shown, "over") < 2 {
        shown.push(tap.line());
    }
    assert_no_violation(&shown);
    let of = |connection: u64| -> Vec<_> {
        shown.iter().filter(|line| line["connection"] == connection).cloned().collect()
    };
    assert_eq!(values(&of(2), "client", "chunk-data"), ["Hello ", "chunks"]);
    assert_eq!(values(&of(2), "client", "chunk-size").len(), 3);
    assert_eq!(bytes(&of(2), "server"), created.as_bytes());
    assert_eq!(notes(&of(1), "response")[0]["status"], 200);
    assert!(values(&of(1), "server", "message-body")[0].contains("Hello chunks"));
    assert!(shown.iter().all(|line| !line.to_string().contains("s3cret")), "a token is shown");
}

#[test]
fn shows_secrets_on_request() {
    let (server, serving) = serve_one(|stream| head(&stream));
    let tap = Tap::to(server, &["--show-secrets"]);
    let request = "GET /?access_token=s3cret HTTP/1.1\r\nCookie: a=s3cret\r\n\r\n";
    tap.connect().write_all(request.as_bytes()).expect("the peer reads");
    assert_eq!(serving.join().expect("the server does not panic"), request);
    assert_eq!(bytes(&tap.shown(1), "client"), request.as_bytes());
}

#[test]
fn hides_tokens_in_fields_queries_and_subprotocols() {
    let request = "GET /?token=s3cret&x=1 HTTP/1.1\r\nX-Api-Key: s3cret\r\nX-Device: s3cret\r\n\
                   Sec-WebSocket-Protocol: graphql-ws, s3cret\r\n\r\n";
    let response = "HTTP/1.1 302 Found\r\nLocation: /?x=1&code=s3cret\r\nContent-Length: 0\r\n\r\n";
    let (server, serving) = serve_one(|mut stream| {
        let head = head(&stream);
        stream.write_all(response.as_bytes()).expect("the peer reads");
        head
    });
    let tap = Tap::to(server, &["--hide", "x-device"]);
    let mut client = tap.connect();
    client.write_all(request.as_bytes()).expect("the peer reads");
    let mut received = String::new();
    client.read_to_string(&mut received).expect("an orderly end");
    drop(client);
    assert_eq!((serving.join().expect("the server does not panic"), &*received), (request.into(), response));
    let shown = tap.shown(1);
    assert!(shown.iter().all(|line| !line.to_string().contains("s3cret")), "{shown:#?}");
    let masked = |text: &str| text.replace("s3cret", "******").into_bytes();
    assert_eq!(bytes(&shown, "client"), masked(request));
    assert_eq!(bytes(&shown, "server"), masked(response));
}

#[test]
fn relays_an_unknown_protocol_and_reports_it_once() {
    // SSH: the server speaks first, and the client sends a line that resembles a request line.
    for (first, then, side) in [
        ("SSH-2.0-OpenSSH_9.6\r\n", &b"SSH-2.0-client 1\r\n\0\0\x01\n\r\n\x14"[..], "server"),
        ("", b"\x16\x03\x01\x02\0\n\n\x01", "client"),
        ("220 mail.example ESMTP\r\n", b"EHLO client.example\r\nQUIT\r\n", "server"),
    ] {
        let (server, serving) = serve_one(move |mut stream| {
            stream.write_all(first.as_bytes()).expect("the peer reads");
            let mut all = vec![0; then.len()];
            stream.read_exact(&mut all).expect("the client's bytes");
            stream.write_all(&[b'\n'; 10_000]).expect("the peer reads");
            all
        });
        let tap = Tap::to(server, &[]);
        let mut client = tap.connect();
        let mut banner = vec![0; first.len()];
        client.read_exact(&mut banner).expect("a banner");
        if !first.is_empty() {
            while tap.line()["event"] != "unknown" {}
        }
        client.write_all(then).expect("the peer reads");
        let mut rest = Vec::new();
        client.read_to_end(&mut rest).expect("an orderly end");
        assert_eq!((banner.as_slice(), rest.len()), (first.as_bytes(), 10_000));
        assert_eq!(serving.join().expect("the server does not panic"), then);
        drop(client);
        let shown = tap.shown(1);
        if first.is_empty() {
            let unknown: Vec<_> = shown.iter().filter(|line| line["event"] == "unknown").collect();
            assert_eq!(unknown.len(), 1, "{shown:#?}");
            assert_eq!(unknown[0]["side"], side);
        } else {
            assert_eq!(count(&shown, "unknown"), 0, "the unknown protocol was reported before");
            assert!(shown.iter().all(|line| line["bytes"].is_null()), "{shown:#?}");
        }
    }
}

#[test]
fn shows_only_the_selected_connections() {
    let server = Running::start(|_| {});
    let request = |tap: &Tap, bytes: &str| -> String {
        let mut client = tap.connect();
        client.write_all(bytes.as_bytes()).expect("the peer reads");
        let mut all = String::new();
        client.read_to_string(&mut all).expect("an orderly end");
        all
    };
    let short = "GET /topics/a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let connect_three_times = |tap: &Tap| {
        request(tap, short);
        let url = format!("ws://{}/echo", tap.address);
        let (mut socket, _) = tungstenite::client(url, tap.connect()).expect("a handshake");
        socket.send(Message::text("selected")).expect("the peer reads");
        assert_eq!(socket.read().expect("an echo"), Message::text("selected"));
        socket.close(None).expect("the peer reads");
        while socket.read().is_ok() {}
        drop(socket);
        request(tap, short);
    };
    for (filter, connections) in [
        (&["--wire-only", "websocket"][..], &[2][..]),
        (&["--wire-only", "http"], &[1, 3]),
        (&["--wire-only", "3", "--wire-only", "1"], &[1, 3]),
        (&["--wire-only", "2", "--wire-only", "http"], &[]),
        (&["--wire-only", "websocket", "--wire-only", "http"], &[1, 2, 3]),
    ] {
        let tap = Tap::to(server.address, filter);
        connect_three_times(&tap);
        let (status, shown, errors) = tap.end("TERM");
        assert!(status.success(), "{errors}");
        let mut shown_connections: Vec<u64> =
            shown.iter().filter_map(|line| line["connection"].as_u64()).collect();
        shown_connections.sort_unstable();
        shown_connections.dedup();
        assert_eq!(shown_connections, connections, "{filter:?}");
        for connection in connections {
            let of: Vec<_> = shown.iter().filter(|line| line["connection"] == *connection).cloned().collect();
            assert_eq!((count(&of, "opened"), count(&of, "over")), (1, 1));
            let request = String::from_utf8(bytes(&of, "client")[..3].to_vec());
            assert_eq!(request.as_deref(), Ok("GET"), "from the first byte on");
        }
    }
}

#[test]
fn shortens_a_long_payload_and_reports_its_length() {
    const LENGTH: usize = 300_000;
    let (server, serving) = serve_one(|mut stream| {
        head(&stream);
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", LENGTH + 1).expect("the peer reads");
        stream.write_all(&[b'x'; LENGTH]).expect("the peer reads");
    });
    let tap = Tap::to(server, &[]);
    let mut client = tap.connect();
    client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").expect("the peer reads");
    client.read_to_end(&mut Vec::new()).expect("an orderly end");
    serving.join().expect("the server does not panic");
    drop(client);
    let shown = tap.shown(1);
    let more: u64 = shown.iter().filter_map(|line| line["more"].as_u64()).sum();
    let bodies = shown.iter().filter(|line| line["field"] == "message-body" && line["bytes"].is_string());
    let shown_bytes: usize = bodies.map(|span| span["bytes"].as_str().map_or(0, str::len) / 2).sum();
    assert_eq!(more as usize + shown_bytes, LENGTH, "{shown:#?}");
    assert!(shown_bytes <= 2 * 4096);
}
