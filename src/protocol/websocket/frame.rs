//! The frame header (RFC 6455 §5.2): 2 to 14 bytes in front of every payload.
//!
//! ```text
//!   byte 0             byte 1             then, as needed
//!   F R R R opcode(4)  M length(7)        length in 2 bytes  (if the 7 bits say 126)
//!   I S S S            A                  length in 8 bytes  (if they say 127)
//!   N V V V            S                  masking key, 4 bytes (if MASK is set)
//!     1 2 3            K
//! ```

use std::fmt;

use super::close::CloseCode;
use super::mask;

/// The most bytes that a header can have: 2, a length in 8, and a masking key of 4 (§5.2).
pub const MAX_HEADER: usize = 14;

/// The most bytes that a control frame's payload can have (§5.5).
pub const MAX_CONTROL_PAYLOAD: usize = 125;

const FIN: u8 = 0b1000_0000;
const RSV1: u8 = 0b0100_0000;
const RSV2_RSV3: u8 = 0b0011_0000;
const OPCODE: u8 = 0b0000_1111;
const MASK: u8 = 0b1000_0000;
const LENGTH: u8 = 0b0111_1111;

/// What a frame's payload is (§5.2). The numbers are those on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opcode {
    /// More of the message that an earlier frame began.
    Continuation = 0x0,
    /// The first frame of a text message.
    Text = 0x1,
    /// The first frame of a binary message.
    Binary = 0x2,
    /// The sender's last frame.
    Close = 0x8,
    /// A question whether the peer is there.
    Ping = 0x9,
    /// The answer to a ping.
    Pong = 0xA,
}

impl Opcode {
    /// True for close, ping and pong: never fragmented, at most 125 bytes, and allowed inside a message (§5.5).
    pub const fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }

    const fn decode(nibble: u8) -> Option<Self> {
        match nibble {
            0x0 => Some(Self::Continuation),
            0x1 => Some(Self::Text),
            0x2 => Some(Self::Binary),
            0x8 => Some(Self::Close),
            0x9 => Some(Self::Ping),
            0xA => Some(Self::Pong),
            _ => None, // 3–7 and B–F are reserved
        }
    }
}

/// What makes a frame's header wrong in itself, whoever sends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// RSV2 or RSV3 is set, and no extension gives them a meaning (§5.2).
    ReservedBit,
    /// An opcode without a meaning: 3–7 or 11–15 (§5.2).
    ReservedOpcode(u8),
    /// A control frame with FIN clear (§5.5).
    FragmentedControl,
    /// A control frame with more than 125 bytes of payload (§5.5).
    ControlTooLong,
    /// A length written in more bytes than it needs (§5.2).
    LengthNotMinimal,
    /// A length of 64 bits whose most significant bit is set (§5.2).
    LengthBeyond63Bits,
}

impl FrameError {
    /// The code to answer with.
    pub const fn close_code(self) -> CloseCode {
        CloseCode::PROTOCOL_ERROR
    }
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReservedBit => f.write_str("RSV2 or RSV3 is set (RFC 6455 section 5.2)"),
            Self::ReservedOpcode(opcode) => write!(f, "reserved opcode {opcode:#x} (RFC 6455 section 5.2)"),
            Self::FragmentedControl => f.write_str("fragmented control frame (RFC 6455 section 5.5)"),
            Self::ControlTooLong => f.write_str("control frame longer than 125 bytes (RFC 6455 section 5.5)"),
            Self::LengthNotMinimal => {
                f.write_str("payload length not in the fewest bytes (RFC 6455 section 5.2)")
            }
            Self::LengthBeyond63Bits => f.write_str("payload length beyond 63 bits (RFC 6455 section 5.2)"),
        }
    }
}

impl std::error::Error for FrameError {}

/// The header of one frame (§5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// The frame is the last of its message.
    pub fin: bool,
    /// The bit that permessage-deflate uses (RFC 7692 §6); whether it may be set is the receiver's to judge.
    pub rsv1: bool,
    /// What the payload is.
    pub opcode: Opcode,
    /// The key that the payload is masked with; `None` if MASK is clear.
    pub masking_key: Option<[u8; 4]>,
    /// Bytes of payload after this header, below 2⁶³.
    pub payload_length: u64,
}

impl FrameHeader {
    /// Reads a header from the start of `bytes`: the header and its length in bytes, `None` if more bytes must come first.
    ///
    /// # Errors
    ///
    /// A [`FrameError`] as soon as the byte that makes it is there, even if the header is not yet whole.
    pub fn decode(bytes: &[u8]) -> Result<Option<(Self, usize)>, FrameError> {
        let Some((first, rest)) = bytes.split_first() else { return Ok(None) };
        let FirstByte { fin, rsv1, opcode } = FirstByte::decode(*first)?;

        let Some((second, rest)) = rest.split_first() else { return Ok(None) };
        let length = second & LENGTH;
        if opcode.is_control() && usize::from(length) > MAX_CONTROL_PAYLOAD {
            return Err(FrameError::ControlTooLong); // §5.5
        }
        let Some((payload_length, rest)) = decode_length(length, rest)? else { return Ok(None) };

        let (masking_key, rest) = if second & MASK == 0 {
            (None, rest)
        } else {
            let Some((key, rest)) = rest.split_first_chunk() else { return Ok(None) };
            (Some(*key), rest)
        };
        let header = Self { fin, rsv1, opcode, masking_key, payload_length };
        Ok(Some((header, bytes.len() - rest.len())))
    }

    /// Appends the header to `out`: what [`decode`](Self::decode) reads back.
    ///
    /// The caller keeps the rules of §5.5 for control frames, and the length below 2⁶³.
    pub fn encode(&self, out: &mut Vec<u8>) {
        debug_assert!(
            !self.opcode.is_control() || (self.fin && self.payload_length <= 125),
            "{self:?}: §5.5"
        );
        debug_assert!(self.payload_length >> 63 == 0, "{self:?}: §5.2");
        let fin = if self.fin { FIN } else { 0 };
        let rsv1 = if self.rsv1 { RSV1 } else { 0 };
        let mask = if self.masking_key.is_some() { MASK } else { 0 };
        let first = fin | rsv1 | self.opcode as u8;
        // §5.2: the fewest bytes that hold the length.
        if let Ok(length @ 0..=125) = u8::try_from(self.payload_length) {
            out.extend_from_slice(&[first, mask | length]);
        } else if let Ok(length) = u16::try_from(self.payload_length) {
            let [high, low] = length.to_be_bytes();
            out.extend_from_slice(&[first, mask | 126, high, low]);
        } else {
            out.extend_from_slice(&[first, mask | 127]);
            out.extend_from_slice(&self.payload_length.to_be_bytes());
        }
        if let Some(key) = self.masking_key {
            out.extend_from_slice(&key);
        }
    }
}

/// Appends a whole frame as a server sends it: unmasked (§5.1), and the only one of its message.
///
/// A control frame's payload has at most [`MAX_CONTROL_PAYLOAD`] bytes (§5.5); the caller sees to it.
pub fn write_frame(opcode: Opcode, payload: &[u8], out: &mut Vec<u8>) {
    write(false, opcode, payload, out);
}

/// Appends a whole frame as a client sends it: masked with this key (§5.3), and the only one of its message.
///
/// A control frame's payload has at most [`MAX_CONTROL_PAYLOAD`] bytes (§5.5); the caller sees to it.
pub fn write_masked_frame(masking_key: [u8; 4], opcode: Opcode, payload: &[u8], out: &mut Vec<u8>) {
    let payload_length = payload.len() as u64;
    FrameHeader { fin: true, rsv1: false, opcode, masking_key: Some(masking_key), payload_length }
        .encode(out);
    let start = out.len();
    out.extend_from_slice(payload);
    mask::apply(masking_key, 0, &mut out[start..]);
}

/// Appends a whole frame as [`write_frame`] does, of a message whose payload is compressed: RSV1 says so (RFC 7692 §6.1).
///
/// Control frames are never compressed (RFC 7692 §6.1).
pub fn write_compressed_frame(opcode: Opcode, payload: &[u8], out: &mut Vec<u8>) {
    debug_assert!(!opcode.is_control(), "{opcode:?}: RFC 7692 §6.1");
    write(true, opcode, payload, out);
}

fn write(rsv1: bool, opcode: Opcode, payload: &[u8], out: &mut Vec<u8>) {
    let payload_length = payload.len() as u64;
    out.reserve(MAX_HEADER + payload.len());
    FrameHeader { fin: true, rsv1, opcode, masking_key: None, payload_length }.encode(out);
    out.extend_from_slice(payload);
}

/// What a frame's first byte alone tells; a receiver judges it before the second has come.
pub(super) struct FirstByte {
    pub fin: bool,
    pub rsv1: bool,
    pub opcode: Opcode,
}

impl FirstByte {
    pub fn decode(byte: u8) -> Result<Self, FrameError> {
        if byte & RSV2_RSV3 != 0 {
            return Err(FrameError::ReservedBit); // §5.2
        }
        let Some(opcode) = Opcode::decode(byte & OPCODE) else {
            return Err(FrameError::ReservedOpcode(byte & OPCODE)); // §5.2
        };
        let fin = byte & FIN != 0;
        if opcode.is_control() && !fin {
            return Err(FrameError::FragmentedControl); // §5.5
        }
        Ok(Self { fin, rsv1: byte & RSV1 != 0, opcode })
    }
}

/// True if a frame's second byte announces a masking key.
pub(super) const fn is_masked(second: u8) -> bool {
    second & MASK != 0
}

/// The payload length that the 7 bits `short` announce, and what stands after it; `None` if it is not yet whole (§5.2).
fn decode_length(short: u8, bytes: &[u8]) -> Result<Option<(u64, &[u8])>, FrameError> {
    match short {
        126 => {
            let Some((length, rest)) = bytes.split_first_chunk() else { return Ok(None) };
            let length = u16::from_be_bytes(*length);
            if length < 126 {
                return Err(FrameError::LengthNotMinimal);
            }
            Ok(Some((length.into(), rest)))
        }
        127 => {
            if bytes.first().is_some_and(|first| first >> 7 == 1) {
                return Err(FrameError::LengthBeyond63Bits);
            }
            if bytes.starts_with(&[0; 6]) {
                return Err(FrameError::LengthNotMinimal); // the other two bytes would have held it
            }
            let Some((length, rest)) = bytes.split_first_chunk() else { return Ok(None) };
            Ok(Some((u64::from_be_bytes(*length), rest)))
        }
        short => Ok(Some((short.into(), bytes))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const OPCODES: [Opcode; 6] =
        [Opcode::Continuation, Opcode::Text, Opcode::Binary, Opcode::Close, Opcode::Ping, Opcode::Pong];

    /// The masked text message and the masked pong of RFC 6455 §5.7.
    #[test]
    fn a_masked_frame_is_the_one_of_the_rfc() {
        for (opcode, first) in [(Opcode::Text, 0x81), (Opcode::Pong, 0x8a)] {
            let mut out = Vec::new();
            write_masked_frame([0x37, 0xfa, 0x21, 0x3d], opcode, b"Hello", &mut out);
            assert_eq!(out, [first, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]);
        }
    }

    /// Every error stands at one byte: one byte less is only incomplete, and what follows changes nothing.
    #[test]
    fn refuses_at_the_offending_byte() {
        use FrameError::*;
        for (bytes, error) in [
            (&[0x91][..], ReservedBit),
            (&[0xA1], ReservedBit),
            (&[0x83], ReservedOpcode(0x3)),
            (&[0x84], ReservedOpcode(0x4)),
            (&[0x85], ReservedOpcode(0x5)),
            (&[0x86], ReservedOpcode(0x6)),
            (&[0x87], ReservedOpcode(0x7)),
            (&[0x8B], ReservedOpcode(0xB)),
            (&[0x8C], ReservedOpcode(0xC)),
            (&[0x8D], ReservedOpcode(0xD)),
            (&[0x8E], ReservedOpcode(0xE)),
            (&[0x8F], ReservedOpcode(0xF)),
            (&[0x08], FragmentedControl),
            (&[0x09], FragmentedControl),
            (&[0x0A], FragmentedControl),
            (&[0x88, 126], ControlTooLong),
            (&[0x89, 127], ControlTooLong),
            (&[0x8A, 0xFE], ControlTooLong),
            (&[0x82, 126, 0, 125], LengthNotMinimal),
            (&[0x82, 127, 0, 0, 0, 0, 0, 0], LengthNotMinimal),
            (&[0x82, 127, 0x80], LengthBeyond63Bits),
        ] {
            assert_eq!(FrameHeader::decode(bytes), Err(error), "{bytes:x?}");
            assert_eq!(FrameHeader::decode(&bytes[..bytes.len() - 1]), Ok(None), "{bytes:x?}");
            let longer = [bytes, &[0xFF; MAX_HEADER]].concat();
            assert_eq!(FrameHeader::decode(&longer), Err(error), "{longer:x?}");
            assert_eq!(error.close_code(), CloseCode::PROTOCOL_ERROR);
        }
    }

    #[test]
    fn a_length_changes_its_form_where_it_must() {
        for (payload_length, header) in [
            (0, &[0x82, 0][..]),
            (125, &[0x82, 125]),
            (126, &[0x82, 126, 0, 126]),
            (0xFFFF, &[0x82, 126, 0xFF, 0xFF]),
            (0x1_0000, &[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
            ((1 << 63) - 1, &[0x82, 127, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]),
        ] {
            let mut out = Vec::new();
            let frame = FrameHeader {
                fin: true,
                rsv1: false,
                opcode: Opcode::Binary,
                masking_key: None,
                payload_length,
            };
            frame.encode(&mut out);
            assert_eq!(out, header);
            assert_eq!(FrameHeader::decode(&out), Ok(Some((frame, header.len()))));
        }
    }

    #[test]
    fn a_server_frame_is_one_unmasked_piece() {
        let mut out = b"before".to_vec();
        write_frame(Opcode::Text, b"Hello", &mut out);
        assert_eq!(out, b"before\x81\x05Hello");
        write_compressed_frame(Opcode::Binary, b"\0", &mut out);
        assert_eq!(out, b"before\x81\x05Hello\xC2\x01\0");
    }

    proptest! {
        #[test]
        fn decodes_what_it_encodes_and_waits_for_all_of_it(
            fin: bool, rsv1: bool, opcode in prop::sample::select(&OPCODES[..]), masking_key: Option<[u8; 4]>,
            bits in 0..63u32, length: u64, behind: Vec<u8>,
        ) {
            let payload_length = if opcode.is_control() { length % 126 } else { length >> (63 - bits) >> 1 };
            let header = FrameHeader { fin: fin || opcode.is_control(), rsv1, opcode, masking_key, payload_length };
            let mut out = Vec::new();
            header.encode(&mut out);
            let end = out.len();
            prop_assert!(end <= MAX_HEADER);
            for cut in 0..end {
                prop_assert_eq!(FrameHeader::decode(&out[..cut]), Ok(None));
            }
            out.extend(behind);
            prop_assert_eq!(FrameHeader::decode(&out), Ok(Some((header, end))));
        }
    }
}
