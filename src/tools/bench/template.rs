//! Requests from a template: what stands in `{cursor}` and `{n}` differs from one to the next.

use std::net::{SocketAddr, ToSocketAddrs};
use std::rc::Rc;

use crate::client::Url;
use crate::protocol::http::Response;
use crate::protocol::http::fields::{is_control, is_token, trim};
use crate::protocol::json::{JsonError, Reader};

/// Where an answer has the cursor of the next request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CursorPlace {
    /// The field of this name in its head.
    Header(String),
    /// The member of this name of the object in its body: a string, or else the value as it stands.
    Json(String),
}

impl CursorPlace {
    /// Reads `header:NAME` or `json:FIELD`.
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once(':')? {
            ("header", name) if is_token(name.as_bytes()) => Some(Self::Header(name.to_owned())),
            ("json", name) if !name.is_empty() => Some(Self::Json(name.to_owned())),
            _ => None,
        }
    }

    /// The cursor in a head, if it is there.
    pub fn in_head(&self, response: &Response<'_, '_>) -> Option<String> {
        let Self::Header(name) = self else { return None };
        let value = trim(response.fields.get(name)?);
        Some(String::from_utf8_lossy(value).into_owned())
    }

    /// The cursor in a body, if it is there.
    pub fn in_body(&self, body: &[u8]) -> Option<String> {
        let Self::Json(wanted) = self else { return None };
        let mut cursor = None;
        let mut reader = Reader::new(body).ok()?;
        // What is wrong behind the cursor is not this reader's business.
        let _ = reader.object(|name, reader| -> Result<(), JsonError> {
            if name != wanted {
                return reader.skip();
            }
            let raw = reader.raw()?;
            let mut text = String::new();
            let is_string = raw.starts_with('"');
            cursor = match is_string.then(|| Reader::new(raw.as_bytes())?.string(&mut text)) {
                Some(read) => read.is_ok().then_some(text),
                None => Some(raw.to_owned()),
            };
            Ok(())
        });
        cursor
    }
}

/// What is asked for, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asking {
    /// The first address of the URL's host.
    pub address: SocketAddr,
    /// The value of `Host`.
    pub authority: String,
    /// Path and query, with their places.
    pub target: String,
    /// Other fields: name and value.
    pub fields: Vec<(String, String)>,
    /// The subprotocols that a WebSocket asks for (RFC 6455 §1.9): the members of `Sec-WebSocket-Protocol`, if that was among the fields.
    pub subprotocols: Rc<[String]>,
    /// The target, cut at its places.
    parts: Vec<Part>,
    /// `Host` and the other fields as they stand in each request.
    lines: Vec<u8>,
}

/// A part of a target.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Cursor,
    Number,
}

impl Asking {
    /// Reads a URL with places in it, and resolves its host.
    ///
    /// # Errors
    /// In words: it is no URL, or its host has no address; a field can't be sent.
    pub fn new(url: &str, fields: &[(String, String)]) -> Result<Self, String> {
        // Braces stand for themselves in no URL (RFC 3986 §2), so nothing else is lost by taking them for places.
        let url = Url::parse(url).map_err(|error| error.to_string())?;
        for (name, value) in fields {
            if !is_token(name.as_bytes()) || value.bytes().any(is_control) {
                return Err(format!("{name:?} is no field that can be sent (RFC 9110 section 5)"));
            }
        }
        let addresses = (&*url.host, url.port).to_socket_addrs();
        let address = addresses.map_err(|error| format!("{}: {error}", url.host))?.next();
        let address = address.ok_or_else(|| format!("{} has no address", url.host))?;
        // The answer is held against these, so the handshake has to know of them.
        let (subprotocols, fields): (Vec<_>, Vec<_>) =
            fields.iter().cloned().partition(|(name, _)| name.eq_ignore_ascii_case("Sec-WebSocket-Protocol"));
        let subprotocols = subprotocols.iter().flat_map(|(_, value)| value.split(','));
        let subprotocols = subprotocols.map(|one| one.trim().to_owned()).collect();
        let mut lines = Vec::new();
        line(&mut lines, &["Host: ", &url.authority]);
        for (name, value) in &fields {
            line(&mut lines, &[name, ": ", value]);
        }
        let (authority, parts) = (url.authority, parts(&url.target));
        Ok(Self { address, authority, target: url.target, fields, subprotocols, parts, lines })
    }

    /// Whether a request differs from one connection to the next.
    pub fn has_numbers(&self) -> bool {
        self.parts.contains(&Part::Number)
    }

    /// Appends path and query of one request.
    pub fn write_target(&self, cursor: &str, number: usize, out: &mut Vec<u8>) {
        for part in &self.parts {
            match part {
                Part::Text(text) => out.extend_from_slice(text.as_bytes()),
                Part::Cursor => write_encoded(cursor, out),
                Part::Number => out.extend_from_slice(number.to_string().as_bytes()),
            }
        }
    }

    /// Appends a GET; `accept` is the media type that is wanted, if that is said.
    pub fn write_get(&self, cursor: &str, number: usize, accept: Option<&str>, out: &mut Vec<u8>) {
        self.write_head("GET ", cursor, number, out);
        if let Some(accept) = accept {
            line(out, &["Accept: ", accept]);
        }
        line(out, &[]);
    }

    /// Appends a POST with this body.
    pub fn write_post(&self, body: &[u8], out: &mut Vec<u8>) {
        self.write_head("POST ", "", 0, out);
        if !self.fields.iter().any(|(name, _)| name.eq_ignore_ascii_case("Content-Type")) {
            line(out, &["Content-Type: text/plain"]);
        }
        line(out, &["Content-Length: ", &body.len().to_string()]);
        line(out, &[]);
        out.extend_from_slice(body);
    }

    fn write_head(&self, method: &str, cursor: &str, number: usize, out: &mut Vec<u8>) {
        out.extend_from_slice(method.as_bytes());
        self.write_target(cursor, number, out);
        line(out, &[" HTTP/1.1"]);
        out.extend_from_slice(&self.lines);
    }
}

/// Cuts a target at its places.
fn parts(target: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut rest = target;
    while let Some(at) = rest.find('{') {
        let (before, behind) = rest.split_at(at);
        let place = [("{cursor}", Part::Cursor), ("{n}", Part::Number)];
        let found = place.into_iter().find_map(|(name, part)| Some((behind.strip_prefix(name)?, part)));
        // Other braces are the server's business.
        let (behind, part) = found.unwrap_or_else(|| (&behind[1..], Part::Text("{".into())));
        parts.extend([Part::Text(before.into()), part]);
        rest = behind;
    }
    parts.push(Part::Text(rest.into()));
    parts
}

fn line(out: &mut Vec<u8>, parts: &[&str]) {
    parts.iter().for_each(|part| out.extend_from_slice(part.as_bytes()));
    out.extend_from_slice(b"\r\n");
}

/// Appends a cursor as it stands in a URL: what would end the value of a query, or may not stand there, is percent-encoded (RFC 3986 §2.1, §3.4).
fn write_encoded(cursor: &str, out: &mut Vec<u8>) {
    for byte in cursor.bytes() {
        match byte {
            b'&' | b'=' | b'+' | b'#' | b'%' | b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|'
            | b'}' => {
                out.extend_from_slice(format!("%{byte:02X}").as_bytes());
            }
            byte if byte.is_ascii_graphic() => out.push(byte),
            byte => out.extend_from_slice(format!("%{byte:02X}").as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::http::{HeadLimits, parse_response, scratch};

    #[test]
    fn a_cursor_is_read_from_a_field_of_the_head() {
        let head = b"HTTP/1.1 200 OK\r\nX-Cursor:  17:0 \r\n\r\n";
        let mut scratch = scratch();
        let response = parse_response(head, &mut scratch, &HeadLimits::default()).expect("a head");
        let place = CursorPlace::parse("header:x-cursor").expect("it is one");
        assert_eq!(place.in_head(&response).as_deref(), Some("17:0"));
        assert_eq!(CursorPlace::parse("header:other").expect("one").in_head(&response), None);
        assert_eq!(place.in_body(b"{\"x-cursor\":1}"), None);
    }

    #[test]
    fn a_cursor_is_read_from_a_member_of_the_body() {
        let place = CursorPlace::parse("json:next").expect("it is one");
        for (body, cursor) in [
            (r#"{"events":[{"next":"no"}],"next":"a\u002d1"}"#, Some("a-1")),
            (r#"{"next": 17 ,"more":true}"#, Some("17")),
            (r#"{"next":"early","rest":nonsense"#, Some("early")),
            (r#"{"events":[]}"#, None),
            ("no JSON", None),
            ("", None),
        ] {
            assert_eq!(place.in_body(body.as_bytes()).as_deref(), cursor, "{body}");
        }
        for text in ["next", "json:", "header:", "header:a b", "body:next"] {
            assert_eq!(CursorPlace::parse(text), None, "{text}");
        }
    }

    #[test]
    fn requests_are_filled_in() {
        let fields = [("X-A".to_owned(), "b".to_owned())];
        let asking = Asking::new("http://127.0.0.1:81/t{{x}?since={cursor}&n={n}", &fields).expect("right");
        let mut out = Vec::new();
        asking.write_get("a&b:1", 7, Some("text/event-stream"), &mut out);
        let expected = "GET /t{{x}?since=a%26b:1&n=7 HTTP/1.1\r\nHost: 127.0.0.1:81\r\nX-A: b\r\nAccept: text/event-stream\r\n\r\n";
        assert_eq!(String::from_utf8_lossy(&out), expected);
        out.clear();
        Asking::new("http://127.0.0.1:81/t", &[]).expect("right").write_post(b"hello", &mut out);
        let expected = "POST /t HTTP/1.1\r\nHost: 127.0.0.1:81\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello";
        assert_eq!(String::from_utf8_lossy(&out), expected);
        for (url, fields) in [("https://a/", &[][..]), ("http://127.0.0.1/", &[("a b".into(), "c".into())])] {
            assert!(Asking::new(url, fields).is_err(), "{url}");
        }
    }
}
