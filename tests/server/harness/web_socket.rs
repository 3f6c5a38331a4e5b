//! The client's end of a WebSocket (RFC 6455 §5). It reads frames strictly, and writes them masked.

use std::collections::VecDeque;

use serde_json::Value;

use super::connection::Connection;
use super::response::Response;
use super::transports::{Event, Gap, gap_from_json};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Opcode {
    Continuation = 0,
    Text = 1,
    Binary = 2,
    Close = 8,
    Ping = 9,
    Pong = 10,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Frame {
    pub opcode: Opcode,
    pub payload: Vec<u8>,
}

/// An open WebSocket, with the response to its handshake.
pub struct WebSocket {
    pub head: Response,
    connection: Connection,
    /// Frames that arrived before the awaited one.
    earlier: VecDeque<Frame>,
}

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
const GREETING: &[u8] = b"after the handshake";

/// Encodes a client's frame. `fin` marks the last frame of a message.
pub fn masked_frame(fin: bool, opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![u8::from(fin) << 7 | opcode as u8];
    match payload.len() {
        length @ ..126 => out.push(0x80 | length as u8),
        length @ ..65_536 => {
            out.push(0x80 | 126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&KEY);
    out.extend(payload.iter().zip(KEY.iter().cycle()).map(|(byte, key)| byte ^ key));
    out
}

impl WebSocket {
    /// Encodes the ping that follows a handshake.
    pub fn greeting() -> Vec<u8> {
        masked_frame(true, Opcode::Ping, GREETING)
    }

    /// Reads the response to a handshake. `greeted`: a ping followed the handshake.
    pub fn open(mut connection: Connection, greeted: bool) -> WebSocket {
        let head = connection.response();
        assert_eq!(head.status, 101, "{head:?} {}", head.text());
        assert_eq!(head.get("Upgrade"), Some("websocket"));
        assert_eq!(head.get("Connection"), Some("Upgrade"));
        // The example of RFC 6455 §1.3.
        assert_eq!(head.get("Sec-WebSocket-Accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        let mut socket = WebSocket { head, connection, earlier: VecDeque::new() };
        if greeted {
            socket.await_greeting();
        }
        socket
    }

    /// Reads up to the pong, which may arrive between any two messages. A server that closes at
    /// once need not send it.
    fn await_greeting(&mut self) {
        let mut earlier = VecDeque::new();
        loop {
            let frame = self.frame().expect("a pong before the end");
            let is_close = frame.opcode == Opcode::Close;
            if frame.opcode == Opcode::Pong {
                assert_eq!(frame.payload, GREETING);
                break;
            }
            earlier.push_back(frame);
            if is_close {
                break;
            }
        }
        self.earlier = earlier;
    }

    pub fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// Sends a complete message or a control frame.
    pub fn send(&mut self, opcode: Opcode, payload: impl AsRef<[u8]>) {
        self.connection.send(masked_frame(true, opcode, payload.as_ref()));
    }

    /// Returns the next frame, or `None` at the end of the connection. The server never fragments
    /// and never masks.
    pub fn frame(&mut self) -> Option<Frame> {
        if let Some(frame) = self.earlier.pop_front() {
            return Some(frame);
        }
        let start = self.connection.take(2)?;
        let opcode = match start[0] {
            0x81 => Opcode::Text,
            0x82 => Opcode::Binary,
            0x88 => Opcode::Close,
            0x89 => Opcode::Ping,
            0x8a => Opcode::Pong,
            other => panic!("a frame that begins with {other:#x}"),
        };
        let length = match start[1] {
            126 => {
                let length = self.connection.take(2)?.try_into().expect("two bytes");
                usize::from(u16::from_be_bytes(length))
            }
            127 => {
                let length = self.connection.take(8)?.try_into().expect("eight bytes");
                usize::try_from(u64::from_be_bytes(length)).expect("a length that fits")
            }
            length @ ..126 => usize::from(length),
            masked => panic!("a server must not mask its frames, but sent {masked:#x}"),
        };
        let shortest = match start[1] {
            126 => 126,
            127 => 65_536,
            _ => 0,
        };
        assert!(length >= shortest, "a length that is not minimal: {length}");
        Some(Frame { opcode, payload: self.connection.take(length)? })
    }

    /// Returns the next frame, which must be a text message.
    pub fn text(&mut self) -> String {
        let frame = self.frame().expect("a message before the end");
        assert_eq!(frame.opcode, Opcode::Text, "{:?}", frame.payload.escape_ascii().to_string());
        String::from_utf8(frame.payload).expect("a text message is UTF-8")
    }

    pub fn json(&mut self) -> Value {
        serde_json::from_str(&self.text()).expect("a message of JSON")
    }

    /// Returns the id in the first message, which must be exactly `{"next":"ID"}`.
    pub fn hello(&mut self) -> String {
        let (next, gap) = self.first_message();
        assert_eq!(gap, None);
        next
    }

    /// Returns the id and the gap in the first message, which must have no other members.
    pub fn first_message(&mut self) -> (String, Option<Gap>) {
        let hello = self.json();
        let gap = hello.get("gap").map(gap_from_json);
        let members = hello.as_object().map(serde_json::Map::len);
        assert_eq!(members, Some(1 + usize::from(gap.is_some())), "{hello}");
        (hello["next"].as_str().expect("an id is a string").to_owned(), gap)
    }

    /// Returns the next event.
    pub fn event(&mut self) -> Event {
        Event::from_json(&self.json())
    }

    /// Returns the code and the reason of the next frame, which must be a close frame.
    pub fn close(&mut self) -> (u16, String) {
        let frame = self.frame().expect("a close frame before the end");
        assert_eq!(frame.opcode, Opcode::Close, "{:?}", frame.payload.escape_ascii().to_string());
        assert!(frame.payload.len() <= 125, "a control frame has at most 125 bytes");
        let (code, reason) = frame.payload.split_first_chunk().expect("a close with a code");
        (u16::from_be_bytes(*code), String::from_utf8(reason.to_vec()).expect("a reason is UTF-8"))
    }

    /// Waits for data or for the connection's end, and returns whether it ended without further
    /// data.
    pub fn is_at_end(&mut self) -> bool {
        self.earlier.is_empty() && self.connection.is_at_end()
    }
}
