//! A blocking connection with the bytes that were read from it but not used.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Fault, Shared};

/// How long a read blocks before the thread checks whether the server has stopped.
const READ_TIMEOUT: Duration = Duration::from_millis(50);
/// How long a peer may be silent in the middle of something.
const IDLE: Duration = Duration::from_secs(30);
/// How long the rest of the peer's bytes is read after the server has sent its last byte.
const LINGER: Duration = Duration::from_secs(5);

pub struct Connection {
    stream: TcpStream,
    /// The received bytes that are not used yet.
    pub received: Vec<u8>,
    pub shared: Arc<Shared>,
}

impl Connection {
    pub fn new(stream: TcpStream, shared: Arc<Shared>) -> io::Result<Connection> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(READ_TIMEOUT))?;
        stream.set_write_timeout(Some(IDLE))?;
        Ok(Connection { stream, received: Vec::new(), shared })
    }

    pub fn has(&self, fault: Fault) -> bool {
        self.shared.has(fault)
    }

    /// Reads once, and appends to `received`.
    ///
    /// # Errors
    /// The end of the connection is `UnexpectedEof`, and the deadline is `TimedOut`.
    pub fn read_until(&mut self, deadline: Instant) -> io::Result<()> {
        let mut buffer = [0; 64 * 1024];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(length) => {
                    self.received.extend_from_slice(&buffer[..length]);
                    return Ok(());
                }
                Err(error) if is_timeout(&error) => {
                    if self.shared.is_stopped() || Instant::now() >= deadline {
                        return Err(ErrorKind::TimedOut.into());
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads once, with the usual deadline.
    pub fn read(&mut self) -> io::Result<()> {
        self.read_until(Instant::now() + IDLE)
    }

    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Returns whether the peer has closed its side, without taking any byte.
    pub fn is_closed(&mut self) -> bool {
        let peeked = self.stream.set_nonblocking(true).and_then(|()| self.stream.peek(&mut [0]));
        let restored = self.stream.set_nonblocking(false);
        match peeked {
            Ok(length) => length == 0 || restored.is_err(),
            Err(error) => !is_timeout(&error),
        }
    }

    /// Ends the server's side, and reads until the peer ends its own: if bytes were unread, the
    /// system would reset the connection, and the peer could lose the last response.
    pub fn close(mut self) {
        if self.stream.shutdown(Shutdown::Write).is_err() {
            return;
        }
        let deadline = Instant::now() + LINGER;
        while Instant::now() < deadline && self.read_until(deadline).is_ok() {
            self.received.clear();
        }
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}
