//! The suite's end of an open WebSocket: it sends any frame, and receives strictly.

use std::fmt;
use std::time::Instant;

use super::frame::Frame;
use crate::protocol::websocket::ProtocolError;
use crate::protocol::websocket::extension::Agreement;
use crate::protocol::websocket::mask;
use crate::protocol::websocket::message::{MessageEvent, MessageLimits, Receiver, Role};
use crate::tools::conform::case::Endpoint;
use crate::tools::conform::connection::{Connection, End, Received};
use crate::tools::conform::trial::Finding;
use crate::wire::printable;

/// The masking key of the examples in RFC 6455 §5.7.
const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// The largest message that an endpoint may send: more than any case asks for.
const LIMITS: MessageLimits = MessageLimits { message_bytes: 64 << 20, frames: 1 << 22 };

/// A message or control frame from the endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    Text(Vec<u8>),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    /// A close frame with its code, if it has one.
    Close(Option<u16>),
    /// The endpoint breaks a rule of the protocol.
    Broken(ProtocolError),
    /// The endpoint sends bytes after its close frame (RFC 6455 §5.5.1).
    AfterClose,
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut payload = |name: &str, bytes: &[u8]| match bytes.len() {
            0..=40 => write!(f, "{name} \"{}\"", printable(bytes)),
            length => write!(f, "{name} of {length} bytes, \"{}…\"", printable(&bytes[..24])),
        };
        match self {
            Self::Text(bytes) => payload("text", bytes),
            Self::Binary(bytes) => payload("binary", bytes),
            Self::Ping(bytes) => payload("ping", bytes),
            Self::Pong(bytes) => payload("pong", bytes),
            Self::Close(Some(code)) => write!(f, "close {code}"),
            Self::Close(None) => f.write_str("close without a code"),
            Self::Broken(error) => write!(f, "a broken rule: {error}"),
            Self::AfterClose => f.write_str("more bytes after the close frame"),
        }
    }
}

/// What a wait for the next item ended with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    Item(Item),
    /// The endpoint has ended the TCP connection.
    Ended(End),
    /// Nothing arrived in time.
    Quiet,
}

/// The suite's end of a WebSocket.
pub struct Peer {
    pub connection: Connection,
    endpoint: Endpoint,
    receiver: Receiver,
    agreement: Option<Agreement>,
    /// Whether the endpoint has sent a close frame or broken a rule.
    has_ended: bool,
    /// The offset of the last item in everything that the endpoint has sent.
    item_offset: u64,
    /// The bytes of the endpoint's frames as they arrived, if they are kept.
    kept: Option<Vec<u8>>,
}

impl Peer {
    /// Takes a connection after its handshake. `endpoint` is the one under test.
    pub fn new(connection: Connection, endpoint: Endpoint, agreement: Option<Agreement>) -> Self {
        let role = match endpoint {
            Endpoint::Server => Role::Client,
            Endpoint::Client => Role::Server,
        };
        let receiver = match &agreement {
            #[cfg(feature = "deflate")]
            Some(agreement) => Receiver::with_deflate(role, LIMITS, agreement),
            _ => Receiver::new(role, LIMITS),
        };
        let item_offset = connection.consumed();
        Self { connection, endpoint, receiver, agreement, has_ended: false, item_offset, kept: None }
    }

    /// Keeps the bytes of the frames that the endpoint sends from now on.
    pub fn keep_bytes(&mut self) {
        self.kept = Some(Vec::new());
    }

    /// Returns the bytes that are kept.
    pub fn kept_bytes(&self) -> &[u8] {
        self.kept.as_deref().unwrap_or_default()
    }

    /// Returns the agreed compression.
    pub fn agreement(&self) -> Option<Agreement> {
        self.agreement
    }

    /// Returns whether the suite masks its frames.
    pub fn masks(&self) -> bool {
        self.endpoint == Endpoint::Server
    }

    /// Returns the bytes of frames as this side of the connection sends them.
    pub fn encode(&self, frames: &[Frame]) -> Vec<u8> {
        encode(frames, self.masks())
    }

    /// Sends more payload of a frame, of which `offset` bytes were sent before.
    ///
    /// # Errors
    /// A finding: the endpoint does not read.
    pub fn send_payload(&mut self, payload: &[u8], offset: usize) -> Result<(), Finding> {
        let mut bytes = payload.to_vec();
        if self.masks() {
            mask::apply(KEY, offset, &mut bytes);
        }
        self.connection.send(&bytes)
    }

    /// Sends frames in one write.
    ///
    /// # Errors
    /// A finding: the endpoint does not read.
    pub fn send(&mut self, frames: &[Frame]) -> Result<(), Finding> {
        let bytes = self.encode(frames);
        self.connection.send(&bytes)
    }

    /// Returns the next message or control frame.
    ///
    /// # Errors
    /// A finding: the endpoint floods.
    pub fn next(&mut self, until: Instant) -> Result<Next, Finding> {
        loop {
            if !self.connection.input().is_empty() {
                if let Some(item) = self.take_item() {
                    return Ok(Next::Item(item));
                }
                continue;
            }
            match self.connection.receive(until)? {
                Received::Data => {}
                Received::Quiet => return Ok(Next::Quiet),
                Received::Ended(end) => return Ok(Next::Ended(end)),
            }
        }
    }

    /// Returns the offset of the last item's first byte.
    pub fn item_offset(&self) -> u64 {
        self.item_offset
    }

    /// Consumes input up to the end of the next item.
    fn take_item(&mut self) -> Option<Item> {
        if self.receiver.is_idle() {
            self.item_offset = self.connection.consumed();
        }
        if self.has_ended {
            let length = self.connection.input().len();
            self.connection.consume(length);
            return Some(Item::AfterClose);
        }
        // The receiver unmasks the bytes in place.
        let before = self.kept.is_some().then(|| self.connection.input().to_vec());
        let (consumed, item) = match self.receiver.receive(self.connection.input()) {
            Ok((consumed, event)) => (consumed, event.map(owned)),
            Err(error) => (self.connection.input().len(), Some(Item::Broken(error))),
        };
        self.has_ended = matches!(item, Some(Item::Close(_) | Item::Broken(_)));
        self.connection.consume(consumed);
        if let (Some(kept), Some(before)) = (&mut self.kept, before) {
            kept.extend_from_slice(&before[..consumed]);
        }
        item
    }
}

/// Returns the bytes of frames from a side that masks or not.
pub fn encode(frames: &[Frame], masks: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    frames.iter().for_each(|frame| frame.encode(masks, KEY, &mut bytes));
    bytes
}

fn owned(event: MessageEvent<'_>) -> Item {
    match event {
        MessageEvent::Text(text) => Item::Text(text.as_bytes().to_vec()),
        MessageEvent::Binary(bytes) => Item::Binary(bytes.to_vec()),
        MessageEvent::Ping(bytes) => Item::Ping(bytes.to_vec()),
        MessageEvent::Pong(bytes) => Item::Pong(bytes.to_vec()),
        MessageEvent::Close(close) => Item::Close(close.map(|(code, _)| code.0)),
    }
}
