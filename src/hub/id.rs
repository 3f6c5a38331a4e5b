//! Ids: `<epoch>-<sequence>`. To clients they are opaque strings, compared and sent back.

use std::fmt;

/// Counts the events of all topics in one life of the log, from 1. Zero comes before all of them.
pub type Sequence = u64;

const EPOCH_LENGTH: usize = 8;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// One life of the log: eight random characters of `A-Z a-z 0-9`, about 47 bits. It distinguishes
/// an id of another life, which is answered as a gap, from an id of this one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Epoch([u8; EPOCH_LENGTH]);

impl Epoch {
    /// Makes an epoch from 64 random bits.
    pub fn from_random(mut bits: u64) -> Epoch {
        let mut text = [0; EPOCH_LENGTH];
        for character in &mut text {
            // The remainder is below 62, so it fits a usize and indexes the alphabet.
            *character = ALPHABET[(bits % 62) as usize];
            bits /= 62;
        }
        Epoch(text)
    }

    /// Returns the epoch's characters, all of them ASCII.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The name of one event, and of a position in a topic's log: right after that event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Id {
    /// The life of the log in which the event was published.
    pub epoch: Epoch,
    /// The event's number in that life.
    pub sequence: Sequence,
}

impl Id {
    /// Parses an id. Returns `None` if no server of this kind ever wrote it: clients compare ids as
    /// strings, so a second spelling of a number (`007`) is not an id either.
    pub fn parse(text: &str) -> Option<Id> {
        let (epoch, rest) = text.as_bytes().split_first_chunk::<EPOCH_LENGTH>()?;
        if !epoch.iter().all(u8::is_ascii_alphanumeric) || rest.first() != Some(&b'-') {
            return None;
        }
        let digits = text.get(EPOCH_LENGTH + 1..)?;
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        if digits.len() > 1 && digits.starts_with('0') {
            return None;
        }
        Some(Id { epoch: Epoch(*epoch), sequence: digits.parse().ok()? })
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let epoch = std::str::from_utf8(&self.epoch.0).map_err(|_| fmt::Error)?;
        write!(f, "{epoch}-{}", self.sequence)
    }
}

#[cfg(test)]
mod tests {
    use super::{Epoch, Id};

    #[test]
    fn an_id_parses_back_to_itself() {
        for bits in [0, 1, 61, 62, u64::MAX] {
            for sequence in [0, 9, 10, 12_345, u64::MAX] {
                let id = Id { epoch: Epoch::from_random(bits), sequence };
                assert_eq!(Id::parse(&id.to_string()), Some(id));
            }
        }
    }

    #[test]
    fn rejects_every_other_text() {
        let malformed =
            ["", "-", "abc", "abcdefgh", "abcdefgh-", "abcdefgh-01", "abcdefgh-+1", "abcdefgh--1"];
        let nearly =
            ["abcdefg-1", "abcdefghi-1", "abcdefg\u{e9}-1", "abcdefgh-18446744073709551616", "abcdefgh-1 "];
        for text in malformed.into_iter().chain(nearly) {
            assert_eq!(Id::parse(text), None, "{text:?}");
        }
    }
}
