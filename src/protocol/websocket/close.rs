//! The close frame (RFC 6455 §5.5.1) and its status codes (§7.4).

use std::fmt;

use super::frame::{MAX_CONTROL_PAYLOAD, Opcode, write_frame};

/// The most bytes of a close frame's reason: a control frame's payload, less the two bytes of the code.
pub const MAX_REASON: usize = MAX_CONTROL_PAYLOAD - 2;

/// Why a side closes (RFC 6455 §7.4). Any number can stand here; [`may_be_sent`](Self::may_be_sent) tells which a frame may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CloseCode(pub u16);

impl CloseCode {
    /// The purpose of the connection is fulfilled (§7.4.1).
    pub const NORMAL: Self = Self(1000);
    /// The server goes down, or the browser leaves the page (§7.4.1).
    pub const GOING_AWAY: Self = Self(1001);
    /// The peer broke the protocol (§7.4.1).
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// A kind of data this side does not take, as binary where text is meant (§7.4.1).
    pub const UNSUPPORTED_DATA: Self = Self(1003);
    /// The data do not fit the message's type, as text that is not UTF-8 (§7.4.1).
    pub const INVALID_PAYLOAD: Self = Self(1007);
    /// The message breaks a policy, and no other code says it better (§7.4.1).
    pub const POLICY_VIOLATION: Self = Self(1008);
    /// The message is too big to process (§7.4.1).
    pub const MESSAGE_TOO_BIG: Self = Self(1009);
    /// The server met a condition that it did not expect (§7.4.1).
    pub const INTERNAL_ERROR: Self = Self(1011);
    /// The server is overloaded; come again (the IANA WebSocket Close Code Number Registry).
    pub const TRY_AGAIN_LATER: Self = Self(1013);

    /// True if a close frame may hold this code.
    ///
    /// RFC 6455 §7.4.1 defines 1000–1003 and 1007–1011, IANA's registry adds 1012–1014; §7.4.2 gives 3000–4999 to
    /// libraries and applications. 1004 is reserved; 1005, 1006 and 1015 are only for telling, on one's own
    /// side, that no code came; all others are for later versions of the protocol.
    pub const fn may_be_sent(self) -> bool {
        matches!(self.0, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What makes the payload of a close frame wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseError {
    /// One byte, where a body begins with the two of a code (§5.5.1).
    TruncatedCloseCode,
    /// A code that no frame may hold (§7.4).
    ForbiddenCode(CloseCode),
    /// A reason that is not UTF-8 (§5.5.1, §8.1).
    InvalidUtf8,
}

impl CloseError {
    /// The code to answer with.
    pub const fn close_code(self) -> CloseCode {
        match self {
            Self::TruncatedCloseCode | Self::ForbiddenCode(_) => CloseCode::PROTOCOL_ERROR,
            Self::InvalidUtf8 => CloseCode::INVALID_PAYLOAD,
        }
    }
}

impl fmt::Display for CloseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TruncatedCloseCode => {
                f.write_str("close frame with half a status code (RFC 6455 section 5.5.1)")
            }
            Self::ForbiddenCode(code) => {
                write!(
                    f,
                    "close frame with status code {code}, which must not be sent (RFC 6455 section 7.4)"
                )
            }
            Self::InvalidUtf8 => f.write_str("close reason is not valid UTF-8 (RFC 6455 section 5.5.1)"),
        }
    }
}

impl std::error::Error for CloseError {}

/// Reads the unmasked payload of a close frame (RFC 6455 §5.5.1): the code and the reason, `None` if it is empty.
///
/// # Errors
///
/// One variant of [`CloseError`] for each way in which it can be wrong.
pub fn decode(payload: &[u8]) -> Result<Option<(CloseCode, &str)>, CloseError> {
    let Some((code, reason)) = payload.split_first_chunk() else {
        return if payload.is_empty() { Ok(None) } else { Err(CloseError::TruncatedCloseCode) };
    };
    let code = CloseCode(u16::from_be_bytes(*code));
    if !code.may_be_sent() {
        return Err(CloseError::ForbiddenCode(code)); // §7.4.1, §7.4.2
    }
    let reason = std::str::from_utf8(reason).map_err(|_| CloseError::InvalidUtf8)?; // §5.5.1
    Ok(Some((code, reason)))
}

/// The payload of a close frame, not masked (RFC 6455 §5.5.1): what [`decode`] reads back.
///
/// The reason is cut, between two characters, to the [`MAX_REASON`] bytes that fit. `code` must be one that
/// [may be sent](CloseCode::may_be_sent). To close without a code, send an empty payload.
pub fn payload(code: CloseCode, reason: &str) -> Vec<u8> {
    debug_assert!(code.may_be_sent(), "{code} must not stand in a close frame");
    let mut end = reason.len().min(MAX_REASON);
    while !reason.is_char_boundary(end) {
        end -= 1; // 0 is a boundary
    }
    let mut payload = Vec::with_capacity(MAX_CONTROL_PAYLOAD);
    payload.extend_from_slice(&code.0.to_be_bytes());
    payload.extend_from_slice(&reason.as_bytes()[..end]);
    payload
}

/// Appends a whole close frame as a server sends it, with the [`payload`] of `code` and `reason`.
pub fn encode(code: CloseCode, reason: &str, out: &mut Vec<u8>) {
    write_frame(Opcode::Close, &payload(code, reason), out);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_may_hold_the_defined_the_registered_and_the_private_codes() {
        let allowed = |code| matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
        for code in 0..=u16::MAX {
            let bytes = code.to_be_bytes();
            let expected = match allowed(code) {
                true => Ok(Some((CloseCode(code), ""))),
                false => Err(CloseError::ForbiddenCode(CloseCode(code))),
            };
            assert_eq!(decode(&bytes), expected);
        }
    }

    #[test]
    fn reads_what_may_be_there_and_refuses_the_rest() {
        assert_eq!(decode(b""), Ok(None));
        assert_eq!(decode(b"\x03"), Err(CloseError::TruncatedCloseCode));
        assert_eq!(decode(b"\x03\xE8bye"), Ok(Some((CloseCode::NORMAL, "bye"))));
        assert_eq!(decode(b"\x03\xE8\xFF"), Err(CloseError::InvalidUtf8));
        assert_eq!(decode(b"\x03\xE8\xC3"), Err(CloseError::InvalidUtf8), "cut inside a character");
    }

    #[test]
    fn writes_a_whole_frame_behind_what_is_there() {
        let mut out = b"before".to_vec();
        encode(CloseCode::TRY_AGAIN_LATER, "later", &mut out);
        assert_eq!(out, b"before\x88\x07\x03\xF5later");
    }

    #[test]
    fn cuts_the_reason_between_two_characters() {
        for (reason, kept) in [
            ("x".repeat(123), 123),
            ("x".repeat(124), 123),
            ("é".repeat(62), 122),
            ("€".repeat(42), 123),
            (format!("x{}", "€".repeat(42)), 121),
            ("🦀".repeat(31), 120),
        ] {
            let mut out = Vec::new();
            encode(CloseCode::NORMAL, &reason, &mut out);
            assert_eq!(out[..2], [0x88, 2 + kept], "{reason}");
            assert_eq!(decode(&out[2..]), Ok(Some((CloseCode::NORMAL, &reason[..kept.into()]))));
        }
    }
}
