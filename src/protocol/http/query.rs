//! Decoding the query and the path segments of a request target (WHATWG URL §5.1, RFC 3986 §2.1).

use std::borrow::Cow;

use super::rules::EncodingError;

/// The parameters of a query in the format `application/x-www-form-urlencoded`, still encoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Query<'a> {
    raw: &'a str,
}

impl<'a> Query<'a> {
    /// Returns the parameters of `raw`, the query of a target without its `?`.
    pub fn new(raw: Option<&'a str>) -> Self {
        Self { raw: raw.unwrap_or_default() }
    }

    /// Returns the decoded value of the first parameter called `name`: `+` is a space, `%XX` a byte
    /// (WHATWG URL §5.1). A parameter without `=` has an empty value.
    ///
    /// # Errors
    /// Returns an [`EncodingError`] if the value cannot be decoded. A parameter whose *name* cannot
    /// be decoded is skipped.
    pub fn get(&self, name: &str) -> Option<Result<Cow<'a, str>, EncodingError>> {
        let mut rest = self.raw;
        while !rest.is_empty() {
            let (parameter, next) = split(rest, b'&');
            let (key, value) = split(parameter, b'=');
            let found = !parameter.is_empty() && decode(key, b' ').is_ok_and(|key| key == name);
            if found {
                return Some(decode(value, b' '));
            }
            rest = next;
        }
        None
    }
}

/// Splits `text` at the first `separator`. A plain loop is faster here than `split_once`, because
/// the parts of a query are short.
fn split(text: &str, separator: u8) -> (&str, &str) {
    match text.bytes().position(|byte| byte == separator) {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, ""),
    }
}

/// Decodes one segment of a path: `%XX` is a byte, `+` a plus sign (RFC 3986 §2.1, §3.3).
///
/// Split the path at its slashes first, because `%2F` is a slash inside a segment.
///
/// # Errors
/// Returns an [`EncodingError`] for a malformed `%` and for bytes that are not UTF-8.
pub fn percent_decode_path_segment(segment: &str) -> Result<Cow<'_, str>, EncodingError> {
    decode(segment, b'+')
}

/// Decodes `text`, in which `+` stands for the byte `plus`.
fn decode(text: &str, plus: u8) -> Result<Cow<'_, str>, EncodingError> {
    let is_encoded = |byte: u8| byte == b'%' || (byte == b'+' && plus != b'+');
    if !text.bytes().any(is_encoded) {
        return Ok(Cow::Borrowed(text));
    }
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [byte, tail @ ..] = rest {
        rest = tail;
        match byte {
            b'+' => decoded.push(plus),
            b'%' => {
                let [high, low, tail @ ..] = rest else { return Err(EncodingError::Percent) };
                let (high, low) = digit(*high).zip(digit(*low)).ok_or(EncodingError::Percent)?;
                decoded.push((high << 4 | low) as u8);
                rest = tail;
            }
            _ => decoded.push(*byte),
        }
    }
    String::from_utf8(decoded).map(Cow::Owned).map_err(|_| EncodingError::Utf8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get<'a>(raw: &'a str, name: &str) -> Option<Result<Cow<'a, str>, EncodingError>> {
        Query::new(Some(raw)).get(name)
    }

    #[test]
    fn returns_the_first_parameter_with_the_name() {
        assert_eq!(get("a=1&b=2&a=3", "a"), Some(Ok("1".into())));
        assert_eq!(get("a=1&b=2", "c"), None);
        assert_eq!(get("a=1&b&c=", "b"), Some(Ok("".into())));
        assert_eq!(get("a=1=2", "a"), Some(Ok("1=2".into())));
        assert_eq!(get("&&a=1", "a"), Some(Ok("1".into())));
        assert_eq!(get("", ""), None);
        assert_eq!(Query::new(None).get("a"), None);
    }

    #[test]
    fn decodes_names_and_values_of_a_query() {
        assert_eq!(get("a+b=c+%2b%C3%a9", "a b"), Some(Ok("c +\u{e9}".into())));
        assert_eq!(get("%61=1", "a"), Some(Ok("1".into())));
        assert_eq!(get("%6=1&a=2", "a"), Some(Ok("2".into())));
        for raw in ["a=%", "a=%4", "a=%g1", "a=1%"] {
            assert_eq!(get(raw, "a"), Some(Err(EncodingError::Percent)), "{raw}");
        }
        assert_eq!(get("a=%ff", "a"), Some(Err(EncodingError::Utf8)));
    }

    #[test]
    fn a_plus_in_a_path_is_not_a_space() {
        assert_eq!(percent_decode_path_segment("a+b%20%2F"), Ok("a+b /".into()));
        assert!(matches!(percent_decode_path_segment("plain"), Ok(Cow::Borrowed("plain"))));
        assert_eq!(percent_decode_path_segment("%c3"), Err(EncodingError::Utf8));
    }
}
