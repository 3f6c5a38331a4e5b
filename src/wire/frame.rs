//! The WebSocket frames of one side (RFC 6455 §5).

use super::exchange::Compression;
use super::frame_header::{self, Before, EXTENDED_LENGTH, FrameHeader};
use super::inflation::Inflation;
use super::message::Message;
use super::payload::Payload;
use super::span::{Kind, Side};
use super::splitter::{FieldSpec, Progress, Splitter};
use crate::protocol::rule::Section;

const KEY: FieldSpec = FieldSpec::new(
    "Masking-key",
    Kind::Mask,
    Section::rfc(6455, "5.3"),
    "Byte i of the payload is XORed with byte i mod 4 of this key, which is random for each frame.",
);

/// The state of one side.
#[derive(Debug)]
pub(super) struct Frames {
    side: Side,
    awaiting: Awaiting,
    message: Option<Message>,
    inflation: Inflation,
    /// True after a close frame.
    is_closed: bool,
}

/// The next part of a frame.
#[derive(Debug)]
enum Awaiting {
    FirstByte,
    SecondByte { header: FrameHeader },
    Length { header: FrameHeader, is_masked: bool, size: usize },
    Key { header: FrameHeader },
    Payload(Payload),
}

impl Frames {
    pub fn new(side: Side, compression: Compression) -> Self {
        Self {
            side,
            awaiting: Awaiting::FirstByte,
            message: None,
            inflation: Inflation::new(side, compression),
            is_closed: false,
        }
    }

    /// Returns the memory in bytes, on the heap as a whole.
    pub fn memory(&self) -> usize {
        size_of::<Self>() + self.message.as_ref().map_or(0, Message::memory) + self.inflation.memory()
    }

    /// Returns the work of decompression since the last call, in bytes.
    pub fn take_work(&mut self) -> u64 {
        self.inflation.take_work()
    }

    /// Splits all fields that have arrived completely.
    pub fn advance(&mut self, splitter: &mut Splitter) -> Progress {
        loop {
            let rest = splitter.rest();
            self.awaiting = match &mut self.awaiting {
                Awaiting::FirstByte => {
                    let [first, ..] = rest else { return Progress::NeedMore };
                    Awaiting::SecondByte { header: self.first_byte(splitter, *first) }
                }
                Awaiting::SecondByte { header } => {
                    let (header, [second, ..]) = (*header, rest) else { return Progress::NeedMore };
                    self.second_byte(splitter, header, *second)
                }
                Awaiting::Length { header, is_masked, size } => {
                    let (header, is_masked, size) = (*header, *is_masked, *size);
                    if rest.len() < size {
                        splitter.emit_truncated(EXTENDED_LENGTH);
                        return Progress::NeedMore;
                    }
                    match frame_header::split_length(splitter, header, size) {
                        None => return Progress::Unreadable("A payload of this length would never end."),
                        Some(length) => after_length(FrameHeader { length, ..header }, is_masked),
                    }
                }
                Awaiting::Key { header } => {
                    let Some(key) = rest.first_chunk() else {
                        splitter.emit_truncated(KEY);
                        return Progress::NeedMore;
                    };
                    let header = FrameHeader { key: Some(*key), ..*header };
                    let span = splitter.emit(key.len(), KEY);
                    span.value =
                        span.bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into();
                    Awaiting::Payload(Payload::new(header))
                }
                Awaiting::Payload(payload) => {
                    if !payload.advance(splitter, &mut self.message, &mut self.inflation) {
                        return Progress::NeedMore;
                    }
                    self.is_closed |= payload.is_close();
                    Awaiting::FirstByte
                }
            };
        }
    }

    fn first_byte(&mut self, splitter: &mut Splitter, byte: u8) -> FrameHeader {
        let before = Before {
            is_closed: self.is_closed,
            is_in_message: self.message.is_some(),
            has_compression: self.inflation.is_on(),
        };
        let header = frame_header::split_first(splitter, byte, &before);
        if header.begins_message() {
            let compressed = header.rsv1 && before.has_compression;
            self.message = Some(Message::new(header.opcode == 0x1, compressed));
        } else if let (0x0, Some(message)) = (header.opcode, &mut self.message) {
            message.add_frame();
        }
        header
    }

    fn second_byte(&self, splitter: &mut Splitter, header: FrameHeader, byte: u8) -> Awaiting {
        let ends_message = header.fin && !header.is_control();
        let message = self.message.as_ref().filter(|_| ends_message);
        let is_within_character = message.is_some_and(Message::is_within_character);
        let (is_masked, length) =
            frame_header::split_second(splitter, self.side, header, byte, is_within_character);
        match length {
            126 => Awaiting::Length { header, is_masked, size: 2 },
            127 => Awaiting::Length { header, is_masked, size: 8 },
            _ => after_length(FrameHeader { length: length.into(), ..header }, is_masked),
        }
    }
}

fn after_length(header: FrameHeader, is_masked: bool) -> Awaiting {
    if is_masked { Awaiting::Key { header } } else { Awaiting::Payload(Payload::new(header)) }
}
