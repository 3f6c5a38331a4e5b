//! The parameters of permessage-deflate (RFC 7692 §7.1).

use std::mem;

use super::error::ExtensionError;
use crate::protocol::http::fields::write_decimal;

/// The name of the extension (RFC 7692 §7).
pub const PERMESSAGE_DEFLATE: &[u8] = b"permessage-deflate";

/// The base-2 logarithm of the largest window, 32,768 bytes, which is the default (§7.1.2).
pub const MAX_WINDOW_BITS: u8 = 15;

/// An extension negotiation offer: what a client requests or allows (§7.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// The server must compress each message without the previous ones (§7.1.1.1).
    pub server_no_context_takeover: bool,
    /// A hint that the client compresses each message without the previous ones (§7.1.1.2).
    pub client_no_context_takeover: bool,
    /// The server must use a window of at most 2ⁿ bytes (§7.1.2.1): 8 to 15.
    pub server_max_window_bits: Option<u8>,
    /// The window of the client (§7.1.2.2).
    pub client_max_window_bits: ClientWindow,
}

/// The window of the client in an [`Offer`] (§7.1.2.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientWindow {
    /// No `client_max_window_bits`: the response must not contain the parameter.
    #[default]
    Unnamed,
    /// `client_max_window_bits` without a value: the server may choose a window.
    Any,
    /// `client_max_window_bits=n`: the client uses a window of at most 2ⁿ bytes, 8 to 15, and the
    /// server may choose a smaller one.
    AtMost(u8),
}

/// The agreed parameters of a connection: those of the server's response (§7.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Agreement {
    /// The server compresses each message without the previous ones (§7.1.1.1).
    pub server_no_context_takeover: bool,
    /// The client compresses each message without the previous ones (§7.1.1.2).
    pub client_no_context_takeover: bool,
    /// The server uses a window of at most 2ⁿ bytes, 8 to 15; `None` means 15 (§7.1.2.1).
    pub server_max_window_bits: Option<u8>,
    /// The client uses a window of at most 2ⁿ bytes, 8 to 15; `None` means 15 (§7.1.2.2).
    pub client_max_window_bits: Option<u8>,
}

/// The agreed parameters of one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Direction {
    /// A message may refer to the previous ones (§7.1.1).
    pub context_takeover: bool,
    /// A message may refer back over at most 2ⁿ bytes: 8 to 15 (§7.1.2).
    pub max_window_bits: u8,
}

impl Offer {
    /// Appends the value of `Sec-WebSocket-Extensions` for this offer to `out`.
    ///
    /// Several offers are separated by `, `, with the preferred one first (§5).
    pub fn write_offer(&self, out: &mut Vec<u8>) {
        let client_max_window_bits = match self.client_max_window_bits {
            ClientWindow::AtMost(bits) => Some(bits),
            ClientWindow::Unnamed | ClientWindow::Any => None,
        };
        Agreement {
            server_no_context_takeover: self.server_no_context_takeover,
            client_no_context_takeover: self.client_no_context_takeover,
            server_max_window_bits: self.server_max_window_bits,
            client_max_window_bits,
        }
        .write_response(out);
        if self.client_max_window_bits == ClientWindow::Any {
            out.extend_from_slice(b"; client_max_window_bits");
        }
    }

    /// Adds one parameter of an offer or a response (§7.1), with its value if it has one.
    pub(super) fn add(&mut self, name: &[u8], value: Option<&[u8]>) -> Result<(), ExtensionError> {
        let is_repeated = match (name, value) {
            (b"server_no_context_takeover", None) => mem::replace(&mut self.server_no_context_takeover, true),
            (b"client_no_context_takeover", None) => mem::replace(&mut self.client_no_context_takeover, true),
            (b"server_max_window_bits", Some(value)) => {
                self.server_max_window_bits.replace(window_bits(value)?).is_some()
            }
            (b"client_max_window_bits", value) => {
                let window = match value {
                    Some(value) => ClientWindow::AtMost(window_bits(value)?),
                    None => ClientWindow::Any,
                };
                mem::replace(&mut self.client_max_window_bits, window) != ClientWindow::Unnamed
            }
            (
                b"server_no_context_takeover" | b"client_no_context_takeover" | b"server_max_window_bits",
                _,
            ) => {
                return Err(ExtensionError::ParameterValue);
            }
            _ => return Err(ExtensionError::UnknownParameter),
        };
        if is_repeated { Err(ExtensionError::ParameterRepeated) } else { Ok(()) }
    }
}

/// Parses a decimal number from 8 to 15 without leading zeros (§7.1.2). Backslashes in `value` are
/// the escapes of a quoted string.
fn window_bits(value: &[u8]) -> Result<u8, ExtensionError> {
    let mut digits = value.iter().filter(|byte| **byte != b'\\');
    match (digits.next(), digits.next(), digits.next()) {
        (Some(digit @ b'8'..=b'9'), None, None) => Ok(digit - b'0'),
        (Some(b'1'), Some(digit @ b'0'..=b'5'), None) => Ok(10 + digit - b'0'),
        _ => Err(ExtensionError::ParameterValue),
    }
}

impl Agreement {
    /// Appends the value of `Sec-WebSocket-Extensions` for this response to `out`.
    pub fn write_response(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(PERMESSAGE_DEFLATE);
        if self.server_no_context_takeover {
            out.extend_from_slice(b"; server_no_context_takeover");
        }
        if self.client_no_context_takeover {
            out.extend_from_slice(b"; client_no_context_takeover");
        }
        if let Some(bits) = self.server_max_window_bits {
            out.extend_from_slice(b"; server_max_window_bits=");
            write_decimal(bits.into(), out);
        }
        if let Some(bits) = self.client_max_window_bits {
            out.extend_from_slice(b"; client_max_window_bits=");
            write_decimal(bits.into(), out);
        }
    }

    /// Returns the parameters for the messages of the server.
    pub fn server_to_client(&self) -> Direction {
        Direction::new(self.server_no_context_takeover, self.server_max_window_bits)
    }

    /// Returns the parameters for the messages of the client.
    pub fn client_to_server(&self) -> Direction {
        Direction::new(self.client_no_context_takeover, self.client_max_window_bits)
    }
}

impl Direction {
    fn new(no_context_takeover: bool, max_window_bits: Option<u8>) -> Self {
        Self {
            context_takeover: !no_context_takeover,
            max_window_bits: max_window_bits.unwrap_or(MAX_WINDOW_BITS),
        }
    }
}
