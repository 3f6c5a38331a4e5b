//! Access control: hosts and origins (RFC 6454, RFC 6455 §10.2, the CORS protocol of the Fetch
//! standard), and tokens (RFC 6750).

use std::net::{IpAddr, Ipv6Addr};

use crate::protocol::http::{Query, RequestHead, fields, host_and_port};

/// Which clients may publish and follow, and from which pages.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// The token that publishing requires, if set. It allows following too.
    pub publish_token: Option<String>,
    /// The token that following requires, if set.
    pub follow_token: Option<String>,
    /// Foreign origins that are allowed, as a browser writes them (`https://example.org`); `*` allows
    /// every origin.
    pub allowed_origins: Vec<String>,
    /// The server listens on loopback only. A name that does not mean loopback is then a sign of DNS
    /// rebinding.
    pub loopback_only: bool,
    /// Which clients may observe all connections.
    pub observers: ObserverAccess,
}

/// Which clients may follow the observation of all connections.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ObserverAccess {
    /// No client: the server has no observer.
    #[default]
    Nobody,
    /// Any client on this machine; the server listens on loopback only.
    Loopback,
    /// A client with the follow token.
    Token,
}

/// The origin of a request, judged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin<'a> {
    /// No `Origin` field: netcat, curl, a server, or a plain same-origin GET of a browser.
    None,
    /// A page of this server.
    Own,
    /// A foreign page that is allowed; the field's value.
    Allowed(&'a str),
    /// A foreign page that is not allowed.
    Foreign,
}

/// The rights of a request, from the token that it carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rights {
    /// The request may publish.
    pub publish: bool,
    /// The request may follow.
    pub follow: bool,
    /// The request carries a token, perhaps a wrong one.
    pub has_token: bool,
}

impl Access {
    /// Returns whether any request needs a token.
    pub fn has_tokens(&self) -> bool {
        self.publish_token.is_some() || self.follow_token.is_some()
    }

    /// Judges the `Origin` field of a request. A repeated or unreadable field is foreign.
    pub fn origin<'b>(&self, head: &RequestHead<'_, 'b>) -> Origin<'b> {
        let mut lines = head.fields.get_all("origin");
        let Some(line) = lines.next() else { return Origin::None };
        let Some(origin) = std::str::from_utf8(line).ok().filter(|_| lines.next().is_none()) else {
            return Origin::Foreign;
        };
        if self.is_own(origin, head.host) {
            Origin::Own
        } else if self.allowed_origins.iter().any(|allowed| allowed == "*" || same_origin(allowed, origin)) {
            Origin::Allowed(origin)
        } else {
            Origin::Foreign
        }
    }

    fn is_own(&self, origin: &str, host: Option<&str>) -> bool {
        let (Some(origin), Some((name, port))) = (Parts::of(origin), host.and_then(host_and_port)) else {
            return false;
        };
        // A Host without a port means the default port of the Origin's scheme: a proxy that speaks TLS
        // to the browser forwards a Host without a port.
        let port = port.or(default_port(origin.scheme));
        let own = name.eq_ignore_ascii_case(origin.host) && port.is_some() && port == origin.port;
        own && (!self.loopback_only || is_loopback(origin.host))
    }

    /// Returns what a request may do, from `Authorization: Bearer …` or else `?access_token=…`.
    pub fn rights(&self, head: &RequestHead<'_, '_>, query: &Query<'_>) -> Rights {
        if self.publish_token.is_none() && self.follow_token.is_none() {
            return Rights { publish: true, follow: true, has_token: false };
        }
        let credentials = head.fields.get("authorization").and_then(fields::bearer_credentials);
        let bearer = credentials.and_then(fields::bearer_token);
        let parameter = query.get("access_token").filter(|token| token.as_deref() != Ok(""));
        let has_token = credentials.is_some() || parameter.is_some();
        let parameter = parameter.and_then(Result::ok);
        let token = bearer.or(parameter.as_deref().map(str::as_bytes)).unwrap_or_default();
        let matches = |wanted: &Option<String>| {
            wanted.as_ref().is_some_and(|wanted| same_secret(wanted.as_bytes(), token))
        };
        let publish = self.publish_token.is_none() || matches(&self.publish_token);
        let follow =
            self.follow_token.is_none() || matches(&self.follow_token) || matches(&self.publish_token);
        Rights { publish, follow, has_token }
    }
}

/// Compares two secrets in a time that does not depend on where they differ.
fn same_secret(wanted: &[u8], given: &[u8]) -> bool {
    let differing = wanted.iter().zip(given).fold(0, |differing, (one, other)| differing | (one ^ other));
    wanted.len() == given.len() && differing == 0
}

/// The parts of a serialized origin (RFC 6454 §6.2). `null` has none.
struct Parts<'a> {
    scheme: &'a str,
    host: &'a str,
    port: Option<u16>,
}

impl<'a> Parts<'a> {
    fn of(origin: &'a str) -> Option<Parts<'a>> {
        let (scheme, authority) = origin.split_once("://")?;
        let (host, port) = host_and_port(authority)?;
        Some(Parts { scheme, host, port: port.or(default_port(scheme)) })
    }
}

/// Returns whether `text` is an origin as a browser writes it, with nothing after the authority.
pub fn is_origin(text: &str) -> bool {
    Parts::of(text).is_some_and(|parts| !parts.scheme.is_empty() && !parts.host.is_empty())
}

fn same_origin(one: &str, other: &str) -> bool {
    match (Parts::of(one), Parts::of(other)) {
        (Some(one), Some(other)) => {
            one.scheme.eq_ignore_ascii_case(other.scheme)
                && one.host.eq_ignore_ascii_case(other.host)
                && one.port == other.port
        }
        _ => one == other,
    }
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme.to_ascii_lowercase().as_str() {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        _ => None,
    }
}

/// Returns whether a host name or address means loopback (RFC 6761 §6.3 for `localhost` and its
/// subdomains).
pub fn is_loopback(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    if host == "localhost" || host.ends_with(".localhost") {
        return true;
    }
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    match bare {
        Some(address) => address.parse::<Ipv6Addr>().is_ok_and(|address| address.is_loopback()),
        None => host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback()),
    }
}

#[cfg(test)]
mod tests {
    use super::{Access, is_loopback, same_origin, same_secret};

    #[test]
    fn an_origin_is_own_if_host_and_port_match() {
        let access = Access::default();
        for (origin, host) in [
            ("http://a.example", "a.example"),
            ("http://a.example", "A.example:80"),
            ("https://a.example", "a.example"),
            ("https://a.example:8443", "a.example:8443"),
            ("http://[::1]:8080", "[::1]:8080"),
        ] {
            assert!(access.is_own(origin, Some(host)), "{origin} {host}");
        }
        for (origin, host) in [
            ("null", "a.example"),
            ("", "a.example"),
            ("http://a.example:81", "a.example"),
            ("https://a.example", "a.example:80"),
            ("http://b.example", "a.example"),
            ("http://a.example.evil", "a.example"),
            ("other://a.example", "a.example"),
        ] {
            assert!(!access.is_own(origin, Some(host)), "{origin} {host}");
        }
        assert!(!access.is_own("http://a.example", None));
    }

    #[test]
    fn on_loopback_only_a_loopback_origin_is_own() {
        let access = Access { loopback_only: true, ..Access::default() };
        assert!(access.is_own("http://localhost:8080", Some("localhost:8080")));
        assert!(access.is_own("http://127.0.0.1:8080", Some("127.0.0.1:8080")));
        assert!(!access.is_own("http://rebound.example:8080", Some("rebound.example:8080")));
    }

    #[test]
    fn recognizes_loopback_names_and_addresses() {
        for host in ["localhost", "LOCALHOST", "a.localhost", "127.0.0.1", "127.9.9.9", "[::1]"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["", "localhost.example", "127.0.0.1.example", "10.0.0.1", "[::2]", "0.0.0.0"] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn origins_compare_without_case_and_with_default_ports() {
        assert!(same_origin("https://a.example", "HTTPS://A.example:443"));
        assert!(!same_origin("https://a.example", "http://a.example"));
        assert!(same_origin("null", "null"));
    }

    #[test]
    fn secrets_match_only_when_equal() {
        assert!(same_secret(b"abc", b"abc"));
        assert!(!same_secret(b"abc", b"abd"));
        assert!(!same_secret(b"abc", b"ab"));
        assert!(!same_secret(b"abc", b""));
    }
}
