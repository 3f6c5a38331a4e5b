//! A second implementation of the grammars of RFC 9112 and RFC 9110: plain, written from the text
//! alone, and independent of the library.
//!
//! Where the RFCs leave a choice, it follows `docs/deviations.md`.

use std::net::Ipv6Addr;

/// The end of a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// After that many bytes.
    At(usize),
    /// The head is incomplete; more bytes may end it.
    Open,
    /// These bytes cannot begin a head.
    Never,
}

/// Finds the end of a head, which may follow up to `empty` empty lines.
pub fn head_end(bytes: &[u8], mut empty: usize) -> End {
    let (mut at, mut line, mut in_fields) = (0, 0, false);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\r' if bytes.get(at + 1).is_none() => return End::Open,
            b'\r' if bytes[at + 1] == b'\n' => {
                let is_empty = at == line;
                at += 2;
                line = at;
                match (is_empty, in_fields) {
                    (true, true) => return End::At(at),
                    (true, false) if empty == 0 => return End::Never,
                    (true, false) => empty -= 1,
                    (false, _) => in_fields = true,
                }
            }
            // Line folding, or white space before the first field line.
            b' ' | b'\t' if in_fields && at == line => return End::Never,
            b'\t' | 0x20..=0x7e | 0x80.. => at += 1,
            _ => return End::Never,
        }
    }
    End::Open
}

/// A field line's name and value.
pub type Field = (String, Vec<u8>);

/// Returns the start line and the field lines of a complete head, or `None` if a field line is
/// invalid.
pub fn lines(head: &[u8]) -> Option<(&[u8], Vec<Field>)> {
    let mut rest = head;
    while let Some(after) = rest.strip_prefix(b"\r\n") {
        rest = after;
    }
    let mut lines = Vec::new();
    while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
        lines.push(&rest[..end]);
        rest = &rest[end + 2..];
    }
    let (start, fields) = lines.split_first()?;
    let fields = fields.iter().filter(|line| !line.is_empty()).map(|line| field(line));
    Some((start, fields.collect::<Option<_>>()?))
}

fn field(line: &[u8]) -> Option<Field> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    is_token(&line[..colon]).then(|| {
        let name = line[..colon].iter().map(|byte| char::from(*byte)).collect();
        (name, optional_whitespace(&line[colon + 1..]).to_vec())
    })
}

fn optional_whitespace(mut value: &[u8]) -> &[u8] {
    while value.first().is_some_and(|byte| b" \t".contains(byte)) {
        value = &value[1..];
    }
    while value.last().is_some_and(|byte| b" \t".contains(byte)) {
        value = &value[..value.len() - 1];
    }
    value
}

/// `token` (RFC 9110 §5.6.2).
pub fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|byte| is_tchar(*byte))
}

fn is_tchar(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"\"(),/:;<=>?@[\\]{}".contains(&byte)
}

/// Returns the method, the target and the version of a valid request line.
pub fn request_line(line: &[u8]) -> Option<(&str, &str, &str)> {
    let line = std::str::from_utf8(line).ok()?;
    let parts: Vec<&str> = line.split(' ').collect();
    let [method, target, version] = parts[..] else { return None };
    let is_valid = is_token(method.as_bytes())
        && matches!(version, "HTTP/1.0" | "HTTP/1.1")
        && is_target(method, target);
    is_valid.then_some((method, target, version))
}

fn is_target(method: &str, target: &str) -> bool {
    if !target.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
        return false;
    }
    if method == "CONNECT" {
        return is_authority(target) && target.rsplit_once(':').is_some_and(|(_, port)| is_port(port));
    }
    if target.starts_with('/') || (method == "OPTIONS" && target == "*") {
        return true;
    }
    let Some((scheme, rest)) = target.split_once("://") else { return false };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    ["http", "https"].contains(&scheme.to_ascii_lowercase().as_str()) && is_authority(authority)
}

fn is_port(port: &str) -> bool {
    !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok()
}

/// Matches `uri-host [ ":" port ]` with a non-empty host (RFC 3986 §3.2).
pub fn is_authority(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (text, None),
    };
    let is_host = match host.strip_prefix('[') {
        Some(literal) => literal.strip_suffix(']').is_some_and(|address| address.parse::<Ipv6Addr>().is_ok()),
        None => is_reg_name(host.as_bytes()),
    };
    is_host && port.is_none_or(|port| port.is_empty() || is_port(port))
}

fn is_reg_name(name: &[u8]) -> bool {
    let mut at = 0;
    while let Some(byte) = name.get(at) {
        at += match byte {
            b'%' if name.get(at + 1..at + 3).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)) => 3,
            _ if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(byte) => 1,
            _ => return false,
        };
    }
    !name.is_empty()
}

/// Returns the values of all field lines with this name.
pub fn values<'a>(fields: &'a [Field], name: &str) -> Vec<&'a [u8]> {
    let named = fields.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name));
    named.map(|(_, value)| &value[..]).collect()
}

/// Checks a request's `Host` (RFC 9112 §3.2). An empty value is valid: it stands for an authority
/// without a host.
pub fn has_valid_host(fields: &[Field], version: &str) -> bool {
    match values(fields, "Host")[..] {
        [host] => std::str::from_utf8(host).is_ok_and(|host| host.is_empty() || is_authority(host)),
        [] => version == "HTTP/1.0",
        _ => false,
    }
}

/// The end of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyEnd {
    AtOnce,
    After(u64),
    Chunked,
}

/// Returns how a request's body ends, if its fields are unambiguous to every reader (RFC 9112 §6).
pub fn body_end(fields: &[Field], version: &str) -> Option<BodyEnd> {
    match (&values(fields, "Content-Length")[..], &values(fields, "Transfer-Encoding")[..]) {
        ([], []) => Some(BodyEnd::AtOnce),
        ([length], []) if !length.is_empty() && length.iter().all(u8::is_ascii_digit) => {
            std::str::from_utf8(length).ok()?.parse().ok().map(BodyEnd::After)
        }
        ([], [coding]) if version == "HTTP/1.1" && coding.eq_ignore_ascii_case(b"chunked") => {
            Some(BodyEnd::Chunked)
        }
        _ => None,
    }
}

/// The result of reading a chunked body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chunked {
    /// A complete body of that many bytes, with this content.
    Complete(usize, Vec<u8>),
    /// The beginning of a body.
    Open,
    /// Bytes that cannot begin a body.
    Wrong,
}

/// Reads a chunked body exactly as RFC 9112 §7.1 specifies it.
pub fn chunked(bytes: &[u8]) -> Chunked {
    let mut reader = Bytes { bytes, at: 0 };
    match reader.chunked_body() {
        Ok(content) => Chunked::Complete(reader.at, content),
        Err(Stop::Ended) => Chunked::Open,
        Err(Stop::Wrong) => Chunked::Wrong,
    }
}

enum Stop {
    Ended,
    Wrong,
}

struct Bytes<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bytes<'_> {
    fn peek(&self) -> Result<u8, Stop> {
        self.bytes.get(self.at).copied().ok_or(Stop::Ended)
    }

    /// Consumes the next byte if the predicate holds.
    fn take(&mut self, is: impl Fn(u8) -> bool) -> Result<Option<u8>, Stop> {
        let byte = self.peek()?;
        self.at += usize::from(is(byte));
        Ok(is(byte).then_some(byte))
    }

    fn need(&mut self, is: impl Fn(u8) -> bool) -> Result<u8, Stop> {
        self.take(is)?.ok_or(Stop::Wrong)
    }

    fn crlf(&mut self) -> Result<(), Stop> {
        self.need(|byte| byte == b'\r')?;
        self.need(|byte| byte == b'\n').map(|_| ())
    }

    /// Consumes `BWS`. Returns whether there was any.
    fn whitespace(&mut self) -> Result<bool, Stop> {
        let start = self.at;
        while self.take(|byte| b" \t".contains(&byte))?.is_some() {}
        Ok(self.at > start)
    }

    fn chunked_body(&mut self) -> Result<Vec<u8>, Stop> {
        let mut content = Vec::new();
        loop {
            let size = self.chunk_size()?;
            self.chunk_extensions()?;
            self.crlf()?;
            if size == 0 {
                self.trailer_section()?;
                return Ok(content);
            }
            // Content longer than 64 bits can count exceeds any limit, and is refused where its
            // length is declared.
            if size.checked_add(content.len() as u64).is_none() {
                return Err(Stop::Wrong);
            }
            let size = usize::try_from(size).unwrap_or(usize::MAX);
            if size > self.bytes.len() - self.at {
                return Err(Stop::Ended);
            }
            content.extend_from_slice(&self.bytes[self.at..self.at + size]);
            self.at += size;
            self.crlf()?;
        }
    }

    fn chunk_size(&mut self) -> Result<u64, Stop> {
        let mut digits = String::new();
        digits.push(self.need(|byte| byte.is_ascii_hexdigit())?.into());
        while let Some(digit) = self.take(|byte| byte.is_ascii_hexdigit())? {
            digits.push(digit.into());
            if digits.len() > 16 {
                return Err(Stop::Wrong);
            }
        }
        u64::from_str_radix(&digits, 16).map_err(|_| Stop::Wrong)
    }

    fn chunk_extensions(&mut self) -> Result<(), Stop> {
        loop {
            let spaced = self.whitespace()?;
            if self.take(|byte| byte == b';')?.is_none() {
                return if spaced { Err(Stop::Wrong) } else { Ok(()) };
            }
            self.whitespace()?;
            self.token()?;
            // White space after a name may precede either `=` or the next `;`.
            let before = self.at;
            self.whitespace()?;
            if self.take(|byte| byte == b'=')?.is_none() {
                self.at = before;
                continue;
            }
            self.whitespace()?;
            if self.take(|byte| byte == b'"')?.is_none() {
                self.token()?;
                continue;
            }
            let is_text = |byte: u8| byte == b'\t' || (byte >= 0x20 && byte != 0x7f);
            loop {
                match self.need(is_text)? {
                    b'"' => break,
                    b'\\' => self.need(is_text)?,
                    byte => byte,
                };
            }
        }
    }

    fn token(&mut self) -> Result<(), Stop> {
        self.need(is_tchar)?;
        while self.take(is_tchar)?.is_some() {}
        Ok(())
    }

    fn trailer_section(&mut self) -> Result<(), Stop> {
        while self.peek()? != b'\r' {
            self.token()?;
            self.need(|byte| byte == b':')?;
            while self.take(|byte| byte == b'\t' || (byte >= 0x20 && byte != 0x7f))?.is_some() {}
            self.crlf()?;
        }
        self.crlf()
    }
}
