//! The lines and fields of an event stream (WHATWG HTML §9.2.5).

/// A field. A comment has an empty name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'s> {
    pub name: &'s [u8],
    /// The value, without one space at its start.
    pub value: &'s [u8],
}

/// Returns the fields and comments of the complete lines of a stream.
pub fn fields(stream: &[u8]) -> impl Iterator<Item = Field<'_>> {
    let stream = stream.strip_prefix(b"\xef\xbb\xbf").unwrap_or(stream);
    let end = stream.iter().rposition(|byte| matches!(byte, b'\r' | b'\n')).unwrap_or(0);
    // The LF of a CRLF ends an empty line of its own here, which has no field.
    let lines = stream[..end].split(|byte| matches!(byte, b'\r' | b'\n'));
    lines.filter(|line| !line.is_empty()).map(|line| {
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let (name, value) = line.split_at(colon);
        let value = value.strip_prefix(b":").unwrap_or(value);
        Field { name, value: value.strip_prefix(b" ").unwrap_or(value) }
    })
}

/// Returns the offset of the first byte that is not UTF-8. The last character may be incomplete.
pub fn first_invalid(stream: &[u8]) -> Option<usize> {
    let error = str::from_utf8(stream).err()?;
    error.error_len().map(|_| error.valid_up_to())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_a_stream_into_fields() {
        let fields: Vec<_> = fields(b"\xef\xbb\xbf: hi\r\ndata:  a\rid\n\nevent: incomp").collect();
        let field = |name: &'static [u8], value: &'static [u8]| Field { name, value };
        assert_eq!(fields, [field(b"", b"hi"), field(b"data", b" a"), field(b"id", b"")]);
    }

    #[test]
    fn finds_the_first_byte_that_is_not_utf8() {
        assert_eq!(first_invalid(b"a\xff"), Some(1));
        assert_eq!(first_invalid(b"a\xc3"), None);
        assert_eq!(first_invalid("é".as_bytes()), None);
    }
}
