//! A TCP connection to the server, and the bytes that it has sent.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use super::response::{self, Response};

/// For anything that has to come.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// How many bytes at each end of a message are sent one by one; what is between them would only take long.
const ONE_BY_ONE: usize = 3000;

/// One connection, as its client sees it.
pub struct Connection {
    stream: TcpStream,
    /// What has come and is not yet read.
    unread: Vec<u8>,
    ended: bool,
}

impl Connection {
    pub fn to(address: SocketAddr) -> Connection {
        let stream = TcpStream::connect(address).expect("the server listens");
        stream.set_nodelay(true).expect("a socket that is connected");
        stream.set_read_timeout(Some(DEADLINE)).expect("a deadline that is not zero");
        stream.set_write_timeout(Some(DEADLINE)).expect("a deadline that is not zero");
        Connection { stream, unread: Vec::new(), ended: false }
    }

    /// Sends all of it at once. A server that has refused and ended already is no failure here: its answer is.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        match self.stream.write_all(bytes.as_ref()) {
            Err(error) if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => {}
            outcome => outcome.expect("the server takes what it is sent"),
        }
    }

    /// Sends it a byte at a time.
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

    /// The same socket, to be written to while this is read from.
    pub fn writer(&self) -> TcpStream {
        self.stream.try_clone().expect("a descriptor")
    }

    /// Ends the client's side; the server's stays open (RFC 9112 §9.6).
    pub fn half_close(&mut self) {
        self.stream.shutdown(Shutdown::Write).expect("a socket that is connected");
    }

    /// Reads until `enough` finds what it looks for in the bytes that are not yet read, and takes it out: `enough`
    /// returns how many bytes that is. `None`: the server's side has ended before.
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

    /// The next `length` bytes.
    pub fn take(&mut self, length: usize) -> Option<Vec<u8>> {
        self.read_until(|unread| (unread.len() >= length).then_some(length))
    }

    /// Everything up to the end of the server's side.
    pub fn take_rest(&mut self) -> Vec<u8> {
        while self.fill() {}
        std::mem::take(&mut self.unread)
    }

    /// Whether the server's side has ended, with nothing before its end. It waits for one or the other.
    pub fn is_at_end(&mut self) -> bool {
        self.unread.is_empty() && !self.fill()
    }

    /// Waits for the end of the connection, be it a reset, and drops what comes before.
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

    /// The answer to a request of this method.
    pub fn response_to(&mut self, method: &str) -> Response {
        response::read(self, method)
    }

    /// The answer to a request whose answer has a body, if its status has one.
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
                Err(error) => panic!("nothing more came behind \"{}\": {error}", self.unread.escape_ascii()),
            }
        };
        self.ended = length == 0;
        self.unread.extend_from_slice(&buffer[..length]);
        !self.ended
    }
}
