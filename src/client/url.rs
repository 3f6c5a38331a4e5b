//! URLs to connect to: `http://` and `ws://` (RFC 9110 §4.2.1, RFC 6455 §3).

use std::fmt;

use crate::protocol::http::host_and_port;

/// The port of both schemes where none is named.
const DEFAULT_PORT: u16 = 80;

/// Where to connect, and what to ask for there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// Host and port as they stand: the value of `Host`.
    pub authority: String,
    /// What to resolve: a name, or an address without the brackets that an IPv6 address has in a URL.
    pub host: String,
    /// The port; 80 if none is named.
    pub port: u16,
    /// Path and query, still percent-encoded; it begins with `/`.
    pub target: String,
}

impl Url {
    /// Reads a URL. `http` and `ws` are the same here: which protocol is spoken is not the URL's to say.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let (scheme, rest) = text.split_once("://").ok_or(UrlError::Scheme)?;
        match &*scheme.to_ascii_lowercase() {
            "http" | "ws" => {}
            "https" | "wss" => return Err(UrlError::Tls),
            _ => return Err(UrlError::Scheme),
        }
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

/// Why something is no URL to connect to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UrlError {
    /// It begins neither with `http://` nor with `ws://`.
    Scheme,
    /// It begins with `https://` or `wss://`: TLS is not spoken here.
    Tls,
    /// It has a fragment, which is never sent (RFC 9110 §7.1) and which a WebSocket's never has (RFC 6455 §3).
    Fragment,
    /// No host, or no host and port (RFC 3986 §3.2); or user information, which is not spoken here.
    Authority,
    /// The path or the query holds what has to be percent-encoded (RFC 3986 §2).
    Resource,
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "the URL begins neither with http:// nor with ws://",
            Self::Tls => {
                "https:// and wss:// need TLS, which is not spoken here: give the http:// URL behind the proxy that does it"
            }
            Self::Fragment => "the URL has a fragment, which no request has (RFC 9110 section 7.1)",
            Self::Authority => "the URL names no host, or not with a port (RFC 3986 section 3.2)",
            Self::Resource => {
                "the URL's path or query holds a character to be percent-encoded (RFC 3986 section 2)"
            }
        })
    }
}

impl std::error::Error for UrlError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_host_port_and_target() {
        for (text, authority, host, port, target) in [
            ("http://a", "a", "a", 80, "/"),
            ("WS://a:8080/b?c", "a:8080", "a", 8080, "/b?c"),
            ("http://127.0.0.1:1?q", "127.0.0.1:1", "127.0.0.1", 1, "/?q"),
            ("http://[::1]:9001/", "[::1]:9001", "::1", 9001, "/"),
        ] {
            let url = Url::parse(text).expect("it is one");
            let parts = (&*url.authority, &*url.host, url.port, &*url.target);
            assert_eq!(parts, (authority, host, port, target), "{text}");
        }
    }

    #[test]
    fn refuses_each_broken_rule() {
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
}
