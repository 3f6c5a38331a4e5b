//! The status codes of close frames (RFC 6455 §7.4).

use std::fmt;

/// A status code of a close frame (RFC 6455 §7.4).
///
/// The type holds any number; [`may_be_sent`](Self::may_be_sent) checks that a frame may contain
/// it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CloseCode(pub u16);

impl CloseCode {
    /// The purpose of the connection is fulfilled (§7.4.1).
    pub const NORMAL: Self = Self(1000);
    /// The server is shutting down, or the browser leaves the page (§7.4.1).
    pub const GOING_AWAY: Self = Self(1001);
    /// The peer broke the protocol (§7.4.1).
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// The endpoint does not accept this type of data, such as binary instead of text (§7.4.1).
    pub const UNSUPPORTED_DATA: Self = Self(1003);
    /// The data do not match the type of the message, such as text that is not UTF-8 (§7.4.1).
    pub const INVALID_PAYLOAD: Self = Self(1007);
    /// The message violates a policy for which no more specific code exists (§7.4.1).
    pub const POLICY_VIOLATION: Self = Self(1008);
    /// The message is too big to process (§7.4.1).
    pub const MESSAGE_TOO_BIG: Self = Self(1009);
    /// The server encountered an unexpected condition (§7.4.1).
    pub const INTERNAL_ERROR: Self = Self(1011);
    /// The server is overloaded; the client should reconnect later (IANA WebSocket Close Code
    /// Number Registry).
    pub const TRY_AGAIN_LATER: Self = Self(1013);

    /// Returns true if a close frame may contain this code.
    ///
    /// RFC 6455 §7.4.1 defines 1000–1003 and 1007–1011, and the IANA registry adds 1012–1014;
    /// §7.4.2 assigns 3000–4999 to libraries and applications. 1004 is reserved. 1005, 1006 and
    /// 1015 report to the local application that no code was received. All other codes are reserved
    /// for later versions of the protocol.
    pub const fn may_be_sent(self) -> bool {
        matches!(self.0, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
