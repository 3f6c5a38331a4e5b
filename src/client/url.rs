//! URLs to connect to: `http://` (RFC 9110 §4.2.1) and `ws://` (RFC 6455 §3).

use std::fmt;

use crate::protocol::http::host_and_port;

/// The default port of both schemes.
const DEFAULT_PORT: u16 = 80;

/// The server to connect to and the resource to request there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// Host and port exactly as written in the URL: the value of the `Host` field.
    pub authority: String,
    /// The host name or address to connect to. An IPv6 address has no brackets here.
    pub host: String,
    /// The port; 80 if the URL has none.
    pub port: u16,
    /// Path and query, still percent-encoded. The path starts with `/`.
    pub target: String,
}

impl Url {
    /// Parses an `http` or `ws` URL. The scheme does not select the protocol; the caller does.
    ///
    /// # Errors
    /// The first rule that `text` breaks.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let (scheme, rest) = text.split_once("://").ok_or(UrlError::Scheme)?;
        match &*scheme.to_ascii_lowercase() {
            "http" | "ws" => Self::without_scheme(rest),
            "https" | "wss" => Err(UrlError::Tls),
            _ => Err(UrlError::Scheme),
        }
    }

    /// Parses a URL that must have the scheme `ws` (RFC 6455 §3).
    ///
    /// # Errors
    /// The first rule that `text` breaks.
    pub fn parse_websocket(text: &str) -> Result<Self, UrlError> {
        let (scheme, rest) = text.split_once("://").ok_or(UrlError::WebSocketScheme)?;
        match &*scheme.to_ascii_lowercase() {
            "ws" => Self::without_scheme(rest),
            "wss" => Err(UrlError::Tls),
            _ => Err(UrlError::WebSocketScheme),
        }
    }

    fn without_scheme(rest: &str) -> Result<Self, UrlError> {
        if rest.contains('#') {
            return Err(UrlError::Fragment);
        }
        let (authority, resource) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (host, port) = match host_and_port(authority) {
            Some((host, port)) if !host.is_empty() => (host, port.unwrap_or(DEFAULT_PORT)),
            _ => return Err(UrlError::Authority),
        };
        if !resource.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(UrlError::Resource);
        }
        let slash = if resource.starts_with('/') { "" } else { "/" };
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        Ok(Self {
            authority: authority.to_owned(),
            host: host.to_owned(),
            port,
            target: format!("{slash}{resource}"),
        })
    }
}

/// The rule that a URL breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UrlError {
    /// The scheme is neither `http` nor `ws`.
    Scheme,
    /// The scheme is not `ws` (RFC 6455 §3).
    WebSocketScheme,
    /// The scheme is `https` or `wss`, and the client does not support TLS.
    Tls,
    /// The URL has a fragment. A client never sends a fragment (RFC 9110 §7.1), and a WebSocket URI
    /// must not have one (RFC 6455 §3).
    Fragment,
    /// The host is missing, the host or port is invalid (RFC 3986 §3.2), or there is user
    /// information, which the client does not support.
    Authority,
    /// The path or query has a character that must be percent-encoded: a space, a control character
    /// or a character outside ASCII (RFC 3986 §2).
    Resource,
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => {
                "the URL has no supported scheme: start it with http:// (RFC 9110 section 4.2.1) or ws:// \
                 (RFC 6455 section 3)"
            }
            Self::WebSocketScheme => "the URL has no supported scheme: start it with ws:// (RFC 6455 section 3)",
            Self::Tls => {
                "https:// and wss:// need TLS, which this client does not support yet: run a local tunnel that \
                 adds TLS, such as stunnel, or socat TCP-LISTEN:8443,fork OPENSSL:HOST:443, and use its http:// \
                 or ws:// URL (RFC 9110 section 4.2.2)"
            }
            Self::Fragment => {
                "the URL has a fragment, which is never sent: remove the # and the text after it (RFC 9110 section 7.1)"
            }
            Self::Authority => {
                "the URL has no valid host and port: write HOST or HOST:PORT after ://, without a user name \
                 (RFC 3986 section 3.2)"
            }
            Self::Resource => {
                "the URL's path or query has a character that is not printable ASCII: percent-encode it \
                 (RFC 3986 section 2)"
            }
        })
    }
}

impl std::error::Error for UrlError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_host_port_and_target() {
        for (text, authority, host, port, target) in [
            ("http://a", "a", "a", 80, "/"),
            ("WS://a:8080/b?c", "a:8080", "a", 8080, "/b?c"),
            ("http://127.0.0.1:1?q", "127.0.0.1:1", "127.0.0.1", 1, "/?q"),
            ("http://[::1]:9001/", "[::1]:9001", "::1", 9001, "/"),
        ] {
            let url = Url::parse(text).expect("a valid URL");
            let parts = (&*url.authority, &*url.host, url.port, &*url.target);
            assert_eq!(parts, (authority, host, port, target), "{text}");
        }
    }

    #[test]
    fn parses_a_websocket_uri() {
        for (text, authority, host, port, target) in [
            ("ws://a", "a", "a", 80, "/"),
            ("ws://a:8080", "a:8080", "a", 8080, "/"),
            ("ws://a:/x", "a:", "a", 80, "/x"),
            ("WS://A.example/b/c?d=e/f?g", "A.example", "A.example", 80, "/b/c?d=e/f?g"),
            ("ws://127.0.0.1:1?q", "127.0.0.1:1", "127.0.0.1", 1, "/?q"),
            ("ws://[::1]:9001/", "[::1]:9001", "::1", 9001, "/"),
        ] {
            let url = Url {
                authority: authority.to_owned(),
                host: host.to_owned(),
                port,
                target: target.to_owned(),
            };
            assert_eq!(Url::parse_websocket(text), Ok(url), "{text}");
        }
    }

    #[test]
    fn rejects_invalid_urls() {
        use UrlError::*;
        for (text, error) in [
            ("a:80/", Scheme),
            ("ftp://a/", Scheme),
            ("https://a/", Tls),
            ("WSS://a/", Tls),
            ("http://a/#b", Fragment),
            ("http://", Authority),
            ("http://:80/", Authority),
            ("http://user@a/", Authority),
            ("http://a/b c", Resource),
            ("http://a/\u{e9}", Resource),
        ] {
            assert_eq!(Url::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn rejects_invalid_websocket_uris_and_names_the_section() {
        use UrlError::*;
        for (text, error) in [
            ("", WebSocketScheme),
            ("a:80/", WebSocketScheme),
            ("http://a/", WebSocketScheme),
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
            assert_eq!(Url::parse_websocket(text), Err(error), "{text}");
            assert!(error.to_string().contains("RFC "));
        }
    }
}
