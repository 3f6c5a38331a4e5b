//! Servers that do not do as they should: it is found, and said.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::Value;

use super::other::Other;
use super::{command, errors, json, number, run};

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

/// Some events to 3 clients of such a server: those that are lost and those that are doubled are found, all of them and no others.
fn are_found(times: fn(usize) -> usize) {
    let url = serve(times);
    let what = ["--url", &url, "--transports", "sse", "--clients", "3"];
    let how = ["--duration", "1s", "--events-per-minute", "240", "--format", "json"];
    let output = run(&[&what[..], &how].concat());
    let comparison: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let leg = &comparison["legs"][0];
    // It is 4, unless the machine is so busy that an event's turn comes behind the end.
    let published = number(leg, "events_published") as usize;
    assert!(published > 1, "{published} events");
    let lost = 3 * (0..published).filter(|number| times(*number) == 0).count();
    let doubled = 3 * (0..published).map(|number| times(number).saturating_sub(1)).sum::<usize>();
    assert_eq!((number(leg, "lost"), number(leg, "doubled")), (lost as f64, doubled as f64));
    let is_right = lost + doubled == 0;
    assert_eq!(output.status.code(), Some(if is_right { 0 } else { 1 }));
}

#[test]
fn lost_and_doubled_events_are_found() {
    are_found(|_| 1);
    are_found(|number| usize::from(number != 1));
    are_found(|number| usize::from(number < 1));
    are_found(|number| if number == 1 { 3 } else { 1 });
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
    assert_eq!(output.status.code(), Some(2));
    assert!(errors(&output).contains("TLS"), "{}", errors(&output));
}

#[test]
fn nothing_where_the_server_should_be_is_said_at_once() {
    // No other test's address: its port stays free.
    let listener = TcpListener::bind("127.0.0.80:0").expect("a free port");
    let authority = listener.local_addr().expect("it listens").to_string();
    drop(listener);
    let output = run(&["--url", &format!("http://{authority}")]);
    let said = format!("barewire: short-poll: no connection to {authority}: ");
    assert!(errors(&output).starts_with(&said), "{}", errors(&output));
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
}

#[test]
fn why_an_event_could_not_be_published_is_said() {
    let hurry = ["--transports", "sse", "--clients", "2", "--duration", "1s", "--events-per-minute", "600"];
    for (option, value, why) in [("--publish-token", "secret", "401"), ("--max-connections", "2", "503")] {
        let other = Other::start(&[option, value]);
        let output = run(&[&hurry[..], &["--url", &other.url]].concat());
        let said = format!("barewire: sse: an event could not be published: the server answers {why}");
        assert!(errors(&output).starts_with(&said), "{}", errors(&output));
        assert_eq!(output.status.code(), Some(1));
    }
}

/// The head of a request; `None` if the client has ended the connection.
fn request(stream: &TcpStream) -> Option<String> {
    let mut reader = BufReader::new(stream.try_clone().expect("a socket"));
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).unwrap_or(0) == 0 {
            return None;
        }
    }
    Some(head)
}

/// Serves streams until it has sent an event, which it has not answered yet: the streams, and the connection that publishes.
fn serve_one_event(listener: &TcpListener) -> (Vec<TcpStream>, TcpStream) {
    let mut streams = Vec::new();
    loop {
        let (mut stream, _) = listener.accept().expect("a client");
        let Some(head) = request(&stream) else { continue };
        if head.starts_with("GET ") {
            let head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nid: first\n\n";
            stream.write_all(head).expect("it is sent");
            streams.push(stream);
            continue;
        }
        for other in &mut streams {
            other.write_all(b"id: 0\ndata: 00000000\n\n").expect("it is sent");
        }
        return (streams, stream);
    }
}

#[test]
fn events_that_the_server_leaves_no_time_for_are_missed() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("it listens"));
    let (end, ended) = std::sync::mpsc::channel::<()>();
    let server = thread::spawn(move || {
        let connections = serve_one_event(&listener);
        let _ = ended.recv();
        drop(connections);
    });
    let arguments = ["--transports", "sse", "--clients", "2", "--duration", "1s", "--size", "8"];
    let output = run(&[&arguments[..], &["--events-per-minute", "600", "--url", &url]].concat());
    drop(end);
    server.join().expect("it serves");
    assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
    let said = "barewire: sse: 9 events are missing beside the 1 published: ";
    assert!(errors(&output).starts_with(said), "{}", errors(&output));
}

#[test]
fn a_server_that_is_gone_was_asked_nothing_more_and_what_was_measured_before_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("it listens"));
    // It answers the first event, and then is gone.
    thread::spawn(move || {
        let (_streams, mut publisher) = serve_one_event(&listener);
        let answer = "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{\"id\":\"0\"}";
        publisher.write_all(answer.as_bytes()).expect("it is sent");
    });
    let arguments = ["--transports", "sse,websocket", "--clients", "3", "--duration", "1s", "--size", "8"];
    let more = ["--events-per-minute", "60", "--format", "json", "--url", &url];
    let output = run(&[&arguments[..], &more].concat());
    assert_eq!(output.status.code(), Some(1));
    assert!(errors(&output).contains("websocket: no connection to "), "{}", errors(&output));
    let comparison: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(comparison["interrupted"], true);
    let leg = &comparison["legs"][0];
    assert_eq!((number(leg, "events_arrived"), number(leg, "lost")), (3.0, 0.0), "{leg}");
    assert!(number(leg, "reconnects") >= 3.0, "{leg}");
    assert_eq!((number(leg, "requests_per_minute"), number(leg, "connections")), (0.0, 3.0), "{leg}");
}

#[test]
fn a_farewell_between_two_polls_is_no_reason_to_ask_twice() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("it listens"));
    // Each request ends the other connection, which waits for its next poll.
    thread::spawn(move || {
        let mut quiet: Option<TcpStream> = None;
        for stream in listener.incoming() {
            let mut stream = stream.expect("a client");
            if request(&stream).is_none() {
                continue;
            }
            if let Some(mut other) = quiet.take() {
                let _ = other.write_all(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n");
            }
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 26\r\n\r\n";
            stream
                .write_all((head.to_owned() + r#"{"events":[],"next":"a-0"}"#).as_bytes())
                .expect("it is sent");
            quiet = Some(stream);
        }
    });
    let arguments =
        ["--transports", "short-poll", "--clients", "2", "--duration", "1s", "--interval", "200ms"];
    let comparison = json(&[&arguments[..], &["--events-per-minute", "0", "--url", &url]].concat());
    let leg = &comparison["legs"][0];
    // 5 of each client, and at both ends one more may fall into the time.
    let requests = number(leg, "requests_per_minute") * number(leg, "seconds") / 60.0;
    assert!(requests > 0.0 && requests < 12.5, "{leg}");
}

#[test]
fn a_result_that_can_t_be_written_is_an_error_and_one_that_nobody_reads_is_none() {
    let short = ["--transports", "sse", "--clients", "1", "--duration", "100ms"];
    let nowhere = run(&["--report", "/no/such/directory/report.html", "--duration", "1000s"]);
    assert_eq!(nowhere.status.code(), Some(1));
    assert!(
        errors(&nowhere).starts_with("barewire: /no/such/directory/report.html: "),
        "{}",
        errors(&nowhere)
    );

    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let closed = command(&short).stdout(writer).status().expect("it starts");
    assert_eq!(closed.code(), Some(0));

    if let Ok(full) = std::fs::OpenOptions::new().write(true).open("/dev/full") {
        let output = command(&short).stdout(full).output().expect("it starts");
        assert_eq!(output.status.code(), Some(1));
        assert!(errors(&output).starts_with("barewire: standard output: "), "{}", errors(&output));
    } else {
        eprintln!("skipped: this system has no /dev/full");
    }
}

#[test]
fn connections_that_end_between_two_requests_are_no_news() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("it listens"));
    // One client, whose polls bring what was published. Each connection of its two is answered once; then it is ended: that of the polls
    // when the next one has come, that of the events by a farewell, when the next poll comes.
    thread::spawn(move || {
        let (mut events, mut count) = (Vec::new(), 0);
        let mut publisher: Option<TcpStream> = None;
        for stream in listener.incoming() {
            let mut stream = stream.expect("a client");
            let Some(head) = request(&stream) else { continue };
            if let Some(mut publisher) = publisher.take() {
                let _ = publisher.write_all(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n");
            }
            let answer = if head.starts_with("GET ") {
                let body = format!("{{\"events\":[{}],\"next\":\"{count}\"}}", events.join(","));
                events.clear();
                format!(
                    "200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                )
            } else {
                let item =
                    format!("{{\"id\":\"{}\",\"event\":\"message\",\"data\":\"{count:08}\"}}", count + 1);
                events.push(item);
                count += 1;
                let body = format!("{{\"id\":\"{count}\"}}");
                format!(
                    "201 Created\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                )
            };
            stream.write_all(format!("HTTP/1.1 {answer}").as_bytes()).expect("it is sent");
            if head.starts_with("GET ") {
                thread::spawn(move || {
                    request(&stream);
                });
            } else {
                publisher = Some(stream);
            }
        }
    });
    let arguments =
        ["--transports", "short-poll", "--clients", "1", "--duration", "1s", "--interval", "100ms"];
    let more = ["--events-per-minute", "240", "--size", "8", "--format", "json", "--url", &url];
    let output = run(&[&arguments[..], &more].concat());
    assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
    let comparison: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let leg = &comparison["legs"][0];
    // They are 4, unless the machine is so busy that an event's turn comes behind the end.
    let published = number(leg, "events_published");
    assert!(published > 1.0 && number(leg, "events_arrived") == published, "{leg}");
    assert_eq!((number(leg, "lost"), number(leg, "doubled")), (0.0, 0.0), "{leg}");
    assert_eq!(number(leg, "reconnects"), 0.0, "{leg}");
}
