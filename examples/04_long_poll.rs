//! 4. Long polling: ask, and let the answer wait.
//!
//! New against `03_short_poll`: with `?wait=SECONDS` a request that has no news yet is held until there
//! is some, or until the time is over (`follow`). Now the server has to remember who waits, and three
//! things change: a client has a state; who waits is looked after when somebody else publishes, and ten
//! times a second for the clock; and a pipelined request behind a held one stays in the inbox. Without
//! `since` a long poll begins with what comes next.
//!
//! Start it in one terminal:
//!
//! ```console
//! $ cargo run --example 04_long_poll
//! listening on http://127.0.0.1:8080
//! ```
//!
//! and type in another:
//!
//! ```console
//! $ curl -d 'one' http://127.0.0.1:8080/topics/demo
//! {"id":"1"}
//! $ curl 'http://127.0.0.1:8080/topics/demo?since=1&wait=1'
//! {"events":[],"next":"1"}
//! ```
//!
//! That took its second, for nothing. Ask once more with more patience:
//!
//! ```console first
//! $ curl 'http://127.0.0.1:8080/topics/demo?since=1&wait=60'
//! {"events":[{"id":"2","event":"message","data":"two"}],"next":"2"}
//! ```
//!
//! It is silent, until you publish in a third terminal:
//!
//! ```console second
//! $ curl -d 'two' http://127.0.0.1:8080/topics/demo
//! {"id":"2"}
//! ```
//!
//! **Break it:** every client that waits holds a connection, and a process may have only so many
//! descriptors. Start the server with room for eleven clients, let eleven wait, and ask with a twelfth:
//!
//! ```text
//! $ (ulimit -n 16; exec target/debug/examples/04_long_poll)
//! $ for i in $(seq 11); do curl -s 'http://127.0.0.1:8080/topics/demo?wait=10' & done
//! $ curl http://127.0.0.1:8080/topics/demo
//! ```
//!
//! The twelfth is connected, for the kernel does that, but gets no answer; a POST that would set the
//! others free would not either. And when the ten seconds are over and all eleven have gone, it still
//! hangs: the poll told of it once, `accept` failed then, and nobody tries again. Another `curl`, in
//! another terminal, gets both going.

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
const TOPIC: &str = "/topics/demo";
const BAD: &str = "400 Bad Request";

fn main() -> io::Result<()> {
    let port = std::env::args().nth(1).unwrap_or("8080".into()).parse().map_err(io::Error::other)?;
    let mut listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    let mut poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    println!("listening on http://{}", listener.local_addr()?);

    let mut clients: HashMap<Token, Client> = HashMap::new();
    let mut topic = Vec::new();
    let mut newest = LISTENER;
    let mut events = Events::with_capacity(256);
    loop {
        match poll.poll(&mut events, Some(TICK)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue, // Ctrl-Z, then `fg`
            outcome => outcome?,
        }
        for event in &events {
            if event.token() == LISTENER {
                // The poll tells of them once, so take all that wait.
                while let Ok((mut stream, _)) = listener.accept() {
                    // A token is never used again: an event for a client that has gone finds nobody.
                    newest = Token(newest.0 + 1);
                    let interest = Interest::READABLE | Interest::WRITABLE;
                    if poll.registry().register(&mut stream, newest, interest).is_ok() {
                        clients.insert(newest, Client::new(stream));
                    }
                }
            } else if let Some(client) = clients.get_mut(&event.token())
                && !client.turn(&mut topic).unwrap_or(false)
            {
                clients.remove(&event.token()); // which closes its socket
            }
        }
        // What one has published, others wait for; and a wait may be over.
        clients.retain(|_, client| client.following.is_none() || client.turn(&mut topic).unwrap_or(false));
    }
}

struct Client {
    stream: TcpStream,
    /// What has come and is not yet understood.
    inbox: Vec<u8>,
    /// What is still to be written.
    outbox: VecDeque<u8>,
    /// Nothing more is read: the peer has sent its last byte, or gets its last answer.
    ended: bool,
    /// While this is something, the next request has to wait.
    following: Option<Following>,
}

#[derive(Clone, Copy)]
enum Following {
    /// A long poll, held until there is an event after `since`.
    Waiting { since: usize, until: Instant },
}

impl Client {
    fn new(stream: TcpStream) -> Client {
        Client { stream, inbox: Vec::new(), outbox: VecDeque::new(), ended: false, following: None }
    }

    /// Read what came, answer it, write what the socket takes. Says whether the client stays.
    fn turn(&mut self, topic: &mut Vec<String>) -> io::Result<bool> {
        self.read()?;
        self.answer(topic);
        self.flush()?;
        Ok(!self.ended || !self.outbox.is_empty() || self.following.is_some())
    }

    /// Takes what has come, down to the last byte: the poll will not tell of it again.
    fn read(&mut self) -> io::Result<()> {
        let mut buffer = [0; 4096];
        while !self.ended {
            match self.stream.read(&mut buffer) {
                Ok(0) => self.ended = true,
                Ok(n) => self.inbox.extend_from_slice(&buffer[..n]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Every whole request in the inbox gets its answer, in order.
    fn answer(&mut self, topic: &mut Vec<String>) {
        while self.follow(topic)
            && let Some(request) = Request::take(&mut self.inbox).transpose()
        {
            // RFC 9112 §9.6; and after what is no request, nobody knows where the next one begins.
            let is_last =
                request.as_ref().map_or("close", |it| it.field("connection")).eq_ignore_ascii_case("close");
            match request {
                Ok(request) => self.route(request, topic),
                Err(status) => self.respond(status, TEXT, format!("{status}\n")),
            }
            if is_last {
                self.ended = true;
                self.inbox.clear();
            }
        }
    }

    /// Sends what the client waits for, if it is there. Says whether the next request may be answered.
    fn follow(&mut self, topic: &[String]) -> bool {
        match self.following {
            Some(Following::Waiting { since, until }) if topic.len() > since || until <= Instant::now() => {
                self.following = None;
                self.respond("200 OK", JSON, page(topic, since));
            }
            _ => {}
        }
        self.following.is_none()
    }

    fn route(&mut self, request: Request, topic: &mut Vec<String>) {
        let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
        match (request.method.as_str(), path) {
            ("GET", TOPIC) => {
                let wait = number(query, "wait");
                let since = number(query, "since").unwrap_or(if wait.is_some() { topic.len() } else { 0 });
                let wait = Duration::from_secs(wait.unwrap_or(0).min(60) as u64);
                self.following = Some(Following::Waiting { since, until: Instant::now() + wait });
            }
            ("POST", TOPIC) => {
                let Ok(data) = String::from_utf8(request.body) else {
                    return self.respond(BAD, TEXT, "data is UTF-8\n");
                };
                topic.push(data);
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

    /// Writes what the socket takes. The rest waits until the poll says that there is room again.
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
    /// Takes the first request out of the inbox. `None`: it has not all come yet. An error is the
    /// status to refuse it with.
    fn take(inbox: &mut Vec<u8>) -> Result<Option<Request>, &'static str> {
        let mut fields = [httparse::EMPTY_HEADER; 64];
        let mut head = httparse::Request::new(&mut fields);
        let Status::Complete(start) = head.parse(inbox).map_err(|_| BAD)? else { return Ok(None) };
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
            // Only digits: `parse` would take "+5" too.
            ("", n) if n.bytes().all(|byte| byte.is_ascii_digit()) => n.parse().map_err(|_| BAD)?,
            ("", _) => return Err(BAD),
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

/// A number in a query. One that cannot be read counts as left out.
fn number(query: &str, name: &str) -> Option<usize> {
    query.split('&').find_map(|each| each.strip_prefix(name)?.strip_prefix('=')?.parse().ok())
}

/// What came after `since`: the body of a poll's answer.
fn page(topic: &[String], since: usize) -> String {
    let after = topic.iter().enumerate().skip(since);
    let events: Vec<String> = after.map(|(before, data)| event(before + 1, data)).collect();
    format!("{{\"events\":[{}],\"next\":\"{}\"}}\n", events.join(","), topic.len())
}

/// An event as JSON; RFC 8259 §7 says what has to be escaped.
fn event(id: usize, data: &str) -> String {
    let escape = |character| match character {
        '"' | '\\' => format!("\\{character}"),
        '\0'..' ' => format!("\\u{:04x}", u32::from(character)),
        _ => character.to_string(),
    };
    let data: String = data.chars().map(escape).collect();
    format!("{{\"id\":\"{id}\",\"event\":\"message\",\"data\":\"{data}\"}}")
}
