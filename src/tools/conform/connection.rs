//! A TCP connection to the endpoint under test. It is recorded, it has a deadline, and it reads
//! while it writes, so that an endpoint that answers while it is still receiving does not block.

use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use socket2::SockRef;

use super::finding::Finding;
use super::record::SharedRecord;
use crate::wire::Side;

/// The maximum number of bytes that an endpoint may send in one case: more than any case asks for.
const MAX_RECEIVED: u64 = 256 << 20;

/// What a case expects that finds no server.
pub const ACCEPTS: &str = "a server that accepts the connection";

/// The number of bytes read at once.
const READ_BYTES: usize = 64 * 1024;

/// The number of unconsumed bytes from which a wait returns, although more may be available. The
/// time is checked after so many bytes at the latest.
const MAX_INPUT: usize = 256 << 10;

/// How the endpoint ended its side of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With a FIN.
    Closed,
    /// With a reset, or another error of the socket.
    Reset,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "the connection ends with a FIN",
            Self::Reset => "the connection ends with a reset",
        })
    }
}

/// What a wait for bytes ended with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// More bytes are in the input.
    Data,
    /// The endpoint has ended its side.
    Ended(End),
    /// Nothing arrived in time.
    Quiet,
}

/// A connection to the endpoint under test.
pub struct Connection {
    stream: TcpStream,
    poll: Poll,
    events: Events,
    record: SharedRecord,
    /// The number of the connection in the record.
    number: u64,
    /// The side of the endpoint under test.
    side: Side,
    deadline: Instant,
    /// The space for one read.
    chunk: Box<[u8]>,
    /// The bytes that were received, and not dropped.
    buffer: Vec<u8>,
    /// The number of bytes at the start of `buffer` that are consumed.
    used: usize,
    received: u64,
    end: Option<End>,
    is_recorded: bool,
}

impl Connection {
    /// Connects to a server.
    ///
    /// # Errors
    /// A finding: the server does not accept the connection before the deadline.
    pub fn connect(address: SocketAddr, deadline: Instant, record: SharedRecord) -> Result<Self, Finding> {
        let stream = TcpStream::connect(address).map_err(|error| not_accepted(&error))?;
        let mut connection = Self::new(stream, deadline, record, Side::Server)?;
        loop {
            if let Some(error) = connection.stream.take_error().map_err(|error| not_accepted(&error))? {
                return Err(not_accepted(&error));
            }
            if connection.stream.peer_addr().is_ok() {
                return Ok(connection);
            }
            if !connection.wait(Instant::now() + Duration::from_millis(100))? && Instant::now() >= deadline {
                return Err(not_accepted(&"time is up"));
            }
        }
    }

    /// Takes a connection that a client has opened, and on which it has already sent `input`.
    ///
    /// # Errors
    /// A finding: the operating system cannot poll the socket.
    pub fn accepted(
        stream: std::net::TcpStream,
        input: Vec<u8>,
        deadline: Instant,
        record: SharedRecord,
    ) -> Result<Self, Finding> {
        stream.set_nonblocking(true).map_err(|error| Finding::failed("a usable socket", error))?;
        let mut connection = Self::new(TcpStream::from_std(stream), deadline, record, Side::Client)?;
        connection.record.borrow_mut().add(connection.number, Side::Client, &input);
        (connection.received, connection.buffer) = (input.len() as u64, input);
        Ok(connection)
    }

    fn new(
        mut stream: TcpStream,
        deadline: Instant,
        record: SharedRecord,
        side: Side,
    ) -> Result<Self, Finding> {
        let unusable = |error: std::io::Error| Finding::failed("a usable socket", error);
        let poll = Poll::new().map_err(unusable)?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        poll.registry().register(&mut stream, Token(0), interest).map_err(unusable)?;
        // Each send of a case is a segment of its own.
        let _ = stream.set_nodelay(true);
        let number = record.borrow_mut().add_connection();
        Ok(Self {
            stream,
            poll,
            events: Events::with_capacity(4),
            record,
            number,
            side,
            deadline,
            chunk: vec![0; READ_BYTES].into_boxed_slice(),
            buffer: Vec::new(),
            used: 0,
            received: 0,
            end: None,
            is_recorded: true,
        })
    }

    /// Stops recording, for a case that sends more than anybody wants to read.
    pub fn stop_recording(&mut self) {
        self.is_recorded = false;
    }

    /// Sends all bytes. Bytes that arrive meanwhile are kept. An endpoint that has ended its side
    /// is not an error, because the next read reports it.
    ///
    /// # Errors
    /// A finding: the endpoint does not read before the deadline, or it floods.
    pub fn send(&mut self, bytes: &[u8]) -> Result<(), Finding> {
        if self.is_recorded {
            self.record.borrow_mut().add(self.number, self.side.other(), bytes);
        }
        let mut left = bytes;
        while !left.is_empty() {
            match self.stream.write(left) {
                Ok(written) => left = &left[written..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.read_available()?;
                    if !self.wait(self.deadline)? {
                        let observed = format!("{} bytes are not accepted before the time is up", left.len());
                        return Err(Finding::failed("an endpoint that reads what is sent to it", observed));
                    }
                }
                // The endpoint is gone. What it sent before is still to be read.
                Err(_) => break,
            }
        }
        Ok(())
    }

    /// Waits until more bytes arrive, the endpoint ends its side, or `until` has passed.
    ///
    /// # Errors
    /// A finding: the endpoint floods.
    pub fn receive(&mut self, until: Instant) -> Result<Received, Finding> {
        let until = until.min(self.deadline);
        // An endpoint that floods always has more bytes.
        if Instant::now() >= self.deadline {
            return Ok(self.end.map_or(Received::Quiet, Received::Ended));
        }
        loop {
            let before = self.received;
            self.read_available()?;
            if self.received > before {
                return Ok(Received::Data);
            }
            if let Some(end) = self.end {
                return Ok(Received::Ended(end));
            }
            if !self.wait(until)? {
                return Ok(Received::Quiet);
            }
        }
    }

    /// Removes bytes from the start of the input.
    pub fn consume(&mut self, bytes: usize) {
        self.used += bytes;
        // Moving the rest to the start for each of many small frames would take too long.
        if self.used == self.buffer.len() {
            self.buffer.clear();
            self.used = 0;
        }
    }

    /// Returns the offset of the input in everything that the endpoint has sent.
    pub fn consumed(&self) -> u64 {
        self.received - (self.buffer.len() - self.used) as u64
    }

    /// Returns the bytes that were received and not consumed.
    pub fn input(&mut self) -> &mut [u8] {
        &mut self.buffer[self.used..]
    }

    /// Returns how the endpoint ended its side, if it did.
    pub fn ended(&self) -> Option<End> {
        self.end
    }

    /// Returns the number of bytes received.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Returns the number of the connection in the record.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Ends the suite's side with a FIN. The endpoint can still send.
    pub fn finish_sending(&mut self) {
        // An endpoint that is gone has no use for the FIN.
        let _ = self.stream.shutdown(Shutdown::Write);
        self.record.borrow_mut().end(self.number, self.side.other());
    }

    /// Ends the connection with a reset.
    pub fn reset(self) {
        // The option cannot fail on an open socket; without it, closing would send a FIN.
        let _ = SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
        self.record.borrow_mut().end(self.number, self.side.other());
    }

    fn read_available(&mut self) -> Result<(), Finding> {
        self.buffer.drain(..self.used);
        self.used = 0;
        while self.end.is_none() {
            let length = self.buffer.len();
            match self.stream.read(&mut self.chunk) {
                Ok(0) => self.set_end(End::Closed),
                Ok(read) => {
                    self.received += read as u64;
                    self.buffer.extend_from_slice(&self.chunk[..read]);
                    if self.is_recorded {
                        self.record.borrow_mut().add(self.number, self.side, &self.buffer[length..]);
                    }
                    if self.received > MAX_RECEIVED {
                        let observed = format!("more than {MAX_RECEIVED} bytes");
                        return Err(Finding::failed("an endpoint that does not flood", observed));
                    }
                    // The caller consumes what a flood has left, and checks the time.
                    if self.buffer.len() >= MAX_INPUT {
                        return Ok(());
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(_) => self.set_end(End::Reset),
            }
        }
        Ok(())
    }

    fn set_end(&mut self, end: End) {
        self.end = Some(end);
        self.record.borrow_mut().end(self.number, self.side);
    }

    /// Waits for the socket until `until`, and returns whether something happened.
    fn wait(&mut self, until: Instant) -> Result<bool, Finding> {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(false);
        }
        match self.poll.poll(&mut self.events, Some(left)) {
            Ok(()) => Ok(!self.events.is_empty()),
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(true),
            Err(error) => Err(Finding::failed("a usable socket", error)),
        }
    }
}

fn not_accepted(error: &impl std::fmt::Display) -> Finding {
    Finding::failed(ACCEPTS, format!("no connection: {error}"))
}
