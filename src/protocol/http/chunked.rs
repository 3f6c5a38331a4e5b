//! Reading and writing the chunked transfer coding (RFC 9112 §7.1).
//!
//! ```text
//! chunked-body   = *chunk last-chunk trailer-section CRLF
//! chunk          = chunk-size [ chunk-ext ] CRLF chunk-data CRLF
//! chunk-size     = 1*HEXDIG
//! last-chunk     = 1*("0") [ chunk-ext ] CRLF
//! chunk-ext      = *( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] )
//! chunk-ext-val  = token / quoted-string
//! ```
//!
//! The coding carries the framing of the connection, so the reader follows the grammar exactly.
//! Readers that skip an extension up to the next LF, whatever its bytes, have made request
//! smuggling possible; this reader has a state for each byte. It accepts whitespace where the
//! grammar allows it (`BWS`, which a recipient must accept, RFC 9110 §5.6.3), but not before a CRLF
//! or before a size.

use super::fields::{is_control, is_tchar};
use super::limits::{BodyLimits, ExtensionLimit};
use super::rules::BodyError;

/// The last chunk and an empty trailer section, which end a chunked body.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// Appends the bytes that `write` appends, as one chunk.
///
/// If `write` appends nothing, no chunk is written, because a chunk of size zero would end the
/// body.
pub fn chunk(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    write(out);
    // A `write` that shortened `out` has appended nothing.
    let size = out.len().saturating_sub(start);
    if size == 0 {
        return;
    }
    // The size is known only now, so the data moves once to make space for it.
    let (line, length) = size_line(size);
    out.splice(start..start, line[..length].iter().copied());
    out.extend_from_slice(b"\r\n");
}

/// Returns `chunk-size CRLF` and its length.
fn size_line(size: usize) -> ([u8; 18], usize) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = (size.max(1).ilog2() / 4 + 1) as usize;
    let mut line = [0; 18];
    for (place, byte) in line[..digits].iter_mut().rev().enumerate() {
        *byte = DIGITS[(size >> (4 * place)) & 15];
    }
    line[digits..digits + 2].copy_from_slice(b"\r\n");
    (line, digits + 2)
}

/// A reader for the content of a chunked body.
///
/// It checks and drops extensions and trailer fields. No extension or trailer field is defined that
/// barewire could use (RFC 9112 §7.1.1, RFC 9110 §6.5.1).
#[derive(Debug)]
pub(super) struct ChunkedReader {
    awaiting: Awaiting,
    /// Bytes left for content.
    content_left: u64,
    extensions: ExtensionLimit,
    /// Bytes left for extensions, of this chunk or of the body.
    extensions_left: u32,
    /// Bytes left for the trailer section.
    trailer_left: u32,
    /// Field lines left for the trailer section.
    trailer_lines_left: u32,
}

/// The part of the body that is expected next.
#[derive(Clone, Copy, Debug)]
enum Awaiting {
    /// A digit of the chunk-size, or the byte after the last digit.
    Size { size: u64, digits: u8 },
    /// A byte of a chunk extension, or the CR after it.
    Extension { size: u64, part: Extension },
    /// The LF after the chunk-size and its extensions.
    SizeLf { size: u64 },
    /// Data; `left` is not zero.
    Data { left: u64 },
    /// The CR after the data.
    DataCr,
    /// The LF after the data.
    DataLf,
    /// A byte of the trailer section.
    Trailer(Trailer),
    /// The body is complete.
    Nothing,
}

/// The part of a chunk extension that is expected next.
#[derive(Clone, Copy, Debug)]
enum Extension {
    /// Whitespace before a `;`.
    Semicolon,
    Name,
    NameRest,
    /// Whitespace after a name; `=` or `;` follows.
    Equals,
    Value,
    TokenRest,
    QuotedRest,
    QuotedPair,
    /// The byte after the closing quotation mark.
    QuotedEnd,
}

/// The part of the trailer section that is expected next.
#[derive(Clone, Copy, Debug)]
enum Trailer {
    /// A field line, or the CR of the final CRLF.
    Line,
    NameRest,
    ValueRest,
    LineLf,
    EndLf,
}

impl ChunkedReader {
    pub(super) fn new(limits: BodyLimits) -> Self {
        let (ExtensionLimit::Body(extensions) | ExtensionLimit::Chunk(extensions)) = limits.extensions;
        Self {
            awaiting: Awaiting::Size { size: 0, digits: 0 },
            content_left: limits.content,
            extensions: limits.extensions,
            extensions_left: extensions,
            trailer_left: limits.trailer,
            trailer_lines_left: limits.trailer_lines,
        }
    }

    /// Reads as [`BodyReader::read`](super::BodyReader::read) does.
    pub(super) fn read(&mut self, input: &[u8], content: &mut Vec<u8>) -> Result<(usize, bool), BodyError> {
        let mut rest = input;
        while let [byte, tail @ ..] = rest {
            match &mut self.awaiting {
                Awaiting::Nothing => break,
                Awaiting::Data { left } => {
                    rest = &rest[take(left, rest, content)..];
                    if *left == 0 {
                        self.awaiting = Awaiting::DataCr;
                    }
                }
                _ => {
                    self.awaiting = self.step(*byte)?;
                    rest = tail;
                }
            }
        }
        Ok((input.len() - rest.len(), matches!(self.awaiting, Awaiting::Nothing)))
    }

    /// Returns the state after one byte outside the data.
    fn step(&mut self, byte: u8) -> Result<Awaiting, BodyError> {
        match (self.awaiting, byte) {
            (Awaiting::Size { size, digits }, _) => self.size(size, digits, byte),
            (Awaiting::Extension { size, part }, _) => self.extension(size, part, byte),
            (Awaiting::SizeLf { size: 0 }, b'\n') => Ok(Awaiting::Trailer(Trailer::Line)),
            (Awaiting::SizeLf { size }, b'\n') => {
                self.content_left = self.content_left.checked_sub(size).ok_or(BodyError::ContentTooLarge)?;
                if let ExtensionLimit::Chunk(extensions) = self.extensions {
                    self.extensions_left = extensions;
                }
                Ok(Awaiting::Data { left: size })
            }
            (Awaiting::SizeLf { .. }, _) => Err(BodyError::BareCr),
            (Awaiting::DataCr, b'\r') => Ok(Awaiting::DataLf),
            (Awaiting::DataLf, b'\n') => Ok(Awaiting::Size { size: 0, digits: 0 }),
            (Awaiting::DataCr | Awaiting::DataLf, _) => Err(BodyError::ChunkDataEnd),
            (Awaiting::Trailer(part), _) => self.trailer(part, byte),
            // `read` handles these two states.
            (Awaiting::Data { .. } | Awaiting::Nothing, _) => Ok(self.awaiting),
        }
    }

    /// Reads a byte of the chunk-size, or the byte after the last digit.
    ///
    /// The limit of 16 digits keeps the size within 64 bits. The grammar allows any number of
    /// leading zeros; here they count as digits.
    fn size(&mut self, size: u64, digits: u8, byte: u8) -> Result<Awaiting, BodyError> {
        match (char::from(byte).to_digit(16), byte) {
            (Some(_), _) if digits == 16 => Err(BodyError::ChunkSizeTooLong),
            (Some(digit), _) => Ok(Awaiting::Size { size: size << 4 | u64::from(digit), digits: digits + 1 }),
            (None, b'\n') => Err(BodyError::BareLf),
            (None, _) if digits == 0 => Err(BodyError::ChunkSize),
            (None, b'\r') => Ok(Awaiting::SizeLf { size }),
            (None, b';' | b' ' | b'\t') => self.extension(size, Extension::Semicolon, byte),
            (None, _) => Err(BodyError::ChunkSize),
        }
    }

    /// Reads a byte after the chunk-size: part of an extension, or the CR of the line end.
    fn extension(&mut self, size: u64, part: Extension, byte: u8) -> Result<Awaiting, BodyError> {
        use Extension::*;
        let part = match (part, byte) {
            (NameRest | TokenRest | QuotedEnd, b'\r') => return Ok(Awaiting::SizeLf { size }),
            (_, b'\r') => return Err(BodyError::ChunkExtension),
            (_, b'\n') => return Err(BodyError::BareLf),
            (Semicolon | NameRest | Equals | TokenRest | QuotedEnd, b';') => Name,
            (Semicolon | TokenRest | QuotedEnd, b' ' | b'\t') => Semicolon,
            (Name, b' ' | b'\t') => Name,
            (NameRest | Equals, b' ' | b'\t') => Equals,
            (NameRest | Equals, b'=') => Value,
            (Name | NameRest, _) if is_tchar(byte) => NameRest,
            (Value, b' ' | b'\t') => Value,
            (Value, b'"') => QuotedRest,
            (Value | TokenRest, _) if is_tchar(byte) => TokenRest,
            (QuotedRest, b'"') => QuotedEnd,
            (QuotedRest, b'\\') => QuotedPair,
            (QuotedRest | QuotedPair, _) if !is_control(byte) => QuotedRest,
            (_, _) => return Err(BodyError::ChunkExtension),
        };
        self.extensions_left = self.extensions_left.checked_sub(1).ok_or(BodyError::ExtensionsTooLong)?;
        Ok(Awaiting::Extension { size, part })
    }

    /// Reads a byte of the trailer section, which has the grammar of the field lines in a head.
    fn trailer(&mut self, part: Trailer, byte: u8) -> Result<Awaiting, BodyError> {
        use Trailer::*;
        self.trailer_left = self.trailer_left.checked_sub(1).ok_or(BodyError::TrailerTooLarge)?;
        let part = match (part, byte) {
            (EndLf, b'\n') => return Ok(Awaiting::Nothing),
            (LineLf, b'\n') => Line,
            (EndLf | LineLf, _) => return Err(BodyError::BareCr),
            (_, b'\n') => return Err(BodyError::BareLf),
            (Line, b'\r') => EndLf,
            (Line, b' ' | b'\t') => return Err(BodyError::TrailerFold),
            (Line, _) if is_tchar(byte) => {
                self.trailer_lines_left =
                    self.trailer_lines_left.checked_sub(1).ok_or(BodyError::TooManyTrailerLines)?;
                NameRest
            }
            (NameRest, b':') => ValueRest,
            (NameRest, _) if is_tchar(byte) => NameRest,
            (Line | NameRest, _) => return Err(BodyError::TrailerLine),
            (ValueRest, b'\r') => LineLf,
            (ValueRest, _) if !is_control(byte) => ValueRest,
            (ValueRest, _) => return Err(BodyError::TrailerControl),
        };
        Ok(Awaiting::Trailer(part))
    }
}

/// Moves up to `left` bytes from `input` to `content`, and returns their number.
pub(super) fn take(left: &mut u64, input: &[u8], content: &mut Vec<u8>) -> usize {
    // A number that does not fit in a usize exceeds the length of any input.
    let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
    content.extend_from_slice(&input[..taken]);
    *left -= taken as u64;
    taken
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::http::limits::ExtensionLimit::{Body, Chunk};

    fn read(body: &[u8], limits: BodyLimits) -> Result<(usize, bool), BodyError> {
        ChunkedReader::new(limits).read(body, &mut Vec::new())
    }

    #[test]
    fn a_chunk_frames_the_written_bytes() {
        let mut out = b"before".to_vec();
        chunk(&mut out, |out| out.extend_from_slice(b"hello"));
        chunk(&mut out, |_| ());
        chunk(&mut out, |out| out.extend_from_slice(&[b'x'; 16]));
        out.extend_from_slice(LAST_CHUNK);
        assert_eq!(out, b"before5\r\nhello\r\n10\r\nxxxxxxxxxxxxxxxx\r\n0\r\n\r\n");
    }

    #[test]
    fn writes_a_size_without_leading_zeros() {
        for size in [1, 9, 15, 16, 255, 256, 4095, 4096, 65_536, usize::MAX] {
            let (line, length) = size_line(size);
            assert_eq!(line[..length], *format!("{size:x}\r\n").as_bytes());
        }
    }

    #[test]
    fn a_body_may_be_exactly_as_large_as_each_limit() {
        let body = b"3;a=b\r\nabc\r\n0\r\nA: b\r\n\r\n";
        let exact = BodyLimits { content: 3, extensions: Body(4), trailer: 8, trailer_lines: 1 };
        assert_eq!(read(body, exact), Ok((body.len(), true)));
        assert_eq!(read(body, BodyLimits { content: 2, ..exact }), Err(BodyError::ContentTooLarge));
        assert_eq!(
            read(body, BodyLimits { extensions: Body(3), ..exact }),
            Err(BodyError::ExtensionsTooLong)
        );
        assert_eq!(read(body, BodyLimits { trailer: 7, ..exact }), Err(BodyError::TrailerTooLarge));
        assert_eq!(read(body, BodyLimits { trailer_lines: 0, ..exact }), Err(BodyError::TooManyTrailerLines));
    }

    #[test]
    fn the_extension_limit_applies_to_all_chunks_together() {
        let limits = BodyLimits { extensions: Body(5), ..BodyLimits::default() };
        assert_eq!(read(b"1;a\r\na\r\n1;b\r\nb\r\n", limits), Ok((16, false)));
        assert_eq!(read(b"1;a\r\na\r\n1;b\r\nb\r\n1;", limits), Ok((18, false)));
        assert_eq!(read(b"1;a\r\na\r\n1;b\r\nb\r\n1;c", limits), Err(BodyError::ExtensionsTooLong));
    }

    #[test]
    fn the_extension_limit_of_a_stream_applies_to_each_chunk() {
        let limits = BodyLimits { extensions: Chunk(3), ..BodyLimits::ENDLESS };
        let mut reader = ChunkedReader::new(limits);
        let (mut content, chunk) = (Vec::new(), b"1;ab\r\na\r\n");
        for _ in 0..10_000 {
            assert_eq!(reader.read(chunk, &mut content), Ok((chunk.len(), false)));
        }
        assert_eq!(content.len(), 10_000);
        assert_eq!(reader.read(b"1;abc", &mut content), Err(BodyError::ExtensionsTooLong));
        assert_eq!(read(b"1;ab\r\na\r\n0;abc", limits), Err(BodyError::ExtensionsTooLong));
    }

    #[test]
    fn a_size_has_at_most_64_bits() {
        let limits = BodyLimits { content: u64::MAX, ..BodyLimits::default() };
        assert_eq!(read(b"ffffffffffffffff\r\n", limits), Ok((18, false)));
        assert_eq!(read(b"10000000000000000\r\n", limits), Err(BodyError::ChunkSizeTooLong));
    }
}
