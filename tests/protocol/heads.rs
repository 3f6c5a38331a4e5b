//! Checks a reader of heads against a vector file.

use crate::vectors::{cuts, parse};

/// Checks `head` against each vector in `file`: the bytes in every cut, and the bytes followed by
/// `next`.
///
/// `head` returns the length of the head and its text form or its error, or `None` if it needs more
/// bytes.
pub fn check(file: &str, next: &[u8], head: impl Fn(Vec<&[u8]>) -> Option<(usize, String)>) {
    for vector in parse(file) {
        let name = vector.text("name");
        let bytes = vector.get("in").expect("a head");
        let is_accepted = vector.get("is").is_some();
        let expected = vector.text(if is_accepted { "is" } else { "error" });
        let followed = [bytes, next].concat();
        for parts in cuts(bytes).chain([vec![&followed[..]]]) {
            let (end, read) = head(parts).unwrap_or_else(|| panic!("{name}: the head is incomplete"));
            assert_eq!(read, expected, "{name}, line {}", vector.line);
            assert!(!is_accepted || end == bytes.len(), "{name}: {end} bytes of {}", bytes.len());
        }
        if is_accepted {
            assert_eq!(head(vec![&bytes[..bytes.len() - 1]]), None, "{name} without its last byte");
        }
    }
}
