//! Reading response heads: the status line and the field lines (RFC 9112 §4, §5).

use super::head::{Fields, HeadScan, Scratch, Version, field_error};
use super::limits::{HeadLimits, MAX_FIELD_LINES};
use super::rules::{HeadError, ResponseError};

/// The first bytes of every status line (RFC 9112 §2.3).
const PROTOCOL: &[u8] = b"HTTP/";

/// A [`HeadScan`] for the head of a response.
///
/// It rejects another protocol at its first byte: a server of that protocol may have sent a
/// greeting and wait for an answer.
#[derive(Debug, Default)]
pub struct ResponseScan(HeadScan);

impl ResponseScan {
    /// Scans `buffer` like [`HeadScan::scan`]. [`HeadLimits::request_line`] limits the status line.
    ///
    /// # Errors
    /// Returns the first error in the order of the bytes, however the bytes are split.
    pub fn scan(&mut self, buffer: &[u8], limits: &HeadLimits) -> Result<Option<usize>, ResponseError> {
        // A byte beyond a limit is not compared, so that the limit is reported even if all bytes
        // arrive at once.
        let within = limits.bytes.min(limits.request_line.saturating_add(1));
        if buffer.iter().zip(PROTOCOL).take(within).any(|(byte, expected)| byte != expected) {
            return Err(ResponseError::NotHttp);
        }
        Ok(self.0.scan(buffer, limits)?)
    }
}

/// A response head, borrowed from the received bytes.
#[derive(Clone, Copy, Debug)]
pub struct Response<'h, 'b> {
    /// The HTTP version.
    pub version: Version,
    /// The status code, 100 to 599. The reason phrase is dropped, because a client should ignore it
    /// (RFC 9112 §4).
    pub status: u16,
    /// The field lines.
    pub fields: Fields<'h, 'b>,
}

/// Reads a response head: the bytes up to the end that [`ResponseScan`] found with the same limits.
///
/// # Errors
/// Returns a [`ResponseError`] for each rule that only a complete head shows to be broken.
pub fn parse_response<'h, 'b>(
    head: &'b [u8],
    scratch: &'h mut Scratch<'b>,
    limits: &HeadLimits,
) -> Result<Response<'h, 'b>, ResponseError> {
    // httparse accepts a line that ends in LF alone. The scan does not, so it has to run first.
    debug_assert_eq!(ResponseScan::default().scan(head, limits), Ok(Some(head.len())));

    let lines = &mut scratch[..limits.field_lines.min(MAX_FIELD_LINES)];
    let mut response = httparse::Response::new(&mut []);
    let parser = httparse::ParserConfig::default();
    if let Err(error) = parser.parse_response_with_uninit_headers(&mut response, head, lines) {
        return Err(field_error(error, head).map_or_else(|| status_line_error(head), ResponseError::Head));
    }
    let (Some(version), Some(status)) = (response.version, response.code) else {
        return Err(HeadError::Unfinished.into());
    };
    // httparse does not require the space after the code. RFC 9112 §4 requires it even without a
    // reason phrase.
    if head.get(b"HTTP/1.1 200".len()) != Some(&b' ') {
        return Err(ResponseError::StatusLine);
    }
    if !(100..=599).contains(&status) {
        return Err(ResponseError::StatusCode);
    }
    let version = if version == 0 { Version::Http10 } else { Version::Http11 };
    Ok(Response { version, status, fields: Fields::new(response.headers) })
}

/// Returns the rule that the status line breaks.
#[cold]
fn status_line_error(head: &[u8]) -> ResponseError {
    match head.get(PROTOCOL.len()..PROTOCOL.len() + 4) {
        Some(b"1.0 " | b"1.1 ") => ResponseError::StatusLine,
        Some([major, b'.', minor, b' ']) if major.is_ascii_digit() && minor.is_ascii_digit() => {
            HeadError::VersionNotSupported.into()
        }
        _ => ResponseError::StatusLine,
    }
}
