//! WebSocket URIs (RFC 6455 §3): where to connect, and what to ask for there.

use std::borrow::Cow;
use std::fmt;

use crate::protocol::http::host_and_port;

/// The port of a `ws` URI that names none (§3).
const DEFAULT_PORT: u16 = 80;

/// The parts of `ws://host:port/path?query`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uri<'a> {
    /// Host and port as they stand: the value of `Host` (§4.1, item 4 of the request's requirements).
    pub authority: &'a str,
    /// What to resolve: a name, or an address without the brackets that an IPv6 address has in a URI.
    pub host: &'a str,
    /// The port; 80 if none is named.
    pub port: u16,
    /// The resource name: path and query, `/` if there is no path (§3).
    pub target: Cow<'a, str>,
}

impl<'a> Uri<'a> {
    /// Reads a URI.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn parse(text: &'a str) -> Result<Self, UriError> {
        let (scheme, rest) = text.split_once("://").ok_or(UriError::Scheme)?;
        match scheme {
            _ if scheme.eq_ignore_ascii_case("ws") => {}
            _ if scheme.eq_ignore_ascii_case("wss") => return Err(UriError::Tls),
            _ => return Err(UriError::Scheme),
        }
        if rest.contains('#') {
            return Err(UriError::Fragment);
        }
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, resource) = rest.split_at(end);
        let (host, port) = match host_and_port(authority) {
            Some((host, port)) if !host.is_empty() => (host, port.unwrap_or(DEFAULT_PORT)),
            _ => return Err(UriError::Authority),
        };
        if !resource.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(UriError::Resource);
        }
        let target = match resource.starts_with('/') {
            true => Cow::Borrowed(resource),
            false => Cow::Owned(format!("/{resource}")),
        };
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        Ok(Self { authority, host, port, target })
    }
}

/// Why something is no URI to connect to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UriError {
    /// It does not begin with `ws://` (§3).
    Scheme,
    /// It begins with `wss://`: TLS is not spoken here.
    Tls,
    /// It has a fragment, which a WebSocket URI never has (§3).
    Fragment,
    /// No host, or no host and port (RFC 3986 §3.2); or user information, which is not spoken here.
    Authority,
    /// The path or the query holds what has to be percent-encoded: a space, a control, a letter beyond ASCII (RFC 3986 §2).
    Resource,
}

impl fmt::Display for UriError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "the URI does not begin with ws:// (RFC 6455 section 3)",
            Self::Tls => "wss:// needs TLS, which is not spoken here (RFC 6455 section 3)",
            Self::Fragment => "a WebSocket URI has no fragment (RFC 6455 section 3)",
            Self::Authority => "the URI names no host, or not with a port (RFC 3986 section 3.2)",
            Self::Resource => {
                "the path or query holds a character to be percent-encoded (RFC 3986 section 2)"
            }
        })
    }
}

impl std::error::Error for UriError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_host_port_and_resource() {
        for (text, authority, host, port, target) in [
            ("ws://a", "a", "a", 80, "/"),
            ("ws://a:8080", "a:8080", "a", 8080, "/"),
            ("ws://a:/x", "a:", "a", 80, "/x"),
            ("WS://A.example/b/c?d=e/f?g", "A.example", "A.example", 80, "/b/c?d=e/f?g"),
            ("ws://127.0.0.1:1?q", "127.0.0.1:1", "127.0.0.1", 1, "/?q"),
            ("ws://[::1]:9001/", "[::1]:9001", "::1", 9001, "/"),
        ] {
            let uri = Uri { authority, host, port, target: target.into() };
            assert_eq!(Uri::parse(text), Ok(uri), "{text}");
        }
    }

    #[test]
    fn refuses_each_broken_rule() {
        use UriError::*;
        for (text, error) in [
            ("", Scheme),
            ("a:80/", Scheme),
            ("http://a/", Scheme),
            ("wss://a/", Tls),
            ("ws://a/#b", Fragment),
            ("ws://a#", Fragment),
            ("ws://", Authority),
            ("ws:///path", Authority),
            ("ws://:80/", Authority),
            ("ws://a:65536/", Authority),
            ("ws://user@a/", Authority),
            ("ws://a b/", Authority),
            ("ws://a/b c", Resource),
            ("ws://a/b\r\nX: y", Resource),
            ("ws://a/\u{e9}", Resource),
        ] {
            assert_eq!(Uri::parse(text), Err(error), "{text}");
            assert!(error.to_string().contains("RFC "));
        }
    }
}
