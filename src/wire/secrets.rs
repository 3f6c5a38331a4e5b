//! Secrets in a line of a head and in a form: values of secret fields and parameters, passwords in
//! URIs, and tokens among the subprotocols of a handshake.
//!
//! The search uses the line as it was sent, before the line is checked: a token in a malformed line
//! is a secret too.

use std::ops::Range;

use super::secret_names::{SecretNames, decoded, is_known_subprotocol};
use crate::protocol::http::fields::{is_token, trim};
use crate::text::{UriText, in_authority, user_information};

/// The maximum length of a parameter's name in a form, in bytes. The value of a longer one is
/// hidden.
const MAX_NAME_BYTES: usize = 256;

/// How many times a URI may be encoded in a parameter of another URI and still be searched.
const MAX_DEPTH: usize = 3;

/// Returns the secrets in a line without its terminator. `continues` means that the value of the
/// line before is a secret, which a folded line continues.
pub(super) fn in_line(line: &[u8], continues: bool, names: &SecretNames) -> Vec<Range<usize>> {
    if continues && is_folded(line) {
        return std::iter::once(0..line.len()).collect();
    }
    match field(line) {
        Some((name, start)) if names.contains(name) => {
            let value = &line[start..];
            let start = start + value.len() - value.trim_ascii_start().len();
            std::iter::once(start..line.len()).collect()
        }
        Some((name, start)) if is_subprotocol_field(name) => unknown_subprotocols(line, start),
        Some((name, start)) => {
            let mut found = user_information(line, UriText::Field);
            found.extend(host_user(name, line, start));
            found.extend(parameters(line, names, MAX_DEPTH));
            merged(found)
        }
        None => in_request_line(line, names),
    }
}

/// Returns the secrets in a request target.
pub(super) fn in_target(target: &[u8], names: &SecretNames) -> Vec<Range<usize>> {
    let mut found = user_information(target, UriText::Target);
    // The target of CONNECT is an authority, and a malformed target may begin with one.
    let (length, _) = in_authority(target, UriText::Target);
    found.extend((length > 0).then_some(0..length));
    found.extend(parameters(target, names, MAX_DEPTH));
    merged(found)
}

/// Returns the secrets in a line that is not a field: those of the target, which extends to the end
/// because a malformed target may contain spaces.
fn in_request_line(line: &[u8], names: &SecretNames) -> Vec<Range<usize>> {
    let method = if is_status_line(line) { None } else { line.iter().position(|byte| *byte == b' ') };
    let Some(method) = method else {
        let mut found = user_information(line, UriText::Field);
        found.extend(parameters(line, names, MAX_DEPTH));
        return merged(found);
    };
    let rest = line[method..].trim_ascii_start();
    let start = line.len() - rest.len();
    let shifted = |range: Range<usize>| start + range.start..start + range.end;
    in_target(rest, names).into_iter().map(shifted).collect()
}

fn is_status_line(line: &[u8]) -> bool {
    line.starts_with(b"HTTP/")
}

/// Returns the user information in the value of a field that is a host, such as `Host`.
fn host_user(name: &[u8], line: &[u8], start: usize) -> Option<Range<usize>> {
    let name = name.to_ascii_lowercase();
    if name != b"host" && name != b"origin" && !name.ends_with(b"-host") {
        return None;
    }
    let value = line[start..].trim_ascii_start();
    let start = line.len() - value.len();
    let (length, _) = in_authority(value, UriText::Target);
    (length > 0).then_some(start..start + length)
}

/// Sorts ranges and joins those that overlap or touch: a password may look like a parameter.
fn merged(mut found: Vec<Range<usize>>) -> Vec<Range<usize>> {
    found.sort_unstable_by_key(|range| range.start);
    found.dedup_by(|next, last| {
        let overlaps = next.start <= last.end;
        last.end = if overlaps { last.end.max(next.end) } else { last.end };
        overlaps
    });
    found
}

/// Returns true if a folded line after this one would continue a secret.
pub(super) fn continues_after(line: &[u8], continues: bool, names: &SecretNames) -> bool {
    let is_secret = |(name, _): (&[u8], usize)| names.contains(name) || is_subprotocol_field(name);
    field(line).is_some_and(is_secret) || (continues && is_folded(line))
}

fn is_folded(line: &[u8]) -> bool {
    matches!(line, [b' ' | b'\t', ..])
}

/// Returns the name of a field and the position after its colon, even if whitespace surrounds the
/// name.
fn field(line: &[u8]) -> Option<(&[u8], usize)> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let name = trim(&line[..colon]);
    is_token(name).then_some((name, colon + 1))
}

fn is_subprotocol_field(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"sec-websocket-protocol")
}

/// Returns the items of the list from `start` on that are not known subprotocols.
fn unknown_subprotocols(line: &[u8], start: usize) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = start;
    for item in line[start..].split(|byte| *byte == b',') {
        let name = item.trim_ascii();
        if !name.is_empty() && !is_known_subprotocol(name) {
            let first = at + item.len() - item.trim_ascii_start().len();
            found.push(first..first + name.len());
        }
        at += item.len() + 1;
    }
    found
}

/// Returns the values of all secret parameters, in a request target or in a URI in a field. A value
/// that is an encoded URI with a secret parameter is hidden as a whole.
fn parameters(line: &[u8], names: &SecretNames, depth: usize) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let (mut at, mut end) = (0, 0);
    while let Some(equals) = line[at..].iter().position(|byte| *byte == b'=').map(|found| at + found) {
        let begins = |byte: &u8| {
            matches!(byte, b'?' | b'&' | b'#' | b';' | b',' | b'/' | b' ' | b'\t' | b'"' | b'<' | b'>')
        };
        let start = line[at..equals].iter().rposition(begins).map_or(at, |before| at + before + 1);
        at = equals + 1;
        // A value may contain further equals signs. It is searched once, so that the time of the
        // search is proportional to the length of the line.
        let is_within_value = equals < end;
        if !is_within_value {
            // Other separators, such as a semicolon, may be a part of the value.
            let is_end = |byte: &u8| matches!(byte, b'&' | b'#' | b' ' | b'\t' | b'"' | b'>');
            end = line[at..].iter().position(is_end).map_or(line.len(), |length| at + length);
        }
        let value = &line[at..end];
        let is_secret = names.contains_encoded(&line[start..equals])
            || (!is_within_value && depth > 0 && value.contains(&b'%') && {
                let inner = decoded(value);
                !parameters(&inner, names, depth - 1).is_empty()
                    || !user_information(&inner, UriText::Field).is_empty()
            });
        if is_secret && at < end {
            found.push(at..end);
            at = end;
        }
    }
    found
}

/// A search in a form (`application/x-www-form-urlencoded`) that arrives in pieces.
#[derive(Debug, Default)]
pub(super) struct FormSearch {
    /// The name of the current parameter so far, still encoded.
    name: Vec<u8>,
    is_in_value: bool,
    is_secret: bool,
}

impl FormSearch {
    /// Returns the heap memory in bytes.
    pub fn memory(&self) -> usize {
        self.name.capacity()
    }

    /// Returns the secrets in the next piece.
    pub fn push(&mut self, piece: &[u8], names: &SecretNames) -> Vec<Range<usize>> {
        let mut found: Vec<Range<usize>> = Vec::new();
        for (at, byte) in piece.iter().enumerate() {
            match byte {
                b'&' => *self = Self::default(),
                b'=' if !self.is_in_value => {
                    self.is_in_value = true;
                    self.is_secret = self.name.len() > MAX_NAME_BYTES || names.contains_encoded(&self.name);
                }
                _ if self.is_secret => match found.last_mut() {
                    Some(last) if last.end == at => last.end += 1,
                    _ => found.push(at..at + 1),
                },
                _ if !self.is_in_value && self.name.len() <= MAX_NAME_BYTES => self.name.push(*byte),
                _ => {}
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{FormSearch, SecretNames, in_line, in_target};

    fn starred(text: &str, ranges: impl IntoIterator<Item = std::ops::Range<usize>>) -> String {
        let mut bytes = text.as_bytes().to_vec();
        for range in ranges {
            bytes[range].fill(b'*');
        }
        String::from_utf8(bytes).expect("ASCII")
    }

    fn hidden(line: &str, continues: bool) -> String {
        starred(line, in_line(line.as_bytes(), continues, &SecretNames::default()))
    }

    #[test]
    fn finds_secrets_in_malformed_lines() {
        for (line, expected) in [
            ("GET /a?x=1&access_token=se-cret&y=2 HTTP/1.1", "GET /a?x=1&access_token=*******&y=2 HTTP/1.1"),
            ("GET /?access%5Ftoken=abc#access_token=d", "GET /?access%5Ftoken=***#access_token=*"),
            ("GET  /?access_token=abc", "GET  /?access_token=***"),
            ("Authorization: Bearer abc", "Authorization: **********"),
            ("aUTHORIZATION :\tabc", "aUTHORIZATION :\t***"),
            ("Cookie:a=b", "Cookie:***"),
            ("Set-Cookie: a=b; Path=/", "Set-Cookie: ***********"),
            ("Referer: http://a/?access_token=abc", "Referer: http://a/?access_token=***"),
            ("Host: a", "Host: a"),
            ("X-Author: a", "X-Author: a"),
            ("Authorization", "Authorization"),
            ("access_token=", "access_token="),
        ] {
            assert_eq!(hidden(line, false), expected);
        }
        assert_eq!(hidden(" abc", true), "****");
        assert_eq!(hidden(" abc", false), " abc");
    }

    #[test]
    fn finds_the_values_of_fields_and_parameters_by_their_names() {
        for (line, expected) in [
            ("X-Api-Key: abc", "X-Api-Key: ***"),
            ("x-auth-token:abc", "x-auth-token:***"),
            ("X-Authorization: abc", "X-Authorization: ***"),
            ("X_CSRF_Token: abc", "X_CSRF_Token: ***"),
            ("Private-Token: abc", "Private-Token: ***"),
            (
                "GET /?token=a&api_key=b&APIKey=c&key=d HTTP/1.1",
                "GET /?token=*&api_key=*&APIKey=*&key=* HTTP/1.1",
            ),
            ("GET /?code=a&jwt=b&sig=c;d&x=1", "GET /?code=*&jwt=*&sig=***&x=1"),
            ("GET /?clientSecret=a?b&user[password]=c", "GET /?clientSecret=***&user[password]=*"),
            (
                "GET /?X-Amz-Signature=a&X-Amz-Credential=b%2Fc",
                "GET /?X-Amz-Signature=*&X-Amz-Credential=*****",
            ),
            ("GET /a;jsessionid=abc HTTP/1.1", "GET /a;jsessionid=*** HTTP/1.1"),
            ("GET /%3Ftok%65n?%74oken=abc", "GET /%3Ftok%65n?%74oken=***"),
            ("Location: /cb#id_token=a&state=b", "Location: /cb#id_token=*&state=b"),
            ("Link: </a?token=b>; rel=next", "Link: </a?token=*>; rel=next"),
            ("Referer: http://me:pw@a/b", "Referer: http://*****@a/b"),
            ("Referer: http://me:token=pw@a/?x=1", "Referer: http://******************"),
            ("GET /?to=http%3A%2F%2Fa%2F%3Ftoken%3Db&x=1", "GET /?to=*****************************&x=1"),
        ] {
            assert_eq!(hidden(line, false), expected);
        }
        for line in [
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
            "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=15",
            "Access-Control-Allow-Credentials: true",
            "Access-Control-Allow-Headers: Authorization, X-Api-Key",
            "WWW-Authenticate: Bearer error=\"invalid_token\"",
            "Last-Event-ID: abc-1",
            "Idempotency-Key: abc",
            "GET /topics/token?since=abc-1&wait=30&event=key HTTP/1.1",
            "GET http://a:80/b@c HTTP/1.1",
            "Keep-Alive: timeout=5, max=100",
        ] {
            assert_eq!(hidden(line, false), line);
        }
    }

    #[test]
    fn finds_the_user_and_the_password_wherever_a_uri_or_a_host_is_expected() {
        for (line, expected) in [
            ("GET http://user:password@host/a HTTP/1.1", "GET http://*************@host/a HTTP/1.1"),
            ("GET http://:pw@host/ HTTP/1.1", "GET http://***@host/ HTTP/1.1"),
            ("GET http://u%40v:p%2Fw@host/ HTTP/1.1", "GET http://***********@host/ HTTP/1.1"),
            ("GET http://user:p w\"@host/ HTTP/1.1", "GET http://*********@host/ HTTP/1.1"),
            ("GET  http://u:p@h", "GET  http://***@h"),
            ("GET /http://u:p@h/ HTTP/1.1", "GET /http://***@h/ HTTP/1.1"),
            ("GET /?to=//u:p@h/ HTTP/1.1", "GET /?to=//***@h/ HTTP/1.1"),
            ("GET /?to=%2F%2Fu%3Ap%40h HTTP/1.1", "GET /?to=*************** HTTP/1.1"),
            ("CONNECT user:password@host:80 HTTP/1.1", "CONNECT *************@host:80 HTTP/1.1"),
            ("GET user:password@host/ HTTP/1.1", "GET *************@host/ HTTP/1.1"),
            ("Host: user:password@host:80", "Host: *************@host:80"),
            ("host:user%3Apassword%40host", "host:***************%40host"),
            ("X-Forwarded-Host: u:p@h", "X-Forwarded-Host: ***@h"),
            ("Origin: http://user:password@host", "Origin: http://*************@host"),
            ("Origin: user:password@host", "Origin: *************@host"),
            ("Referer: //user:password@host/", "Referer: //*************@host/"),
            ("Location: https://user@host/?a=b", "Location: https://****@host/?a=b"),
            ("Location:\t//u:p@h", "Location:\t//***@h"),
            ("Link: <//u:p@h/>; rel=next", "Link: <//***@h/>; rel=next"),
        ] {
            assert_eq!(hidden(line, false), expected);
        }
        for line in [
            "GET http://host/a:b@c?d:e@f HTTP/1.1",
            "GET http://@host/ HTTP/1.1",
            "GET //a:b@c/ HTTP/1.1",
            "GET /a:b@c HTTP/1.1",
            "GET /?mail=me@host HTTP/1.1",
            "GET /%40a?b=%40c HTTP/1.1",
            "CONNECT host:80 HTTP/1.1",
            "OPTIONS * HTTP/1.1",
            "HTTP/1.1 404 me@host",
            "Host: host:80",
            "Host: [::1]:80",
            "Origin: http://host:80",
            "Origin: null",
            "Referer: http://host/@me",
            "Location: mailto:me@host",
            "From: me@host",
        ] {
            assert_eq!(hidden(line, false), line);
        }
    }

    #[test]
    fn a_target_is_hidden_as_in_its_line() {
        for (target, expected) in [
            ("http://user:password@host/?token=a", "http://*************@host/?token=*"),
            ("user:password@host:80", "*************@host:80"),
            ("/a@b?c", "/a@b?c"),
        ] {
            assert_eq!(starred(target, in_target(target.as_bytes(), &SecretNames::default())), expected);
        }
    }

    /// With a search for each equals sign, this would take hours.
    #[test]
    fn the_time_of_a_search_is_proportional_to_the_length() {
        for part in ["=", "%3D=", "=%253D%25", "?a=%26", "://", "://@", "//", "=a;", "a,"] {
            let line = part.repeat(60_000 / part.len());
            hidden(&format!("GET /?{line}"), false);
            hidden(&format!("Sec-WebSocket-Protocol: {line}"), false);
        }
    }

    #[test]
    fn shows_known_subprotocols_only() {
        for (line, expected) in [
            (
                "Sec-WebSocket-Protocol: barewire.json, graphql-ws",
                "Sec-WebSocket-Protocol: barewire.json, graphql-ws",
            ),
            ("sec-websocket-protocol:Chat,superchat", "sec-websocket-protocol:Chat,superchat"),
            ("Sec-WebSocket-Protocol: bearer, abc ,\tmqtt", "Sec-WebSocket-Protocol: bearer, *** ,\tmqtt"),
            ("Sec-WebSocket-Protocol: abc", "Sec-WebSocket-Protocol: ***"),
            (
                "Sec-WebSocket-Protocol: base64url.bearer.abc,",
                "Sec-WebSocket-Protocol: ********************,",
            ),
            ("Sec-WebSocket-Protocol: ,", "Sec-WebSocket-Protocol: ,"),
        ] {
            assert_eq!(hidden(line, false), expected);
        }
    }

    #[test]
    fn hides_the_names_that_the_user_adds() {
        let names = SecretNames::with(["X-Device", "room_pin"]);
        for (line, expected) in [
            ("x-device: abc", "x-device: ***"),
            ("GET /?room-PIN=1&room=2", "GET /?room-PIN=*&room=2"),
            ("X-Api-Key: abc", "X-Api-Key: ***"),
            ("X-Devices: abc", "X-Devices: abc"),
        ] {
            assert_eq!(starred(line, in_line(line.as_bytes(), false, &names)), expected);
        }
    }

    proptest! {
        #[test]
        fn the_ranges_are_within_any_line_and_in_order(line in "[ -~]{0,9}([?&=:@/%;, ]|://|token|key|\\PC){0,30}", continues: bool) {
            let found = in_line(line.as_bytes(), continues, &SecretNames::default());
            let mut end = None;
            for range in found {
                prop_assert!(range.start < range.end || range.end == line.len(), "{:?}", range);
                prop_assert!(end.is_none_or(|end| range.start > end) && range.end <= line.len(), "{:?}", range);
                end = Some(range.end);
            }
        }
    }

    #[test]
    fn finds_secrets_in_a_form_however_it_is_split() {
        let long = "n".repeat(300);
        let form = format!("user=a&pass%77ord=b=c&token=&x=token&{long}=d&client_secret=ef");
        let expected = format!("user=a&pass%77ord=***&token=&x=token&{long}=*&client_secret=**");
        for size in 1..form.len() + 1 {
            let mut search = FormSearch::default();
            let shown: Vec<String> = form
                .as_bytes()
                .chunks(size)
                .map(|piece| {
                    let found = search.push(piece, &SecretNames::default());
                    starred(str::from_utf8(piece).expect("ASCII"), found)
                })
                .collect();
            assert_eq!(shown.concat(), expected, "pieces of {size}");
        }
    }
}
