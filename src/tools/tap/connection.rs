//! A relayed connection: two sockets, and the bytes on their way from each to the other.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use socket2::SockRef;

use super::queue::{ConnectionEvent, QueueSender};
use crate::wire::Side;

/// The maximum number of reads from a socket before other connections are served.
const MAX_READS: usize = 16;

const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

/// The state of a connection after [`Connection::advance`].
#[derive(Debug, PartialEq, Eq)]
pub enum Status {
    /// The connection waits for a socket to become ready.
    Waiting,
    /// The sockets may have more bytes.
    Unfinished,
    /// Both sides have ended, or one can't be reached any more.
    Closed,
}

/// One direction of a connection.
#[derive(Default)]
struct Flow {
    /// The sender's socket may have bytes.
    is_readable: bool,
    /// The receiver's socket may accept bytes.
    is_writable: bool,
    /// Bytes that were read but not written. While there are any, nothing is read.
    pending: Vec<u8>,
    end: End,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum End {
    #[default]
    Open,
    /// The sender has ended; pending bytes remain to be written.
    Read,
    /// The end was passed on to the receiver.
    PassedOn,
}

/// The socket of this side has failed.
struct SocketFailed(Side);

/// A client, and the connection to the server on its behalf.
pub struct Connection {
    number: u64,
    client: TcpStream,
    server: TcpStream,
    is_connected: bool,
    /// Addresses of the server that have not been tried.
    other_addresses: std::vec::IntoIter<SocketAddr>,
    from_client: Flow,
    from_server: Flow,
    /// True while the connection is in the relay's list of connections to advance.
    pub is_scheduled: bool,
}

/// Returns the tokens of the client's and the server's socket.
fn tokens(number: u64) -> [Token; 2] {
    let first = (number as usize) * 2; // A tap does not live for 2^63 connections.
    [Token(first), Token(first + 1)]
}

/// Returns the connection and the side that a token belongs to.
pub fn owner(token: Token) -> (u64, Side) {
    let side = if token.0.is_multiple_of(2) { Side::Client } else { Side::Server };
    (token.0 as u64 / 2, side)
}

impl Connection {
    /// Starts to connect a client to the first of the addresses that accepts the connection.
    ///
    /// # Errors
    /// Fails if a socket can't be registered, or no connection attempt can be started.
    pub fn open(
        number: u64,
        mut client: TcpStream,
        addresses: Vec<SocketAddr>,
        registry: &Registry,
    ) -> io::Result<Self> {
        let mut addresses = addresses.into_iter();
        // The relay must not add the delay of Nagle's algorithm, whatever the peers use themselves.
        let _ = client.set_nodelay(true);
        let registered = registry.register(&mut client, tokens(number)[0], BOTH);
        let server = registered.and_then(|()| connect(number, &mut addresses, registry, None));
        let server = server.inspect_err(|_| reset_on_close(&client))?;
        let (from_client, from_server) = Default::default();
        Ok(Self {
            number,
            client,
            server,
            is_connected: false,
            other_addresses: addresses,
            from_client,
            from_server,
            is_scheduled: false,
        })
    }

    /// Records the readiness of a socket.
    pub fn set_ready(&mut self, side: Side, readable: bool, writable: bool) {
        self.flow_from(side).is_readable |= readable;
        self.flow_from(side.other()).is_writable |= writable;
    }

    /// Relays the bytes that are available.
    ///
    /// # Errors
    /// Fails if the server can't be reached. The client's connection is then reset, as by a server
    /// that does not listen.
    pub fn advance(
        &mut self,
        buffer: &mut [u8],
        queue: &mut QueueSender,
        registry: &Registry,
    ) -> io::Result<Status> {
        if !self.is_connected && !self.finish_connecting(registry)? {
            return Ok(Status::Waiting);
        }
        let mut is_unfinished = false;
        for side in [Side::Client, Side::Server] {
            match self.relay(side, buffer, queue) {
                Ok(more) => is_unfinished |= more,
                Err(SocketFailed(side)) => {
                    self.abort(side, buffer, queue);
                    return Ok(Status::Closed);
                }
            }
        }
        Ok(match [self.from_client.end, self.from_server.end] {
            [End::PassedOn, End::PassedOn] => Status::Closed,
            _ if is_unfinished => Status::Unfinished,
            _ => Status::Waiting,
        })
    }

    fn flow_from(&mut self, side: Side) -> &mut Flow {
        match side {
            Side::Client => &mut self.from_client,
            Side::Server => &mut self.from_server,
        }
    }

    /// Returns true once the server has accepted the connection. If it refuses, the next address is
    /// tried.
    fn finish_connecting(&mut self, registry: &Registry) -> io::Result<bool> {
        if !self.from_client.is_writable {
            return Ok(false);
        }
        let error = match self.server.take_error() {
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
        let server = connect(self.number, &mut self.other_addresses, registry, Some(error));
        self.server = server.inspect_err(|_| reset_on_close(&self.client))?;
        (self.from_client.is_writable, self.from_server.is_readable) = (false, false);
        Ok(false)
    }

    /// Relays bytes from `side` with up to [`MAX_READS`] reads. Returns true if more may be
    /// available.
    fn relay(
        &mut self,
        side: Side,
        buffer: &mut [u8],
        queue: &mut QueueSender,
    ) -> Result<bool, SocketFailed> {
        let number = self.number;
        let (flow, mut from, to) = self.flow_and_sockets(side);
        for _ in 0..MAX_READS {
            if !flow.pending.is_empty() {
                let pending = std::mem::take(&mut flow.pending);
                let written = flow.write(to, &pending, |bytes| queue.relayed(number, side, bytes));
                let written = written.map_err(|_| SocketFailed(side.other()))?;
                flow.pending.extend_from_slice(&pending[written..]);
                if written < pending.len() {
                    return Ok(false);
                }
            }
            if flow.end == End::Read {
                flow.end = End::PassedOn;
                to.shutdown(Shutdown::Write).map_err(|_| SocketFailed(side.other()))?;
            }
            if flow.end == End::PassedOn || !flow.is_readable {
                return Ok(false);
            }
            match from.read(buffer) {
                Ok(0) => {
                    flow.end = End::Read;
                    queue.send(number, ConnectionEvent::Ended(side));
                }
                Ok(length) => {
                    let written =
                        flow.write(to, &buffer[..length], |bytes| queue.relayed(number, side, bytes));
                    let written = written.map_err(|_| SocketFailed(side.other()))?;
                    flow.pending.extend_from_slice(&buffer[written..length]);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => flow.is_readable = false,
                Err(_) => return Err(SocketFailed(side)),
            }
        }
        Ok(true)
    }

    /// Resets the connection after the socket of `side` has failed. The bytes that it sent before
    /// are relayed first, as far as the other side accepts them without waiting.
    fn abort(&mut self, side: Side, buffer: &mut [u8], queue: &mut QueueSender) {
        let number = self.number;
        let (flow, mut from, to) = self.flow_and_sockets(side);
        loop {
            let pending = std::mem::take(&mut flow.pending);
            let written = flow.write(to, &pending, |bytes| queue.relayed(number, side, bytes));
            // The kernel reports an error once and then the end of the stream. That end is not the
            // sender's.
            let is_done = flow.end != End::Open || !written.is_ok_and(|written| written == pending.len());
            match from.read(buffer) {
                Ok(length @ 1..) if !is_done => flow.pending.extend_from_slice(&buffer[..length]),
                Err(error) if !is_done && error.kind() == io::ErrorKind::Interrupted => {}
                _ => break,
            }
        }
        queue.send(number, ConnectionEvent::Reset(side));
        reset_on_close(&self.client);
        reset_on_close(&self.server);
    }

    /// Returns the flow from `side`, its source and its destination.
    fn flow_and_sockets(&mut self, side: Side) -> (&mut Flow, &TcpStream, &TcpStream) {
        match side {
            Side::Client => (&mut self.from_client, &self.client, &self.server),
            Side::Server => (&mut self.from_server, &self.server, &self.client),
        }
    }
}

impl Flow {
    /// Writes bytes to the receiver, and returns the number of bytes that it accepted. `relayed`
    /// runs after each write, so a response is never shown before its request.
    fn write(
        &mut self,
        mut to: &TcpStream,
        bytes: &[u8],
        mut relayed: impl FnMut(&[u8]),
    ) -> io::Result<usize> {
        let mut written = 0;
        while written < bytes.len() && self.is_writable {
            match to.write(&bytes[written..]) {
                Ok(length) => {
                    relayed(&bytes[written..written + length]);
                    written += length;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.is_writable = false,
                Err(error) => return Err(error),
            }
        }
        Ok(written)
    }
}

/// Starts to connect to the first address at which that is possible. If there is none, returns the
/// last error; `error` is the error of the previous address.
fn connect(
    number: u64,
    addresses: &mut std::vec::IntoIter<SocketAddr>,
    registry: &Registry,
    error: Option<io::Error>,
) -> io::Result<TcpStream> {
    let mut last_error = error.unwrap_or_else(|| io::Error::other("the server has no address"));
    for address in addresses {
        let started = TcpStream::connect(address).and_then(|mut server| {
            registry.register(&mut server, tokens(number)[1], BOTH)?;
            Ok(server)
        });
        match started {
            Ok(server) => return Ok(server),
            Err(error) => last_error = error,
        }
    }
    Err(last_error)
}

/// Makes the socket send a reset when it is closed, instead of an orderly end.
fn reset_on_close(socket: &TcpStream) {
    // If the option can't be set, the peer receives an orderly end.
    let _ = SockRef::from(socket).set_linger(Some(Duration::ZERO));
}
