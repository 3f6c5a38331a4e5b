//! The headers of WebSocket frames, bit by bit (RFC 6455 §5.2).

use std::borrow::Cow;

use super::exchange::Compression;
use super::glossary;
use super::inflation::Inflation;
use super::message::Message;
use super::payload::Payload;
use super::span::{Bits, Kind, Side, Violation};
use super::splitter::{FieldSpec, Progress, Splitter, violation};
use crate::protocol::rule::Section;

const FRAME: Section = Section::rfc(6455, "5.2");
const MASKING: Section = Section::rfc(6455, "5.3");

const FIRST: FieldSpec = FieldSpec::new(
    "FIN, RSV1-3, opcode",
    Kind::Control,
    FRAME,
    "A frame begins: whether it ends its message, and what it is.",
);
const SECOND: FieldSpec = FieldSpec::new(
    "MASK, Payload len",
    Kind::Length,
    FRAME,
    "Whether the payload is masked, and how long it is.",
);
const EXTENDED: FieldSpec =
    FieldSpec::new("Extended payload length", Kind::Length, FRAME, "The length that 7 bits can't hold.");
const KEY: FieldSpec = FieldSpec::new(
    "Masking-key",
    Kind::Mask,
    MASKING,
    "Byte i of the payload is XORed with byte i modulo 4 of this key, drawn anew for each frame.",
);

/// What a header says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    pub fin: bool,
    pub rsv1: bool,
    pub opcode: u8,
    pub key: Option<[u8; 4]>,
    pub length: u64,
}

impl Header {
    pub fn is_control(&self) -> bool {
        self.opcode & 0x8 != 0
    }
}

/// One side's frames.
#[derive(Debug)]
pub(super) struct Frames {
    side: Side,
    place: Place,
    pub message: Option<Message>,
    pub inflation: Inflation,
    is_closed: bool,
}

/// Where in a frame the next byte stands.
#[derive(Debug)]
enum Place {
    First,
    Second { header: Header },
    Length { header: Header, is_masked: bool, size: usize },
    Key { header: Header },
    Payload(Payload),
}

impl Frames {
    pub fn new(side: Side, compression: Compression) -> Self {
        Self {
            side,
            place: Place::First,
            message: None,
            inflation: Inflation::new(side, compression),
            is_closed: false,
        }
    }

    pub fn advance(&mut self, splitter: &mut Splitter) -> Progress {
        loop {
            let rest = splitter.rest();
            match &mut self.place {
                Place::First => {
                    let [first, ..] = rest else { return Progress::NeedMore };
                    let header = self.first(splitter, *first);
                    self.place = Place::Second { header };
                }
                Place::Second { header } => {
                    let (header, [second, ..]) = (*header, rest) else { return Progress::NeedMore };
                    self.place = self.second(splitter, header, *second);
                }
                Place::Length { header, is_masked, size } => {
                    let (header, is_masked, size) = (*header, *is_masked, *size);
                    if rest.len() < size {
                        splitter.emit_truncated(EXTENDED);
                        return Progress::NeedMore;
                    }
                    match length(splitter, header, size) {
                        None => return Progress::Unreadable("A payload of this length never ends."),
                        Some(length) => self.place = after_length(Header { length, ..header }, is_masked),
                    }
                }
                Place::Key { header } => {
                    let mut header = *header;
                    let Some(key) = rest.first_chunk() else {
                        splitter.emit_truncated(KEY);
                        return Progress::NeedMore;
                    };
                    header.key = Some(*key);
                    let span = splitter.emit(key.len(), KEY);
                    span.value =
                        span.bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into();
                    self.place = Place::Payload(Payload::new(header));
                }
                Place::Payload(payload) => {
                    if !payload.advance(splitter, &mut self.message, &mut self.inflation) {
                        return Progress::NeedMore;
                    }
                    self.is_closed |= payload.header.opcode == 0x8;
                    self.place = Place::First;
                }
            }
        }
    }

    /// Cuts the first byte of a frame, and judges it as soon as it is there.
    fn first(&mut self, splitter: &mut Splitter, byte: u8) -> Header {
        let opcode = byte & 0xf;
        let header = Header { fin: byte >> 7 == 1, rsv1: byte & 0x40 != 0, opcode, key: None, length: 0 };
        let is_data = matches!(opcode, 0x1 | 0x2);
        let is_known = matches!(opcode, 0x0..=0x2 | 0x8..=0xA);
        let rsv1 = header.rsv1.then(|| self.check_rsv1(is_data)).flatten();
        let reserved = |name, mask| {
            let wrong = violation("RSV2 or RSV3 is set, and no extension gives it a meaning.", FRAME);
            (name, (byte & mask != 0).then_some(wrong))
        };
        let ([rsv2, rsv3], fin) = (
            [reserved("RSV2", 0x20), reserved("RSV3", 0x10)],
            (header.is_control() && is_known && !header.fin)
                .then(|| violation("A control frame is never fragmented.", Section::rfc(6455, "5.5"))),
        );
        let order = self.check_opcode(opcode, is_known);
        let bit = |at: u8| byte >> (7 - at) & 1;
        let flag = |at, field, wrong: &Option<Violation>, set: &'static str, clear: &'static str| Bits {
            range: at..at + 1,
            field,
            value: bit(at),
            meaning: Cow::Borrowed(if bit(at) == 1 { set } else { clear }),
            section: FRAME,
            breaks_rule: wrong.is_some(),
        };
        let (meaning, section) = glossary::opcode(opcode);
        let compressed = if is_data { "The message is compressed (RFC 7692 §6)." } else { "Set." };
        let span = splitter.emit(1, FIRST);
        span.bits = vec![
            flag(0, "FIN", &fin, "The last frame of its message.", "More frames of the message follow."),
            flag(1, "RSV1", &rsv1, compressed, "Not set: nothing is compressed."),
            flag(2, rsv2.0, &rsv2.1, "Reserved, and set.", "Reserved."),
            flag(3, rsv3.0, &rsv3.1, "Reserved, and set.", "Reserved."),
            Bits {
                range: 4..8,
                field: "opcode",
                value: opcode,
                meaning: Cow::Borrowed(meaning),
                section,
                breaks_rule: order.is_some(),
            },
        ];
        span.value = describe(header).into();
        let after_close = self.is_closed.then(|| {
            violation("Behind its close frame a side sends nothing more.", Section::rfc(6455, "5.5.1"))
        });
        // In the order in which the protocol code judges.
        let is_reserved = (!is_known).then(|| order.clone()).flatten();
        let found = [after_close, rsv2.1, rsv3.1, is_reserved, fin, rsv1, order];
        span.violation = found.into_iter().flatten().next();
        self.begin(header, is_data);
        header
    }

    fn check_rsv1(&self, is_data: bool) -> Option<Violation> {
        if !self.inflation.is_on() {
            return Some(violation(
                "RSV1 is set, and no extension was agreed on that gives it a meaning.",
                FRAME,
            ));
        }
        (!is_data).then(|| {
            const RULE: &str = "RSV1 is set on a frame that begins no message.";
            violation(RULE, Section::rfc(7692, "6.1"))
        })
    }

    fn check_opcode(&self, opcode: u8, is_known: bool) -> Option<Violation> {
        let fragments = |rule| Some(violation(rule, Section::rfc(6455, "5.4")));
        match (opcode, &self.message) {
            _ if !is_known => Some(violation("This opcode is reserved.", FRAME)),
            (0x0, None) => fragments("There is no message to continue."),
            (0x1 | 0x2, Some(_)) => fragments("A new message begins before the last one's end."),
            _ => None,
        }
    }

    /// A data frame begins a message, or goes on with one.
    fn begin(&mut self, header: Header, is_data: bool) {
        if is_data {
            let compressed = header.rsv1 && self.inflation.is_on();
            self.message = Some(Message::new(header.opcode == 0x1, compressed));
        } else if let (0x0, Some(message)) = (header.opcode, &mut self.message) {
            message.frames += 1;
        }
    }

    /// Cuts the second byte: MASK and 7 bits of length.
    fn second(&self, splitter: &mut Splitter, header: Header, byte: u8) -> Place {
        let (is_masked, length) = (byte >> 7 == 1, byte & 0x7f);
        let mask = match self.side {
            Side::Client if !is_masked => Some("A client masks all that it sends."),
            Side::Server if is_masked => Some("A server masks nothing that it sends."),
            _ => None,
        }
        .map(|rule| violation(rule, Section::rfc(6455, "5.1")));
        let long = (header.is_control() && length > 125).then(|| {
            violation("A control frame has at most 125 bytes of payload.", Section::rfc(6455, "5.5"))
        });
        let is_unfinished = header.fin && length == 0 && !header.is_control();
        let utf8 = self.message.as_ref().filter(|_| is_unfinished).and_then(Message::is_cut);
        let span = splitter.emit(1, SECOND);
        span.value = match length {
            126 => "the next 2 bytes".into(),
            127 => "the next 8 bytes".into(),
            _ => Cow::Owned(format!("{length}")),
        };
        span.bits = vec![
            Bits {
                range: 0..1,
                field: "MASK",
                value: byte >> 7,
                meaning: Cow::Borrowed(if is_masked {
                    "The payload is masked: a client's frame."
                } else {
                    "The payload is not masked: a server's frame."
                }),
                section: Section::rfc(6455, "5.1"),
                breaks_rule: mask.is_some(),
            },
            Bits {
                range: 1..8,
                field: "Payload len",
                value: length,
                meaning: match length {
                    126 => "No length: it stands in the next 2 bytes.".into(),
                    127 => "No length: it stands in the next 8 bytes.".into(),
                    1 => "One byte of payload.".into(),
                    _ => Cow::Owned(format!("{length} bytes of payload.")),
                },
                section: FRAME,
                breaks_rule: long.is_some(),
            },
        ];
        span.violation = mask.or(long).or(utf8);
        match length {
            126 => Place::Length { header, is_masked, size: 2 },
            127 => Place::Length { header, is_masked, size: 8 },
            _ => after_length(Header { length: length.into(), ..header }, is_masked),
        }
    }
}

fn after_length(header: Header, is_masked: bool) -> Place {
    if is_masked { Place::Key { header } } else { Place::Payload(Payload::new(header)) }
}

/// Cuts a length of 2 or 8 bytes; `None` if no payload can be so long.
fn length(splitter: &mut Splitter, header: Header, size: usize) -> Option<u64> {
    let length = splitter.rest()[..size].iter().fold(0, |length, byte| length << 8 | u64::from(*byte));
    let least = if size == 2 { 126 } else { 0x1_0000 };
    let span = splitter.emit(size, EXTENDED);
    span.value = Cow::Owned(format!("{length}"));
    span.meaning = Cow::Owned(format!("{length} bytes of payload."));
    if length >> 63 == 1 {
        span.violation = Some(violation("The most significant bit of a 64-bit length is 0.", FRAME));
        return None;
    }
    // A control frame with this length is wrong already.
    if length < least && !header.is_control() {
        span.violation = Some(violation("A length stands in the fewest bytes that hold it.", FRAME));
    }
    Some(length)
}

/// A first byte in words: `FIN, text`.
fn describe(header: Header) -> String {
    let opcode = match header.opcode {
        0x0 => "continuation",
        0x1 => "text",
        0x2 => "binary",
        0x8 => "close",
        0x9 => "ping",
        0xA => "pong",
        _ => "reserved",
    };
    let flags = [(header.fin, "FIN, "), (header.rsv1, "RSV1, ")];
    flags.into_iter().filter(|(is_set, _)| *is_set).map(|(_, name)| name).chain([opcode]).collect()
}
