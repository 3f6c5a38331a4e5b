//! Response heads as a client reads them: the status line and the field lines (RFC 9112 §4, §5).

use std::fmt;

use super::head::{Fields, HeadError, HeadLimits, MAX_FIELD_LINES, Scratch, Version};
use super::scan::HeadScan;

/// What every status line begins with (RFC 9112 §2.3).
const PROTOCOL: &[u8] = b"HTTP/";

/// Finds the end of a response head in a buffer that grows: [`HeadScan`], for the other direction.
///
/// What is no HTTP at all is refused at its first byte: a server of another protocol may have sent its greeting, and wait.
#[derive(Debug, Default)]
pub struct ResponseScan(HeadScan);

impl ResponseScan {
    /// Goes on looking in `buffer`, which holds what it held at the last call and more behind it.
    ///
    /// `Some(end)` is the length of the head with its blank line; `None` asks for more bytes. A buffer of
    /// `limits.bytes` never gets `None`. [`HeadLimits::request_line`] limits the status line.
    ///
    /// # Errors
    /// The first mistake in the order of the bytes, so the same one however they are cut.
    pub fn scan(&mut self, buffer: &[u8], limits: &HeadLimits) -> Result<Option<usize>, ResponseError> {
        // Not beyond a limit: what is refused there is refused for that, also where all comes at once.
        let within = limits.bytes.min(limits.request_line.saturating_add(1));
        if buffer.iter().zip(PROTOCOL).take(within).any(|(byte, expected)| byte != expected) {
            return Err(ResponseError::NotHttp);
        }
        self.0.scan(buffer, limits).map_err(ResponseError::of)
    }
}

/// A response head, borrowed from the bytes that it came in.
#[derive(Clone, Copy, Debug)]
pub struct Response<'h, 'b> {
    /// In which version of HTTP.
    pub version: Version,
    /// The status code, 100 to 599. What it means is for the reader to know; the reason phrase is for nobody (RFC 9112 §4).
    pub status: u16,
    /// The field lines.
    pub fields: Fields<'h, 'b>,
}

/// Reads a response head: the bytes up to the end that [`ResponseScan`] found under the same limits.
///
/// # Errors
/// One [`ResponseError`] for each rule; what only the whole head shows.
pub fn parse_response<'h, 'b>(
    head: &'b [u8],
    scratch: &'h mut Scratch<'b>,
    limits: &HeadLimits,
) -> Result<Response<'h, 'b>, ResponseError> {
    // httparse takes a lone LF for a line's end. The scan does not, so it has to come first.
    debug_assert_eq!(ResponseScan::default().scan(head, limits), Ok(Some(head.len())));

    let room = &mut scratch[..limits.field_lines.min(MAX_FIELD_LINES)];
    let mut response = httparse::Response::new(&mut []);
    let parser = httparse::ParserConfig::default();
    if let Err(error) = parser.parse_response_with_uninit_headers(&mut response, head, room) {
        return Err(ResponseError::explain(error, head));
    }
    let (Some(version), Some(status)) = (response.version, response.code) else {
        return Err(ResponseError::Unfinished);
    };
    // httparse does without the space behind the code. RFC 9112 §4: a server sends it, also where no phrase follows.
    if head.get(b"HTTP/1.1 200".len()) != Some(&b' ') {
        return Err(ResponseError::StatusLine);
    }
    if !(100..=599).contains(&status) {
        return Err(ResponseError::StatusCode);
    }
    let version = if version == 0 { Version::Http10 } else { Version::Http11 };
    Ok(Response { version, status, fields: Fields::of(response.headers) })
}

/// Why a response head is refused: one variant for each rule. The connection is of no use after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseError {
    /// What comes does not begin with `HTTP/`.
    NotHttp,
    /// A CR without LF.
    BareCr,
    /// An LF without CR.
    BareLf,
    /// A control, NUL among them, that no line may hold.
    Control,
    /// The status line is longer than its limit.
    StatusLineTooLong,
    /// The head is larger than its limit.
    HeadTooLarge,
    /// More field lines than the limit.
    TooManyFieldLines,
    /// The bytes end before the blank line; a mistake of the caller's, who did not scan.
    Unfinished,
    /// The status line is not a version, three digits and a phrase, with one space behind each of the first two.
    StatusLine,
    /// A version other than 1.0 and 1.1.
    VersionNotSupported,
    /// A status code below 100 or above 599.
    StatusCode,
    /// Whitespace before the first field line.
    SpaceBeforeFields,
    /// A field line goes on in the next line. RFC 9112 §5.2 wants a client to mend this. Nobody sends it any more but
    /// to be read in two ways, and a head that is borrowed from its bytes cannot be mended: so it is refused.
    ObsFold,
    /// Whitespace between a field name and its colon.
    SpaceBeforeColon,
    /// A field name is no token, or there is no colon.
    FieldName,
}

impl ResponseError {
    /// The same rule where the scan, which is made for requests, or a field line breaks it.
    const fn of(error: HeadError) -> Self {
        match error {
            HeadError::BareCr => Self::BareCr,
            HeadError::BareLf => Self::BareLf,
            HeadError::Control => Self::Control,
            HeadError::RequestLineTooLong => Self::StatusLineTooLong,
            HeadError::HeadTooLarge => Self::HeadTooLarge,
            HeadError::TooManyFieldLines => Self::TooManyFieldLines,
            HeadError::SpaceBeforeFields => Self::SpaceBeforeFields,
            HeadError::ObsFold => Self::ObsFold,
            HeadError::SpaceBeforeColon => Self::SpaceBeforeColon,
            HeadError::FieldName => Self::FieldName,
            HeadError::Unfinished => Self::Unfinished,
            // Rules of the request line and of requests' fields, which nothing here looks at.
            HeadError::EmptyLines
            | HeadError::RequestLine
            | HeadError::Method
            | HeadError::Target
            | HeadError::Fragment
            | HeadError::Version
            | HeadError::VersionNotSupported
            | HeadError::HostMissing
            | HeadError::HostRepeated
            | HeadError::Host
            | HeadError::Expectation => Self::StatusLine,
        }
    }

    /// Finds the rule that `head` breaks, where httparse says only which part it is in.
    #[cold]
    fn explain(error: httparse::Error, head: &[u8]) -> Self {
        match error {
            httparse::Error::HeaderName | httparse::Error::HeaderValue | httparse::Error::TooManyHeaders => {
                Self::of(HeadError::explain(error, head))
            }
            httparse::Error::Version => match head.get(PROTOCOL.len()..PROTOCOL.len() + 4) {
                Some([major, b'.', minor, b' ']) if major.is_ascii_digit() && minor.is_ascii_digit() => {
                    Self::VersionNotSupported
                }
                _ => Self::StatusLine,
            },
            httparse::Error::Status | httparse::Error::Token | httparse::Error::NewLine => Self::StatusLine,
        }
    }
}

impl fmt::Display for ResponseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotHttp => "The answer does not begin with HTTP/ (RFC 9112 §4).",
            Self::BareCr => "A CR stands without an LF behind it (RFC 9112 §2.2).",
            Self::BareLf => "A line ends in LF without CR (RFC 9112 §2.2).",
            Self::Control => "The head holds a control character (RFC 9110 §5.5, RFC 9112 §4).",
            Self::StatusLineTooLong => "The status line is longer than what is read here (RFC 9112 §4).",
            Self::HeadTooLarge => "The response head is larger than what is read here (RFC 9110 §5.4).",
            Self::TooManyFieldLines => {
                "The response has more field lines than what is read here (RFC 9110 §5.4)."
            }
            Self::Unfinished => "The head has no blank line at its end (RFC 9112 §2.1).",
            Self::StatusLine => "The status line is not a version, three digits and a phrase (RFC 9112 §4).",
            Self::VersionNotSupported => "Only HTTP/1.0 and HTTP/1.1 are understood here (RFC 9112 §2.3).",
            Self::StatusCode => "The status code is not one of 100 to 599 (RFC 9110 §15).",
            Self::SpaceBeforeFields => "Whitespace stands before the first field line (RFC 9112 §2.2).",
            Self::ObsFold => "A field line is folded (RFC 9112 §5.2).",
            Self::SpaceBeforeColon => "Whitespace stands before the colon of a field line (RFC 9112 §5.1).",
            Self::FieldName => "A field line does not begin with a token and a colon (RFC 9112 §5).",
        })
    }
}

impl std::error::Error for ResponseError {}
