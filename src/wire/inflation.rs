//! Inflating one side's messages, to show what they say (RFC 7692 §7.2.2).

use super::exchange::Compression;
use super::message::InflateError;
use super::span::Side;
use crate::protocol::websocket::ProtocolError;
use crate::protocol::websocket::extension::Agreement;
use crate::protocol::websocket::inflate::Inflater;

/// How many bytes a message is inflated to. Behind a longer one nothing can be inflated any more that may refer to it.
const MOST_INFLATED: u64 = 16 * 1024 * 1024 + 1;

/// What one side's compressed messages are inflated with.
#[derive(Debug)]
pub(super) enum Inflation {
    /// Nothing was agreed on.
    Off,
    /// This was, or it is presumed, for the handshake was not seen.
    On { inflater: Box<Inflater>, is_presumed: bool },
    /// There was something that a later message may refer to, and the view does not have it.
    Lost(&'static str),
}

impl Inflation {
    pub fn new(side: Side, compression: Compression) -> Self {
        let (agreement, is_presumed) = match compression {
            Compression::None => return Self::Off,
            Compression::Agreed(agreement) => (agreement, false),
            Compression::NotSeen => (Agreement::default(), true),
        };
        let direction = match side {
            Side::Client => agreement.client_to_server(),
            Side::Server => agreement.server_to_client(),
        };
        Self::On { inflater: Box::new(Inflater::new(direction)), is_presumed }
    }

    /// Whether RSV1 has a meaning.
    pub fn is_on(&self) -> bool {
        !matches!(self, Self::Off)
    }

    /// Inflates the next piece of a message's payload. `sink` is handed what it gives, and says how long the message is now.
    pub fn inflate(
        &mut self,
        piece: &[u8],
        is_end: bool,
        mut sink: impl FnMut(&[u8]) -> u64,
    ) -> Result<(), InflateError> {
        let (inflater, is_presumed) = match self {
            Self::On { inflater, is_presumed } => (inflater, *is_presumed),
            Self::Off => return Err(InflateError { why: "no compression was agreed on", is_wrong: false }),
            Self::Lost(why) => return Err(InflateError { why, is_wrong: false }),
        };
        let mut sink = |inflated: &[u8]| {
            if sink(inflated) > MOST_INFLATED { Err(ProtocolError::MessageTooBig) } else { Ok(()) }
        };
        let mut outcome = inflater.inflate(piece, &mut sink);
        if is_end && outcome.is_ok() {
            outcome = inflater.finish(&mut sink);
        }
        match outcome {
            Ok(()) => Ok(()),
            Err(ProtocolError::MessageTooBig) => {
                *self = Self::Lost("a message before it was longer than what the view inflates");
                Err(InflateError { why: "it is longer than what the view inflates", is_wrong: false })
            }
            Err(_) => {
                *self = Self::Lost("a message before it could not be inflated");
                // What is only presumed to be DEFLATE may be something else, and right.
                Err(InflateError { why: "it could not be inflated", is_wrong: !is_presumed })
            }
        }
    }
}
