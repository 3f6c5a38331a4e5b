//! The loop that passes bytes on. It waits for sockets, and for nothing else.

use std::collections::HashMap;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::time::Duration;

use mio::net::{TcpListener, UnixStream};
use mio::{Events, Interest, Poll, Token};

use super::connection::{Connection, Turn, owner};
use super::feed::{Feed, What};

/// What is written to the stop stream when all that was told is written; anything else there is a signal.
pub const DONE: u8 = b'.';

/// Below those of the first connection's sockets, whose number is 1.
const LISTENER: Token = Token(0);
const STOP: Token = Token(1);

/// How many bytes are read at once.
const BUFFER: usize = 64 * 1024;

/// How long until a connection that could not be accepted is tried again.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// How long until it is looked whether there is room again.
const ROOM_AGAIN: Duration = Duration::from_millis(10);

/// All connections, and the loop.
pub struct Passing {
    poll: Poll,
    listener: TcpListener,
    local: SocketAddr,
    stop: UnixStream,
    to: Vec<SocketAddr>,
    /// `None` when nobody is to be told any more.
    feed: Option<Feed>,
    connections: HashMap<u64, Connection>,
    accepted: u64,
    /// Connections may wait that could not be accepted, for want of descriptors.
    owes_accepting: bool,
    buffer: Box<[u8]>,
}

impl Passing {
    /// Listens, to pass on to the first of the addresses that answers, until something can be read from `stop`.
    ///
    /// # Errors
    /// Those of the operating system: the address is in use, or not this machine's. And it would pass on to itself.
    pub fn new(
        listen: SocketAddr,
        to: Vec<SocketAddr>,
        stop: std::os::unix::net::UnixStream,
        feed: Feed,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        let mut listener = TcpListener::bind(listen)?;
        let local = listener.local_addr()?;
        if to.contains(&local) {
            return Err(io::Error::other("it would pass on to itself"));
        }
        stop.set_nonblocking(true)?;
        let mut stop = UnixStream::from_std(stop);
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        poll.registry().register(&mut stop, STOP, Interest::READABLE)?;
        Ok(Self {
            poll,
            listener,
            local,
            stop,
            to,
            feed: Some(feed),
            connections: HashMap::new(),
            accepted: 0,
            owes_accepting: false,
            buffer: vec![0; BUFFER].into(),
        })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Passes on until a signal comes; then all connections are closed, and nobody is told any more.
    ///
    /// # Errors
    /// Those of the poll itself. What happens on one connection ends that connection only.
    pub fn run(&mut self) -> io::Result<()> {
        let Some(mut feed) = self.feed.take() else { return Ok(()) };
        let mut events = Events::with_capacity(1024);
        let mut turns: Vec<u64> = Vec::new();
        let outcome = loop {
            let patience = match () {
                () if !turns.is_empty() && feed.has_room() => Some(Duration::ZERO),
                () if !turns.is_empty() => Some(ROOM_AGAIN),
                () => self.owes_accepting.then_some(ACCEPT_AGAIN),
            };
            match self.poll.poll(&mut events, patience) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => break Err(error),
                Ok(()) => {}
            }
            let mut accepts = self.owes_accepting;
            let mut stops = false;
            for event in &events {
                match event.token() {
                    LISTENER => accepts = true,
                    STOP => stops = true,
                    token => {
                        let (number, side) = owner(token);
                        let Some(connection) = self.connections.get_mut(&number) else { continue };
                        let is_broken = event.is_error();
                        let (readable, writable) = (event.is_readable(), event.is_writable());
                        connection.ready(side, readable || is_broken, writable || is_broken);
                        if !std::mem::replace(&mut connection.is_listed, true) {
                            turns.push(number);
                        }
                    }
                }
            }
            if stops && self.signal()?.is_some() {
                break Ok(());
            }
            if accepts {
                self.accept(&feed);
            }
            if feed.has_room() {
                for number in std::mem::take(&mut turns) {
                    if self.turn(number, &mut feed) {
                        turns.push(number);
                    }
                }
            }
        };
        for number in std::mem::take(&mut self.connections).into_keys() {
            feed.over(number);
        }
        outcome
    }

    /// Waits until all that was told is written; false if a signal comes before.
    ///
    /// # Errors
    /// Those of the poll.
    pub fn end(&mut self) -> io::Result<bool> {
        let mut events = Events::with_capacity(16);
        loop {
            match self.signal()? {
                Some(DONE) => return Ok(true),
                Some(_) => return Ok(false),
                None => {}
            }
            match self.poll.poll(&mut events, None) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
        }
    }

    /// What stands in the stop stream next. One byte each time, so that the second signal is not taken with the first.
    fn signal(&mut self) -> io::Result<Option<u8>> {
        let mut byte = [0];
        match self.stop.read(&mut byte) {
            Ok(length) => Ok((length > 0).then_some(byte[0])),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn accept(&mut self, feed: &Feed) {
        let owed = std::mem::take(&mut self.owes_accepting);
        loop {
            match self.listener.accept() {
                Ok((client, peer)) => {
                    self.accepted += 1;
                    let number = self.accepted;
                    feed.tell(number, What::Opened(peer));
                    match Connection::begin(number, client, self.to.clone(), self.poll.registry()) {
                        Ok(connection) => drop(self.connections.insert(number, connection)),
                        Err(error) => self.refused(number, &error, feed),
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // The one that was to be accepted is gone.
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted
                    ) => {}
                Err(error) => {
                    if !owed {
                        eprintln!("barewire: connections wait, for one can't be accepted: {error}");
                    }
                    self.owes_accepting = true;
                    return;
                }
            }
        }
    }

    fn refused(&self, number: u64, error: &io::Error, feed: &Feed) {
        let to: Vec<String> = self.to.iter().map(SocketAddr::to_string).collect();
        eprintln!("barewire: connection {number}: {}: {error}", to.join(", "));
        feed.tell(number, What::Over([0; 2]));
    }

    /// It is a connection's turn; true if it has to have another one.
    fn turn(&mut self, number: u64, feed: &mut Feed) -> bool {
        let Some(connection) = self.connections.get_mut(&number) else { return false };
        match connection.turn(&mut self.buffer, feed, self.poll.registry()) {
            Ok(Turn::Unfinished) => return true,
            Ok(Turn::Waits) => {
                connection.is_listed = false;
                return false;
            }
            Ok(Turn::Over) => feed.over(number),
            Err(error) => self.refused(number, &error, feed),
        }
        self.connections.remove(&number);
        false
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::net::UnixStream;
    use std::thread;

    use super::super::feed::{Behind, feed};
    use super::Passing;

    #[test]
    fn the_next_address_is_tried_when_one_does_not_answer() {
        let nobody =
            TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("it is bound");
        let server = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let to = vec![nobody, server.local_addr().expect("it is bound")];
        let (mut signal, stop) = UnixStream::pair().expect("a pair of sockets");
        let (feed, _told) = feed(Behind::LeavesOut);
        let mut passing = Passing::new(([127, 0, 0, 1], 0).into(), to, stop, feed).expect("a free port");
        let address = passing.local_addr();
        let running = thread::spawn(move || passing.run());
        let mut client = TcpStream::connect(address).expect("it listens");
        client.write_all(b"found").expect("it reads");
        drop(client);
        let mut passed = String::new();
        let (mut stream, _) = server.accept().expect("a connection");
        stream.read_to_string(&mut passed).expect("an end in order");
        assert_eq!(passed, "found");
        signal.write_all(b"X").expect("it runs");
        running.join().expect("the loop does not panic").expect("the poll has no error");
    }
}
