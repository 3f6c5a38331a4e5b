//! Servers that are not barewire, with their own JSON and cursors. Each test plays one.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use crate::{measured, number, right};

/// Serves each connection in its own thread, until the test process ends.
pub fn serve(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("a bound listener");
    let serve = Arc::new(serve);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (serve, stream) = (serve.clone(), stream.expect("a connection"));
            // A client that sends nothing must not keep a thread forever.
            stream.set_read_timeout(Some(Duration::from_secs(120))).expect("a read timeout");
            thread::spawn(move || serve(stream));
        }
    });
    address
}

/// A request: its request line, its field lines and its body.
pub struct Request {
    pub line: String,
    pub fields: Vec<String>,
    pub body: Vec<u8>,
}

/// Reads the next request; `None` at the end of the connection.
pub fn request(reader: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end().to_owned();
        if line.is_empty() {
            break;
        }
        lines.push(line);
    }
    let length = lines.iter().find_map(|line| line.strip_prefix("Content-Length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().expect("a number"))];
    reader.read_exact(&mut body).ok()?;
    let line = lines.remove(0);
    Some(Request { line, fields: lines, body })
}

/// The topic of a server: its events, and a condition for requests that wait for the next one.
#[derive(Default)]
pub struct Topic {
    events: Mutex<Vec<String>>,
    grown: Condvar,
}

impl Topic {
    pub fn publish(&self, event: String) {
        self.events.lock().expect("no thread panicked").push(event);
        self.grown.notify_all();
    }

    pub fn length(&self) -> usize {
        self.events.lock().expect("no thread panicked").len()
    }

    /// Returns the events from number `at` on, as soon as there is one.
    pub fn from(&self, at: usize) -> Vec<String> {
        let events = self.events.lock().expect("no thread panicked");
        let events = self.grown.wait_while(events, |events| events.len() <= at).expect("no thread panicked");
        events[at..].to_vec()
    }
}

/// Where a long-polling server puts its cursors.
#[derive(Clone, Copy)]
enum Cursor {
    Header,
    Json,
}

/// Starts a long-polling server with its own interface: `GET /wait/CURSOR` returns the
/// events as plain lines or as a list in JSON.
fn long_polling_server(cursor: Cursor, persists: bool) -> SocketAddr {
    let topic = Topic::default();
    serve(move |stream| {
        let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
        let mut stream = stream;
        while let Some(Request { line, fields, body }) = request(&mut reader) {
            let response = if line.starts_with("POST /in?key=1 ") {
                assert!(fields.contains(&"X-Secret: 2".to_owned()), "{fields:?}");
                topic.publish(String::from_utf8(body).expect("UTF-8"));
                "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n".to_owned()
            } else {
                let at = line.split(['/', ' ']).nth(3).expect("a cursor");
                let at = if at == "now" { topic.length() } else { at.parse().expect("a number") };
                let events = topic.from(at);
                let next = at + events.len();
                let (field, body) = match cursor {
                    Cursor::Header => (format!("X-Cursor: {next}\r\n"), events.join("\n")),
                    Cursor::Json => (String::new(), format!("{{\"new\":{events:?},\"last\":{next}}}")),
                };
                let end = if persists { "" } else { "Connection: close\r\n" };
                format!("HTTP/1.1 200 OK\r\n{field}{end}Content-Length: {}\r\n\r\n{body}", body.len())
            };
            if stream.write_all(response.as_bytes()).is_err() || (!persists && line.starts_with("GET")) {
                return;
            }
        }
    })
}

#[test]
fn follows_a_cursor_in_a_header_or_in_json() {
    for (cursor, place, persists) in [
        (Cursor::Header, "header:X-Cursor", true),
        (Cursor::Json, "json:last", true),
        (Cursor::Json, "json:last", false),
    ] {
        let address = long_polling_server(cursor, persists);
        let (status, report) = measured(&[
            "fan-out",
            "--via",
            "long-poll",
            "--connections",
            "4",
            "--url",
            &format!("http://{address}/wait/{{cursor}}"),
            "--cursor",
            place,
            "--publish",
            &format!("http://{address}/in?key=1"),
            "--publish-header",
            "X-Secret: 2",
            "--burst",
            "2",
        ]);
        let run = &report["runs"][0];
        assert_eq!((status, &run["sent"]), (0, &run["answered"]), "{place}: {report:#}");
        assert_eq!(number(&run["done"]), 4.0 * number(&run["events"]));
        assert_eq!(number(&run["reconnects"]) > 0.0, !persists, "{run:#}");
        // The process of the server is unknown.
        assert!(run["per_server_cpu_second"].is_null());
        let notes = report["notes"].to_string();
        assert!(notes.contains("--server-pid"), "{notes}");
    }
}

#[test]
fn publishes_on_a_websocket_if_the_url_says_so() {
    let server = crate::wrong::barewire();
    let topic = format!("{}/topics/bench", server.address);
    let report = right(&[
        "fan-out",
        "--via",
        "sse",
        "--connections",
        "5",
        "--url",
        &format!("http://{topic}"),
        "--publish",
        &format!("ws://{topic}"),
        "--burst",
        "3",
        "--server-pid",
        &server.id().to_string(),
        "--server-pid",
        &std::process::id().to_string(),
    ]);
    let run = &report["runs"][0];
    assert_eq!((&run["sent"], number(&run["done"])), (&run["answered"], 5.0 * number(&run["events"])));
    assert_eq!(report["server_pids"], serde_json::json!([server.id(), std::process::id()]));
    assert!(run["server_cpu_seconds"].is_number());
}

#[test]
fn each_connection_sends_its_number_and_the_fields() {
    let requested = Arc::new(Mutex::new(std::collections::BTreeSet::new()));
    let lines = requested.clone();
    let address = serve(move |stream| {
        let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
        let mut stream = stream;
        while let Some(Request { line, fields, .. }) = request(&mut reader) {
            assert!(fields.contains(&"X-A: b".to_owned()), "{fields:?}");
            lines.lock().expect("no thread panicked").insert(line);
            // The response is split in two, and its body is not JSON.
            let sent = stream
                .write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chu")
                .and_then(|()| stream.write_all(b"nked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"));
            if sent.is_err() {
                return;
            }
        }
    });
    let url = format!("http://{address}/of/{{n}}");
    right(&["requests", "--connections", "3", "--url", &url, "--header", "X-A: b"]);
    let lines: Vec<_> = requested.lock().expect("no thread panicked").iter().cloned().collect();
    assert_eq!(lines, ["GET /of/0 HTTP/1.1", "GET /of/1 HTTP/1.1", "GET /of/2 HTTP/1.1"]);
}

#[test]
#[cfg(target_os = "linux")]
fn connects_from_the_requested_number_of_addresses() {
    let used = Arc::new(Mutex::new(std::collections::BTreeSet::new()));
    let addresses = used.clone();
    let address = serve(move |stream| {
        addresses
            .lock()
            .expect("no thread panicked")
            .insert(stream.peer_addr().expect("a connected socket").ip().to_string());
        let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
        let mut stream = stream;
        while request(&mut reader).is_some() {
            if stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").is_err() {
                return;
            }
        }
    });
    right(&["requests", "--connections", "7", "--sources", "3", "--url", &format!("http://{address}/")]);
    let used: Vec<_> = used.lock().expect("no thread panicked").iter().cloned().collect();
    assert_eq!(used, ["127.0.0.1", "127.0.0.2", "127.0.0.3"]);
}
