//! Receiving: from bytes, cut anywhere, to messages and control frames (RFC 6455 §5.4, §6.2).
//!
//! Two things are under way at once, and each has its enum. A **frame** is in its header or in its
//! payload. A **message** is between two messages, or has some of its frames and awaits another. They are
//! two because control frames may come between the frames of a message (§5.4): the frame goes on to a ping's
//! header and payload, while the message stays where it is.
//!
//! ```text
//!  Frame:    Header ──whole──▶ Payload ──whole──▶ Header …      a close frame, a failure ──▶ Closing
//!  Message:  Between ──first bytes──▶ Assembling ──last frame──▶ Delivered ──next call──▶ Between
//! ```
//!
//! The usual message is one frame that came in one read. It never becomes `Assembling`: its event borrows the
//! caller's bytes. A message that is compressed (RFC 7692) is always assembled, from what its payload inflates to.

use std::mem;

use super::close::{self, CloseCode};
use super::content::Content;
#[cfg(feature = "deflate")]
use super::extension::Agreement;
use super::frame::{self, FirstByte, FrameHeader, MAX_CONTROL_PAYLOAD, MAX_HEADER, Opcode};
use super::inflate::Inflater;
use super::mask;
use super::protocol_error::ProtocolError;

/// Which side receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Demands that frames are masked (§5.1).
    Server,
    /// Refuses frames that are masked (§5.1).
    Client,
}

/// How much one message may ask of the receiver (§10.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageLimits {
    /// The most bytes in one message, inflated if it is compressed. A compressed payload may have twice as many, and 64:
    /// no encoder needs so many, and one that sends empty blocks for ever is stopped.
    pub message_bytes: usize,
    /// The most frames in one message. Empty ones count: they would else keep a receiver busy for ever.
    pub frames: usize,
}

impl MessageLimits {
    const fn compressed_bytes(self) -> usize {
        self.message_bytes.saturating_mul(2).saturating_add(64)
    }
}

/// What has been received (§6.2). Payloads are unmasked, inflated, and whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageEvent<'a> {
    /// A text message.
    Text(&'a str),
    /// A binary message.
    Binary(&'a [u8]),
    /// A ping, to be answered with a pong of the same payload (§5.5.2).
    Ping(&'a [u8]),
    /// A pong, asked for or not (§5.5.3).
    Pong(&'a [u8]),
    /// The peer's last frame, with its code and reason if it gave one (§5.5.1).
    Close(Option<(CloseCode, &'a str)>),
}

/// The receiving half of one connection.
#[derive(Debug)]
pub struct Receiver {
    role: Role,
    limits: MessageLimits,
    frame: Frame,
    message: Message,
    /// There if permessage-deflate was negotiated.
    inflater: Option<Inflater>,
    /// The payload of a control frame that comes in pieces, of which [`Frame::Payload`] says how much is there.
    control: [u8; MAX_CONTROL_PAYLOAD],
}

/// Where in a frame the next byte stands.
#[derive(Debug)]
enum Frame {
    /// In the header, of which `arrived` bytes are kept: none between two frames.
    Header { kept: [u8; MAX_HEADER], arrived: usize },
    /// In the payload, of which `arrived` bytes came in earlier calls.
    Payload { header: FrameHeader, arrived: usize },
    /// Behind a close frame, after which a peer has nothing to say (§5.5.1), or behind a failure, after which
    /// nothing may be processed (§7.1.7).
    Closing,
}

impl Frame {
    const START: Self = Self::Header { kept: [0; MAX_HEADER], arrived: 0 };
}

/// Where in a message the next data frame stands (§5.4).
#[derive(Debug)]
enum Message {
    /// It begins one.
    Between,
    /// It continues this one, of which `frames` frames have begun to arrive. If it is `compressed`, that is how many
    /// bytes of payload its content came in.
    Assembling { content: Content, frames: usize, compressed: Option<usize> },
    /// It begins one, and the event that the last call gave still borrows this.
    Delivered(Content),
}

/// What a call has completed, and where its payload stands.
enum Complete {
    /// A message of one frame or a control frame: the last `length` bytes consumed of the input.
    InOnePiece { opcode: Opcode, length: usize },
    /// A control frame that came in pieces: the first `length` bytes of the receiver's `control`.
    Control { opcode: Opcode, length: usize },
    /// A message of several frames or in several pieces, or a compressed one: [`Message::Delivered`].
    Message,
}

impl Receiver {
    /// A receiver at the start of a connection, or between any two messages of it.
    pub const fn new(role: Role, limits: MessageLimits) -> Self {
        Self {
            role,
            limits,
            frame: Frame::START,
            message: Message::Between,
            inflater: None,
            control: [0; MAX_CONTROL_PAYLOAD],
        }
    }

    /// A receiver at the start of a connection for which permessage-deflate was negotiated, or between any two messages of it
    /// where the last receiver [was idle](Self::is_idle).
    #[cfg(feature = "deflate")]
    pub fn with_deflate(role: Role, limits: MessageLimits, agreement: &Agreement) -> Self {
        let direction = match role {
            Role::Server => agreement.client_to_server(),
            Role::Client => agreement.server_to_client(),
        };
        Self { inflater: Some(Inflater::new(direction)), ..Self::new(role, limits) }
    }

    /// Takes what it can from `input`: how many bytes it has consumed, and the event that they complete, if any.
    ///
    /// There is at most one event in a call, so call again with the rest while there is a rest. Without an event
    /// all of `input` is consumed. Consumed bytes are unmasked in place; a message that is one frame, with its
    /// payload whole in `input`, is not copied. Behind a close frame or a failure all bytes are consumed and ignored.
    ///
    /// How the bytes are cut into calls changes neither the events nor the failure.
    ///
    /// # Errors
    ///
    /// The first rule that the peer breaks, in the call with the first byte that shows it.
    pub fn receive<'a>(
        &'a mut self,
        input: &'a mut [u8],
    ) -> Result<(usize, Option<MessageEvent<'a>>), ProtocolError> {
        if let Message::Delivered(_) = self.message {
            self.message = Message::Between;
        }
        let (consumed, complete) = self.advance(input).inspect_err(|_| self.end())?;
        let (opcode, payload) = match complete {
            None => return Ok((consumed, None)),
            Some(Complete::InOnePiece { opcode, length }) => (opcode, &input[consumed - length..consumed]),
            Some(Complete::Control { opcode, length }) => (opcode, &self.control[..length]),
            Some(Complete::Message) => return Ok((consumed, self.message.delivered())),
        };
        match MessageEvent::of_frame(opcode, payload) {
            Ok(event) => Ok((consumed, Some(event))),
            Err(failure) => {
                self.frame = Frame::Closing;
                Err(failure)
            }
        }
    }

    /// True between two messages, with nothing partial: the receiver may be dropped, and made anew for the next byte.
    ///
    /// A message that was assembled stays in memory until then, or until the next call. Not true after a close frame
    /// or a failure: a new receiver would not know of it. Nor, where the peer may take over its context (RFC 7692 §7.1.1),
    /// after the first compressed message: the next may refer to it. A server that wants to keep nothing for
    /// a silent connection asks for [`client_no_context_takeover`].
    ///
    /// [`client_no_context_takeover`]: super::extension::ServerPreferences::client_no_context_takeover
    pub fn is_idle(&self) -> bool {
        matches!(self.frame, Frame::Header { arrived: 0, .. })
            && matches!(self.message, Message::Between | Message::Delivered(_))
            && !self.inflater.as_ref().is_some_and(Inflater::has_context)
    }

    /// How much memory it takes beside itself, in bytes: the message under way, and the state of its decompression.
    pub fn memory(&self) -> usize {
        let content = match &self.message {
            Message::Between => 0,
            Message::Assembling { content, .. } | Message::Delivered(content) => content.memory(),
        };
        content + self.inflater.as_ref().map_or(0, Inflater::memory)
    }

    fn advance(&mut self, input: &mut [u8]) -> Result<(usize, Option<Complete>), ProtocolError> {
        let mut consumed = 0;
        loop {
            let (header, arrived) = match self.frame {
                Frame::Closing => return Ok((input.len(), None)),
                Frame::Header { mut kept, arrived } => {
                    let rest = &input[consumed..];
                    let end = MAX_HEADER.min(arrived + rest.len());
                    // The usual header is whole in the input, and is read where it stands.
                    let bytes = if arrived == 0 {
                        &rest[..end]
                    } else {
                        kept[arrived..end].copy_from_slice(&rest[..end - arrived]);
                        &kept[..end]
                    };
                    let Some((header, length)) = self.judge(bytes)? else {
                        // Fewer than MAX_HEADER bytes, so all of the input is among them.
                        kept[arrived..end].copy_from_slice(rest);
                        self.frame = Frame::Header { kept, arrived: end };
                        return Ok((input.len(), None));
                    };
                    if let (Opcode::Continuation, Message::Assembling { frames, .. }) =
                        (header.opcode, &mut self.message)
                    {
                        *frames += 1;
                    }
                    consumed += length - arrived;
                    (header, 0)
                }
                Frame::Payload { header, arrived } => (header, arrived),
            };
            let rest = &mut input[consumed..];
            // Fits: `judge` has held it against a limit of the type usize, or 125.
            let payload_length = header.payload_length as usize;
            let end = payload_length.min(arrived + rest.len());
            let piece = &mut rest[..end - arrived];
            consumed += piece.len();
            if let Some(masking_key) = header.masking_key {
                mask::apply(masking_key, arrived, piece);
            }
            let whole = end == payload_length;
            match self.frame {
                // A frame that was whole in the input has left nothing behind.
                Frame::Header { arrived: 0, .. } if whole => {}
                _ if whole => self.frame = Frame::START,
                _ => self.frame = Frame::Payload { header, arrived: end },
            }
            let complete = self.take(header, arrived, piece, whole)?;
            if complete.is_some() || !whole {
                return Ok((consumed, complete));
            }
        }
    }

    /// Reads a header from the bytes that have come of it, and judges each byte as soon as it is there.
    fn judge(&self, bytes: &[u8]) -> Result<Option<(FrameHeader, usize)>, ProtocolError> {
        let [first, after @ ..] = bytes else { return Ok(None) };
        let FirstByte { rsv1, opcode, .. } = FirstByte::decode(*first)?;
        match (&self.inflater, opcode) {
            _ if !rsv1 => {}
            (None, _) => return Err(ProtocolError::Rsv1WithoutExtension), // §5.2
            (Some(_), Opcode::Text | Opcode::Binary) => {}
            (Some(_), _) => return Err(ProtocolError::Rsv1NotOnFirstFrame), // RFC 7692 §6.1
        }
        match (&self.message, opcode) {
            (Message::Assembling { .. }, Opcode::Text | Opcode::Binary) => {
                return Err(ProtocolError::InterleavedMessages); // §5.4
            }
            (Message::Between | Message::Delivered(_), Opcode::Continuation) => {
                return Err(ProtocolError::ContinuationOutsideMessage); // §5.4
            }
            (Message::Assembling { frames, .. }, Opcode::Continuation) if *frames >= self.limits.frames => {
                return Err(ProtocolError::TooManyFrames); // §10.4
            }
            _ => {}
        }
        match (self.role, after.first().map(|second| frame::is_masked(*second))) {
            (Role::Server, Some(false)) => return Err(ProtocolError::UnmaskedClientFrame), // §5.1
            (Role::Client, Some(true)) => return Err(ProtocolError::MaskedServerFrame),    // §5.1
            _ => {}
        }
        let Some((header, length)) = FrameHeader::decode(bytes)? else { return Ok(None) };
        if !opcode.is_control() && header.payload_length > self.room(rsv1) as u64 {
            return Err(ProtocolError::MessageTooBig); // §10.4
        }
        Ok(Some((header, length)))
    }

    /// How many bytes of payload a data frame may have, if it continues the message under way or begins one that is `compressed`.
    fn room(&self, compressed: bool) -> usize {
        let (most, arrived) = match &self.message {
            Message::Assembling { compressed: Some(arrived), .. } => {
                (self.limits.compressed_bytes(), *arrived)
            }
            Message::Assembling { content, .. } => (self.limits.message_bytes, content.length()),
            Message::Between | Message::Delivered(_) if compressed => (self.limits.compressed_bytes(), 0),
            Message::Between | Message::Delivered(_) => (self.limits.message_bytes, 0),
        };
        most.saturating_sub(arrived)
    }

    /// Takes the piece of a frame's payload that follows its first `arrived` bytes; with it, the frame may be `whole`.
    fn take(
        &mut self,
        header: FrameHeader,
        arrived: usize,
        piece: &[u8],
        whole: bool,
    ) -> Result<Option<Complete>, ProtocolError> {
        let FrameHeader { fin, rsv1, opcode, .. } = header;
        let length = piece.len();
        if whole && opcode == Opcode::Close {
            self.end(); // §5.5.1
        }
        if whole && arrived == 0 && fin && opcode != Opcode::Continuation && !rsv1 {
            return Ok(Some(Complete::InOnePiece { opcode, length }));
        }
        if opcode.is_control() {
            // In bounds: no control frame passes the header's decoder with more than 125 bytes.
            self.control[arrived..arrived + length].copy_from_slice(piece);
            return Ok(whole.then_some(Complete::Control { opcode, length: arrived + length }));
        }
        if length == 0 && !whole {
            return Ok(None); // the payload may yet come in one piece
        }
        let last = whole && fin;
        self.assemble(opcode, rsv1, piece, last)?;
        Ok(last.then_some(Complete::Message))
    }

    /// Appends a piece to the message under way, or begins one with it; `last` says that it ends the message.
    fn assemble(
        &mut self,
        opcode: Opcode,
        rsv1: bool,
        piece: &[u8],
        last: bool,
    ) -> Result<(), ProtocolError> {
        let (mut content, frames, mut compressed) = match mem::replace(&mut self.message, Message::Between) {
            Message::Assembling { content, frames, compressed } => (content, frames, compressed),
            Message::Between | Message::Delivered(_) => (Content::new(opcode), 1, rsv1.then_some(0)),
        };
        match (&mut self.inflater, &mut compressed) {
            (Some(inflater), Some(arrived)) => {
                *arrived += piece.len();
                let most = self.limits.message_bytes;
                inflater.inflate(piece, |inflated| content.push_within(most, inflated))?;
                if last {
                    inflater.finish(|inflated| content.push_within(most, inflated))?;
                }
            }
            _ => content.push(piece)?,
        }
        if last {
            content.finish()?;
            self.message = Message::Delivered(content);
        } else {
            self.message = Message::Assembling { content, frames, compressed };
        }
        Ok(())
    }

    /// Lets go of everything, and of all that may still come.
    fn end(&mut self) {
        self.frame = Frame::Closing;
        self.message = Message::Between;
        self.inflater = None;
    }
}

impl<'a> MessageEvent<'a> {
    /// What a frame says that is a message by itself, or a control frame.
    fn of_frame(opcode: Opcode, payload: &'a [u8]) -> Result<Self, ProtocolError> {
        Ok(match opcode {
            Opcode::Text => Self::Text(std::str::from_utf8(payload).map_err(|_| ProtocolError::InvalidUtf8)?), // §8.1
            // A continuation is never a message by itself: `take` assembles it.
            Opcode::Binary | Opcode::Continuation => Self::Binary(payload),
            Opcode::Ping => Self::Ping(payload),
            Opcode::Pong => Self::Pong(payload),
            Opcode::Close => Self::Close(close::decode(payload)?),
        })
    }
}

impl Message {
    /// The event of a message that has just been completed.
    fn delivered(&self) -> Option<MessageEvent<'_>> {
        match self {
            Self::Between | Self::Assembling { .. } => None,
            Self::Delivered(content) => Some(content.event()),
        }
    }
}

#[cfg(test)]
mod tests;
