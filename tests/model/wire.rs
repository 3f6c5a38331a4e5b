//! The client's side of a connection: bytes, and answers of HTTP. Written for this test alone, so that a mistake in the
//! server's protocol code is not made twice.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use socket2::{Domain, SockRef, Socket, Type};

/// What never comes is given up after this long.
const DEADLINE: Duration = Duration::from_secs(20);
/// A small segment size makes the server's kernel set aside little for what is not read, so that whoever does not read
/// is soon behind; and a small window makes the client's own kernel do the same.
const SEGMENT: u32 = 536;
const WINDOW: usize = 16 * 1024;

/// A connection, and what was read from it and not yet understood.
pub struct Connection {
    stream: TcpStream,
    pub buffer: Vec<u8>,
    pub ended: bool,
}

/// The head of an answer.
pub struct Head {
    pub status: u16,
    fields: String,
}

impl Head {
    /// The value of the field with this name, in lower case.
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut fields = self.fields.lines().filter_map(|line| line.split_once(": "));
        fields.find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

impl Connection {
    /// Connects, with little room for what is not read.
    pub fn open(address: SocketAddr) -> Connection {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        socket.set_tcp_mss(SEGMENT).expect("a segment size");
        socket.set_recv_buffer_size(WINDOW).expect("a window");
        socket.connect(&address.into()).expect("the server listens");
        socket.set_tcp_nodelay(true).expect("no delay");
        let stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(DEADLINE)).expect("a deadline");
        stream.set_write_timeout(Some(DEADLINE)).expect("a deadline");
        Connection { stream, buffer: Vec::new(), ended: false }
    }

    /// Writes all. A server that has ended the connection meanwhile is seen when it is read from.
    pub fn send(&mut self, bytes: &[u8]) {
        match self.stream.write_all(bytes) {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                panic!("the server does not read");
            }
            _ => {}
        }
    }

    /// Waits for up to `most` more bytes, and returns how many came: none at the end.
    pub fn receive(&mut self, most: usize) -> usize {
        let before = self.buffer.len();
        self.buffer.resize(before + most.min(64 * 1024), 0);
        let came = match self.stream.read(&mut self.buffer[before..]) {
            Ok(came) => came,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                panic!("what is owed does not come")
            }
            // A server that closes over bytes which it has not read resets the connection.
            Err(_) => 0,
        };
        self.buffer.truncate(before + came);
        self.ended |= came == 0;
        came
    }

    /// Takes what has come already, without waiting.
    pub fn receive_what_is_there(&mut self) {
        self.stream.set_nonblocking(true).expect("a mode");
        let mut piece = [0; 4096];
        match self.stream.read(&mut piece) {
            Ok(came) => {
                self.buffer.extend_from_slice(&piece[..came]);
                self.ended |= came == 0;
            }
            Err(error) => self.ended |= error.kind() != ErrorKind::WouldBlock,
        }
        self.stream.set_nonblocking(false).expect("a mode");
    }

    /// Waits for the head of an answer.
    pub fn head(&mut self) -> Head {
        let end = loop {
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                break end;
            }
            assert!(self.receive(4096) > 0, "the connection ends instead of an answer");
        };
        let text: Vec<u8> = self.buffer.drain(..end + 4).collect();
        let text = String::from_utf8(text).expect("a head is ASCII");
        let (line, fields) = text.split_once("\r\n").expect("a status line");
        let status = line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).expect("HTTP/1.1");
        Head { status: status.parse().expect("a status"), fields: fields.to_owned() }
    }

    /// Waits for an answer whose length is said.
    pub fn answer(&mut self) -> (Head, Vec<u8>) {
        let head = self.head();
        let length = head.get("content-length").map_or(0, |length| length.parse().expect("a length"));
        while self.buffer.len() < length {
            assert!(self.receive(length) > 0, "the connection ends in the middle of a body");
        }
        let body = self.buffer.drain(..length).collect();
        self.ended |= head.get("connection") == Some("close");
        (head, body)
    }

    /// Ends the client's side, and still listens.
    pub fn end_own_side(&self) {
        // The server may have ended the connection already.
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Ends as a machine does that has lost its memory of the connection: with a reset.
    pub fn reset(self) {
        SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).expect("an option");
    }
}

/// Where `needle` begins.
pub fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

/// A request without a body, `fields` with their line ends.
pub fn get(target: &str, version: &str, fields: &str) -> Vec<u8> {
    format!("GET {target} HTTP/{version}\r\nHost: localhost\r\n{fields}\r\n").into_bytes()
}

/// A request with a body.
pub fn post(target: &str, kind: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    let head = format!("POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\n");
    format!("{head}Content-Length: {length}\r\n\r\n{body}").into_bytes()
}
