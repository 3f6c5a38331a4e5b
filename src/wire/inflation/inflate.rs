//! Decompression with zlib.

use super::InflateError;
use crate::protocol::websocket::ProtocolError;
use crate::protocol::websocket::extension::Agreement;
use crate::protocol::websocket::inflate::Inflater;
use crate::wire::exchange::Compression;
use crate::wire::span::Side;

/// The maximum size of an inflated message, in bytes. After a longer one, no message can be
/// inflated that may refer to it.
const MAX_INFLATED_BYTES: u64 = 16 * 1024 * 1024 + 1;

/// The decompression state of one side.
#[derive(Debug)]
pub(in crate::wire) enum Inflation {
    /// No compression was negotiated.
    Off,
    /// Compression was negotiated, or is presumed because the handshake was not seen.
    On { inflater: Box<Inflater>, is_presumed: bool },
    /// The window is lost, for this reason. Later messages may refer to it.
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

    /// Returns the heap memory in bytes.
    pub fn memory(&self) -> usize {
        match self {
            Self::On { inflater, .. } => size_of::<Inflater>() + inflater.memory(),
            Self::Off | Self::Lost(_) => 0,
        }
    }

    /// Returns the work since the last call; see [`Inflater::take_work`].
    pub fn take_work(&mut self) -> u64 {
        match self {
            Self::On { inflater, .. } => inflater.take_work(),
            Self::Off | Self::Lost(_) => 0,
        }
    }

    /// Returns true if RSV1 has a meaning.
    pub fn is_on(&self) -> bool {
        !matches!(self, Self::Off)
    }

    /// Inflates the next piece of a message's payload. `sink` receives the inflated bytes and
    /// returns the length of the message so far.
    pub fn inflate(
        &mut self,
        piece: &[u8],
        is_end: bool,
        mut sink: impl FnMut(&[u8]) -> u64,
    ) -> Result<(), InflateError> {
        let (inflater, is_presumed) = match self {
            Self::On { inflater, is_presumed } => (inflater, *is_presumed),
            Self::Off => {
                return Err(InflateError { why: "no compression was negotiated", is_violation: false });
            }
            Self::Lost(why) => return Err(InflateError { why, is_violation: false }),
        };
        let mut sink = |inflated: &[u8]| {
            if sink(inflated) > MAX_INFLATED_BYTES { Err(ProtocolError::MessageTooBig) } else { Ok(()) }
        };
        let mut outcome = inflater.inflate(piece, &mut sink);
        if is_end && outcome.is_ok() {
            outcome = inflater.finish(&mut sink);
        }
        match outcome {
            Ok(()) => Ok(()),
            Err(ProtocolError::MessageTooBig) => {
                *self = Self::Lost("an earlier message was longer than the 16 MiB that the view inflates");
                let why = "it is longer than the 16 MiB that the view inflates";
                Err(InflateError { why, is_violation: false })
            }
            Err(_) => {
                *self = Self::Lost("an earlier message could not be inflated");
                // Presumed DEFLATE data may be valid data of another extension.
                Err(InflateError { why: "it could not be inflated", is_violation: !is_presumed })
            }
        }
    }
}
