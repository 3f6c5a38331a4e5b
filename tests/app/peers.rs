//! The clients of the tests: requests and WebSocket frames as bytes.

use barewire::app::{App, Handle};
use barewire::server::Options;
use barewire::simulation::{Peer, Simulation};

/// A simulated server that runs an application.
pub struct Running<S> {
    pub server: Simulation,
    pub handle: Handle<S>,
}

/// Starts an application with the default options.
pub fn start<S: 'static>(app: App<S>) -> Running<S> {
    start_with(app, |_| {})
}

pub fn start_with<S: 'static>(app: App<S>, set: impl FnOnce(&mut Options)) -> Running<S> {
    let mut options = Options::default();
    set(&mut options);
    let (server, handle) = Simulation::of(app, options, 1);
    Running { server, handle }
}

impl<S> Running<S> {
    /// Sends a request on a new connection, and returns what the client receives.
    pub fn ask(&mut self, request: &str) -> String {
        let peer = self.begin(request);
        self.text(peer)
    }

    /// Sends a request line, fields and content on a new connection. `Host` and the length are
    /// added.
    pub fn begin(&mut self, request: &str) -> Peer {
        let peer = self.server.connect();
        self.server.send(peer, &bytes(request));
        peer
    }

    /// Returns what a client has received since the last call, as text.
    pub fn text(&mut self, peer: Peer) -> String {
        String::from_utf8_lossy(&self.server.take(peer)).into_owned()
    }

    /// Opens a WebSocket and returns what follows its handshake.
    pub fn open(&mut self, target: &str) -> (Peer, Vec<u8>) {
        let peer = self.begin(&upgrade(target));
        let received = self.server.take(peer);
        let end = received.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("a head") + 4;
        assert!(received.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&received));
        (peer, received[end..].to_vec())
    }

    pub fn send_text(&mut self, peer: Peer, text: &str) {
        self.server.send(peer, &frame(0x81, text.as_bytes()));
    }

    /// Returns the messages that a WebSocket has received since the last call.
    pub fn messages(&mut self, peer: Peer) -> Vec<String> {
        messages(&self.server.take(peer))
    }
}

/// Returns the bytes of a request that is written as its request line, fields, a blank line and
/// content.
pub fn bytes(request: &str) -> Vec<u8> {
    let (head, content) = request.split_once("\n\n").unwrap_or((request, ""));
    let mut bytes = head.replace('\n', "\r\n") + "\r\nHost: localhost\r\n";
    if !content.is_empty() {
        bytes += &format!("Content-Length: {}\r\n", content.len());
    }
    (bytes + "\r\n" + content).into_bytes()
}

/// Returns a WebSocket handshake.
pub fn upgrade(target: &str) -> String {
    format!(
        "GET {target} HTTP/1.1\nUpgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Version: 13\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
    )
}

/// Returns a short frame of a client, masked with zeros.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first, 0x80 | u8::try_from(payload.len()).expect("a short payload"), 0, 0, 0, 0];
    bytes.extend_from_slice(payload);
    bytes
}

/// Returns the payloads of complete frames, each with the letter of its opcode before it unless it
/// is text.
pub fn messages(mut bytes: &[u8]) -> Vec<String> {
    let mut messages = Vec::new();
    while let [first, length, rest @ ..] = bytes {
        let (length, rest) = match length {
            126 => (usize::from(u16::from_be_bytes([rest[0], rest[1]])), &rest[2..]),
            127 => (u64::from_be_bytes(rest[..8].try_into().expect("8 bytes")) as usize, &rest[8..]),
            _ => (usize::from(*length), rest),
        };
        let (payload, after) = rest.split_at(length);
        let text = String::from_utf8_lossy(payload);
        messages.push(match first & 0x0f {
            1 => text.into_owned(),
            2 => format!("binary {payload:?}"),
            8 => {
                let (code, reason) = payload.split_at(2);
                let code = u16::from_be_bytes([code[0], code[1]]);
                format!("close {code} {}", String::from_utf8_lossy(reason))
            }
            opcode => format!("opcode {opcode} {text}"),
        });
        bytes = after;
    }
    messages
}

/// Returns the content of a response.
pub fn content(response: &str) -> &str {
    response.split_once("\r\n\r\n").expect("a complete head").1
}
