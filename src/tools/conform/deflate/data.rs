//! Five kinds of data, generated, always the same: what Autobahn takes from files.

use std::fmt::Write;
use std::sync::LazyLock;

/// The number of bytes of each kind. No size of a message divides it, so that messages differ.
const BYTES: usize = 250_007;

/// A sequence of numbers without a pattern (xorshift), but always the same.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }
}

const WORDS: [&str; 32] = [
    "the",
    "server",
    "sends",
    "a",
    "message",
    "to",
    "each",
    "client",
    "and",
    "waits",
    "for",
    "its",
    "answer",
    "before",
    "frame",
    "window",
    "of",
    "bytes",
    "that",
    "were",
    "compressed",
    "with",
    "codes",
    "in",
    "this",
    "block",
    "longer",
    "than",
    "every",
    "other",
    "distance",
    "überall",
];

fn filled(mut write: impl FnMut(&mut Vec<u8>, &mut Numbers)) -> Vec<u8> {
    let (mut bytes, mut numbers) = (Vec::with_capacity(BYTES + 512), Numbers(0x9e37_79b9_7f4a_7c15));
    while bytes.len() < BYTES {
        write(&mut bytes, &mut numbers);
    }
    bytes.truncate(BYTES);
    bytes
}

fn append(bytes: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    let mut line = String::new();
    // Writing to a String can't fail.
    let _ = line.write_fmt(text);
    bytes.extend_from_slice(line.as_bytes());
}

/// Returns records in JSON, in ASCII.
pub fn json() -> &'static [u8] {
    static JSON: LazyLock<Vec<u8>> = LazyLock::new(|| {
        filled(|bytes, numbers| {
            let (id, word) = (numbers.next(1_000_000), WORDS[numbers.next(31) as usize]);
            let (x, y, flag) = (numbers.next(36_000), numbers.next(18_000), numbers.next(2) == 1);
            append(
                bytes,
                format_args!(
                    "{{\"id\":{id},\"name\":\"{word}-{id:x}\",\"active\":{flag},\"position\":[{}.{:02},-{}.{:02}],\
                     \"tags\":[\"{word}\",\"{}\"]}},\n",
                    x / 100,
                    x % 100,
                    y / 100,
                    y % 100,
                    WORDS[(id % 31) as usize]
                ),
            );
        })
    });
    &JSON
}

/// Returns the samples of an image: a gradient with noise.
pub fn image() -> &'static [u8] {
    static IMAGE: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let mut at = 0_u64;
        filled(move |bytes, numbers| {
            let (x, y) = (at % 512, at / 512);
            bytes.push((64 + x / 16 + y / 16 + numbers.next(8)) as u8);
            at += 1;
        })
    });
    &IMAGE
}

/// Returns prose in UTF-8.
pub fn prose() -> &'static [u8] {
    static PROSE: LazyLock<Vec<u8>> = LazyLock::new(|| {
        filled(|bytes, numbers| {
            let length = 4 + numbers.next(14);
            for word in 0..length {
                let chosen = WORDS[numbers.next(32) as usize];
                let end = if word + 1 == length { ".\n" } else { " " };
                append(bytes, format_args!("{chosen}{end}"));
            }
        })
    });
    &PROSE
}

/// Returns the rows of a table in HTML, in ASCII.
pub fn html() -> &'static [u8] {
    static HTML: LazyLock<Vec<u8>> = LazyLock::new(|| {
        filled(|bytes, numbers| {
            let (row, word) = (numbers.next(100_000), WORDS[numbers.next(31) as usize]);
            let other = WORDS[numbers.next(31) as usize];
            append(
                bytes,
                format_args!(
                    "<tr id=\"row-{row}\" class=\"{word}\"><td><a href=\"/{word}/{row}?view={other}\">{other} \
                     {row}</a></td><td class=\"number\">{}</td></tr>\n",
                    row * 7
                ),
            );
        })
    });
    &HTML
}

/// Returns objects as in a PDF: text around streams of bytes that cannot be compressed.
pub fn pdf() -> &'static [u8] {
    static PDF: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let mut object = 0;
        filled(move |bytes, numbers| {
            object += 1;
            let length = 200 + numbers.next(2000);
            append(
                bytes,
                format_args!("{object} 0 obj\n<< /Length {length} /Filter /FlateDecode >>\nstream\n"),
            );
            (0..length).for_each(|_| bytes.push(numbers.next(256) as u8));
            append(bytes, format_args!("\nendstream\nendobj\n"));
        })
    });
    &PDF
}

/// Returns bytes without repetitions, as good as random.
pub fn noise(length: usize) -> Vec<u8> {
    let mut numbers = Numbers(0x2545_f491_4f6c_dd1d);
    (0..length).map(|_| (numbers.next(1 << 32) >> 11) as u8).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::websocket::deflate::compress_without_context;

    #[test]
    fn the_kinds_differ_in_how_well_they_are_compressed() {
        let compressed = |bytes: &[u8]| {
            let mut out = Vec::new();
            compress_without_context(15, bytes, &mut out);
            out.len() * 100 / bytes.len()
        };
        for (bytes, range) in
            [(json(), 5..60), (image(), 30..90), (prose(), 5..60), (html(), 3..60), (pdf(), 70..101)]
        {
            assert_eq!(bytes.len(), BYTES);
            assert!(range.contains(&compressed(bytes)), "{} %", compressed(bytes));
        }
        assert!(json().is_ascii() && html().is_ascii());
        assert!(compressed(&noise(50_000)) >= 99);
    }
}
