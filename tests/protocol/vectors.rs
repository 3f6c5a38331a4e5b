//! Protocol vectors as data: blocks of `key: value` lines, told apart by blank lines.
//!
//! A value is text with the escapes `\r \n \t \0 \\ \xNN`; one that starts with `hex ` is hex
//! digits with spaces between. A key that stands again in a block goes on with its value. Lines that start with `#` are comments.

/// One block of a vector file.
pub struct Vector {
    /// The line of the file where the block starts, for messages.
    pub line: usize,
    fields: Vec<(String, Vec<u8>)>,
}

impl Vector {
    /// The bytes of the field `key`, if the block has it.
    pub fn get(&self, key: &str) -> Option<&[u8]> {
        let (_, value) = self.fields.iter().find(|(name, _)| name == key)?;
        Some(value)
    }

    /// The field `key` as text; a block without it is a mistake in the file.
    pub fn text(&self, key: &str) -> &str {
        let value = self.get(key);
        let value = value.unwrap_or_else(|| panic!("line {}: no `{key}`", self.line));
        std::str::from_utf8(value).expect("a text field is UTF-8")
    }
}

/// The blocks of a vector file.
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
            Some((_, whole)) => whole.extend_from_slice(&value),
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
            other => panic!("the escape \\{} in {value:?}", char::from(*other)),
        }
    }
    out
}

fn hex(digits: &[u8]) -> u8 {
    let digits = std::str::from_utf8(digits).expect("ASCII digits");
    u8::from_str_radix(digits, 16).unwrap_or_else(|_| panic!("{digits:?} is not hex"))
}

/// Every way to cut `bytes` that a vector is run in: whole, a byte at a time, and in two at every place.
pub fn cuts(bytes: &[u8]) -> impl Iterator<Item = Vec<&[u8]>> {
    let whole = std::iter::once(vec![bytes]);
    let single = std::iter::once(bytes.chunks(1).collect());
    let halves = (1..bytes.len()).map(|at| vec![&bytes[..at], &bytes[at..]]);
    whole.chain(single).chain(halves)
}

/// `bytes` cut after each of `places`, which wrap around its length.
pub fn cut_at<'a>(bytes: &'a [u8], places: &[usize]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = places.iter().map(|place| place % (bytes.len() + 1)).collect();
    places.sort_unstable();
    places.push(bytes.len());
    let mut start = 0;
    places.into_iter().map(|end| &bytes[std::mem::replace(&mut start, end)..end]).collect()
}
