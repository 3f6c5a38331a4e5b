//! User information in text from a peer: the `user:password` of `http://user:password@host/`
//! (RFC 3986 §3.2.1). HTTP has no use for it (RFC 9110 §4.2.4), and a log or a view must hide it.

use std::borrow::Cow;
use std::ops::Range;

/// The kind of text that is searched, which determines where an authority can begin and end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UriText {
    /// A path, or a request line: `//` begins an authority only after a scheme or in a query, and
    /// bytes that no URI can have do not end it.
    Target,
    /// The value of a field, which can be several URIs and references without a scheme, such as
    /// `//user@host/`.
    Field,
}

/// Returns the ranges of the user information in all URIs of a text, in order.
pub fn user_information(text: &[u8], kind: UriText) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(slashes) = text[at..].windows(2).position(|two| two == b"//") {
        let start = at + slashes + 2;
        let begins = match text[..start - 2].last() {
            Some(b':' | b'=') => true,
            None | Some(b' ' | b'\t' | b'<' | b'"' | b'\'' | b'(' | b',' | b';') => kind == UriText::Field,
            Some(_) => false,
        };
        // A third slash may begin the next pair.
        at = start - 1;
        if begins {
            let (length, end) = in_authority(&text[start..], kind);
            found.extend((length > 0).then(|| start..start + length));
            at = start + end;
        }
    }
    found
}

/// Returns the length of the user information at the start of an authority, and the length of the
/// authority.
pub fn in_authority(text: &[u8], kind: UriText) -> (usize, usize) {
    let is_end = |byte: &u8| match byte {
        b'/' | b'?' | b'#' => true,
        b' ' | b'\t' | b'"' | b'>' => kind == UriText::Field,
        _ => false,
    };
    let end = text.iter().position(is_end).unwrap_or(text.len());
    let authority = &text[..end];
    // The last `@` separates, because a password may contain another one. No host has an encoded
    // one, so it separates as well.
    let separator = authority.iter().rposition(|byte| *byte == b'@');
    let encoded = || authority.windows(3).rposition(|three| three == b"%40");
    (separator.or_else(encoded).unwrap_or(0), end)
}

/// Returns a path with `*` for each byte of user information in it: a path may contain a URI.
pub fn without_user_information(path: &str) -> Cow<'_, str> {
    let found = user_information(path.as_bytes(), UriText::Target);
    if found.is_empty() {
        return path.into();
    }
    let mut shown = String::with_capacity(path.len());
    let mut at = 0;
    for range in found {
        // A range begins and ends next to ASCII characters, so at characters.
        shown.push_str(&path[at..range.start]);
        shown.extend(std::iter::repeat_n('*', range.len()));
        at = range.end;
    }
    shown.push_str(&path[at..]);
    shown.into()
}

#[cfg(test)]
mod tests {
    use super::{UriText, in_authority, user_information, without_user_information};

    fn hidden(text: &str, kind: UriText) -> String {
        let mut bytes = text.as_bytes().to_vec();
        for range in user_information(text.as_bytes(), kind) {
            bytes[range].fill(b'*');
        }
        String::from_utf8(bytes).expect("ASCII")
    }

    #[test]
    fn finds_user_information_in_every_uri_of_a_text() {
        for (text, expected) in [
            ("http://user:password@host/path", "http://*************@host/path"),
            ("http://user@host", "http://****@host"),
            ("http://user:@host", "http://*****@host"),
            ("http://:password@host", "http://*********@host"),
            ("http://us%40er:p%3Aw%2F@host/", "http://****************@host/"),
            ("http://a@b:c@host/", "http://*****@host/"),
            ("http://user:password%40host/", "http://*************%40host/"),
            ("http://user:password@[::1]:80?x@y", "http://*************@[::1]:80?x@y"),
            ("/proxy/https://a:b@c/d", "/proxy/https://***@c/d"),
            ("/?to=//a:b@c/&to=http://d@e", "/?to=//***@c/&to=http://*@e"),
            ("x:///y://a@b", "x:///y://*@b"),
        ] {
            for kind in [UriText::Target, UriText::Field] {
                assert_eq!(hidden(text, kind), expected);
            }
            assert_eq!(without_user_information(text), expected);
        }
        for text in [
            "http://@host/",
            "http://host/a@b",
            "http://host/a:b@c",
            "http://host?a@b",
            "http://host?mail=me:x@host",
            "http://host#a@b",
            "http://host/%40a",
            "/a@b",
            "/a//b@c",
            "",
            "//",
            "mailto:me@host",
        ] {
            for kind in [UriText::Target, UriText::Field] {
                assert_eq!(hidden(text, kind), text);
            }
            assert_eq!(without_user_information(text), text);
        }
        for (text, target, field) in [
            ("//a:b@c/", "//a:b@c/", "//***@c/"),
            ("<//a@b>, <//c@d>", "<//a@b>, <//c@d>", "<//*@b>, <//*@d>"),
            ("http://a b\"c>@d/", "http://******@d/", "http://a b\"c>@d/"),
        ] {
            assert_eq!((&*hidden(text, UriText::Target), &*hidden(text, UriText::Field)), (target, field));
        }
    }

    #[test]
    fn finds_the_user_information_of_an_authority() {
        for (text, length, end) in
            [("host:80", 0, 7), ("user:pw@host:80", 7, 15), ("a@b/c@d", 1, 3), ("@a", 0, 2), ("", 0, 0)]
        {
            assert_eq!(in_authority(text.as_bytes(), UriText::Target), (length, end), "{text}");
        }
    }

    /// With a search of the rest for each pair of slashes, this would take hours.
    #[test]
    fn the_time_of_a_search_is_proportional_to_the_length() {
        for part in ["//", "://", "=//@", ":///", "://%40"] {
            user_information(part.repeat(1_000_000).as_bytes(), UriText::Field);
        }
    }

    #[test]
    fn a_path_is_divided_between_characters() {
        assert_eq!(without_user_information("/é://é:ü@ö/ü@"), "/é://*****@ö/ü@");
    }
}
