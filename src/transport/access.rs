//! Access control: hosts and origins (RFC 6454, RFC 6455 §10.2, the CORS protocol of the Fetch
//! standard), and tokens (RFC 6750).

use std::net::IpAddr;

use crate::protocol::http::{Query, RequestHead, fields, host_and_port};

/// Which clients may publish and follow, and from which pages.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// The token that publishing requires, if set. It allows following too.
    pub publish_token: Option<String>,
    /// The token that following requires, if set.
    pub follow_token: Option<String>,
    /// Foreign origins that are allowed, as a browser writes them (`https://example.org`); `*`
    /// allows every origin. Their hosts are allowed too, except for `*`, which names none.
    pub allowed_origins: Vec<String>,
    /// Hosts that the server answers for besides loopback names; `*` allows every host. A port does
    /// not count. If any host is listed, the server judges `Host` wherever it listens.
    pub allowed_hosts: Vec<String>,
    /// The server listens on loopback only. A name that does not mean loopback is then a sign of
    /// DNS rebinding.
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

    /// Returns whether the server answers for the authority of a request: the value of `Host`, or
    /// the authority of an absolute-form target.
    ///
    /// A site can give its name the address of this machine (DNS rebinding). To the browser, the
    /// site's page and this server then have the same origin: it sends no `Origin` with a GET, and
    /// lets the page read the response. Only `Host` still names the site. A request that names no
    /// host does not come from a browser.
    pub fn serves(&self, host: Option<&str>) -> bool {
        let hosts = self.allowed_hosts.iter().filter_map(|host| host_and_port(host)).map(|(host, _)| host);
        let origins = self.allowed_origins.iter().filter_map(|origin| Parts::of(origin));
        let mut allowed = hosts.chain(origins.map(|origin| origin.host));
        let is_judged = self.loopback_only || !self.allowed_hosts.is_empty();
        !is_judged
            || self.allowed_hosts.iter().any(|host| host == "*")
            || host.and_then(host_and_port).is_none_or(|(host, _)| {
                host.is_empty() || is_loopback(host) || allowed.any(|allowed| same_host(allowed, host))
            })
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
        let Some((name, port)) = host.and_then(host_and_port) else { return false };
        let Some(origin) = Parts::of(origin).filter(Parts::is_of_http) else { return false };
        // A Host without a port means the default port of the Origin's scheme: a proxy that speaks
        // TLS to the browser forwards a Host without a port.
        let port = port.or(default_port(origin.scheme));
        let own = name.eq_ignore_ascii_case(origin.host) && port.is_some() && port == origin.port;
        own && (!self.loopback_only || is_loopback(origin.host))
    }

    /// Returns what a request may do, from `Authorization: Bearer …` or else `?access_token=…`.
    pub fn rights(&self, head: &RequestHead<'_, '_>, query: &Query<'_>) -> Rights {
        if !self.has_tokens() {
            return Rights { publish: true, follow: true, has_token: false };
        }
        let bearer = head.fields.get("authorization").and_then(fields::bearer);
        // A parameter that cannot be decoded is a wrong token.
        let parameter = query.get("access_token").map(|token| token.unwrap_or("%".into()));
        let token = bearer.or(parameter.as_deref().map(str::as_bytes)).unwrap_or_default();
        let matches = |wanted: &Option<String>| {
            wanted.as_ref().is_some_and(|wanted| same_secret(wanted.as_bytes(), token))
        };
        let publish = self.publish_token.is_none() || matches(&self.publish_token);
        let follow =
            self.follow_token.is_none() || matches(&self.follow_token) || matches(&self.publish_token);
        Rights { publish, follow, has_token: !token.is_empty() }
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

    /// Returns whether HTTP, on TCP or in TLS, can have served the page. Any other scheme is that
    /// of a different server, even on the same host and port.
    fn is_of_http(&self) -> bool {
        ["http", "https"].iter().any(|scheme| self.scheme.eq_ignore_ascii_case(scheme))
    }
}

fn same_origin(one: &str, other: &str) -> bool {
    Parts::of(one).zip(Parts::of(other)).map_or(one == other, |(one, other)| {
        one.scheme.eq_ignore_ascii_case(other.scheme)
            && same_host(one.host, other.host)
            && one.port == other.port
    })
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme.to_ascii_lowercase().as_str() {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        _ => None,
    }
}

/// Returns whether a host name or address means loopback (RFC 6761 §6.3 for `localhost` and its
/// subdomains). Every check for loopback uses this function.
pub fn is_loopback(host: &str) -> bool {
    let host = relative(host);
    let is_localhost = host.rsplit('.').next().is_some_and(|last| last.eq_ignore_ascii_case("localhost"));
    // An IPv4 address can be written as an IPv6 address (RFC 4291 §2.5.5.2).
    is_localhost || address(host).is_some_and(|address| address.to_canonical().is_loopback())
}

fn same_host(one: &str, other: &str) -> bool {
    let (one, other) = (relative(one), relative(other));
    one.eq_ignore_ascii_case(other) || address(one).is_some_and(|one| Some(one) == address(other))
}

/// Returns a host without the dot at its end, which only marks a name as absolute (RFC 1034 §3.1).
fn relative(host: &str) -> &str {
    host.strip_suffix('.').unwrap_or(host)
}

/// Returns the address if the host is one. IPv6 addresses are in brackets.
fn address(host: &str) -> Option<IpAddr> {
    match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address.parse().ok().map(IpAddr::V6),
        None => host.parse().ok().map(IpAddr::V4),
    }
}

#[cfg(test)]
mod tests {
    use super::{Access, is_loopback, same_origin, same_secret};

    #[test]
    fn an_origin_is_own_if_it_is_of_http_and_host_and_port_match() {
        let access = Access::default();
        for (origin, host) in [
            ("http://a.example", "a.example"),
            ("http://a.example", "A.example:80"),
            ("https://a.example", "a.example"),
            ("https://a.example:8443", "a.example:8443"),
            ("http://[::1]:8080", "[::1]:8080"),
            ("HTTP://a.example", "a.example:80"),
            ("Https://A.example:8443", "a.example:8443"),
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
            ("ftp://a.example:8080", "a.example:8080"),
            ("file://a.example:8080", "a.example:8080"),
            ("ws://a.example:8080", "a.example:8080"),
            ("WSS://a.example", "a.example"),
            ("httpx://a.example:8080", "a.example:8080"),
            ("http+unix://a.example:8080", "a.example:8080"),
            ("://a.example:8080", "a.example:8080"),
            ("//a.example:8080", "a.example:8080"),
            (" http://a.example:8080", "a.example:8080"),
            ("HTTP://a.example", "a.example:443"),
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
        for host in [
            "localhost",
            "LOCALHOST",
            "localhost.",
            "a.localhost",
            "127.0.0.1",
            "127.0.0.1.",
            "127.9.9.9",
            "[::1]",
            "[0:0:0:0:0:0:0:1]",
            "[::ffff:127.0.0.1]",
            "[::FFFF:7f00:1]",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "",
            ".",
            "localhost..",
            "notlocalhost",
            "localhost.example",
            "127.0.0.1.example",
            "128.0.0.1",
            "10.0.0.1",
            "0.0.0.0",
            "127.1",
            "[::2]",
            "[::]",
            "[::ffff:10.0.0.1]",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn answers_for_loopback_and_the_allowed_hosts() {
        let list = |list: &[&str]| list.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
        let access = Access {
            loopback_only: true,
            allowed_hosts: list(&["a.example", "b.example:8443", "[2001:DB8::1]", "10.0.0.1"]),
            allowed_origins: list(&[
                "https://c.example:444",
                "https://[2001:db8::3]",
                "https://*",
                "*",
                "null",
            ]),
            ..Access::default()
        };
        for host in [
            "localhost:1",
            "[::1]:1",
            "a.example",
            "A.Example.:1",
            "b.example",
            "b.example:1",
            "[2001:db8:0::1]:80",
            "10.0.0.1:80",
            "c.example",
            "C.EXAMPLE.:1",
            "[2001:DB8::3]",
            "",
        ] {
            assert!(access.serves(Some(host)), "{host}");
        }
        assert!(access.serves(None));
        for host in [
            "d.example",
            "a.example.d.example",
            "x.a.example",
            "xa.example",
            "[2001:db8::2]",
            "null",
            "10.0.0.2",
        ] {
            assert!(!access.serves(Some(host)), "{host}");
        }
    }

    #[test]
    fn judges_the_host_on_loopback_or_where_hosts_are_listed() {
        let access = Access::default();
        assert!(access.serves(Some("d.example")));
        let access = Access { allowed_hosts: vec!["a.example".into()], ..access };
        assert!(access.serves(Some("a.example")) && !access.serves(Some("d.example")));
        let access = Access { loopback_only: true, allowed_hosts: vec!["*".into()], ..access };
        assert!(access.serves(Some("d.example")));
    }

    #[test]
    fn origins_compare_without_case_and_with_default_ports() {
        assert!(same_origin("https://a.example", "HTTPS://A.example:443"));
        assert!(same_origin("https://[2001:db8:0::1]", "https://[2001:DB8::1]"));
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
