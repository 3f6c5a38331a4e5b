//! The server without a fault is correct, as far as barewire's own clients see it. The suite itself
//! is the stricter test.

use std::io::{Read, Write};
use std::net::TcpStream;

use barewire::client::follow::{Resource, Since, Transport};
use barewire::client::{Follow, FollowOptions, Message, Publisher, Request, Update, WebSocket};
use barewire::protocol::websocket::close::CloseCode;
use barewire::protocol::websocket::extension::{ClientWindow, Offer};

use super::faulty::{Fault, Server};

/// Data that each transport carries in its own way.
const DATA: [&str; 5] = ["one", "", " two\nlines ", "\"\\\u{1f600}", "a\r\nb\rc"];

fn resource(server: &Server, topic: &str) -> Resource {
    Resource::new(&format!("http://{}/topics/{topic}", server.address()), None, &[]).expect("a valid URL")
}

/// Follows a topic until all of `DATA` has arrived. Returns the data.
fn follow(server: &Server, transport: Transport, since: Since) -> (Vec<Update>, Vec<String>) {
    let options = FollowOptions { transports: vec![transport], since, ..FollowOptions::default() };
    let follow = Follow::new(resource(server, "news"), options).expect("a follower");
    let (mut others, mut data) = (Vec::new(), Vec::new());
    for update in follow {
        match update.expect("the server is correct") {
            Update::Event(event) => data.push(event.data),
            update => others.push(update),
        }
        if data.len() == DATA.len() {
            break;
        }
    }
    (others, data)
}

#[test]
fn delivers_the_same_events_with_each_transport() {
    let server = Server::start(None);
    let mut publisher = Publisher::new(resource(&server, "news"));
    let ids: Vec<_> = DATA.map(|data| publisher.publish(data).expect("the event is published")).into();
    assert!(ids.windows(2).all(|ids| ids[0] != ids[1]), "{ids:?}");
    let expected = DATA.map(|data| data.replace("\r\n", "\n").replace('\r', "\n"));
    for transport in [Transport::ShortPoll, Transport::LongPoll, Transport::EventStream] {
        let (others, data) = follow(&server, transport, Since::Start);
        assert_eq!(data, expected, "{transport:?}");
        assert_eq!(others, [Update::Opened(transport)]);
        let (others, data) = follow(&server, transport, Since::Id("other-7".into()));
        assert_eq!(data, expected, "{transport:?}");
        assert!(others.iter().any(|update| matches!(update, Update::Gap { .. })), "{others:?}");
    }
}

#[test]
fn echoes_messages_with_and_without_compression() {
    let server = Server::start(None);
    let url = format!("ws://{}/echo", server.address());
    let small = Offer {
        server_no_context_takeover: true,
        client_no_context_takeover: true,
        server_max_window_bits: Some(9),
        client_max_window_bits: ClientWindow::AtMost(9),
    };
    for deflate in [None, Some(Offer::default()), Some(small)] {
        let mut socket =
            WebSocket::connect(&url, &Request { deflate, ..Request::default() }).expect("a socket");
        assert_eq!(socket.agreement().is_some(), deflate.is_some());
        for length in [0, 1, 125, 126, 65_535, 65_536, 100_000] {
            let text: String = ('\u{e0}'..'\u{ff}').cycle().take(length).collect();
            socket.send_text(&text).expect("the message is sent");
            assert_eq!(socket.read().expect("an echo"), Message::Text(text.clone()));
            socket.send_binary(text.as_bytes()).expect("the message is sent");
            assert_eq!(socket.read().expect("an echo"), Message::Binary(text.into_bytes()));
        }
        let reply = socket.close(CloseCode::NORMAL, "enough").expect("the closing handshake");
        assert_eq!(reply, Some((CloseCode::NORMAL, String::new())));
    }
}

#[test]
fn answers_pipelined_requests_in_order() {
    let server = Server::start(None);
    let mut stream = TcpStream::connect(server.address()).expect("the server listens");
    let requests = "POST /topics/x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhiGET /topics/x HTTP/1.1\r\n\
                    Host: a\r\nConnection: close\r\n\r\n";
    stream.write_all(requests.as_bytes()).expect("the requests are sent");
    let mut responses = String::new();
    stream.read_to_string(&mut responses).expect("two responses and the end");
    let statuses: Vec<_> = responses.matches("HTTP/1.1 ").collect();
    assert_eq!(statuses.len(), 2, "{responses}");
    assert!(responses.contains("201 Created") && responses.contains("\"data\":\"hi\""), "{responses}");
}

#[test]
fn a_server_with_any_fault_ends_while_connections_are_open() {
    let handshake = "GET /echo HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    let stream = "GET /topics/x HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n";
    let poll = "GET /topics/x?wait=60 HTTP/1.1\r\nHost: a\r\n\r\n";
    let running: Vec<_> = Fault::ALL
        .iter()
        .map(|fault| {
            let server = Server::start(Some(*fault));
            let open = |request: &str| {
                let mut stream = TcpStream::connect(server.address()).expect("the server listens");
                stream.write_all(request.as_bytes()).expect("the request is sent");
                stream
            };
            let streams = [handshake, stream, poll, "GET /"].map(open);
            (server, streams)
        })
        .collect();
    for (server, streams) in running {
        drop(server);
        for mut stream in streams {
            // The stream ends with an error if the server has not read everything.
            let _ = stream.read_to_end(&mut Vec::new());
        }
    }
}
