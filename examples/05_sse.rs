//! 5. Server-Sent Events: ask once, for a response that never ends.
//!
//! New since `04_long_poll`: a GET that accepts `text/event-stream` receives a response head
//! without a length. Each event follows as a block of lines, for as long as the connection lasts.
//! The server now keeps a cursor for each connection. The client keeps its position too: it takes
//! the position from the `id:` line of each event, and sends it as `Last-Event-ID` when it
//! reconnects. Old and new events take the same path (`deliver`): the server sends everything
//! between the cursor and the end of the list.
//!
//! A line of the stream ends with CR, LF or CRLF. So each line of an event's data needs its own
//! `data:` line, and the stream cannot represent a CR within the data. The server replaces CR and
//! CRLF with LF when it receives a publish, so that all transports deliver the same data.
//!
//! Start the server in one terminal:
//!
//! ```console
//! $ cargo run --example 05_sse
//! listening on http://127.0.0.1:8080
//! ```
//!
//! Type this in another:
//!
//! ```console
//! $ curl -d 'one' http://127.0.0.1:8080/topics/demo
//! {"id":"1"}
//! ```
//!
//! ```console first
//! $ curl -i -N -H 'Accept: text/event-stream' -H 'Last-Event-ID: 0' http://127.0.0.1:8080/topics/demo
//! HTTP/1.1 200 OK
//! Content-Type: text/event-stream
//! Cache-Control: no-store
//!
//! retry: 2000
//! id: 0
//!
//! id: 1
//! data: one
//!
//! id: 2
//! data: two
//! data: lines
//!
//! ```
//!
//! The last block arrives when you publish in a third terminal. A long poll returns the same event:
//!
//! ```console second
//! $ printf 'POST /topics/demo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\ntwo\r\nlines' | nc -q 1 127.0.0.1 8080
//! HTTP/1.1 201 Created
//! Content-Type: application/json
//! Content-Length: 11
//!
//! {"id":"2"}
//! $ curl 'http://127.0.0.1:8080/topics/demo?since=1&wait=60'
//! {"events":[{"id":"2","event":"message","data":"two\u000alines"}],"next":"2"}
//! ```
//!
//! **Break it:** follow the topic without reading the response. Then publish 100 MB:
//!
//! ```text
//! $ for i in $(seq 5); do curl -sN -H 'Accept: text/event-stream' http://127.0.0.1:8080/topics/demo | sleep 60 & done
//! $ for i in $(seq 100); do head -c 1M /dev/zero | tr '\0' x | curl -s -H Expect: -d @- http://127.0.0.1:8080/topics/demo; done
//! $ ps -o rss,comm -C 05_sse
//! ```
//!
//! The topic keeps the 100 MB once, and each of the five outboxes keeps nearly as much again. A
//! follower that stops reading costs as much memory as all data published since then, and the
//! server never disconnects it.
//!
//! Left out: a heartbeat. Without one, the server does not notice that a follower's network has
//! failed until it writes to that follower.

use std::collections::{HashMap, VecDeque};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use httparse::Status;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

const LISTENER: Token = Token(0);
const TICK: Duration = Duration::from_millis(100);
const TEXT: &str = "text/plain";
const JSON: &str = "application/json";
const STREAM_HEAD: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n\r\n";
const TOPIC: &str = "/topics/demo";
const BAD_REQUEST: &str = "400 Bad Request";

fn main() -> io::Result<()> {
    let port = std::env::args().nth(1).unwrap_or("8080".into()).parse().map_err(io::Error::other)?;
    let mut listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    let mut poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    println!("listening on http://{}", listener.local_addr()?);

    let mut clients: HashMap<Token, Client> = HashMap::new();
    let mut topic = Vec::new();
    let mut last_token = LISTENER;
    let mut events = Events::with_capacity(256);
    loop {
        match poll.poll(&mut events, Some(TICK)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue, // after Ctrl-Z and `fg`
            outcome => outcome?,
        }
        for event in &events {
            if event.token() == LISTENER {
                // The poll reports waiting connections only once, so accept all of them.
                while let Ok((mut stream, _)) = listener.accept() {
                    // Tokens are never reused, so an old event cannot reach a new client.
                    last_token = Token(last_token.0 + 1);
                    let interest = Interest::READABLE | Interest::WRITABLE;
                    if poll.registry().register(&mut stream, last_token, interest).is_ok() {
                        clients.insert(last_token, Client::new(stream));
                    }
                }
            } else if let Some(client) = clients.get_mut(&event.token())
                && !client.process(&mut topic).unwrap_or(false)
            {
                clients.remove(&event.token()); // dropping the client closes its socket
            }
        }
        // Another client may have published an event, or a long poll may have timed out.
        clients.retain(|_, client| client.following.is_none() || client.process(&mut topic).unwrap_or(false));
    }
}

struct Client {
    stream: TcpStream,
    /// Bytes that have arrived but are not processed yet.
    inbox: Vec<u8>,
    /// Bytes that are not written yet.
    outbox: VecDeque<u8>,
    /// Nothing more is read: the peer has sent its last byte, or its last response is queued.
    done_reading: bool,
    /// The response in progress, if there is one. The next request waits until this is `None`.
    following: Option<Following>,
}

#[derive(Clone, Copy)]
enum Following {
    /// A long poll, held until the topic has an event after `since` or the deadline passes.
    Waiting { since: usize, deadline: Instant },
    /// An event stream. Every event up to `since` is already in the outbox or sent.
    Streaming { since: usize },
}

impl Client {
    fn new(stream: TcpStream) -> Client {
        Client { stream, inbox: Vec::new(), outbox: VecDeque::new(), done_reading: false, following: None }
    }

    /// Reads, processes and writes as much as possible. Returns whether the client stays connected.
    fn process(&mut self, topic: &mut Vec<String>) -> io::Result<bool> {
        self.read()?;
        self.handle_input(topic);
        self.flush()?;
        Ok(!self.done_reading || !self.outbox.is_empty() || self.following.is_some())
    }

    /// Reads everything that has arrived, because the poll will not report it again.
    fn read(&mut self) -> io::Result<()> {
        let mut buffer = [0; 4096];
        while !self.done_reading {
            match self.stream.read(&mut buffer) {
                Ok(0) => self.done_reading = true,
                Ok(n) => self.inbox.extend_from_slice(&buffer[..n]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Responds to every complete request in the inbox, in order.
    fn handle_input(&mut self, topic: &mut Vec<String>) {
        while self.deliver(topic)
            && let Some(request) = Request::take(&mut self.inbox).transpose()
        {
            // The client may ask to close (RFC 9112 §9.6). After an invalid request the server has
            // to close, because it cannot tell where the next request begins.
            let connection = request.as_ref().map_or("close", |request| request.field("connection"));
            let is_last = connection.eq_ignore_ascii_case("close");
            match request {
                Ok(request) => self.route(request, topic),
                Err(status) => self.respond(status, TEXT, format!("{status}\n")),
            }
            if is_last {
                self.done_reading = true;
                self.inbox.clear();
            }
        }
    }

    /// Queues new events for the client. Returns whether the next request may be handled.
    fn deliver(&mut self, topic: &[String]) -> bool {
        match self.following {
            Some(Following::Waiting { since, deadline })
                if topic.len() > since || deadline <= Instant::now() =>
            {
                self.following = None;
                self.respond("200 OK", JSON, poll_body(topic, since));
            }
            Some(Following::Streaming { since }) => {
                self.inbox.clear(); // this response never ends, so no other can follow it
                for (index, data) in topic.iter().enumerate().skip(since) {
                    self.outbox.extend(sse_event(index + 1, data).as_bytes());
                }
                self.following = Some(Following::Streaming { since: topic.len() });
            }
            _ => {}
        }
        self.following.is_none()
    }

    fn route(&mut self, request: Request, topic: &mut Vec<String>) {
        let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
        match (request.method.as_str(), path) {
            ("GET", TOPIC) => {
                let wait = query_number(query, "wait");
                let wants_stream = request.field("accept").contains("text/event-stream");
                let start = if wait.is_some() || wants_stream { topic.len() } else { 0 };
                let since = request.field("last-event-id").parse().ok().or(query_number(query, "since"));
                let since = since.unwrap_or(start);
                if wants_stream {
                    self.outbox.extend(format!("{STREAM_HEAD}retry: 2000\nid: {since}\n\n").as_bytes());
                    self.following = Some(Following::Streaming { since });
                } else {
                    let wait = Duration::from_secs(wait.unwrap_or(0).min(60) as u64);
                    self.following = Some(Following::Waiting { since, deadline: Instant::now() + wait });
                }
            }
            ("POST", TOPIC) => {
                let Ok(data) = String::from_utf8(request.body) else {
                    return self.respond(BAD_REQUEST, TEXT, "the body must be UTF-8\n");
                };
                topic.push(data.replace("\r\n", "\n").replace('\r', "\n")); // a CR would end a `data` line
                self.respond("201 Created", JSON, format!("{{\"id\":\"{}\"}}\n", topic.len()));
            }
            _ => self.respond("404 Not Found", TEXT, "nothing here\n"),
        }
    }

    fn respond(&mut self, status: &str, kind: &str, body: impl AsRef<[u8]>) {
        let body = body.as_ref();
        let length = body.len();
        let head = format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n");
        self.outbox.extend(head.as_bytes());
        self.outbox.extend(body);
    }

    /// Writes as much as the socket accepts. The poll reports when the socket accepts more.
    fn flush(&mut self) -> io::Result<()> {
        while !self.outbox.is_empty() {
            match self.stream.write(self.outbox.as_slices().0) {
                Ok(n) => drop(self.outbox.drain(..n)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

struct Request {
    method: String,
    target: String,
    fields: HashMap<String, String>,
    body: Vec<u8>,
}

impl Request {
    /// Removes the first request from the inbox. Returns `None` if the request is incomplete, and
    /// the status to respond with if the server cannot accept it.
    fn take(inbox: &mut Vec<u8>) -> Result<Option<Request>, &'static str> {
        let mut fields = [httparse::EMPTY_HEADER; 64];
        let mut head = httparse::Request::new(&mut fields);
        let Status::Complete(start) = head.parse(inbox).map_err(|_| BAD_REQUEST)? else { return Ok(None) };
        let mut request = Request {
            method: head.method.unwrap_or_default().into(),
            target: head.path.unwrap_or_default().into(),
            fields: HashMap::new(),
            body: Vec::new(),
        };
        for field in head.headers {
            let value = String::from_utf8_lossy(field.value).to_string();
            request.fields.insert(field.name.to_ascii_lowercase(), value);
        }
        let length = match (request.field("transfer-encoding"), request.field("content-length")) {
            ("", "") => 0,
            // Digits only: `parse` on its own would also accept "+5".
            ("", n) if n.bytes().all(|byte| byte.is_ascii_digit()) => n.parse().map_err(|_| BAD_REQUEST)?,
            ("", _) => return Err(BAD_REQUEST),
            _ => return Err("501 Not Implemented"), // RFC 9112 §6.1
        };
        let Some(body) = inbox[start..].get(..length) else { return Ok(None) };
        request.body = body.to_vec();
        inbox.drain(..start + length);
        Ok(Some(request))
    }

    fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }
}

/// Returns the value of a query parameter, or `None` if it is missing or not a number.
fn query_number(query: &str, name: &str) -> Option<usize> {
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')?.parse().ok())
}

/// Returns the body of a poll's response: the events after `since`, and the next `since`.
fn poll_body(topic: &[String], since: usize) -> String {
    let after = topic.iter().enumerate().skip(since);
    let events: Vec<String> = after.map(|(index, data)| json_event(index + 1, data)).collect();
    format!("{{\"events\":[{}],\"next\":\"{}\"}}\n", events.join(","), topic.len())
}

/// Encodes an event for an event stream: one `data` line per line of data, then an empty line.
fn sse_event(id: usize, data: &str) -> String {
    let lines: String = data.split('\n').map(|line| format!("data: {line}\n")).collect();
    format!("id: {id}\n{lines}\n")
}

/// Encodes an event as JSON. RFC 8259 §7 lists the characters that must be escaped.
fn json_event(id: usize, data: &str) -> String {
    let escape = |character| match character {
        '"' | '\\' => format!("\\{character}"),
        '\0'..' ' => format!("\\u{:04x}", u32::from(character)),
        _ => character.to_string(),
    };
    let data: String = data.chars().map(escape).collect();
    format!("{{\"id\":\"{id}\",\"event\":\"message\",\"data\":\"{data}\"}}")
}
