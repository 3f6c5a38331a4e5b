//! Finding the end of a head while the head arrives (RFC 9112 §2.2, §5).

use super::fields::is_control;
use super::limits::{HeadLimits, MAX_FIELD_LINES};
use super::rules::HeadError;

/// The largest number of empty lines before a start line.
///
/// RFC 9112 §2.2 asks a server to ignore at least one, because old clients send a CRLF after a
/// body.
const MAX_EMPTY_LINES: u8 = 4;

/// A search for the end of a head in a growing buffer, which rejects bytes that cannot become a
/// head.
///
/// The scan remembers its position, so it reads each byte once, however many parts the head arrives
/// in. Only CRLF ends a line. RFC 9112 §2.2 lets a recipient accept LF alone, but a proxy in front
/// of the server that does not would see different lines. Request smuggling depends on such
/// differences.
///
/// Each head needs a new scan.
#[derive(Debug, Default)]
pub struct HeadScan {
    position: usize,
    awaiting: Awaiting,
}

/// The part of the head that is expected next.
#[derive(Clone, Copy, Debug)]
enum Awaiting {
    /// The start line, or another empty line before it.
    StartLine { empty: u8 },
    /// The rest of the start line, which begins at `start`.
    StartLineRest { start: usize },
    /// A field line, or the blank line; `lines` field lines are complete.
    FieldLine { lines: usize },
    /// The rest of a field line.
    FieldLineRest { lines: usize },
}

impl Default for Awaiting {
    fn default() -> Self {
        Self::StartLine { empty: 0 }
    }
}

impl HeadScan {
    /// Continues the search in `buffer`, which begins with the bytes of the previous call.
    ///
    /// Returns the length of the head including its blank line, or `None` if more bytes are needed.
    /// It never returns `None` for a buffer of `limits.bytes`.
    ///
    /// # Errors
    /// Returns the first error in the order of the bytes, however the bytes are split.
    pub fn scan(&mut self, buffer: &[u8], limits: &HeadLimits) -> Result<Option<usize>, HeadError> {
        let window = &buffer[..buffer.len().min(limits.bytes)];
        loop {
            let rest = window.get(self.position..).unwrap_or_default();
            let text = text_length(rest);
            if text > 0 {
                self.text(rest[0], text, limits)?;
            }
            match rest[text..] {
                [b'\r', b'\n', ..] => {
                    self.position += 2;
                    if self.line_end()? {
                        return Ok(Some(self.position));
                    }
                }
                // The LF after this CR may arrive later.
                [] | [b'\r'] => break,
                [b'\r', ..] => return Err(HeadError::BareCr),
                [b'\n', ..] => return Err(HeadError::BareLf),
                [_, ..] => return Err(HeadError::Control),
            }
        }
        match self.awaiting {
            _ if window.len() < limits.bytes => Ok(None),
            Awaiting::StartLine { .. } | Awaiting::StartLineRest { .. } => Err(HeadError::StartLineTooLong),
            Awaiting::FieldLine { .. } | Awaiting::FieldLineRest { .. } => Err(HeadError::HeadTooLarge),
        }
    }

    /// Consumes `length` bytes of text that begin with `first`.
    fn text(&mut self, first: u8, length: usize, limits: &HeadLimits) -> Result<(), HeadError> {
        match self.awaiting {
            Awaiting::StartLine { .. } => self.awaiting = Awaiting::StartLineRest { start: self.position },
            Awaiting::FieldLine { lines } => match first {
                b' ' | b'\t' if lines == 0 => return Err(HeadError::SpaceBeforeFields),
                b' ' | b'\t' => return Err(HeadError::ObsFold),
                _ if lines >= limits.field_lines.min(MAX_FIELD_LINES) => {
                    return Err(HeadError::TooManyFieldLines);
                }
                _ => self.awaiting = Awaiting::FieldLineRest { lines },
            },
            Awaiting::StartLineRest { .. } | Awaiting::FieldLineRest { .. } => {}
        }
        self.position += length;
        match self.awaiting {
            Awaiting::StartLineRest { start } if self.position - start > limits.request_line => {
                Err(HeadError::StartLineTooLong)
            }
            _ => Ok(()),
        }
    }

    /// Consumes a CRLF. Returns whether it ends the head.
    fn line_end(&mut self) -> Result<bool, HeadError> {
        self.awaiting = match self.awaiting {
            Awaiting::StartLine { empty: MAX_EMPTY_LINES } => return Err(HeadError::EmptyLines),
            Awaiting::StartLine { empty } => Awaiting::StartLine { empty: empty + 1 },
            Awaiting::StartLineRest { .. } => Awaiting::FieldLine { lines: 0 },
            Awaiting::FieldLine { .. } => return Ok(true),
            Awaiting::FieldLineRest { lines } => Awaiting::FieldLine { lines: lines + 1 },
        };
        Ok(false)
    }
}

/// Returns how many bytes at the start of `bytes` are text: anything except controls other than
/// HTAB.
///
/// It reads eight bytes at a time. A test compares it with the plain loop.
fn text_length(bytes: &[u8]) -> usize {
    let (words, rest) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let controls = controls(u64::from_le_bytes(*word));
        if controls != 0 {
            return 8 * index + controls.trailing_zeros() as usize / 8;
        }
    }
    8 * words.len() + rest.iter().take_while(|byte| !is_control(**byte)).count()
}

/// Returns the top bit of each byte of `word` that is a control other than HTAB. All other bits are
/// zero.
///
/// No summand has its top bit set, so each sum stays within its byte and no carry changes the
/// result of a neighbouring byte.
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
    fn the_search_by_words_agrees_with_the_plain_loop() {
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
    fn a_head_may_be_exactly_as_large_as_each_limit() {
        let head = b"GET / HTTP/1.1\r\nHost: a\r\nA: b\r\n\r\n";
        let exact = HeadLimits { bytes: head.len(), request_line: 14, field_lines: 2 };
        assert_eq!(scan(head, &exact), Ok(Some(head.len())));
        let limits = HeadLimits { bytes: head.len() - 1, ..exact };
        assert_eq!(scan(head, &limits), Err(HeadError::HeadTooLarge));
        assert_eq!(scan(&head[..head.len() - 1], &limits), Err(HeadError::HeadTooLarge));
        assert_eq!(scan(&head[..head.len() - 2], &limits), Ok(None));
        assert_eq!(scan(head, &HeadLimits { request_line: 13, ..exact }), Err(HeadError::StartLineTooLong));
        assert_eq!(scan(head, &HeadLimits { bytes: 14, ..exact }), Err(HeadError::StartLineTooLong));
        assert_eq!(scan(head, &HeadLimits { field_lines: 1, ..exact }), Err(HeadError::TooManyFieldLines));
    }

    #[test]
    fn rejects_an_error_at_its_first_byte() {
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
