//! UTF-8 validation of text that arrives in parts (RFC 6455 §8.1, RFC 3629 §4).
//!
//! A text message may be split anywhere, even inside a character. [`Utf8`] keeps the bytes of an
//! incomplete character and rejects a byte as soon as no valid text can continue with that byte.
//! The sender of a long message therefore learns of an error at once, not at the end of the
//! message.

use super::protocol_error::ProtocolError;

/// The validation state between two parts of a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Utf8 {
    /// The first `length` bytes of an incomplete character, and space for its last byte.
    incomplete: [u8; 4],
    length: usize,
}

impl Utf8 {
    /// Returns the state at the start of a text.
    pub const fn new() -> Self {
        Self { incomplete: [0; 4], length: 0 }
    }

    /// Validates the next bytes of the text.
    ///
    /// # Errors
    /// [`ProtocolError::InvalidUtf8`] at the first byte that cannot follow the previous bytes. The
    /// state must not be used after an error.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), ProtocolError> {
        self.validate(bytes, |_| {})
    }

    /// Validates the next bytes of the text and appends every complete character to `text`.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn push_to(&mut self, bytes: &[u8], text: &mut String) -> Result<(), ProtocolError> {
        self.validate(bytes, |valid| text.push_str(valid))
    }

    /// Returns true if the text may end here, because no character is incomplete.
    pub const fn is_complete(&self) -> bool {
        self.length == 0
    }

    /// Returns the number of bytes of the incomplete character: 0 to 3.
    pub const fn incomplete_bytes(&self) -> usize {
        self.length
    }

    fn validate(&mut self, bytes: &[u8], mut valid: impl FnMut(&str)) -> Result<(), ProtocolError> {
        let mut rest = bytes;
        while let ([next, after @ ..], false) = (rest, self.is_complete()) {
            self.validate_byte(*next, &mut valid)?;
            rest = after;
        }
        // Without an incomplete character at its end, the bulk is either valid as a whole or
        // invalid.
        let (bulk, incomplete) = rest.split_at(rest.len() - incomplete_tail(rest));
        valid(std::str::from_utf8(bulk).map_err(|_| ProtocolError::InvalidUtf8)?);
        incomplete.iter().try_for_each(|next| self.validate_byte(*next, &mut valid))
    }

    fn validate_byte(&mut self, next: u8, valid: &mut impl FnMut(&str)) -> Result<(), ProtocolError> {
        // In bounds: a character has at most four bytes, so an incomplete one has at most three.
        self.incomplete[self.length] = next;
        self.length += 1;
        match std::str::from_utf8(&self.incomplete[..self.length]) {
            Ok(character) => {
                valid(character);
                self.length = 0;
            }
            // Without an error length, the bytes are a valid start whose end is missing.
            Err(error) if error.error_len().is_none() => {}
            Err(_) => {
                self.length = 0;
                return Err(ProtocolError::InvalidUtf8);
            }
        }
        Ok(())
    }
}

/// Returns the number of bytes at the end of `bytes` that start a character without completing it,
/// judged by the first byte of the character alone: 0 to 3.
fn incomplete_tail(bytes: &[u8]) -> usize {
    for (after, byte) in bytes.iter().rev().take(3).enumerate() {
        // RFC 3629 §3: the first byte determines the length; all other bytes are 10xxxxxx.
        let length = match byte {
            0x80..=0xBF => continue,
            0x00..=0x7F => 1,
            0xC0..=0xDF => 2,
            0xE0..=0xEF => 3,
            0xF0..=0xFF => 4,
        };
        let available = after + 1;
        return if available < length { available } else { 0 };
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The grammar of RFC 3629 §4, one byte at a time, as the range of bytes that may come next.
    /// The tests compare [`Utf8`] with this plain version.
    #[derive(Clone, Copy)]
    struct Plain {
        low: u8,
        high: u8,
        /// The number of bytes that follow the next byte; `None` between two characters.
        missing: Option<u8>,
    }

    impl Plain {
        fn new() -> Self {
            Self { low: 0, high: 0xFF, missing: None }
        }

        fn push(&mut self, byte: u8) -> bool {
            let next = match self.missing {
                Some(_) if byte < self.low || byte > self.high => return false,
                Some(0) => None,
                Some(missing) => Some((0x80, 0xBF, missing - 1)),
                None => match byte {
                    0x00..=0x7F => None,
                    0xC2..=0xDF => Some((0x80, 0xBF, 0)),
                    0xE0 => Some((0xA0, 0xBF, 1)),
                    0xED => Some((0x80, 0x9F, 1)),
                    0xE1..=0xEF => Some((0x80, 0xBF, 1)),
                    0xF0 => Some((0x90, 0xBF, 2)),
                    0xF1..=0xF3 => Some((0x80, 0xBF, 2)),
                    0xF4 => Some((0x80, 0x8F, 2)),
                    _ => return false,
                },
            };
            *self = next.map_or_else(Self::new, |(low, high, missing)| Self {
                low,
                high,
                missing: Some(missing),
            });
            true
        }
    }

    /// Returns whether the text may end after `bytes`, or the offset at which the plain version
    /// rejects them.
    fn plain(bytes: &[u8]) -> Result<bool, usize> {
        let mut plain = Plain::new();
        match bytes.iter().position(|byte| !plain.push(*byte)) {
            Some(at) => Err(at),
            None => Ok(plain.missing.is_none()),
        }
    }

    /// Returns whether the text is complete and the text itself, as [`Utf8`] validates `parts`, or
    /// the range of the part that [`Utf8`] rejects.
    fn validated<'a>(
        parts: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<(bool, String), std::ops::Range<usize>> {
        let (mut utf8, mut text, mut start) = (Utf8::new(), String::new(), 0);
        for part in parts {
            let end = start + part.len();
            let mut unbuffered = utf8;
            let result = utf8.push_to(part, &mut text);
            assert_eq!(unbuffered.push(part), result);
            result.map_err(|_| start..end)?;
            start = end;
        }
        assert_eq!(text.len() + utf8.incomplete_bytes(), start);
        Ok((utf8.is_complete(), text))
    }

    fn assert_agrees(bytes: &[u8]) {
        let expected = plain(bytes);
        assert_eq!(
            expected == Ok(true),
            std::str::from_utf8(bytes).is_ok(),
            "the plain version disagrees with the standard library: {bytes:x?}"
        );
        let splits = (0..=bytes.len()).map(|at| vec![&bytes[..at], &bytes[at..]]);
        for parts in
            splits.chain([bytes.chunks(1).collect(), bytes.chunks(2).collect(), bytes.chunks(3).collect()])
        {
            match (&expected, validated(parts.iter().copied())) {
                (Ok(complete), Ok((is_complete, text))) => {
                    assert_eq!(*complete, is_complete, "{parts:x?}");
                    assert!(bytes.starts_with(text.as_bytes()), "{parts:x?}");
                }
                (Err(at), Err(part)) => assert!(part.contains(at), "{parts:x?}: {at} is not in {part:?}"),
                (expected, found) => panic!("{parts:x?}: expected {expected:?}, found {found:?}"),
            }
        }
    }

    /// The first and the last byte of every range in the table of RFC 3629 §4, and their
    /// neighbors.
    const EDGES: [u8; 21] = [
        0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEF, 0xF0,
        0xF1, 0xF4, 0xF5, 0xFF,
    ];

    #[test]
    fn agrees_with_the_plain_version_on_every_pair_and_every_edge() {
        for first in 0..=0xFF {
            for second in 0..=0xFF {
                assert_agrees(&[first, second]);
            }
        }
        for first in EDGES {
            for second in EDGES {
                for third in EDGES {
                    assert_agrees(&[first, second, third]);
                    for last in [0x00, 0x7F, 0x80, 0xBF, 0xC2, 0xF0] {
                        assert_agrees(&[first, second, third, last]);
                    }
                }
            }
        }
    }

    #[test]
    fn rejects_a_byte_before_its_sequence_is_complete() {
        // The second byte reveals a surrogate, a code point above U+10FFFF and an overlong form.
        for start in [[0xED, 0xA0], [0xF4, 0x90], [0xE0, 0x80], [0xF0, 0x8F]] {
            let mut utf8 = Utf8::new();
            assert_eq!(utf8.push(&start[..1]), Ok(()));
            assert_eq!(utf8.push(&start[1..]), Err(ProtocolError::InvalidUtf8), "{start:x?}");
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_plain_version_on_arbitrary_bytes(bytes in prop::collection::vec(prop::sample::select(&EDGES[..]), 0..24)) {
            assert_agrees(&bytes);
        }

        #[test]
        fn accepts_every_text(text: String) {
            assert_agrees(text.as_bytes());
            let parts = text.as_bytes().chunks(5);
            prop_assert_eq!(validated(parts), Ok((true, text.clone())));
        }
    }
}
