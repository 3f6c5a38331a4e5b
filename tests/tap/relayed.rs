//! Every byte is relayed in both directions, whatever the protocol.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::Command;
use std::thread;
use std::time::Duration;

use crate::harness::{Tap, count};
use crate::serve_one;

/// Returns pseudo-random bytes that depend on the seed only.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        // Marsaglia's xorshift generator.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 24) as u8
    };
    (0..length).map(|_| next()).collect()
}

/// Sends and receives at the same time, and ends its side after the last byte.
fn exchange(stream: TcpStream, sends: Vec<u8>) -> Vec<u8> {
    let mut writer = stream.try_clone().expect("a second handle");
    let writing = thread::spawn(move || {
        // In writes of varying sizes.
        let mut rest = &sends[..];
        for length in (1..).map(|n: usize| n * 7919 % 50_000 + 1) {
            let (piece, after) = rest.split_at(length.min(rest.len()));
            writer.write_all(piece).expect("the peer reads");
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        writer.shutdown(Shutdown::Write).expect("an open connection");
    });
    let mut received = Vec::new();
    (&stream).read_to_end(&mut received).expect("an orderly end");
    writing.join().expect("the writer does not panic");
    received
}

#[test]
fn relays_random_bytes_in_both_directions_at_once() {
    let (up, down) = (noise(1, 3_000_000), noise(2, 5_000_000));
    let sends = down.clone();
    let (server, serving) = serve_one(move |stream| exchange(stream, sends));
    let tap = Tap::to(server, &[]);
    assert!(exchange(tap.connect(), up.clone()) == down, "from the server");
    assert!(serving.join().expect("the server does not panic") == up, "from the client");
    let shown = tap.shown(1);
    let over = shown.last().expect("the last line");
    assert_eq!((&over["client"], &over["server"]), (&up.len().into(), &down.len().into()));
    assert_eq!(count(&shown, "unknown"), 1);
}

#[test]
fn loses_nothing_while_neither_side_reads() {
    // More than the socket buffers hold, so that the tap must keep pending bytes and wait.
    let (up, down) = (noise(3, 24_000_000), noise(4, 24_000_000));
    let (sent, sends) = (up.clone(), down.clone());
    let begin = |mut stream: TcpStream, sends: Vec<u8>| {
        let mut writer = stream.try_clone().expect("a second handle");
        let writing = thread::spawn(move || {
            writer.write_all(&sends).expect("the peer reads after a while");
            writer.shutdown(Shutdown::Write).expect("an open connection");
        });
        thread::sleep(Duration::from_millis(500));
        let mut received = Vec::new();
        stream.read_to_end(&mut received).expect("an orderly end");
        writing.join().expect("the writer does not panic");
        received
    };
    let (server, serving) = serve_one(move |stream| begin(stream, sends));
    let tap = Tap::to(server, &[]);
    assert!(begin(tap.connect(), sent) == down, "from the server");
    assert!(serving.join().expect("the server does not panic") == up, "from the client");
    assert_eq!(count(&tap.shown(1), "reset"), 0);
}

#[test]
fn keeps_the_bytes_of_many_connections_apart() {
    const CONNECTIONS: u64 = 100;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let tap = Tap::to(listener.local_addr().expect("a bound socket"), &[]);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || {
                let mut all = Vec::new();
                (&stream).read_to_end(&mut all).expect("an orderly end");
                all.reverse();
                (&stream).write_all(&all).expect("the peer reads");
            });
        }
    });
    let clients: Vec<_> = (0..CONNECTIONS).map(|seed| (seed, tap.connect())).collect();
    let exchanges = clients.into_iter().map(|(seed, stream)| {
        thread::spawn(move || {
            let mut sent = noise(seed * 2, 20_000);
            let received = exchange(stream, sent.clone());
            sent.reverse();
            assert!(received == sent, "connection {seed}");
        })
    });
    exchanges.collect::<Vec<_>>().into_iter().for_each(|client| client.join().expect("the same bytes"));
    let mut over = 0;
    while over < CONNECTIONS {
        over += u64::from(tap.line()["event"] == "over");
    }
}

#[test]
fn traffic_does_not_wait_for_a_view_that_is_not_read() {
    // More than the queue and the pipe hold.
    const LENGTH: u64 = 200 << 20;
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\n\r\n");
    let (server, serving) = serve_one(move |mut stream| {
        let mut requests = stream.try_clone().expect("a second handle");
        let reading = thread::spawn(move || std::io::copy(&mut requests, &mut std::io::sink()));
        stream.write_all(head.as_bytes()).expect("the peer reads");
        let piece = vec![b'x'; 1 << 20];
        (0..LENGTH >> 20).for_each(|_| stream.write_all(&piece).expect("the peer reads"));
        stream.shutdown(Shutdown::Write).expect("an open connection");
        reading.join().expect("the reader does not panic").expect("an orderly end");
    });
    let tap = Tap::unread(server, &["--format", "json"]);
    let mut client = tap.connect();
    // Requests fill the pipe; bodies are shortened in the view.
    for number in 0..2_000 {
        write!(client, "GET /{number} HTTP/1.1\r\nHost: a\r\n\r\n").expect("the tap reads");
    }
    client.shutdown(Shutdown::Write).expect("an open connection");
    let received = std::io::copy(&mut client, &mut std::io::sink()).expect("an orderly end");
    assert!(received > LENGTH);
    serving.join().expect("the server does not panic");
    drop(client);
    // Once the view is read, it reports how many bytes it does not contain.
    let (status, shown, errors) = tap.read().end("TERM");
    assert!(status.success(), "{errors}");
    assert_eq!(count(&shown, "left out"), 1);
    let over = shown.last().expect("the last line");
    assert!(over["left_out"].as_u64().is_some_and(|left_out| left_out > LENGTH / 4), "{over}");
    assert_eq!(over["server"].as_u64(), Some(received));
}

/// The spans of small frames need hundreds of times the memory of the frames.
#[test]
fn the_memory_of_the_view_does_not_grow_with_a_flood_of_small_frames() {
    let pings = b"\x89\x00".repeat(100_000);
    let sent = pings.clone();
    let (server, serving) = serve_one(move |mut stream| {
        let mut request = [0; 4096];
        assert!(stream.read(&mut request).expect("a request") > 0);
        let head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
        stream.write_all(&[head.as_bytes(), &sent].concat()).expect("the tap reads");
    });
    let mut shell = Command::new("sh");
    // An arena of glibc reserves 64 MiB of virtual memory.
    shell.env("MALLOC_ARENA_MAX", "1");
    shell.args(["-c", "ulimit -v 65536; exec \"$0\" tap --listen 127.0.0.1:0 --to \"$1\" >/dev/null"]);
    shell.arg(env!("CARGO_BIN_EXE_barewire")).arg(server.to_string());
    let tap = Tap::start(shell);
    let mut client = tap.connect();
    client
        .write_all(
            b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
              Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        )
        .expect("the tap reads");
    let mut received = Vec::new();
    client.read_to_end(&mut received).expect("the end of the server");
    assert!(received.ends_with(&pings));
    drop(client);
    serving.join().expect("no panic");
    let (status, _, errors) = tap.end("TERM");
    assert!(status.success(), "{status}: {errors}");
}
