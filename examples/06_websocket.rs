//! 6. WebSocket: both ways on one connection.
//!
//! New against `05_sse`: a GET may ask to leave HTTP (`upgrade`). The answer shows that the server
//! understood: it is the SHA-1 of the client's key and a fixed GUID (RFC 6455 §1.3). From then on the
//! same TCP stream carries frames: two bytes of what and how long, perhaps more of the length, in the
//! client's a mask, and the payload. `frame` is to the inbox now what `Request::take` was before, with
//! the same three outcomes. A text from the client is published, and each event goes to the client as a
//! text.
//!
//! Start it in one terminal:
//!
//! ```console
//! $ cargo run --example 06_websocket
//! listening on http://127.0.0.1:8080
//! ```
//!
//! and type in another the handshake with the key of RFC 6455 §1.3 and, behind it, the masked "Hello"
//! of §5.7. `cat -v` shows the answer's bytes: `M-^A` is 0x81, a whole text; `^L` and `+` are the
//! lengths 12 and 43.
//!
//! ```console
//! $ printf 'GET /topics/demo HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n'\
//! 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n'\
//! '\201\205\067\372\041\075\177\237\115\121\130' | nc -q 1 127.0.0.1 8080 | cat -v
//! HTTP/1.1 101 Switching Protocols^M
//! Upgrade: websocket^M
//! Connection: Upgrade^M
//! Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=^M
//! ^M
//! M-^A^L{"next":"0"}M-^A+{"id":"1","event":"message","data":"Hello"}
//! $ curl http://127.0.0.1:8080/topics/demo
//! {"events":[{"id":"1","event":"message","data":"Hello"}],"next":"1"}
//! ```
//!
//! Next a client that goes on after event 1, sends a ping with `hi` and then a close with the code 1000
//! (here with a mask of zeros). It gets the pong, 0x8A, and a close with the same code, 0x88:
//!
//! ```console
//! $ printf 'GET /topics/demo?since=1 HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n'\
//! 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n'\
//! '\211\202\000\000\000\000hi\210\202\000\000\000\000\003\350' | nc -q 1 127.0.0.1 8080 | cat -v
//! HTTP/1.1 101 Switching Protocols^M
//! Upgrade: websocket^M
//! Connection: Upgrade^M
//! Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=^M
//! ^M
//! M-^A^L{"next":"1"}M-^J^BhiM-^H^B^CM-h
//! ```
//!
//! In a browser's console, on any page, type this, and publish with `curl -d`:
//! `new WebSocket("ws://127.0.0.1:8080/topics/demo").onmessage = message => console.log(message.data)`
//!
//! **Break it:** "on any page" is what breaks. The browser says in `Origin` whose script it is that
//! asks, and lets any of them ask; only the server can refuse. So a page that you happen to visit reads
//! the topic of a server that listens on your own machine only:
//!
//! ```console
//! $ printf 'GET /topics/demo?since=0 HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n'\
//! 'Origin: https://evil.example\r\n'\
//! 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n' | nc -q 1 127.0.0.1 8080 | cat -v
//! HTTP/1.1 101 Switching Protocols^M
//! Upgrade: websocket^M
//! Connection: Upgrade^M
//! Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=^M
//! ^M
//! M-^A^L{"next":"0"}M-^A+{"id":"1","event":"message","data":"Hello"}
//! ```
//!
//! Left out: fragmented messages and binary ones (closed with 1003), the answer 426 to another version,
//! the check that a length takes no more bytes than it needs (RFC 6455 §5.2) and that a peer's close
//! code is a valid one.

use std::collections::{HashMap, VecDeque};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use base64::prelude::{BASE64_STANDARD, Engine};
use httparse::Status;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use sha1::{Digest, Sha1};

const LISTENER: Token = Token(0);
const TICK: Duration = Duration::from_millis(100);
const TEXT: &str = "text/plain";
const JSON: &str = "application/json";
const STREAM: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n\r\n";
const TOPIC: &str = "/topics/demo";
const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; // RFC 6455 §1.3
// A frame's first byte: FIN, three reserved bits, the opcode.
const WHOLE_TEXT: u8 = 0x81;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8A;
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
    /// An event stream that has got everything up to `since`.
    Streaming { since: usize },
    /// Frames both ways; the client has got everything up to `since`.
    WebSocket { since: usize },
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
    fn follow(&mut self, topic: &mut Vec<String>) -> bool {
        match self.following {
            Some(Following::Waiting { since, until }) if topic.len() > since || until <= Instant::now() => {
                self.following = None;
                self.respond("200 OK", JSON, page(topic, since));
            }
            Some(Following::Streaming { since }) => {
                self.inbox.clear(); // this answer never ends, so there is no next request
                for (before, data) in topic.iter().enumerate().skip(since) {
                    self.outbox.extend(block(before + 1, data).as_bytes());
                }
                self.following = Some(Following::Streaming { since: topic.len() });
            }
            Some(Following::WebSocket { since }) => {
                let received = self.receive(topic);
                for (before, data) in topic.iter().enumerate().skip(since) {
                    self.send(WHOLE_TEXT, event(before + 1, data).as_bytes());
                }
                self.following = Some(Following::WebSocket { since: topic.len() });
                if let Err(code) = received {
                    self.send(CLOSE, &code.to_be_bytes());
                    self.ended = true;
                }
                if self.ended {
                    self.inbox.clear();
                    self.following = None; // and its turn ends with the last byte of the outbox
                }
            }
            _ => {}
        }
        self.following.is_none()
    }

    /// Takes the client's frames. The error is the code to close with (RFC 6455 §7.4.1).
    fn receive(&mut self, topic: &mut Vec<String>) -> Result<(), u16> {
        while let Some((first, payload)) = frame(&mut self.inbox)? {
            match (first, &payload[..]) {
                (WHOLE_TEXT, _) => publish(topic, String::from_utf8(payload).map_err(|_| 1007u16)?),
                (PING, _) => self.send(PONG, &payload),
                (PONG, _) => {}
                (CLOSE, []) => return Err(1000),
                (CLOSE, &[high, low, ..]) => return Err(u16::from_be_bytes([high, low])),
                (0x00..=0x02 | 0x80 | 0x82, _) => return Err(1003), // fragments, and binary
                _ => return Err(1002),
            }
        }
        Ok(())
    }

    /// A frame to the client: not masked.
    fn send(&mut self, first: u8, payload: &[u8]) {
        self.outbox.push_back(first);
        match payload.len() {
            length @ ..126 => self.outbox.push_back(length as u8),
            length @ ..0x1_0000 => self.outbox.extend([126, (length >> 8) as u8, length as u8]),
            length => {
                self.outbox.push_back(127);
                self.outbox.extend((length as u64).to_be_bytes());
            }
        }
        self.outbox.extend(payload);
    }

    fn route(&mut self, request: Request, topic: &mut Vec<String>) {
        let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
        match (request.method.as_str(), path) {
            ("GET", TOPIC) => {
                let wait = number(query, "wait");
                let streams = request.field("accept").contains("text/event-stream");
                let upgrades = request.field("upgrade").eq_ignore_ascii_case("websocket");
                let start = if wait.is_some() || streams || upgrades { topic.len() } else { 0 };
                let since = request.field("last-event-id").parse().ok().or(number(query, "since"));
                let since = since.unwrap_or(start);
                if upgrades {
                    self.upgrade(&request, since);
                } else if streams {
                    self.outbox.extend(format!("{STREAM}retry: 2000\nid: {since}\n\n").as_bytes());
                    self.following = Some(Following::Streaming { since });
                } else {
                    let wait = Duration::from_secs(wait.unwrap_or(0).min(60) as u64);
                    self.following = Some(Following::Waiting { since, until: Instant::now() + wait });
                }
            }
            ("POST", TOPIC) => {
                let Ok(data) = String::from_utf8(request.body) else {
                    return self.respond(BAD, TEXT, "data is UTF-8\n");
                };
                publish(topic, data);
                self.respond("201 Created", JSON, format!("{{\"id\":\"{}\"}}\n", topic.len()));
            }
            _ => self.respond("404 Not Found", TEXT, "nothing here\n"),
        }
    }

    /// The opening handshake (RFC 6455 §4.2).
    fn upgrade(&mut self, request: &Request, since: usize) {
        let key = request.field("sec-websocket-key");
        let is_nonce = BASE64_STANDARD.decode(key).is_ok_and(|nonce| nonce.len() == 16);
        let asks = request.field("connection").to_ascii_lowercase().contains("upgrade");
        if !is_nonce || !asks || request.field("sec-websocket-version") != "13" {
            return self.respond(BAD, TEXT, "no handshake of RFC 6455\n");
        }
        let accept = BASE64_STANDARD.encode(Sha1::digest(format!("{key}{GUID}")));
        self.outbox.extend(format!("{SWITCH}Sec-WebSocket-Accept: {accept}\r\n\r\n").as_bytes());
        self.send(WHOLE_TEXT, format!("{{\"next\":\"{since}\"}}").as_bytes());
        self.following = Some(Following::WebSocket { since });
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

/// Takes the first frame out of the inbox: its first byte, and its payload unmasked (RFC 6455 §5.2).
fn frame(inbox: &mut Vec<u8>) -> Result<Option<(u8, Vec<u8>)>, u16> {
    let [first, second, ref rest @ ..] = inbox[..] else { return Ok(None) };
    let (extended, short) = match second & 0x7f {
        126 => (2, 0),
        127 => (8, 0),
        length => (0, length as usize),
    };
    if second & 0x80 == 0 || first & 0x08 != 0 && extended > 0 {
        return Err(1002); // a client masks (§5.1); a control frame has at most 125 bytes (§5.5)
    }
    let Some((length, rest)) = rest.split_at_checked(extended) else { return Ok(None) };
    let length = length.iter().fold(short, |length, &byte| length << 8 | byte as usize);
    let Some((mask, rest)) = rest.split_first_chunk::<4>() else { return Ok(None) };
    let Some((payload, rest)) = rest.split_at_checked(length) else { return Ok(None) };
    let payload = payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
    *inbox = rest.to_vec();
    Ok(Some((first, payload)))
}

/// Either line end would break a `data` line of an event stream, so an event keeps neither.
fn publish(topic: &mut Vec<String>, data: String) {
    topic.push(data.replace("\r\n", "\n").replace('\r', "\n"));
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

/// An event in an event stream: a `data` line for each of its lines, and an empty line to end it.
fn block(id: usize, data: &str) -> String {
    let lines: String = data.split('\n').map(|line| format!("data: {line}\n")).collect();
    format!("id: {id}\n{lines}\n")
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
