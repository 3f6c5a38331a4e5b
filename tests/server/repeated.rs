//! Polls whose heads repeat byte for byte. The server parses such a head once, which must not be
//! visible: each response is the one that the same request gets with another spelling.

use barewire::server::Options;
use barewire::simulation::{Peer, Simulation};

fn server(options: Options) -> Simulation {
    Simulation::new(options, 1)
}

fn publish(server: &mut Simulation, topic: &str, data: &str) {
    let publisher = server.connect();
    let length = data.len();
    let head =
        format!("POST /topics/{topic} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n");
    server.send(publisher, (head + data).as_bytes());
    assert!(text(server, publisher).starts_with("HTTP/1.1 201 "));
}

fn text(server: &mut Simulation, peer: Peer) -> String {
    String::from_utf8_lossy(&server.take(peer)).into_owned()
}

/// Returns the response to a head on a new connection.
fn response(server: &mut Simulation, head: &str) -> String {
    let client = server.connect();
    server.send(client, head.as_bytes());
    text(server, client)
}

/// Returns a poll. `spelling` has no meaning to the server, but makes the head another one.
fn poll(target: &str, fields: &str, spelling: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{fields}X-Spelling: {spelling}\r\n\r\n")
}

#[test]
fn a_repeated_head_gets_the_response_of_the_present() {
    let mut server = server(Options::default());
    for (target, fields) in [
        ("/topics/a", ""),
        ("/topics/a?since=now", ""),
        ("/topics/a?since=start", "Connection: close\r\n"),
        ("/topics/a?since=nonsense", ""),
        ("/topics/%61", "If-None-Match: *\r\n"),
        ("/topics/a?since=start&wait=1", "Prefer: wait=1\r\n"),
        ("/topics/new", "Origin: http://localhost\r\n"),
    ] {
        let repeated = poll(target, fields, "repeated");
        for round in 0..4 {
            let other = poll(target, fields, &round.to_string());
            let expected = response(&mut server, &other);
            // The first remembers the head, the second is compared with it.
            for _ in 0..2 {
                assert_eq!(response(&mut server, &repeated), expected, "{target} in round {round}");
            }
            publish(&mut server, "a", &format!("event {round}"));
        }
    }
}

#[test]
fn a_head_is_repeated_only_up_to_its_last_byte() {
    let mut server = server(Options::default());
    publish(&mut server, "a", "one");
    let head = poll("/topics/a", "", "x");
    let one = response(&mut server, &head);
    assert!(one.starts_with("HTTP/1.1 200 ") && one.contains("one"));
    // Cut anywhere, pipelined, and followed by another request or by garbage.
    for cut in 0..head.len() {
        let client = server.connect();
        server.send(client, &head.as_bytes()[..cut]);
        assert_eq!(text(&mut server, client), "", "cut after {cut} bytes");
        server.send(client, &head.as_bytes()[cut..]);
        assert_eq!(text(&mut server, client), one, "cut after {cut} bytes");
    }
    assert_eq!(response(&mut server, &head.repeat(3)), one.repeat(3));
    let health = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let both = response(&mut server, &format!("{head}{health}{head}"));
    assert!(both.starts_with(&one) && both.ends_with(&one) && both.contains("{\"status\":\"ok\"}"));
    let garbage = response(&mut server, &format!("{head}\0"));
    assert!(garbage.starts_with(&format!("{one}HTTP/1.1 400 ")), "{garbage}");
    for changed in [
        head.replace("X-Spelling: x", "X-Spelling: y"),
        head.replace("\r\n\r\n", "\r\nIf-None-Match: *\r\n\r\n"),
        head.replace("GET", "HEAD"),
    ] {
        let expected = response(&mut server, &changed.replace("X-Spelling", "X-Other"));
        response(&mut server, &head);
        assert_eq!(response(&mut server, &changed), expected);
    }
}

#[test]
fn a_repeated_long_poll_waits_and_is_answered() {
    let mut server = server(Options::default());
    publish(&mut server, "a", "one");
    let head = poll("/topics/a?wait=30", "", "x");
    let waiting: Vec<Peer> = (0..3)
        .map(|_| {
            let client = server.connect();
            server.send(client, head.as_bytes());
            client
        })
        .collect();
    for client in &waiting {
        assert_eq!(text(&mut server, *client), "", "a long poll waits");
    }
    publish(&mut server, "a", "two");
    for client in waiting {
        assert!(text(&mut server, client).contains("\"data\":\"two\""));
    }
}

#[test]
fn a_repeated_head_needs_its_token_each_time() {
    let mut options = Options::default();
    options.policy.access.follow_token = Some("secret".into());
    let mut server = server(options);
    let allowed = poll("/topics/a", "Authorization: Bearer secret\r\n", "x");
    let refused = poll("/topics/a", "Authorization: Bearer secrex\r\n", "x");
    for _ in 0..3 {
        assert!(response(&mut server, &allowed).starts_with("HTTP/1.1 200 "));
        assert!(response(&mut server, &refused).starts_with("HTTP/1.1 401 "));
    }
}

#[test]
fn a_repeated_head_is_refused_where_a_new_one_is() {
    let mut server = server(Options { max_connections: 1, ..Options::default() });
    let head = poll("/topics/a", "", "x");
    let client = server.connect();
    for _ in 0..2 {
        server.send(client, head.as_bytes());
        assert!(text(&mut server, client).starts_with("HTTP/1.1 200 "));
    }
    let surplus = server.connect();
    server.send(surplus, head.as_bytes());
    assert!(text(&mut server, surplus).starts_with("HTTP/1.1 503 "), "the limit of connections");
    server.send(client, &head.as_bytes()[..10]);
    server.stop();
    server.send(client, &head.as_bytes()[10..]);
    let refused = text(&mut server, client);
    assert!(refused.starts_with("HTTP/1.1 503 "), "the shutdown: {refused}");
}

#[test]
fn a_repeated_head_counts_towards_the_limit_of_requests() {
    let mut server = server(Options { requests_per_connection: Some(3), ..Options::default() });
    let head = poll("/topics/a", "", "x");
    let received = response(&mut server, &head.repeat(4));
    assert_eq!(received.matches("HTTP/1.1 200 ").count(), 3);
    assert_eq!(received.matches("Connection: close\r\n").count(), 1);
}
