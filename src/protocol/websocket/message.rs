//! Receiving messages and control frames from bytes that arrive in any division (RFC 6455 §5.4,
//! §6.2).
//!
//! The receiver has two states, each an enum. The **frame** state says whether the next byte is in
//! a header or in a payload. The **message** state says whether a message has started. They are
//! separate because control frames may arrive between the frames of a message (§5.4): the frame
//! state moves on to the header and the payload of a ping, while the message state does not change.
//!
//! ```text
//!  Frame:    Header ──complete──▶ Payload ──complete──▶ Header …  close frame or error ──▶ Closing
//!  Message:  Idle ──first bytes──▶ Receiving ──last frame──▶ Received ──next call──▶ Idle
//! ```
//!
//! Most messages are one frame that arrives in one read. Such a message never enters `Receiving`:
//! its event borrows the caller's bytes. A compressed message (RFC 7692) always does, because its
//! content is the inflated payload.

use std::mem;

use super::close::{self, CloseCode};
use super::content::Content;
#[cfg(feature = "deflate")]
use super::extension::Agreement;
use super::frame::{self, FirstByte, FrameHeader, MAX_CONTROL_PAYLOAD, MAX_HEADER, Opcode};
use super::inflate::Inflater;
use super::mask;
use super::protocol_error::ProtocolError;

/// The role of the receiving endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A server, which accepts only masked frames (§5.1).
    Server,
    /// A client, which accepts only unmasked frames (§5.1).
    Client,
}

/// The limits for one message (§10.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageLimits {
    /// The greatest length of a message in bytes, after inflation.
    ///
    /// A compressed payload may have twice this number of bytes plus 64. No encoder needs that
    /// many, and the bound stops a peer that sends empty blocks forever.
    pub message_bytes: usize,
    /// The greatest number of frames in a message. Empty frames count, because a peer could
    /// otherwise send them forever.
    pub frames: usize,
}

impl MessageLimits {
    const fn compressed_bytes(self) -> usize {
        self.message_bytes.saturating_mul(2).saturating_add(64)
    }
}

/// A received message or control frame (§6.2). Its payload is unmasked, inflated and complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageEvent<'a> {
    /// A text message.
    Text(&'a str),
    /// A binary message.
    Binary(&'a [u8]),
    /// A ping, which requires a pong with the same payload (§5.5.2).
    Ping(&'a [u8]),
    /// A pong, solicited or not (§5.5.3).
    Pong(&'a [u8]),
    /// The last frame of the peer, with its code and reason if present (§5.5.1).
    Close(Option<(CloseCode, &'a str)>),
}

/// The receiving half of one connection.
#[derive(Debug)]
pub struct Receiver {
    role: Role,
    limits: MessageLimits,
    frame: Frame,
    message: Message,
    /// Present if permessage-deflate was negotiated.
    inflater: Option<Inflater>,
    /// The payload of a control frame that arrives in parts; [`Frame::Payload`] holds its length.
    control: [u8; MAX_CONTROL_PAYLOAD],
}

/// The position of the next byte in a frame.
#[derive(Debug)]
enum Frame {
    /// In the header, whose first `received` bytes are in `bytes`. Between two frames `received` is
    /// 0.
    Header { bytes: [u8; MAX_HEADER], received: usize },
    /// In the payload, of which earlier calls received the first `received` bytes.
    Payload { header: FrameHeader, received: usize },
    /// After a close frame, when the peer sends nothing more (§5.5.1), or after an error, when no
    /// data may be processed (§7.1.7).
    Closing,
}

impl Frame {
    const START: Self = Self::Header { bytes: [0; MAX_HEADER], received: 0 };
}

/// The position of the next data frame in a message (§5.4).
#[derive(Debug)]
enum Message {
    /// Before the first frame of a message.
    Idle,
    /// In this message, of which `frames` frames have started. For a compressed message,
    /// `compressed_bytes` is the number of payload bytes received.
    Receiving { content: Content, frames: usize, compressed_bytes: Option<usize> },
    /// Before the first frame of a message; the event of the last call still borrows this content.
    Received(Content),
}

/// A message or control frame that a call completes, and the location of its payload.
enum Complete {
    /// A message of one frame, or a control frame: the last `length` bytes of the consumed input.
    Input { opcode: Opcode, length: usize },
    /// A control frame that arrived in parts: the first `length` bytes of [`Receiver::control`].
    Control { opcode: Opcode, length: usize },
    /// A message in several frames or parts, or a compressed message: in [`Message::Received`].
    Message,
}

impl Receiver {
    /// Returns a receiver for the start of a connection, or for any point between two messages.
    pub const fn new(role: Role, limits: MessageLimits) -> Self {
        Self {
            role,
            limits,
            frame: Frame::START,
            message: Message::Idle,
            inflater: None,
            control: [0; MAX_CONTROL_PAYLOAD],
        }
    }

    /// Returns a receiver for the start of a connection that negotiated permessage-deflate, or for
    /// any point between two messages at which the last receiver [was idle](Self::is_idle).
    #[cfg(feature = "deflate")]
    pub fn with_deflate(role: Role, limits: MessageLimits, agreement: &Agreement) -> Self {
        let direction = match role {
            Role::Server => agreement.client_to_server(),
            Role::Client => agreement.server_to_client(),
        };
        Self { inflater: Some(Inflater::new(direction)), ..Self::new(role, limits) }
    }

    /// Receives `input`. Returns the number of bytes consumed and the event that they complete, if
    /// any.
    ///
    /// A call returns at most one event, so the caller calls again while unconsumed bytes remain.
    /// Without an event, all of `input` is consumed. Consumed bytes are unmasked in place. A
    /// message of one frame whose payload is completely in `input` is not copied. After a close
    /// frame or an error all bytes are consumed and ignored.
    ///
    /// How the bytes are split into calls affects neither the events nor the error.
    ///
    /// # Errors
    /// The first rule that the peer breaks, in the call with the first byte that reveals it.
    pub fn receive<'a>(
        &'a mut self,
        input: &'a mut [u8],
    ) -> Result<(usize, Option<MessageEvent<'a>>), ProtocolError> {
        if let Message::Received(_) = self.message {
            self.message = Message::Idle;
        }
        let (consumed, complete) = self.advance(input).inspect_err(|_| self.end())?;
        let (opcode, payload) = match complete {
            None => return Ok((consumed, None)),
            Some(Complete::Input { opcode, length }) => (opcode, &input[consumed - length..consumed]),
            Some(Complete::Control { opcode, length }) => (opcode, &self.control[..length]),
            Some(Complete::Message) => return Ok((consumed, self.message.event())),
        };
        let event = MessageEvent::from_frame(opcode, payload).inspect_err(|_| self.frame = Frame::Closing)?;
        Ok((consumed, Some(event)))
    }

    /// Returns true between two messages, when nothing is partially received: the caller may drop
    /// the receiver and create a new one for the next byte.
    ///
    /// A copied message stays in memory until then, or until the next call. The result is false
    /// after a close frame or an error, which a new receiver would forget. The result is also false
    /// after the first compressed message if the peer may use context takeover (RFC 7692 §7.1.1),
    /// because the next message may refer to the previous one. A server that must not keep memory
    /// for an idle connection requests [`client_no_context_takeover`].
    ///
    /// [`client_no_context_takeover`]: super::extension::ServerPreferences::client_no_context_takeover
    pub fn is_idle(&self) -> bool {
        matches!(self.frame, Frame::Header { received: 0, .. })
            && !self.is_receiving()
            && !self.inflater.as_ref().is_some_and(Inflater::has_context)
    }

    /// Returns true if a part of a message or of a control frame has been received, and the rest is
    /// missing.
    pub fn is_receiving(&self) -> bool {
        let is_in_frame = match self.frame {
            Frame::Header { received, .. } => received > 0,
            Frame::Payload { .. } => true,
            Frame::Closing => false,
        };
        is_in_frame || matches!(self.message, Message::Receiving { .. })
    }

    /// Returns the allocated memory in bytes: the current message and the state of its
    /// decompression.
    pub fn memory(&self) -> usize {
        let content = match &self.message {
            Message::Idle => 0,
            Message::Receiving { content, .. } | Message::Received(content) => content.memory(),
        };
        content + self.inflater.as_ref().map_or(0, Inflater::memory)
    }

    /// Takes the message whose event the last call of [`Receiver::receive`] returned, without a
    /// copy. It is empty unless the message was compressed, or arrived in parts.
    pub fn take_message(&mut self) -> Vec<u8> {
        match &mut self.message {
            Message::Received(Content::Text { text, .. }) => mem::take(text).into_bytes(),
            Message::Received(Content::Binary(bytes)) => mem::take(bytes),
            Message::Idle | Message::Receiving { .. } => Vec::new(),
        }
    }

    /// Returns the work of decompression since the last call, in bytes: those inflated, and what
    /// each new stream costs.
    pub fn take_work(&mut self) -> u64 {
        self.inflater.as_mut().map_or(0, Inflater::take_work)
    }

    fn advance(&mut self, input: &mut [u8]) -> Result<(usize, Option<Complete>), ProtocolError> {
        let mut consumed = 0;
        loop {
            let (header, received) = match self.frame {
                Frame::Closing => return Ok((input.len(), None)),
                Frame::Payload { header, received } => (header, received),
                Frame::Header { mut bytes, received } => {
                    let rest = &input[consumed..];
                    let end = MAX_HEADER.min(received + rest.len());
                    // Most headers are complete in the input and are decoded without a copy.
                    let available = if received == 0 {
                        &rest[..end]
                    } else {
                        bytes[received..end].copy_from_slice(&rest[..end - received]);
                        &bytes[..end]
                    };
                    let Some((header, length)) = self.check_header(available)? else {
                        // An incomplete header is shorter than MAX_HEADER, so it holds the whole
                        // input.
                        bytes[received..end].copy_from_slice(rest);
                        self.frame = Frame::Header { bytes, received: end };
                        return Ok((input.len(), None));
                    };
                    if let (Opcode::Continuation, Message::Receiving { frames, .. }) =
                        (header.opcode, &mut self.message)
                    {
                        *frames += 1;
                    }
                    consumed += length - received;
                    (header, 0)
                }
            };
            let rest = &mut input[consumed..];
            // Lossless: `check_header` compared the length with a limit of type usize, or with 125.
            let payload_length = header.payload_length as usize;
            let end = payload_length.min(received + rest.len());
            let payload = &mut rest[..end - received];
            consumed += payload.len();
            if let Some(masking_key) = header.masking_key {
                mask::apply(masking_key, received, payload);
            }
            let is_complete = end == payload_length;
            match self.frame {
                // A frame that was complete in the input has not changed the state.
                Frame::Header { received: 0, .. } if is_complete => {}
                _ if is_complete => self.frame = Frame::START,
                _ => self.frame = Frame::Payload { header, received: end },
            }
            let complete = self.receive_payload(header, received, payload, is_complete)?;
            if complete.is_some() || !is_complete {
                return Ok((consumed, complete));
            }
        }
    }

    /// Decodes a header from the available `bytes`, and checks each byte as soon as it is
    /// available.
    fn check_header(&self, bytes: &[u8]) -> Result<Option<(FrameHeader, usize)>, ProtocolError> {
        let [first, after @ ..] = bytes else { return Ok(None) };
        let FirstByte { rsv1, opcode, .. } = FirstByte::decode(*first)?;
        match (&self.inflater, opcode) {
            _ if !rsv1 => {}
            (None, _) => return Err(ProtocolError::Rsv1WithoutExtension),
            (Some(_), Opcode::Text | Opcode::Binary) => {}
            (Some(_), _) => return Err(ProtocolError::Rsv1NotOnFirstFrame),
        }
        match (&self.message, opcode) {
            (Message::Receiving { .. }, Opcode::Text | Opcode::Binary) => {
                return Err(ProtocolError::InterleavedMessages);
            }
            (Message::Idle | Message::Received(_), Opcode::Continuation) => {
                return Err(ProtocolError::ContinuationOutsideMessage);
            }
            (Message::Receiving { frames, .. }, Opcode::Continuation) if *frames >= self.limits.frames => {
                return Err(ProtocolError::TooManyFrames);
            }
            _ => {}
        }
        match (self.role, after.first().map(|second| frame::is_masked(*second))) {
            (Role::Server, Some(false)) => return Err(ProtocolError::UnmaskedClientFrame),
            (Role::Client, Some(true)) => return Err(ProtocolError::MaskedServerFrame),
            _ => {}
        }
        let Some((header, length)) = FrameHeader::decode(bytes)? else { return Ok(None) };
        if !opcode.is_control() && header.payload_length > self.remaining_bytes(rsv1) as u64 {
            return Err(ProtocolError::MessageTooBig);
        }
        Ok(Some((header, length)))
    }

    /// Returns the maximum payload length that a data frame may have: the rest of the current
    /// message, or the limit of a new message that is compressed if `rsv1` is set.
    fn remaining_bytes(&self, rsv1: bool) -> usize {
        let (is_compressed, received) = match &self.message {
            Message::Receiving { compressed_bytes: Some(received), .. } => (true, *received),
            Message::Receiving { content, .. } => (false, content.length()),
            Message::Idle | Message::Received(_) => (rsv1, 0),
        };
        let limit = if is_compressed { self.limits.compressed_bytes() } else { self.limits.message_bytes };
        limit.saturating_sub(received)
    }

    /// Receives the `payload` bytes that follow the first `received` bytes of a frame's payload.
    fn receive_payload(
        &mut self,
        header: FrameHeader,
        received: usize,
        payload: &[u8],
        is_complete: bool,
    ) -> Result<Option<Complete>, ProtocolError> {
        let FrameHeader { fin, rsv1, opcode, .. } = header;
        let length = payload.len();
        if is_complete && opcode == Opcode::Close {
            self.end(); // §5.5.1
        }
        if is_complete && received == 0 && fin && opcode != Opcode::Continuation && !rsv1 {
            return Ok(Some(Complete::Input { opcode, length }));
        }
        if opcode.is_control() {
            // In bounds: `FrameHeader::decode` rejects control frames with more than 125 bytes.
            self.control[received..received + length].copy_from_slice(payload);
            return Ok(is_complete.then_some(Complete::Control { opcode, length: received + length }));
        }
        if length == 0 && !is_complete {
            return Ok(None); // The complete payload may still arrive in one part.
        }
        let is_last = is_complete && fin;
        self.append(opcode, rsv1, payload, is_last)?;
        Ok(is_last.then_some(Complete::Message))
    }

    /// Appends `payload` to the current message, or to a new one. `is_last` ends the message.
    fn append(
        &mut self,
        opcode: Opcode,
        rsv1: bool,
        payload: &[u8],
        is_last: bool,
    ) -> Result<(), ProtocolError> {
        let (mut content, frames, mut compressed_bytes) = match mem::replace(&mut self.message, Message::Idle)
        {
            Message::Receiving { content, frames, compressed_bytes } => (content, frames, compressed_bytes),
            Message::Idle | Message::Received(_) => (Content::new(opcode), 1, rsv1.then_some(0)),
        };
        match (&mut self.inflater, &mut compressed_bytes) {
            (Some(inflater), Some(received)) => {
                *received += payload.len();
                let limit = self.limits.message_bytes;
                inflater.inflate(payload, |inflated| content.push_within(limit, inflated))?;
                if is_last {
                    inflater.finish(|inflated| content.push_within(limit, inflated))?;
                }
            }
            _ => content.push(payload)?,
        }
        self.message = if is_last {
            content.finish()?;
            Message::Received(content)
        } else {
            Message::Receiving { content, frames, compressed_bytes }
        };
        Ok(())
    }

    /// Drops all received data and ignores all further bytes.
    fn end(&mut self) {
        self.frame = Frame::Closing;
        self.message = Message::Idle;
        self.inflater = None;
    }
}

impl<'a> MessageEvent<'a> {
    /// Returns the event of a control frame, or of a frame that is a complete message.
    fn from_frame(opcode: Opcode, payload: &'a [u8]) -> Result<Self, ProtocolError> {
        Ok(match opcode {
            Opcode::Text => Self::Text(std::str::from_utf8(payload).map_err(|_| ProtocolError::InvalidUtf8)?),
            // A continuation frame never gets here: `receive_payload` appends it to its message.
            Opcode::Binary | Opcode::Continuation => Self::Binary(payload),
            Opcode::Ping => Self::Ping(payload),
            Opcode::Pong => Self::Pong(payload),
            Opcode::Close => Self::Close(close::decode(payload)?),
        })
    }
}

impl Message {
    /// Returns the event of a message that is complete.
    fn event(&self) -> Option<MessageEvent<'_>> {
        match self {
            Self::Idle | Self::Receiving { .. } => None,
            Self::Received(Content::Text { text, .. }) => Some(MessageEvent::Text(text)),
            Self::Received(Content::Binary(bytes)) => Some(MessageEvent::Binary(bytes)),
        }
    }
}

#[cfg(test)]
mod tests;
