//! How the end of a body is found (RFC 9112 §6).
//!
//! Two readers of one connection that disagree on the framing see different requests, and an
//! attacker can smuggle a request past the first reader. Where the RFC lets a recipient repair a
//! message or reject it, barewire rejects it.

use super::fields::{digits, parts};
use super::head::{Fields, RequestHead, Version};
use super::response_head::Response;
use super::rules::FramingError;

/// How the end of a body is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// The message has no body (RFC 9112 §6.3, rules 1 and 7).
    None,
    /// `Content-Length`, in bytes (§6.2).
    Length(u64),
    /// `Transfer-Encoding: chunked` (§6.1).
    Chunked,
    /// The body ends when the connection closes; only in responses (§6.3, rule 8).
    UntilClose,
}

impl Framing {
    /// Reads the framing of a request; never [`UntilClose`](Self::UntilClose).
    ///
    /// # Errors
    /// Returns a [`FramingError`] for each rule. The connection has to close after the response,
    /// because the end of the body is not known.
    pub fn of(head: &RequestHead<'_, '_>) -> Result<Self, FramingError> {
        Ok(Self::from_fields(head.fields, head.version)?.unwrap_or(Self::None))
    }

    /// Reads the framing of the response to a GET or a POST.
    ///
    /// # Errors
    /// Returns a [`FramingError`] for the same rules as in a request, because a proxy may have read
    /// the response differently.
    pub fn of_response(response: &Response<'_, '_>) -> Result<Self, FramingError> {
        // Rule 1: these responses have no body, whatever the fields say.
        if matches!(response.status, 100..=199 | 204 | 304) {
            return Ok(Self::None);
        }
        Ok(Self::from_fields(response.fields, response.version)?.unwrap_or(Self::UntilClose))
    }

    /// Reads the two fields that frame a body in either direction; `None` if both are missing.
    fn from_fields(fields: Fields<'_, '_>, version: Version) -> Result<Option<Self>, FramingError> {
        let mut lengths = fields.get_all("Content-Length");
        let mut codings = fields.get_all("Transfer-Encoding").flat_map(|line| parts(line, b',')).peekable();
        match (lengths.next(), codings.peek()) {
            (None, None) => Ok(None),
            // Rule 3 of §6.3 lets Transfer-Encoding win, and calls this a likely attack.
            (Some(_), Some(_)) => Err(FramingError::LengthAndCoding),
            // Rule 5 of §6.3 lets a list or several lines of equal lengths count as one. Only
            // broken proxies and attackers send them.
            (Some(_), None) if lengths.next().is_some() => Err(FramingError::LengthRepeated),
            (Some(length), None) => read_length(length).map(Some),
            // HTTP/1.0 has no transfer codings, so the framing is faulty (§6.1).
            (None, Some(_)) if version == Version::Http10 => Err(FramingError::CodingInHttp10),
            (None, Some(_)) => read_codings(codings).map(Some),
        }
    }
}

/// Reads `1*DIGIT`. The grammar allows leading zeros.
fn read_length(value: &[u8]) -> Result<Framing, FramingError> {
    if value.contains(&b',') {
        return Err(FramingError::LengthRepeated);
    }
    let length = digits(value).ok_or(FramingError::Length)?.parse();
    length.map(Framing::Length).map_err(|_| FramingError::LengthTooLarge)
}

/// Accepts exactly one coding, `chunked`.
///
/// An empty list member, as in `, chunked`, is an error. RFC 9110 §5.6.1.2 lets recipients ignore
/// it, but request smuggling depends on recipients that read this field differently.
fn read_codings<'a>(codings: impl Iterator<Item = &'a [u8]>) -> Result<Framing, FramingError> {
    let mut chunked = 0;
    let mut others = 0;
    let mut last_is_chunked = false;
    for coding in codings {
        if coding.is_empty() {
            return Err(FramingError::CodingEmpty);
        }
        last_is_chunked = coding.eq_ignore_ascii_case(b"chunked");
        if last_is_chunked {
            chunked += 1;
        } else {
            others += 1;
        }
    }
    match (chunked, others) {
        (2.., _) => Err(FramingError::ChunkedRepeated),
        _ if !last_is_chunked => Err(FramingError::ChunkedNotLast),
        (_, 0) => Ok(Framing::Chunked),
        (_, _) => Err(FramingError::CodingNotImplemented),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{HeadLimits, parse_response, scratch};
    use super::*;

    fn of(rest: &str) -> Result<Framing, FramingError> {
        let head = format!("HTTP/1.1 {rest}\r\n\r\n");
        let mut scratch = scratch();
        let limits = HeadLimits::default();
        Framing::of_response(&parse_response(head.as_bytes(), &mut scratch, &limits).expect("a head"))
    }

    #[test]
    fn the_framing_of_a_response_depends_on_its_status_and_its_fields() {
        for status in ["101 ", "204 ", "304 "] {
            for fields in ["", "\r\nContent-Length: 5", "\r\nTransfer-Encoding: chunked"] {
                assert_eq!(of(&format!("{status}{fields}")), Ok(Framing::None), "{status}{fields}");
            }
        }
        assert_eq!(of("200 "), Ok(Framing::UntilClose));
        assert_eq!(of("200 \r\nContent-Length: 5"), Ok(Framing::Length(5)));
        assert_eq!(of("404 \r\nTransfer-Encoding: chunked"), Ok(Framing::Chunked));
        assert_eq!(of("200 \r\nContent-Length: 5, 5"), Err(FramingError::LengthRepeated));
        assert_eq!(of("200 \r\nTransfer-Encoding: gzip, chunked"), Err(FramingError::CodingNotImplemented));
        assert_eq!(
            of("200 \r\nTransfer-Encoding: chunked\r\nContent-Length: 5"),
            Err(FramingError::LengthAndCoding)
        );
    }
}
