//! The bare program: a server without a protocol. It polls, reads and writes, and nothing else.
//!
//! - [`CeilingKind::Echo`] writes back what it reads.
//! - [`CeilingKind::FanOut`] treats a connection whose first byte is `F` as a follower, and one
//!   whose first byte is `P` or `A` as the publisher. It writes everything after the publisher's
//!   first byte to each follower, with one `write` per follower, and ignores everything else that a
//!   follower sends. After each read from a publisher of the kind `A` it answers it with one byte.
//!
//! No server can do the same work with fewer system calls. Its work per second of CPU time is
//! therefore the ceiling with which a server is compared.

use std::io::{self, ErrorKind, Read, Write};
use std::mem;

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

/// The workload of the bare program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CeilingKind {
    Echo,
    FanOut,
}

impl CeilingKind {
    /// Returns the kind that is called `name` on the command line.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Echo, Self::FanOut].into_iter().find(|kind| kind.name() == name)
    }

    /// Returns the name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::FanOut => "fan-out",
        }
    }
}

const LISTENER: Token = Token(usize::MAX);

/// The size of the read buffer, which all connections share.
const BUFFER: usize = 256 * 1024;

struct Peer {
    stream: TcpStream,
    role: Role,
    /// The bytes that the socket did not accept; almost always empty.
    pending: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// No byte has arrived.
    Unknown,
    Follower,
    Publisher {
        is_answered: bool,
    },
}

/// The bare program with its listener.
pub struct Ceiling {
    kind: CeilingKind,
    listener: TcpListener,
    poll: Poll,
    /// Every connection so far, indexed by its token; `None` once it is closed. No token is used
    /// twice, so a late readiness event never reaches another connection.
    peers: Vec<Option<Peer>>,
    /// The tokens of the followers. A closed one is removed at the next event.
    followers: Vec<usize>,
}

impl Ceiling {
    /// Returns a program that accepts connections from a non-blocking listener.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn new(kind: CeilingKind, listener: std::net::TcpListener) -> io::Result<Self> {
        let poll = Poll::new()?;
        let mut listener = TcpListener::from_std(listener);
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        Ok(Self { kind, listener, poll, peers: Vec::new(), followers: Vec::new() })
    }

    /// Runs until the poll or the listener fails.
    ///
    /// # Errors
    /// Those of the poll and of the listener. An error on a connection closes only that connection.
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
                    Token(id) => {
                        self.handle_peer(id, event.is_read_closed() || event.is_error(), &mut buffer);
                    }
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
            self.peers.push(Some(Peer { stream, role: Role::Unknown, pending: Vec::new() }));
        }
    }

    /// Writes what is pending on a ready connection, and handles what has arrived.
    fn handle_peer(&mut self, id: usize, is_at_end: bool, buffer: &mut [u8]) {
        loop {
            let Some(peer) = self.peers.get_mut(id).and_then(Option::as_mut) else { return };
            if !peer.pending.is_empty() && !peer.flush() {
                self.peers[id] = None;
                return;
            }
            let length = match peer.stream.read(buffer) {
                Ok(length) if length > 0 => length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Ok(_) | Err(_) => {
                    self.peers[id] = None;
                    return;
                }
            };
            let bytes = &buffer[..length];
            match self.kind {
                CeilingKind::Echo => {
                    if !peer.write(bytes) {
                        self.peers[id] = None;
                        return;
                    }
                }
                CeilingKind::FanOut => self.fan_out(id, bytes),
            }
            // A read that does not fill the buffer has emptied the socket (epoll(7)).
            if length < buffer.len() && !is_at_end {
                return;
            }
        }
    }

    fn fan_out(&mut self, id: usize, mut bytes: &[u8]) {
        let Some(peer) = &mut self.peers[id] else { return };
        if peer.role == Role::Unknown {
            peer.role = match bytes[0] {
                first @ (b'P' | b'A') => Role::Publisher { is_answered: first == b'A' },
                _ => Role::Follower,
            };
            bytes = &bytes[1..];
            if peer.role == Role::Follower {
                self.followers.push(id);
            }
        }
        if let Role::Publisher { is_answered } = peer.role
            && !bytes.is_empty()
        {
            let peers = &mut self.peers;
            self.followers.retain(|follower| {
                let slot = &mut peers[*follower];
                let is_open = slot.as_mut().is_some_and(|peer| peer.write(bytes));
                if !is_open {
                    *slot = None;
                }
                is_open
            });
            if is_answered && !self.peers[id].as_mut().is_some_and(|peer| peer.write(b".")) {
                self.peers[id] = None;
            }
        }
    }
}

impl Peer {
    /// Writes after what is pending. Returns false if the connection is broken.
    fn write(&mut self, bytes: &[u8]) -> bool {
        if !self.pending.is_empty() {
            self.pending.extend_from_slice(bytes);
            return true;
        }
        match self.stream.write(bytes) {
            Ok(length) => {
                self.pending.extend_from_slice(&bytes[length..]);
                true
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                self.pending.extend_from_slice(bytes);
                true
            }
            Err(_) => false,
        }
    }

    fn flush(&mut self) -> bool {
        let pending = mem::take(&mut self.pending);
        self.write(&pending)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{SocketAddr, TcpStream};
    use std::thread;
    use std::time::Duration;

    fn start(kind: CeilingKind) -> SocketAddr {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("a non-blocking listener");
        let address = listener.local_addr().expect("a bound listener");
        // The thread ends with the test process.
        thread::spawn(move || Ceiling::new(kind, listener).and_then(Ceiling::run));
        address
    }

    fn connect(address: SocketAddr, first: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(address).expect("the program listens");
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a read timeout");
        stream.write_all(first).expect("the program reads");
        stream
    }

    fn read(stream: &mut TcpStream, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        stream.read_exact(&mut bytes).expect("that many bytes arrive");
        bytes
    }

    #[test]
    fn echo_returns_any_number_of_bytes() {
        let address = start(CeilingKind::Echo);
        let mut stream = connect(address, b"hello");
        assert_eq!(read(&mut stream, 5), b"hello");
        // More than the socket buffers hold, so the program must write while the client still
        // sends.
        let bytes: Vec<u8> = (0..=255).cycle().take(16 << 20).collect();
        let mut writer = stream.try_clone().expect("a second handle");
        let sent = bytes.clone();
        let writing = thread::spawn(move || writer.write_all(&sent).expect("the program reads"));
        assert!(read(&mut stream, bytes.len()) == bytes, "other bytes returned");
        writing.join().expect("everything is written");
    }

    #[test]
    fn a_publisher_that_asks_for_answers_gets_one_for_each_piece() {
        let mut publisher = connect(start(CeilingKind::FanOut), b"A");
        for _ in 0..3 {
            publisher.write_all(b"event").expect("the program reads");
            assert_eq!(read(&mut publisher, 1), b".");
        }
    }

    #[test]
    fn each_follower_receives_what_the_publisher_sends() {
        let address = start(CeilingKind::FanOut);
        let mut followers: Vec<_> = (0..3).map(|_| connect(address, b"F")).collect();
        let mut publisher = connect(address, b"P");
        // A connection is a follower once its first byte is read. The publisher sends dots until
        // each follower has received one.
        for follower in &mut followers {
            follower.set_nonblocking(true).expect("a non-blocking socket");
            let mut byte = [0];
            while follower.read(&mut byte).is_err() {
                publisher.write_all(b".").expect("the program reads");
                thread::yield_now();
            }
            follower.set_nonblocking(false).expect("a blocking socket");
        }
        drop(followers.pop());
        publisher.write_all(b"event\n").expect("the program reads");
        for follower in &mut followers {
            let mut line = Vec::new();
            while line.last() != Some(&b'\n') {
                line.extend(read(follower, 1));
            }
            assert!(line.ends_with(b".event\n") || line == b"event\n", "{line:?}");
        }
    }
}
