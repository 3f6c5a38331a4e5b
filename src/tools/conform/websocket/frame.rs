//! The frames that the suite sends: any frame, valid or not.

use crate::protocol::websocket::mask;

/// The opcodes of RFC 6455 §5.2. Reserved ones are given by their number.
pub const CONTINUATION: u8 = 0x0;
pub const TEXT: u8 = 0x1;
pub const BINARY: u8 = 0x2;
pub const CLOSE: u8 = 0x8;
pub const PING: u8 = 0x9;
pub const PONG: u8 = 0xa;

/// How the length of the payload is written (RFC 6455 §5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LengthForm {
    /// In the shortest form, as required.
    Shortest,
    /// In the two bytes after 126.
    TwoBytes,
    /// In the eight bytes after 127.
    EightBytes,
}

/// Whether the payload is masked (RFC 6455 §5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Masking {
    /// As the role of the suite requires: a client masks, a server does not.
    ByRole,
    /// Against the role of the suite.
    Wrong,
    /// With a key of zeros, which leaves the payload readable.
    ZeroKey,
    /// With this key.
    Key([u8; 4]),
}

/// A frame to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub fin: bool,
    /// The three reserved bits as a number: RSV1 is 4, RSV2 is 2, RSV3 is 1.
    pub rsv: u8,
    pub opcode: u8,
    pub masking: Masking,
    pub length_form: LengthForm,
    /// The length in the header, if it differs from that of the payload.
    pub announced: Option<u64>,
    pub payload: Vec<u8>,
}

impl Frame {
    /// Returns a valid final frame.
    pub fn new(opcode: u8, payload: impl Into<Vec<u8>>) -> Self {
        Self {
            fin: true,
            rsv: 0,
            opcode,
            masking: Masking::ByRole,
            length_form: LengthForm::Shortest,
            announced: None,
            payload: payload.into(),
        }
    }

    /// Clears FIN: more frames of the message follow.
    pub fn part(self) -> Self {
        Self { fin: false, ..self }
    }

    /// Sets the reserved bits.
    pub fn rsv(self, rsv: u8) -> Self {
        Self { rsv, ..self }
    }

    pub fn masking(self, masking: Masking) -> Self {
        Self { masking, ..self }
    }

    pub fn length_form(self, length_form: LengthForm) -> Self {
        Self { length_form, ..self }
    }

    /// Announces another length than that of the payload.
    pub fn announcing(self, length: u64) -> Self {
        Self { announced: Some(length), ..self }
    }

    /// Appends the bytes of the frame. `key` masks the payload if the role masks.
    pub fn encode(&self, masks: bool, key: [u8; 4], out: &mut Vec<u8>) {
        let key = match self.masking {
            Masking::ByRole => masks.then_some(key),
            Masking::Wrong => (!masks).then_some(key),
            Masking::ZeroKey => Some([0; 4]),
            Masking::Key(key) => Some(key),
        };
        let mask_bit = if key.is_some() { 0x80 } else { 0 };
        out.push(u8::from(self.fin) << 7 | self.rsv << 4 | self.opcode);
        let length = self.announced.unwrap_or(self.payload.len() as u64);
        match (self.length_form, length) {
            (LengthForm::Shortest, 0..=125) => out.push(mask_bit | length as u8),
            (LengthForm::Shortest, 126..=0xffff) | (LengthForm::TwoBytes, _) => {
                out.push(mask_bit | 126);
                out.extend_from_slice(&(length as u16).to_be_bytes());
            }
            (LengthForm::Shortest | LengthForm::EightBytes, _) => {
                out.push(mask_bit | 127);
                out.extend_from_slice(&length.to_be_bytes());
            }
        }
        let Some(key) = key else { return out.extend_from_slice(&self.payload) };
        out.extend_from_slice(&key);
        let start = out.len();
        out.extend_from_slice(&self.payload);
        mask::apply(key, 0, &mut out[start..]);
    }
}

pub fn text(payload: impl Into<Vec<u8>>) -> Frame {
    Frame::new(TEXT, payload)
}

pub fn binary(payload: impl Into<Vec<u8>>) -> Frame {
    Frame::new(BINARY, payload)
}

pub fn continuation(payload: impl Into<Vec<u8>>) -> Frame {
    Frame::new(CONTINUATION, payload)
}

pub fn ping(payload: impl Into<Vec<u8>>) -> Frame {
    Frame::new(PING, payload)
}

pub fn pong(payload: impl Into<Vec<u8>>) -> Frame {
    Frame::new(PONG, payload)
}

/// Returns a close frame with a code and a reason.
pub fn close(code: u16, reason: &str) -> Frame {
    Frame::new(CLOSE, [&code.to_be_bytes(), reason.as_bytes()].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(frame: &Frame, masks: bool) -> Vec<u8> {
        let mut out = Vec::new();
        frame.encode(masks, [0x37, 0xfa, 0x21, 0x3d], &mut out);
        out
    }

    #[test]
    fn encodes_the_frames_of_rfc_6455_section_5_7() {
        assert_eq!(bytes(&text("Hello"), false), [0x81, 0x05, b'H', b'e', b'l', b'l', b'o']);
        let masked = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
        assert_eq!(bytes(&text("Hello"), true), masked);
        assert_eq!(bytes(&text("Hel").part(), false)[0], 0x01);
        assert_eq!(bytes(&binary(vec![0; 256]), false)[..4], [0x82, 0x7e, 0x01, 0x00]);
        let long = [0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0];
        assert_eq!(bytes(&binary(vec![0; 65_536]), false)[..10], long);
    }

    #[test]
    fn encodes_frames_that_no_endpoint_may_send() {
        assert_eq!(bytes(&ping("").rsv(7), false), [0xf9, 0]);
        assert_eq!(bytes(&text("a").length_form(LengthForm::TwoBytes), false), [0x81, 126, 0, 1, b'a']);
        assert_eq!(bytes(&text("a").masking(Masking::Wrong), true), [0x81, 1, b'a']);
        assert_eq!(bytes(&text("a").announcing(5), false), [0x81, 5, b'a']);
        let zero = bytes(&text("a").masking(Masking::ZeroKey), true);
        assert_eq!(zero, [0x81, 0x81, 0, 0, 0, 0, b'a']);
    }
}
