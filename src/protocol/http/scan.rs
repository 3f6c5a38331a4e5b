//! Finds where a request head ends, while it arrives (RFC 9112 §2.2, §5).

use super::fields::is_control;
use super::head::{HeadError, HeadLimits, MAX_FIELD_LINES};

/// How many empty lines may come before a request line.
///
/// RFC 9112 §2.2 wants at least one to be ignored, for old clients that put a CRLF behind a body.
const MAX_EMPTY_LINES: u8 = 4;

/// Finds the end of a head in a buffer that grows, and refuses what cannot become one.
///
/// It keeps how far it looked, so each byte is looked at once however many pieces the head comes
/// in. Only a CRLF ends a line. RFC 9112 §2.2 would let a recipient take a lone LF for one, but a
/// proxy in front that does not would see other lines than this server: that is request smuggling.
///
/// One scan serves one head: begin the next with a new one.
#[derive(Debug, Default)]
pub struct HeadScan {
    looked: usize,
    awaiting: Awaiting,
}

/// What may come next.
#[derive(Clone, Copy, Debug)]
enum Awaiting {
    /// The request line, or one more empty line before it.
    RequestLine { empty: u8 },
    /// The rest of the request line, which began at `start`.
    RequestLineRest { start: usize },
    /// A field line, or the blank line; `lines` are complete.
    FieldLine { lines: usize },
    /// The rest of a field line.
    FieldLineRest { lines: usize },
}

impl Default for Awaiting {
    fn default() -> Self {
        Self::RequestLine { empty: 0 }
    }
}

impl HeadScan {
    /// Goes on looking in `buffer`, which holds what it held at the last call and more behind it.
    ///
    /// `Some(end)` is the length of the head with its blank line; `None` asks for more bytes. A
    /// buffer of `limits.bytes` never gets `None`.
    ///
    /// # Errors
    /// The first mistake in the order of the bytes, so the same one however they are cut.
    pub fn scan(&mut self, buffer: &[u8], limits: &HeadLimits) -> Result<Option<usize>, HeadError> {
        let window = &buffer[..buffer.len().min(limits.bytes)];
        loop {
            let rest = window.get(self.looked..).unwrap_or_default();
            let text = text_length(rest);
            if text > 0 {
                self.text(rest[0], text, limits)?;
            }
            match rest[text..] {
                [b'\r', b'\n', ..] => {
                    self.looked += 2;
                    if self.line_end()? {
                        return Ok(Some(self.looked));
                    }
                }
                // A CR that may have its LF yet is looked at again.
                [] | [b'\r'] => break,
                [b'\r', ..] => return Err(HeadError::BareCr),
                [b'\n', ..] => return Err(HeadError::BareLf),
                [_, ..] => return Err(HeadError::Control),
            }
        }
        match self.awaiting {
            _ if window.len() < limits.bytes => Ok(None),
            Awaiting::RequestLine { .. } | Awaiting::RequestLineRest { .. } => {
                Err(HeadError::RequestLineTooLong)
            }
            Awaiting::FieldLine { .. } | Awaiting::FieldLineRest { .. } => Err(HeadError::HeadTooLarge),
        }
    }

    /// Takes `length` bytes of text, of which `first` is the first.
    fn text(&mut self, first: u8, length: usize, limits: &HeadLimits) -> Result<(), HeadError> {
        match self.awaiting {
            Awaiting::RequestLine { .. } => self.awaiting = Awaiting::RequestLineRest { start: self.looked },
            Awaiting::FieldLine { lines } => match first {
                b' ' | b'\t' if lines == 0 => return Err(HeadError::SpaceBeforeFields),
                b' ' | b'\t' => return Err(HeadError::ObsFold),
                _ if lines >= limits.field_lines.min(MAX_FIELD_LINES) => {
                    return Err(HeadError::TooManyFieldLines);
                }
                _ => self.awaiting = Awaiting::FieldLineRest { lines },
            },
            Awaiting::RequestLineRest { .. } | Awaiting::FieldLineRest { .. } => {}
        }
        self.looked += length;
        match self.awaiting {
            Awaiting::RequestLineRest { start } if self.looked - start > limits.request_line => {
                Err(HeadError::RequestLineTooLong)
            }
            _ => Ok(()),
        }
    }

    /// Takes a CRLF; `true` is the end of the head.
    fn line_end(&mut self) -> Result<bool, HeadError> {
        self.awaiting = match self.awaiting {
            Awaiting::RequestLine { empty: MAX_EMPTY_LINES } => return Err(HeadError::EmptyLines),
            Awaiting::RequestLine { empty } => Awaiting::RequestLine { empty: empty + 1 },
            Awaiting::RequestLineRest { .. } => Awaiting::FieldLine { lines: 0 },
            Awaiting::FieldLine { .. } => return Ok(true),
            Awaiting::FieldLineRest { lines } => Awaiting::FieldLine { lines: lines + 1 },
        };
        Ok(false)
    }
}

/// How many bytes at the start of `bytes` are text: no control but HTAB.
///
/// It looks at eight bytes at once; the tests hold it against the plain loop.
fn text_length(bytes: &[u8]) -> usize {
    let (words, rest) = bytes.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        let controls = controls(u64::from_le_bytes(*word));
        if controls != 0 {
            return 8 * at + controls.trailing_zeros() as usize / 8;
        }
    }
    8 * words.len() + rest.iter().take_while(|byte| !is_control(**byte)).count()
}

/// The top bit of each byte of `word` that is a control but HTAB; all other bits are zero.
///
/// Each sum stays within its byte, as no summand has its top bit set: there is no carry into a
/// neighbour, and so no byte is taken for what another one is.
const fn controls(word: u64) -> u64 {
    const fn each(byte: u8) -> u64 {
        u64::from_le_bytes([byte; 8])
    }
    const fn differ(word: u64, byte: u8) -> u64 {
        let difference = word ^ each(byte);
        ((difference & each(0x7f)) + each(0x7f)) | difference
    }
    let from_space_on = ((word & each(0x7f)) + each(0x80 - b' ')) | word;
    let below_space = !from_space_on & differ(word, b'\t');
    (below_space | !differ(word, 0x7f)) & each(0x80)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(bytes: &[u8], limits: &HeadLimits) -> Result<Option<usize>, HeadError> {
        HeadScan::default().scan(bytes, limits)
    }

    #[test]
    fn words_find_what_the_plain_loop_finds() {
        let plain = |bytes: &[u8]| bytes.iter().take_while(|byte| !is_control(**byte)).count();
        for byte in 0..=u8::MAX {
            for length in 0..20 {
                for at in 0..=length {
                    for other in [b'a', b'\t', b' ', 0xff, 0x80] {
                        let mut bytes = vec![other; length];
                        bytes.insert(at, byte);
                        assert_eq!(text_length(&bytes), plain(&bytes), "{bytes:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn each_limit_is_the_last_length_that_passes() {
        let head = b"GET / HTTP/1.1\r\nHost: a\r\nA: b\r\n\r\n";
        let exact = HeadLimits { bytes: head.len(), request_line: 14, field_lines: 2 };
        assert_eq!(scan(head, &exact), Ok(Some(head.len())));
        let limits = HeadLimits { bytes: head.len() - 1, ..exact };
        assert_eq!(scan(head, &limits), Err(HeadError::HeadTooLarge));
        assert_eq!(scan(&head[..head.len() - 1], &limits), Err(HeadError::HeadTooLarge));
        assert_eq!(scan(&head[..head.len() - 2], &limits), Ok(None));
        assert_eq!(scan(head, &HeadLimits { request_line: 13, ..exact }), Err(HeadError::RequestLineTooLong));
        assert_eq!(scan(head, &HeadLimits { bytes: 14, ..exact }), Err(HeadError::RequestLineTooLong));
        assert_eq!(scan(head, &HeadLimits { field_lines: 1, ..exact }), Err(HeadError::TooManyFieldLines));
    }

    #[test]
    fn what_cannot_become_a_head_is_refused_at_the_byte() {
        let limits = HeadLimits::default();
        assert_eq!(scan(b"\x16\x03\x01", &limits), Err(HeadError::Control));
        assert_eq!(scan(b"GET /\n", &limits), Err(HeadError::BareLf));
        assert_eq!(scan(b"GET /\rx", &limits), Err(HeadError::BareCr));
        assert_eq!(scan(b"GET / HTTP/1.1\r\n ", &limits), Err(HeadError::SpaceBeforeFields));
        assert_eq!(scan(b"GET / HTTP/1.1\r\nA: b\r\n\t", &limits), Err(HeadError::ObsFold));
        assert_eq!(scan(b"\r\n\r\n\r\n\r\nGET", &limits), Ok(None));
        assert_eq!(scan(b"\r\n\r\n\r\n\r\n\r\n", &limits), Err(HeadError::EmptyLines));
    }
}
