//! How long an answer's body is (RFC 9112 §6.3).

use super::framing::{Framing, FramingError};
use super::response_head::Response;

/// How the end of an answer's body is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseFraming {
    /// As in a request: there is none, it has a length, or it comes in chunks.
    Framed(Framing),
    /// Neither field: it goes on to the connection's end (rule 8).
    UntilEnd,
}

impl ResponseFraming {
    /// Reads the framing of the answer to a GET or a POST.
    ///
    /// Both fields at once, lengths that differ or stand twice, and codings other than `chunked` are refused as they are in
    /// requests: a proxy on the way may have read them otherwise.
    ///
    /// # Errors
    /// One [`FramingError`] for each rule. The connection is of no use after it.
    pub fn of(response: &Response<'_, '_>) -> Result<Self, FramingError> {
        // Rule 1: these have no body, whatever the fields say.
        if matches!(response.status, 100..=199 | 204 | 304) {
            return Ok(Self::Framed(Framing::None));
        }
        Ok(match Framing::of_fields(response.fields, response.version)? {
            Framing::None => Self::UntilEnd,
            framing => Self::Framed(framing),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{HeadLimits, parse_response, scratch};
    use super::*;

    fn of(rest: &str) -> Result<ResponseFraming, FramingError> {
        let head = format!("HTTP/1.1 {rest}\r\n\r\n");
        let mut scratch = scratch();
        let limits = HeadLimits::default();
        ResponseFraming::of(&parse_response(head.as_bytes(), &mut scratch, &limits).expect("a head"))
    }

    #[test]
    fn the_rules_in_their_order() {
        use ResponseFraming::{Framed, UntilEnd};
        for status in ["101 ", "204 ", "304 "] {
            for fields in ["", "\r\nContent-Length: 5", "\r\nTransfer-Encoding: chunked"] {
                assert_eq!(of(&format!("{status}{fields}")), Ok(Framed(Framing::None)), "{status}{fields}");
            }
        }
        assert_eq!(of("200 "), Ok(UntilEnd));
        assert_eq!(of("200 \r\nContent-Length: 5"), Ok(Framed(Framing::Length(5))));
        assert_eq!(of("404 \r\nTransfer-Encoding: chunked"), Ok(Framed(Framing::Chunked)));
        assert_eq!(of("200 \r\nContent-Length: 5, 5"), Err(FramingError::LengthRepeated));
        assert_eq!(of("200 \r\nTransfer-Encoding: gzip, chunked"), Err(FramingError::CodingNotImplemented));
        assert_eq!(
            of("200 \r\nTransfer-Encoding: chunked\r\nContent-Length: 5"),
            Err(FramingError::LengthAndCoding)
        );
    }
}
