//! How large the parts of a message may be.

/// The largest number of field lines that any [`HeadLimits`] can allow.
pub const MAX_FIELD_LINES: usize = 256;

/// The limits of a request or response head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadLimits {
    /// Bytes of the head, including the empty lines before it and the blank line that ends it.
    pub bytes: usize,
    /// Bytes of the request line or status line, without its CRLF. RFC 9112 §3 recommends at least
    /// 8,000.
    pub request_line: usize,
    /// Number of field lines, at most [`MAX_FIELD_LINES`].
    pub field_lines: usize,
}

impl Default for HeadLimits {
    fn default() -> Self {
        Self { bytes: 16 * 1024, request_line: 8 * 1024, field_lines: 100 }
    }
}

/// The limits of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyLimits {
    /// Bytes of content.
    pub content: u64,
    /// Bytes of chunk extensions.
    pub extensions: ExtensionLimit,
    /// Bytes of the trailer section, including its line ends.
    pub trailer: u32,
    /// Number of field lines in the trailer section.
    pub trailer_lines: u32,
}

/// The limit of chunk extensions. Every body has one, because extensions add nothing to the
/// content: a peer could send them forever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExtensionLimit {
    /// Bytes of the extensions of all chunks together.
    Body(u32),
    /// Bytes of the extensions of each chunk. An event stream may last for months, so its total
    /// grows with the content.
    Chunk(u32),
}

/// Bytes of extensions, by default.
const EXTENSIONS: u32 = 4 * 1024;

impl BodyLimits {
    /// The limits of a body that does not end, such as an event stream: no limit applies to a total
    /// that grows with the content.
    pub const ENDLESS: Self = Self {
        content: u64::MAX,
        extensions: ExtensionLimit::Chunk(EXTENSIONS),
        trailer: 8 * 1024,
        trailer_lines: 32,
    };
}

impl Default for BodyLimits {
    fn default() -> Self {
        Self { content: 64 * 1024, extensions: ExtensionLimit::Body(EXTENSIONS), ..Self::ENDLESS }
    }
}
