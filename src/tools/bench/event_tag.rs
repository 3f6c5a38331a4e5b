//! Event tags, which identify an event in any format.
//!
//! A server may wrap an event's data in JSON, in the fields of an event stream, or in nothing. A
//! tag consists of characters that no such format escapes, so a plain search in the bytes finds it.

/// The beginning of a tag. `~` is rare in the bytes around the data, so the search is cheap.
const PREFIX: &[u8] = b"~bw";

/// The number of digits after the prefix.
const DIGITS: usize = 12;

/// The length of a tag in bytes.
pub const TAG_LENGTH: usize = PREFIX.len() + DIGITS;

/// Appends the data of event `number`: its tag, padded to `size` bytes. Data is never shorter than
/// the tag.
pub fn write_event(number: u64, size: usize, out: &mut Vec<u8>) {
    let end = out.len() + size.max(TAG_LENGTH);
    out.extend_from_slice(PREFIX);
    out.extend_from_slice(format!("{number:0DIGITS$}").as_bytes());
    out.resize(end, b'.');
}

/// Finds tags in a byte stream that arrives in chunks.
#[derive(Clone, Debug, Default)]
pub struct TagScanner {
    /// The end of the previous chunk, if a tag may continue from there.
    partial: Vec<u8>,
}

impl TagScanner {
    /// Calls `found` with the number of each tag that ends in `chunk`.
    pub fn scan(&mut self, chunk: &[u8], found: &mut impl FnMut(u64)) {
        if self.partial.is_empty() {
            let rest = scan_tags(chunk, found);
            self.partial.extend_from_slice(rest);
        } else {
            self.partial.extend_from_slice(chunk);
            let rest = scan_tags(&self.partial, found).len();
            self.partial.drain(..self.partial.len() - rest);
        }
    }
}

/// Calls `found` with the number of each tag in `bytes`. Returns the incomplete tag at their end,
/// or an empty slice.
pub fn scan_tags<'a>(mut bytes: &'a [u8], found: &mut impl FnMut(u64)) -> &'a [u8] {
    while let Some(at) = bytes.iter().position(|byte| *byte == PREFIX[0]) {
        bytes = &bytes[at..];
        let (tag, rest) = bytes.split_at(bytes.len().min(TAG_LENGTH));
        match parse_tag(tag) {
            Parsed::Tag(number) => {
                found(number);
                bytes = rest;
            }
            Parsed::Incomplete => return bytes,
            Parsed::Other => bytes = &bytes[1..],
        }
    }
    &[]
}

enum Parsed {
    Tag(u64),
    Incomplete,
    Other,
}

fn parse_tag(bytes: &[u8]) -> Parsed {
    let (prefix, digits) = bytes.split_at(bytes.len().min(PREFIX.len()));
    if !PREFIX.starts_with(prefix) || !digits.iter().all(u8::is_ascii_digit) {
        return Parsed::Other;
    }
    if bytes.len() < TAG_LENGTH {
        return Parsed::Incomplete;
    }
    Parsed::Tag(digits.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(chunks: &[&[u8]]) -> Vec<u64> {
        let (mut scanner, mut numbers) = (TagScanner::default(), Vec::new());
        for chunk in chunks {
            scanner.scan(chunk, &mut |number| numbers.push(number));
        }
        assert!(scanner.partial.len() < TAG_LENGTH);
        numbers
    }

    #[test]
    fn finds_tags_wherever_the_bytes_are_cut() {
        let mut bytes = b"{\"id\":\"~b~\",\"data\":\"".to_vec();
        write_event(7, 40, &mut bytes);
        bytes.extend_from_slice(b"\"}\n~bw12~bwx~");
        write_event(123_456_789_012, 0, &mut bytes);
        bytes.extend_from_slice(b"~bw");
        assert_eq!(scan(&[&bytes]), [7, 123_456_789_012]);
        for cut in 0..=bytes.len() {
            let (first, second) = bytes.split_at(cut);
            assert_eq!(scan(&[first, second]), [7, 123_456_789_012], "cut at {cut}");
        }
        let bytewise: Vec<_> = bytes.chunks(1).collect();
        assert_eq!(scan(&bytewise), [7, 123_456_789_012]);
    }

    #[test]
    fn data_has_the_requested_size_but_at_least_that_of_a_tag() {
        for (size, length) in [(0, TAG_LENGTH), (TAG_LENGTH, TAG_LENGTH), (120, 120)] {
            let mut out = b"before".to_vec();
            write_event(1, size, &mut out);
            assert_eq!(out.len(), 6 + length);
        }
    }
}
