//! The grammars of field values: tokens, lists, weights, preferences, entity tags, credentials
//! (RFC 9110 §5.6, §8.8.3, §11.4, §12.4.2, §12.5.1; RFC 7240; RFC 6750).

/// The default weight of a media range, in thousandths (RFC 9110 §12.4.2).
const FULL: u16 = 1000;

/// Returns whether `byte` is allowed in a token (`tchar`, RFC 9110 §5.6.2).
pub const fn is_tchar(byte: u8) -> bool {
    // The two ranges are `#$%&'` and `^_` with the grave accent.
    matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~')
        || byte.is_ascii_alphanumeric()
}

/// Returns whether `text` is a token: one or more `tchar` (RFC 9110 §5.6.2).
pub fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|byte| is_tchar(*byte))
}

/// Returns whether `byte` is a control character other than HTAB, which no line of a message may
/// contain (RFC 9110 §5.5: `field-vchar` is VCHAR or obs-text, separated by SP and HTAB).
pub const fn is_control(byte: u8) -> bool {
    (byte < b' ' && byte != b'\t') || byte == 0x7f
}

/// Returns `bytes` without the optional whitespace (SP, HTAB) at both ends (RFC 9110 §5.6.3).
pub fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

/// Returns `text` if it is `1*DIGIT`.
pub(super) fn digits(text: &[u8]) -> Option<&str> {
    let is_number = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    if is_number { str::from_utf8(text).ok() } else { None }
}

/// Returns the members of a comma-separated list, trimmed. A comma inside a quoted string does not
/// separate members (RFC 9110 §5.6.1, §5.6.4).
///
/// Empty members are skipped, as a recipient must ignore them (§5.6.1.2).
pub fn members(line: &[u8]) -> impl Iterator<Item = &[u8]> + Clone {
    parts(line, b',').filter(|member| !member.is_empty())
}

/// Returns the trimmed parts between the `separator`s outside quoted strings, including empty
/// parts.
pub(super) fn parts(line: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> + Clone {
    let (mut quoted, mut escaped) = (false, false);
    let is_separator = move |&byte: &u8| {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ => return byte == separator && !quoted,
        }
        false
    };
    line.split(is_separator).map(trim)
}

/// A media range of `Accept` and its weight (RFC 9110 §12.5.1).
struct MediaRange<'a> {
    kind: &'a [u8],
    subtype: &'a [u8],
    /// The weight in thousandths.
    weight: u16,
}

impl<'a> MediaRange<'a> {
    /// Reads one list member. Returns `None` if the member is not a media range, or if only content
    /// with a parameter would match it.
    ///
    /// A parameter makes a range narrower, and barewire sends content without parameters. The
    /// exception is `charset=utf-8`: JSON and event streams are always UTF-8 (RFC 8259 §8.1, WHATWG
    /// HTML §9.2.4), so the parameter excludes nothing.
    fn read(member: &'a [u8]) -> Option<Self> {
        let mut parts = parts(member, b';');
        let range = parts.next()?;
        let slash = range.iter().position(|byte| *byte == b'/')?;
        let (kind, subtype) = (&range[..slash], &range[slash + 1..]);
        if !is_token(kind) || !is_token(subtype) || (kind == b"*" && subtype != b"*") {
            return None;
        }
        let mut weight = FULL;
        for parameter in parts.filter(|parameter| !parameter.is_empty()) {
            let equals = parameter.iter().position(|byte| *byte == b'=')?;
            let (name, value) = (&parameter[..equals], &parameter[equals + 1..]);
            if name.eq_ignore_ascii_case(b"q") {
                // An invalid weight counts as 0. Parameters after the weight were the accept-ext of
                // RFC 7231, which had no uses; RFC 9110 removed it.
                weight = read_weight(value).unwrap_or(0);
                break;
            }
            let utf_8 = unquote(value).eq_ignore_ascii_case(b"utf-8");
            if !(utf_8 && name.eq_ignore_ascii_case(b"charset")) {
                return None;
            }
        }
        Some(Self { kind, subtype, weight })
    }

    /// Returns how specifically the range covers `kind/subtype`: 3 by its name, 2 as `kind/*`, 1 as
    /// `*/*`; `None` if the range does not cover it.
    fn specificity(&self, kind: &str, subtype: &str) -> Option<u8> {
        let is = |part: &[u8], name: &str| part.eq_ignore_ascii_case(name.as_bytes());
        match (self.kind, self.subtype) {
            (range, part) if is(range, kind) && is(part, subtype) => Some(EXACT),
            (range, b"*") if is(range, kind) => Some(2),
            (b"*", b"*") => Some(1),
            _ => None,
        }
    }
}

/// The specificity of a media range that names the type and the subtype.
const EXACT: u8 = 3;

/// Reads a weight, `0`, `1` or a number between them with at most three decimals (RFC 9110
/// §12.4.2), in thousandths.
fn read_weight(text: &[u8]) -> Option<u16> {
    let (whole, decimals) = match text {
        [whole @ (b'0' | b'1')] => (whole, &b""[..]),
        [whole @ (b'0' | b'1'), b'.', decimals @ ..] if decimals.len() <= 3 => (whole, decimals),
        _ => return None,
    };
    let mut weight = u16::from(whole - b'0');
    for place in 0..3 {
        let digit = decimals.get(place).unwrap_or(&b'0');
        if !digit.is_ascii_digit() {
            return None;
        }
        weight = weight * 10 + u16::from(digit - b'0');
    }
    (weight <= FULL).then_some(weight)
}

/// Returns the content of a quoted string without escapes, or any other value unchanged
/// (RFC 9110 §5.6.4).
fn unquote(value: &[u8]) -> &[u8] {
    match value {
        [b'"', inner @ .., b'"'] => inner,
        _ => value,
    }
}

/// Returns the specificity and the weight of the range that decides about `kind/subtype`.
///
/// The most specific range decides. Of two equally specific ranges, the one with the higher weight
/// decides; the RFC does not say.
fn deciding_range<'a>(
    accept: impl Iterator<Item = &'a [u8]>,
    kind: &str,
    subtype: &str,
) -> Option<(u8, u16)> {
    let ranges = accept.flat_map(members).filter_map(MediaRange::read);
    ranges.filter_map(|range| Some((range.specificity(kind, subtype)?, range.weight))).max()
}

/// Returns the weight of `kind/subtype`, in thousandths, in all lines of `Accept`: 0 if no range
/// covers it, 1000 if `Accept` lists nothing (RFC 9110 §12.5.1).
pub fn quality<'a>(accept: impl Iterator<Item = &'a [u8]> + Clone, kind: &str, subtype: &str) -> u16 {
    match deciding_range(accept.clone(), kind, subtype) {
        Some((_, weight)) => weight,
        None if accept.flat_map(members).next().is_none() => FULL,
        None => 0,
    }
}

/// Returns the weight, in thousandths, of the range in `Accept` that names `kind/subtype` without a
/// `*`; `None` if there is no such range.
pub fn explicit_quality<'a>(
    accept: impl Iterator<Item = &'a [u8]>,
    kind: &str,
    subtype: &str,
) -> Option<u16> {
    deciding_range(accept, kind, subtype)
        .filter(|(specificity, _)| *specificity == EXACT)
        .map(|(_, weight)| weight)
}

/// Returns the seconds of `Prefer: wait=N` (RFC 7240 §4.3) in all lines of `Prefer`.
///
/// The first `wait` counts (§2); the result is `None` if its value is invalid. A number beyond
/// `u64` becomes `u64::MAX`, because either wait is longer than any limit.
pub fn prefer_wait<'a>(prefer: impl Iterator<Item = &'a [u8]>) -> Option<u64> {
    prefer.flat_map(members).find_map(|member| {
        let preference = parts(member, b';').next()?;
        let mut halves = preference.splitn(2, |byte| *byte == b'=');
        let name = trim(halves.next()?);
        let seconds = || Some(digits(unquote(trim(halves.next()?)))?.parse().unwrap_or(u64::MAX));
        name.eq_ignore_ascii_case(b"wait").then(seconds)
    })?
}

/// Returns whether `If-None-Match`, in all its lines, lists the entity tag with this opaque part
/// (without quotation marks). `*` matches every tag (RFC 9110 §13.1.2).
///
/// The comparison is weak: `W/"a"` and `"a"` match (§8.8.3.2). Each line is read up to its first
/// error.
pub fn entity_tag_matches<'a>(mut if_none_match: impl Iterator<Item = &'a [u8]>, opaque: &[u8]) -> bool {
    if_none_match.any(|line| trim(line) == b"*" || entity_tags(line).any(|tag| tag == opaque))
}

/// Returns the opaque parts of the entity tags in `line`.
///
/// This is not [`members`], because an entity tag is not a quoted string: a backslash and a comma
/// inside it are ordinary bytes (RFC 9110 §8.8.3).
fn entity_tags(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = line;
    std::iter::from_fn(move || {
        while let [b' ' | b'\t' | b',', tail @ ..] = rest {
            rest = tail;
        }
        let quoted = rest.strip_prefix(b"W/").unwrap_or(rest).strip_prefix(b"\"")?;
        let end = quoted.iter().position(|byte| *byte == b'"')?;
        rest = trim(&quoted[end + 1..]);
        let tag = &quoted[..end];
        let is_etagc = |byte: &u8| *byte > b' ' && *byte != 0x7f;
        (tag.iter().all(is_etagc) && matches!(rest, [] | [b',', ..])).then_some(tag)
    })
}

/// Returns the text after the scheme in `Authorization: Bearer …` (RFC 6750 §2.1), or `None` for
/// another scheme or no text. The scheme is compared without case (RFC 9110 §11.1). The text need
/// not have the syntax of a token.
pub fn bearer(authorization: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = authorization.split_at_checked(b"Bearer".len())?;
    let is_bearer = scheme.eq_ignore_ascii_case(b"Bearer") && rest.starts_with(b" ");
    is_bearer.then_some(trim(rest))
}

/// Appends `number` in decimal digits.
pub(crate) fn write_decimal(mut number: u64, out: &mut Vec<u8>) {
    // u64::MAX has 20 digits.
    let mut digits = [0; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(line: &str) -> std::iter::Once<&[u8]> {
        std::iter::once(line.as_bytes())
    }

    #[test]
    fn a_comma_in_a_quoted_string_does_not_separate_members() {
        let list = |line: &'static str| -> Vec<&str> {
            members(line.as_bytes()).map(|member| std::str::from_utf8(member).expect("ASCII")).collect()
        };
        assert_eq!(list(""), Vec::<&str>::new());
        assert_eq!(list(" , ,"), Vec::<&str>::new());
        assert_eq!(list("a,\tb ,, c"), ["a", "b", "c"]);
        assert_eq!(list(r#"a="x,\",y", b"#), [r#"a="x,\",y""#, "b"]);
        assert_eq!(list(r#"a="open, b"#), [r#"a="open, b"#]);
    }

    #[test]
    fn a_token_is_one_or_more_tchars() {
        assert!(is_token(b"Sec-WebSocket-Key"));
        assert!(is_token(b"!#$%&'*+-.^_`|~09azAZ"));
        for text in ["", "a b", "a:", "(", "\u{e9}", "a\0"] {
            assert!(!is_token(text.as_bytes()), "{text:?}");
        }
    }

    #[test]
    fn the_most_specific_media_range_decides() {
        let accept = "text/*;q=0.3, text/html;q=0.7, text/plain;format=flowed, */*;q=0.5";
        assert_eq!(quality(one(accept), "text", "html"), 700);
        assert_eq!(quality(one(accept), "TEXT", "css"), 300);
        assert_eq!(quality(one(accept), "application", "json"), 500);
        // The range with a parameter does not cover the content, so `text/*` decides.
        assert_eq!(quality(one(accept), "text", "plain"), 300);
        assert_eq!(quality(one("text/event-stream;charset=UTF-8;q=0.9"), "text", "event-stream"), 900);
        assert_eq!(quality(one("text/html"), "application", "json"), 0);
        assert_eq!(quality(one("a/b;q=0.1, a/b;q=0.2"), "a", "b"), 200);
        assert_eq!(quality(one(""), "a", "b"), 1000);
        assert_eq!(quality(std::iter::empty(), "a", "b"), 1000);
        assert_eq!(quality([&b"a/b;q=0.5"[..], b"*/*"].into_iter(), "a", "b"), 500);
    }

    #[test]
    fn a_weight_has_at_most_three_decimals() {
        for (text, weight) in
            [("0", 0), ("1", 1000), ("0.", 0), ("1.000", 1000), ("0.5", 500), ("0.123", 123)]
        {
            assert_eq!(read_weight(text.as_bytes()), Some(weight), "{text}");
        }
        for text in ["", "2", "1.001", "0.1234", ".5", "-0", "0,5", "0.a", "1.0 ", "00"] {
            assert_eq!(read_weight(text.as_bytes()), None, "{text}");
        }
        assert_eq!(explicit_quality(one("text/event-stream;q=oops"), "text", "event-stream"), Some(0));
    }

    #[test]
    fn a_wildcard_is_not_an_explicit_quality() {
        assert_eq!(explicit_quality(one("text/event-stream"), "text", "event-stream"), Some(1000));
        assert_eq!(
            explicit_quality(one("a/b, Text/Event-Stream ; Q=0.2"), "text", "event-stream"),
            Some(200)
        );
        assert_eq!(explicit_quality(one("*/*, text/*"), "text", "event-stream"), None);
        assert_eq!(explicit_quality(one("text/event-stream;v=2"), "text", "event-stream"), None);
        assert_eq!(explicit_quality(one("*/event-stream, text"), "text", "event-stream"), None);
    }

    #[test]
    fn the_first_wait_preference_counts() {
        for (line, wait) in [
            ("wait=10", Some(10)),
            ("respond-async, WAIT = \"5\" ; x=y", Some(5)),
            ("wait=1, wait=2", Some(1)),
            ("wait=x, wait=2", None),
            ("wait", None),
            ("wait=", None),
            ("wait=-1", None),
            ("wait=99999999999999999999999", Some(u64::MAX)),
            ("foo=\"wait=3, wait=4\"", None),
            ("", None),
        ] {
            assert_eq!(prefer_wait(one(line)), wait, "{line}");
        }
        assert_eq!(prefer_wait([&b"a"[..], b"wait=7"].into_iter()), Some(7));
    }

    #[test]
    fn compares_entity_tags_weakly() {
        for line in
            ["*", "\"x-1\"", "W/\"x-1\"", "\"a\\\", \"x-1\"", "\"a,b\",,W/\"x-1\" ", "  \"\" , \"x-1\""]
        {
            assert!(entity_tag_matches(one(line), b"x-1"), "{line}");
        }
        for line in ["", "x-1", "\"x-1", "w/\"x-1\"", "\"X-1\"", "\"a\" \"x-1\"", "\"x-1\"y", "*, \"a\""] {
            assert!(!entity_tag_matches(one(line), b"x-1"), "{line}");
        }
    }

    #[test]
    fn bearer_credentials_follow_the_scheme() {
        assert_eq!(bearer(b"Bearer mF_9.B5f-4.1JqM"), Some(&b"mF_9.B5f-4.1JqM"[..]));
        assert_eq!(bearer(b"bEARER  a b"), Some(&b"a b"[..]));
        for value in ["", "Bearer", "Basic abc", "Bearerabc", "Bearer\ta", "mF_9.B5f-4.1JqM"] {
            assert_eq!(bearer(value.as_bytes()), None, "{value}");
        }
    }

    #[test]
    fn writes_decimals_like_the_standard_library() {
        for number in [0, 9, 10, 65_536, u64::MAX] {
            let mut out = Vec::new();
            write_decimal(number, &mut out);
            assert_eq!(out, number.to_string().as_bytes());
        }
    }
}
