//! The check of text (RFC 6455 §8.1), with the three faults that it can have.

use barewire::protocol::websocket::utf8::Utf8;

use super::Fault;
use super::connection::Connection;

/// When the text of a message is checked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Check {
    Never,
    /// As the bytes arrive; a character may be split between frames.
    AtOnce,
    /// As the bytes arrive, but each frame ends a text.
    PerFrame,
    AtEnd,
}

/// The text of one message.
pub struct TextCheck {
    check: Check,
    utf8: Utf8,
}

/// The text is not UTF-8.
pub struct InvalidText;

impl TextCheck {
    pub fn new(connection: &Connection, is_text: bool) -> TextCheck {
        let check = match connection.shared.fault {
            _ if !is_text => Check::Never,
            Some(Fault::NoUtf8Check) => Check::Never,
            Some(Fault::ChecksUtf8PerFrame) => Check::PerFrame,
            Some(Fault::ChecksUtf8AtEnd) => Check::AtEnd,
            _ => Check::AtOnce,
        };
        TextCheck { check, utf8: Utf8::new() }
    }

    /// Checks the next bytes.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), InvalidText> {
        match self.check {
            Check::AtOnce | Check::PerFrame => self.utf8.push(bytes).map_err(|_| InvalidText),
            Check::Never | Check::AtEnd => Ok(()),
        }
    }

    /// Checks the end of a frame.
    pub fn end_frame(&self) -> Result<(), InvalidText> {
        let is_valid = self.check != Check::PerFrame || self.utf8.is_complete();
        if is_valid { Ok(()) } else { Err(InvalidText) }
    }

    /// Checks the end of the message.
    pub fn end_message(&self, message: &[u8]) -> Result<(), InvalidText> {
        let is_valid = match self.check {
            Check::Never => true,
            Check::AtOnce | Check::PerFrame => self.utf8.is_complete(),
            Check::AtEnd => str::from_utf8(message).is_ok(),
        };
        if is_valid { Ok(()) } else { Err(InvalidText) }
    }
}
