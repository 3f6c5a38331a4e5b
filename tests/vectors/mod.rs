//! The format of the vector files: blocks of `key: value` lines, separated by blank lines.
//!
//! A value is text with the escapes `\r \n \t \0 \\ \xNN` and `\{TEXT*COUNT}`, which repeats TEXT.
//! A value that starts with `hex ` is hexadecimal digits separated by spaces. A repeated key
//! continues the value of the first. Lines that start with `#` are comments.

/// One block of a vector file.
pub struct Vector {
    /// The line of the file where the block starts, for test messages.
    pub line: usize,
    fields: Vec<(String, Vec<u8>)>,
}

impl Vector {
    /// Returns the bytes of the field `key`, if the block has it.
    pub fn get(&self, key: &str) -> Option<&[u8]> {
        let (_, value) = self.fields.iter().find(|(name, _)| name == key)?;
        Some(value)
    }

    /// Returns the field `key` as text.
    ///
    /// # Panics
    /// Panics if the block has no such field.
    pub fn text(&self, key: &str) -> &str {
        let value = self.get(key);
        let value = value.unwrap_or_else(|| panic!("line {}: no `{key}`", self.line));
        std::str::from_utf8(value).expect("a text field is UTF-8")
    }
}

/// Parses a vector file.
pub fn parse(file: &str) -> Vec<Vector> {
    let mut vectors = Vec::new();
    let mut fields: Vec<(String, Vec<u8>)> = Vec::new();
    let mut start = 0;
    for (number, line) in file.lines().chain([""]).enumerate() {
        if line.starts_with('#') {
            continue;
        }
        if line.trim().is_empty() {
            if !fields.is_empty() {
                vectors.push(Vector { line: start, fields: std::mem::take(&mut fields) });
            }
            continue;
        }
        if fields.is_empty() {
            start = number + 1;
        }
        let (key, value) = line.split_once(':').unwrap_or_else(|| panic!("line {}: no colon", number + 1));
        let value = bytes(value.strip_prefix(' ').unwrap_or(value));
        match fields.iter_mut().find(|(name, _)| name == key) {
            Some((_, first)) => first.extend_from_slice(&value),
            None => fields.push((key.to_owned(), value)),
        }
    }
    vectors
}

fn bytes(value: &str) -> Vec<u8> {
    if let Some(digits) = value.strip_prefix("hex ") {
        let digits: Vec<u8> = digits.bytes().filter(|byte| *byte != b' ').collect();
        return digits.chunks(2).map(hex).collect();
    }
    let mut out = Vec::new();
    let mut rest = value.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'\\' {
            out.push(*first);
            continue;
        }
        let [kind, tail @ ..] = rest else { panic!("a lone \\ in {value:?}") };
        rest = tail;
        match kind {
            b'r' => out.push(b'\r'),
            b'n' => out.push(b'\n'),
            b't' => out.push(b'\t'),
            b'0' => out.push(0),
            b'\\' => out.push(b'\\'),
            b'x' => {
                out.push(hex(&rest[..2]));
                rest = &rest[2..];
            }
            b'{' => {
                let end = rest.iter().position(|byte| *byte == b'}').expect("a closing brace");
                let repeated = std::str::from_utf8(&rest[..end]).expect("text");
                let (text, count) = repeated.rsplit_once('*').expect("TEXT*COUNT");
                out.extend(bytes(text).repeat(count.parse().expect("a count")));
                rest = &rest[end + 1..];
            }
            other => panic!("the escape \\{} in {value:?}", char::from(*other)),
        }
    }
    out
}

fn hex(digits: &[u8]) -> u8 {
    let digits = std::str::from_utf8(digits).expect("ASCII digits");
    u8::from_str_radix(digits, 16).unwrap_or_else(|_| panic!("{digits:?} is not hex"))
}
