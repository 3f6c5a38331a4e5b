//! Spans as text, as JSON, and as a diagram. Each writes to a string; nothing here does I/O.

pub mod json;
pub mod shorten;
pub mod svg;
pub mod text;

/// Where a span comes from, as far as that is known and not in the span.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// Which connection, where there may be several.
    pub connection: Option<u64>,
    /// When it came, in milliseconds from the beginning of what is told.
    pub time_ms: Option<u64>,
}
