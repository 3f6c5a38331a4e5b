//! Servers and files that fail: the command detects each failure and reports it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::Value;

use super::external_server::ExternalServer;
use super::{command, errors, json, number, run};

const STREAM_START: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nid: first\n\n";

/// Returns a listener on a free port and its URL.
fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("a bound address"));
    (listener, url)
}

/// Returns a response with a JSON body.
fn json_response(status: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n");
    (head + body).into_bytes()
}

/// Starts a server of event streams that sends the event with number `n` to each client `times(n)`
/// times. Numbers start at 0. Returns the server's URL. The server runs until the test ends.
fn serve(times: fn(usize) -> usize) -> String {
    let (listener, url) = listen();
    let streams: Arc<Mutex<Vec<TcpStream>>> = Arc::default();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, streams) = (stream.expect("a client"), Arc::clone(&streams));
            thread::spawn(move || handle_connection(stream, &streams, times));
        }
    });
    url
}

fn handle_connection(mut stream: TcpStream, streams: &Mutex<Vec<TcpStream>>, times: fn(usize) -> usize) {
    let mut reader = BufReader::new(stream.try_clone().expect("a socket"));
    for number in 0.. {
        let Some(head) = read_head(&mut reader) else { return };
        let mut streams = streams.lock().expect("no thread panics with the lock");
        if head.starts_with("GET ") {
            stream.write_all(STREAM_START).expect("the stream starts");
            streams.push(stream);
            return;
        }
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
        let length = length.expect("a length").parse().expect("a number");
        let mut data = vec![0; length];
        reader.read_exact(&mut data).expect("the content");
        let data = String::from_utf8(data).expect("UTF-8");
        for other in streams.iter_mut() {
            for _ in 0..times(number) {
                let event = format!("id: {number}\ndata: {data}\n\n");
                other.write_all(event.as_bytes()).expect("the event is sent");
            }
        }
        let response = json_response("201 Created", &format!("{{\"id\":\"{number}\"}}"));
        stream.write_all(&response).expect("the response is sent");
    }
}

/// Reads the head of a request. Returns `None` if the client has closed the connection.
fn read_head(reader: &mut impl BufRead) -> Option<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).unwrap_or(0) == 0 {
            return None;
        }
    }
    Some(head)
}

/// Measures 3 clients of such a server. The command must count exactly the lost and the duplicated
/// events.
fn assert_lost_and_duplicated_events_are_counted(times: fn(usize) -> usize) {
    let url = serve(times);
    let target = ["--url", &url, "--transports", "sse", "--clients", "3"];
    let timing = ["--duration", "1s", "--events-per-minute", "240", "--format", "json"];
    let output = run(&[&target[..], &timing].concat());
    let comparison: Value = serde_json::from_slice(&output.stdout).expect("valid JSON");
    let trial = &comparison["legs"][0];
    // 4 events, unless the machine is so busy that an event is due too late.
    let published = number(trial, "events_published") as usize;
    assert!(published > 1, "{published} events");
    let lost = 3 * (0..published).filter(|number| times(*number) == 0).count();
    let duplicated = 3 * (0..published).map(|number| times(number).saturating_sub(1)).sum::<usize>();
    assert_eq!((number(trial, "lost"), number(trial, "doubled")), (lost as f64, duplicated as f64));
    let is_correct = lost + duplicated == 0;
    assert_eq!(output.status.code(), Some(if is_correct { 0 } else { 1 }));
}

#[test]
fn counts_lost_and_duplicated_events() {
    assert_lost_and_duplicated_events_are_counted(|_| 1);
    assert_lost_and_duplicated_events_are_counted(|number| usize::from(number != 1));
    assert_lost_and_duplicated_events_are_counted(|number| usize::from(number < 1));
    assert_lost_and_duplicated_events_are_counted(|number| if number == 1 { 3 } else { 1 });
}

#[test]
fn a_refusing_server_is_an_error_and_so_is_https() {
    let (listener, url) = listen();
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
fn an_unreachable_server_is_reported_at_once() {
    // No other test uses this address, so its port stays free.
    let listener = TcpListener::bind("127.0.0.80:0").expect("a free port");
    let authority = listener.local_addr().expect("a bound address").to_string();
    drop(listener);
    let output = run(&["--url", &format!("http://{authority}")]);
    let message = format!("barewire: short-poll: cannot connect to {authority}: ");
    assert!(errors(&output).starts_with(&message), "{}", errors(&output));
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
}

#[test]
fn reports_why_an_event_could_not_be_published() {
    let events = ["--transports", "sse", "--clients", "2", "--duration", "1s", "--events-per-minute", "600"];
    for (option, value, status) in [("--publish-token", "secret", "401"), ("--max-connections", "2", "503")] {
        let server = ExternalServer::start(&[option, value]);
        let output = run(&[&events[..], &["--url", &server.url]].concat());
        let message = format!(
            "barewire: sse: an event could not be published: the server responded with status {status}"
        );
        assert!(errors(&output).starts_with(&message), "{}", errors(&output));
        assert_eq!(output.status.code(), Some(1));
    }
}

/// Reads the head of a request. Returns `None` if the client has closed the connection.
fn read_request(stream: &TcpStream) -> Option<String> {
    read_head(&mut BufReader::new(stream.try_clone().expect("a socket")))
}

/// Serves streams until the first event is published, and sends that event. Returns the streams and
/// the publisher's connection, which still awaits a response.
fn serve_one_event(listener: &TcpListener) -> (Vec<TcpStream>, TcpStream) {
    let mut streams = Vec::new();
    loop {
        let (mut stream, _) = listener.accept().expect("a client");
        let Some(head) = read_request(&stream) else { continue };
        if head.starts_with("GET ") {
            stream.write_all(STREAM_START).expect("the stream starts");
            streams.push(stream);
            continue;
        }
        for other in &mut streams {
            other.write_all(b"id: 0\ndata: 00000000\n\n").expect("the event is sent");
        }
        return (streams, stream);
    }
}

#[test]
fn reports_events_that_could_not_be_published_in_time() {
    let (listener, url) = listen();
    let (end, ended) = std::sync::mpsc::channel::<()>();
    let server = thread::spawn(move || {
        let connections = serve_one_event(&listener);
        let _ = ended.recv();
        drop(connections);
    });
    let arguments = ["--transports", "sse", "--clients", "2", "--duration", "1s", "--size", "8"];
    let output = run(&[&arguments[..], &["--events-per-minute", "600", "--url", &url]].concat());
    drop(end);
    server.join().expect("the server thread ends");
    assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
    let message = "barewire: sse: only 1 of 10 events were published, because ";
    assert!(errors(&output).starts_with(message), "{}", errors(&output));
}

#[test]
fn results_measured_before_the_server_ended_are_written() {
    let (listener, url) = listen();
    // The server responds to the first event and then ends.
    thread::spawn(move || {
        let (_streams, mut publisher) = serve_one_event(&listener);
        let response = json_response("201 Created", "{\"id\":\"0\"}");
        publisher.write_all(&response).expect("the response is sent");
    });
    let arguments = ["--transports", "sse,websocket", "--clients", "3", "--duration", "1s", "--size", "8"];
    let more = ["--events-per-minute", "60", "--format", "json", "--url", &url];
    let output = run(&[&arguments[..], &more].concat());
    assert_eq!(output.status.code(), Some(1));
    assert!(errors(&output).contains("websocket: cannot connect to "), "{}", errors(&output));
    let comparison: Value = serde_json::from_slice(&output.stdout).expect("valid JSON");
    assert_eq!(comparison["interrupted"], true);
    let trial = &comparison["legs"][0];
    assert_eq!((number(trial, "events_arrived"), number(trial, "lost")), (3.0, 0.0), "{trial}");
    assert!(number(trial, "reconnects") >= 3.0, "{trial}");
    // Requests to a server that is gone do not count.
    assert_eq!((number(trial, "requests_per_minute"), number(trial, "connections")), (0.0, 3.0), "{trial}");
}

#[test]
fn a_408_between_two_polls_does_not_cause_an_extra_request() {
    let (listener, url) = listen();
    // Each request ends the other connection, which is idle until its next poll.
    thread::spawn(move || {
        let mut idle: Option<TcpStream> = None;
        for stream in listener.incoming() {
            let mut stream = stream.expect("a client");
            if read_request(&stream).is_none() {
                continue;
            }
            if let Some(mut other) = idle.take() {
                let _ = other.write_all(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n");
            }
            let response = json_response("200 OK", r#"{"events":[],"next":"a-0"}"#);
            stream.write_all(&response).expect("the response is sent");
            idle = Some(stream);
        }
    });
    let arguments =
        ["--transports", "short-poll", "--clients", "2", "--duration", "1s", "--interval", "200ms"];
    let comparison = json(&[&arguments[..], &["--events-per-minute", "0", "--url", &url]].concat());
    let trial = &comparison["legs"][0];
    // 5 per client, and possibly one more at each end of the measurement.
    let requests = number(trial, "requests_per_minute") * number(trial, "seconds") / 60.0;
    assert!(requests > 0.0 && requests < 12.5, "{trial}");
}

#[test]
fn an_unwritable_result_is_an_error_but_a_closed_pipe_is_not() {
    let short = ["--transports", "sse", "--clients", "1", "--duration", "100ms"];
    let output = run(&["--report", "/no/such/directory/report.html", "--duration", "1000s"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(errors(&output).starts_with("barewire: /no/such/directory/report.html: "), "{}", errors(&output));

    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let status = command(&short).stdout(writer).status().expect("the command starts");
    assert_eq!(status.code(), Some(0));

    if let Ok(full) = std::fs::OpenOptions::new().write(true).open("/dev/full") {
        let output = command(&short).stdout(full).output().expect("the command starts");
        assert_eq!(output.status.code(), Some(1));
        assert!(errors(&output).starts_with("barewire: standard output: "), "{}", errors(&output));
    } else {
        eprintln!("skipped: this system has no /dev/full");
    }
}

/// Serves one client whose polls return what was published. The server closes each connection after
/// one response: the connections of polls when the next poll arrives, and the publisher's, with a
/// 408, when the next poll arrives.
fn serve_and_close_between_requests(listener: &TcpListener) {
    let (mut events, mut count) = (Vec::new(), 0);
    let mut publisher: Option<TcpStream> = None;
    for stream in listener.incoming() {
        let mut stream = stream.expect("a client");
        let Some(head) = read_request(&stream) else { continue };
        if let Some(mut publisher) = publisher.take() {
            let _ = publisher.write_all(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n");
        }
        if head.starts_with("GET ") {
            let body = format!("{{\"events\":[{}],\"next\":\"{count}\"}}", events.join(","));
            events.clear();
            stream.write_all(&json_response("200 OK", &body)).expect("the response is sent");
            thread::spawn(move || read_request(&stream));
        } else {
            let id = count + 1;
            events.push(format!("{{\"id\":\"{id}\",\"event\":\"message\",\"data\":\"{count:08}\"}}"));
            count = id;
            let body = format!("{{\"id\":\"{id}\"}}");
            stream.write_all(&json_response("201 Created", &body)).expect("the response is sent");
            publisher = Some(stream);
        }
    }
}

#[test]
fn connections_closed_between_two_requests_are_not_reconnects() {
    let (listener, url) = listen();
    thread::spawn(move || serve_and_close_between_requests(&listener));
    let arguments =
        ["--transports", "short-poll", "--clients", "1", "--duration", "1s", "--interval", "100ms"];
    let more = ["--events-per-minute", "240", "--size", "8", "--format", "json", "--url", &url];
    let output = run(&[&arguments[..], &more].concat());
    assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
    let comparison: Value = serde_json::from_slice(&output.stdout).expect("valid JSON");
    let trial = &comparison["legs"][0];
    // 4 events, unless the machine is so busy that an event is due too late.
    let published = number(trial, "events_published");
    assert!(published > 1.0 && number(trial, "events_arrived") == published, "{trial}");
    assert_eq!((number(trial, "lost"), number(trial, "doubled")), (0.0, 0.0), "{trial}");
    assert_eq!(number(trial, "reconnects"), 0.0, "{trial}");
}
