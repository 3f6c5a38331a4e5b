//! Ids: `<epoch>-<sequence>`, opaque to clients, who compare them and hand them back.

use std::fmt;

/// Counts the events of all topics of one life of the server, from 1. Zero is before all of them.
pub type Sequence = u64;

const EPOCH_LENGTH: usize = 8;
/// Of the largest sequence.
const MAX_DIGITS: usize = 20;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// One life of the server: eight random characters of `A-Z a-z 0-9`, some 47 bits. An id of
/// another life is thereby told from one of this, and answered as a gap.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Epoch([u8; EPOCH_LENGTH]);

impl Epoch {
    /// The epoch made from 64 random bits.
    pub fn from_random(mut bits: u64) -> Epoch {
        let mut text = [0; EPOCH_LENGTH];
        for character in &mut text {
            // The remainder is below 62, so it fits a usize and stands in the alphabet.
            *character = ALPHABET[(bits % 62) as usize];
            bits /= 62;
        }
        Epoch(text)
    }
}

/// The name of one event, and so of a place in a topic's log: after that event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Id {
    /// The life of the server that gave it.
    pub epoch: Epoch,
    /// The event's number in that life.
    pub sequence: Sequence,
}

impl Id {
    /// Reads an id. `None`: it is not one that this kind of server ever wrote; since clients compare
    /// ids as strings, a second spelling of a number (`007`) is not read either.
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

    /// Appends the id's text: ASCII that needs no escaping in a URL, an entity tag, JSON or an event stream.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.epoch.0);
        out.push(b'-');
        out.extend_from_slice(self.digits(&mut [0; MAX_DIGITS]));
    }

    fn digits<'d>(&self, digits: &'d mut [u8; MAX_DIGITS]) -> &'d [u8] {
        let mut at = digits.len();
        let mut rest = self.sequence;
        loop {
            at -= 1;
            digits[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        &digits[at..]
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = [0; MAX_DIGITS];
        for part in [&self.epoch.0[..], b"-", self.digits(&mut digits)] {
            f.write_str(std::str::from_utf8(part).map_err(|_| fmt::Error)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Epoch, Id};

    #[test]
    fn an_id_reads_back_as_it_was_written() {
        for bits in [0, 1, 61, 62, u64::MAX] {
            for sequence in [0, 9, 10, 12_345, u64::MAX] {
                let id = Id { epoch: Epoch::from_random(bits), sequence };
                assert_eq!(Id::parse(&id.to_string()), Some(id));
            }
        }
    }

    #[test]
    fn nothing_else_is_an_id() {
        let strange = ["", "-", "abc", "abcdefgh", "abcdefgh-", "abcdefgh-01", "abcdefgh-+1", "abcdefgh--1"];
        let stranger =
            ["abcdefg-1", "abcdefghi-1", "abcdefg\u{e9}-1", "abcdefgh-18446744073709551616", "abcdefgh-1 "];
        for text in strange.into_iter().chain(stranger) {
            assert_eq!(Id::parse(text), None, "{text:?}");
        }
    }
}
