//! Request targets and their authority (RFC 9112 §3.2, RFC 3986 §3.2).

use std::net::Ipv6Addr;

use super::method::Method;
use super::rules::RequestError;

/// A request target, in one of the four forms of RFC 9112 §3.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'b> {
    /// An origin-form, or an absolute-form without its authority.
    Path {
        /// The absolute path, still percent-encoded.
        path: &'b str,
        /// The query without its `?`, still encoded; [`Query`](super::Query) decodes it.
        query: Option<&'b str>,
    },
    /// `*`, the server as a whole; only with OPTIONS.
    Asterisk,
    /// Host and port; only with CONNECT.
    Authority(&'b str),
}

impl<'b> Target<'b> {
    /// Returns the path and the query, or `None` for the two forms without a path.
    pub fn path(self) -> Option<(&'b str, Option<&'b str>)> {
        match self {
            Self::Path { path, query } => Some((path, query)),
            Self::Asterisk | Self::Authority(_) => None,
        }
    }

    /// Reads a target. The second value is the authority of an absolute-form.
    ///
    /// RFC 3986 excludes more characters from a URI, but only a fragment and anything except
    /// visible ASCII are rejected: WHATWG URL keeps `|`, `{`, `^` and others in a query, so
    /// browsers send them.
    pub(super) fn read(method: Method<'_>, text: &'b str) -> Result<(Self, Option<&'b str>), RequestError> {
        match text.bytes().find(|byte| *byte == b'#' || !byte.is_ascii_graphic()) {
            None => {}
            Some(b'#') => return Err(RequestError::Fragment),
            Some(_) => return Err(RequestError::Target),
        }
        match (method, text) {
            (Method::Connect, _) => match host_and_port(text) {
                Some((host, Some(_))) if !host.is_empty() => Ok((Self::Authority(text), None)),
                _ => Err(RequestError::Target),
            },
            (_, _) if text.starts_with('/') => Ok((origin_form(text), None)),
            (Method::Options, "*") => Ok((Self::Asterisk, None)),
            (_, _) => {
                let (authority, rest) = absolute_form(text).ok_or(RequestError::Target)?;
                Ok((rest, Some(authority)))
            }
        }
    }
}

fn origin_form(text: &str) -> Target<'_> {
    let end = text.bytes().position(|byte| byte == b'?').unwrap_or(text.len());
    let (path, query) = text.split_at(end);
    Target::Path { path, query: query.strip_prefix('?') }
}

/// Reads `http://authority/path?query` (RFC 9112 §3.2.2). Only the schemes `http` and `https` are
/// served, and both require a host (RFC 9110 §4.2.1).
fn absolute_form(text: &str) -> Option<(&str, Target<'_>)> {
    let (scheme, rest) = text.split_once("://")?;
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return None;
    }
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    if authority.is_empty() || host_and_port(authority).is_none() {
        return None;
    }
    // An empty path means "/" (RFC 9110 §4.2.3).
    let target = match rest.strip_prefix('?') {
        Some(query) => Target::Path { path: "/", query: Some(query) },
        None if rest.is_empty() => Target::Path { path: "/", query: None },
        None => origin_form(rest),
    };
    Some((authority, target))
}

/// Splits `uri-host [ ":" port ]` (RFC 9110 §7.2, RFC 3986 §3.2); `None` if `text` has another
/// form.
///
/// An IPv6 address keeps its brackets. The host is empty only if `text` is empty, which is the
/// value of `Host` for a target without authority (RFC 9112 §3.2). An empty port means the default
/// port of the scheme, like no port.
///
/// Some text that matches the grammar of RFC 3986 is rejected: user information, which RFC 9110
/// §4.2.4 treats as an error; IPv6 zones and IPvFuture, which HTTP does not use; a port without a
/// host; and a port above 65535.
pub fn host_and_port(text: &str) -> Option<(&str, Option<u16>)> {
    let end = match text.strip_prefix('[') {
        Some(_) => text.find(']')? + 1,
        None => text.bytes().position(|byte| byte == b':').unwrap_or(text.len()),
    };
    let (host, rest) = text.split_at(end);
    let is_host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => is_reg_name(host),
    };
    let port = match rest.strip_prefix(':') {
        None if rest.is_empty() => None,
        None => return None,
        Some(_) if host.is_empty() => return None,
        Some("") => None,
        // `parse` would accept a sign.
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => Some(digits.parse().ok()?),
        Some(_) => return None,
    };
    is_host.then_some((host, port))
}

/// Returns whether `text` is a `reg-name`: unreserved, percent-encoded and sub-delims characters
/// (RFC 3986 §3.2.2). Every IPv4 address is one.
fn is_reg_name(text: &str) -> bool {
    let mut rest = text.as_bytes();
    loop {
        rest = match rest {
            [] => return true,
            [b'%', high, low, rest @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => rest,
            [
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' // unreserved
                | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=', // sub-delims
                rest @ ..,
            ] => rest,
            _ => return false,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_a_host_and_an_optional_port() {
        for (text, split) in [
            ("", ("", None)),
            ("a", ("a", None)),
            ("a:", ("a", None)),
            ("127.0.0.1:8080", ("127.0.0.1", Some(8080))),
            ("a%20b!:00080", ("a%20b!", Some(80))),
            ("[::1]", ("[::1]", None)),
            ("[2001:db8::1]:443", ("[2001:db8::1]", Some(443))),
        ] {
            assert_eq!(host_and_port(text), Some(split), "{text}");
        }
        for text in [
            "a b",
            "a/b",
            "u@a",
            "a:b",
            "a:+1",
            "a:65536",
            "a:1:2",
            ":80",
            "::1",
            "[::1",
            "[::1]8",
            "[]",
            "[a]",
            "[fe80::1%25eth0]",
            "[v1.a]",
            "a%2",
            "a%zz",
            "a,b c",
            "\u{e9}",
            "a\\b",
            "a?b",
            "[",
            "]",
        ] {
            assert_eq!(host_and_port(text), None, "{text}");
        }
    }

    #[test]
    fn reads_the_four_forms_of_a_target() {
        let path = |path, query| Target::Path { path, query };
        for (method, text, target, authority) in [
            (Method::Get, "/a?b?c", path("/a", Some("b?c")), None),
            (Method::Get, "//a", path("//a", None), None),
            (Method::Get, "/?", path("/", Some("")), None),
            (Method::Get, "HTTP://a:80/b", path("/b", None), Some("a:80")),
            (Method::Get, "https://a?b/c", path("/", Some("b/c")), Some("a")),
            (Method::Get, "http://a", path("/", None), Some("a")),
            (Method::Options, "*", Target::Asterisk, None),
            (Method::Connect, "a:443", Target::Authority("a:443"), None),
        ] {
            assert_eq!(Target::read(method, text), Ok((target, authority)), "{text}");
        }
        for (method, text) in [
            (Method::Get, "*"),
            (Method::Get, "a"),
            (Method::Get, "a:80"),
            (Method::Get, "?a"),
            (Method::Get, "ftp://a/"),
            (Method::Get, "http:///a"),
            (Method::Get, "http://u@a/"),
            (Method::Get, "http:a"),
            (Method::Get, "/\u{e9}"),
            (Method::Connect, "/"),
            (Method::Connect, "a"),
            (Method::Connect, ":1"),
            (Method::Connect, "http://a:1/"),
        ] {
            assert_eq!(Target::read(method, text), Err(RequestError::Target), "{text}");
        }
        assert_eq!(Target::read(Method::Get, "/a#b"), Err(RequestError::Fragment));
    }
}
