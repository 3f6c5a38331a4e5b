//! The values of `--allow-origin` and `--allow-host`. A value that no browser sends would never
//! match, so it is an error.

use crate::protocol::http::host_and_port;

/// Parses the value of `--allow-origin`.
pub fn origin(text: &str) -> Result<String, String> {
    if text == "*" || text == "null" || is_origin(text) {
        return Ok(text.to_owned());
    }
    Err(format!(
        "{text:?} is not an origin: use one such as https://example.org, without a path or a wildcard, and \
         repeat the option for others; * allows every origin, and null those without a name"
    ))
}

/// Parses the value of `--allow-host`.
pub fn host(text: &str) -> Result<String, String> {
    if text == "*" || host_and_port(text).is_some_and(|(host, _)| is_sent(host)) {
        return Ok(text.to_owned());
    }
    Err(format!(
        "{text:?} is not a host: use a name or an address such as example.org, 192.0.2.1 or [2001:db8::1], \
         without a wildcard, and repeat the option for others; * allows every host"
    ))
}

/// Returns whether a page can have this origin, as a browser writes it (RFC 6454 §6.2): nothing
/// follows the authority, and the scheme is not that of a WebSocket.
fn is_origin(text: &str) -> bool {
    let Some((scheme, authority)) = text.split_once("://") else { return false };
    // RFC 3986 §3.1.
    let is_in_scheme = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(is_in_scheme)
        && !["ws", "wss"].iter().any(|other| scheme.eq_ignore_ascii_case(other))
        && host_and_port(authority).is_some_and(|(host, _)| is_sent(host))
}

/// Returns whether a browser sends this host in the same form: neither empty nor percent-encoded
/// (WHATWG URL §3.5). A `*` is not a wildcard.
fn is_sent(host: &str) -> bool {
    !host.is_empty() && !host.contains(['*', '%'])
}

#[cfg(test)]
mod tests {
    use super::{host, origin};

    #[test]
    fn an_origin_is_a_scheme_and_a_host_with_nothing_after_them() {
        for text in
            ["*", "null", "https://a.example", "HTTP://A.example:81", "http://[::1]", "moz-extension://0a-1"]
        {
            assert_eq!(origin(text).as_deref(), Ok(text));
        }
        for text in [
            "",
            "NULL",
            "a.example",
            "https://",
            "https://a.example/",
            "https://a.example/b",
            "https://a.example?b",
            "https://u@a.example",
            "https://*.example.com",
            "https://*",
            "https://a.*.example",
            "https://a.example:*",
            "*://a.example",
            "://a.example",
            "1://a.example",
            "https://a%2eexample",
            "https://b\u{fc}cher.example",
            "wss://a.example",
            "https://a.example, https://b.example",
        ] {
            let error = origin(text).expect_err(text);
            assert!(error.starts_with(&format!("{text:?} is not an origin: use")), "{error}");
        }
    }

    #[test]
    fn a_host_has_neither_a_scheme_nor_a_wildcard() {
        for text in ["*", "a", "a.example", "a.example:80", "10.0.0.1", "[::1]", "[::1]:80"] {
            assert_eq!(host(text).as_deref(), Ok(text));
        }
        for text in ["", ":80", "https://a", "a/b", "*.a", "::1", "u@a", "a b", "a%2e", "b\u{fc}cher"] {
            let error = host(text).expect_err(text);
            assert!(error.starts_with(&format!("{text:?} is not a host: use")), "{error}");
        }
    }
}
