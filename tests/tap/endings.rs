//! Ends of connections: orderly ends of each side, and resets.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Duration;

use socket2::SockRef;

use crate::harness::{Tap, count};
use crate::{TIMEOUT, serve_one};

fn to_the_end(mut stream: &TcpStream) -> String {
    let mut all = String::new();
    stream.read_to_string(&mut all).expect("an orderly end");
    all
}

#[test]
fn relays_the_end_of_a_side_while_the_other_continues() {
    let (server, serving) = serve_one(|mut stream| {
        let received = to_the_end(&stream);
        // The client has ended its side, but still receives data.
        stream.write_all(received.to_uppercase().as_bytes()).expect("the peer reads");
    });
    let tap = Tap::to(server, &[]);
    let mut client = tap.connect();
    client.write_all(b"half").expect("the peer reads");
    client.shutdown(Shutdown::Write).expect("an open connection");
    assert_eq!(to_the_end(&client), "HALF");
    serving.join().expect("the server does not panic");
    let shown = tap.shown(1);
    let ends: Vec<&str> = shown
        .iter()
        .filter(|line| line["event"] == "ended")
        .filter_map(|line| line["side"].as_str())
        .collect();
    assert_eq!(ends, ["client", "server"]);

    // The server ends first.
    let (server, serving) = serve_one(|mut stream| {
        stream.write_all(b"banner").expect("the peer reads");
        stream.shutdown(Shutdown::Write).expect("an open connection");
        to_the_end(&stream)
    });
    let tap = Tap::to(server, &[]);
    let mut client = tap.connect();
    assert_eq!(to_the_end(&client), "banner");
    client.write_all(b"late").expect("the peer reads");
    drop(client);
    assert_eq!(serving.join().expect("the server does not panic"), "late");
}

/// Closes the connection with a reset.
fn reset(stream: TcpStream) {
    SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("an open socket");
}

fn is_reset(mut stream: &TcpStream) -> bool {
    let mut all = Vec::new();
    stream.read_to_end(&mut all).is_err_and(|error| error.kind() == ErrorKind::ConnectionReset)
}

#[test]
fn relays_resets_in_both_directions() {
    let (server, serving) = serve_one(|mut stream| {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("a byte");
        is_reset(&stream)
    });
    let tap = Tap::to(server, &[]);
    let mut client = tap.connect();
    client.write_all(b"x").expect("the peer reads");
    while tap.line()["event"] != "opened" {}
    reset(client);
    assert!(serving.join().expect("the server does not panic"), "the server sees a reset");
    assert_eq!(count(&tap.shown(1), "reset"), 1);

    let (server, serving) = serve_one(|mut stream| {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("a byte");
        reset(stream);
    });
    let tap = Tap::to(server, &[]);
    let mut client = tap.connect();
    client.write_all(b"x").expect("the peer reads");
    assert!(is_reset(&client), "the client sees a reset");
    serving.join().expect("the server does not panic");
}

#[test]
fn a_client_that_is_gone_stops_a_server_that_keeps_writing() {
    let (server, serving) = serve_one(|mut stream| while stream.write_all(&[b'x'; 4096]).is_ok() {});
    let tap = Tap::to(server, &[]);
    drop(tap.connect());
    serving.join().expect("the server stops writing");
    assert_eq!(count(&tap.shown(1), "reset"), 1);
}

#[test]
fn reports_an_unreachable_server_and_closes_the_client() {
    let unreachable =
        TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("a bound socket");
    let tap = Tap::to(unreachable, &[]);
    let mut client = tap.connect();
    let mut all = Vec::new();
    match client.read_to_end(&mut all) {
        Ok(_) => assert!(all.is_empty()),
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
    assert_eq!(count(&tap.shown(1), "over"), 1);
    let (status, _, errors) = tap.end("TERM");
    assert!(status.success());
    assert!(errors.contains("connection 1") && errors.contains(&unreachable.to_string()), "{errors}");
}

#[test]
fn resolves_a_host_name() {
    let (server, serving) = serve_one(|stream| to_the_end(&stream));
    let to = format!("http://localhost:{}", server.port());
    // The last --to is used.
    let tap = Tap::to(server, &["--to", &to]);
    let mut client = tap.connect();
    client.write_all(b"found").expect("the peer reads");
    drop(client);
    assert_eq!(serving.join().expect("the server does not panic"), "found");
}

#[test]
fn a_signal_closes_all_connections_after_the_view_is_written() {
    for signal in ["INT", "TERM"] {
        let (server, serving) = serve_one(|stream| to_the_end(&stream));
        let tap = Tap::to(server, &[]);
        let mut client = tap.connect();
        client.write_all(b"GET /last HTTP/1.1\r\nHo").expect("the peer reads");
        while tap.line()["value"] != "/last" {}
        client.set_read_timeout(Some(TIMEOUT)).expect("a deadline");
        let (status, rest, errors) = tap.end(signal);
        assert!(status.success(), "{signal}: {errors}");
        assert!(rest.iter().any(|span| span["cut_off"] == true && span["value"] == "Ho"), "{rest:?}");
        assert_eq!(count(&rest, "over"), 1);
        assert_eq!(to_the_end(&client), "");
        assert_eq!(serving.join().expect("the server does not panic"), "GET /last HTTP/1.1\r\nHo");
    }
}

#[test]
fn a_second_signal_ends_the_tap_even_if_the_view_is_not_read() {
    let (server, serving) = serve_one(|stream| to_the_end(&stream).len());
    let mut tap = Tap::unread(server, &[]);
    let mut client = tap.connect();
    let mut sent = 0;
    // The view of these requests is larger than a pipe.
    for number in 0..2_000 {
        let request = format!("GET /{number} HTTP/1.1\r\nHost: a\r\n\r\n");
        client.write_all(request.as_bytes()).expect("the tap reads");
        sent += request.len();
    }
    drop(client);
    assert_eq!(serving.join().expect("the server does not panic"), sent);
    tap.signal("INT");
    assert!(tap.is_running_after(Duration::from_millis(300)), "the tap waits for the reader of the view");
    let (status, _, errors) = tap.end("INT");
    assert_eq!(status.code(), Some(1), "{errors}");
    assert!(errors.contains("not all"), "{errors}");
}
