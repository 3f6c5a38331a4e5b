//! A TCP connection to the server, and the bytes that the server has sent.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use super::response::{self, Response};

/// The limit on waiting for anything that must arrive.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// The number of bytes at each end of a message that are sent one by one. Doing the same with the
/// middle would take longer and test nothing more.
const ONE_BY_ONE: usize = 3000;

/// The client's end of a connection.
pub struct Connection {
    stream: TcpStream,
    /// Bytes that have arrived but have not been read.
    unread: Vec<u8>,
    ended: bool,
}

impl Connection {
    pub fn to(address: SocketAddr) -> Connection {
        let stream = TcpStream::connect(address).expect("the server listens");
        stream.set_nodelay(true).expect("the socket is connected");
        stream.set_read_timeout(Some(DEADLINE)).expect("the deadline is not zero");
        stream.set_write_timeout(Some(DEADLINE)).expect("the deadline is not zero");
        Connection { stream, unread: Vec::new(), ended: false }
    }

    /// Sends all bytes at once. It is not an error if the server has already rejected the request
    /// and closed: its response counts.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        match self.stream.write_all(bytes.as_ref()) {
            Err(error) if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => {}
            outcome => outcome.expect("the server accepts the bytes"),
        }
    }

    /// Sends the bytes one by one.
    pub fn send_byte_by_byte(&mut self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        let first = bytes.len().min(ONE_BY_ONE);
        let last = bytes.len().saturating_sub(ONE_BY_ONE).max(first);
        for byte in &bytes[..first] {
            self.send([*byte]);
        }
        self.send(&bytes[first..last]);
        for byte in &bytes[last..] {
            self.send([*byte]);
        }
    }

    /// Returns the same socket for writing on another thread.
    pub fn writer(&self) -> TcpStream {
        self.stream.try_clone().expect("a descriptor")
    }

    /// Closes the client's side; the server's side stays open (RFC 9112 §9.6).
    pub fn half_close(&mut self) {
        self.stream.shutdown(Shutdown::Write).expect("the socket is connected");
    }

    /// Reads until `enough` returns a length for the unread bytes, and removes and returns that
    /// many bytes. Returns `None` if the server closes its side first.
    pub fn read_until(&mut self, mut enough: impl FnMut(&[u8]) -> Option<usize>) -> Option<Vec<u8>> {
        loop {
            if let Some(length) = enough(&self.unread) {
                let rest = self.unread.split_off(length);
                return Some(std::mem::replace(&mut self.unread, rest));
            }
            if !self.fill() {
                return None;
            }
        }
    }

    /// Returns the next `length` bytes.
    pub fn take(&mut self, length: usize) -> Option<Vec<u8>> {
        self.read_until(|unread| (unread.len() >= length).then_some(length))
    }

    /// Returns everything up to the end of the server's side.
    pub fn take_rest(&mut self) -> Vec<u8> {
        while self.fill() {}
        std::mem::take(&mut self.unread)
    }

    /// Waits for data or for the end of the server's side, and returns whether it ended without
    /// further data.
    pub fn is_at_end(&mut self) -> bool {
        self.unread.is_empty() && !self.fill()
    }

    /// Waits for the end of the connection, including a reset, and discards the data before it.
    pub fn drop_rest(&mut self) {
        let mut buffer = [0; 4096];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(1..) => {}
                Ok(0) => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return,
                Err(error) => panic!("the connection does not end: {error}"),
            }
        }
    }

    /// Reads the response to a request with this method.
    pub fn response_to(&mut self, method: &str) -> Response {
        response::read(self, method)
    }

    /// Reads the response to a request whose response may have a body.
    pub fn response(&mut self) -> Response {
        self.response_to("GET")
    }

    fn fill(&mut self) -> bool {
        if self.ended {
            return false;
        }
        let mut buffer = [0; 64 * 1024];
        let length = loop {
            match self.stream.read(&mut buffer) {
                Ok(length) => break length,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    panic!("no more data arrived after \"{}\": {error}", self.unread.escape_ascii())
                }
            }
        };
        self.ended = length == 0;
        self.unread.extend_from_slice(&buffer[..length]);
        !self.ended
    }
}
