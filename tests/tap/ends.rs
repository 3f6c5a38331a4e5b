//! How connections end: each side for itself, in order or not.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Duration;

use socket2::SockRef;

use crate::tap::{Tap, said};
use crate::{PATIENCE, serve_one};

fn to_the_end(mut stream: &TcpStream) -> String {
    let mut all = String::new();
    stream.read_to_string(&mut all).expect("an end in order");
    all
}

#[test]
fn an_end_is_passed_on_and_the_other_way_goes_on() {
    let (server, serving) = serve_one(|mut stream| {
        let asked = to_the_end(&stream);
        // The client has ended its side, and is told more all the same.
        stream.write_all(asked.to_uppercase().as_bytes()).expect("it reads");
    });
    let tap = Tap::to(server, &[]);
    let mut client = tap.connect();
    client.write_all(b"half").expect("it reads");
    client.shutdown(Shutdown::Write).expect("the connection stands");
    assert_eq!(to_the_end(&client), "HALF");
    serving.join().expect("a server");
    let shown = tap.shown(1);
    let ends: Vec<&str> = shown
        .iter()
        .filter(|line| line["event"] == "ended")
        .filter_map(|line| line["side"].as_str())
        .collect();
    assert_eq!(ends, ["client", "server"]);

    // And the other way round.
    let (server, serving) = serve_one(|mut stream| {
        stream.write_all(b"banner").expect("it reads");
        stream.shutdown(Shutdown::Write).expect("the connection stands");
        to_the_end(&stream)
    });
    let tap = Tap::to(server, &[]);
    let mut client = tap.connect();
    assert_eq!(to_the_end(&client), "banner");
    client.write_all(b"late").expect("it reads");
    drop(client);
    assert_eq!(serving.join().expect("a server"), "late");
}

/// Resets the connection, where a close would end it in order.
fn reset(stream: TcpStream) {
    SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("an open socket");
}

fn is_reset(mut stream: &TcpStream) -> bool {
    let mut all = Vec::new();
    stream.read_to_end(&mut all).is_err_and(|error| error.kind() == ErrorKind::ConnectionReset)
}

#[test]
fn a_reset_is_passed_on_both_ways() {
    let (server, serving) = serve_one(|mut stream| {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("a byte");
        is_reset(&stream)
    });
    let tap = Tap::to(server, &[]);
    let mut client = tap.connect();
    client.write_all(b"x").expect("it reads");
    while tap.line()["event"] != "opened" {}
    reset(client);
    assert!(serving.join().expect("a server"), "the server sees a reset");
    assert_eq!(said(&tap.shown(1), "reset"), 1);

    let (server, serving) = serve_one(|mut stream| {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("a byte");
        reset(stream);
    });
    let tap = Tap::to(server, &[]);
    let mut client = tap.connect();
    client.write_all(b"x").expect("it reads");
    assert!(is_reset(&client), "the client sees a reset");
    serving.join().expect("a server");
}

#[test]
fn a_client_that_is_gone_ends_a_server_that_goes_on_writing() {
    let (server, serving) = serve_one(|mut stream| while stream.write_all(&[b'x'; 4096]).is_ok() {});
    let tap = Tap::to(server, &[]);
    drop(tap.connect());
    serving.join().expect("it can't write for ever");
    assert_eq!(said(&tap.shown(1), "reset"), 1);
}

#[test]
fn a_server_that_does_not_listen_is_told_and_the_client_is_closed() {
    let nobody = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("it is bound");
    let tap = Tap::to(nobody, &[]);
    let mut client = tap.connect();
    let mut all = Vec::new();
    match client.read_to_end(&mut all) {
        Ok(_) => assert!(all.is_empty()),
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
    assert_eq!(said(&tap.shown(1), "over"), 1);
    let (status, _, errors) = tap.end("TERM");
    assert!(status.success());
    assert!(errors.contains("connection 1") && errors.contains(&nobody.to_string()), "{errors}");
}

#[test]
fn a_server_is_found_by_its_hosts_name() {
    let (server, serving) = serve_one(|stream| to_the_end(&stream));
    let to = format!("http://localhost:{}", server.port());
    // The last one counts.
    let tap = Tap::to(server, &["--to", &to]);
    let mut client = tap.connect();
    client.write_all(b"found").expect("it reads");
    drop(client);
    assert_eq!(serving.join().expect("a server"), "found");
}

#[test]
fn a_signal_ends_all_connections_and_what_has_passed_is_shown() {
    for signal in ["INT", "TERM"] {
        let (server, serving) = serve_one(|stream| to_the_end(&stream));
        let tap = Tap::to(server, &[]);
        let mut client = tap.connect();
        client.write_all(b"GET /last HTTP/1.1\r\nHo").expect("it reads");
        while tap.line()["value"] != "/last" {}
        client.set_read_timeout(Some(PATIENCE)).expect("a deadline");
        let (status, rest, errors) = tap.end(signal);
        assert!(status.success(), "{signal}: {errors}");
        assert!(rest.iter().any(|span| span["cut_off"] == true && span["value"] == "Ho"), "{rest:?}");
        assert_eq!(said(&rest, "over"), 1);
        assert_eq!(to_the_end(&client), "");
        assert_eq!(serving.join().expect("a server"), "GET /last HTTP/1.1\r\nHo");
    }
}

#[test]
fn the_second_signal_ends_it_whoever_does_not_read() {
    let (server, serving) = serve_one(|stream| to_the_end(&stream).len());
    let mut tap = Tap::unread(server, &[]);
    let mut client = tap.connect();
    let mut sent = 0;
    // More than a pipe holds, once each byte of it is named.
    for number in 0..2_000 {
        let request = format!("GET /{number} HTTP/1.1\r\nHost: a\r\n\r\n");
        client.write_all(request.as_bytes()).expect("it passes on");
        sent += request.len();
    }
    drop(client);
    assert_eq!(serving.join().expect("a server"), sent);
    tap.signal("INT");
    assert!(tap.is_running_after(Duration::from_millis(300)), "it waits for whoever reads");
    let (status, _, errors) = tap.end("INT");
    assert_eq!(status.code(), Some(1), "{errors}");
    assert!(errors.contains("not all"), "{errors}");
}
