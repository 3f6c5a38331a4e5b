//! Secrets in a line of a head: credentials, cookies, and tokens in a query.
//!
//! The search uses the line as it was sent, before the line is checked: a token in a malformed line
//! is a secret too.

use std::ops::Range;

use crate::protocol::http::fields::trim;
use crate::protocol::http::percent_decode_path_segment;

/// Fields whose value is a secret.
const SECRET_FIELDS: [&[u8]; 4] = [b"authorization", b"proxy-authorization", b"cookie", b"set-cookie"];

/// The query parameter that contains a token (RFC 6750 §2.3).
const TOKEN_PARAMETER: &str = "access_token";

/// Returns the secrets in a line without its terminator. `continues` means that the value of the
/// line before is a secret, which a folded line continues.
pub(super) fn in_line(line: &[u8], continues: bool) -> Vec<Range<usize>> {
    let all_from = |start| std::iter::once(start..line.len()).collect();
    if continues && matches!(line, [b' ' | b'\t', ..]) {
        return all_from(0);
    }
    if is_secret_field(line) {
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(0);
        let value = &line[colon + 1..];
        let start = colon + 1 + (value.len() - value.trim_ascii_start().len());
        return all_from(start);
    }
    token_parameters(line)
}

/// Returns true if a folded line after this one would continue a secret.
pub(super) fn continues_after(line: &[u8], continues: bool) -> bool {
    is_secret_field(line) || (continues && matches!(line, [b' ' | b'\t', ..]))
}

/// Returns true for a field with a secret value, even if the line is malformed.
fn is_secret_field(line: &[u8]) -> bool {
    let mut halves = line.splitn(2, |byte| *byte == b':');
    let name = trim(halves.next().unwrap_or_default());
    halves.next().is_some() && SECRET_FIELDS.iter().any(|field| name.eq_ignore_ascii_case(field))
}

/// Returns the values of all token parameters, in a request target or in a URI in a field.
fn token_parameters(line: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start = 0;
    for part in line.split(|byte| matches!(byte, b'?' | b'&' | b'#' | b' ' | b'"' | b'>' | b';')) {
        if let Some(equals) = part.iter().position(|byte| *byte == b'=')
            && let Ok(name) = str::from_utf8(&part[..equals])
            && percent_decode_path_segment(name).is_ok_and(|name| name.eq_ignore_ascii_case(TOKEN_PARAMETER))
            && equals + 1 < part.len()
        {
            found.push(start + equals + 1..start + part.len());
        }
        start += part.len() + 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::in_line;

    fn hidden(line: &str, continues: bool) -> String {
        let mut bytes = line.as_bytes().to_vec();
        for range in in_line(line.as_bytes(), continues) {
            bytes[range].fill(b'*');
        }
        String::from_utf8(bytes).expect("ASCII")
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
            ("X-Authorization: a", "X-Authorization: a"),
            ("Authorization", "Authorization"),
            ("access_token=", "access_token="),
        ] {
            assert_eq!(hidden(line, false), expected);
        }
        assert_eq!(hidden(" abc", true), "****");
        assert_eq!(hidden(" abc", false), " abc");
    }
}
