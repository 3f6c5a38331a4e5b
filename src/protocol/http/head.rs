//! Request heads: the request line and the field lines (RFC 9112 §3, §5).
//!
//! [`HeadScan`] finds the end of a head while the head arrives, and [`parse`] turns the bytes
//! before that end into a value. The crate `httparse` splits lines at colons and spaces; this
//! module adds the rules that `httparse` relaxes.

use std::mem::MaybeUninit;

use super::fields::{is_control, is_token, members, trim};
use super::limits::{HeadLimits, MAX_FIELD_LINES};
use super::method::Method;
use super::rules::{HeadError, RequestError};
use super::target::{Target, host_and_port};

/// The version of a message. The response to any other version is 505.
///
/// RFC 9110 §6.2 would let HTTP/1.2 be read as 1.1. No such version exists, and only probes send
/// it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// HTTP/1.0: no chunked coding, no `Expect`, no 101. The connection closes by default.
    Http10,
    /// HTTP/1.1.
    Http11,
}

/// The field lines of a head, in the order of the bytes.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'h, 'b> {
    lines: &'h [httparse::Header<'b>],
}

impl<'h, 'b> Fields<'h, 'b> {
    pub(super) const fn new(lines: &'h [httparse::Header<'b>]) -> Self {
        Self { lines }
    }

    /// Returns the values of all lines named `name`, without the whitespace around them. Names are
    /// not case-sensitive.
    pub fn get_all<'n>(self, name: &'n str) -> impl Iterator<Item = &'b [u8]> + Clone + use<'h, 'b, 'n> {
        let named = self.lines.iter().filter(move |line| line.name.eq_ignore_ascii_case(name));
        named.map(|line| line.value)
    }

    /// Returns the value of the first line named `name`.
    pub fn get(self, name: &str) -> Option<&'b [u8]> {
        self.get_all(name).next()
    }

    /// Returns whether the comma-separated list in all lines named `name` contains `token`. Tokens
    /// are not case-sensitive.
    pub fn has_token(self, name: &str, token: &str) -> bool {
        self.get_all(name).flat_map(members).any(|member| member.eq_ignore_ascii_case(token.as_bytes()))
    }

    /// Returns the name and the value of each line.
    pub fn iter(self) -> impl Iterator<Item = (&'b str, &'b [u8])> + use<'h, 'b> {
        self.lines.iter().map(|line| (line.name, line.value))
    }

    /// Returns whether the sender of these fields keeps the connection open after the message
    /// (RFC 9112 §9.3).
    pub(crate) fn persists(self, version: Version) -> bool {
        !self.has_token("Connection", "close")
            && (version == Version::Http11 || self.has_token("Connection", "keep-alive"))
    }
}

/// A request head, borrowed from the received bytes.
#[derive(Clone, Copy, Debug)]
pub struct RequestHead<'h, 'b> {
    /// The method.
    pub method: Method<'b>,
    /// The request target, without the authority of an absolute-form.
    pub target: Target<'b>,
    /// The HTTP version.
    pub version: Version,
    /// The field lines.
    pub fields: Fields<'h, 'b>,
    /// Host and port as sent, accepted by [`host_and_port`]: the authority of an absolute-form
    /// target, which replaces `Host` (RFC 9112 §3.2.2), otherwise `Host`. `None` only in HTTP/1.0.
    pub host: Option<&'b str>,
}

impl RequestHead<'_, '_> {
    /// Returns whether the client keeps the connection open after this request (RFC 9112 §9.3).
    pub fn persists(&self) -> bool {
        self.fields.persists(self.version)
    }

    /// Returns whether the client waits for 100 (Continue) before it sends the body (RFC 9110
    /// §10.1.1). In HTTP/1.0, `Expect` is ignored.
    ///
    /// # Errors
    /// Returns [`RequestError::Expectation`] for any expectation other than `100-continue`.
    pub fn expects_continue(&self) -> Result<bool, RequestError> {
        if self.version == Version::Http10 {
            return Ok(false);
        }
        let mut expects = false;
        for expectation in self.fields.get_all("Expect").flat_map(members) {
            if !expectation.eq_ignore_ascii_case(b"100-continue") {
                return Err(RequestError::Expectation);
            }
            expects = true;
        }
        Ok(expects)
    }
}

/// The largest number of empty lines before a start line.
///
/// RFC 9112 §2.2 asks a server to ignore at least one, because old clients send a CRLF after a
/// body.
const MAX_EMPTY_LINES: u8 = 4;

/// A search for the end of a head in a growing buffer, which rejects bytes that cannot become a
/// head.
///
/// The scan remembers its position, so it reads each byte once, however many parts the head arrives
/// in. Only CRLF ends a line. RFC 9112 §2.2 lets a recipient accept LF alone, but then a proxy that
/// does not accept LF would see different lines than the server. Request smuggling depends on such
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
/// result of a neighboring byte.
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

/// The memory for the field lines of one head while the head is read; usually on the stack.
pub type Scratch<'b> = [MaybeUninit<httparse::Header<'b>>; MAX_FIELD_LINES];

/// Returns an empty scratch array. The array is not initialized, so this costs nothing.
pub fn scratch<'b>() -> Scratch<'b> {
    [const { MaybeUninit::uninit() }; MAX_FIELD_LINES]
}

/// Reads a request head: the bytes up to the end that [`HeadScan`] found with the same limits.
///
/// # Errors
/// Returns a [`RequestError`] for each rule that can be checked only in a complete head.
pub fn parse<'h, 'b>(
    head: &'b [u8],
    scratch: &'h mut Scratch<'b>,
    limits: &HeadLimits,
) -> Result<RequestHead<'h, 'b>, RequestError> {
    // httparse accepts a line that ends in LF alone. The scan does not, so it has to run first.
    debug_assert_eq!(HeadScan::default().scan(head, limits), Ok(Some(head.len())));

    let lines = &mut scratch[..limits.field_lines.min(MAX_FIELD_LINES)];
    let mut request = httparse::Request::new(&mut []);
    if let Err(error) = request.parse_with_uninit_headers(head, lines) {
        return Err(field_error(error, head).map_or_else(|| request_line_error(head), RequestError::Head));
    }
    let (Some(method), Some(target), Some(version)) = (request.method, request.path, request.version) else {
        return Err(HeadError::Unfinished.into());
    };
    let method = Method::from_token(method);
    let version = if version == 0 { Version::Http10 } else { Version::Http11 };
    let fields = Fields::new(request.headers);
    let (target, authority) = Target::read(method, target)?;
    let host = host(fields, version)?;
    Ok(RequestHead { method, target, version, fields, host: authority.or(host) })
}

/// Returns the value of `Host`. HTTP/1.1 requires it even with an absolute-form target (RFC 9112
/// §3.2).
fn host<'b>(fields: Fields<'_, 'b>, version: Version) -> Result<Option<&'b str>, RequestError> {
    let mut hosts = fields.get_all("Host");
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => host,
        (Some(_), Some(_)) => return Err(RequestError::HostRepeated),
        (None, _) if version == Version::Http10 => return Ok(None),
        (None, _) => return Err(RequestError::HostMissing),
    };
    match std::str::from_utf8(host) {
        Ok(host) if host_and_port(host).is_some() => Ok(Some(host)),
        _ => Err(RequestError::Host),
    }
}

/// Returns the lines of a head from its start line on.
fn lines(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lines = head.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    lines.skip_while(|line| line.is_empty())
}

/// Returns the rule that a field line breaks, or `None` if `error` is about the start line.
///
/// `httparse` only reports the part of the head, so the head is read once more.
#[cold]
pub(super) fn field_error(error: httparse::Error, head: &[u8]) -> Option<HeadError> {
    match error {
        httparse::Error::HeaderValue => return Some(HeadError::Control),
        httparse::Error::TooManyHeaders => return Some(HeadError::TooManyFieldLines),
        httparse::Error::HeaderName => {}
        _ => return None,
    }
    let bad_name = lines(head).skip(1).find_map(|line| {
        let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
        (!is_token(name) || name.len() == line.len()).then_some((name, line))
    });
    Some(match bad_name {
        Some((name, line)) if name.len() < line.len() && is_token(trim(name)) => HeadError::SpaceBeforeColon,
        _ => HeadError::FieldName,
    })
}

/// Returns the rule that the request line breaks.
#[cold]
fn request_line_error(head: &[u8]) -> RequestError {
    let mut parts = lines(head).next().unwrap_or_default().split(|byte| *byte == b' ');
    let (Some(method), Some(target), Some(version), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return RequestError::RequestLine;
    };
    match version.strip_prefix(b"HTTP/") {
        _ if method.is_empty() || target.is_empty() || version.is_empty() => RequestError::RequestLine,
        _ if !is_token(method) => RequestError::Method,
        Some(b"1.0" | b"1.1") => RequestError::Target,
        Some([major, b'.', minor]) if major.is_ascii_digit() && minor.is_ascii_digit() => {
            HeadError::VersionNotSupported.into()
        }
        _ => RequestError::Version,
    }
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
