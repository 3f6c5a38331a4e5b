//! 2. HTTP: the same bytes, with a grammar.
//!
//! New against `01_tcp_echo`: between `read` and `flush` the inbox is no longer passed on as it is, but
//! understood. `Request::take` has three outcomes, not two: a whole request, not yet a whole one, and
//! what can never become one. The second is no error: TCP cuts where it likes, so the parser is asked
//! again when more has come. httparse reads the head; `Content-Length` says where the body ends (RFC
//! 9112 §6.3).
//!
//! Several requests may come on one connection, even in one piece (pipelining, RFC 9112 §9.3.2), so
//! `answer` is a loop, and the answers go out in the order of the requests.
//!
//! Start it in one terminal:
//!
//! ```console
//! $ cargo run --example 02_http
//! listening on http://127.0.0.1:8080
//! ```
//!
//! and type in another:
//!
//! ```console
//! $ printf 'GET / HTTP/1.1\r\nHost: a\r\n\r\n' | nc -q 1 127.0.0.1 8080
//! HTTP/1.1 200 OK
//! Content-Type: text/plain
//! Content-Length: 23
//!
//! POST, and I say it too
//! $ curl -d 'hello' http://127.0.0.1:8080/
//! hello
//! $ printf 'GET /a HTTP/1.1\r\nHost: a\r\n\r\nHow do you do?\r\n\r\n' | nc -q 1 127.0.0.1 8080
//! HTTP/1.1 404 Not Found
//! Content-Type: text/plain
//! Content-Length: 13
//!
//! nothing here
//! HTTP/1.1 400 Bad Request
//! Content-Type: text/plain
//! Content-Length: 16
//!
//! 400 Bad Request
//! ```
//!
//! The last one sends two in one piece: a request, and something that is none. After that nobody can
//! know where the next request begins, so the connection ends.
//!
//! **Break it:** begin a head, and never end it.
//!
//! ```text
//! $ (printf 'GET / HTTP/1.1\r\nX: '; head -c 20M /dev/zero | tr '\0' x) | nc 127.0.0.1 8080 &
//! $ ps -o rss,time,comm -C 02_http
//! ```
//!
//! It is neither answered nor refused. The inbox keeps it all, for as long as the client likes to stay:
//! there is no limit and no deadline. And whenever more has come, the head is parsed again from its
//! first byte, so twice the head is four times the work: try 40M, look at the CPU time, and at a `curl`
//! meanwhile. The cheap form is called Slowloris: a few bytes of a head now and then, on many
//! connections.
//!
//! Left out: chunked bodies (answered 501, RFC 9112 §6.1), several fields of one name (the last
//! counts), a missing `Host`, `HEAD`, `Expect: 100-continue`, HTTP/1.0, `Date`.

use std::collections::{HashMap, VecDeque};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};

use httparse::Status;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

const LISTENER: Token = Token(0);
const TEXT: &str = "text/plain";
const BAD: &str = "400 Bad Request";

fn main() -> io::Result<()> {
    let port = std::env::args().nth(1).unwrap_or("8080".into()).parse().map_err(io::Error::other)?;
    let mut listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    let mut poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    println!("listening on http://{}", listener.local_addr()?);

    let mut clients: HashMap<Token, Client> = HashMap::new();
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
                && !client.turn().unwrap_or(false)
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
    fn turn(&mut self) -> io::Result<bool> {
        self.read()?;
        self.answer();
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
    fn answer(&mut self) {
        while let Some(request) = Request::take(&mut self.inbox).transpose() {
            // RFC 9112 §9.6; and after what is no request, nobody knows where the next one begins.
            let is_last =
                request.as_ref().map_or("close", |it| it.field("connection")).eq_ignore_ascii_case("close");
            match request {
                Ok(request) => self.route(request),
                Err(status) => self.respond(status, TEXT, format!("{status}\n")),
            }
            if is_last {
                self.ended = true;
                self.inbox.clear();
            }
        }
    }

    fn route(&mut self, request: Request) {
        match (request.method.as_str(), request.target.as_str()) {
            ("GET", "/") => self.respond("200 OK", TEXT, "POST, and I say it too\n"),
            ("POST", "/") => self.respond("200 OK", TEXT, request.body),
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
