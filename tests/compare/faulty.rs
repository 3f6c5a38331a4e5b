//! Servers that do not do as they should: it is found, and said.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::Value;

use super::{errors, number, run};

/// A server of event streams that sends each event as often as `times` says of its number, which counts from 0. It serves until the test
/// ends.
fn serve(times: fn(usize) -> usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("it listens"));
    let streams: Arc<Mutex<Vec<TcpStream>>> = Arc::default();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, streams) = (stream.expect("a client"), Arc::clone(&streams));
            thread::spawn(move || answer(stream, &streams, times));
        }
    });
    url
}

fn answer(mut stream: TcpStream, streams: &Mutex<Vec<TcpStream>>, times: fn(usize) -> usize) {
    let mut reader = BufReader::new(stream.try_clone().expect("a socket"));
    for number in 0.. {
        let mut length = 0;
        let mut first = String::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            if first.is_empty() {
                first.clone_from(&line);
            }
            if let Some(value) = line.strip_prefix("Content-Length: ") {
                length = value.trim().parse().expect("a length");
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut streams = streams.lock().expect("nobody panics with it");
        if first.starts_with("GET ") {
            let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nid: first\n\n";
            stream.write_all(head.as_bytes()).expect("it is sent");
            streams.push(stream);
            return;
        }
        let mut data = vec![0; length];
        reader.read_exact(&mut data).expect("the content");
        let data = String::from_utf8(data).expect("UTF-8");
        for other in streams.iter_mut() {
            for _ in 0..times(number) {
                other.write_all(format!("id: {number}\ndata: {data}\n\n").as_bytes()).expect("it is sent");
            }
        }
        let body = format!("{{\"id\":\"{number}\"}}");
        let length = body.len();
        let head = format!(
            "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        );
        stream.write_all((head + &body).as_bytes()).expect("it is sent");
    }
}

/// 4 events to 3 clients of such a server: how many were lost, how many doubled, and the exit status.
fn found(times: fn(usize) -> usize) -> (f64, f64, Option<i32>) {
    let url = serve(times);
    let output = run(&[
        "--url",
        &url,
        "--transports",
        "sse",
        "--clients",
        "3",
        "--duration",
        "1s",
        "--events-per-minute",
        "240",
        "--format",
        "json",
    ]);
    let comparison: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let leg = &comparison["legs"][0];
    assert_eq!(number(leg, "events_published"), 4.0);
    (number(leg, "lost"), number(leg, "doubled"), output.status.code())
}

#[test]
fn lost_and_doubled_events_are_found() {
    assert_eq!(found(|_| 1), (0.0, 0.0, Some(0)));
    assert_eq!(found(|number| usize::from(number != 1)), (3.0, 0.0, Some(1)));
    assert_eq!(found(|number| usize::from(number < 3)), (3.0, 0.0, Some(1)));
    assert_eq!(found(|number| if number == 2 { 3 } else { 1 }), (0.0, 6.0, Some(1)));
}

#[test]
fn a_server_that_is_not_there_or_refuses_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("it listens"));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a client");
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
        }
    });
    let output = run(&["--url", &url, "--transports", "long-poll"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        errors(&output).contains("long-poll: ") && errors(&output).contains("403"),
        "{}",
        errors(&output)
    );
    let output = run(&["--url", "https://127.0.0.1"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(errors(&output).contains("TLS"), "{}", errors(&output));
}
