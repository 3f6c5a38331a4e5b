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
//! caller's bytes.

use std::mem;

use super::close::{self, CloseCode};
pub use super::failure::Failure;
use super::frame::{self, FirstByte, FrameHeader, MAX_CONTROL_PAYLOAD, MAX_HEADER, Opcode};
use super::mask;
use super::utf8::{InvalidUtf8, Utf8};

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
pub struct Limits {
    /// The most bytes of payload in one message.
    pub message_bytes: usize,
    /// The most frames in one message. Empty ones count: they would else keep a receiver busy for ever.
    pub frames: usize,
}

/// What has been received (§6.2). Payloads are unmasked, and whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
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
    limits: Limits,
    frame: Frame,
    message: Message,
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
    /// It continues this one, of which `frames` frames have begun to arrive.
    Assembling { content: Content, frames: usize },
    /// It begins one, and the event that the last call gave still borrows this.
    Delivered(Content),
}

/// What has arrived of a message. It grows with the bytes that have come, never to a length that was only announced.
#[derive(Debug)]
enum Content {
    /// The characters that are whole, and the state of the one that is not.
    Text {
        text: String,
        utf8: Utf8,
    },
    Binary(Vec<u8>),
}

/// What a call has completed, and where its payload stands.
enum Complete {
    /// A message of one frame or a control frame: the last `length` bytes consumed of the input.
    InOnePiece { opcode: Opcode, length: usize },
    /// A control frame that came in pieces: the first `length` bytes of the receiver's `control`.
    Control { opcode: Opcode, length: usize },
    /// A message of several frames or in several pieces: [`Message::Delivered`].
    Message,
}

impl Receiver {
    /// A receiver at the start of a connection, or between any two messages of it.
    pub const fn new(role: Role, limits: Limits) -> Self {
        Self {
            role,
            limits,
            frame: Frame::START,
            message: Message::Between,
            control: [0; MAX_CONTROL_PAYLOAD],
        }
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
    pub fn receive<'a>(&'a mut self, input: &'a mut [u8]) -> Result<(usize, Option<Event<'a>>), Failure> {
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
        match Event::of_frame(opcode, payload) {
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
    /// or a failure: a new receiver would not know of it.
    pub fn is_idle(&self) -> bool {
        matches!(self.frame, Frame::Header { arrived: 0, .. })
            && matches!(self.message, Message::Between | Message::Delivered(_))
    }

    fn advance(&mut self, input: &mut [u8]) -> Result<(usize, Option<Complete>), Failure> {
        let mut consumed = 0;
        loop {
            let rest = &mut input[consumed..];
            match self.frame {
                Frame::Closing => return Ok((input.len(), None)),
                Frame::Header { mut kept, arrived } => {
                    let end = MAX_HEADER.min(arrived + rest.len());
                    kept[arrived..end].copy_from_slice(&rest[..end - arrived]);
                    let Some((header, length)) = self.judge(&kept[..end])? else {
                        // Fewer than MAX_HEADER bytes, so all of the input is among them.
                        self.frame = Frame::Header { kept, arrived: end };
                        return Ok((input.len(), None));
                    };
                    if let (Opcode::Continuation, Message::Assembling { frames, .. }) =
                        (header.opcode, &mut self.message)
                    {
                        *frames += 1;
                    }
                    self.frame = Frame::Payload { header, arrived: 0 };
                    consumed += length - arrived;
                }
                Frame::Payload { header, arrived } => {
                    // Fits: `judge` has held it against a limit of the type usize, or 125.
                    let payload_length = header.payload_length as usize;
                    let end = payload_length.min(arrived + rest.len());
                    let piece = &mut rest[..end - arrived];
                    consumed += piece.len();
                    if let Some(masking_key) = header.masking_key {
                        mask::apply(masking_key, arrived, piece);
                    }
                    let whole = end == payload_length;
                    self.frame = if whole { Frame::START } else { Frame::Payload { header, arrived: end } };
                    let complete = self.take(header, arrived, piece, whole)?;
                    if complete.is_some() || !whole {
                        return Ok((consumed, complete));
                    }
                }
            }
        }
    }

    /// Reads a header from the bytes that have come of it, and judges each byte as soon as it is there.
    fn judge(&self, bytes: &[u8]) -> Result<Option<(FrameHeader, usize)>, Failure> {
        let [first, after @ ..] = bytes else { return Ok(None) };
        let FirstByte { rsv1, opcode, .. } = FirstByte::decode(*first)?;
        if rsv1 {
            return Err(Failure::Rsv1WithoutExtension); // §5.2; RFC 7692 §6 would give it a meaning
        }
        match (&self.message, opcode) {
            (Message::Assembling { .. }, Opcode::Text | Opcode::Binary) => {
                return Err(Failure::MessageInsideMessage); // §5.4
            }
            (Message::Between | Message::Delivered(_), Opcode::Continuation) => {
                return Err(Failure::NothingToContinue); // §5.4
            }
            (Message::Assembling { frames, .. }, Opcode::Continuation) if *frames >= self.limits.frames => {
                return Err(Failure::TooManyFrames); // §10.4
            }
            _ => {}
        }
        match (self.role, after.first().map(|second| frame::is_masked(*second))) {
            (Role::Server, Some(false)) => return Err(Failure::NotMasked), // §5.1
            (Role::Client, Some(true)) => return Err(Failure::Masked),     // §5.1
            _ => {}
        }
        let Some((header, length)) = FrameHeader::decode(bytes)? else { return Ok(None) };
        let room = self.limits.message_bytes.saturating_sub(self.message.length());
        if !opcode.is_control() && header.payload_length > room as u64 {
            return Err(Failure::MessageTooBig); // §10.4
        }
        Ok(Some((header, length)))
    }

    /// Takes the piece of a frame's payload that follows its first `arrived` bytes; with it, the frame may be `whole`.
    fn take(
        &mut self,
        header: FrameHeader,
        arrived: usize,
        piece: &[u8],
        whole: bool,
    ) -> Result<Option<Complete>, Failure> {
        let FrameHeader { fin, opcode, .. } = header;
        let length = piece.len();
        if whole && opcode == Opcode::Close {
            self.end(); // §5.5.1
        }
        if whole && arrived == 0 && fin && opcode != Opcode::Continuation {
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
        self.assemble(opcode, piece, last)?;
        Ok(last.then_some(Complete::Message))
    }

    /// Appends a piece to the message under way, or begins one with it; `last` says that it ends the message.
    fn assemble(&mut self, opcode: Opcode, piece: &[u8], last: bool) -> Result<(), Failure> {
        let (mut content, frames) = match mem::replace(&mut self.message, Message::Between) {
            Message::Assembling { content, frames } => (content, frames),
            Message::Between | Message::Delivered(_) => (Content::new(opcode), 1),
        };
        content.push(piece)?;
        if last {
            content.finish()?;
            self.message = Message::Delivered(content);
        } else {
            self.message = Message::Assembling { content, frames };
        }
        Ok(())
    }

    /// Lets go of everything, and of all that may still come.
    fn end(&mut self) {
        self.frame = Frame::Closing;
        self.message = Message::Between;
    }
}

impl<'a> Event<'a> {
    /// What a frame says that is a message by itself, or a control frame.
    fn of_frame(opcode: Opcode, payload: &'a [u8]) -> Result<Self, Failure> {
        Ok(match opcode {
            Opcode::Text => Self::Text(std::str::from_utf8(payload).map_err(|_| Failure::InvalidUtf8)?), // §8.1
            // A continuation is never a message by itself: `take` assembles it.
            Opcode::Binary | Opcode::Continuation => Self::Binary(payload),
            Opcode::Ping => Self::Ping(payload),
            Opcode::Pong => Self::Pong(payload),
            Opcode::Close => Self::Close(close::decode(payload)?),
        })
    }
}

impl Message {
    /// Bytes of payload that have arrived of the message under way.
    fn length(&self) -> usize {
        match self {
            Self::Between | Self::Delivered(_) => 0,
            Self::Assembling { content: Content::Text { text, utf8 }, .. } => text.len() + utf8.unfinished(),
            Self::Assembling { content: Content::Binary(bytes), .. } => bytes.len(),
        }
    }

    /// The event of a message that has just been completed.
    fn delivered(&self) -> Option<Event<'_>> {
        match self {
            Self::Between | Self::Assembling { .. } => None,
            Self::Delivered(Content::Text { text, .. }) => Some(Event::Text(text)),
            Self::Delivered(Content::Binary(bytes)) => Some(Event::Binary(bytes)),
        }
    }
}

impl Content {
    fn new(opcode: Opcode) -> Self {
        match opcode {
            Opcode::Text => Self::Text { text: String::new(), utf8: Utf8::new() },
            _ => Self::Binary(Vec::new()),
        }
    }

    fn push(&mut self, piece: &[u8]) -> Result<(), InvalidUtf8> {
        match self {
            Self::Text { text, utf8 } => utf8.push_to(piece, text),
            Self::Binary(bytes) => {
                bytes.extend_from_slice(piece);
                Ok(())
            }
        }
    }

    /// Checks what must be true at a message's end, but not at a frame's: that no character is cut (§5.6).
    fn finish(&self) -> Result<(), InvalidUtf8> {
        match self {
            Self::Text { utf8, .. } if !utf8.is_complete() => Err(InvalidUtf8),
            Self::Text { .. } | Self::Binary(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { message_bytes: 1 << 30, frames: 3 };

    fn server() -> Receiver {
        Receiver::new(Role::Server, LIMITS)
    }

    #[test]
    fn a_frame_in_one_piece_is_not_copied() {
        for first in [0x81, 0x82, 0x89, 0x8A] {
            let mut header = [first, 0x83, 1, 2, 3, 4];
            let mut payload = *b"\x60\x60\x60";
            let mut frame = [&header[..], &payload].concat();
            let place = frame[6..].as_ptr();
            let mut receiver = server();
            let (consumed, event) = receiver.receive(&mut frame).unwrap();
            let event = event.unwrap();
            let (Event::Binary(bytes) | Event::Ping(bytes) | Event::Pong(bytes)) = event else {
                let Event::Text(text) = event else { panic!("{event:?}") };
                assert_eq!((consumed, text, text.as_ptr()), (9, "abc", place));
                continue;
            };
            assert_eq!((consumed, bytes, bytes.as_ptr()), (9, &b"abc"[..], place));

            // Nor if its header came before it.
            assert_eq!(receiver.receive(&mut header), Ok((6, None)));
            let place = payload.as_ptr();
            match receiver.receive(&mut payload).unwrap() {
                (3, Some(Event::Binary(bytes) | Event::Ping(bytes) | Event::Pong(bytes))) => {
                    assert_eq!((bytes, bytes.as_ptr()), (&b"abc"[..], place));
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn memory_grows_with_what_has_come_and_goes_with_the_message() {
        let mut receiver = server();
        // 512 MiB are announced, three bytes come.
        let mut header = *b"\x82\xFF\x00\x00\x00\x00\x20\x00\x00\x00\x00\x00\x00\x00";
        assert_eq!(receiver.receive(&mut header), Ok((14, None)));
        assert!(matches!(receiver.message, Message::Between));
        assert_eq!(receiver.receive(&mut [1, 2, 3]), Ok((3, None)));
        let Message::Assembling { content: Content::Binary(bytes), .. } = &receiver.message else {
            panic!("{receiver:?}")
        };
        assert!(bytes.capacity() < 100);

        let mut receiver = server();
        let mut message = *b"\x02\x81\x00\x00\x00\x00a\x80\x81\x00\x00\x00\x00b";
        assert_eq!(receiver.receive(&mut message), Ok((14, Some(Event::Binary(b"ab")))));
        assert!(receiver.is_idle());
        assert_eq!(receiver.receive(&mut []), Ok((0, None)));
        assert!(matches!(receiver.message, Message::Between));
    }

    #[test]
    fn is_idle_only_where_nothing_would_be_lost() {
        let mut receiver = server();
        assert!(receiver.is_idle());
        for byte in *b"\x01\x80\x00\x00\x00\x00\x89\x81\x00\x00\x00\x00p\x80\x81\x00\x00\x00\x00" {
            receiver.receive(&mut [byte]).unwrap();
            assert!(!receiver.is_idle());
        }
        receiver.receive(b"e".to_vec().as_mut_slice()).unwrap();
        assert!(receiver.is_idle());
        receiver.receive(b"\x88\x80\x00\x00\x00\x00".to_vec().as_mut_slice()).unwrap();
        assert!(!receiver.is_idle());
    }

    #[test]
    fn fails_at_the_byte_that_breaks_the_rule() {
        use Failure::*;
        for (bytes, failure) in [
            (&b"\xC1"[..], Rsv1WithoutExtension),
            (b"\xA1", Frame(super::super::frame::FrameError::ReservedBit)),
            (b"\x80", NothingToContinue),
            (b"\x81\x05", NotMasked),
            (b"\x01\x80\0\0\0\0\x02", MessageInsideMessage),
            (b"\x01\x80\0\0\0\0\x00\x80\0\0\0\0\x00\x80\0\0\0\0\x00", TooManyFrames),
            (b"\x81\xFF\0\0\0\0\x40\0\0\x01\0\0\0\0", MessageTooBig),
            (b"\x81\xFE\x7F\xFF\0\0\0\0ab\xED\xA0", InvalidUtf8),
        ] {
            let (last, before) = bytes.split_last().unwrap();
            let mut receiver = server();
            assert_eq!(
                receiver.receive(before.to_vec().as_mut_slice()),
                Ok((before.len(), None)),
                "{failure}"
            );
            assert_eq!(receiver.receive(&mut [*last]), Err(failure));
            assert_eq!(receiver.receive(&mut [0x81, 0x80]), Ok((2, None)), "ignored after {failure}");
        }
        let mut client = Receiver::new(Role::Client, LIMITS);
        assert_eq!(client.receive(&mut [0x81]), Ok((1, None)));
        assert_eq!(client.receive(&mut [0x80]), Err(Masked));
    }
}
