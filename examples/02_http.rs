//! 2. HTTP: the same bytes, now with a grammar.
//!
//! New since `01_tcp_echo`: the server parses the inbox instead of copying it. `Request::take` has
//! three outcomes: a complete request, a request that is still incomplete, or bytes that can never
//! become a request. Incomplete is not an error, because TCP may split data anywhere: the parser
//! tries again when more bytes arrive. One read may return several requests (pipelining, RFC 9112
//! §9.3.2), so `handle_input` is a loop.
//!
//! Start the server in one terminal. `… 02_http -- 8090` selects another port than 8080. If it is
//! taken, the server prints `cannot listen` and the reason, and exits with status 1.
//!
//! ```console
//! $ cargo run --example 02_http
//! listening on http://127.0.0.1:8080
//! ```
//!
//! Type this in another. `nc` is OpenBSD's netcat, as on macOS and Debian. On a machine without it,
//! type `curl -s -m 1 telnet://127.0.0.1:8080` instead of `nc -w 1 127.0.0.1 8080`.
//!
//! ```console
//! $ curl -d 'hello' http://127.0.0.1:8080/
//! hello
//! $ printf 'GET /a HTTP/1.1\r\nHost: a\r\n\r\nHow do you do?\r\n\r\n' | nc -w 1 127.0.0.1 8080
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
//! **Break it:** start a request head, and never finish it.
//!
//! ```text
//! $ (printf 'GET / HTTP/1.1\r\nX: '; head -c 20000000 /dev/zero | tr '\0' x) | nc 127.0.0.1 8080 &
//! $ ps -axo rss,time,comm | grep 02_http
//! ```
//!
//! The server keeps the whole head for as long as the client stays, without a limit or a deadline.
//! It parses the head again from its first byte each time more bytes arrive, so a head of twice the
//! size costs four times the work. Send 40 MB, watch the CPU time, and run `curl` meanwhile.

use std::collections::{HashMap, VecDeque};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};

use httparse::Status;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

const LISTENER: Token = Token(0);
const TEXT: &str = "text/plain";
const BAD_REQUEST: &str = "400 Bad Request";

fn main() -> io::Result<()> {
    let mut listener = listen(&std::env::args().nth(1).unwrap_or("8080".into()));
    let mut poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    println!("listening on http://{}", listener.local_addr()?);

    let mut clients: HashMap<Token, Client> = HashMap::new();
    let mut last_token = LISTENER;
    let mut events = Events::with_capacity(256);
    loop {
        match poll.poll(&mut events, None) {
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
                && !client.process().unwrap_or(false)
            {
                clients.remove(&event.token()); // dropping the client closes its socket
            }
        }
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
}

impl Client {
    fn new(stream: TcpStream) -> Client {
        Client { stream, inbox: Vec::new(), outbox: VecDeque::new(), done_reading: false }
    }

    /// Reads, processes and writes as much as possible. Returns whether the client stays connected.
    fn process(&mut self) -> io::Result<bool> {
        self.read()?;
        self.handle_input();
        self.flush()?;
        Ok(!self.done_reading || !self.outbox.is_empty())
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
    fn handle_input(&mut self) {
        while let Some(request) = Request::take(&mut self.inbox).transpose() {
            // The client may ask to close (RFC 9112 §9.6). After an invalid request the server has
            // to close, because it cannot tell where the next request begins.
            let connection = request.as_ref().map_or("close", |request| request.field("connection"));
            let is_last = connection.eq_ignore_ascii_case("close");
            match request {
                Ok(request) => self.route(request),
                Err(status) => self.respond(status, TEXT, format!("{status}\n")),
            }
            if is_last {
                self.done_reading = true;
                self.inbox.clear();
            }
        }
    }

    fn route(&mut self, request: Request) {
        match (request.method.as_str(), request.target.as_str()) {
            ("GET", "/") => self.respond("200 OK", TEXT, "POST a body to get it back\n"),
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
