//! What passes: every byte, both ways, whatever it is.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::Duration;

use crate::serve_one;
use crate::tap::{Tap, said};

/// Bytes that look like nothing, always the same ones for a seed.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        // Marsaglia's xorshift.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 24) as u8
    };
    (0..length).map(|_| next()).collect()
}

/// Sends and receives at once, and ends its side when all is sent.
fn exchange(stream: TcpStream, sends: Vec<u8>) -> Vec<u8> {
    let mut writer = stream.try_clone().expect("a second handle");
    let writing = thread::spawn(move || {
        // In pieces of any size.
        let mut rest = &sends[..];
        for length in (1..).map(|n: usize| n * 7919 % 50_000 + 1) {
            let (piece, after) = rest.split_at(length.min(rest.len()));
            writer.write_all(piece).expect("it reads");
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        writer.shutdown(Shutdown::Write).expect("the connection stands");
    });
    let mut received = Vec::new();
    (&stream).read_to_end(&mut received).expect("an end in order");
    writing.join().expect("it reads all");
    received
}

#[test]
fn random_bytes_pass_both_ways_at_once() {
    let (up, down) = (noise(1, 3_000_000), noise(2, 5_000_000));
    let sends = down.clone();
    let (server, serving) = serve_one(move |stream| exchange(stream, sends));
    let tap = Tap::to(server, &[]);
    assert!(exchange(tap.connect(), up.clone()) == down, "from the server");
    assert!(serving.join().expect("a server") == up, "from the client");
    let shown = tap.shown(1);
    let over = shown.last().expect("its end");
    assert_eq!((&over["client"], &over["server"]), (&up.len().into(), &down.len().into()));
    assert_eq!(said(&shown, "unknown"), 1);
}

#[test]
fn nothing_is_lost_when_neither_reads_for_a_while() {
    // More than the system's sockets hold, so that the tap has to keep a piece, and to wait.
    let (up, down) = (noise(3, 24_000_000), noise(4, 24_000_000));
    let (sent, sends) = (up.clone(), down.clone());
    let begin = |mut stream: TcpStream, sends: Vec<u8>| {
        let mut writer = stream.try_clone().expect("a second handle");
        let writing = thread::spawn(move || {
            writer.write_all(&sends).expect("it reads, at last");
            writer.shutdown(Shutdown::Write).expect("the connection stands");
        });
        thread::sleep(Duration::from_millis(500));
        let mut received = Vec::new();
        stream.read_to_end(&mut received).expect("an end in order");
        writing.join().expect("it reads all");
        received
    };
    let (server, serving) = serve_one(move |stream| begin(stream, sends));
    let tap = Tap::to(server, &[]);
    assert!(begin(tap.connect(), sent) == down, "from the server");
    assert!(serving.join().expect("a server") == up, "from the client");
    assert_eq!(said(&tap.shown(1), "reset"), 0);
}

#[test]
fn many_connections_pass_at_once_and_none_gets_anothers_bytes() {
    const CONNECTIONS: u64 = 100;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let tap = Tap::to(listener.local_addr().expect("it is bound"), &[]);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || {
                let mut all = Vec::new();
                (&stream).read_to_end(&mut all).expect("an end in order");
                all.reverse();
                (&stream).write_all(&all).expect("it reads");
            });
        }
    });
    let clients: Vec<_> = (0..CONNECTIONS).map(|seed| (seed, tap.connect())).collect();
    let asking = clients.into_iter().map(|(seed, stream)| {
        thread::spawn(move || {
            let mut sent = noise(seed * 2, 20_000);
            let received = exchange(stream, sent.clone());
            sent.reverse();
            assert!(received == sent, "connection {seed}");
        })
    });
    asking.collect::<Vec<_>>().into_iter().for_each(|client| client.join().expect("its own bytes"));
    let mut over = 0;
    while over < CONNECTIONS {
        over += u64::from(tap.line()["event"] == "over");
    }
}

#[test]
fn traffic_does_not_wait_for_a_view_that_nobody_reads() {
    // More than may wait to be shown, and than pipes hold.
    const LENGTH: u64 = 200 << 20;
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\n\r\n");
    let (server, serving) = serve_one(move |mut stream| {
        let mut requests = stream.try_clone().expect("a second handle");
        let reading = thread::spawn(move || std::io::copy(&mut requests, &mut std::io::sink()));
        stream.write_all(head.as_bytes()).expect("it reads");
        let piece = vec![b'x'; 1 << 20];
        (0..LENGTH >> 20).for_each(|_| stream.write_all(&piece).expect("it reads"));
        stream.shutdown(Shutdown::Write).expect("the connection stands");
        reading.join().expect("it reads").expect("an end in order");
    });
    let tap = Tap::unread(server, &["--format", "json"]);
    let mut client = tap.connect();
    // What fills the pipe that nobody reads; a body is shortened.
    for number in 0..2_000 {
        write!(client, "GET /{number} HTTP/1.1\r\nHost: a\r\n\r\n").expect("it passes on");
    }
    client.shutdown(Shutdown::Write).expect("the connection stands");
    let received = std::io::copy(&mut client, &mut std::io::sink()).expect("an end in order");
    assert!(received > LENGTH);
    serving.join().expect("a server");
    drop(client);
    // Somebody reads it after all: it is told what is not in it.
    let (status, shown, errors) = tap.read().end("TERM");
    assert!(status.success(), "{errors}");
    assert_eq!(said(&shown, "left out"), 1);
    let over = shown.last().expect("its end");
    assert!(over["left_out"].as_u64().is_some_and(|left_out| left_out > LENGTH / 4), "{over}");
    assert_eq!(over["server"].as_u64(), Some(received));
}
