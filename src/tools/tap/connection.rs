//! One connection: two sockets, and what is on the way from each to the other.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use socket2::SockRef;

use super::feed::{Feed, What};
use crate::wire::Side;

/// How often a connection reads before it is the others' turn.
const READS: usize = 16;

/// How a connection stands after its turn.
#[derive(Debug, PartialEq, Eq)]
pub enum Turn {
    /// It waits for one of its sockets.
    Waits,
    /// There is more to read.
    Unfinished,
    /// Both sides have ended, or one can't be reached any more.
    Over,
}

/// What goes on in one direction.
#[derive(Default)]
struct Way {
    /// The sender's socket may have bytes.
    is_readable: bool,
    /// The receiver's socket may take some.
    is_writable: bool,
    /// Bytes that were read and not taken yet. Nothing is read as long as there are any.
    left: Vec<u8>,
    end: End,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum End {
    #[default]
    Open,
    /// The sender has ended; what is left is still to be taken.
    Read,
    /// The receiver has been told.
    PassedOn,
}

/// A direction can't go on, because this side's socket is broken.
struct Broken(Side);

/// A client, and the server that was connected for it.
pub struct Connection {
    number: u64,
    client: TcpStream,
    server: TcpStream,
    is_connected: bool,
    /// The server's addresses that were not tried yet.
    others: std::vec::IntoIter<SocketAddr>,
    from_client: Way,
    from_server: Way,
    /// It is in the list of those whose turn it is.
    pub is_listed: bool,
}

/// The tokens of a connection's two sockets.
fn tokens(number: u64) -> [Token; 2] {
    let first = (number as usize) * 2; // a tap does not live for 2^63 connections
    [Token(first), Token(first + 1)]
}

/// Whose token this is.
pub fn owner(token: Token) -> (u64, Side) {
    let side = if token.0.is_multiple_of(2) { Side::Client } else { Side::Server };
    (token.0 as u64 / 2, side)
}

impl Connection {
    /// Connects a client, with its number, to the first of the addresses that answers.
    ///
    /// # Errors
    /// Those of the last address, or of the system.
    pub fn begin(
        number: u64,
        mut client: TcpStream,
        to: Vec<SocketAddr>,
        registry: &Registry,
    ) -> io::Result<Self> {
        let mut others = to.into_iter();
        // A byte that is passed on is not to wait for an acknowledgement, whatever the ends have set.
        let _ = client.set_nodelay(true);
        let registered = registry.register(&mut client, tokens(number)[0], BOTH);
        let server = registered.and_then(|()| connect(number, &mut others, registry, None));
        let server = server.inspect_err(|_| reset(&client))?;
        let (from_client, from_server) = Default::default();
        Ok(Self {
            number,
            client,
            server,
            is_connected: false,
            others,
            from_client,
            from_server,
            is_listed: false,
        })
    }

    /// The poll has told of one of its sockets.
    pub fn ready(&mut self, side: Side, readable: bool, writable: bool) {
        self.way_from(side).is_readable |= readable;
        self.way_from(side.other()).is_writable |= writable;
    }

    /// Passes on what there is.
    ///
    /// # Errors
    /// The server can't be connected to. The client is told as by a server that does not listen: with a reset.
    pub fn turn(&mut self, buffer: &mut [u8], feed: &mut Feed, registry: &Registry) -> io::Result<Turn> {
        if !self.is_connected && !self.connected(registry)? {
            return Ok(Turn::Waits);
        }
        let mut is_unfinished = false;
        for side in [Side::Client, Side::Server] {
            match self.pass(side, buffer, feed) {
                Ok(more) => is_unfinished |= more,
                Err(Broken(broken)) => {
                    self.break_off(broken, buffer, feed);
                    return Ok(Turn::Over);
                }
            }
        }
        Ok(match [self.from_client.end, self.from_server.end] {
            [End::PassedOn, End::PassedOn] => Turn::Over,
            _ if is_unfinished => Turn::Unfinished,
            _ => Turn::Waits,
        })
    }

    fn way_from(&mut self, side: Side) -> &mut Way {
        match side {
            Side::Client => &mut self.from_client,
            Side::Server => &mut self.from_server,
        }
    }

    /// Whether the server has answered; if it has refused, the next address is tried.
    fn connected(&mut self, registry: &Registry) -> io::Result<bool> {
        if !self.from_client.is_writable {
            return Ok(false);
        }
        let failure = match self.server.take_error() {
            Ok(None) => match self.server.peer_addr() {
                Ok(_) => {
                    let _ = self.server.set_nodelay(true);
                    self.is_connected = true;
                    return Ok(true);
                }
                Err(error) if error.kind() == io::ErrorKind::NotConnected => {
                    self.from_client.is_writable = false;
                    return Ok(false);
                }
                Err(error) => error,
            },
            Ok(Some(error)) | Err(error) => error,
        };
        let server = connect(self.number, &mut self.others, registry, Some(failure));
        self.server = server.inspect_err(|_| reset(&self.client))?;
        (self.from_client.is_writable, self.from_server.is_readable) = (false, false);
        Ok(false)
    }

    /// Passes on from `side` to the other, reading up to [`READS`] times; true if there may be more.
    fn pass(&mut self, side: Side, buffer: &mut [u8], feed: &mut Feed) -> Result<bool, Broken> {
        let number = self.number;
        let (way, mut from, to) = self.way(side);
        for _ in 0..READS {
            if !way.left.is_empty() {
                let left = std::mem::take(&mut way.left);
                let taken = way.give(to, &left, |bytes| feed.passed(number, side, bytes));
                let taken = taken.map_err(|_| Broken(side.other()))?;
                way.left.extend_from_slice(&left[taken..]);
                if taken < left.len() {
                    return Ok(false);
                }
            }
            if way.end == End::Read {
                way.end = End::PassedOn;
                to.shutdown(Shutdown::Write).map_err(|_| Broken(side.other()))?;
            }
            if way.end == End::PassedOn || !way.is_readable {
                return Ok(false);
            }
            match from.read(buffer) {
                Ok(0) => {
                    way.end = End::Read;
                    feed.tell(number, What::Ended(side));
                }
                Ok(length) => {
                    let taken = way.give(to, &buffer[..length], |bytes| feed.passed(number, side, bytes));
                    let taken = taken.map_err(|_| Broken(side.other()))?;
                    way.left.extend_from_slice(&buffer[taken..length]);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => way.is_readable = false,
                Err(_) => return Err(Broken(side)),
            }
        }
        Ok(true)
    }

    /// `side`'s socket is broken. What came from it before is passed on, as far as the other side takes it now, and then the
    /// other side is reset, too.
    fn break_off(&mut self, side: Side, buffer: &mut [u8], feed: &mut Feed) {
        let number = self.number;
        let (way, mut from, to) = self.way(side);
        loop {
            let left = std::mem::take(&mut way.left);
            let taken = way.give(to, &left, |bytes| feed.passed(number, side, bytes));
            // An end is none of the sender's now: the kernel tells of an error once, and then of an end.
            let is_read = way.end != End::Open || !taken.is_ok_and(|taken| taken == left.len());
            match from.read(buffer) {
                Ok(length @ 1..) if !is_read => way.left.extend_from_slice(&buffer[..length]),
                Err(error) if !is_read && error.kind() == io::ErrorKind::Interrupted => {}
                _ => break,
            }
        }
        feed.tell(number, What::Reset(side));
        reset(&self.client);
        reset(&self.server);
    }

    /// What goes on from `side`, from which socket, and to which.
    fn way(&mut self, side: Side) -> (&mut Way, &TcpStream, &TcpStream) {
        match side {
            Side::Client => (&mut self.from_client, &self.client, &self.server),
            Side::Server => (&mut self.from_server, &self.server, &self.client),
        }
    }
}

impl Way {
    /// Gives bytes to the receiver, and says how many it has taken. Each time they are passed on first and shown after, and in
    /// this order: an answer is never seen before its request.
    fn give(&mut self, mut to: &TcpStream, bytes: &[u8], mut shown: impl FnMut(&[u8])) -> io::Result<usize> {
        let mut taken = 0;
        while taken < bytes.len() && self.is_writable {
            match to.write(&bytes[taken..]) {
                Ok(length) => {
                    shown(&bytes[taken..taken + length]);
                    taken += length;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.is_writable = false,
                Err(error) => return Err(error),
            }
        }
        Ok(taken)
    }
}

const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

/// Begins to connect to the first address where that can be begun; `failure` is what the one before has said.
fn connect(
    number: u64,
    addresses: &mut std::vec::IntoIter<SocketAddr>,
    registry: &Registry,
    failure: Option<io::Error>,
) -> io::Result<TcpStream> {
    let mut failure = failure.unwrap_or_else(|| io::Error::other("it has no address"));
    for address in addresses {
        let begun = TcpStream::connect(address).and_then(|mut server| {
            registry.register(&mut server, tokens(number)[1], BOTH)?;
            Ok(server)
        });
        match begun {
            Ok(server) => return Ok(server),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// The socket is reset when it is closed, and does not end in order.
fn reset(socket: &TcpStream) {
    // Where that can't be done the other end sees an end.
    let _ = SockRef::from(socket).set_linger(Some(Duration::ZERO));
}
