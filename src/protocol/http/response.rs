//! Writing response heads (RFC 9112 §4, §5).

use super::fields::{is_control, is_token, write_decimal};
use super::status::Status;

/// The complete interim response to `Expect: 100-continue` (RFC 9110 §15.2.1).
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// A response head while it is written. [`end`](Self::end) writes the blank line.
///
/// The version is always HTTP/1.1, also in response to HTTP/1.0, because it states what the server
/// supports (RFC 9110 §6.2).
#[must_use = "a head is incomplete until `end` is called"]
pub struct ResponseHead<'o> {
    out: &'o mut Vec<u8>,
}

impl<'o> ResponseHead<'o> {
    /// Appends the status line to `out`.
    pub fn start(out: &'o mut Vec<u8>, status: Status) -> Self {
        out.extend_from_slice(b"HTTP/1.1 ");
        write_decimal(u64::from(status.code()), out);
        out.push(b' ');
        out.extend_from_slice(status.reason().as_bytes());
        out.extend_from_slice(b"\r\n");
        Self { out }
    }

    /// Appends a field line.
    ///
    /// Each control character in `value` is replaced by a space, as RFC 9110 §5.5 requires. A value
    /// that a client sent therefore cannot end the line and start another line or response. The
    /// name is `'static` because it is never a client's.
    pub fn field(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        debug_assert!(is_token(name.as_bytes()), "{name:?} is not a field name");
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b": ");
        let value = value.as_ref();
        // This loop has no early exit, so that the compiler can vectorize it.
        if value.iter().fold(false, |found, byte| found | is_control(*byte)) {
            let safe = |byte: &u8| if is_control(*byte) { b' ' } else { *byte };
            self.out.extend(value.iter().map(safe));
        } else {
            self.out.extend_from_slice(value);
        }
        self.out.extend_from_slice(b"\r\n");
        self
    }

    /// Appends `Content-Length`, in bytes (RFC 9110 §8.6).
    pub fn length(self, bytes: usize) -> Self {
        self.out.extend_from_slice(b"Content-Length: ");
        write_decimal(bytes as u64, self.out);
        self.out.extend_from_slice(b"\r\n");
        self
    }

    /// Appends a weak entity tag (RFC 9110 §8.8.3). `opaque` is visible ASCII without quotation
    /// marks.
    pub fn weak_tag(self, opaque: &[u8]) -> Self {
        debug_assert!(opaque.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'"'), "{opaque:?}");
        for part in [b"ETag: W/\"", opaque, b"\"\r\n"] {
            self.out.extend_from_slice(part);
        }
        self
    }

    /// Appends the blank line that ends the head.
    pub fn end(self) {
        self.out.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_a_status_line_field_lines_and_a_blank_line() {
        let mut out = Vec::new();
        ResponseHead::start(&mut out, Status::CREATED)
            .field("Content-Type", "application/json")
            .length(12)
            .end();
        let expected = "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n";
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }

    #[test]
    fn replaces_control_characters_in_a_value() {
        let mut out = Vec::new();
        ResponseHead::start(&mut out, Status::OK).field("X", "a\r\nSet-Cookie: b\0\x7f\tc\u{e9}").end();
        let expected = "HTTP/1.1 200 OK\r\nX: a  Set-Cookie: b  \tc\u{e9}\r\n\r\n";
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }
}
