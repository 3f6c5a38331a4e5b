//! HTTP requests and bodies: vectors and properties.

use barewire::protocol::http::{
    self, BodyLimits, BodyReader, ExtensionLimit, Framing, HeadLimits, HeadScan, Method, RequestError,
    Target, Version,
};
use proptest::prelude::*;

use crate::heads;
use crate::vectors::{self, cut_at, cuts};

/// The bytes after a vector in its last run.
const NEXT: &[u8] = b"GET /next HTTP/1.1\r\n";

/// Reads the request head at the start of `parts`. Returns its length and its text form, 0 and the
/// error, or `None` if more bytes are needed.
fn head<'a>(parts: impl IntoIterator<Item = &'a [u8]>, limits: &HeadLimits) -> Option<(usize, String)> {
    let mut buffer = Vec::new();
    let mut scan = HeadScan::default();
    for part in parts {
        buffer.extend_from_slice(part);
        match scan.scan(&buffer, limits) {
            Ok(None) => {}
            Ok(Some(end)) => {
                return Some((end, read_head(&buffer[..end], limits).unwrap_or_else(|error| error)));
            }
            Err(error) => return Some((0, error_text(error.into()))),
        }
    }
    None
}

fn error_text(error: RequestError) -> String {
    let code = error.status().code();
    match error {
        RequestError::Head(error) => format!("{code} {error:?}"),
        _ => format!("{code} {error:?}"),
    }
}

/// Returns a head in the text form of the vectors.
fn read_head(bytes: &[u8], limits: &HeadLimits) -> Result<String, String> {
    let mut scratch = http::scratch();
    let head = http::parse(bytes, &mut scratch, limits).map_err(error_text)?;
    let method = match head.method {
        Method::Unknown(token) => format!("{token}?"),
        known => known.as_str().to_owned(),
    };
    let target = match head.target {
        Target::Path { path, query: None } => path.to_owned(),
        Target::Path { path, query: Some(query) } => format!("{path} ? {query}"),
        Target::Asterisk => "*".to_owned(),
        Target::Authority(authority) => format!("authority {authority}"),
    };
    let version = match head.version {
        Version::Http10 => "HTTP/1.0",
        Version::Http11 => "HTTP/1.1",
    };
    let host = head.host.map(|host| format!(" host={host}")).unwrap_or_default();
    let framing = Framing::of(&head).map_err(|error| format!("{} {error:?}", error.status().code()))?;
    let connection = if head.persists() { "persists" } else { "closes" };
    let expects = if head.expects_continue().map_err(error_text)? { " continue" } else { "" };
    Ok(format!("{method} {target} {version}{host} {framing:?} {connection}{expects}"))
}

/// Reads the body at the start of `parts`. Returns its length and its content, the error and the
/// content before it, or `None` if more bytes are needed.
fn body<'a>(
    parts: impl IntoIterator<Item = &'a [u8]>,
    framing: Framing,
    limits: BodyLimits,
) -> Option<(Result<usize, String>, Vec<u8>)> {
    let mut content = Vec::new();
    let mut reader = match BodyReader::new(framing, limits) {
        Ok(reader) => reader,
        Err(error) => return Some((Err(format!("{} {error:?}", error.status().code())), content)),
    };
    let mut length = 0;
    for part in parts {
        match reader.read(part, &mut content) {
            Ok((taken, is_complete)) => {
                length += taken;
                if is_complete {
                    return Some((Ok(length), content));
                }
                assert_eq!(taken, part.len(), "an incomplete body consumes all bytes");
            }
            Err(error) => return Some((Err(format!("{} {error:?}", error.status().code())), content)),
        }
    }
    None
}

#[test]
fn reads_every_head_of_the_vectors() {
    let limits = HeadLimits::default();
    let file = include_str!("../vectors/http_requests.txt");
    heads::check(file, NEXT, |parts| head(parts, &limits));
}

#[test]
fn rejects_a_head_beyond_a_limit_however_it_is_split() {
    let limits = HeadLimits { bytes: 120, request_line: 30, field_lines: 3 };
    let bytes = |head: &str| head.as_bytes().to_vec();
    for (sent, expected) in [
        (bytes(&format!("GET /{} HTTP/1.1\r\n", "a".repeat(40))), "414 StartLineTooLong"),
        (bytes(&format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}", "a".repeat(120))), "431 HeadTooLarge"),
        (bytes("GET / HTTP/1.1\r\nHost: a\r\nA: 1\r\nB: 2\r\nC: 3\r\n\r\n"), "431 TooManyFieldLines"),
        // The limit comes before the NUL, so the NUL is not reported.
        (bytes(&format!("GET /{}\0", "a".repeat(40))), "414 StartLineTooLong"),
        (bytes(&format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\0", "a".repeat(120))), "431 HeadTooLarge"),
    ] {
        for parts in cuts(&sent) {
            let outcome = head(parts, &limits);
            assert_eq!(outcome.map(|(_, read)| read).as_deref(), Some(expected));
        }
    }
}

#[test]
fn reads_every_chunked_body_of_the_vectors() {
    let limits =
        BodyLimits { content: 32, extensions: ExtensionLimit::Body(32), trailer: 32, trailer_lines: 2 };
    for vector in vectors::parse(include_str!("../vectors/http_chunked.txt")) {
        let name = vector.text("name");
        let bytes = vector.get("in").expect("a body");
        let followed = [bytes, NEXT].concat();
        for parts in cuts(bytes).chain([vec![&followed[..]]]) {
            let (end, content) = body(parts, Framing::Chunked, limits)
                .unwrap_or_else(|| panic!("{name}: the body is incomplete"));
            match vector.get("content") {
                Some(expected) => {
                    assert_eq!(end, Ok(bytes.len()), "{name}, line {}", vector.line);
                    assert_eq!(content, expected, "{name}");
                }
                None => assert_eq!(end, Err(vector.text("error").to_owned()), "{name}, line {}", vector.line),
            }
        }
        if vector.get("content").is_some() {
            let short = body([&bytes[..bytes.len() - 1]], Framing::Chunked, limits);
            assert_eq!(short, None, "{name} before its last byte");
        }
    }
}

fn places() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(0..4096usize, 0..12)
}

/// Fragments of the grammar, which reach deeper states than random bytes.
fn fragments(fragments: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let fragment = prop_oneof![
        6 => prop::sample::select(fragments).prop_map(|fragment| fragment.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..3),
    ];
    prop::collection::vec(fragment, 0..40).prop_map(|fragments| fragments.concat())
}

const HEAD_FRAGMENTS: &[&str] = &[
    "GET / HTTP/1.1\r\n",
    "POST /a?b HTTP/1.0\r\n",
    "Host: a\r\n",
    "\r\n",
    "\r",
    "\n",
    " ",
    "\t",
    ":",
    "X: y\r\n",
    "Content-Length: 5\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Expect: 100-continue\r\n",
    "GET",
    "HTTP/1.1",
    "http://a:80/",
    "*",
    "\0",
];

const CHUNK_FRAGMENTS: &[&str] = &[
    "1\r\na\r\n",
    "5\r\nhello\r\n",
    "0\r\n",
    "\r\n",
    "\r",
    "\n",
    ";a",
    ";a=b",
    ";a=\"b\\\"\"",
    " ",
    "f",
    "0",
    "A: b\r\n",
    "a",
    "\"",
    "\0",
];

proptest! {
    #[test]
    fn reads_back_what_is_written_in_chunks(
        chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..8),
        places in places(),
    ) {
        let mut bytes = Vec::new();
        for data in &chunks {
            http::chunk(&mut bytes, |out| out.extend_from_slice(data));
        }
        bytes.extend_from_slice(http::LAST_CHUNK);
        let read = body(cut_at(&bytes, &places), Framing::Chunked, BodyLimits::default());
        prop_assert_eq!(read, Some((Ok(bytes.len()), chunks.concat())));
    }

    #[test]
    fn reads_a_body_up_to_its_length(content in prop::collection::vec(any::<u8>(), 0..300), places in places()) {
        let bytes = [&content[..], NEXT].concat();
        let framing = Framing::Length(content.len() as u64);
        let read = body(cut_at(&bytes, &places), framing, BodyLimits::default());
        prop_assert_eq!(read, Some((Ok(content.len()), content)));
    }

    #[test]
    fn any_head_has_the_same_outcome_however_it_is_split(bytes in fragments(HEAD_FRAGMENTS), places in places()) {
        let limits = HeadLimits { bytes: 200, request_line: 40, field_lines: 6 };
        let whole = head([&bytes[..]], &limits);
        prop_assert_eq!(head(cut_at(&bytes, &places), &limits), whole.clone());
        prop_assert_eq!(head(bytes.chunks(1), &limits), whole);
    }

    #[test]
    fn any_chunked_body_has_the_same_outcome_however_it_is_split(bytes in fragments(CHUNK_FRAGMENTS), places in places()) {
        let limits = BodyLimits { content: 40, extensions: ExtensionLimit::Body(20), trailer: 30, trailer_lines: 2 };
        let whole = body([&bytes[..]], Framing::Chunked, limits);
        prop_assert_eq!(body(cut_at(&bytes, &places), Framing::Chunked, limits), whole.clone());
        prop_assert_eq!(body(bytes.chunks(1), Framing::Chunked, limits), whole);
    }

    #[test]
    fn the_field_grammars_accept_any_bytes(line in any::<Vec<u8>>(), text in any::<String>()) {
        let lines = || std::iter::once(&line[..]);
        let quality = http::fields::quality(lines(), "text", "event-stream");
        let explicit = http::fields::explicit_quality(lines(), "text", "event-stream");
        prop_assert!(quality <= 1000 && explicit.is_none_or(|explicit| explicit == quality));
        http::fields::prefer_wait(lines());
        http::fields::entity_tag_matches(lines(), text.as_bytes());
        http::fields::bearer(&line);
        let _ = http::Query::new(Some(&text)).get("a");
        let _ = http::percent_decode_path_segment(&text);
        let _ = http::host_and_port(&text);
    }

    #[test]
    fn no_value_ends_its_field_line(value in any::<Vec<u8>>()) {
        let mut out = Vec::new();
        http::ResponseHead::start(&mut out, http::Status::OK).field("X", &value).end();
        prop_assert_eq!(out.iter().filter(|byte| **byte == b'\n').count(), 3);
        prop_assert_eq!(out.iter().filter(|byte| **byte == b'\r').count(), 3);
        prop_assert!(!out.contains(&0));
    }
}
