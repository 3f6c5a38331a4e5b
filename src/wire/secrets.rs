//! Which bytes of a head's line are a secret: credentials, cookies, and tokens in a query.
//!
//! They are found in the line as it came, before it is known whether it is right: a token in a malformed line is one too.

use std::ops::Range;

use crate::protocol::http::fields::trim;
use crate::protocol::http::percent_decode_path_segment;

/// Fields whose whole value is a secret.
const FIELDS: [&[u8]; 4] = [b"authorization", b"proxy-authorization", b"cookie", b"set-cookie"];

/// The parameter of a query that carries a token (RFC 6750 §2.3).
const PARAMETER: &str = "access_token";

/// The secrets in a line, without its end; `continues` if the line before it was one whose value is, which this one may continue.
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
    parameters(line)
}

/// Whether the line is a field whose value is a secret, whatever is wrong with the line.
fn is_secret_field(line: &[u8]) -> bool {
    let mut halves = line.splitn(2, |byte| *byte == b':');
    let name = trim(halves.next().unwrap_or_default());
    halves.next().is_some() && FIELDS.iter().any(|field| name.eq_ignore_ascii_case(field))
}

/// Whether a folded line would go on with the secret of this one.
pub(super) fn continues_after(line: &[u8], continues: bool) -> bool {
    is_secret_field(line) || (continues && matches!(line, [b' ' | b'\t', ..]))
}

/// The values of all parameters that carry a token, in a target or in a URI that a field holds.
fn parameters(line: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start = 0;
    for part in line.split(|byte| matches!(byte, b'?' | b'&' | b'#' | b' ' | b'"' | b'>' | b';')) {
        if let Some(equals) = part.iter().position(|byte| *byte == b'=')
            && let Ok(name) = str::from_utf8(&part[..equals])
            && percent_decode_path_segment(name).is_ok_and(|name| name.eq_ignore_ascii_case(PARAMETER))
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

    fn shown(line: &str, continues: bool) -> String {
        let mut bytes = line.as_bytes().to_vec();
        for range in in_line(line.as_bytes(), continues) {
            bytes[range].fill(b'*');
        }
        String::from_utf8(bytes).expect("ASCII")
    }

    #[test]
    fn secrets_are_found_whatever_is_wrong_with_the_line() {
        for (line, is) in [
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
            assert_eq!(shown(line, false), is);
        }
        assert_eq!(shown(" abc", true), "****");
        assert_eq!(shown(" abc", false), " abc");
    }
}
