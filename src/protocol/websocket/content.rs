//! What has arrived of a message (RFC 6455 §5.6).

use super::frame::Opcode;
use super::message::MessageEvent;
use super::protocol_error::ProtocolError;
use super::utf8::{InvalidUtf8, Utf8};

/// The bytes of a message. They grow with what has come, never to a length that was only announced.
#[derive(Debug)]
pub enum Content {
    /// The characters that are whole, and the state of the one that is not.
    Text {
        text: String,
        utf8: Utf8,
    },
    Binary(Vec<u8>),
}

impl Content {
    /// Of a message whose first frame has this opcode.
    pub fn new(opcode: Opcode) -> Self {
        match opcode {
            Opcode::Text => Self::Text { text: String::new(), utf8: Utf8::new() },
            _ => Self::Binary(Vec::new()),
        }
    }

    /// Bytes that have arrived.
    pub fn length(&self) -> usize {
        match self {
            Self::Text { text, utf8 } => text.len() + utf8.unfinished(),
            Self::Binary(bytes) => bytes.len(),
        }
    }

    /// The memory that they take, in bytes.
    pub fn memory(&self) -> usize {
        match self {
            Self::Text { text, .. } => text.capacity(),
            Self::Binary(bytes) => bytes.capacity(),
        }
    }

    /// Appends `piece`; text is checked as far as it goes (§8.1).
    pub fn push(&mut self, piece: &[u8]) -> Result<(), InvalidUtf8> {
        match self {
            Self::Text { text, utf8 } => utf8.push_to(piece, text),
            Self::Binary(bytes) => {
                bytes.extend_from_slice(piece);
                Ok(())
            }
        }
    }

    /// Appends `piece` as [`push`](Self::push) does, if the message has at most `most` bytes with it (§10.4).
    ///
    /// Of a text that is too long and wrong, what comes first is told: the cuts must not decide.
    pub fn push_within(&mut self, most: usize, piece: &[u8]) -> Result<(), ProtocolError> {
        let room = most.saturating_sub(self.length());
        self.push(&piece[..room.min(piece.len())])?;
        if piece.len() > room { Err(ProtocolError::MessageTooBig) } else { Ok(()) }
    }

    /// Checks what must be true at a message's end, but not at a frame's: that no character is cut (§5.6).
    pub fn finish(&self) -> Result<(), InvalidUtf8> {
        match self {
            Self::Text { utf8, .. } if !utf8.is_complete() => Err(InvalidUtf8),
            Self::Text { .. } | Self::Binary(_) => Ok(()),
        }
    }

    /// The message that it is, if it is finished.
    pub fn event(&self) -> MessageEvent<'_> {
        match self {
            Self::Text { text, .. } => MessageEvent::Text(text),
            Self::Binary(bytes) => MessageEvent::Binary(bytes),
        }
    }
}
