//! The query and path segments of a request target, decoded (WHATWG URL §5.1, RFC 3986 §2.1).

use std::borrow::Cow;
use std::fmt;

use super::response::Status;

/// A percent-encoded text that cannot be decoded.
///
/// Browsers keep a malformed `%` as it stands and replace bad UTF-8 (WHATWG URL §1.3, §5.1). A
/// topic or a cursor that was read like that would be another than the client meant, so it is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadEncoding {
    /// A `%` without two hexadecimal digits behind it.
    Percent,
    /// The decoded bytes are not UTF-8.
    Utf8,
}

impl BadEncoding {
    /// The status to answer with.
    pub fn status(self) -> Status {
        Status::BAD_REQUEST
    }
}

impl fmt::Display for BadEncoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Percent => "A % stands without two hexadecimal digits behind it (RFC 3986 §2.1).",
            Self::Utf8 => "The percent-encoded bytes are not UTF-8 (WHATWG URL §5.1).",
        })
    }
}

impl std::error::Error for BadEncoding {}

/// The parameters of a raw query, in `application/x-www-form-urlencoded`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Query<'a> {
    raw: &'a str,
}

impl<'a> Query<'a> {
    /// The parameters of `raw`, the target's query without its `?`; a target without has none.
    pub fn new(raw: Option<&'a str>) -> Self {
        Self { raw: raw.unwrap_or_default() }
    }

    /// The value of the first parameter called `name`, decoded: `+` is a space, `%XX` a byte
    /// (WHATWG URL §5.1). A parameter without `=` has an empty value.
    ///
    /// # Errors
    /// [`BadEncoding`] if that value cannot be decoded. A *name* that cannot is nobody's, and skipped.
    pub fn get(&self, name: &str) -> Option<Result<Cow<'a, str>, BadEncoding>> {
        let mut rest = self.raw;
        while !rest.is_empty() {
            let (parameter, behind) = part(rest, b'&');
            let (key, value) = part(parameter, b'=');
            let found = !parameter.is_empty() && decode(key, Plus::Space).is_ok_and(|key| key == name);
            if found {
                return Some(decode(value, Plus::Space));
            }
            rest = behind;
        }
        None
    }
}

/// What stands before the first `separator`, and what behind it. Texts in a query are short, and a plain loop is done before
/// a search made for long ones has begun.
fn part(text: &str, separator: u8) -> (&str, &str) {
    match text.bytes().position(|byte| byte == separator) {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, ""),
    }
}

/// Decodes one segment of a path: `%XX` is a byte, `+` a plus (RFC 3986 §2.1, §3.3).
///
/// Split the path at its slashes first: `%2F` is a slash inside a segment.
///
/// # Errors
/// [`BadEncoding`] for a malformed `%` and for what is not UTF-8.
pub fn percent_decode_path_segment(segment: &str) -> Result<Cow<'_, str>, BadEncoding> {
    decode(segment, Plus::Itself)
}

/// What `+` stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Plus {
    Space,
    Itself,
}

fn decode(text: &str, plus: Plus) -> Result<Cow<'_, str>, BadEncoding> {
    let is_encoded = |byte: u8| byte == b'%' || (byte == b'+' && plus == Plus::Space);
    if !text.bytes().any(is_encoded) {
        return Ok(Cow::Borrowed(text));
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [byte, tail @ ..] = rest {
        rest = tail;
        match byte {
            b'+' if plus == Plus::Space => decoded.push(b' '),
            b'%' => {
                let [high, low, tail @ ..] = rest else { return Err(BadEncoding::Percent) };
                let (high, low) = hexadecimal(*high).zip(hexadecimal(*low)).ok_or(BadEncoding::Percent)?;
                decoded.push(high << 4 | low);
                rest = tail;
            }
            _ => decoded.push(*byte),
        }
    }
    String::from_utf8(decoded).map(Cow::Owned).map_err(|_| BadEncoding::Utf8)
}

/// The value of a `HEXDIG`, in either case (RFC 5234 §B.1).
pub(super) const fn hexadecimal(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get<'a>(raw: &'a str, name: &str) -> Option<Result<Cow<'a, str>, BadEncoding>> {
        Query::new(Some(raw)).get(name)
    }

    #[test]
    fn the_first_parameter_of_a_name_counts() {
        assert_eq!(get("a=1&b=2&a=3", "a"), Some(Ok("1".into())));
        assert_eq!(get("a=1&b=2", "c"), None);
        assert_eq!(get("a=1&b&c=", "b"), Some(Ok("".into())));
        assert_eq!(get("a=1=2", "a"), Some(Ok("1=2".into())));
        assert_eq!(get("&&a=1", "a"), Some(Ok("1".into())));
        assert_eq!(get("", ""), None);
        assert_eq!(Query::new(None).get("a"), None);
    }

    #[test]
    fn names_and_values_are_form_decoded() {
        assert_eq!(get("a+b=c+%2b%C3%a9", "a b"), Some(Ok("c +\u{e9}".into())));
        assert_eq!(get("%61=1", "a"), Some(Ok("1".into())));
        assert_eq!(get("%6=1&a=2", "a"), Some(Ok("2".into())));
        for raw in ["a=%", "a=%4", "a=%g1", "a=1%"] {
            assert_eq!(get(raw, "a"), Some(Err(BadEncoding::Percent)), "{raw}");
        }
        assert_eq!(get("a=%ff", "a"), Some(Err(BadEncoding::Utf8)));
    }

    #[test]
    fn a_plus_in_a_path_is_a_plus() {
        assert_eq!(percent_decode_path_segment("a+b%20%2F"), Ok("a+b /".into()));
        assert!(matches!(percent_decode_path_segment("plain"), Ok(Cow::Borrowed("plain"))));
        assert_eq!(percent_decode_path_segment("%c3"), Err(BadEncoding::Utf8));
    }
}
