//! `/echo`: a WebSocket that sends each message back.

use std::io;

use barewire::protocol::websocket::ProtocolError;
use barewire::protocol::websocket::close::CloseCode;

use super::Fault;
use super::compression::Compression;
use super::connection::Connection;
use super::frames::{
    BINARY, CLOSE, CONTINUATION, End, Frames, Header, INVALID_PAYLOAD, NORMAL, PING, PONG, PROTOCOL_ERROR,
    TEXT, TOO_BIG,
};
use super::text::{InvalidText, TextCheck};

/// The largest message, in bytes.
const MAX_MESSAGE: usize = (16 << 20) + 1;

/// Serves a WebSocket until it ends.
pub fn serve(connection: &mut Connection, compression: Option<Compression>) -> io::Result<()> {
    let frames = Frames::new(connection, compression.is_some());
    let mut session = Session { frames, compression, message: None };
    let mut end = session.run();
    if let Err(End::Closed(code)) = end
        && session.frames.has(Fault::EchoesAfterClose)
    {
        session.write_close(code)?;
        session.frames.start_aftermath();
        session.message = None;
        end = match session.run() {
            Err(End::Closed(_)) => Err(End::Gone),
            end => end,
        };
    }
    match end {
        Err(End::Closed(_)) if session.frames.has(Fault::SendsNoCloseFrame) => {}
        Err(End::Closed(code)) if !session.frames.is_in_aftermath() => session.write_close(code)?,
        Err(End::Failed(code)) => session.write_close(Some(code))?,
        _ => {}
    }
    if session.frames.has(Fault::KeepsTcpOpen) {
        while session.frames.connection.read().is_ok() {
            session.frames.connection.received.clear();
        }
    }
    Ok(())
}

/// A message of which a frame has arrived.
struct Message {
    opcode: u8,
    is_compressed: bool,
    /// The payload so far, inflated.
    data: Vec<u8>,
    text: TextCheck,
    frames: usize,
    /// The payload is not DEFLATE, and the rest of it is ignored.
    is_broken: bool,
}

struct Session<'c> {
    frames: Frames<'c>,
    compression: Option<Compression>,
    message: Option<Message>,
}

impl Session<'_> {
    fn run(&mut self) -> Result<(), End> {
        loop {
            let header = self.frames.header()?;
            if header.is_control() || header.is_reserved() {
                let payload = self.whole(&header)?;
                self.control(header.opcode, &payload)?;
            } else {
                self.data(&header)?;
            }
        }
    }

    fn whole(&mut self, header: &Header) -> Result<Vec<u8>, End> {
        let mut payload = Vec::new();
        while (payload.len() as u64) < header.length {
            let part = self.frames.payload(header, payload.len() as u64)?;
            payload.extend(part);
            self.limit(payload.len())?;
        }
        Ok(payload)
    }

    fn limit(&mut self, length: usize) -> Result<(), End> {
        if length <= MAX_MESSAGE { Ok(()) } else { Err(End::Failed(TOO_BIG)) }
    }

    fn control(&mut self, opcode: u8, payload: &[u8]) -> Result<(), End> {
        match opcode {
            PING if self.frames.has(Fault::NoPongInMessage) && self.message.is_some() => {}
            PING if self.frames.has(Fault::SendsEmptyPongs) => self.frames.write(true, 0, PONG, &[])?,
            PING => self.frames.write(true, 0, PONG, payload)?,
            PONG if self.frames.has(Fault::AnswersPongs) => self.frames.write(true, 0, PONG, payload)?,
            CLOSE => return self.close(payload),
            _ => {}
        }
        Ok(())
    }

    /// Checks a close frame (§5.5.1, §7.4).
    fn close(&mut self, payload: &[u8]) -> Result<(), End> {
        let Some((code, reason)) = payload.split_first_chunk::<2>() else {
            self.frames.require(payload.is_empty(), Fault::AcceptsOneByteClose, PROTOCOL_ERROR)?;
            return Err(End::Closed((!payload.is_empty()).then_some(NORMAL)));
        };
        let code = u16::from_be_bytes(*code);
        let may_be_sent = CloseCode(code).may_be_sent();
        self.frames.require(may_be_sent, Fault::AcceptsInvalidCloseCodes, PROTOCOL_ERROR)?;
        let is_text = str::from_utf8(reason).is_ok();
        self.frames.require(is_text, Fault::AcceptsInvalidReasons, INVALID_PAYLOAD)?;
        Err(End::Closed(Some(code)))
    }

    fn write_close(&mut self, code: Option<u16>) -> io::Result<()> {
        let payload = code.map(u16::to_be_bytes);
        self.frames.write(true, 0, CLOSE, payload.as_ref().map_or(&[], |code| code))
    }

    /// Reads the payload of a data frame, and echoes the message if the frame is its last.
    fn data(&mut self, header: &Header) -> Result<(), End> {
        let mut message = self.start(header)?;
        message.frames += 1;
        if !message.is_compressed && header.length > (MAX_MESSAGE - message.data.len()) as u64 {
            return Err(End::Failed(TOO_BIG));
        }
        let mut offset = 0;
        while offset < header.length {
            let part = self.frames.payload(header, offset)?;
            if message.frames == 1
                && offset == 0
                && message.is_compressed
                && part[0] & 1 == 1
                && self.frames.has(Fault::RejectsLastBlocks)
            {
                return Err(End::Failed(INVALID_PAYLOAD));
            }
            self.push(&mut message, Some(&part))?;
            offset += part.len() as u64;
        }
        self.check(message.text.end_frame())?;
        if !header.fin {
            self.message = Some(message);
            return Ok(());
        }
        self.push(&mut message, None)?;
        self.check(message.text.end_message(&message.data))?;
        Ok(self.echo(message)?)
    }

    /// Returns the message to which a frame belongs (§5.4).
    fn start(&mut self, header: &Header) -> Result<Message, End> {
        let is_continuation = header.opcode == CONTINUATION;
        if let Some(message) = self.message.take() {
            self.frames.require(is_continuation, Fault::AcceptsMessageInMessage, PROTOCOL_ERROR)?;
            return Ok(message);
        }
        self.frames.require(!is_continuation, Fault::AcceptsLoneContinuation, PROTOCOL_ERROR)?;
        let opcode = if header.opcode == BINARY { BINARY } else { TEXT };
        Ok(Message {
            opcode,
            is_compressed: self.frames.is_compressed && header.rsv & 4 != 0,
            data: Vec::new(),
            text: TextCheck::new(self.frames.connection, opcode == TEXT),
            frames: 0,
            is_broken: false,
        })
    }

    fn check(&mut self, checked: Result<(), InvalidText>) -> Result<(), End> {
        checked.or_else(|InvalidText| self.frames.fail(INVALID_PAYLOAD))
    }

    /// Adds a part of the payload to a message; `None` is the end of the payload.
    fn push(&mut self, message: &mut Message, part: Option<&[u8]>) -> Result<(), End> {
        let (data, text) = (&mut message.data, &mut message.text);
        let mut sink = |bytes: &[u8]| {
            if data.len() + bytes.len() > MAX_MESSAGE {
                return Err(ProtocolError::MessageTooBig);
            }
            data.extend_from_slice(bytes);
            text.push(bytes).map_err(|InvalidText| ProtocolError::InvalidUtf8)
        };
        let compression = self.compression.as_mut().filter(|_| message.is_compressed);
        let pushed = match (compression, part) {
            _ if message.is_broken => Ok(()),
            (Some(compression), Some(part)) => compression.inflate(part, sink),
            (Some(compression), None) => compression.finish(sink),
            (None, Some(part)) => sink(part),
            (None, None) => Ok(()),
        };
        match pushed {
            Ok(()) => Ok(()),
            Err(ProtocolError::MessageTooBig) => Err(End::Failed(TOO_BIG)),
            Err(ProtocolError::InvalidDeflate) if self.frames.has(Fault::AcceptsInvalidDeflate) => {
                message.is_broken = true;
                self.compression.iter_mut().for_each(Compression::forget);
                Ok(())
            }
            Err(_) => {
                message.is_broken = true;
                self.frames.fail(INVALID_PAYLOAD)
            }
        }
    }

    fn echo(&mut self, message: Message) -> io::Result<()> {
        if self.frames.is_in_aftermath() && !self.frames.has(Fault::EchoesAfterClose) {
            return Ok(());
        }
        let mut data = message.data;
        if data.len() == 65_536 && self.frames.has(Fault::LosesByteOf65536) {
            data.pop();
        }
        let is_text = message.opcode == TEXT || self.frames.has(Fault::EchoesBinaryAsText);
        let opcode = if is_text { TEXT } else { BINARY };
        let (rsv, payload) = match &mut self.compression {
            Some(compression) => (4, compression.deflate(&data)),
            None => (0, data),
        };
        if message.frames > 1 && self.frames.has(Fault::InterleavesMessages) {
            let (start, rest) = payload.split_at(payload.len() / 2);
            self.frames.write(false, rsv, opcode, start)?;
            self.frames.write(true, 0, TEXT, b"between")?;
            return self.frames.write(true, 0, CONTINUATION, rest);
        }
        self.frames.write(true, rsv, opcode, &payload)
    }
}
