//! How an event is known again, whatever a server makes of it: by a marker in its data.
//!
//! A server may wrap the data in JSON, in fields of an event stream, or in nothing. So the marker is of characters that none of these
//! escapes, and it is looked for in the bytes.

/// What a marker begins with. The `~` is rare in what stands around data, so that looking for one costs little.
const BEGINNING: &[u8] = b"~bw";

/// Digits of the number behind it.
const DIGITS: usize = 12;

/// Bytes of a marker.
pub const LENGTH: usize = BEGINNING.len() + DIGITS;

/// Appends the data of event `number`: its marker, and then as many bytes as make it `size`; a smaller one has its marker alone.
pub fn write(number: u64, size: usize, out: &mut Vec<u8>) {
    let end = out.len() + size.max(LENGTH);
    out.extend_from_slice(BEGINNING);
    out.extend_from_slice(format!("{number:0DIGITS$}").as_bytes());
    out.resize(end, b'.');
}

/// Finds markers in bytes that come in pieces.
#[derive(Clone, Debug, Default)]
pub struct Finder {
    /// The end of the last piece, if a marker may go on from there.
    kept: Vec<u8>,
}

impl Finder {
    /// Calls `found` with the number of each marker that ends in `piece`.
    pub fn find(&mut self, piece: &[u8], found: &mut impl FnMut(u64)) {
        if self.kept.is_empty() {
            let rest = scan(piece, found);
            self.kept.extend_from_slice(rest);
        } else {
            self.kept.extend_from_slice(piece);
            let rest = scan(&self.kept, found).len();
            self.kept.drain(..self.kept.len() - rest);
        }
    }
}

/// Calls `found` with the number of each marker in `bytes`; what is left at their end is the beginning of one, or empty.
pub fn scan<'a>(mut bytes: &'a [u8], found: &mut impl FnMut(u64)) -> &'a [u8] {
    while let Some(at) = bytes.iter().position(|byte| *byte == BEGINNING[0]) {
        bytes = &bytes[at..];
        let (marker, rest) = bytes.split_at(bytes.len().min(LENGTH));
        match read(marker) {
            Read::Marker(number) => {
                found(number);
                bytes = rest;
            }
            Read::Part => return bytes,
            Read::Other => bytes = &bytes[1..],
        }
    }
    &[]
}

enum Read {
    Marker(u64),
    Part,
    Other,
}

fn read(bytes: &[u8]) -> Read {
    let (beginning, digits) = bytes.split_at(bytes.len().min(BEGINNING.len()));
    if !BEGINNING.starts_with(beginning) || !digits.iter().all(u8::is_ascii_digit) {
        return Read::Other;
    }
    if bytes.len() < LENGTH {
        return Read::Part;
    }
    Read::Marker(digits.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(pieces: &[&[u8]]) -> Vec<u64> {
        let (mut finder, mut numbers) = (Finder::default(), Vec::new());
        for piece in pieces {
            finder.find(piece, &mut |number| numbers.push(number));
        }
        assert!(finder.kept.len() < LENGTH);
        numbers
    }

    #[test]
    fn a_marker_is_found_however_the_bytes_are_cut() {
        let mut bytes = b"{\"id\":\"~b~\",\"data\":\"".to_vec();
        write(7, 40, &mut bytes);
        bytes.extend_from_slice(b"\"}\n~bw12~bwx~");
        write(123_456_789_012, 0, &mut bytes);
        bytes.extend_from_slice(b"~bw");
        assert_eq!(found(&[&bytes]), [7, 123_456_789_012]);
        for cut in 0..=bytes.len() {
            let (first, second) = bytes.split_at(cut);
            assert_eq!(found(&[first, second]), [7, 123_456_789_012], "cut at {cut}");
        }
        let bytewise: Vec<_> = bytes.chunks(1).collect();
        assert_eq!(found(&bytewise), [7, 123_456_789_012]);
    }

    #[test]
    fn data_are_of_the_size_that_is_asked_for_but_never_less_than_a_marker() {
        for (size, length) in [(0, LENGTH), (LENGTH, LENGTH), (120, 120)] {
            let mut out = b"before".to_vec();
            write(1, size, &mut out);
            assert_eq!(out.len(), 6 + length);
        }
    }
}
