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

/// What may come next. The states in `…Lf` have seen the CR of a CRLF.
#[derive(Clone, Copy, Debug)]
enum Awaiting {
    /// The request line, or one more empty line before it.
    RequestLine {
        empty: u8,
    },
    EmptyLineLf {
        empty: u8,
    },
    /// The rest of the request line.
    RequestLineRest {
        start: usize,
    },
    RequestLineLf,
    /// A field line, or the blank line; `lines` are complete.
    FieldLine {
        lines: usize,
    },
    FieldLineRest {
        lines: usize,
    },
    FieldLineLf {
        lines: usize,
    },
    BlankLineLf,
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
        while let Some(rest) = window.get(self.looked..).filter(|rest| !rest.is_empty()) {
            let text = text_length(rest);
            if text > 0 {
                self.awaiting = self.text(rest[0], text, limits)?;
                self.looked += text;
            } else {
                self.looked += 1;
                match self.control(rest[0])? {
                    Some(awaiting) => self.awaiting = awaiting,
                    None => return Ok(Some(self.looked)),
                }
            }
        }
        if window.len() < limits.bytes {
            return Ok(None);
        }
        Err(match self.awaiting {
            Awaiting::RequestLine { .. } | Awaiting::RequestLineRest { .. } => HeadError::RequestLineTooLong,
            _ => HeadError::HeadTooLarge,
        })
    }

    /// Takes `length` bytes of text, of which `first` is the first.
    fn text(&self, first: u8, length: usize, limits: &HeadLimits) -> Result<Awaiting, HeadError> {
        let next = match self.awaiting {
            Awaiting::RequestLine { .. } => Awaiting::RequestLineRest { start: self.looked },
            Awaiting::FieldLine { lines } => match first {
                b' ' | b'\t' if lines == 0 => return Err(HeadError::SpaceBeforeFields),
                b' ' | b'\t' => return Err(HeadError::ObsFold),
                _ if lines >= limits.field_lines.min(MAX_FIELD_LINES) => {
                    return Err(HeadError::TooManyFieldLines);
                }
                _ => Awaiting::FieldLineRest { lines },
            },
            rest @ (Awaiting::RequestLineRest { .. } | Awaiting::FieldLineRest { .. }) => rest,
            Awaiting::EmptyLineLf { .. }
            | Awaiting::RequestLineLf
            | Awaiting::FieldLineLf { .. }
            | Awaiting::BlankLineLf => return Err(HeadError::BareCr),
        };
        match next {
            Awaiting::RequestLineRest { start } if self.looked + length - start > limits.request_line => {
                Err(HeadError::RequestLineTooLong)
            }
            _ => Ok(next),
        }
    }

    /// Takes one control; `None` is the end of the head.
    fn control(&self, byte: u8) -> Result<Option<Awaiting>, HeadError> {
        Ok(Some(match (self.awaiting, byte) {
            (Awaiting::BlankLineLf, b'\n') => return Ok(None),
            (Awaiting::RequestLine { empty }, b'\r') => Awaiting::EmptyLineLf { empty },
            (Awaiting::EmptyLineLf { empty: MAX_EMPTY_LINES }, b'\n') => return Err(HeadError::EmptyLines),
            (Awaiting::EmptyLineLf { empty }, b'\n') => Awaiting::RequestLine { empty: empty + 1 },
            (Awaiting::RequestLineRest { .. }, b'\r') => Awaiting::RequestLineLf,
            (Awaiting::RequestLineLf, b'\n') => Awaiting::FieldLine { lines: 0 },
            (Awaiting::FieldLine { .. }, b'\r') => Awaiting::BlankLineLf,
            (Awaiting::FieldLineRest { lines }, b'\r') => Awaiting::FieldLineLf { lines },
            (Awaiting::FieldLineLf { lines }, b'\n') => Awaiting::FieldLine { lines: lines + 1 },
            (
                Awaiting::EmptyLineLf { .. }
                | Awaiting::RequestLineLf
                | Awaiting::FieldLineLf { .. }
                | Awaiting::BlankLineLf,
                _,
            ) => return Err(HeadError::BareCr),
            (_, b'\n') => return Err(HeadError::BareLf),
            (_, _) => return Err(HeadError::Control),
        }))
    }
}

/// How many bytes at the start of `bytes` are text: no control but HTAB.
///
/// It looks at 16 bytes without leaving early, which the compiler makes a few vector instructions;
/// a head is mostly such runs. The tests hold it against the plain loop.
fn text_length(bytes: &[u8]) -> usize {
    let (lanes, _) = bytes.as_chunks::<16>();
    let is_text = |lane: &&[u8; 16]| !lane.iter().fold(false, |found, byte| found | is_control(*byte));
    let whole = 16 * lanes.iter().take_while(is_text).count();
    whole + bytes[whole..].iter().take_while(|byte| !is_control(**byte)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(bytes: &[u8], limits: &HeadLimits) -> Result<Option<usize>, HeadError> {
        HeadScan::default().scan(bytes, limits)
    }

    #[test]
    fn the_lanes_find_what_the_plain_loop_finds() {
        let plain = |bytes: &[u8]| bytes.iter().take_while(|byte| !is_control(**byte)).count();
        for control in [0, b'\r', b'\n', 0x1f, 0x7f] {
            for length in 0..70 {
                for at in 0..=length {
                    let mut bytes = vec![b'a'; length];
                    bytes.insert(at, control);
                    assert_eq!(text_length(&bytes), plain(&bytes));
                    assert_eq!(text_length(&bytes[..at]), at);
                }
            }
        }
        for text in [b'\t', b' ', b'~', 0x80, 0xff] {
            assert_eq!(text_length(&[text; 40]), 40);
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
