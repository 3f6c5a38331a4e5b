//! Request templates: a URL in which `{cursor}` and `{n}` are replaced for each request.

use std::net::{SocketAddr, ToSocketAddrs};
use std::rc::Rc;

use crate::client::Url;
use crate::protocol::http::fields::{is_control, is_token};
use crate::tools::cursor_place::write_encoded;

/// A request whose target may differ from one connection, and one cursor, to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestTemplate {
    /// The first address of the URL's host.
    pub address: SocketAddr,
    /// The value of `Host`.
    pub authority: String,
    /// The path and the query, with their placeholders.
    pub target: String,
    /// Names and values of the other fields.
    pub fields: Vec<(String, String)>,
    /// The subprotocols that a WebSocket handshake offers (RFC 6455 §1.9): the members of
    /// `Sec-WebSocket-Protocol`, if that field was given.
    pub subprotocols: Rc<[String]>,
    /// The target, split at its placeholders.
    parts: Vec<TargetPart>,
    /// The lines of `Host` and the other fields, which are the same in every request.
    field_lines: Vec<u8>,
}

/// A part of a target.
#[derive(Clone, Debug, PartialEq, Eq)]
enum TargetPart {
    Text(String),
    Cursor,
    Number,
}

impl RequestTemplate {
    /// Parses a URL with placeholders, and resolves its host.
    ///
    /// # Errors
    /// A message: the URL is invalid, its host has no address, or a field cannot be sent.
    pub fn new(url: &str, fields: &[(String, String)]) -> Result<Self, String> {
        // A URL contains no literal braces (RFC 3986 §2), so placeholders are unambiguous.
        let url = Url::parse(url).map_err(|error| error.to_string())?;
        for (name, value) in fields {
            if !is_token(name.as_bytes()) || value.bytes().any(is_control) {
                return Err(format!("{name:?} is not a valid header field (RFC 9110 section 5)"));
            }
        }
        let addresses = (&*url.host, url.port).to_socket_addrs();
        let address = addresses.map_err(|error| format!("{}: {error}", url.host))?.next();
        let address = address.ok_or_else(|| format!("{} has no address", url.host))?;
        // The handshake checks the server's choice against the offer, so it needs the subprotocols.
        let (subprotocols, fields): (Vec<_>, Vec<_>) =
            fields.iter().cloned().partition(|(name, _)| name.eq_ignore_ascii_case("Sec-WebSocket-Protocol"));
        let subprotocols = subprotocols.iter().flat_map(|(_, value)| value.split(','));
        let subprotocols = subprotocols.map(|one| one.trim().to_owned()).collect();
        let mut field_lines = Vec::new();
        write_line(&mut field_lines, &["Host: ", &url.authority]);
        for (name, value) in &fields {
            write_line(&mut field_lines, &[name, ": ", value]);
        }
        let (authority, parts) = (url.authority, split_target(&url.target));
        Ok(Self { address, authority, target: url.target, fields, subprotocols, parts, field_lines })
    }

    /// Returns whether requests differ between connections, because the target contains `{n}`.
    pub fn has_numbers(&self) -> bool {
        self.parts.contains(&TargetPart::Number)
    }

    /// Appends the path and the query of one request.
    pub fn write_target(&self, cursor: &str, number: usize, out: &mut Vec<u8>) {
        for part in &self.parts {
            match part {
                TargetPart::Text(text) => out.extend_from_slice(text.as_bytes()),
                TargetPart::Cursor => write_encoded(cursor, out),
                TargetPart::Number => out.extend_from_slice(number.to_string().as_bytes()),
            }
        }
    }

    /// Appends a GET. `accept` is the requested media type; `None` omits the field.
    pub fn write_get(&self, cursor: &str, number: usize, accept: Option<&str>, out: &mut Vec<u8>) {
        self.write_head("GET ", cursor, number, out);
        if let Some(accept) = accept {
            write_line(out, &["Accept: ", accept]);
        }
        write_line(out, &[]);
    }

    /// Appends a POST with this body. Its media type is `content_type`, unless the fields have one.
    pub fn write_post(&self, content_type: &str, body: &[u8], out: &mut Vec<u8>) {
        self.write_head("POST ", "", 0, out);
        if !self.fields.iter().any(|(name, _)| name.eq_ignore_ascii_case("Content-Type")) {
            write_line(out, &["Content-Type: ", content_type]);
        }
        write_line(out, &["Content-Length: ", &body.len().to_string()]);
        write_line(out, &[]);
        out.extend_from_slice(body);
    }

    fn write_head(&self, method: &str, cursor: &str, number: usize, out: &mut Vec<u8>) {
        out.extend_from_slice(method.as_bytes());
        self.write_target(cursor, number, out);
        write_line(out, &[" HTTP/1.1"]);
        out.extend_from_slice(&self.field_lines);
    }
}

/// Splits a target at its placeholders.
fn split_target(target: &str) -> Vec<TargetPart> {
    let mut parts = Vec::new();
    let mut rest = target;
    while let Some(at) = rest.find('{') {
        let (before, after) = rest.split_at(at);
        let placeholders = [("{cursor}", TargetPart::Cursor), ("{n}", TargetPart::Number)];
        let found = placeholders.into_iter().find_map(|(name, part)| Some((after.strip_prefix(name)?, part)));
        // Other braces are passed to the server as written.
        let (after, part) = found.unwrap_or_else(|| (&after[1..], TargetPart::Text("{".into())));
        parts.extend([TargetPart::Text(before.into()), part]);
        rest = after;
    }
    parts.push(TargetPart::Text(rest.into()));
    parts
}

fn write_line(out: &mut Vec<u8>, parts: &[&str]) {
    parts.iter().for_each(|part| out.extend_from_slice(part.as_bytes()));
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills_in_placeholders() {
        let fields = [("X-A".to_owned(), "b".to_owned())];
        let url = "http://127.0.0.1:81/t{{x}?since={cursor}&n={n}";
        let template = RequestTemplate::new(url, &fields).expect("a valid URL");
        let mut out = Vec::new();
        template.write_get("a&b:1", 7, Some("text/event-stream"), &mut out);
        let expected = "GET /t{{x}?since=a%26b:1&n=7 HTTP/1.1\r\nHost: 127.0.0.1:81\r\nX-A: b\r\nAccept: text/event-stream\r\n\r\n";
        assert_eq!(String::from_utf8_lossy(&out), expected);
        out.clear();
        let template = RequestTemplate::new("http://127.0.0.1:81/t", &[]).expect("a valid URL");
        template.write_post("text/plain", b"hello", &mut out);
        let expected = "POST /t HTTP/1.1\r\nHost: 127.0.0.1:81\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello";
        assert_eq!(String::from_utf8_lossy(&out), expected);
        for (url, fields) in [("https://a/", &[][..]), ("http://127.0.0.1/", &[("a b".into(), "c".into())])] {
            assert!(RequestTemplate::new(url, fields).is_err(), "{url}");
        }
    }
}
