//! HTTP against vectors and properties.

use barewire::protocol::http::{
    self, BodyLimits, BodyReader, Framing, HeadError, HeadLimits, HeadScan, Method, Target, Version,
};
use proptest::prelude::*;

use crate::heads;
use crate::vectors::{self, cut_at, cuts};

/// What stands behind the bytes of a vector in its fourth run.
const NEXT: &[u8] = b"GET /next HTTP/1.1\r\n";

/// The request head at the start of `pieces`: how long it is and what it reads as, the refusal, or
/// `None` if more is needed.
fn head<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, limits: &HeadLimits) -> Option<(usize, String)> {
    let mut buffer = Vec::new();
    let mut scan = HeadScan::default();
    for piece in pieces {
        buffer.extend_from_slice(piece);
        match scan.scan(&buffer, limits) {
            Ok(None) => {}
            Ok(Some(end)) => {
                return Some((end, read_head(&buffer[..end], limits).unwrap_or_else(|error| error)));
            }
            Err(error) => return Some((0, refusal(error))),
        }
    }
    None
}

fn refusal(error: HeadError) -> String {
    format!("{} {error:?}", error.status().code())
}

/// A head in the words of the vectors.
fn read_head(bytes: &[u8], limits: &HeadLimits) -> Result<String, String> {
    let mut scratch = http::scratch();
    let head = http::parse(bytes, &mut scratch, limits).map_err(refusal)?;
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
    let expects = if head.expects_continue().map_err(refusal)? { " continue" } else { "" };
    Ok(format!("{method} {target} {version}{host} {framing:?} {connection}{expects}"))
}

/// The body at the start of `pieces`: how long it is and its content, the refusal with the content
/// before it, or `None` if more is needed.
fn body<'a>(
    pieces: impl IntoIterator<Item = &'a [u8]>,
    framing: Framing,
    limits: BodyLimits,
) -> Option<(Result<usize, String>, Vec<u8>)> {
    let mut content = Vec::new();
    let mut reader = match BodyReader::new(framing, limits) {
        Ok(reader) => reader,
        Err(error) => return Some((Err(format!("{} {error:?}", error.status().code())), content)),
    };
    let mut length = 0;
    for piece in pieces {
        match reader.read(piece, &mut content) {
            Ok((taken, done)) => {
                length += taken;
                if done {
                    return Some((Ok(length), content));
                }
                assert_eq!(taken, piece.len(), "a body that is not done takes all");
            }
            Err(error) => return Some((Err(format!("{} {error:?}", error.status().code())), content)),
        }
    }
    None
}

#[test]
fn heads_read_as_their_vectors_say() {
    let limits = HeadLimits::default();
    let file = include_str!("../vectors/http_requests.txt");
    heads::read_as_said(file, NEXT, |pieces| head(pieces, &limits));
}

#[test]
fn a_head_beyond_its_limits_is_refused_at_the_same_place_however_it_is_cut() {
    let limits = HeadLimits { bytes: 120, request_line: 30, field_lines: 3 };
    let bytes = |head: &str| head.as_bytes().to_vec();
    for (sent, refused) in [
        (bytes(&format!("GET /{} HTTP/1.1\r\n", "a".repeat(40))), "414 RequestLineTooLong"),
        (bytes(&format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}", "a".repeat(120))), "431 HeadTooLarge"),
        (bytes("GET / HTTP/1.1\r\nHost: a\r\nA: 1\r\nB: 2\r\nC: 3\r\n\r\n"), "431 TooManyFieldLines"),
        // The mistake is beyond the limit: it is not reached.
        (bytes(&format!("GET /{}\0", "a".repeat(40))), "414 RequestLineTooLong"),
        (bytes(&format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\0", "a".repeat(120))), "431 HeadTooLarge"),
    ] {
        for pieces in cuts(&sent) {
            let outcome = head(pieces, &limits);
            assert_eq!(outcome.map(|(_, read)| read).as_deref(), Some(refused));
        }
    }
}

#[test]
fn chunked_bodies_read_as_their_vectors_say() {
    let limits = BodyLimits { content: 32, extensions: 32, trailer: 32, trailer_lines: 2 };
    for vector in vectors::parse(include_str!("../vectors/http_chunked.txt")) {
        let name = vector.text("name");
        let bytes = vector.get("in").expect("a body");
        let followed = [bytes, NEXT].concat();
        for pieces in cuts(bytes).chain([vec![&followed[..]]]) {
            let (end, content) =
                body(pieces, Framing::Chunked, limits).unwrap_or_else(|| panic!("{name}: no outcome"));
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

/// Bytes that come further into the grammar than just any.
fn shreds(shreds: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let shred = prop_oneof![
        6 => prop::sample::select(shreds).prop_map(|shred| shred.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..3),
    ];
    prop::collection::vec(shred, 0..40).prop_map(|shreds| shreds.concat())
}

const HEAD_SHREDS: &[&str] = &[
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

const CHUNK_SHREDS: &[&str] = &[
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
    fn what_is_written_in_chunks_is_read_back(
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
    fn a_length_is_read_to_its_end(content in prop::collection::vec(any::<u8>(), 0..300), places in places()) {
        let bytes = [&content[..], NEXT].concat();
        let framing = Framing::Length(content.len() as u64);
        let read = body(cut_at(&bytes, &places), framing, BodyLimits::default());
        prop_assert_eq!(read, Some((Ok(content.len()), content)));
    }

    #[test]
    fn any_head_has_one_outcome_however_it_is_cut(bytes in shreds(HEAD_SHREDS), places in places()) {
        let limits = HeadLimits { bytes: 200, request_line: 40, field_lines: 6 };
        let whole = head([&bytes[..]], &limits);
        prop_assert_eq!(head(cut_at(&bytes, &places), &limits), whole.clone());
        prop_assert_eq!(head(bytes.chunks(1), &limits), whole);
    }

    #[test]
    fn any_chunked_body_has_one_outcome_however_it_is_cut(bytes in shreds(CHUNK_SHREDS), places in places()) {
        let limits = BodyLimits { content: 40, extensions: 20, trailer: 30, trailer_lines: 2 };
        let whole = body([&bytes[..]], Framing::Chunked, limits);
        prop_assert_eq!(body(cut_at(&bytes, &places), Framing::Chunked, limits), whole.clone());
        prop_assert_eq!(body(bytes.chunks(1), Framing::Chunked, limits), whole);
    }

    #[test]
    fn the_small_grammars_take_any_bytes(line in any::<Vec<u8>>(), text in any::<String>()) {
        let lines = || std::iter::once(&line[..]);
        let quality = http::fields::quality(lines(), "text", "event-stream");
        let named = http::fields::names(lines(), "text", "event-stream");
        prop_assert!(quality <= 1000 && named.is_none_or(|named| named == quality));
        http::fields::prefer_wait(lines());
        http::fields::entity_tag_matches(lines(), text.as_bytes());
        http::fields::bearer(&line);
        let _ = http::Query::new(Some(&text)).get("a");
        let _ = http::percent_decode_path_segment(&text);
        let _ = http::host_and_port(&text);
    }

    #[test]
    fn no_value_breaks_out_of_its_line(value in any::<Vec<u8>>()) {
        let mut out = Vec::new();
        http::ResponseHead::start(&mut out, http::Status::OK).field("X", &value).end();
        prop_assert_eq!(out.iter().filter(|byte| **byte == b'\n').count(), 3);
        prop_assert_eq!(out.iter().filter(|byte| **byte == b'\r').count(), 3);
        prop_assert!(!out.contains(&0));
    }
}
