//! The small grammars inside field values: tokens, lists, weights, preferences, entity tags,
//! credentials (RFC 9110 §5.6, §8.8.3, §11.4, §12.4.2, §12.5.1; RFC 7240; RFC 6750).

/// The weight of a range that has none (RFC 9110 §12.4.2), in thousandths.
const FULL: u16 = 1000;

/// Whether `byte` may stand in a token (`tchar`, RFC 9110 §5.6.2).
pub const fn is_tchar(byte: u8) -> bool {
    matches!(
        byte,
        b'!' | b'#'
            | b'$'
            | b'%'
            | b'&'
            | b'\''
            | b'*'
            | b'+'
            | b'-'
            | b'.'
            | b'^'
            | b'_'
            | b'`'
            | b'|'
            | b'~'
    ) || byte.is_ascii_alphanumeric()
}

/// Whether `text` is a token: one or more `tchar` (RFC 9110 §5.6.2).
pub fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|byte| is_tchar(*byte))
}

/// Whether `byte` is a control that no line of a message may hold: all of them but HTAB
/// (RFC 9110 §5.5: `field-vchar` is VCHAR or obs-text; between them SP and HTAB).
pub const fn is_control(byte: u8) -> bool {
    (byte < b' ' && byte != b'\t') || byte == 0x7f
}

/// `bytes` without the optional whitespace (SP, HTAB) at its ends (RFC 9110 §5.6.3).
pub fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

/// The members of a comma list, trimmed; a comma inside a quoted string does not part
/// (RFC 9110 §5.6.1, §5.6.4).
///
/// Empty members are left out: a recipient must ignore them (§5.6.1.2).
pub fn members(line: &[u8]) -> impl Iterator<Item = &[u8]> + Clone {
    parts(line, b',').filter(|member| !member.is_empty())
}

/// What stands between the `separator`s that are outside of quoted strings, trimmed, empty or not.
pub(super) fn parts(line: &[u8], separator: u8) -> Parts<'_> {
    Parts { rest: Some(line), separator }
}

/// See [`parts`].
#[derive(Clone)]
pub(super) struct Parts<'a> {
    /// `None` once the last part is out.
    rest: Option<&'a [u8]>,
    separator: u8,
}

impl<'a> Iterator for Parts<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest?;
        let mut quoted = false;
        let mut escaped = false;
        let end = rest.iter().position(|&byte| {
            match byte {
                _ if escaped => escaped = false,
                b'\\' if quoted => escaped = true,
                b'"' => quoted = !quoted,
                _ => return byte == self.separator && !quoted,
            }
            false
        });
        self.rest = end.map(|end| &rest[end + 1..]);
        Some(trim(&rest[..end.unwrap_or(rest.len())]))
    }
}

/// A media range of `Accept` and its weight (RFC 9110 §12.5.1).
struct MediaRange<'a> {
    kind: &'a [u8],
    subtype: &'a [u8],
    /// In thousandths.
    weight: u16,
}

impl<'a> MediaRange<'a> {
    /// Reads one member of the list; `None` if it is no media range, or one that only content
    /// with a parameter would match.
    ///
    /// A parameter makes a range narrower, and what barewire sends has none. The exception is
    /// `charset=utf-8`: JSON and event streams are never anything else (RFC 8259 §8.1, WHATWG
    /// HTML §9.2.4), so the clients that say so ask for what they get.
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
                // A weight that cannot be read is no wish to have it. What follows the weight
                // was RFC 7231's accept-ext; no one used it, and RFC 9110 took it out.
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

    fn is(&self, kind: &str, subtype: &str) -> bool {
        self.kind.eq_ignore_ascii_case(kind.as_bytes())
            && self.subtype.eq_ignore_ascii_case(subtype.as_bytes())
    }
}

/// Reads a weight, `0`, `1`, or up to three decimals between (RFC 9110 §12.4.2), as thousandths.
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

/// What a quoted string without escapes holds, or the value as it is (RFC 9110 §5.6.4).
fn unquote(value: &[u8]) -> &[u8] {
    match value {
        [b'"', inner @ .., b'"'] => inner,
        _ => value,
    }
}

/// How much the client wants `kind/subtype`, in thousandths, from all lines of `Accept`.
///
/// The most specific range decides: the type itself, then `kind/*`, then `*/*`; 0 where none
/// matches, 1000 where there is no range at all (RFC 9110 §12.5.1). Of two ranges alike the higher
/// weight counts, on which the RFC is silent.
pub fn quality<'a>(accept: impl Iterator<Item = &'a [u8]> + Clone, kind: &str, subtype: &str) -> u16 {
    let mut empty = true;
    // Compared as a pair: how specific, then the weight.
    let mut best: Option<(u8, u16)> = None;
    for member in accept.flat_map(members) {
        empty = false;
        let Some(range) = MediaRange::read(member) else { continue };
        let specific = if range.is(kind, subtype) {
            3
        } else if range.is(kind, "*") {
            2
        } else if range.is("*", "*") {
            1
        } else {
            continue;
        };
        best = best.max(Some((specific, range.weight)));
    }
    match best {
        Some((_, weight)) => weight,
        None if empty => FULL,
        None => 0,
    }
}

/// The weight, in thousandths, that `Accept` gives to `kind/subtype` by name; `None` where only a
/// range with `*`, or nothing, covers it.
pub fn names<'a>(accept: impl Iterator<Item = &'a [u8]>, kind: &str, subtype: &str) -> Option<u16> {
    let ranges = accept.flat_map(members).filter_map(MediaRange::read);
    ranges.filter(|range| range.is(kind, subtype)).map(|range| range.weight).max()
}

/// The seconds of `Prefer: wait=N` (RFC 7240 §4.3), from all lines of `Prefer`.
///
/// The first `wait` counts (§2), even if it cannot be read: then there is none. A number beyond
/// `u64` is `u64::MAX`, as good as any that is too long to wait.
pub fn prefer_wait<'a>(prefer: impl Iterator<Item = &'a [u8]>) -> Option<u64> {
    prefer.flat_map(members).find_map(|member| {
        let preference = parts(member, b';').next()?;
        let mut halves = preference.splitn(2, |byte| *byte == b'=');
        let name = trim(halves.next()?);
        name.eq_ignore_ascii_case(b"wait")
            .then(|| halves.next().and_then(|value| seconds(unquote(trim(value)))))
    })?
}

/// Reads delta-seconds, `1*DIGIT` (RFC 9110 §10.2.3).
fn seconds(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = digits
        .iter()
        .try_fold(0u64, |value, digit| value.checked_mul(10)?.checked_add(u64::from(digit - b'0')));
    Some(value.unwrap_or(u64::MAX))
}

/// Whether `If-None-Match`, in all its lines, names the entity tag whose opaque part, without its
/// quotes, is `opaque`; `*` names every tag (RFC 9110 §13.1.2).
///
/// Weak comparison: `W/"a"` and `"a"` are alike (§8.8.3.2). A line is read up to its first mistake.
pub fn entity_tag_matches<'a>(mut if_none_match: impl Iterator<Item = &'a [u8]>, opaque: &[u8]) -> bool {
    if_none_match.any(|line| trim(line) == b"*" || entity_tags(line).any(|tag| tag == opaque))
}

/// The opaque parts of the entity tags in `line`.
///
/// Not [`members`]: the quotes of an entity tag are no quoted string. A reverse solidus inside is
/// a byte like others, a comma too (RFC 9110 §8.8.3).
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

/// The token of `Authorization: Bearer …` (RFC 6750 §2.1); `None` for another scheme, in any case
/// (RFC 9110 §11.1), and for what is no `b64token`.
pub fn bearer(authorization: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = authorization.split_at_checked(b"Bearer".len())?;
    // b64token = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="
    let token = trim(rest);
    let body = token.iter().rposition(|byte| *byte != b'=').map_or(&b""[..], |last| &token[..=last]);
    let is_body = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(byte);
    let is_credentials = scheme.eq_ignore_ascii_case(b"Bearer")
        && rest.starts_with(b" ")
        && !body.is_empty()
        && body.iter().all(is_body);
    is_credentials.then_some(token)
}

/// Appends `number` in decimal digits.
pub(crate) fn write_decimal(mut number: u64, out: &mut Vec<u8>) {
    // 20 digits are enough for u64::MAX.
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
    fn a_comma_in_a_quoted_string_parts_nothing() {
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
    fn tokens_are_tchars_and_at_least_one() {
        assert!(is_token(b"Sec-WebSocket-Key"));
        assert!(is_token(b"!#$%&'*+-.^_`|~09azAZ"));
        for text in ["", "a b", "a:", "(", "\u{e9}", "a\0"] {
            assert!(!is_token(text.as_bytes()), "{text:?}");
        }
    }

    #[test]
    fn the_most_specific_range_decides() {
        let accept = "text/*;q=0.3, text/html;q=0.7, text/plain;format=flowed, */*;q=0.5";
        assert_eq!(quality(one(accept), "text", "html"), 700);
        assert_eq!(quality(one(accept), "TEXT", "css"), 300);
        assert_eq!(quality(one(accept), "application", "json"), 500);
        // A range with a parameter is narrower than the content, so the wider one decides.
        assert_eq!(quality(one(accept), "text", "plain"), 300);
        assert_eq!(quality(one("text/event-stream;charset=UTF-8;q=0.9"), "text", "event-stream"), 900);
        assert_eq!(quality(one("text/html"), "application", "json"), 0);
        assert_eq!(quality(one("a/b;q=0.1, a/b;q=0.2"), "a", "b"), 200);
        assert_eq!(quality(one(""), "a", "b"), 1000);
        assert_eq!(quality(std::iter::empty(), "a", "b"), 1000);
        assert_eq!(quality([&b"a/b;q=0.5"[..], b"*/*"].into_iter(), "a", "b"), 500);
    }

    #[test]
    fn weights_have_three_decimals_at_most() {
        for (text, weight) in
            [("0", 0), ("1", 1000), ("0.", 0), ("1.000", 1000), ("0.5", 500), ("0.123", 123)]
        {
            assert_eq!(read_weight(text.as_bytes()), Some(weight), "{text}");
        }
        for text in ["", "2", "1.001", "0.1234", ".5", "-0", "0,5", "0.a", "1.0 ", "00"] {
            assert_eq!(read_weight(text.as_bytes()), None, "{text}");
        }
        assert_eq!(names(one("text/event-stream;q=oops"), "text", "event-stream"), Some(0));
    }

    #[test]
    fn only_its_name_names_a_type() {
        assert_eq!(names(one("text/event-stream"), "text", "event-stream"), Some(1000));
        assert_eq!(names(one("a/b, Text/Event-Stream ; Q=0.2"), "text", "event-stream"), Some(200));
        assert_eq!(names(one("*/*, text/*"), "text", "event-stream"), None);
        assert_eq!(names(one("text/event-stream;v=2"), "text", "event-stream"), None);
        assert_eq!(names(one("*/event-stream, text"), "text", "event-stream"), None);
    }

    #[test]
    fn the_first_wait_counts() {
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
    fn entity_tags_compare_weakly() {
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
    fn a_bearer_token_is_a_b64token() {
        assert_eq!(bearer(b"Bearer mF_9.B5f-4.1JqM"), Some(&b"mF_9.B5f-4.1JqM"[..]));
        assert_eq!(bearer(b"bEARER  a+/~=="), Some(&b"a+/~=="[..]));
        for value in
            ["", "Bearer", "Bearer ", "Bearer =", "Bearer a=b", "Bearer a b", "Basic abc", "Bearerabc"]
        {
            assert_eq!(bearer(value.as_bytes()), None, "{value}");
        }
    }

    #[test]
    fn decimals_are_as_the_standard_library_writes_them() {
        for number in [0, 9, 10, 65_536, u64::MAX] {
            let mut out = Vec::new();
            write_decimal(number, &mut out);
            assert_eq!(out, number.to_string().as_bytes());
        }
    }
}
