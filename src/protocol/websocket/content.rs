//! The content of a message that is still arriving (RFC 6455 §5.6).

use super::frame::Opcode;
use super::protocol_error::ProtocolError;
use super::utf8::Utf8;

/// The bytes of a message that have arrived. The memory grows with the received bytes, never to an
/// announced length.
#[derive(Debug)]
pub enum Content {
    /// The complete characters, and the state of an incomplete one.
    Text {
        text: String,
        utf8: Utf8,
    },
    Binary(Vec<u8>),
}

impl Content {
    /// Returns the empty content of a message whose first frame has this opcode.
    pub fn new(opcode: Opcode) -> Self {
        match opcode {
            Opcode::Text => Self::Text { text: String::new(), utf8: Utf8::new() },
            _ => Self::Binary(Vec::new()),
        }
    }

    /// Returns the number of bytes received.
    pub fn length(&self) -> usize {
        match self {
            Self::Text { text, utf8 } => text.len() + utf8.incomplete_bytes(),
            Self::Binary(bytes) => bytes.len(),
        }
    }

    /// Returns the allocated memory in bytes.
    pub fn memory(&self) -> usize {
        match self {
            Self::Text { text, .. } => text.capacity(),
            Self::Binary(bytes) => bytes.capacity(),
        }
    }

    /// Appends `bytes`. Text is validated as far as it has arrived (§8.1).
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), ProtocolError> {
        match self {
            Self::Text { text, utf8 } => utf8.push_to(bytes, text),
            Self::Binary(content) => {
                content.extend_from_slice(bytes);
                Ok(())
            }
        }
    }

    /// Appends `bytes` as [`push`](Self::push) does, but rejects a message of more than `limit`
    /// bytes (§10.4).
    ///
    /// Invalid text before the limit is reported first, so that the result does not depend on how
    /// the message was divided.
    pub fn push_within(&mut self, limit: usize, bytes: &[u8]) -> Result<(), ProtocolError> {
        let remaining = limit.saturating_sub(self.length());
        self.push(&bytes[..remaining.min(bytes.len())])?;
        if bytes.len() > remaining { Err(ProtocolError::MessageTooBig) } else { Ok(()) }
    }

    /// Checks at the end of the message that no character is incomplete (§5.6).
    pub fn finish(&self) -> Result<(), ProtocolError> {
        match self {
            Self::Text { utf8, .. } if !utf8.is_complete() => Err(ProtocolError::InvalidUtf8),
            Self::Text { .. } | Self::Binary(_) => Ok(()),
        }
    }
}
