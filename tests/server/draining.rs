//! The server's end: it delivers every accepted event first, and accepts no more that it could not
//! deliver.

use barewire::server::Options;
use barewire::simulation::{Peer, Simulation};

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
fn a_lagging_follower_receives_everything_before_its_end() {
    for fields in [STREAM, SOCKET] {
        let mut server = server();
        let follower = follow(&mut server, fields);
        server.take(follower);
        server.set_room(follower, 10);
        for data in ["first", "second", "third"] {
            assert!(publish(&mut server, data).starts_with("HTTP/1.1 201 "));
        }
        server.stop();
        assert!(!server.has_ended(follower), "the follower has not read its pending bytes");
        server.set_room(follower, usize::MAX);
        let received = text(&mut server, follower);
        let at = ["first", "second", "third"].map(|data| received.find(data).expect("every event"));
        assert!(at.is_sorted(), "{received}");
        if fields == STREAM {
            assert!(received.contains("\nretry: ") && received.ends_with("\r\n0\r\n\r\n"), "{received}");
        } else {
            assert!(received.ends_with("the server is shutting down"), "{received}");
            server.send(follower, &masked_frame(true, crate::harness::Opcode::Close, &[]));
        }
        assert!(server.has_ended(follower));
    }
}

#[test]
fn a_follower_that_does_not_read_does_not_delay_the_end_forever() {
    let mut server = server();
    let follower = follow(&mut server, STREAM);
    server.set_room(follower, 0);
    publish(&mut server, "never read");
    server.stop();
    assert!(!server.is_over());
    server.advance(10 * Options::default().drain_timeout);
    assert!(server.is_over());
}

#[test]
fn a_publish_that_is_incomplete_at_the_stop_is_not_accepted() {
    let mut server = server();
    let publisher = server.connect();
    server.send(publisher, b"POST /topics/a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhel");
    server.stop();
    server.send(publisher, b"lo");
    let response = text(&mut server, publisher);
    assert!(response.starts_with("HTTP/1.1 503 ") && response.contains("\r\nRetry-After: "), "{response}");
    assert!(server.has_ended(publisher));
}
