//! 1. TCP echo: one thread, many connections, and no read or write that blocks.
//!
//! Each of the seven bare examples adds one idea to the previous one, so the second lesson is the
//! output of `diff examples/0[12]*`. This first example is the part that stays the same: an event
//! loop around non-blocking sockets. On such a socket, a call that would have to wait fails with
//! `WouldBlock` instead. The poll (epoll on Linux, kqueue on macOS) sleeps until sockets become
//! ready, and then lists them, so one thread can serve all clients.
//!
//! Start the server in one terminal. The port is an argument, here 8080: `cargo run --example
//! 01_tcp_echo -- 8090` listens on port 8090. If the port is taken, the server prints `cannot
//! listen` and the reason, and exits with status 1.
//!
//! ```console
//! $ cargo run --example 01_tcp_echo
//! listening on 127.0.0.1:8080
//! ```
//!
//! Type this in another. `nc` is OpenBSD's netcat, the one of macOS and of Debian's netcat-openbsd;
//! `-w 1` ends it after one second of silence. On a machine without it, curl sends plain bytes too:
//!
//! ```console
//! $ printf 'hello\n' | nc -w 1 127.0.0.1 8080
//! hello
//! $ printf 'one\ntwo\n' | curl -s -m 1 telnet://127.0.0.1:8080
//! one
//! two
//! ```
//!
//! To type line by line, run `nc 127.0.0.1 8080`; several clients can be open at once.
//!
//! **Break it:** send data, and never read the echo. Here `sleep` does not read from its pipe, so
//! `nc` stops reading the echo once the pipe is full:
//!
//! ```text
//! $ head -c 200000000 /dev/zero | nc 127.0.0.1 8080 | sleep 30 &
//! $ ps -axo rss,comm | grep 01_tcp_ech
//! ```
//!
//! The server's memory grows from 2 MB to more than 200 MB, all that was sent (`ps` reports KiB).
//! The echo is not read, so it stays in the outbox, and nothing slows the sender down. A better
//! server would stop reading from a client whose outbox is full; TCP flow control would then make
//! the client wait. Here, any client decides how much memory the server uses.

use std::collections::{HashMap, VecDeque};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

const LISTENER: Token = Token(0);

fn main() -> io::Result<()> {
    let mut listener = listen(&std::env::args().nth(1).unwrap_or("8080".into()));
    let mut poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    println!("listening on {}", listener.local_addr()?);

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
    /// Nothing more is read: the peer has sent its last byte.
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

    /// Moves everything from the inbox to the outbox: this is the echo.
    fn handle_input(&mut self) {
        self.outbox.extend(self.inbox.drain(..));
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
