//! Renders spans as text, as JSON and as a diagram. The output is appended to a string.

pub mod json;
pub mod shorten;
pub mod svg;
pub mod text;

/// The connection and time of a span, as far as they are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// The number of the connection, if there may be several.
    pub connection: Option<u64>,
    /// The arrival time, in milliseconds since the start of the recording or the program.
    pub time_ms: Option<u64>,
}
