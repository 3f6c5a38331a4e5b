//! Request heads: the request line and the field lines (RFC 9112 §3, §5).
//!
//! [`HeadScan`](super::HeadScan) finds the end, [`parse`] makes a value of what is before it. The
//! splitting at colons and spaces is `httparse`'s; around it stands what it is lenient about.

use std::mem::MaybeUninit;

use super::fields::members;
pub use super::head_error::HeadError;
use super::target::{Target, host_and_port};

/// The most field lines that any [`HeadLimits`] can allow: the length of the scratch array.
pub const MAX_FIELD_LINES: usize = 256;

/// What a head may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadLimits {
    /// Bytes of the whole head, with the empty lines before it and the blank line behind it.
    pub bytes: usize,
    /// Bytes of the request line, without its CRLF. RFC 9112 §3 recommends at least 8,000.
    pub request_line: usize,
    /// Number of field lines, [`MAX_FIELD_LINES`] at most.
    pub field_lines: usize,
}

impl Default for HeadLimits {
    fn default() -> Self {
        Self { bytes: 16 * 1024, request_line: 8 * 1024, field_lines: 100 }
    }
}

/// A request method (RFC 9110 §9, RFC 5789). Methods are case-sensitive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method<'b> {
    /// `GET`.
    Get,
    /// `HEAD`.
    Head,
    /// `POST`.
    Post,
    /// `OPTIONS`.
    Options,
    /// `PUT`.
    Put,
    /// `DELETE`.
    Delete,
    /// `PATCH`.
    Patch,
    /// `TRACE`.
    Trace,
    /// `CONNECT`.
    Connect,
    /// Any other token: what a server does not know at all is 501, not 405 (RFC 9110 §9.1).
    Unknown(&'b str),
}

impl<'b> Method<'b> {
    fn read(token: &'b str) -> Self {
        match token {
            "GET" => Self::Get,
            "HEAD" => Self::Head,
            "POST" => Self::Post,
            "OPTIONS" => Self::Options,
            "PUT" => Self::Put,
            "DELETE" => Self::Delete,
            "PATCH" => Self::Patch,
            "TRACE" => Self::Trace,
            "CONNECT" => Self::Connect,
            other => Self::Unknown(other),
        }
    }

    /// The token.
    pub fn as_str(self) -> &'b str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Options => "OPTIONS",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
            Self::Patch => "PATCH",
            Self::Trace => "TRACE",
            Self::Connect => "CONNECT",
            Self::Unknown(token) => token,
        }
    }
}

/// The version of a request; others are refused with 505.
///
/// RFC 9110 §2.5 would have HTTP/1.2 read as 1.1. There is none, and what says so is a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// HTTP/1.0: no chunked coding, no `Expect`, no 101; the connection closes unless asked otherwise.
    Http10,
    /// HTTP/1.1.
    Http11,
}

/// The field lines of a head, in their order.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'h, 'b> {
    lines: &'h [httparse::Header<'b>],
}

impl<'h, 'b> Fields<'h, 'b> {
    pub(super) const fn of(lines: &'h [httparse::Header<'b>]) -> Self {
        Self { lines }
    }

    /// The values of all lines called `name`, in any case, without the whitespace around them.
    pub fn get_all<'n>(self, name: &'n str) -> impl Iterator<Item = &'b [u8]> + Clone + use<'h, 'b, 'n> {
        let named = self.lines.iter().filter(move |line| line.name.eq_ignore_ascii_case(name));
        named.map(|line| line.value)
    }

    /// The value of the first line called `name`.
    pub fn get(self, name: &str) -> Option<&'b [u8]> {
        self.get_all(name).next()
    }

    /// Whether the comma list that all lines called `name` make together holds `token`, in any case.
    pub fn has_token(self, name: &str, token: &str) -> bool {
        self.get_all(name).flat_map(members).any(|member| member.eq_ignore_ascii_case(token.as_bytes()))
    }

    /// All lines: name and value.
    pub fn iter(self) -> impl Iterator<Item = (&'b str, &'b [u8])> + use<'h, 'b> {
        self.lines.iter().map(|line| (line.name, line.value))
    }
}

/// A request head, borrowed from the bytes that it came in.
#[derive(Clone, Copy, Debug)]
pub struct RequestHead<'h, 'b> {
    /// What to do.
    pub method: Method<'b>,
    /// To what.
    pub target: Target<'b>,
    /// In which version of HTTP.
    pub version: Version,
    /// The field lines.
    pub fields: Fields<'h, 'b>,
    /// Host and port as sent, valid for [`host_and_port`]: the authority of an absolute target,
    /// else `Host`, which is to be ignored then (RFC 9112 §3.2.2). `None` only in HTTP/1.0.
    pub host: Option<&'b str>,
}

impl RequestHead<'_, '_> {
    /// Whether the connection goes on after this request, as far as the client says (RFC 9112 §9.3).
    pub fn persists(&self) -> bool {
        let close = self.fields.has_token("Connection", "close");
        match self.version {
            Version::Http11 => !close,
            Version::Http10 => !close && self.fields.has_token("Connection", "keep-alive"),
        }
    }

    /// Whether the client waits for 100 (Continue) before it sends the body (RFC 9110 §10.1.1).
    ///
    /// In HTTP/1.0 there is no such thing: `Expect` is ignored, whatever it says.
    ///
    /// # Errors
    /// [`HeadError::Expectation`] for an expectation other than `100-continue`.
    pub fn expects_continue(&self) -> Result<bool, HeadError> {
        if self.version == Version::Http10 {
            return Ok(false);
        }
        let mut expects = false;
        for expectation in self.fields.get_all("Expect").flat_map(members) {
            if !expectation.eq_ignore_ascii_case(b"100-continue") {
                return Err(HeadError::Expectation);
            }
            expects = true;
        }
        Ok(expects)
    }
}

/// Room for the field lines of one head while it is looked at; it lives on the stack.
pub type Scratch<'b> = [MaybeUninit<httparse::Header<'b>>; MAX_FIELD_LINES];

/// An empty scratch. It costs nothing to make: nothing in it is initialized.
pub fn scratch<'b>() -> Scratch<'b> {
    [const { MaybeUninit::uninit() }; MAX_FIELD_LINES]
}

/// Reads a head: the bytes up to the end that [`HeadScan`](super::HeadScan) found under the same limits.
///
/// # Errors
/// One [`HeadError`] for each rule; what only the whole head shows.
pub fn parse<'h, 'b>(
    head: &'b [u8],
    scratch: &'h mut Scratch<'b>,
    limits: &HeadLimits,
) -> Result<RequestHead<'h, 'b>, HeadError> {
    // httparse takes a lone LF for a line's end. The scan does not, so it has to come first.
    debug_assert_eq!(super::HeadScan::default().scan(head, limits), Ok(Some(head.len())));

    let room = &mut scratch[..limits.field_lines.min(MAX_FIELD_LINES)];
    let mut request = httparse::Request::new(&mut []);
    if let Err(error) = request.parse_with_uninit_headers(head, room) {
        return Err(HeadError::explain(error, head));
    }
    let (Some(method), Some(target), Some(version)) = (request.method, request.path, request.version) else {
        return Err(HeadError::Unfinished);
    };
    let method = Method::read(method);
    let version = if version == 0 { Version::Http10 } else { Version::Http11 };
    let fields = Fields::of(request.headers);
    let (target, authority) = Target::read(method, target)?;
    let host = host(fields, version)?;
    Ok(RequestHead { method, target, version, fields, host: authority.or(host) })
}

/// The value of `Host`, which HTTP/1.1 demands, also beside an absolute target (RFC 9112 §3.2).
fn host<'b>(fields: Fields<'_, 'b>, version: Version) -> Result<Option<&'b str>, HeadError> {
    let mut hosts = fields.get_all("Host");
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => host,
        (Some(_), Some(_)) => return Err(HeadError::HostRepeated),
        (None, _) if version == Version::Http10 => return Ok(None),
        (None, _) => return Err(HeadError::HostMissing),
    };
    match std::str::from_utf8(host) {
        Ok(host) if host_and_port(host).is_some() => Ok(Some(host)),
        _ => Err(HeadError::Host),
    }
}
