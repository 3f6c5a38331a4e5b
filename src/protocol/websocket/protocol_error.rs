//! What makes a receiver give up (RFC 6455 §7.1.7).

use std::fmt;

use super::close::{CloseCode, CloseError};
use super::frame::FrameError;
#[cfg(feature = "deflate")]
use super::inflate::InvalidDeflate;
use super::utf8::InvalidUtf8;

/// Why the connection must be failed (§7.1.7): one variant for each rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtocolError {
    /// A header that is wrong in itself.
    Frame(FrameError),
    /// RSV1 is set, and no extension that gives it a meaning was negotiated (§5.2).
    Rsv1WithoutExtension,
    /// RSV1 is set on a control frame, or on a frame that continues a message: only a message's first frame says that it
    /// is compressed (RFC 7692 §6.1).
    Rsv1NotOnFirstFrame,
    /// A client's frame that is not masked (§5.1).
    UnmaskedClientFrame,
    /// A server's frame that is masked (§5.1).
    MaskedServerFrame,
    /// A continuation frame outside a message (§5.4).
    ContinuationOutsideMessage,
    /// A text or binary frame inside a message (§5.4).
    InterleavedMessages,
    /// A message of more bytes than [`message_bytes`](super::message::MessageLimits::message_bytes) (§10.4).
    MessageTooBig,
    /// A message of more frames than [`frames`](super::message::MessageLimits::frames) (§10.4).
    TooManyFrames,
    /// A text message that is not UTF-8 (§8.1).
    InvalidUtf8,
    /// A compressed message that is not DEFLATE (RFC 7692 §7.2.2).
    InvalidDeflate,
    /// A close frame with a wrong payload.
    Close(CloseError),
}

impl ProtocolError {
    /// The code to answer with (§7.4.1).
    pub const fn close_code(self) -> CloseCode {
        match self {
            Self::Frame(error) => error.close_code(),
            Self::Rsv1WithoutExtension
            | Self::Rsv1NotOnFirstFrame
            | Self::UnmaskedClientFrame
            | Self::MaskedServerFrame
            | Self::ContinuationOutsideMessage
            | Self::InterleavedMessages => CloseCode::PROTOCOL_ERROR,
            Self::MessageTooBig => CloseCode::MESSAGE_TOO_BIG,
            Self::TooManyFrames => CloseCode::POLICY_VIOLATION,
            // RFC 7692 names no code. The frames are right, and the data in them are not what they are said to be: that
            // is what 1007 means, as for text that is not UTF-8.
            Self::InvalidUtf8 | Self::InvalidDeflate => CloseCode::INVALID_PAYLOAD,
            Self::Close(error) => error.close_code(),
        }
    }
}

/// At most 123 bytes: fit to be the close frame's reason.
impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Frame(error) => return error.fmt(f),
            Self::Close(error) => return error.fmt(f),
            Self::InvalidUtf8 => return InvalidUtf8.fmt(f),
            Self::Rsv1WithoutExtension => "RSV1 is set without an extension (RFC 6455 section 5.2)",
            Self::Rsv1NotOnFirstFrame => {
                "RSV1 is set on a frame that begins no message (RFC 7692 section 6.1)"
            }
            Self::InvalidDeflate => "compressed message is not valid DEFLATE (RFC 7692 section 7.2.2)",
            Self::UnmaskedClientFrame => "client frame is not masked (RFC 6455 section 5.1)",
            Self::MaskedServerFrame => "server frame is masked (RFC 6455 section 5.1)",
            Self::ContinuationOutsideMessage => "continuation frame outside a message (RFC 6455 section 5.4)",
            Self::InterleavedMessages => "new message before the last one's end (RFC 6455 section 5.4)",
            Self::MessageTooBig => "message is too big (RFC 6455 section 10.4)",
            Self::TooManyFrames => "message has too many frames (RFC 6455 section 10.4)",
        })
    }
}

impl std::error::Error for ProtocolError {}

impl From<FrameError> for ProtocolError {
    fn from(error: FrameError) -> Self {
        Self::Frame(error)
    }
}

impl From<InvalidUtf8> for ProtocolError {
    fn from(InvalidUtf8: InvalidUtf8) -> Self {
        Self::InvalidUtf8
    }
}

#[cfg(feature = "deflate")]
impl From<InvalidDeflate> for ProtocolError {
    fn from(InvalidDeflate: InvalidDeflate) -> Self {
        Self::InvalidDeflate
    }
}

impl From<CloseError> for ProtocolError {
    fn from(error: CloseError) -> Self {
        Self::Close(error)
    }
}

#[cfg(test)]
mod tests {
    use super::super::close::MAX_REASON;
    use super::*;

    #[test]
    fn every_failure_fits_a_close_frame_and_cites_its_section() {
        let code = CloseCode(u16::MAX);
        let frame = [
            FrameError::ReservedBit,
            FrameError::ReservedOpcode(0xF),
            FrameError::FragmentedControl,
            FrameError::ControlTooLong,
            FrameError::LengthNotMinimal,
            FrameError::LengthBeyond63Bits,
        ];
        let close =
            [CloseError::TruncatedCloseCode, CloseError::ForbiddenCode(code), CloseError::InvalidUtf8];
        let own = [
            ProtocolError::Rsv1WithoutExtension,
            ProtocolError::Rsv1NotOnFirstFrame,
            ProtocolError::UnmaskedClientFrame,
            ProtocolError::MaskedServerFrame,
            ProtocolError::ContinuationOutsideMessage,
            ProtocolError::InterleavedMessages,
            ProtocolError::MessageTooBig,
            ProtocolError::TooManyFrames,
            ProtocolError::InvalidUtf8,
            ProtocolError::InvalidDeflate,
        ];
        for failure in
            frame.map(ProtocolError::from).into_iter().chain(close.map(ProtocolError::from)).chain(own)
        {
            let reason = failure.to_string();
            assert!(reason.len() <= MAX_REASON, "{reason}");
            assert!(
                reason.contains("(RFC 6455 section ") || reason.contains("(RFC 7692 section "),
                "{reason}"
            );
            assert!(failure.close_code().may_be_sent(), "{reason}");
        }
    }
}
