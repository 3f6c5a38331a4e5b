//! The bare program: what is left of a server without any protocol. It waits, it reads, it writes.
//!
//! - [`Kind::Echo`] writes back what it has read.
//! - [`Kind::FanOut`] takes a connection whose first byte is `F` for a follower, and one whose first byte is `P` for the publisher. What comes
//!   from the publisher behind that byte goes to each follower, with one `write` for each. What else a follower says is thrown away.
//!
//! No server can do the same work with less of the system, so its work for a second of CPU time is what a server's is held against.

use std::io::{self, ErrorKind, Read, Write};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

/// What it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Writes back.
    Echo,
    /// Writes to all.
    FanOut,
}

impl Kind {
    /// The one of this name: `echo` or `fan-out`.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "echo" => Some(Self::Echo),
            "fan-out" => Some(Self::FanOut),
            _ => None,
        }
    }
}

const LISTENER: Token = Token(usize::MAX);

/// One buffer reads for all.
const BUFFER: usize = 256 * 1024;

struct Peer {
    stream: TcpStream,
    role: Role,
    /// What the socket would not take; nearly always empty.
    left: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Nothing has come yet.
    Unknown,
    Follower,
    Publisher,
}

/// The program, listening.
pub struct Ceiling {
    kind: Kind,
    listener: TcpListener,
    poll: Poll,
    /// Each connection that there ever was, at the number of its token: `None` since its end. No number is given twice, so no event is
    /// ever taken for another's.
    peers: Vec<Option<Peer>>,
    /// Those of followers. One that has ended is taken out at the next event.
    followers: Vec<usize>,
}

impl Ceiling {
    /// Takes over a listener that does not block.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn new(kind: Kind, listener: std::net::TcpListener) -> io::Result<Self> {
        let poll = Poll::new()?;
        let mut listener = TcpListener::from_std(listener);
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        Ok(Self { kind, listener, poll, peers: Vec::new(), followers: Vec::new() })
    }

    /// Runs for ever.
    ///
    /// # Errors
    /// Those of the poll and of the listener. What happens on one connection ends that connection only.
    pub fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(4096);
        let mut buffer = vec![0; BUFFER];
        loop {
            match self.poll.poll(&mut events, None) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                polled => polled?,
            }
            for event in &events {
                match event.token() {
                    LISTENER => self.accept()?,
                    Token(who) => self.turn(who, event.is_read_closed() || event.is_error(), &mut buffer),
                }
            }
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            let mut stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => continue,
                Err(error) => return Err(error),
            };
            stream.set_nodelay(true)?;
            let interest = Interest::READABLE | Interest::WRITABLE;
            self.poll.registry().register(&mut stream, Token(self.peers.len()), interest)?;
            self.peers.push(Some(Peer { stream, role: Role::Unknown, left: Vec::new() }));
        }
    }

    /// One connection has something to read, or room to be written to.
    fn turn(&mut self, who: usize, is_at_end: bool, buffer: &mut [u8]) {
        loop {
            let Some(peer) = self.peers.get_mut(who).and_then(Option::as_mut) else { return };
            if !peer.left.is_empty() && !peer.flush() {
                self.peers[who] = None;
                return;
            }
            let length = match peer.stream.read(buffer) {
                Ok(length) if length > 0 => length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Ok(_) | Err(_) => {
                    self.peers[who] = None;
                    return;
                }
            };
            let bytes = &buffer[..length];
            match self.kind {
                Kind::Echo => {
                    if !peer.write(bytes) {
                        self.peers[who] = None;
                        return;
                    }
                }
                Kind::FanOut => self.fan_out(who, bytes),
            }
            // A read that does not fill the buffer has emptied the socket (epoll(7)).
            if length < buffer.len() && !is_at_end {
                return;
            }
        }
    }

    fn fan_out(&mut self, who: usize, mut bytes: &[u8]) {
        let Some(peer) = &mut self.peers[who] else { return };
        if peer.role == Role::Unknown {
            peer.role = if bytes[0] == b'P' { Role::Publisher } else { Role::Follower };
            bytes = &bytes[1..];
            if peer.role == Role::Follower {
                self.followers.push(who);
            }
        }
        if peer.role == Role::Publisher && !bytes.is_empty() {
            let peers = &mut self.peers;
            self.followers.retain(|follower| {
                let place = &mut peers[*follower];
                let is_there = place.as_mut().is_some_and(|peer| peer.write(bytes));
                if !is_there {
                    *place = None;
                }
                is_there
            });
        }
    }
}

impl Peer {
    /// Writes behind what is left; whether the connection is still there.
    fn write(&mut self, bytes: &[u8]) -> bool {
        if !self.left.is_empty() {
            self.left.extend_from_slice(bytes);
            return true;
        }
        match self.stream.write(bytes) {
            Ok(length) => {
                self.left.extend_from_slice(&bytes[length..]);
                true
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                self.left.extend_from_slice(bytes);
                true
            }
            Err(_) => false,
        }
    }

    fn flush(&mut self) -> bool {
        let left = std::mem::take(&mut self.left);
        self.write(&left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{SocketAddr, TcpStream};
    use std::thread;
    use std::time::Duration;

    fn start(kind: Kind) -> SocketAddr {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("it can");
        let address = listener.local_addr().expect("it is bound");
        // It runs as long as the test's process.
        thread::spawn(move || Ceiling::new(kind, listener).and_then(Ceiling::run));
        address
    }

    fn connect(address: SocketAddr, first: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(address).expect("it listens");
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a deadline");
        stream.write_all(first).expect("it reads");
        stream
    }

    fn read(stream: &mut TcpStream, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        stream.read_exact(&mut bytes).expect("so much comes");
        bytes
    }

    #[test]
    fn echo_gives_back_what_it_gets_however_much() {
        let address = start(Kind::Echo);
        let mut stream = connect(address, b"hello");
        assert_eq!(read(&mut stream, 5), b"hello");
        // More than any socket's buffers: it can only come back while it is read.
        let bytes: Vec<u8> = (0..=255).cycle().take(16 << 20).collect();
        let mut writer = stream.try_clone().expect("another handle");
        let sent = bytes.clone();
        let writing = thread::spawn(move || writer.write_all(&sent).expect("it reads"));
        assert!(read(&mut stream, bytes.len()) == bytes, "other bytes came back");
        writing.join().expect("all is written");
    }

    #[test]
    fn what_the_publisher_says_goes_to_each_follower() {
        let address = start(Kind::FanOut);
        let mut followers: Vec<_> = (0..3).map(|_| connect(address, b"F")).collect();
        let mut publisher = connect(address, b"P");
        // A follower is one once its first byte is read: so each is given time by what comes before.
        for follower in &mut followers {
            follower.set_nonblocking(true).expect("it can");
            let mut byte = [0];
            while follower.read(&mut byte).is_err() {
                publisher.write_all(b".").expect("it reads");
                thread::yield_now();
            }
            follower.set_nonblocking(false).expect("it can");
        }
        drop(followers.pop());
        publisher.write_all(b"event\n").expect("it reads");
        for follower in &mut followers {
            let mut line = Vec::new();
            while line.last() != Some(&b'\n') {
                line.extend(read(follower, 1));
            }
            assert!(line.ends_with(b".event\n") || line == b"event\n", "{line:?}");
        }
    }
}
