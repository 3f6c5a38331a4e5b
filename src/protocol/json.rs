//! JSON (RFC 8259): writing strings (§7).

/// Appends `text` as a JSON string, with its quotation marks.
///
/// Only the characters that RFC 8259 §7 requires are escaped: the quotation mark, the backslash and
/// the control characters below U+0020. All other characters are written in UTF-8.
pub fn write_string(text: &str, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut unescaped = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        if !is_escaped(byte) {
            continue;
        }
        out.extend_from_slice(&bytes[unescaped..at]);
        unescaped = at + 1;
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            _ => {
                out.extend_from_slice(b"\\u00");
                out.push(HEX[usize::from(byte >> 4)]);
                out.push(HEX[usize::from(byte & 15)]);
            }
        }
    }
    out.extend_from_slice(&bytes[unescaped..]);
    out.push(b'"');
}

/// Returns whether a JSON string must escape an ASCII byte (RFC 8259 §7).
pub const fn is_escaped(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

#[cfg(test)]
mod tests {
    use super::write_string;

    fn string(text: &str) -> String {
        let mut out = Vec::new();
        write_string(text, &mut out);
        String::from_utf8(out).expect("the output is UTF-8")
    }

    #[test]
    fn escapes_only_what_rfc_8259_requires() {
        assert_eq!(string(""), r#""""#);
        assert_eq!(string("plain /"), r#""plain /""#);
        assert_eq!(string("a\"b\\c"), r#""a\"b\\c""#);
        assert_eq!(string("\n\r\t\u{8}\u{c}"), r#""\n\r\t\b\f""#);
        assert_eq!(string("\0\u{1f}\u{7f}"), "\"\\u0000\\u001f\u{7f}\"");
        assert_eq!(string("h\u{e9}\u{1f600}"), "\"h\u{e9}\u{1f600}\"");
    }
}
