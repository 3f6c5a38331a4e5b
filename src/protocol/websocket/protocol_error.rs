//! The rules for frames and messages that a peer can break (RFC 6455 §7.1.7).

use super::close_code::CloseCode;
use crate::protocol::rule::rules;

rules! {
    /// Why the connection must be failed (RFC 6455 §7.1.7): the rule that the peer broke.
    pub enum ProtocolError => close_code: CloseCode {
        ReservedBit: PROTOCOL_ERROR, 6455, "5.2",
            "RSV2 or RSV3 is set, and no extension defines it.";
        ReservedOpcode(u8): PROTOCOL_ERROR, 6455, "5.2", "The opcode is reserved.";
        FragmentedControl: PROTOCOL_ERROR, 6455, "5.5", "A control frame is fragmented.";
        ControlTooLong: PROTOCOL_ERROR, 6455, "5.5",
            "A control frame has more than 125 bytes of payload.";
        LengthNotMinimal: PROTOCOL_ERROR, 6455, "5.2",
            "The payload length is not encoded in the fewest bytes.";
        LengthBeyond63Bits: PROTOCOL_ERROR, 6455, "5.2",
            "The most significant bit of a 64-bit payload length is set.";
        Rsv1WithoutExtension: PROTOCOL_ERROR, 6455, "5.2",
            "RSV1 is set, and no negotiated extension defines it.";
        // Only the first frame of a message marks the message as compressed.
        Rsv1NotOnFirstFrame: PROTOCOL_ERROR, 7692, "6.1",
            "RSV1 is set on a frame that does not start a message.";
        UnmaskedClientFrame: PROTOCOL_ERROR, 6455, "5.1", "A client frame is not masked.";
        MaskedServerFrame: PROTOCOL_ERROR, 6455, "5.1", "A server frame is masked.";
        ContinuationOutsideMessage: PROTOCOL_ERROR, 6455, "5.4",
            "A continuation frame is not part of a message.";
        InterleavedMessages: PROTOCOL_ERROR, 6455, "5.4",
            "A new message starts before the previous message ends.";
        MessageTooBig: MESSAGE_TOO_BIG, 6455, "10.4", "The message is too big.";
        TooManyFrames: POLICY_VIOLATION, 6455, "10.4", "The message has too many frames.";
        InvalidUtf8: INVALID_PAYLOAD, 6455, "8.1", "The text is not valid UTF-8.";
        // RFC 7692 names no code. The frames are valid, but their data are not what RSV1 promises;
        // 1007 reports that, as it does for text that is not UTF-8.
        InvalidDeflate: INVALID_PAYLOAD, 7692, "7.2.2",
            "The compressed message is not valid DEFLATE.";
        TruncatedCloseCode: PROTOCOL_ERROR, 6455, "5.5.1",
            "The close frame holds only one byte of its status code.";
        ForbiddenCloseCode(CloseCode): PROTOCOL_ERROR, 6455, "7.4",
            "A close frame must not hold this status code.";
        CloseReasonNotUtf8: INVALID_PAYLOAD, 6455, "5.5.1", "The close reason is not valid UTF-8.";
    }
}

impl ProtocolError {
    /// Returns the reason for the close frame: the broken rule in ASCII, at most 123 bytes.
    pub fn close_reason(self) -> String {
        format!("{self:#}")
    }
}

#[cfg(test)]
mod tests {
    use super::super::close::MAX_REASON;
    use super::ProtocolError::*;
    use super::*;

    #[test]
    fn every_rule_has_a_close_code_and_a_reason_that_fits_into_a_close_frame() {
        for error in [
            ReservedBit,
            ReservedOpcode(0xF),
            FragmentedControl,
            ControlTooLong,
            LengthNotMinimal,
            LengthBeyond63Bits,
            Rsv1WithoutExtension,
            Rsv1NotOnFirstFrame,
            UnmaskedClientFrame,
            MaskedServerFrame,
            ContinuationOutsideMessage,
            InterleavedMessages,
            MessageTooBig,
            TooManyFrames,
            InvalidUtf8,
            InvalidDeflate,
            TruncatedCloseCode,
            ForbiddenCloseCode(CloseCode(u16::MAX)),
            CloseReasonNotUtf8,
        ] {
            let reason = error.close_reason();
            assert!(reason.len() <= MAX_REASON && reason.is_ascii(), "{reason}");
            assert!(
                reason.contains("(RFC 6455 section ") || reason.contains("(RFC 7692 section "),
                "{reason}"
            );
            assert!(error.close_code().may_be_sent(), "{reason}");
        }
    }
}
