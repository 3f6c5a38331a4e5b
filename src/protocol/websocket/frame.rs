//! The frame header (RFC 6455 §5.2): the 2 to 14 bytes before every payload.
//!
//! ```text
//!   byte 0             byte 1             then, if needed
//!   F R R R opcode(4)  M length(7)        length in 2 bytes  (if the 7 bits are 126)
//!   I S S S            A                  length in 8 bytes  (if the 7 bits are 127)
//!   N V V V            S                  masking key, 4 bytes (if MASK is set)
//!     1 2 3            K
//! ```

use super::mask;
use super::protocol_error::ProtocolError;

/// The greatest length of a header, in bytes: 2, an 8-byte length, and a 4-byte masking key (§5.2).
pub const MAX_HEADER: usize = 14;

/// The greatest length of the payload of a control frame, in bytes (§5.5).
pub const MAX_CONTROL_PAYLOAD: usize = 125;

const FIN: u8 = 0b1000_0000;
const RSV1: u8 = 0b0100_0000;
const RSV2_RSV3: u8 = 0b0011_0000;
const OPCODE: u8 = 0b0000_1111;
const MASK: u8 = 0b1000_0000;
const LENGTH: u8 = 0b0111_1111;

/// The interpretation of a frame's payload (§5.2), with its number on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opcode {
    /// A later frame of a fragmented message.
    Continuation = 0x0,
    /// The first frame of a text message.
    Text = 0x1,
    /// The first frame of a binary message.
    Binary = 0x2,
    /// The last frame of its sender.
    Close = 0x8,
    /// A request for a pong.
    Ping = 0x9,
    /// The response to a ping, or an unsolicited heartbeat.
    Pong = 0xA,
}

impl Opcode {
    /// Returns true for close, ping and pong. Control frames are never fragmented, have at most 125
    /// bytes of payload, and are allowed between the frames of a message (§5.5).
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
            _ => None, // 0x3–0x7 and 0xB–0xF are reserved.
        }
    }
}

/// The header of one frame (§5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// Whether the frame is the last of its message.
    pub fin: bool,
    /// The bit that permessage-deflate defines (RFC 7692 §6). The receiver decides whether the bit
    /// may be set.
    pub rsv1: bool,
    /// The interpretation of the payload.
    pub opcode: Opcode,
    /// The key that masks the payload; `None` if MASK is clear.
    pub masking_key: Option<[u8; 4]>,
    /// The length of the payload in bytes, below 2⁶³.
    pub payload_length: u64,
}

impl FrameHeader {
    /// Decodes a header at the start of `bytes`. Returns the header and its length in bytes, or
    /// `None` if more bytes are needed.
    ///
    /// # Errors
    /// The broken rule as soon as the offending byte is available, even if the header is
    /// incomplete.
    pub fn decode(bytes: &[u8]) -> Result<Option<(Self, usize)>, ProtocolError> {
        let Some((first, rest)) = bytes.split_first() else { return Ok(None) };
        let FirstByte { fin, rsv1, opcode } = FirstByte::decode(*first)?;

        let Some((second, rest)) = rest.split_first() else { return Ok(None) };
        let length = second & LENGTH;
        if opcode.is_control() && usize::from(length) > MAX_CONTROL_PAYLOAD {
            return Err(ProtocolError::ControlTooLong);
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

    /// Appends the header to `out`, in the form that [`decode`](Self::decode) reads.
    ///
    /// The caller ensures the rules for control frames (§5.5) and a length below 2⁶³.
    pub fn encode(&self, out: &mut Vec<u8>) {
        debug_assert!(
            !self.opcode.is_control() || (self.fin && self.payload_length <= 125),
            "RFC 6455 §5.5 forbids this control frame: {self:?}"
        );
        debug_assert!(self.payload_length >> 63 == 0, "RFC 6455 §5.2 forbids this length: {self:?}");
        let fin = if self.fin { FIN } else { 0 };
        let rsv1 = if self.rsv1 { RSV1 } else { 0 };
        let mask = if self.masking_key.is_some() { MASK } else { 0 };
        let first = fin | rsv1 | self.opcode as u8;
        // §5.2: the length is encoded in the fewest bytes.
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

/// Appends a server's frame, unmasked (§5.1) and the only frame of its message, to `out`.
///
/// The caller ensures that the payload of a control frame has at most [`MAX_CONTROL_PAYLOAD`] bytes
/// (§5.5).
pub fn write_frame(opcode: Opcode, payload: &[u8], out: &mut Vec<u8>) {
    write(false, opcode, payload, out);
}

/// Appends a client's frame, masked (§5.3) and the only frame of its message, to `out`.
///
/// The caller ensures that the payload of a control frame has at most [`MAX_CONTROL_PAYLOAD`] bytes
/// (§5.5).
pub fn write_masked_frame(masking_key: [u8; 4], opcode: Opcode, payload: &[u8], out: &mut Vec<u8>) {
    let payload_length = payload.len() as u64;
    FrameHeader { fin: true, rsv1: false, opcode, masking_key: Some(masking_key), payload_length }
        .encode(out);
    let start = out.len();
    out.extend_from_slice(payload);
    mask::apply(masking_key, 0, &mut out[start..]);
}

/// Appends a server's frame of a message with a compressed payload to `out`: as [`write_frame`],
/// with RSV1 set (RFC 7692 §6.1).
///
/// The frame must not be a control frame: those are never compressed (RFC 7692 §6.1).
pub fn write_compressed_frame(opcode: Opcode, payload: &[u8], out: &mut Vec<u8>) {
    debug_assert!(!opcode.is_control(), "RFC 7692 §6.1 forbids a compressed {opcode:?} frame");
    write(true, opcode, payload, out);
}

fn write(rsv1: bool, opcode: Opcode, payload: &[u8], out: &mut Vec<u8>) {
    let payload_length = payload.len() as u64;
    out.reserve(MAX_HEADER + payload.len());
    FrameHeader { fin: true, rsv1, opcode, masking_key: None, payload_length }.encode(out);
    out.extend_from_slice(payload);
}

/// The fields of the first byte, which the receiver checks before the second byte arrives.
pub(super) struct FirstByte {
    pub fin: bool,
    pub rsv1: bool,
    pub opcode: Opcode,
}

impl FirstByte {
    pub fn decode(byte: u8) -> Result<Self, ProtocolError> {
        if byte & RSV2_RSV3 != 0 {
            return Err(ProtocolError::ReservedBit);
        }
        let Some(opcode) = Opcode::decode(byte & OPCODE) else {
            return Err(ProtocolError::ReservedOpcode(byte & OPCODE));
        };
        let fin = byte & FIN != 0;
        if opcode.is_control() && !fin {
            return Err(ProtocolError::FragmentedControl);
        }
        Ok(Self { fin, rsv1: byte & RSV1 != 0, opcode })
    }
}

/// Returns true if the second byte of a frame announces a masking key.
pub(super) const fn is_masked(second: u8) -> bool {
    second & MASK != 0
}

/// Decodes the payload length (§5.2) from the 7 bits in `short` and the `bytes` after them. Returns
/// the length and the rest of `bytes`, or `None` if more bytes are needed.
fn decode_length(short: u8, bytes: &[u8]) -> Result<Option<(u64, &[u8])>, ProtocolError> {
    match short {
        126 => {
            let Some((length, rest)) = bytes.split_first_chunk() else { return Ok(None) };
            let length = u16::from_be_bytes(*length);
            if length < 126 {
                return Err(ProtocolError::LengthNotMinimal);
            }
            Ok(Some((length.into(), rest)))
        }
        127 => {
            if bytes.first().is_some_and(|first| first >> 7 == 1) {
                return Err(ProtocolError::LengthBeyond63Bits);
            }
            if bytes.starts_with(&[0; 6]) {
                return Err(ProtocolError::LengthNotMinimal); // Two bytes can hold this length.
            }
            let Some((length, rest)) = bytes.split_first_chunk() else { return Ok(None) };
            Ok(Some((u64::from_be_bytes(*length), rest)))
        }
        short => Ok(Some((short.into(), bytes))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::close_code::CloseCode;
    use super::*;
    use proptest::prelude::*;

    const OPCODES: [Opcode; 6] =
        [Opcode::Continuation, Opcode::Text, Opcode::Binary, Opcode::Close, Opcode::Ping, Opcode::Pong];

    /// The masked text message and the masked pong of RFC 6455 §5.7.
    #[test]
    fn a_masked_frame_equals_the_example_of_the_rfc() {
        for (opcode, first) in [(Opcode::Text, 0x81), (Opcode::Pong, 0x8a)] {
            let mut out = Vec::new();
            write_masked_frame([0x37, 0xfa, 0x21, 0x3d], opcode, b"Hello", &mut out);
            assert_eq!(out, [first, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]);
        }
    }

    /// One byte less is an incomplete header, and more bytes do not change the error.
    #[test]
    fn rejects_a_header_at_the_offending_byte() {
        use ProtocolError::*;
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
    fn encodes_a_length_in_the_fewest_bytes() {
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
    fn a_server_frame_is_unmasked_and_complete() {
        let mut out = b"before".to_vec();
        write_frame(Opcode::Text, b"Hello", &mut out);
        assert_eq!(out, b"before\x81\x05Hello");
        write_compressed_frame(Opcode::Binary, b"\0", &mut out);
        assert_eq!(out, b"before\x81\x05Hello\xC2\x01\0");
    }

    proptest! {
        #[test]
        fn decodes_an_encoded_header_only_when_it_is_complete(
            fin: bool, rsv1: bool, opcode in prop::sample::select(&OPCODES[..]), masking_key: Option<[u8; 4]>,
            bits in 0..63u32, length: u64, after: Vec<u8>,
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
            out.extend(after);
            prop_assert_eq!(FrameHeader::decode(&out), Ok(Some((header, end))));
        }
    }
}
