//! 5. Server-Sent Events: ask once, for a response that never ends.
//!
//! New since `04_long_poll`: a GET that accepts `text/event-stream` receives a head without a
//! length, then each event as lines (`deliver`). A client that reconnects sends the last `id:`.
//!
//! Start the server in one terminal. `… 05_sse -- 8090` selects another port than 8080. If it is
//! taken, the server prints `cannot listen` and the reason, and exits with status 1.
//!
//! ```console
//! $ cargo run --example 05_sse
//! listening on http://127.0.0.1:8080
//! ```
//!
//! Follow the topic in another terminal, and publish in a third; no `nc` is needed. Or open
//! http://127.0.0.1:8080/ in a browser, and type this line in the console of that page:
//! `new EventSource("/topics/demo").onmessage = e => console.log(e.lastEventId, e.data)`
//!
//! ```console first
//! $ curl -N -H 'Accept: text/event-stream' -H 'Last-Event-ID: 0' http://127.0.0.1:8080/topics/demo
//! retry: 2000
//! id: 0
//!
//! id: 1
//! data: one
//!
//! ```
//! ```console second
//! $ curl -d 'one' http://127.0.0.1:8080/topics/demo
//! {"id":"1"}
//! ```
//!
//! **Break it:** stop the server with Ctrl-C, start it again, publish, and reconnect as before:
//!
//! ```console
//! $ cargo run --example 05_sse
//! listening on http://127.0.0.1:8080
//! $ curl -d 'lost' http://127.0.0.1:8080/topics/demo
//! {"id":"1"}
//! $ curl -sN -m 2 -H 'Accept: text/event-stream' -H 'Last-Event-ID: 1' http://127.0.0.1:8080/topics/demo
//! retry: 2000
//! id: 1
//!
//! ```
//!
//! `lost` has the id of `one`, which the client has. It never arrives, and neither side can notice.

use std::collections::{HashMap, VecDeque};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use httparse::Status;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

const LISTENER: Token = Token(0);
/// The longest time between two checks of the deadlines.
const TICK: Duration = Duration::from_millis(100);
const TEXT: &str = "text/plain";
const JSON: &str = "application/json";
const HTML: &str = "text/html";
/// A page whose console connects to this server. Chromium wants `allow pasting` before a paste.
const PAGE: &str = "<!doctype html><title>barewire</title>Open the console here, and type the line.\n";
const STREAM_HEAD: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n\r\n";
const TOPIC: &str = "/topics/demo";
const BAD_REQUEST: &str = "400 Bad Request";

fn main() -> io::Result<()> {
    let mut listener = listen(&std::env::args().nth(1).unwrap_or("8080".into()));
    let mut poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    println!("listening on http://{}", listener.local_addr()?);

    let mut clients: HashMap<Token, Client> = HashMap::new();
    let mut topic = Vec::new(); // every event since the start, without a bound
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

/// Opens a port of the loopback address. Port 0 is any free port. Ends the program if it cannot.
fn listen(port: &str) -> TcpListener {
    let address = port.parse().map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    address.map_err(io::Error::other).and_then(TcpListener::bind).unwrap_or_else(|error| {
        eprintln!("cannot listen on port {port}: {error}; pass the number of a free port");
        std::process::exit(1)
    })
}

/// A connection. TCP carries a stream of bytes, not messages: a message may arrive in several
/// parts, and a `write` may accept only some of its bytes. Hence the two buffers.
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
    /// An event stream. Every event up to `since` is already in the outbox or sent. Left out: a
    /// bound for the outbox of a client that does not read, and a heartbeat, without which a failed
    /// network is noticed only when an event is written.
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

    /// Reads everything that has arrived. The poll is edge-triggered: it will not report it again.
    fn read(&mut self) -> io::Result<()> {
        let mut buffer = [0; 4096];
        while !self.done_reading {
            match self.stream.read(&mut buffer) {
                // A FIN closes one direction only: what the client has sent is still answered.
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
            ("GET", "/") => self.respond("200 OK", HTML, PAGE),
            ("GET", TOPIC) => {
                let wait = query_number(query, "wait");
                let wants_stream = request.field("accept").contains("text/event-stream");
                // Without a position, a client that waits receives only the events after its
                // request.
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
                publish(topic, data);
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

/// A request. Left out: chunked bodies (501, RFC 9112 §6.1), repeated fields (the last one counts),
/// the check for a missing `Host`, `HEAD`, `Expect: 100-continue`, HTTP/1.0, and `Date`.
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

/// Appends an event. Each CR or CRLF becomes LF, because a CR would end a `data` line.
fn publish(topic: &mut Vec<String>, data: String) {
    topic.push(data.replace("\r\n", "\n").replace('\r', "\n"));
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
    // A CR ends a line too (WHATWG HTML §9.2.5): sent as it is, it would forge fields.
    let data = data.replace("\r\n", "\n").replace('\r', "\n");
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
