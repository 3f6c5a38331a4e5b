//! Reading a body up to its last byte (RFC 9112 §6).

use super::chunked::{ChunkedReader, take};
use super::framing::Framing;
use super::limits::BodyLimits;
use super::rules::BodyError;

/// Reads the content of a body that arrives in parts.
#[derive(Debug)]
pub struct BodyReader(State);

#[derive(Debug)]
enum State {
    /// `left` bytes are missing.
    Length { left: u64 },
    /// The chunks are decoded by their own reader.
    Chunked(ChunkedReader),
    /// The body ends when the connection closes; at most `left` bytes are accepted.
    UntilClose { left: u64 },
}

impl BodyReader {
    /// Returns a reader for the body that `framing` announces.
    ///
    /// # Errors
    /// Returns [`BodyError::ContentTooLarge`] if `Content-Length` exceeds the limit, so that a
    /// client that waits for 100 (Continue) never sends the content.
    pub fn new(framing: Framing, limits: BodyLimits) -> Result<Self, BodyError> {
        Ok(Self(match framing {
            Framing::None => State::Length { left: 0 },
            Framing::Length(length) if length > limits.content => return Err(BodyError::ContentTooLarge),
            Framing::Length(length) => State::Length { left: length },
            Framing::Chunked => State::Chunked(ChunkedReader::new(limits)),
            Framing::UntilClose => State::UntilClose { left: limits.content },
        }))
    }

    /// Reads from `input` and appends the decoded content to `content`.
    ///
    /// Returns the number of bytes consumed and whether the body is complete. The reader consumes
    /// all of `input` unless the body is complete before its end; the remaining bytes belong to the
    /// next message. It reserves no memory for content that is only announced. A body that ends
    /// with the connection is never complete.
    ///
    /// # Errors
    /// Returns the first error in the order of the bytes. Neither the reader nor the connection can
    /// be used any further.
    pub fn read(&mut self, input: &[u8], content: &mut Vec<u8>) -> Result<(usize, bool), BodyError> {
        match &mut self.0 {
            State::Length { left } => {
                let taken = take(left, input, content);
                Ok((taken, *left == 0))
            }
            State::Chunked(chunked) => chunked.read(input, content),
            State::UntilClose { left } => {
                let taken = take(left, input, content);
                if taken < input.len() { Err(BodyError::ContentTooLarge) } else { Ok((taken, false)) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_with_a_length_ends_at_its_last_byte() {
        let mut reader =
            BodyReader::new(Framing::Length(5), BodyLimits::default()).expect("within the limit");
        let mut content = Vec::new();
        assert_eq!(reader.read(b"ab", &mut content), Ok((2, false)));
        assert_eq!(reader.read(b"", &mut content), Ok((0, false)));
        assert_eq!(reader.read(b"cdeGET /", &mut content), Ok((3, true)));
        assert_eq!(reader.read(b"GET /", &mut content), Ok((0, true)));
        assert_eq!(content, b"abcde");
    }

    #[test]
    fn a_body_without_framing_is_read_up_to_the_limit() {
        let limits = BodyLimits { content: 5, ..BodyLimits::default() };
        let mut reader = BodyReader::new(Framing::UntilClose, limits).expect("no length is announced");
        let mut content = Vec::new();
        assert_eq!(reader.read(b"abc", &mut content), Ok((3, false)));
        assert_eq!(reader.read(b"de", &mut content), Ok((2, false)));
        assert_eq!(reader.read(b"", &mut content), Ok((0, false)));
        assert_eq!(reader.read(b"f", &mut content), Err(BodyError::ContentTooLarge));
        assert_eq!(content, b"abcde");
    }

    #[test]
    fn an_empty_body_is_complete_before_its_first_byte() {
        for framing in [Framing::None, Framing::Length(0)] {
            let mut reader = BodyReader::new(framing, BodyLimits::default()).expect("within the limit");
            assert_eq!(reader.read(b"GET /", &mut Vec::new()), Ok((0, true)));
        }
    }

    #[test]
    fn rejects_a_length_beyond_the_limit_before_the_first_byte() {
        let limits = BodyLimits { content: 10, ..BodyLimits::default() };
        assert!(BodyReader::new(Framing::Length(10), limits).is_ok());
        assert_eq!(BodyReader::new(Framing::Length(11), limits).err(), Some(BodyError::ContentTooLarge));
        assert_eq!(
            BodyReader::new(Framing::Length(u64::MAX), limits).err(),
            Some(BodyError::ContentTooLarge)
        );
    }
}
