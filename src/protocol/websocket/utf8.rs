//! UTF-8 that is checked while it arrives (RFC 6455 §8.1; the encoding itself: RFC 3629 §4).
//!
//! A text message may be cut anywhere, also inside a character. [`Utf8`] keeps the few bytes of a
//! character begun, and refuses a byte at once when no text can go on with it: the sender of a long message
//! learns of its mistake at the mistake, not at the message's end.

use std::fmt;

/// A byte that no UTF-8 text can have where it stands (RFC 6455 §8.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidUtf8;

impl fmt::Display for InvalidUtf8 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text is not valid UTF-8 (RFC 6455 section 8.1)")
    }
}

impl std::error::Error for InvalidUtf8 {}

/// The state of a text between two of its pieces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Utf8 {
    /// A character begun: its first `arrived` bytes. The fourth place is for the byte that may end it.
    begun: [u8; 4],
    arrived: usize,
}

impl Utf8 {
    /// A text of which nothing has arrived.
    pub const fn new() -> Self {
        Self { begun: [0; 4], arrived: 0 }
    }

    /// Checks the next piece of the text.
    ///
    /// # Errors
    ///
    /// [`InvalidUtf8`] at the first byte that cannot follow what came before it. The text is then lost: what later
    /// calls answer has no meaning.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), InvalidUtf8> {
        self.feed(bytes, |_| {})
    }

    /// Checks the next piece as [`push`](Self::push) does, and appends to `text` every character that it completes.
    ///
    /// # Errors
    ///
    /// As [`push`](Self::push).
    pub fn push_to(&mut self, bytes: &[u8], text: &mut String) -> Result<(), InvalidUtf8> {
        self.feed(bytes, |valid| text.push_str(valid))
    }

    /// True if the text may end here: no character is begun and unfinished.
    pub const fn is_complete(&self) -> bool {
        self.arrived == 0
    }

    /// How many bytes of an unfinished character are kept: 0 to 3.
    pub const fn unfinished(&self) -> usize {
        self.arrived
    }

    fn feed(&mut self, bytes: &[u8], mut valid: impl FnMut(&str)) -> Result<(), InvalidUtf8> {
        let mut rest = bytes;
        while let ([next, after @ ..], false) = (rest, self.is_complete()) {
            self.feed_one(*next, &mut valid)?;
            rest = after;
        }
        // With the last, unfinished character split off, the bulk is valid as a whole or not at all.
        let (bulk, begun) = rest.split_at(rest.len() - unfinished_tail(rest));
        valid(std::str::from_utf8(bulk).map_err(|_| InvalidUtf8)?);
        begun.iter().try_for_each(|next| self.feed_one(*next, &mut valid))
    }

    fn feed_one(&mut self, next: u8, valid: &mut impl FnMut(&str)) -> Result<(), InvalidUtf8> {
        // In bounds: of four bytes in a row none is unfinished, a character has at most four.
        self.begun[self.arrived] = next;
        self.arrived += 1;
        match std::str::from_utf8(&self.begun[..self.arrived]) {
            Ok(character) => {
                valid(character);
                self.arrived = 0;
            }
            // No length of a wrong sequence: so far it is right, and its end is missing.
            Err(error) if error.error_len().is_none() => {}
            Err(_) => {
                self.arrived = 0;
                return Err(InvalidUtf8);
            }
        }
        Ok(())
    }
}

/// How many bytes at the end of `bytes` begin a character without ending it, judged by its first byte alone: 0 to 3.
fn unfinished_tail(bytes: &[u8]) -> usize {
    for (before, byte) in bytes.iter().rev().take(3).enumerate() {
        // RFC 3629 §3: the first byte tells the length; all others are 10xxxxxx.
        let length = match byte {
            0x80..=0xBF => continue,
            0x00..=0x7F => 1,
            0xC0..=0xDF => 2,
            0xE0..=0xEF => 3,
            0xF0..=0xFF => 4,
        };
        let arrived = before + 1;
        return if arrived < length { arrived } else { 0 };
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// RFC 3629 §4's grammar a byte at a time, as the set of bytes that may come next: the oracle.
    #[derive(Clone, Copy)]
    struct Plain {
        low: u8,
        high: u8,
        /// Bytes missing after the next one; `None` between two characters.
        then: Option<u8>,
    }

    impl Plain {
        fn new() -> Self {
            Self { low: 0, high: 0xFF, then: None }
        }

        fn push(&mut self, byte: u8) -> bool {
            let next = match self.then {
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
            *self = next.map_or_else(Self::new, |(low, high, then)| Self { low, high, then: Some(then) });
            true
        }
    }

    /// Where the plain version refuses `bytes`, or `Ok` with whether the text may end there.
    fn plain(bytes: &[u8]) -> Result<bool, usize> {
        let mut plain = Plain::new();
        match bytes.iter().position(|byte| !plain.push(*byte)) {
            Some(at) => Err(at),
            None => Ok(plain.then.is_none()),
        }
    }

    /// The same of [`Utf8`], fed in `pieces`: a refusal is told as the range of the piece that it came in.
    fn checked<'a>(
        pieces: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<(bool, String), std::ops::Range<usize>> {
        let (mut utf8, mut text, mut start) = (Utf8::new(), String::new(), 0);
        for piece in pieces {
            let end = start + piece.len();
            let mut alone = utf8;
            let result = utf8.push_to(piece, &mut text);
            assert_eq!(alone.push(piece), result);
            result.map_err(|_| start..end)?;
            start = end;
        }
        assert_eq!(text.len() + utf8.unfinished(), start);
        Ok((utf8.is_complete(), text))
    }

    fn agrees(bytes: &[u8]) {
        let expected = plain(bytes);
        assert_eq!(expected == Ok(true), std::str::from_utf8(bytes).is_ok(), "the oracle on {bytes:x?}");
        let splits = (0..=bytes.len()).map(|at| vec![&bytes[..at], &bytes[at..]]);
        for pieces in
            splits.chain([bytes.chunks(1).collect(), bytes.chunks(2).collect(), bytes.chunks(3).collect()])
        {
            match (&expected, checked(pieces.iter().copied())) {
                (Ok(complete), Ok((is_complete, text))) => {
                    assert_eq!(*complete, is_complete, "{pieces:x?}");
                    assert!(bytes.starts_with(text.as_bytes()), "{pieces:x?}");
                }
                (Err(at), Err(piece)) => assert!(piece.contains(at), "{pieces:x?}: {at} is not in {piece:?}"),
                (expected, found) => panic!("{pieces:x?}: {expected:?}, but {found:?}"),
            }
        }
    }

    /// The least and the greatest of every row of RFC 3629 §4's table, and what lies just outside.
    const EDGES: [u8; 21] = [
        0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEF, 0xF0,
        0xF1, 0xF4, 0xF5, 0xFF,
    ];

    #[test]
    fn agrees_with_the_plain_version_on_every_pair_and_every_edge() {
        for first in 0..=0xFF {
            for second in 0..=0xFF {
                agrees(&[first, second]);
            }
        }
        for first in EDGES {
            for second in EDGES {
                for third in EDGES {
                    agrees(&[first, second, third]);
                    for last in [0x00, 0x7F, 0x80, 0xBF, 0xC2, 0xF0] {
                        agrees(&[first, second, third, last]);
                    }
                }
            }
        }
    }

    #[test]
    fn refuses_a_byte_before_its_sequence_is_whole() {
        // A surrogate and a code point above U+10FFFF show at their second byte.
        for begun in [[0xED, 0xA0], [0xF4, 0x90], [0xE0, 0x80], [0xF0, 0x8F]] {
            let mut utf8 = Utf8::new();
            assert_eq!(utf8.push(&begun[..1]), Ok(()));
            assert_eq!(utf8.push(&begun[1..]), Err(InvalidUtf8), "{begun:x?}");
        }
    }

    proptest! {
        #[test]
        fn agrees_on_arbitrary_bytes(bytes in prop::collection::vec(prop::sample::select(&EDGES[..]), 0..24)) {
            agrees(&bytes);
        }

        #[test]
        fn lets_every_text_through(text: String) {
            agrees(text.as_bytes());
            let pieces = text.as_bytes().chunks(5);
            prop_assert_eq!(checked(pieces), Ok((true, text.clone())));
        }
    }
}
