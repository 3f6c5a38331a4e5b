//! The negotiation of permessage-deflate (RFC 7692 §5, §7; the field's grammar: RFC 6455 §9.1).
//!
//! The client lists what it could do, best first; the server picks one offer and answers with what is to hold:
//!
//! ```text
//! C: Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=10, permessage-deflate
//! S: Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=10
//! ```
//!
//! There are two parameters for each direction, and each takes something from the direction's compressor: the messages
//! before this one (`…_no_context_takeover`), or how far it may look back (`…_max_window_bits`). An offer or an answer
//! without parameters is the best compression, and the most memory.

mod list;

use std::fmt;

use list::{Extension, Extensions, Value};

use crate::protocol::http::fields::write_decimal;

/// The extension's name (RFC 7692 §7).
pub const PERMESSAGE_DEFLATE: &[u8] = b"permessage-deflate";

/// The base-2 logarithm of the greatest window there is, 32,768 bytes: what holds if none is named (§7.1.2).
pub const MAX_WINDOW_BITS: u8 = 15;

/// What a client offers (§7.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// The server is to compress each message without those before it (§7.1.1.1).
    pub server_no_context_takeover: bool,
    /// A hint that the client will do so (§7.1.1.2).
    pub client_no_context_takeover: bool,
    /// The server is to look back at most 2ⁿ bytes (§7.1.2.1): 8 to 15.
    pub server_max_window_bits: Option<u8>,
    /// What the client says of its own window (§7.1.2.2).
    pub client_max_window_bits: ClientWindow,
}

/// What an offer says of the client's window (§7.1.2.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientWindow {
    /// Nothing, and then the server must not speak of it either.
    #[default]
    Unnamed,
    /// `client_max_window_bits` alone: the server may choose.
    Any,
    /// `client_max_window_bits=n`: the client looks back at most 2ⁿ bytes, and the server may ask for less; 8 to 15.
    AtMost(u8),
}

/// What the server wants, whatever is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerPreferences {
    /// The server will compress each message alone, and says so: the client then needs to keep no window (§7.1.1.1).
    pub server_no_context_takeover: bool,
    /// The client must compress each message alone: the server then needs to keep no window (§7.1.1.2).
    pub client_no_context_takeover: bool,
    /// The most that the server will look back (§7.1.2.1): 8 to 15.
    pub server_max_window_bits: u8,
    /// The most that the client shall look back, if it lets the server choose (§7.1.2.2): 8 to 15.
    pub client_max_window_bits: u8,
}

impl Default for ServerPreferences {
    fn default() -> Self {
        Self {
            server_no_context_takeover: false,
            client_no_context_takeover: false,
            server_max_window_bits: MAX_WINDOW_BITS,
            client_max_window_bits: MAX_WINDOW_BITS,
        }
    }
}

/// What holds for a connection: the parameters of the server's answer (§7.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Agreement {
    /// The server compresses each message without those before it (§7.1.1.1).
    pub server_no_context_takeover: bool,
    /// The client compresses each message without those before it (§7.1.1.2).
    pub client_no_context_takeover: bool,
    /// The server looks back at most 2ⁿ bytes, 8 to 15; 15 if it is not named (§7.1.2.1).
    pub server_max_window_bits: Option<u8>,
    /// The client looks back at most 2ⁿ bytes, 8 to 15; 15 if it is not named (§7.1.2.2).
    pub client_max_window_bits: Option<u8>,
}

/// What an [`Agreement`] says of one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Direction {
    /// A message may refer to those before it (§7.1.1).
    pub context_takeover: bool,
    /// How far a message may refer back: 2ⁿ bytes, 8 to 15 (§7.1.2).
    pub max_window_bits: u8,
}

/// Chooses the first offer of permessage-deflate that can be accepted, and what to answer; `None` if there is none, and then
/// the answer carries no such field.
///
/// `lines` are the values of all `Sec-WebSocket-Extensions` fields of the request: together they are one list (RFC
/// 6455 §9.1). Other extensions are passed over, and so are offers that §7 has a server decline: those with a parameter
/// that it does not know, or knows with other values, or that stands twice.
///
/// # Errors
///
/// [`ExtensionError::Grammar`] if a line is no list of extensions at all.
pub fn negotiate<'a>(
    lines: impl Iterator<Item = &'a [u8]>,
    wishes: &ServerPreferences,
) -> Result<Option<Agreement>, ExtensionError> {
    let mut accepted = None;
    // All lines are read, also behind an offer that is accepted: whether they are right is to depend on nothing else.
    for line in lines {
        for extension in Extensions::of(line)? {
            let Extension { name, offer } = extension?;
            if let (PERMESSAGE_DEFLATE, Ok(offer), None) = (name, offer, accepted) {
                accepted = Some(answer(&offer, wishes));
            }
        }
    }
    Ok(accepted)
}

/// All offers of permessage-deflate that could be accepted, in the client's order.
///
/// `lines` are those of [`negotiate`], and what it passes over is left out here too.
///
/// # Errors
///
/// [`ExtensionError::Grammar`] if a line is no list of extensions at all.
pub fn offers<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Result<Vec<Offer>, ExtensionError> {
    let mut offers = Vec::new();
    for line in lines {
        for extension in Extensions::of(line)? {
            let Extension { name, offer } = extension?;
            offers.extend(offer.ok().filter(|_| name == PERMESSAGE_DEFLATE));
        }
    }
    Ok(offers)
}

/// What a server answers to an offer: no more than each side wants.
fn answer(offer: &Offer, wishes: &ServerPreferences) -> Agreement {
    // A window is named where it has to be: if the offer named it, or if it is less than all.
    let less_than_all = |wish: u8| (wish < MAX_WINDOW_BITS).then_some(wish);
    Agreement {
        // §7.1.1.1: an offer that asks for it is accepted by saying it, and a server may say it unasked.
        server_no_context_takeover: offer.server_no_context_takeover || wishes.server_no_context_takeover,
        // §7.1.1.2: the same unasked; and a client that will not do it anyway may as well be held to that.
        client_no_context_takeover: offer.client_no_context_takeover || wishes.client_no_context_takeover,
        // §7.1.2.1: the same or a smaller value than the offer's, or any if it has none. 8 is no exception: zlib's smallest
        // window is 9, but what it writes with that keeps within 8 (see `deflate`).
        server_max_window_bits: match offer.server_max_window_bits {
            Some(bits) => Some(bits.min(wishes.server_max_window_bits)),
            None => less_than_all(wishes.server_max_window_bits),
        },
        // §7.1.2.2: likewise, but never unasked. Any window is right for who inflates with the greatest.
        client_max_window_bits: match offer.client_max_window_bits {
            ClientWindow::Unnamed => None,
            ClientWindow::Any => less_than_all(wishes.client_max_window_bits),
            ClientWindow::AtMost(bits) => Some(bits.min(wishes.client_max_window_bits)),
        },
    }
}

/// Judges what a server has answered to `offer`; `None` if it wants no extension.
///
/// `lines` are the values of all `Sec-WebSocket-Extensions` fields of the response. What the client has promised of itself
/// (§7.1.1.2, §7.1.2.2) is part of the agreement, also where the server does not repeat it.
///
/// # Errors
///
/// The rule that the answer breaks; the client must then fail the connection (§7).
pub fn check_response<'a>(
    offer: &Offer,
    lines: impl Iterator<Item = &'a [u8]>,
) -> Result<Option<Agreement>, ExtensionError> {
    let mut accepted = None;
    for line in lines {
        for extension in Extensions::of(line)? {
            let Extension { name, offer: answer } = extension?;
            if name != PERMESSAGE_DEFLATE {
                return Err(ExtensionError::NotOffered);
            }
            if accepted.replace(agree(offer, &answer?)?).is_some() {
                return Err(ExtensionError::AcceptedTwice);
            }
        }
    }
    Ok(accepted)
}

/// Holds an answer, which has the form of an offer, against the offer that it answers.
fn agree(offer: &Offer, answer: &Offer) -> Result<Agreement, ExtensionError> {
    if offer.server_no_context_takeover && !answer.server_no_context_takeover {
        return Err(ExtensionError::ServerContextTakeover); // §7.1.1.1
    }
    if let Some(most) = offer.server_max_window_bits
        && answer.server_max_window_bits.is_none_or(|bits| bits > most)
    {
        return Err(ExtensionError::ServerWindow); // §7.1.2.1
    }
    let client_max_window_bits = match (offer.client_max_window_bits, answer.client_max_window_bits) {
        (_, ClientWindow::Any) => return Err(ExtensionError::ParameterValue), // §7.1.2.2
        (ClientWindow::Unnamed, ClientWindow::AtMost(_)) => return Err(ExtensionError::ClientWindow),
        (ClientWindow::AtMost(most), ClientWindow::AtMost(bits)) if bits > most => {
            return Err(ExtensionError::ClientWindow);
        }
        (_, ClientWindow::AtMost(bits)) | (ClientWindow::AtMost(bits), ClientWindow::Unnamed) => Some(bits),
        (ClientWindow::Unnamed | ClientWindow::Any, ClientWindow::Unnamed) => None,
    };
    Ok(Agreement {
        server_no_context_takeover: answer.server_no_context_takeover,
        client_no_context_takeover: offer.client_no_context_takeover || answer.client_no_context_takeover,
        server_max_window_bits: answer.server_max_window_bits,
        client_max_window_bits,
    })
}

impl Offer {
    /// Appends the value of `Sec-WebSocket-Extensions` that makes this offer.
    ///
    /// A client that has several writes `, ` between them, the best first (§5).
    pub fn write_offer(&self, out: &mut Vec<u8>) {
        let client_bits = match self.client_max_window_bits {
            ClientWindow::AtMost(bits) => Some(bits),
            ClientWindow::Unnamed | ClientWindow::Any => None,
        };
        Agreement {
            server_no_context_takeover: self.server_no_context_takeover,
            client_no_context_takeover: self.client_no_context_takeover,
            server_max_window_bits: self.server_max_window_bits,
            client_max_window_bits: client_bits,
        }
        .write_response(out);
        if self.client_max_window_bits == ClientWindow::Any {
            out.extend_from_slice(b"; client_max_window_bits");
        }
    }

    /// Adds one parameter of an offer or an answer (§7.1).
    fn add(&mut self, name: &[u8], value: Option<Value>) -> Result<(), ExtensionError> {
        let twice = match name {
            b"server_no_context_takeover" => {
                std::mem::replace(&mut self.server_no_context_takeover, flag(value)?)
            }
            b"client_no_context_takeover" => {
                std::mem::replace(&mut self.client_no_context_takeover, flag(value)?)
            }
            b"server_max_window_bits" => {
                let bits = value.ok_or(ExtensionError::ParameterValue)?.window_bits()?;
                self.server_max_window_bits.replace(bits).is_some()
            }
            b"client_max_window_bits" => {
                let window = match value {
                    Some(value) => ClientWindow::AtMost(value.window_bits()?),
                    None => ClientWindow::Any,
                };
                std::mem::replace(&mut self.client_max_window_bits, window) != ClientWindow::Unnamed
            }
            _ => return Err(ExtensionError::UnknownParameter),
        };
        if twice { Err(ExtensionError::ParameterRepeated) } else { Ok(()) }
    }
}

/// A parameter that is there or not: true, for it is there, if it has no value (§7.1.1).
fn flag(value: Option<Value>) -> Result<bool, ExtensionError> {
    if value.is_none() { Ok(true) } else { Err(ExtensionError::ParameterValue) }
}

impl Agreement {
    /// Appends the value of `Sec-WebSocket-Extensions` that gives this answer.
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

    /// What holds for what the server sends.
    pub const fn server_to_client(&self) -> Direction {
        Direction::new(self.server_no_context_takeover, self.server_max_window_bits)
    }

    /// What holds for what the client sends.
    pub const fn client_to_server(&self) -> Direction {
        Direction::new(self.client_no_context_takeover, self.client_max_window_bits)
    }
}

impl Direction {
    const fn new(no_context_takeover: bool, max_window_bits: Option<u8>) -> Self {
        let max_window_bits = match max_window_bits {
            Some(bits) => bits,
            None => MAX_WINDOW_BITS,
        };
        Self { context_takeover: !no_context_takeover, max_window_bits }
    }
}

/// What makes a `Sec-WebSocket-Extensions` field wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExtensionError {
    /// It is no list of extensions (RFC 6455 §9.1).
    Grammar,
    /// The answer names an extension that was not offered (RFC 6455 §4.1).
    NotOffered,
    /// The answer accepts two offers of one extension, and RSV1 can speak only of one (RFC 7692 §6).
    AcceptedTwice,
    /// A parameter that the extension does not have (RFC 7692 §7).
    UnknownParameter,
    /// A parameter with a value that it cannot have, or without the one that it needs (RFC 7692 §7).
    ParameterValue,
    /// A parameter that stands twice (RFC 7692 §7).
    ParameterRepeated,
    /// The answer lacks the `server_no_context_takeover` of the offer (RFC 7692 §7.1.1.1).
    ServerContextTakeover,
    /// The answer lacks the `server_max_window_bits` of the offer, or exceeds it (RFC 7692 §7.1.2.1).
    ServerWindow,
    /// The answer names a `client_max_window_bits` beyond the offer's, or one that was not offered (RFC 7692 §7.1.2.2).
    ClientWindow,
}

impl ExtensionError {
    /// The HTTP status with which a server refuses the handshake; a client fails the connection (RFC 6455 §4.1, §9.1).
    pub const fn status(self) -> u16 {
        400
    }
}

impl fmt::Display for ExtensionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Grammar => "Sec-WebSocket-Extensions is no list of extensions (RFC 6455 section 9.1)",
            Self::NotOffered => "the server accepts an extension that was not offered (RFC 6455 section 4.1)",
            Self::AcceptedTwice => "the server accepts permessage-deflate twice (RFC 7692 section 6)",
            Self::UnknownParameter => "permessage-deflate has no such parameter (RFC 7692 section 7)",
            Self::ParameterValue => {
                "a parameter of permessage-deflate has a wrong value (RFC 7692 section 7)"
            }
            Self::ParameterRepeated => "a parameter of permessage-deflate stands twice (RFC 7692 section 7)",
            Self::ServerContextTakeover => {
                "the server ignores server_no_context_takeover (RFC 7692 section 7.1.1.1)"
            }
            Self::ServerWindow => {
                "the server does not keep to server_max_window_bits (RFC 7692 section 7.1.2.1)"
            }
            Self::ClientWindow => {
                "the server's client_max_window_bits was not offered (RFC 7692 section 7.1.2.2)"
            }
        })
    }
}

impl std::error::Error for ExtensionError {}
