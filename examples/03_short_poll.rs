//! 3. Short polling: ask again and again.
//!
//! New against `02_http`: a topic, which is a list of events that only grows. A POST publishes its
//! body; a GET answers at once with what came after `since`, and with `next`, the `since` to ask with
//! the next time. The client keeps its place in the list (its *cursor*), and the server knows nothing
//! about it. What short polling costs is in the asking: a whole request and answer each time, mostly
//! for no news, and an event waits on average for half the interval.
//!
//! Start it in one terminal:
//!
//! ```console
//! $ cargo run --example 03_short_poll
//! listening on http://127.0.0.1:8080
//! ```
//!
//! and type in another:
//!
//! ```console
//! $ curl -d 'one' http://127.0.0.1:8080/topics/demo
//! {"id":"1"}
//! $ curl http://127.0.0.1:8080/topics/demo
//! {"events":[{"id":"1","event":"message","data":"one"}],"next":"1"}
//! $ curl 'http://127.0.0.1:8080/topics/demo?since=1'
//! {"events":[],"next":"1"}
//! $ curl -d 'a "quoted" two' http://127.0.0.1:8080/topics/demo
//! {"id":"2"}
//! $ printf 'GET /topics/demo?since=1 HTTP/1.1\r\nHost: a\r\n\r\n' | nc -q 1 127.0.0.1 8080
//! HTTP/1.1 200 OK
//! Content-Type: application/json
//! Content-Length: 79
//!
//! {"events":[{"id":"2","event":"message","data":"a \"quoted\" two"}],"next":"2"}
//! ```
//!
//! **Break it:** stop the server with Ctrl-C and start it again. Its ids begin at 1 again, and the
//! client, which goes on from `next`, has no way to know:
//!
//! ```text
//! $ curl -d 'three' http://127.0.0.1:8080/topics/demo
//! {"id":"1"}
//! $ curl 'http://127.0.0.1:8080/topics/demo?since=2'
//! {"events":[],"next":"1"}
//! ```
//!
//! The event `three` is lost to this client, and nobody told it so. An id would have to say which life
//! of the server it belongs to. The list itself breaks too, later: it keeps every event for ever, and a
//! client without `since` gets all of them in one answer, copied for it.
//!
//! Left out: what `02_http` leaves out; that is so in all that follow. A `since` that is no number
//! counts as none.

use std::collections::{HashMap, VecDeque};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};

use httparse::Status;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

const LISTENER: Token = Token(0);
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
        match poll.poll(&mut events, None) {
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
}

impl Client {
    fn new(stream: TcpStream) -> Client {
        Client { stream, inbox: Vec::new(), outbox: VecDeque::new(), ended: false }
    }

    /// Read what came, answer it, write what the socket takes. Says whether the client stays.
    fn turn(&mut self, topic: &mut Vec<String>) -> io::Result<bool> {
        self.read()?;
        self.answer(topic);
        self.flush()?;
        Ok(!self.ended || !self.outbox.is_empty())
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
        while let Some(request) = Request::take(&mut self.inbox).transpose() {
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

    fn route(&mut self, request: Request, topic: &mut Vec<String>) {
        let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
        match (request.method.as_str(), path) {
            ("GET", TOPIC) => {
                let since = number(query, "since").unwrap_or(0);
                self.respond("200 OK", JSON, page(topic, since));
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
