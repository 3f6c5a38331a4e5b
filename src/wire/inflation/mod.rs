//! Decompression of messages (RFC 7692 §7.2.2).

#[cfg(not(feature = "deflate"))]
mod disabled;
#[cfg(feature = "deflate")]
mod inflate;

#[cfg(not(feature = "deflate"))]
pub(super) use disabled::Inflation;
#[cfg(feature = "deflate")]
pub(super) use inflate::Inflation;

/// The reason why a compressed message can't be inflated.
pub(super) struct InflateError {
    /// The reason as a clause, to follow "not shown:".
    pub why: &'static str,
    /// True if the sender broke a rule.
    pub is_violation: bool,
}
