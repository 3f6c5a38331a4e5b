//! Messages, joined from frames and inflated, as far as the view keeps them (RFC 6455 §5.4, RFC 7692 §7.2.2).

use super::cut::broken;
use super::exchange::Compression;
use super::note::{Content, Note};
use super::section::Section;
use super::span::{Side, Wrong};
#[cfg(feature = "deflate")]
use crate::protocol::websocket::extension::Agreement;
#[cfg(feature = "deflate")]
use crate::protocol::websocket::inflate::{Inflater, InvalidDeflate};
use crate::protocol::websocket::utf8::Utf8;

/// How many bytes of a message the view keeps, to show it whole. Of a longer one it tells the length.
pub const MOST_OF_A_MESSAGE: usize = 128 * 1024;

/// How many bytes a message is inflated to. Behind a longer one nothing can be inflated any more that may refer to it.
#[cfg(feature = "deflate")]
const MOST_INFLATED: u64 = 16 * 1024 * 1024 + 1;

/// What became wrong with a message at a piece of its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// This byte of the piece can't follow in UTF-8.
    Utf8At(usize),
    /// What the piece inflates to is not UTF-8.
    InflatedUtf8,
    /// It is not DEFLATE.
    Deflate,
    /// The message ends inside a character.
    Unfinished,
}

/// A message under way.
#[derive(Debug)]
pub(super) struct Message {
    /// Its text so far; `None` where it is binary, or wrong already.
    utf8: Option<Utf8>,
    is_text: bool,
    pub compressed: bool,
    pub frames: u64,
    payload: u64,
    length: u64,
    kept: Vec<u8>,
    /// Why its content is not known.
    not_kept: Option<&'static str>,
}

impl Message {
    pub fn new(is_text: bool, compressed: bool) -> Self {
        Self {
            utf8: is_text.then(Utf8::new),
            is_text,
            compressed,
            frames: 1,
            payload: 0,
            length: 0,
            kept: Vec::new(),
            not_kept: None,
        }
    }

    /// Takes the next piece of its payload, unmasked; `is_end` if it is the last.
    pub fn push(&mut self, piece: &[u8], is_end: bool, inflation: &mut Inflation) -> Option<Fault> {
        self.payload += piece.len() as u64;
        let fault = if self.compressed {
            self.push_compressed(piece, is_end, inflation)
        } else {
            self.keep(piece).map(Fault::Utf8At)
        };
        fault.or_else(|| {
            let is_unfinished = is_end && self.utf8.is_some_and(|utf8| !utf8.is_complete());
            is_unfinished.then(|| if self.compressed { Fault::InflatedUtf8 } else { Fault::Unfinished })
        })
    }

    /// Takes bytes of the message itself, and gives the first that is not UTF-8 where it should.
    fn keep(&mut self, piece: &[u8]) -> Option<usize> {
        self.length += piece.len() as u64;
        if self.length > MOST_OF_A_MESSAGE as u64 {
            self.kept = Vec::new();
            self.not_kept.get_or_insert("it is longer than what the view keeps");
        } else {
            self.kept.extend_from_slice(piece);
        }
        let wrong = push(self.utf8.as_mut()?, piece)?;
        self.utf8 = None;
        Some(wrong)
    }

    #[cfg(feature = "deflate")]
    fn push_compressed(&mut self, piece: &[u8], is_end: bool, inflation: &mut Inflation) -> Option<Fault> {
        let inflater = match inflation {
            Inflation::On { inflater, .. } => inflater,
            Inflation::Off => return self.lose("no compression was agreed on"),
            Inflation::Lost(why) => return self.lose(why),
        };
        let mut is_utf8 = true;
        let mut outcome = inflater.inflate(piece, |inflated| {
            is_utf8 &= self.keep(inflated).is_none();
            if self.length > MOST_INFLATED { Err(Stop::TooLong) } else { Ok(()) }
        });
        if is_end && outcome.is_ok() {
            outcome = inflater.finish(|inflated| {
                is_utf8 &= self.keep(inflated).is_none();
                Ok(())
            });
        }
        match outcome {
            Ok(()) if is_utf8 => None,
            Ok(()) => Some(Fault::InflatedUtf8),
            Err(Stop::TooLong) => {
                *inflation = Inflation::Lost("a message before it was longer than what the view inflates");
                self.lose("it is longer than what the view inflates")
            }
            Err(Stop::Invalid) => {
                let is_presumed = inflation.is_presumed();
                *inflation = Inflation::Lost("a message before it could not be inflated");
                self.lose("it could not be inflated");
                (!is_presumed).then_some(Fault::Deflate)
            }
        }
    }

    #[cfg(not(feature = "deflate"))]
    fn push_compressed(&mut self, _: &[u8], _: bool, _: &mut Inflation) -> Option<Fault> {
        self.lose("this build can't inflate")
    }

    fn lose(&mut self, why: &'static str) -> Option<Fault> {
        self.kept = Vec::new();
        self.utf8 = None;
        self.not_kept.get_or_insert(why);
        None
    }

    /// What is wrong if it ends here, with a frame that has no payload.
    pub fn is_cut(&self) -> Option<Wrong> {
        let is_cut = !self.compressed && self.utf8.is_some_and(|utf8| !utf8.is_complete());
        is_cut.then(|| broken("The text ends inside a character.", Section::rfc(6455, "8.1")))
    }

    /// What it says, now that it is whole.
    pub fn note(self) -> Note {
        let content = match self.not_kept {
            Some(why) => Content::NotKept(why),
            None if self.is_text => Content::Text(
                String::from_utf8(self.kept)
                    .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()),
            ),
            None => Content::Binary(self.kept.into()),
        };
        Note::Message {
            frames: self.frames,
            payload: self.payload,
            compressed: self.compressed,
            length: self.length,
            content,
        }
    }
}

/// Takes the next piece of a text, and gives the first byte that no UTF-8 can have there.
pub(super) fn push(utf8: &mut Utf8, piece: &[u8]) -> Option<usize> {
    let before = *utf8;
    if utf8.push(piece).is_ok() {
        return None;
    }
    let mut again = before;
    piece.iter().position(|byte| again.push(std::slice::from_ref(byte)).is_err())
}

/// What one side's compressed messages are inflated with.
#[derive(Debug)]
pub(super) enum Inflation {
    /// Nothing was agreed on.
    Off,
    /// This was, or it is presumed.
    #[cfg(feature = "deflate")]
    On { inflater: Box<Inflater>, is_presumed: bool },
    /// There was something that a later message may refer to, and the view has not seen it.
    #[cfg(feature = "deflate")]
    Lost(&'static str),
    /// Something may have been agreed on, but this build can't inflate.
    #[cfg(not(feature = "deflate"))]
    Unable { is_presumed: bool },
}

impl Inflation {
    #[cfg(feature = "deflate")]
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

    #[cfg(not(feature = "deflate"))]
    pub fn new(_: Side, compression: Compression) -> Self {
        match compression {
            Compression::None => Self::Off,
            Compression::Agreed(_) => Self::Unable { is_presumed: false },
            Compression::NotSeen => Self::Unable { is_presumed: true },
        }
    }

    /// Whether RSV1 has a meaning.
    pub fn is_on(&self) -> bool {
        !matches!(self, Self::Off)
    }

    /// Whether it is only presumed, for the handshake was not seen.
    pub fn is_presumed(&self) -> bool {
        match self {
            #[cfg(feature = "deflate")]
            Self::On { is_presumed, .. } => *is_presumed,
            #[cfg(not(feature = "deflate"))]
            Self::Unable { is_presumed } => *is_presumed,
            _ => false,
        }
    }
}

/// Why no more is inflated.
#[cfg(feature = "deflate")]
enum Stop {
    TooLong,
    Invalid,
}

#[cfg(feature = "deflate")]
impl From<InvalidDeflate> for Stop {
    fn from(InvalidDeflate: InvalidDeflate) -> Self {
        Self::Invalid
    }
}
