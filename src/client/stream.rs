//! The socket, with the bytes that have come and are not yet understood.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

/// Bytes that are read at once; more than any head that is accepted.
const BUFFER: usize = 64 * 1024;

#[derive(Debug)]
pub(super) struct BufferedStream {
    stream: TcpStream,
    buffer: Box<[u8]>,
    /// The bytes between the two are not yet understood.
    start: usize,
    end: usize,
    /// How long the socket lets a read wait at present.
    read_timeout: Option<Duration>,
}

/// What a read brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Received {
    /// More bytes.
    More,
    /// The peer has sent its last byte.
    End,
    /// Nothing, in the time that there was.
    TimedOut,
}

impl BufferedStream {
    /// `write_timeout` is for the peer to take anything at all.
    pub(super) fn new(stream: TcpStream, write_timeout: Option<Duration>) -> io::Result<Self> {
        // A frame is written when it is to go out, so there is nothing to wait for.
        stream.set_nodelay(true)?;
        stream.set_write_timeout(write_timeout)?;
        Ok(Self { stream, buffer: vec![0; BUFFER].into_boxed_slice(), start: 0, end: 0, read_timeout: None })
    }

    pub(super) fn unread(&mut self) -> &mut [u8] {
        &mut self.buffer[self.start..self.end]
    }

    pub(super) fn consume(&mut self, length: usize) {
        self.start += length;
    }

    /// Reads once, behind what is unread. `until` is the end of the wait, if it has one.
    ///
    /// A buffer that is full of unread bytes is never filled: callers understand, or refuse, before it is.
    pub(super) fn fill(&mut self, until: Option<Instant>) -> io::Result<Received> {
        self.buffer.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        loop {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return Ok(Received::TimedOut);
            }
            if left != self.read_timeout {
                self.stream.set_read_timeout(left)?;
                self.read_timeout = left;
            }
            match self.stream.read(&mut self.buffer[self.end..]) {
                Ok(0) => return Ok(Received::End),
                Ok(length) => {
                    self.end += length;
                    return Ok(Received::More);
                }
                // A timeout may come a little early; the clock decides.
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
                    ) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Whether the peer has neither sent anything nor ended its side: a connection between two answers that can be used again.
    pub(super) fn is_quiet(&self) -> bool {
        let peeked = self.stream.set_nonblocking(true).and_then(|()| self.stream.peek(&mut [0]));
        let is_blocking = self.stream.set_nonblocking(false).is_ok();
        self.start == self.end
            && is_blocking
            && peeked.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Waits for the peer to end TCP, and ends it.
    ///
    /// The server closes first, so that it is the one that has to remember the connection for a while (RFC 6455 §7.1.1). What
    /// still comes is read and dropped: with unread bytes a close is a reset, which can overtake what was sent last.
    pub(super) fn end(&mut self, within: Duration) {
        let until = Instant::now() + within;
        loop {
            self.start = self.end;
            match self.fill(Some(until)) {
                Ok(Received::More) => {}
                Ok(Received::End | Received::TimedOut) | Err(_) => break,
            }
        }
        self.drop_now();
    }

    /// Ends TCP in both directions. It may be at its end already: that is no error.
    pub(super) fn drop_now(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}
