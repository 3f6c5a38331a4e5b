//! The client's side of a connection: bytes and HTTP responses. It is written for this test alone,
//! so that it does not repeat the mistakes of the server's protocol code.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use socket2::{Domain, SockRef, Socket, Type};

/// The limit on waiting for data.
const DEADLINE: Duration = Duration::from_secs(20);
/// A small segment size makes the server's kernel buffer little unread data, so that a follower
/// that does not read soon lags. A small window does the same for the client's kernel.
const SEGMENT: u32 = 536;
const WINDOW: usize = 16 * 1024;

/// A connection, and the bytes that were read from it but not parsed.
pub struct Connection {
    stream: TcpStream,
    pub buffer: Vec<u8>,
    pub ended: bool,
}

/// The head of a response.
pub struct Head {
    pub status: u16,
    fields: String,
}

impl Head {
    /// Returns the value of the field with this name.
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut fields = self.fields.lines().filter_map(|line| line.split_once(": "));
        fields.find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

impl Connection {
    /// Connects, with small buffers for unread data.
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

    /// Writes all bytes. If the server has closed the connection, the next read shows it.
    pub fn send(&mut self, bytes: &[u8]) {
        match self.stream.write_all(bytes) {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                panic!("the server does not read");
            }
            _ => {}
        }
    }

    /// Waits for up to `most` more bytes, and returns how many arrived; zero means the end.
    pub fn receive(&mut self, most: usize) -> usize {
        let before = self.buffer.len();
        self.buffer.resize(before + most.min(64 * 1024), 0);
        let received = match self.stream.read(&mut self.buffer[before..]) {
            Ok(received) => received,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                panic!("the pending data does not arrive")
            }
            // A server that closes with unread bytes in its buffer resets the connection.
            Err(_) => 0,
        };
        self.buffer.truncate(before + received);
        self.ended |= received == 0;
        received
    }

    /// Reads the bytes that have already arrived, without waiting.
    pub fn receive_available(&mut self) {
        self.stream.set_nonblocking(true).expect("a mode");
        let mut part = [0; 4096];
        match self.stream.read(&mut part) {
            Ok(received) => {
                self.buffer.extend_from_slice(&part[..received]);
                self.ended |= received == 0;
            }
            Err(error) => self.ended |= error.kind() != ErrorKind::WouldBlock,
        }
        self.stream.set_nonblocking(false).expect("a mode");
    }

    /// Waits for the head of a response.
    pub fn head(&mut self) -> Head {
        let end = loop {
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                break end;
            }
            assert!(self.receive(4096) > 0, "the connection ends before a response");
        };
        let text: Vec<u8> = self.buffer.drain(..end + 4).collect();
        let text = String::from_utf8(text).expect("a head is ASCII");
        let (line, fields) = text.split_once("\r\n").expect("a status line");
        let status = line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).expect("HTTP/1.1");
        Head { status: status.parse().expect("a status"), fields: fields.to_owned() }
    }

    /// Waits for a response with a length.
    pub fn response(&mut self) -> (Head, Vec<u8>) {
        let head = self.head();
        let length = head.get("content-length").map_or(0, |length| length.parse().expect("a length"));
        while self.buffer.len() < length {
            assert!(self.receive(length) > 0, "the connection ends in the middle of a body");
        }
        let body = self.buffer.drain(..length).collect();
        self.ended |= head.get("connection") == Some("close");
        (head, body)
    }

    /// Closes the client's side, which can still read.
    pub fn half_close(&self) {
        // The server may have ended the connection already.
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Ends the connection with a reset, like a machine that has lost its state.
    pub fn reset(self) {
        SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).expect("an option");
    }
}

/// Returns the position of `needle`.
pub fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

/// Returns a request without a body. `fields` includes the line ends.
pub fn get(target: &str, version: &str, fields: &str) -> Vec<u8> {
    format!("GET {target} HTTP/{version}\r\nHost: localhost\r\n{fields}\r\n").into_bytes()
}

/// Returns a request with a body.
pub fn post(target: &str, kind: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    let head = format!("POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\n");
    format!("{head}Content-Length: {length}\r\n\r\n{body}").into_bytes()
}
