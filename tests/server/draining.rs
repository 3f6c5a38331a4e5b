//! The server's end: what was accepted is handed out first, and nothing more is accepted that nobody would get.

use barewire::server::{Options, Peer, Simulation};

use crate::harness::masked_frame;

fn server() -> Simulation {
    Simulation::new(Options::default(), 1)
}

fn publish(server: &mut Simulation, data: &str) -> String {
    let publisher = server.connect();
    let head = format!("POST /topics/a HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", data.len());
    server.send(publisher, (head + data).as_bytes());
    text(server, publisher)
}

fn text(server: &mut Simulation, visitor: Peer) -> String {
    String::from_utf8_lossy(&server.take(visitor)).into_owned()
}

fn follow(server: &mut Simulation, fields: &str) -> Peer {
    let follower = server.connect();
    server.send(follower, format!("GET /topics/a HTTP/1.1\r\nHost: x\r\n{fields}\r\n").as_bytes());
    follower
}

const STREAM: &str = "Accept: text/event-stream\r\n";
const SOCKET: &str = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                      Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

#[test]
fn a_follower_that_is_behind_gets_everything_before_its_end() {
    for fields in [STREAM, SOCKET] {
        let mut server = server();
        let follower = follow(&mut server, fields);
        server.take(follower);
        server.set_room(follower, 10);
        for data in ["first", "second", "third"] {
            assert!(publish(&mut server, data).starts_with("HTTP/1.1 201 "));
        }
        server.stop();
        assert!(!server.has_ended(follower), "it has not taken what it is owed");
        server.set_room(follower, usize::MAX);
        let heard = text(&mut server, follower);
        let at = ["first", "second", "third"].map(|data| heard.find(data).expect("all of them"));
        assert!(at.is_sorted(), "{heard}");
        if fields == STREAM {
            assert!(heard.contains("\nretry: ") && heard.ends_with("\r\n0\r\n\r\n"), "{heard}");
        } else {
            assert!(heard.ends_with("the server is about to end"), "{heard}");
            server.send(follower, &masked_frame(true, crate::harness::Opcode::Close, &[]));
        }
        assert!(server.has_ended(follower));
    }
}

#[test]
fn one_that_takes_nothing_does_not_hold_the_end_up() {
    let mut server = server();
    let follower = follow(&mut server, STREAM);
    server.set_room(follower, 0);
    publish(&mut server, "never taken");
    server.stop();
    assert!(!server.is_over());
    server.advance(10 * Options::default().drain_timeout);
    assert!(server.is_over());
}

#[test]
fn a_publish_that_is_not_whole_when_the_server_is_to_end_is_not_accepted() {
    let mut server = server();
    let publisher = server.connect();
    server.send(publisher, b"POST /topics/a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhel");
    server.stop();
    server.send(publisher, b"lo");
    let answer = text(&mut server, publisher);
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("\r\nRetry-After: "), "{answer}");
    assert!(server.has_ended(publisher));
}
