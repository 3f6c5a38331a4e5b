//! The header of a WebSocket frame, bit by bit (RFC 6455 §5.2).

use std::borrow::Cow;

use super::glossary;
use super::span::{Bits, Kind, Side};
use super::splitter::{FieldSpec, Splitter};
use crate::protocol::rule::{Rule, Section};
use crate::protocol::websocket::ProtocolError;

const FRAME: Section = Section::rfc(6455, "5.2");

const FRAME_AFTER_CLOSE: Rule = Rule::rfc(6455, "5.5.1", "A frame follows the close frame.");

const FIRST: FieldSpec = FieldSpec::new(
    "FIN, RSV1-3, opcode",
    Kind::Control,
    FRAME,
    "The first byte of a frame: whether it ends its message, and its type.",
);
const SECOND: FieldSpec = FieldSpec::new(
    "MASK, Payload len",
    Kind::Length,
    FRAME,
    "Whether the payload is masked, and how long it is.",
);
pub(super) const EXTENDED_LENGTH: FieldSpec = FieldSpec::new(
    "Extended payload length",
    Kind::Length,
    FRAME,
    "The payload length, which does not fit in 7 bits.",
);

/// A frame header.
#[derive(Clone, Copy, Debug)]
pub(super) struct FrameHeader {
    pub fin: bool,
    pub rsv1: bool,
    pub opcode: u8,
    pub key: Option<[u8; 4]>,
    pub length: u64,
}

impl FrameHeader {
    pub fn is_control(&self) -> bool {
        self.opcode & 0x8 != 0
    }

    /// Returns true for a frame that begins a message.
    pub fn begins_message(&self) -> bool {
        matches!(self.opcode, 0x1 | 0x2)
    }

    fn is_reserved(&self) -> bool {
        !matches!(self.opcode, 0x0..=0x2 | 0x8..=0xA)
    }
}

/// The state of a side before a frame, on which the rules for the first byte depend.
pub(super) struct Before {
    /// A close frame precedes the frame.
    pub is_closed: bool,
    /// A message is unfinished.
    pub is_in_message: bool,
    /// An extension that defines RSV1 was negotiated.
    pub has_compression: bool,
}

/// The rules that the bit fields of the first byte break.
#[derive(Clone, Copy)]
struct FirstByteRules {
    fin: Option<Rule>,
    rsv1: Option<Rule>,
    rsv2: Option<Rule>,
    rsv3: Option<Rule>,
    opcode: Option<Rule>,
}

impl FirstByteRules {
    fn of(byte: u8, header: FrameHeader, before: &Before) -> Self {
        let is_fragmented_control = header.is_control() && !header.is_reserved() && !header.fin;
        Self {
            fin: is_fragmented_control.then(|| ProtocolError::FragmentedControl.rule()),
            rsv1: header.rsv1.then(|| check_rsv1(header, before)).flatten(),
            rsv2: (byte & 0x20 != 0).then(|| ProtocolError::ReservedBit.rule()),
            rsv3: (byte & 0x10 != 0).then(|| ProtocolError::ReservedBit.rule()),
            opcode: check_opcode(header, before),
        }
    }

    /// Returns the first broken rule in the order in which the protocol code checks the rules.
    fn first(self, header: FrameHeader) -> Option<Rule> {
        let reserved = self.opcode.filter(|_| header.is_reserved());
        [self.rsv2, self.rsv3, reserved, self.fin, self.rsv1, self.opcode].into_iter().flatten().next()
    }
}

fn check_rsv1(header: FrameHeader, before: &Before) -> Option<Rule> {
    if !before.has_compression {
        return Some(ProtocolError::Rsv1WithoutExtension.rule());
    }
    (!header.begins_message()).then(|| ProtocolError::Rsv1NotOnFirstFrame.rule())
}

fn check_opcode(header: FrameHeader, before: &Before) -> Option<Rule> {
    match (header.opcode, before.is_in_message) {
        _ if header.is_reserved() => Some(ProtocolError::ReservedOpcode(header.opcode).rule()),
        (0x0, false) => Some(ProtocolError::ContinuationOutsideMessage.rule()),
        (0x1 | 0x2, true) => Some(ProtocolError::InterleavedMessages.rule()),
        _ => None,
    }
}

/// Splits the first byte of a frame and checks it without waiting for more bytes.
pub(super) fn split_first(splitter: &mut Splitter, byte: u8, before: &Before) -> FrameHeader {
    let header =
        FrameHeader { fin: byte >> 7 == 1, rsv1: byte & 0x40 != 0, opcode: byte & 0xf, key: None, length: 0 };
    let rules = FirstByteRules::of(byte, header, before);
    let flag = |at: u8, field, rule: Option<Rule>, set: &'static str, clear: &'static str| {
        let value = byte >> (7 - at) & 1;
        Bits {
            range: at..at + 1,
            field,
            value,
            meaning: Cow::Borrowed(if value == 1 { set } else { clear }),
            section: FRAME,
            breaks_rule: rule.is_some(),
        }
    };
    let (meaning, section) = glossary::opcode(header.opcode);
    let compressed =
        if header.begins_message() { "Set: the message is compressed (RFC 7692 §6)." } else { "Set." };
    let FirstByteRules { fin, rsv1, rsv2, rsv3, opcode } = rules;
    let bits = vec![
        flag(0, "FIN", fin, "The last frame of the message.", "More frames of the message follow."),
        flag(1, "RSV1", rsv1, compressed, "Not set: no compression."),
        flag(2, "RSV2", rsv2, "Reserved, and set.", "Reserved."),
        flag(3, "RSV3", rsv3, "Reserved, and set.", "Reserved."),
        Bits {
            range: 4..8,
            field: "opcode",
            value: header.opcode,
            meaning: Cow::Borrowed(meaning),
            section,
            breaks_rule: opcode.is_some(),
        },
    ];
    let span = splitter.emit(1, FIRST);
    span.bits = bits;
    span.value = describe(header).into();
    span.violation = if before.is_closed { Some(FRAME_AFTER_CLOSE) } else { rules.first(header) };
    header
}

/// Splits the second byte of a frame: MASK and 7 bits of length. Returns whether the payload is
/// masked, and the 7 bits.
///
/// `is_within_character` means that the frame ends a text message whose text so far ends within a
/// character.
pub(super) fn split_second(
    splitter: &mut Splitter,
    side: Side,
    header: FrameHeader,
    byte: u8,
    is_within_character: bool,
) -> (bool, u8) {
    let (is_masked, length) = (byte >> 7 == 1, byte & 0x7f);
    let mask = match side {
        Side::Client if !is_masked => Some(ProtocolError::UnmaskedClientFrame.rule()),
        Side::Server if is_masked => Some(ProtocolError::MaskedServerFrame.rule()),
        _ => None,
    };
    let too_long = (header.is_control() && length > 125).then(|| ProtocolError::ControlTooLong.rule());
    let unfinished = (is_within_character && length == 0).then(|| ProtocolError::InvalidUtf8.rule());
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
                "The payload is masked, as in every client frame."
            } else {
                "The payload is not masked, as in every server frame."
            }),
            section: Section::rfc(6455, "5.1"),
            breaks_rule: mask.is_some(),
        },
        Bits {
            range: 1..8,
            field: "Payload len",
            value: length,
            meaning: match length {
                126 => "The length is in the next 2 bytes.".into(),
                127 => "The length is in the next 8 bytes.".into(),
                1 => "1 byte of payload.".into(),
                _ => Cow::Owned(format!("{length} bytes of payload.")),
            },
            section: FRAME,
            breaks_rule: too_long.is_some(),
        },
    ];
    span.violation = mask.or(too_long).or(unfinished);
    (is_masked, length)
}

/// Splits an extended length of 2 or 8 bytes. Returns `None` if it exceeds the maximum.
pub(super) fn split_length(splitter: &mut Splitter, header: FrameHeader, size: usize) -> Option<u64> {
    let length = splitter.rest()[..size].iter().fold(0, |length, byte| length << 8 | u64::from(*byte));
    let minimum = if size == 2 { 126 } else { 0x1_0000 };
    let span = splitter.emit(size, EXTENDED_LENGTH);
    span.value = Cow::Owned(format!("{length}"));
    span.meaning = Cow::Owned(format!("{length} bytes of payload."));
    if length >> 63 == 1 {
        span.violation = Some(ProtocolError::LengthBeyond63Bits.rule());
        return None;
    }
    // In a control frame the second byte already breaks a rule.
    if length < minimum && !header.is_control() {
        span.violation = Some(ProtocolError::LengthNotMinimal.rule());
    }
    Some(length)
}

/// Returns the first byte in words, such as `FIN, text`.
fn describe(header: FrameHeader) -> String {
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
