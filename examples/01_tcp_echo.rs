//! 1. TCP echo: one thread, many connections, and nothing that blocks.
//!
//! Each of the six examples is the one before with something added: `diff examples/0[12]*` is the
//! second lesson. This first one is what stays the same: the loop around non-blocking sockets.
//!
//! A call that would have to wait returns `WouldBlock` instead, so one thread can serve all clients, if
//! somebody says which socket is worth a call. That is the poll (epoll on Linux): it sleeps until
//! sockets become ready, and names them. mio uses it edge-triggered: it tells of a change once. Hence
//! two rules: read until `WouldBlock`, and write until `WouldBlock` or until nothing is left.
//!
//! TCP is a stream of bytes, not of messages. What a client sends in one call may arrive in pieces, and
//! what is written here may be taken in part. So each client has two buffers: an *inbox* of what has
//! come and is not yet understood, and an *outbox*, its queue of what is still to be written.
//!
//! Start it in one terminal:
//!
//! ```console
//! $ cargo run --example 01_tcp_echo
//! listening on 127.0.0.1:8080
//! ```
//!
//! and type in another:
//!
//! ```console
//! $ printf 'hello\n' | nc -q 1 127.0.0.1 8080
//! hello
//! $ printf 'one\ntwo\n' | nc -q 1 127.0.0.1 8080
//! one
//! two
//! ```
//!
//! `nc 127.0.0.1 8080` alone lets you type line by line; open several at once. `-q 1` lets netcat say,
//! when its input ends, that it has sent its last byte (FIN). The other direction stays open, and the
//! echo still arrives: a half-close.
//!
//! **Break it:** write, and never read what comes back. `sleep` does that here, once the pipe is full:
//!
//! ```text
//! $ ps -o rss,comm -C 01_tcp_echo
//! $ head -c 200M /dev/zero | nc 127.0.0.1 8080 | sleep 30 &
//! $ ps -o rss,comm -C 01_tcp_echo
//! ```
//!
//! The server grows by most of what was sent: from 2 MB to 160 MB (`ps` counts in KiB). Nobody takes
//! the echo, so it stays in the outbox, and nothing slows the sender down. A server that stopped
//! reading while its outbox is full would pass the pressure back through TCP; here a stranger decides
//! about our memory.

use std::collections::{HashMap, VecDeque};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

const LISTENER: Token = Token(0);

fn main() -> io::Result<()> {
    let port = std::env::args().nth(1).unwrap_or("8080".into()).parse().map_err(io::Error::other)?;
    let mut listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    let mut poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    println!("listening on {}", listener.local_addr()?);

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
    /// Nothing more is read: the peer has sent its last byte.
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

    /// What came in goes out.
    fn answer(&mut self) {
        self.outbox.extend(self.inbox.drain(..));
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
