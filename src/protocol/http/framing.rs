//! How long a request's body is (RFC 9112 §6).
//!
//! Two readers of one connection that disagree on this read different requests; whoever profits
//! from it smuggles one past the first. So where the RFC leaves a choice between repair and
//! refusal, this refuses.

use super::fields::parts;
use super::head::{Fields, RequestHead, Version};
use super::response::Status;
use crate::protocol::rule::rules;

/// How the end of a body is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Neither field: no body (RFC 9112 §6.3, rule 7).
    None,
    /// `Content-Length`, in bytes (§6.2).
    Length(u64),
    /// `Transfer-Encoding: chunked` (§6.1).
    Chunked,
}

impl Framing {
    /// Reads the framing from the fields of a request.
    ///
    /// # Errors
    /// One [`FramingError`] for each rule. The connection has to close after the answer: where
    /// the body ends is not known.
    pub fn of(head: &RequestHead<'_, '_>) -> Result<Self, FramingError> {
        Self::of_fields(head.fields, head.version)
    }

    /// The same from the fields alone: the two that frame a body are the same in both directions.
    pub(super) fn of_fields(fields: Fields<'_, '_>, version: Version) -> Result<Self, FramingError> {
        let mut lengths = fields.get_all("Content-Length");
        let mut codings = fields.get_all("Transfer-Encoding").flat_map(|line| parts(line, b',')).peekable();
        match (lengths.next(), codings.peek()) {
            (None, None) => Ok(Self::None),
            // §6.3 rule 3 lets Transfer-Encoding win; it also calls this a likely attack.
            (Some(_), Some(_)) => Err(FramingError::LengthAndCoding),
            // §6.3 rule 5 lets equal lengths, in a list or in many lines, count as one. No client
            // sends them; what does is a broken proxy or an attack.
            (Some(_), None) if lengths.next().is_some() => Err(FramingError::LengthRepeated),
            (Some(length), None) => read_length(length).map(Self::Length),
            // HTTP/1.0 knows no codings: its framing is faulty (§6.1).
            (None, Some(_)) if version == Version::Http10 => Err(FramingError::CodingInHttp10),
            (None, Some(_)) => read_codings(codings),
        }
    }
}

/// Reads `1*DIGIT`. Leading zeros are in the grammar.
fn read_length(value: &[u8]) -> Result<u64, FramingError> {
    if value.contains(&b',') {
        return Err(FramingError::LengthRepeated);
    }
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return Err(FramingError::Length);
    }
    let mut digits = value.iter().map(|digit| u64::from(digit - b'0'));
    let length = digits.try_fold(0u64, |length, digit| length.checked_mul(10)?.checked_add(digit));
    length.ok_or(FramingError::LengthTooLarge)
}

/// Wants exactly one coding, `chunked`.
///
/// An empty member, as in `, chunked`, is an error here. RFC 9110 §5.6.1.2 has recipients ignore
/// such, but two that read this field in two ways are what smuggling needs.
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

rules! {
    /// Why the framing of a message is rejected. The connection has to close after the response,
    /// because the end of the body is not known.
    pub enum FramingError => status: Status {
        LengthAndCoding: BAD_REQUEST, 9112, "6.1",
            "The message has both Content-Length and Transfer-Encoding.";
        LengthRepeated: BAD_REQUEST, 9112, "6.3", "There is more than one Content-Length.";
        Length: BAD_REQUEST, 9110, "8.6", "Content-Length is not a decimal number.";
        LengthTooLarge: CONTENT_TOO_LARGE, 9110, "8.6", "Content-Length does not fit in 64 bits.";
        CodingInHttp10: BAD_REQUEST, 9112, "6.1", "HTTP/1.0 has no Transfer-Encoding.";
        CodingEmpty: BAD_REQUEST, 9112, "6.1", "Transfer-Encoding has an empty list member.";
        ChunkedRepeated: BAD_REQUEST, 9112, "6.1", "The chunked coding is applied more than once.";
        ChunkedNotLast: BAD_REQUEST, 9112, "6.3", "The last transfer coding is not chunked.";
        CodingNotImplemented: NOT_IMPLEMENTED, 9112, "6.1",
            "Only the chunked transfer coding is supported.";
    }
}
