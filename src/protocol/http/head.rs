//! Request heads: the request line and the field lines (RFC 9112 §3, §5).
//!
//! [`HeadScan`] finds the end of a head, and [`parse`] makes a value of the bytes before it. The
//! crate `httparse` splits lines at colons and spaces; this module adds the rules that `httparse`
//! relaxes.

use std::mem::MaybeUninit;

use super::fields::{is_token, members, trim};
use super::limits::{HeadLimits, MAX_FIELD_LINES};
use super::method::Method;
use super::rules::{HeadError, RequestError};
use super::scan::HeadScan;
use super::target::{Target, host_and_port};

/// The version of a message. The response to any other version is 505.
///
/// RFC 9110 §2.5 would let HTTP/1.2 be read as 1.1. No such version exists, and only probes send
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
    /// compared without case.
    pub fn get_all<'n>(self, name: &'n str) -> impl Iterator<Item = &'b [u8]> + Clone + use<'h, 'b, 'n> {
        let named = self.lines.iter().filter(move |line| line.name.eq_ignore_ascii_case(name));
        named.map(|line| line.value)
    }

    /// Returns the value of the first line named `name`.
    pub fn get(self, name: &str) -> Option<&'b [u8]> {
        self.get_all(name).next()
    }

    /// Returns whether the comma-separated list in all lines named `name` contains `token`, without
    /// case.
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

/// The memory for the field lines of one head while the head is read; usually on the stack.
pub type Scratch<'b> = [MaybeUninit<httparse::Header<'b>>; MAX_FIELD_LINES];

/// Returns an empty scratch array. The array is not initialized, so this costs nothing.
pub fn scratch<'b>() -> Scratch<'b> {
    [const { MaybeUninit::uninit() }; MAX_FIELD_LINES]
}

/// Reads a request head: the bytes up to the end that [`HeadScan`] found with the same limits.
///
/// # Errors
/// Returns a [`RequestError`] for each rule that only a complete head shows to be broken.
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
