//! A WebSocket echo written by hand on epoll, with no library in between: what a specialist would
//! write for this benchmark alone. It checks nothing that the benchmark does not send.
//!
//! ```text
//! peer-epoll PORT
//! ```

use std::collections::HashMap;
use std::env;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;

use base64::prelude::{BASE64_STANDARD, Engine};
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use sha1::{Digest, Sha1};

/// RFC 6455 §1.3.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// Identifies the listener; descriptors are smaller.
const LISTENER: u64 = u64::MAX;
/// The size of the buffer into which every connection is read, and of the one for the output.
const BUFFER: usize = 256 * 1024;

struct Connection {
    stream: TcpStream,
    is_open: bool,
    /// An incomplete handshake or frame.
    partial: Vec<u8>,
    /// What the socket did not accept.
    pending: Vec<u8>,
}

fn main() -> io::Result<()> {
    let port = env::args().nth(1).and_then(|port| port.parse::<u16>().ok()).expect("a port");
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    listener.set_nonblocking(true)?;
    println!("listening on http://{}", listener.local_addr()?);
    let poll = epoll::create(CreateFlags::CLOEXEC)?;
    epoll::add(&poll, &listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
    let mut connections: HashMap<u64, Connection> = HashMap::new();
    let mut events = Vec::with_capacity(1024);
    let (mut buffer, mut out) = (vec![0; BUFFER], Vec::with_capacity(BUFFER));
    loop {
        events.clear();
        match epoll::wait(&poll, rustix::buffer::spare_capacity(&mut events), None) {
            Err(rustix::io::Errno::INTR) => continue,
            waited => waited?,
        };
        for event in &events {
            let id = event.data.u64();
            if id == LISTENER {
                accept(&listener, &poll, &mut connections)?;
            } else if let Some(connection) = connections.get_mut(&id)
                && connection.serve(&mut buffer, &mut out).is_err()
            {
                // Closing the descriptor removes it from the poll.
                connections.remove(&id);
            }
        }
    }
}

fn accept(
    listener: &TcpListener,
    poll: &impl std::os::fd::AsFd,
    connections: &mut HashMap<u64, Connection>,
) -> io::Result<()> {
    loop {
        let stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        };
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        let id = stream.as_raw_fd() as u64;
        let flags = EventFlags::IN | EventFlags::OUT | EventFlags::ET;
        epoll::add(poll, &stream, EventData::new_u64(id), flags)?;
        let (partial, pending) = (Vec::new(), Vec::new());
        connections.insert(id, Connection { stream, is_open: false, partial, pending });
    }
}

impl Connection {
    /// Writes what is pending, reads what has arrived, and echoes it with one write.
    fn serve(&mut self, buffer: &mut [u8], out: &mut Vec<u8>) -> io::Result<()> {
        if !self.pending.is_empty() {
            let pending = std::mem::take(&mut self.pending);
            self.write(&pending)?;
        }
        loop {
            let length = match self.stream.read(buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            out.clear();
            if self.partial.is_empty() {
                let consumed = self.receive(&mut buffer[..length], out)?;
                self.partial.extend_from_slice(&buffer[consumed..length]);
            } else {
                let mut partial = std::mem::take(&mut self.partial);
                partial.extend_from_slice(&buffer[..length]);
                let consumed = self.receive(&mut partial, out)?;
                partial.drain(..consumed);
                self.partial = partial;
            }
            if !out.is_empty() {
                self.write(out)?;
            }
            // A read that does not fill the buffer has emptied the socket.
            if length < buffer.len() {
                return Ok(());
            }
        }
    }

    /// Interprets bytes, and returns how many are consumed.
    fn receive(&mut self, bytes: &mut [u8], out: &mut Vec<u8>) -> io::Result<usize> {
        if self.is_open {
            return echo(bytes, out);
        }
        let Some(end) = bytes.windows(4).position(|end| end == b"\r\n\r\n") else { return Ok(0) };
        self.is_open = true;
        open(&bytes[..end], out)?;
        Ok(end + 4 + echo(&mut bytes[end + 4..], out)?)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let written = match (self.pending.is_empty(), self.stream.write(bytes)) {
            (false, _) => 0,
            (true, Ok(written)) => written,
            (true, Err(error)) if error.kind() == ErrorKind::WouldBlock => 0,
            (true, Err(error)) => return Err(error),
        };
        self.pending.extend_from_slice(&bytes[written..]);
        Ok(())
    }
}

/// Answers the handshake (RFC 6455 §4.2.2).
fn open(head: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
    let head = str::from_utf8(head).map_err(|_| ErrorKind::InvalidData)?;
    let key = head.lines().filter_map(|line| line.split_once(':'));
    let key = key.into_iter().find(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-key"));
    let (_, key) = key.ok_or(ErrorKind::InvalidData)?;
    let digest = Sha1::new().chain_update(key.trim()).chain_update(GUID).finalize();
    out.extend_from_slice(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ",
    );
    out.extend_from_slice(BASE64_STANDARD.encode(digest).as_bytes());
    out.extend_from_slice(b"\r\n\r\n");
    Ok(())
}

/// Echoes the complete frames, unmasked (RFC 6455 §5.2), and returns how many bytes they are.
fn echo(bytes: &mut [u8], out: &mut Vec<u8>) -> io::Result<usize> {
    let mut consumed = 0;
    while let [first, second, rest @ ..] = &bytes[consumed..] {
        let (extended, length) = match (second & 0x7f, rest) {
            (126, [high, low, ..]) => (2, usize::from(u16::from_be_bytes([*high, *low]))),
            (127, [length @ .., _, _, _, _]) if length.len() >= 8 => {
                let length = length[..8].try_into().map_err(|_| ErrorKind::InvalidData)?;
                (8, u64::from_be_bytes(length) as usize)
            }
            (126 | 127, _) => break,
            (length, _) => (0, usize::from(length)),
        };
        let start = consumed + 2 + extended + 4;
        let Some(payload) = bytes.get(start..start + length) else { break };
        if first & 0x0f == 8 {
            return Err(ErrorKind::ConnectionAborted.into());
        }
        let mask = &bytes[start - 4..start];
        let mask = u32::from_ne_bytes([mask[0], mask[1], mask[2], mask[3]]);
        out.push(*first);
        out.push(second & 0x7f);
        out.extend_from_slice(&bytes[consumed + 2..start - 4]);
        let wide = u64::from(mask) << 32 | u64::from(mask);
        let (words, rest) = payload.as_chunks::<8>();
        for word in words {
            out.extend_from_slice(&(u64::from_ne_bytes(*word) ^ wide).to_ne_bytes());
        }
        let mask = mask.to_ne_bytes();
        out.extend(rest.iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]));
        consumed = start + length;
    }
    Ok(consumed)
}
