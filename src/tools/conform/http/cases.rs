//! The requests of the suite, read from the files in `cases/`.
//!
//! A block of a file is a case: lines of `key: value`, and an empty line. `in` is the request, with
//! the escapes `\r \n \t \0 \\ \xNN` and `\{TEXT*COUNT}`, which repeats TEXT; a repeated `in` is
//! appended. `rule` says what the RFC asks for, and `most` how many requests a server may accept.
//! `is` is barewire's outcome, for the tests, and `nginx` the reason for another outcome of nginx.

use crate::protocol::rule::{Document, Rule};
use crate::tools::conform::case::Level;
use crate::tools::conform::http::sections;

/// The files with their numbers and titles.
const FILES: [(u16, &str, &str); 6] = [
    (1, "lines and versions", include_str!("cases/lines.txt")),
    (2, "methods, targets and Host", include_str!("cases/targets.txt")),
    (3, "fields", include_str!("cases/fields.txt")),
    (4, "the length of a body", include_str!("cases/framing.txt")),
    (5, "the chunked coding", include_str!("cases/chunked.txt")),
    (6, "connections, upgrades and expectations", include_str!("cases/connection.txt")),
];

/// What the RFC asks a server to do with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestRule {
    /// The request is malformed, and a server refuses it.
    Refuse,
    /// A server may refuse the request or repair it (RFC 9110 §2.4), or it asks for more than a
    /// server has to support.
    Either,
    /// The request is correct.
    Accept,
}

/// How a connection may be after a request, whether it was accepted or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Afterwards {
    Any,
    /// The server closes it, or waits for the rest of the request. A response to a further request
    /// shows that the server has misread where the request ends.
    NoFurtherRequest,
    /// The server closes it after at most one response.
    Ended,
}

/// One request, and what the RFC asks for.
#[derive(Clone, Debug)]
pub struct RequestCase {
    /// The number of the file, and of the case in it.
    pub number: (u16, u16),
    /// The title of the file.
    pub section: &'static str,
    pub name: &'static str,
    pub rule: RequestRule,
    /// The level of the rule. That of an end that is required is always MUST.
    pub level: Level,
    /// The sentence behind the rule.
    pub requirement: Rule,
    pub afterwards: Afterwards,
    /// The number of requests, each of which has a response if all are accepted.
    pub requests: usize,
    /// The most requests that a server may respond to, if others are hidden in them.
    pub most: Option<usize>,
    bytes: Vec<u8>,
}

/// Returns all cases, in the order of the files.
pub fn all() -> Vec<RequestCase> {
    let mut cases = Vec::new();
    for (file, title, text) in FILES {
        for block in text.split("\n\n") {
            let lines = block.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
            let fields: Vec<(&str, &str)> =
                lines.map(|line| line.split_once(": ").unwrap_or((line, ""))).collect();
            if !fields.is_empty() {
                cases.push(RequestCase::of(file, title, &fields));
            }
        }
    }
    cases
}

impl RequestCase {
    /// Reads a case from the lines of a block. The files are part of the program, so that a
    /// mistake in them is a panic, which a test would find.
    fn of(file: u16, section: &'static str, fields: &[(&'static str, &'static str)]) -> Self {
        let get = |key: &str| fields.iter().find(|(name, _)| *name == key).map(|(_, value)| *value);
        let name = get("name").expect("a case has a name");
        let number = get("number").and_then(|number| number.split_once('.'));
        let number = number.and_then(|(file, index)| Some((file.parse().ok()?, index.parse().ok()?)));
        let number = number.filter(|(of, _): &(u16, u16)| *of == file).expect(name);
        let (words, source) = get("rule").and_then(|rule| rule.split_once(", RFC ")).expect(name);
        let (words, end) = words.split_once(" but must ").unwrap_or((words, ""));
        let (level, rule) = match words {
            "must refuse" => (Level::Must, RequestRule::Refuse),
            "should refuse" => (Level::Should, RequestRule::Refuse),
            "may refuse" => (Level::May, RequestRule::Either),
            "should accept" => (Level::Should, RequestRule::Accept),
            "must accept" => (Level::Must, RequestRule::Accept),
            _ => panic!("{name}: unknown rule"),
        };
        let afterwards = match end {
            "" => Afterwards::Any,
            "not go on" => Afterwards::NoFurtherRequest,
            "end" => Afterwards::Ended,
            _ => panic!("{name}: unknown end"),
        };
        let (rfc, paragraph) = source.split_once(" §").expect(name);
        let rfc = rfc.parse().expect("the number of an RFC");
        let requirement = sections::rule(rfc, paragraph).expect(name);
        let most = get("most").map(|most| most.parse().expect(name));
        let statuses = get("is").unwrap_or_default().split(' ').filter_map(|word| word.parse().ok());
        let requests = statuses.filter(|status: &u16| *status >= 200).count();
        let parts = fields.iter().filter(|(key, _)| *key == "in");
        let bytes = parts.flat_map(|(_, value)| unescaped(value.as_bytes())).collect();
        Self { number, section, name, rule, level, requirement, afterwards, requests, most, bytes }
    }

    /// Returns whether the RFC demands a response with the status 400. Otherwise a server may also
    /// refuse the request by closing the connection.
    pub fn demands_response(&self) -> bool {
        let section = self.requirement.section;
        self.rule == RequestRule::Refuse
            && self.level == Level::Must
            && section.document == Document::Rfc(9112)
            && matches!(section.paragraph, "3.2" | "5.1" | "6.3")
    }

    /// Returns the bytes as they are in the file.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the bytes for another server: its target for POST in place of `/topics/x`, its
    /// target for GET in place of `/health`, and its authority in place of the host `a`.
    ///
    /// A `Host` with any other value is under test, and stays. A request that is hidden in another
    /// one stays too, because the length of the body depends on it.
    pub fn bytes_for(&self, post: &str, get: &str, authority: &str) -> Vec<u8> {
        let hidden = find(&self.bytes, b"/topics/smuggled").unwrap_or(self.bytes.len());
        let (shown, hidden) = self.bytes.split_at(hidden);
        let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
        let mut out = Vec::with_capacity(self.bytes.len());
        let mut rest = shown;
        while !rest.is_empty() {
            let line_starts = out.last().is_none_or(|last| *last == b'\n');
            if let Some((start, value, after)) = line_starts.then(|| host_line(rest)).flatten() {
                out.extend_from_slice(start);
                match value {
                    b"a" => out.extend_from_slice(authority.as_bytes()),
                    b"A" => out.extend_from_slice(authority.to_ascii_uppercase().as_bytes()),
                    _ => out.extend_from_slice(format!("{host}:").as_bytes()),
                }
                rest = after;
            } else if let Some(after) = rest.strip_prefix(b"/topics/x?since=now") {
                out.extend_from_slice(get.as_bytes());
                rest = after;
            } else if let Some(after) = rest.strip_prefix(b"/topics/x") {
                out.extend_from_slice(post.as_bytes());
                rest = after;
            } else if let Some(after) = rest.strip_prefix(b"/health") {
                out.extend_from_slice(get.as_bytes());
                rest = same_length(after, get, &mut out);
            } else if let Some(after) = authority_of_absolute_form(&out, rest) {
                let authority =
                    if rest[0] == b'A' { authority.to_ascii_uppercase() } else { authority.to_owned() };
                out.extend_from_slice(authority.as_bytes());
                rest = after;
            } else {
                out.push(rest[0]);
                rest = &rest[1..];
            }
        }
        out.extend_from_slice(hidden);
        out
    }
}

/// If a line is `Host` with the value `a`, `A` or `a:`, returns what is before the value, the
/// value, and what is after it.
fn host_line(line: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    if !line.get(..5)?.eq_ignore_ascii_case(b"host:") {
        return None;
    }
    let start = 5 + line[5..].iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let end =
        start + line[start..].iter().take_while(|byte| !matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).count();
    let white = line[end..].iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let is_whole = matches!(line.get(end + white), Some(b'\r' | b'\n'))
        && !matches!(line.get(end + white..end + white + 2), Some([b'\r', next]) if *next != b'\n');
    let value = &line[start..end];
    (is_whole && matches!(value, b"a" | b"A" | b"a:")).then(|| (&line[..start], value, &line[end..]))
}

/// If `rest` starts with the host `a` or `A` of a target in absolute-form whose beginning is the
/// end of `before`, returns what is after the host.
fn authority_of_absolute_form<'r>(before: &[u8], rest: &'r [u8]) -> Option<&'r [u8]> {
    let is_start = [&b"http://"[..], b"https://"].iter().any(|scheme| {
        before.len() > scheme.len() && before[before.len() - scheme.len()..].eq_ignore_ascii_case(scheme)
    });
    match rest {
        [b'a' | b'A', after @ ..] if is_start && matches!(after, [b'/' | b'?' | b' ', ..]) => Some(after),
        _ => None,
    }
}

/// Keeps the length of a request line that is under test: a query of many `a` becomes shorter by as
/// much as the target is longer than `/health`, or the reverse.
fn same_length<'r>(after: &'r [u8], get: &str, out: &mut Vec<u8>) -> &'r [u8] {
    let padding = after.iter().skip(1).take_while(|byte| **byte == b'a').count();
    if after.first() != Some(&b'?') || padding < 1000 {
        return after;
    }
    out.push(b'?');
    out.resize(out.len() + (padding + "/health".len()).saturating_sub(get.len()), b'a');
    &after[1 + padding..]
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        rest = tail;
        match (first, tail) {
            (b'\\', [kind @ (b'r' | b'n' | b't' | b'0' | b'\\'), tail @ ..]) => {
                let plain = match kind {
                    b'r' => b'\r',
                    b'n' => b'\n',
                    b't' => b'\t',
                    b'0' => 0,
                    _ => b'\\',
                };
                out.push(plain);
                rest = tail;
            }
            (b'\\', [b'x', high, low, tail @ ..]) => {
                let digit = |digit: &u8| char::from(*digit).to_digit(16).expect("a hexadecimal digit") as u8;
                out.push(digit(high) << 4 | digit(low));
                rest = tail;
            }
            (b'\\', [b'{', tail @ ..]) => {
                let end = find(tail, b"}").expect("a closing brace");
                let star = tail[..end].iter().rposition(|byte| *byte == b'*').expect("TEXT*COUNT");
                let count = str::from_utf8(&tail[star + 1..end]).ok().and_then(|count| count.parse().ok());
                out.extend(unescaped(&tail[..star]).repeat(count.expect("a count")));
                rest = &tail[end + 1..];
            }
            (b'\\', _) => panic!("an unknown escape"),
            _ => out.push(*first),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(request: &str) -> RequestCase {
        let fields = [("name", "a case"), ("number", "1.1"), ("rule", "may refuse, RFC 9112 §3")];
        let mut case = RequestCase::of(1, "lines", &fields);
        case.bytes = request.as_bytes().to_vec();
        case
    }

    fn other(request: &str) -> String {
        let bytes = case(request).bytes_for("/post/here", "/", "example.com:81");
        String::from_utf8(bytes).expect("text")
    }

    #[test]
    fn all_files_are_read() {
        let cases = all();
        assert!(cases.len() > 600, "only {} cases", cases.len());
        for (file, title, _) in FILES {
            let of_file: Vec<&RequestCase> = cases.iter().filter(|case| case.number.0 == file).collect();
            assert!(of_file.len() > 30 && of_file.iter().all(|case| case.section == title));
            assert!(of_file.iter().all(|case| !case.bytes().is_empty()));
        }
    }

    #[test]
    fn escapes_are_decoded() {
        assert_eq!(unescaped(br"a\r\n\t\0\\\x7F\{b\n*2}c"), b"a\r\n\t\0\\\x7fb\nb\nc");
    }

    #[test]
    fn the_own_target_and_host_change_nothing() {
        for case in all().iter().filter(|case| find(case.bytes(), b"?since=now").is_none()) {
            let bytes = case.bytes_for("/topics/x", "/health", "a");
            // An empty port, which the authority does not have, stays in any event.
            assert!(bytes == case.bytes(), "{}: {}", case.name, bytes.escape_ascii());
        }
    }

    #[test]
    fn targets_and_hosts_are_replaced() {
        assert_eq!(
            other("GET /health HTTP/1.1\r\nHost: a\r\n\r\n"),
            "GET / HTTP/1.1\r\nHost: example.com:81\r\n\r\n"
        );
        assert_eq!(other("GET /health?x HTTP/1.1\nhOsT:a\n\n"), "GET /?x HTTP/1.1\nhOsT:example.com:81\n\n");
        assert_eq!(
            other("POST /topics/x HTTP/1.1\r\nHost: \t a \t\r\n\r\n"),
            "POST /post/here HTTP/1.1\r\nHost: \t example.com:81 \t\r\n\r\n"
        );
        assert_eq!(
            other("GET HTTP://A/health HTTP/1.1\r\nHost: A\r\n\r\n"),
            "GET HTTP://EXAMPLE.COM:81/ HTTP/1.1\r\nHost: EXAMPLE.COM:81\r\n\r\n"
        );
        assert_eq!(
            other("GET /health HTTP/1.1\r\nHost: a:\r\n\r\n"),
            "GET / HTTP/1.1\r\nHost: example.com:\r\n\r\n"
        );
        assert_eq!(other("GET /topics/x?since=now HTTP/1.1\r\n\r\n"), "GET / HTTP/1.1\r\n\r\n");
    }

    #[test]
    fn what_is_under_test_stays() {
        for request in [
            "GET http://b/x HTTP/1.1\r\nHost: b\r\n\r\n",
            "GET http://u:p@a/x HTTP/1.1\r\nHost: a b\r\n\r\n",
            "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n",
            "GET x HTTP/1.1\r\nHost: a\rb\r\nX-Host: a\r\nHost:\r\n a\r\n\r\n",
            "GET x HTTP/1.1\r\n\r\nPOST /topics/smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
        ] {
            assert_eq!(other(request), request);
        }
    }

    #[test]
    fn a_request_line_of_a_certain_length_keeps_it() {
        let request = format!("GET /health?{} HTTP/1.1\r\n\r\n", "a".repeat(2000));
        assert_eq!(other(&request).len(), request.len());
        assert!(other(&request).starts_with("GET /?aaa"));
    }

    #[test]
    fn a_case_whose_connection_must_end_is_one_request() {
        for case in all().iter().filter(|case| case.afterwards != Afterwards::Any) {
            assert!(case.requests <= 1, "{}", case.name);
        }
        let accepted = all().into_iter().filter(|case| case.rule == RequestRule::Accept);
        assert!(accepted.map(|case| case.requests).all(|requests| (1..=3).contains(&requests)));
    }

    #[test]
    fn a_case_that_hides_a_request_limits_the_responses() {
        for case in all() {
            let is_framed =
                find(case.bytes(), b"POST /topics/smuggled").is_some() && case.rule != RequestRule::Either;
            assert!(!is_framed || case.most.is_some() || case.rule == RequestRule::Refuse, "{}", case.name);
        }
    }
}
