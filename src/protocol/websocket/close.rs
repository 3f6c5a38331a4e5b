//! The close frame (RFC 6455 §5.5.1).

pub use super::close_code::CloseCode;
use super::frame::{MAX_CONTROL_PAYLOAD, Opcode, write_frame};
use super::protocol_error::ProtocolError;

/// The greatest length of a close reason, in bytes: the payload of a control frame without the two
/// bytes of the code.
pub const MAX_REASON: usize = MAX_CONTROL_PAYLOAD - 2;

/// Decodes the unmasked payload of a close frame (RFC 6455 §5.5.1) into the code and the reason, or
/// `None` if the payload is empty.
///
/// # Errors
/// [`ProtocolError::TruncatedCloseCode`], [`ProtocolError::ForbiddenCloseCode`] or
/// [`ProtocolError::CloseReasonNotUtf8`].
pub fn decode(payload: &[u8]) -> Result<Option<(CloseCode, &str)>, ProtocolError> {
    let Some((code, reason)) = payload.split_first_chunk() else {
        return if payload.is_empty() { Ok(None) } else { Err(ProtocolError::TruncatedCloseCode) };
    };
    let code = CloseCode(u16::from_be_bytes(*code));
    if !code.may_be_sent() {
        return Err(ProtocolError::ForbiddenCloseCode(code));
    }
    let reason = std::str::from_utf8(reason).map_err(|_| ProtocolError::CloseReasonNotUtf8)?;
    Ok(Some((code, reason)))
}

/// Returns the unmasked payload of a close frame (RFC 6455 §5.5.1), which [`decode`] reads back.
///
/// A reason longer than [`MAX_REASON`] bytes is truncated between two characters. `code` must be
/// one that [may be sent](CloseCode::may_be_sent). A close frame without a code has an empty
/// payload.
pub fn payload(code: CloseCode, reason: &str) -> Vec<u8> {
    debug_assert!(code.may_be_sent(), "a close frame must not contain the code {code}");
    let mut end = reason.len().min(MAX_REASON);
    while !reason.is_char_boundary(end) {
        end -= 1; // 0 is a boundary.
    }
    let mut payload = Vec::with_capacity(MAX_CONTROL_PAYLOAD);
    payload.extend_from_slice(&code.0.to_be_bytes());
    payload.extend_from_slice(&reason.as_bytes()[..end]);
    payload
}

/// Appends a server's close frame with the [`payload`] of `code` and `reason` to `out`.
pub fn encode(code: CloseCode, reason: &str, out: &mut Vec<u8>) {
    write_frame(Opcode::Close, &payload(code, reason), out);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_the_defined_the_registered_and_the_private_codes() {
        let allowed = |code| matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
        for code in 0..=u16::MAX {
            let bytes = code.to_be_bytes();
            let expected = match allowed(code) {
                true => Ok(Some((CloseCode(code), ""))),
                false => Err(ProtocolError::ForbiddenCloseCode(CloseCode(code))),
            };
            assert_eq!(decode(&bytes), expected);
        }
    }

    #[test]
    fn decodes_valid_payloads_and_rejects_others() {
        assert_eq!(decode(b""), Ok(None));
        assert_eq!(decode(b"\x03"), Err(ProtocolError::TruncatedCloseCode));
        assert_eq!(decode(b"\x03\xE8bye"), Ok(Some((CloseCode::NORMAL, "bye"))));
        assert_eq!(decode(b"\x03\xE8\xFF"), Err(ProtocolError::CloseReasonNotUtf8));
        let truncated = Err(ProtocolError::CloseReasonNotUtf8);
        assert_eq!(decode(b"\x03\xE8\xC3"), truncated, "ends inside a character");
    }

    #[test]
    fn appends_a_complete_frame() {
        let mut out = b"before".to_vec();
        encode(CloseCode::TRY_AGAIN_LATER, "later", &mut out);
        assert_eq!(out, b"before\x88\x07\x03\xF5later");
    }

    #[test]
    fn truncates_the_reason_between_two_characters() {
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
