//! 7. WebSocket frames: messages in both directions on one connection.
//!
//! New since `06_websocket_handshake`: frames follow the handshake. A frame has two bytes for its
//! type and its length, more bytes if it is long, a mask if it is a client's, and the payload.
//! `take_frame` reads one, with the outcomes of `Request::take`. Text messages are published.
//!
//! Start the server in one terminal. `… 07_websocket_frames -- 8090` selects the ports 8090 and
//! 8091. If one is taken, the server prints `cannot listen` and why, and exits with status 1.
//!
//! ```console
//! $ cargo run --example 07_websocket_frames
//! listening on http://127.0.0.1:8080
//! attack page: http://127.0.0.1:8081/attack#8080
//! ```
//!
//! In another, send a handshake, the masked "Hello" of RFC 6455 §5.7, a ping and a close frame.
//! `M-^A` is text, `M-^J` a pong, `M-^H` a close frame. `nc` is OpenBSD's, as on macOS and Debian;
//! without it, type `curl -s -m 1 telnet://127.0.0.1:8080` instead of `nc -w 1 127.0.0.1 8080`.
//!
//! ```console
//! $ printf 'GET /topics/demo HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n'\
//! 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n\201\205\067\372\041\075\177\237\115\121\130'\
//! '\211\202\000\000\000\000hi\210\202\000\000\000\000\003\350' | nc -w 1 127.0.0.1 8080 | cat -v
//! HTTP/1.1 101 Switching Protocols^M
//! Upgrade: websocket^M
//! Connection: Upgrade^M
//! Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=^M
//! ^M
//! M-^A^L{"next":"0"}M-^J^BhiM-^A+{"id":"1","event":"message","data":"Hello"}M-^H^B^CM-h
//! $ curl http://127.0.0.1:8080/topics/demo
//! {"events":[{"id":"1","event":"message","data":"Hello"}],"next":"1"}
//! ```
//!
//! With `-- 8080 any-origin`, as in `06_websocket_handshake`, the attack page reads the topic, too.
//!
//! **Break it:** send 200,000 pings at once, and type the `curl` above meanwhile:
//!
//! ```text
//! $ (printf 'GET /topics/demo HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n'
//!   printf 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n'
//!   yes "$(printf '\211\200abc')" | head -c 1200000) | nc 127.0.0.1 8080 >/dev/null &
//! ```
//!
//! `take_frame` copies the rest of the inbox for each frame, so `curl` waits for many seconds.

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
const OTHER_ORIGIN: Token = Token(1);
/// The longest time between two checks of the deadlines.
const TICK: Duration = Duration::from_millis(100);
const TEXT: &str = "text/plain";
const JSON: &str = "application/json";
const HTML: &str = "text/html";
/// A page whose console connects to this server. Chromium wants `allow pasting` before a paste.
const PAGE: &str = "<!doctype html><title>barewire</title>Open the console here, and type the line.\n";
const STREAM_HEAD: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n\r\n";
/// A page that tries to read the topic of another origin, on the port after `#` in its URL.
const ATTACK: &str = r#"<!doctype html><title>attack</title><body><script>
const print = text => document.body.append(text, document.createElement("br"))
const socket = new WebSocket("ws://127.0.0.1:" + location.hash.slice(1) + "/topics/demo?since=0")
print(location.origin + " connects to " + socket.url)
socket.onopen = () => print("accepted")
socket.onmessage = message => print(message.data)
socket.onclose = close => print("closed with code " + close.code)
</script>
"#;
const SWITCHING_HEAD: &str =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; // RFC 6455 §1.3
// The first byte of a frame: FIN (1 bit), three reserved bits, the opcode (4 bits).
const TEXT_FRAME: u8 = 0x81;
const CLOSE_FRAME: u8 = 0x88;
const PING_FRAME: u8 = 0x89;
const PONG_FRAME: u8 = 0x8A;
const TOPIC: &str = "/topics/demo";
const BAD_REQUEST: &str = "400 Bad Request";

fn main() -> io::Result<()> {
    let port = std::env::args().nth(1).unwrap_or("8080".into());
    let mut listener = listen(&port);
    let address = listener.local_addr()?;
    // The same server on another port: another origin.
    let next_port = if port == "0" { 0 } else { address.port().wrapping_add(1) };
    let mut other_origin = listen(&next_port.to_string());
    let mut poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    poll.registry().register(&mut other_origin, OTHER_ORIGIN, Interest::READABLE)?;
    println!("listening on http://{address}");
    println!("attack page: http://{}/attack#{}", other_origin.local_addr()?, address.port());

    let mut clients: HashMap<Token, Client> = HashMap::new();
    let mut topic = Vec::new(); // every event since the start, without a bound
    let mut last_token = OTHER_ORIGIN;
    let mut events = Events::with_capacity(256);
    loop {
        match poll.poll(&mut events, Some(TICK)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue, // after Ctrl-Z and `fg`
            outcome => outcome?,
        }
        for event in &events {
            if [LISTENER, OTHER_ORIGIN].contains(&event.token()) {
                let listener = if event.token() == LISTENER { &listener } else { &other_origin };
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
    /// A WebSocket. Every event up to `since` is already in the outbox or sent.
    WebSocket { since: usize },
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
    fn deliver(&mut self, topic: &mut Vec<String>) -> bool {
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
            Some(Following::WebSocket { since }) => {
                let received = self.receive(topic);
                for (index, data) in topic.iter().enumerate().skip(since) {
                    self.send(TEXT_FRAME, json_event(index + 1, data).as_bytes());
                }
                self.following = Some(Following::WebSocket { since: topic.len() });
                if let Err(code) = received {
                    self.send(CLOSE_FRAME, &code.to_be_bytes());
                    self.done_reading = true;
                }
                if self.done_reading {
                    self.inbox.clear();
                    self.following = None; // the client is removed once its outbox is empty
                }
            }
            _ => {}
        }
        self.following.is_none()
    }

    /// Handles the frames in the inbox. An error is the code to close with (RFC 6455 §7.4.1).
    fn receive(&mut self, topic: &mut Vec<String>) -> Result<(), u16> {
        while let Some((first, payload)) = take_frame(&mut self.inbox)? {
            match (first, &payload[..]) {
                (TEXT_FRAME, _) => publish(topic, String::from_utf8(payload).map_err(|_| 1007u16)?),
                (PING_FRAME, _) => self.send(PONG_FRAME, &payload),
                (PONG_FRAME, _) => {}
                (CLOSE_FRAME, []) => return Err(1000),
                (CLOSE_FRAME, &[high, low, ..]) => return Err(u16::from_be_bytes([high, low])),
                (0x00..=0x02 | 0x80 | 0x82, _) => return Err(1003), // fragmented or binary
                _ => return Err(1002),
            }
        }
        Ok(())
    }

    /// Queues a frame. A server does not mask its frames (RFC 6455 §5.1).
    fn send(&mut self, first: u8, payload: &[u8]) {
        match payload.len() {
            length @ ..126 => self.outbox.extend([first, length as u8]),
            length @ ..0x1_0000 => self.outbox.extend([first, 126, (length >> 8) as u8, length as u8]),
            length => {
                self.outbox.extend([first, 127]);
                self.outbox.extend((length as u64).to_be_bytes());
            }
        }
        self.outbox.extend(payload);
    }

    fn route(&mut self, request: Request, topic: &mut Vec<String>) {
        let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
        match (request.method.as_str(), path) {
            ("GET", "/") => self.respond("200 OK", HTML, PAGE),
            ("GET", "/attack") => self.respond("200 OK", HTML, ATTACK),
            ("GET", TOPIC) => {
                let wait = query_number(query, "wait");
                let wants_stream = request.field("accept").contains("text/event-stream");
                let wants_upgrade = request.field("upgrade").eq_ignore_ascii_case("websocket");
                // Without a position, a client that waits receives only the events after its
                // request.
                let start = if wait.is_some() || wants_stream || wants_upgrade { topic.len() } else { 0 };
                let since = request.field("last-event-id").parse().ok().or(query_number(query, "since"));
                let since = since.unwrap_or(start);
                if wants_upgrade {
                    self.upgrade(&request, since);
                } else if wants_stream {
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

    /// Completes the opening handshake (RFC 6455 §4.2), or refuses it.
    fn upgrade(&mut self, request: &Request, since: usize) {
        let key = request.field("sec-websocket-key");
        let is_valid_key = BASE64_STANDARD.decode(key).is_ok_and(|nonce| nonce.len() == 16);
        let wants_upgrade = request.field("connection").to_ascii_lowercase().contains("upgrade");
        if !is_valid_key || !wants_upgrade || request.field("sec-websocket-version") != "13" {
            return self.respond(BAD_REQUEST, TEXT, "not a WebSocket handshake of version 13\n");
        }
        if !self.allows_origin(request.field("origin")) {
            return self.respond("403 Forbidden", TEXT, "pages of this origin may not connect\n");
        }
        let accept = BASE64_STANDARD.encode(Sha1::digest(format!("{key}{GUID}")));
        self.outbox.extend(format!("{SWITCHING_HEAD}Sec-WebSocket-Accept: {accept}\r\n\r\n").as_bytes());
        self.send(TEXT_FRAME, format!("{{\"next\":\"{since}\"}}").as_bytes());
        self.following = Some(Following::WebSocket { since });
    }

    /// Returns true if pages of this origin may connect. Clients that are not browsers have none.
    ///
    /// A browser opens a WebSocket from any page to any server, and lets the page read what
    /// arrives: CORS does not apply. The browser adds the server's cookies, as far as `SameSite`
    /// allows it, and the page's origin in `Origin`, which the page cannot change. The decision is
    /// the server's: if it does not check, every page that a user visits can act as that user. This
    /// is cross-site WebSocket hijacking. Another port is another origin of the same site, so
    /// `SameSite` would not help here. (A page may also send a POST, but the browser does not let
    /// it read the response.)
    ///
    /// This server has no cookies. A page would get what only this machine can reach. Chromium
    /// since version 147 connects a public page to a private or loopback address only if its user
    /// agrees. The attack page is on loopback itself, so that does not stop it: a server needs this
    /// check.
    ///
    /// The origin is compared with the address of the socket. `Host` would prove nothing: a site of
    /// an attacker, whose name resolves to 127.0.0.1, is in both fields (DNS rebinding). A page
    /// from `localhost` has another origin, too.
    fn allows_origin(&self, origin: &str) -> bool {
        let is_own = |own: SocketAddr| origin == format!("http://{own}");
        let is_check_off = std::env::args().nth(2).is_some_and(|argument| argument == "any-origin");
        origin.is_empty() || is_check_off || self.stream.local_addr().is_ok_and(is_own)
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

/// Removes the first frame from the inbox (RFC 6455 §5.2). Returns its first byte and its unmasked
/// payload, `None` if the frame is incomplete, or the code to close with. Left out: fragmented and
/// binary messages, the check that a length uses as few bytes as possible, and that of close codes.
fn take_frame(inbox: &mut Vec<u8>) -> Result<Option<(u8, Vec<u8>)>, u16> {
    let [first, second, ref rest @ ..] = inbox[..] else { return Ok(None) };
    let (extended, short) = match second & 0x7f {
        126 => (2, 0),
        127 => (8, 0),
        length => (0, length as usize),
    };
    if second & 0x80 == 0 || first & 0x08 != 0 && extended > 0 {
        return Err(1002); // not masked (§5.1), or a control frame of more than 125 bytes (§5.5)
    }
    let Some((length, rest)) = rest.split_at_checked(extended) else { return Ok(None) };
    let length = length.iter().fold(short, |length, &byte| length << 8 | byte as usize);
    let Some((mask, rest)) = rest.split_first_chunk::<4>() else { return Ok(None) };
    let Some((payload, rest)) = rest.split_at_checked(length) else { return Ok(None) };
    let payload = payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
    *inbox = rest.to_vec();
    Ok(Some((first, payload)))
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
