//! What can be wrong with a request head, one variant for each rule.

use std::fmt;

use super::fields::{is_token, trim};
use super::response::Status;

/// Why a request head is refused. The connection is of no use after it: where the next request
/// would begin is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadError {
    /// Many empty lines before the request line.
    EmptyLines,
    /// A CR without LF.
    BareCr,
    /// An LF without CR.
    BareLf,
    /// A control, NUL among them, that no line may hold.
    Control,
    /// The request line is longer than its limit.
    RequestLineTooLong,
    /// The head is larger than its limit.
    HeadTooLarge,
    /// More field lines than the limit.
    TooManyFieldLines,
    /// The bytes end before the blank line; a mistake of the caller's, who did not scan.
    Unfinished,
    /// The request line is not three parts with one space between them.
    RequestLine,
    /// The method is no token.
    Method,
    /// The target has none of the forms that its method allows.
    Target,
    /// The target has a fragment.
    Fragment,
    /// The version is not `HTTP/`, digit, dot, digit.
    Version,
    /// A version other than 1.0 and 1.1.
    VersionNotSupported,
    /// Whitespace before the first field line.
    SpaceBeforeFields,
    /// A field line goes on in the next line.
    ObsFold,
    /// Whitespace between a field name and its colon.
    SpaceBeforeColon,
    /// A field name is no token, or there is no colon.
    FieldName,
    /// HTTP/1.1 without `Host`.
    HostMissing,
    /// More than one `Host`.
    HostRepeated,
    /// `Host` is not a host and a port.
    Host,
    /// An expectation other than `100-continue`.
    Expectation,
}

impl HeadError {
    /// The status to answer with, and the rule.
    const fn rule(self) -> (Status, &'static str) {
        const BAD: Status = Status::BAD_REQUEST;
        match self {
            Self::EmptyLines => (BAD, "Too many empty lines stand before the request line (RFC 9112 §2.2)."),
            Self::BareCr => (BAD, "A CR stands without an LF behind it (RFC 9112 §2.2)."),
            Self::BareLf => (BAD, "A line ends in LF without CR (RFC 9112 §2.2)."),
            Self::Control => (BAD, "The head holds a control character (RFC 9110 §5.5, RFC 9112 §3)."),
            Self::RequestLineTooLong => {
                (Status::URI_TOO_LONG, "The request line is longer than this server reads (RFC 9112 §3).")
            }
            Self::HeadTooLarge => (
                Status::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "The request head is larger than this server reads (RFC 9110 §5.4).",
            ),
            Self::TooManyFieldLines => (
                Status::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "The request has more field lines than this server reads (RFC 9110 §5.4).",
            ),
            Self::Unfinished => (BAD, "The head has no blank line at its end (RFC 9112 §2.1)."),
            Self::RequestLine => (
                BAD,
                "The request line is not a method, a target and a version with one space between them (RFC 9112 §3).",
            ),
            Self::Method => (BAD, "The method is not a token (RFC 9110 §9.1)."),
            Self::Target => (BAD, "The request target has no form that its method allows (RFC 9112 §3.2)."),
            Self::Fragment => (BAD, "The request target has a fragment (RFC 9112 §3.2)."),
            Self::Version => (BAD, "The version is not HTTP/digit.digit (RFC 9112 §2.3)."),
            Self::VersionNotSupported => (
                Status::HTTP_VERSION_NOT_SUPPORTED,
                "Only HTTP/1.0 and HTTP/1.1 are spoken here (RFC 9110 §15.6.6).",
            ),
            Self::SpaceBeforeFields => {
                (BAD, "Whitespace stands before the first field line (RFC 9112 §2.2).")
            }
            Self::ObsFold => (BAD, "A field line is folded (RFC 9112 §5.2)."),
            Self::SpaceBeforeColon => {
                (BAD, "Whitespace stands before the colon of a field line (RFC 9112 §5.1).")
            }
            Self::FieldName => (BAD, "A field line does not begin with a token and a colon (RFC 9112 §5)."),
            Self::HostMissing => (BAD, "HTTP/1.1 demands a Host field (RFC 9112 §3.2)."),
            Self::HostRepeated => (BAD, "There is more than one Host field (RFC 9112 §3.2)."),
            Self::Host => (BAD, "The Host field is not a host and a port (RFC 9112 §3.2)."),
            Self::Expectation => {
                (Status::EXPECTATION_FAILED, "Only 100-continue can be expected (RFC 9110 §10.1.1).")
            }
        }
    }

    /// The status to answer with.
    pub const fn status(self) -> Status {
        self.rule().0
    }

    /// Finds the rule that `head` breaks, where httparse says only which part it is in.
    ///
    /// It runs only for what is refused, so it may go over the head again.
    #[cold]
    pub(super) fn explain(error: httparse::Error, head: &[u8]) -> Self {
        let mut lines =
            head.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        let request_line = lines.by_ref().find(|line| !line.is_empty()).unwrap_or_default();
        match error {
            httparse::Error::HeaderName => Self::explain_field_name(lines),
            httparse::Error::HeaderValue => Self::Control,
            httparse::Error::TooManyHeaders => Self::TooManyFieldLines,
            httparse::Error::Token
            | httparse::Error::Version
            | httparse::Error::NewLine
            | httparse::Error::Status => Self::explain_request_line(request_line),
        }
    }

    fn explain_request_line(line: &[u8]) -> Self {
        let mut parts = line.split(|byte| *byte == b' ');
        let (Some(method), Some(target), Some(version), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Self::RequestLine;
        };
        match version.strip_prefix(b"HTTP/") {
            _ if method.is_empty() || target.is_empty() || version.is_empty() => Self::RequestLine,
            _ if !is_token(method) => Self::Method,
            Some(b"1.0" | b"1.1") => Self::Target,
            Some([major, b'.', minor]) if major.is_ascii_digit() && minor.is_ascii_digit() => {
                Self::VersionNotSupported
            }
            _ => Self::Version,
        }
    }

    fn explain_field_name<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Self {
        for line in lines {
            let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
            if name.len() < line.len() && !is_token(name) && is_token(trim(name)) {
                return Self::SpaceBeforeColon;
            }
            if !is_token(name) || name.len() == line.len() {
                break;
            }
        }
        Self::FieldName
    }
}

impl fmt::Display for HeadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.rule().1)
    }
}

impl std::error::Error for HeadError {}
