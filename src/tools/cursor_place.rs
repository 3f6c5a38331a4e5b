//! The place of the cursor of the next poll in a response, and its form in a request target.

use crate::client::json::{JsonError, Reader};
use crate::protocol::http::Response;
use crate::protocol::http::fields::{is_token, trim};

/// Where a response has the cursor of the next request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CursorPlace {
    /// The response field of this name.
    Header(String),
    /// The member of this name of the JSON object in the body. A string is unescaped; any other
    /// value is used as written.
    Json(String),
}

impl CursorPlace {
    /// Parses `header:NAME` or `json:FIELD`.
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once(':')? {
            ("header", name) if is_token(name.as_bytes()) => Some(Self::Header(name.to_owned())),
            ("json", name) if !name.is_empty() => Some(Self::Json(name.to_owned())),
            _ => None,
        }
    }

    /// Returns the cursor if it is in the head.
    pub fn in_head(&self, response: &Response<'_, '_>) -> Option<String> {
        let Self::Header(name) = self else { return None };
        let value = trim(response.fields.get(name)?);
        Some(String::from_utf8_lossy(value).into_owned())
    }

    /// Returns the cursor if it is in the body.
    pub fn in_body(&self, body: &[u8]) -> Option<String> {
        let Self::Json(wanted) = self else { return None };
        let mut cursor = None;
        let mut reader = Reader::new(body).ok()?;
        // Invalid JSON after the cursor does not matter here.
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

/// Appends a cursor, with every character percent-encoded that is not allowed in a query or would
/// end the value (RFC 3986 §2.1, §3.4).
pub fn write_encoded(cursor: &str, out: &mut Vec<u8>) {
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
    fn reads_a_cursor_from_a_response_field() {
        let head = b"HTTP/1.1 200 OK\r\nX-Cursor:  17:0 \r\n\r\n";
        let mut scratch = scratch();
        let response = parse_response(head, &mut scratch, &HeadLimits::default()).expect("a valid head");
        let place = CursorPlace::parse("header:x-cursor").expect("a valid place");
        assert_eq!(place.in_head(&response).as_deref(), Some("17:0"));
        let other = CursorPlace::parse("header:other").expect("a valid place");
        assert_eq!(other.in_head(&response), None);
        assert_eq!(place.in_body(b"{\"x-cursor\":1}"), None);
    }

    #[test]
    fn reads_a_cursor_from_a_json_member() {
        let place = CursorPlace::parse("json:next").expect("a valid place");
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
}
