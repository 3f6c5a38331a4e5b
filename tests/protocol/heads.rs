//! Readers of heads against their vectors.

use crate::vectors::{cuts, parse};

/// Holds a reader of heads to a file of them, each in every cut, and with `next` behind it. `head` gives how long the head
/// was and what was read, or the error; `None` where it wants more.
pub fn read_as_said(file: &str, next: &[u8], head: impl Fn(Vec<&[u8]>) -> Option<(usize, String)>) {
    for vector in parse(file) {
        let name = vector.text("name");
        let bytes = vector.get("in").expect("a head");
        let accepted = vector.get("is").is_some();
        let expected = vector.text(if accepted { "is" } else { "error" });
        let followed = [bytes, next].concat();
        for pieces in cuts(bytes).chain([vec![&followed[..]]]) {
            let (end, read) = head(pieces).unwrap_or_else(|| panic!("{name}: no outcome"));
            assert_eq!(read, expected, "{name}, line {}", vector.line);
            assert!(!accepted || end == bytes.len(), "{name}: {end} bytes of {}", bytes.len());
        }
        if accepted {
            assert_eq!(head(vec![&bytes[..bytes.len() - 1]]), None, "{name} before its last byte");
        }
    }
}
