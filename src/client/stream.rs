//! The TCP connection and its read buffer.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

/// The size of the read buffer, in bytes. A response head must fit into it: `connect` accepts heads
/// up to the default limit of [`HeadLimits`](crate::protocol::http::HeadLimits), which is smaller.
const BUFFER: usize = 64 * 1024;

/// A blocking TCP stream with a read buffer.
#[derive(Debug)]
pub(super) struct BufferedStream {
    stream: TcpStream,
    buffer: Box<[u8]>,
    /// `start..end` of the buffer has been read from the socket but not consumed.
    start: usize,
    end: usize,
    /// The socket's current read timeout.
    read_timeout: Option<Duration>,
}

/// The result of one read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Received {
    /// More bytes are in the buffer.
    Data,
    /// The peer has closed its side of the connection.
    End,
    /// Nothing arrived in time.
    TimedOut,
}

impl BufferedStream {
    /// Wraps a connected socket. A write fails if the peer accepts no bytes for `write_timeout`;
    /// `None` waits forever.
    pub(super) fn new(stream: TcpStream, write_timeout: Option<Duration>) -> io::Result<Self> {
        // Each request or frame is one write, so Nagle's algorithm would only delay it.
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

    /// Reads once and appends to the unread bytes. Waits until `until` at most; `None` waits
    /// forever.
    ///
    /// There must be space in the buffer: callers consume the unread bytes, or fail, before the
    /// buffer is full of them.
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
                    return Ok(Received::Data);
                }
                // The socket may time out a little early, so the loop checks the clock again.
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
                    ) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Returns whether the connection can carry another request: the peer has neither sent
    /// unexpected bytes nor closed its side.
    pub(super) fn is_reusable(&self) -> bool {
        let peeked = self.stream.set_nonblocking(true).and_then(|()| self.stream.peek(&mut [0]));
        let is_blocking = self.stream.set_nonblocking(false).is_ok();
        self.start == self.end
            && is_blocking
            && peeked.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Waits up to `timeout` for the peer to close TCP, then closes TCP on this side.
    ///
    /// The server closes TCP first, so that the server holds the TIME_WAIT state (RFC 6455 §7.1.1).
    /// Bytes that still arrive are read and dropped, because closing a socket with unread bytes
    /// sends a reset, which can destroy data that the peer has not read.
    pub(super) fn wait_for_end(&mut self, timeout: Duration) {
        let until = Instant::now() + timeout;
        loop {
            self.start = self.end;
            match self.fill(Some(until)) {
                Ok(Received::Data) => {}
                Ok(Received::End | Received::TimedOut) | Err(_) => break,
            }
        }
        self.shut_down();
    }

    /// Shuts TCP down in both directions. Ignores an error, which means that TCP is closed already.
    pub(super) fn shut_down(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}
