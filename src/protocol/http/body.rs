//! Reading a body to its end, and not a byte further (RFC 9112 §6).

use std::fmt;

use super::chunked::ChunkedReader;
use super::framing::Framing;
use super::response::Status;
use super::response_framing::ResponseFraming;

/// What a body may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyLimits {
    /// Bytes of content.
    pub content: u64,
    /// Bytes of chunk extensions, in all chunks together.
    pub extensions: u32,
    /// Bytes of the trailer section, with its line ends.
    pub trailer: u32,
    /// Field lines of the trailer section.
    pub trailer_lines: u32,
}

impl Default for BodyLimits {
    fn default() -> Self {
        Self { content: 64 * 1024, extensions: 4 * 1024, trailer: 8 * 1024, trailer_lines: 32 }
    }
}

/// Takes the content out of a body that arrives in pieces.
#[derive(Debug)]
pub struct BodyReader {
    body: Body,
}

#[derive(Debug)]
enum Body {
    /// So many bytes are still to come.
    Length {
        left: u64,
    },
    Chunked(ChunkedReader),
    /// To the connection's end; so many bytes may still come.
    UntilEnd {
        left: u64,
    },
}

impl BodyReader {
    /// A reader for the body that `framing` announces.
    ///
    /// # Errors
    /// [`BodyError::ContentTooLarge`] at once if `Content-Length` says that it will be, so that
    /// a client that waits for 100 (Continue) never sends it.
    pub fn new(framing: Framing, limits: BodyLimits) -> Result<Self, BodyError> {
        let body = match framing {
            Framing::None => Body::Length { left: 0 },
            Framing::Length(length) if length > limits.content => return Err(BodyError::ContentTooLarge),
            Framing::Length(length) => Body::Length { left: length },
            Framing::Chunked => Body::Chunked(ChunkedReader::new(limits)),
        };
        Ok(Self { body })
    }

    /// A reader for the body of an answer. One that goes to the connection's end is never done.
    ///
    /// # Errors
    /// As those of [`new`](Self::new).
    pub fn of_response(framing: ResponseFraming, limits: BodyLimits) -> Result<Self, BodyError> {
        match framing {
            ResponseFraming::Framed(framing) => Self::new(framing, limits),
            ResponseFraming::UntilEnd => Ok(Self { body: Body::UntilEnd { left: limits.content } }),
        }
    }

    /// Reads from `input` and appends the content that is in it to `content`.
    ///
    /// Returns how many bytes it took and whether the body is done. It takes all of `input` unless
    /// the body is done before its end: what is behind belongs to the next request. Nothing is
    /// reserved for content that has only been announced.
    ///
    /// # Errors
    /// The first mistake in the order of the bytes. The reader is of no use after it, and neither is
    /// the connection.
    pub fn read(&mut self, input: &[u8], content: &mut Vec<u8>) -> Result<(usize, bool), BodyError> {
        match &mut self.body {
            Body::Length { left } => {
                let taken = take(left, input, content);
                Ok((taken, *left == 0))
            }
            Body::Chunked(chunked) => chunked.read(input, content),
            Body::UntilEnd { left } => {
                let taken = take(left, input, content);
                if taken < input.len() { Err(BodyError::ContentTooLarge) } else { Ok((taken, false)) }
            }
        }
    }
}

/// Moves at most `left` bytes of `input` to `content`, and says how many.
pub(super) fn take(left: &mut u64, input: &[u8], content: &mut Vec<u8>) -> usize {
    // What does not fit a usize is more than any input has.
    let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
    content.extend_from_slice(&input[..taken]);
    *left -= taken as u64;
    taken
}

/// Why a body is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyError {
    /// The content is larger than its limit.
    ContentTooLarge,
    /// A chunk does not begin with a hexadecimal digit.
    ChunkSize,
    /// A chunk-size has more than 16 digits.
    ChunkSizeTooLong,
    /// What stands behind a chunk-size is no extension.
    ChunkExtension,
    /// More bytes of chunk extensions than the limit.
    ExtensionsTooLong,
    /// No CRLF behind the data of a chunk.
    ChunkDataEnd,
    /// A CR without LF in the lines around the data.
    BareCr,
    /// An LF without CR there.
    BareLf,
    /// A line of the trailer section is no field line.
    TrailerLine,
    /// A field line of the trailer section goes on in the next line.
    TrailerFold,
    /// A control in a value of the trailer section.
    TrailerControl,
    /// The trailer section has more bytes than its limit.
    TrailerTooLarge,
    /// The trailer section has more field lines than its limit.
    TooManyTrailerLines,
}

impl BodyError {
    /// The status to answer with, and the rule.
    const fn rule(self) -> (Status, &'static str) {
        const BAD: Status = Status::BAD_REQUEST;
        const TOO_LARGE: Status = Status::REQUEST_HEADER_FIELDS_TOO_LARGE;
        match self {
            Self::ContentTooLarge => (
                Status::CONTENT_TOO_LARGE,
                "The content is larger than what is taken here (RFC 9110 §15.5.14).",
            ),
            Self::ChunkSize => (BAD, "A chunk-size is not hexadecimal digits (RFC 9112 §7.1)."),
            Self::ChunkSizeTooLong => (BAD, "A chunk-size has more than 16 digits (RFC 9112 §7.1)."),
            Self::ChunkExtension => (BAD, "A chunk extension is malformed (RFC 9112 §7.1.1)."),
            Self::ExtensionsTooLong => {
                (BAD, "The chunk extensions are longer than what is read here (RFC 9112 §7.1.1).")
            }
            Self::ChunkDataEnd => (BAD, "No CRLF stands behind the data of a chunk (RFC 9112 §7.1)."),
            Self::BareCr => {
                (BAD, "A CR stands without an LF behind it in the chunked coding (RFC 9112 §7.1).")
            }
            Self::BareLf => (BAD, "A line of the chunked coding ends in LF without CR (RFC 9112 §7.1)."),
            Self::TrailerLine => {
                (BAD, "A line of the trailer section is not a name, a colon and a value (RFC 9112 §7.1.2).")
            }
            Self::TrailerFold => (BAD, "A field line of the trailer section is folded (RFC 9112 §5.2)."),
            Self::TrailerControl => (BAD, "The trailer section holds a control character (RFC 9110 §5.5)."),
            Self::TrailerTooLarge => {
                (TOO_LARGE, "The trailer section is larger than what is read here (RFC 9112 §7.1.2).")
            }
            Self::TooManyTrailerLines => {
                (TOO_LARGE, "The trailer section has more field lines than are read here (RFC 9112 §7.1.2).")
            }
        }
    }

    /// The status to answer with.
    pub const fn status(self) -> Status {
        self.rule().0
    }
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.rule().1)
    }
}

impl std::error::Error for BodyError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_ends_at_its_byte() {
        let mut reader = BodyReader::new(Framing::Length(5), BodyLimits::default()).expect("five bytes pass");
        let mut content = Vec::new();
        assert_eq!(reader.read(b"ab", &mut content), Ok((2, false)));
        assert_eq!(reader.read(b"", &mut content), Ok((0, false)));
        assert_eq!(reader.read(b"cdeGET /", &mut content), Ok((3, true)));
        assert_eq!(reader.read(b"GET /", &mut content), Ok((0, true)));
        assert_eq!(content, b"abcde");
    }

    #[test]
    fn what_has_no_length_goes_on_until_its_limit() {
        let limits = BodyLimits { content: 5, ..BodyLimits::default() };
        let mut reader = BodyReader::of_response(ResponseFraming::UntilEnd, limits).expect("nothing is said");
        let mut content = Vec::new();
        assert_eq!(reader.read(b"abc", &mut content), Ok((3, false)));
        assert_eq!(reader.read(b"de", &mut content), Ok((2, false)));
        assert_eq!(reader.read(b"", &mut content), Ok((0, false)));
        assert_eq!(reader.read(b"f", &mut content), Err(BodyError::ContentTooLarge));
        assert_eq!(content, b"abcde");
    }

    #[test]
    fn no_framing_and_no_length_are_done_at_once() {
        for framing in [Framing::None, Framing::Length(0)] {
            let mut reader = BodyReader::new(framing, BodyLimits::default()).expect("nothing passes");
            assert_eq!(reader.read(b"GET /", &mut Vec::new()), Ok((0, true)));
        }
    }

    #[test]
    fn a_length_beyond_the_limit_is_refused_before_a_byte_of_it() {
        let limits = BodyLimits { content: 10, ..BodyLimits::default() };
        assert!(BodyReader::new(Framing::Length(10), limits).is_ok());
        assert_eq!(BodyReader::new(Framing::Length(11), limits).err(), Some(BodyError::ContentTooLarge));
        assert_eq!(
            BodyReader::new(Framing::Length(u64::MAX), limits).err(),
            Some(BodyError::ContentTooLarge)
        );
    }
}
