//! The spans of HTTP agree with the protocol code's parsers, and those of handshakes with its
//! checks.

use barewire::protocol::http::{
    self, BodyLimits, BodyReader, ExtensionLimit, Framing, HeadError, HeadLimits, HeadScan, ResponseScan,
};
use barewire::protocol::websocket::client_handshake::{ClientHandshake, Key};
use barewire::protocol::websocket::extension::{ClientWindow, Offer};
use barewire::protocol::websocket::server_handshake;
use barewire::wire::{Note, Side, Span, Start};
use proptest::prelude::*;

use crate::vectors;
use crate::{assert_contiguous, both_sides, first_violation, of, one_side};

const NO_LIMITS: HeadLimits =
    HeadLimits { bytes: usize::MAX, request_line: usize::MAX, field_lines: http::MAX_FIELD_LINES };

type Lines = Vec<(String, Vec<u8>)>;

/// Parses a request head with the protocol code. Returns the fields, or the offset and text of the
/// error; `None` if the head is incomplete.
fn parsed(bytes: &[u8]) -> Option<Result<Lines, (u64, String)>> {
    let end = match scanned(bytes) {
        Ok(end) => end?,
        Err(rejected) => return Some(Err(rejected)),
    };
    Some(parsed_head(&bytes[..end]))
}

fn scanned(bytes: &[u8]) -> Result<Option<usize>, (u64, String)> {
    let mut scan = HeadScan::default();
    for length in 1..=bytes.len() {
        match scan.scan(&bytes[..length], &NO_LIMITS) {
            Ok(None) => {}
            Ok(end) => return Ok(end),
            Err(error) => return Err((length as u64 - 1, error.to_string())),
        }
    }
    Ok(None)
}

fn parsed_head(bytes: &[u8]) -> Result<Lines, (u64, String)> {
    let end = bytes.len();
    let at_end = |error: String| (end as u64 - 1, error);
    let mut scratch = http::scratch();
    let head = http::parse(bytes, &mut scratch, &NO_LIMITS).map_err(|error| at_end(error.to_string()))?;
    Framing::of(&head).map_err(|error| at_end(error.to_string()))?;
    Ok(head.fields.iter().map(|(name, value)| (name.to_owned(), value.to_vec())).collect())
}

/// Returns the fields in the spans.
fn shown(spans: &[Span]) -> Lines {
    let mut fields: Lines = Vec::new();
    for span in spans {
        match (span.field, fields.last_mut()) {
            ("field-name", _) => fields.push((String::from_utf8_lossy(&span.bytes).into_owned(), Vec::new())),
            ("field-value", Some((_, value))) => value.extend_from_slice(&span.bytes),
            _ => {}
        }
    }
    fields
}

fn assert_marked(spans: &[Span], at: u64, what: &str) {
    let marked = first_violation(spans).unwrap_or_else(|| panic!("{what}: rejected, but no span is marked"));
    assert!(marked.offset <= at, "{what}: rejected at {at}, but the first mark is {marked:?}");
}

fn assert_request_agrees(bytes: &[u8], what: &str) {
    let spans = one_side(Start::Http, Side::Client, [bytes]);
    match parsed(bytes) {
        Some(Ok(fields)) => {
            assert_eq!(shown(&spans), fields, "{what}");
            // A handshake has more rules than other requests.
            let is_handshake = fields.iter().any(|(name, _)| name.eq_ignore_ascii_case("upgrade"));
            assert!(
                is_handshake || first_violation(&spans).is_none(),
                "{what}: {:?}",
                first_violation(&spans)
            );
        }
        // The parser has room for a fixed number of fields. The view has no such limit.
        Some(Err((_, error))) if error == HeadError::TooManyFieldLines.to_string() => {}
        Some(Err((at, error))) => assert_marked(&spans, at, &format!("{what}: {error}")),
        None => assert_eq!(first_violation(&spans), None, "{what}"),
    }
}

/// Each vector is the input of a hostile client. The first head must agree with the parser, and
/// input that the server must reject with 400 must be marked.
#[test]
fn marks_the_hostile_requests_that_the_server_rejects() {
    let mut count = 0;
    for file in [
        include_str!("../../src/tools/conform/http/cases/chunked.txt"),
        include_str!("../../src/tools/conform/http/cases/connection.txt"),
        include_str!("../../src/tools/conform/http/cases/fields.txt"),
        include_str!("../../src/tools/conform/http/cases/framing.txt"),
        include_str!("../../src/tools/conform/http/cases/lines.txt"),
        include_str!("../../src/tools/conform/http/cases/targets.txt"),
    ] {
        for vector in vectors::parse(file) {
            let (name, bytes) = (vector.text("name"), vector.get("in").expect("a request"));
            let spans = one_side(Start::Http, Side::Client, [bytes]);
            assert_contiguous(&spans, bytes, name);
            let end = scanned(bytes).ok().flatten().unwrap_or(bytes.len());
            assert_request_agrees(&bytes[..end], name);
            let marked = first_violation(&spans);
            match vector.get("is").unwrap_or_default() {
                [b'4', b'0', b'0', ..] if vector.text("rule").starts_with("must refuse") => {
                    assert!(marked.is_some(), "{name}: no span is marked");
                    count += 1;
                }
                [b'2', b'0', _, b' ', b'o', b'n'] => assert_eq!(marked, None, "{name}"),
                _ => {}
            }
        }
    }
    assert!(count > 50, "only {count} requests must be rejected");
}

#[test]
fn spans_agree_with_the_parser_on_the_request_vectors() {
    for vector in vectors::parse(include_str!("../vectors/http_requests.txt")) {
        assert_request_agrees(vector.get("in").expect("a head"), vector.text("name"));
    }
}

#[test]
fn spans_agree_with_the_parser_on_the_response_vectors() {
    for vector in vectors::parse(include_str!("../vectors/http_responses.txt")) {
        let (name, bytes) = (vector.text("name"), vector.get("in").expect("a head"));
        let spans = one_side(Start::Http, Side::Server, [bytes]);
        let scanned = ResponseScan::default().scan(bytes, &NO_LIMITS);
        let mut scratch = http::scratch();
        match scanned.and_then(|_| http::parse_response(bytes, &mut scratch, &NO_LIMITS)) {
            Ok(head) => {
                let fields: Lines =
                    head.fields.iter().map(|(name, value)| (name.to_owned(), value.to_vec())).collect();
                assert_eq!(shown(&spans), fields, "{name}");
                assert_eq!(first_violation(&spans), None, "{name}");
            }
            Err(_) => assert_marked(&spans, bytes.len() as u64, name),
        }
    }
}

const CHUNKED: &[u8] = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

fn assert_body_agrees(body: &[u8], what: &str) {
    const HUGE: BodyLimits = BodyLimits {
        content: u64::MAX,
        extensions: ExtensionLimit::Body(u32::MAX),
        trailer: u32::MAX,
        trailer_lines: u32::MAX,
    };
    let mut reader = BodyReader::new(Framing::Chunked, HUGE).expect("chunked framing has no length to check");
    let (mut content, mut end) = (Vec::new(), None);
    for (at, byte) in body.iter().enumerate() {
        match reader.read(&[*byte], &mut content) {
            Ok((_, false)) => {}
            Ok((_, true)) => {
                end = Some(Ok(at + 1));
                break;
            }
            Err(error) => {
                end = Some(Err((CHUNKED.len() + at, error)));
                break;
            }
        }
    }
    let taken = if let Some(Ok(taken)) = end { taken } else { body.len() };
    let spans = one_side(Start::Http, Side::Client, [CHUNKED, &body[..taken]]);
    let shown: Vec<u8> =
        spans.iter().filter(|span| span.is_data()).flat_map(|span| &span.bytes).copied().collect();
    match end {
        Some(Err((at, error))) => {
            assert_marked(&spans, at as u64, &format!("{what}: {error}"));
            assert!(shown.starts_with(&content), "{what}");
        }
        _ => {
            assert_eq!(first_violation(&spans), None, "{what}");
            assert_eq!(shown, content, "{what}");
        }
    }
    let complete = spans.iter().flat_map(|span| &span.notes).find_map(|note| match note {
        Note::Request { content, .. } => Some(*content),
        _ => None,
    });
    if let Some(Ok(_)) = end {
        assert_eq!(complete, Some(content.len() as u64), "{what}");
    }
}

#[test]
fn spans_agree_with_the_body_reader_on_the_chunked_vectors() {
    for vector in vectors::parse(include_str!("../vectors/http_chunked.txt")) {
        assert_body_agrees(vector.get("in").expect("a body"), vector.text("name"));
    }
}

/// Returns the request to which the response vectors respond.
fn request(offer: Option<Offer>) -> (ClientHandshake<'static>, Key, Vec<u8>) {
    let opening =
        ClientHandshake { host: "a", target: "/", subprotocols: &["chat", "superchat"], fields: &[], offer };
    let key = Key::new(*b"the sample nonce");
    let mut request = Vec::new();
    opening.write_request(&key, &mut request).expect("a valid request");
    (opening, key, request)
}

/// Asserts that the spans of a handshake response agree with the client's check. A compressed
/// message follows the response.
fn assert_handshake_response_agrees(response: &[u8], offer: Option<Offer>, what: &str) {
    let (opening, key, request) = request(offer);
    let mut scratch = http::scratch();
    let head = http::parse_response(response, &mut scratch, &NO_LIMITS).expect("a valid head");
    let checked = opening.check_response(&key, &head);
    let hello = b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00";
    let frame: &[u8] = if head.status == 101 { hello } else { b"" };
    let spans = both_sides([(Side::Client, &request[..]), (Side::Server, response), (Side::Server, frame)]);
    assert_eq!(first_violation(&of(Side::Client, &spans)), None, "{what}");
    let server = of(Side::Server, &spans);
    let marked = first_violation(&server);
    match checked {
        Ok(opened) => {
            let is_frame = marked.is_some_and(|span| span.field == "FIN, RSV1-3, opcode");
            assert_eq!(marked.is_some(), opened.agreement.is_none(), "{what}: {marked:?}");
            assert_eq!(marked.is_some(), is_frame, "{what}: {marked:?}");
            let is_sent = server.iter().flat_map(|span| &span.notes).any(|note| {
                matches!(note, Note::Handshake { is_sent: Some(true), accept, .. } if accept == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
            });
            assert!(is_sent, "{what}");
        }
        // Another status rejects the handshake without breaking a rule.
        Err(error) if head.status != 101 => assert_eq!(marked, None, "{what}: {error}"),
        Err(error) => assert_marked(&server, response.len() as u64 - 1, &format!("{what}: {error}")),
    }
}

#[test]
fn spans_agree_with_the_client_on_the_handshake_response_vectors() {
    for vector in vectors::parse(include_str!("../vectors/websocket-opening.txt")) {
        let offer = vector.get("offer").map(|bits| Offer {
            server_max_window_bits: Some(std::str::from_utf8(bits).expect("digits").parse().expect("bits")),
            client_max_window_bits: ClientWindow::Any,
            ..Offer::default()
        });
        assert_handshake_response_agrees(vector.get("in").expect("a head"), offer, vector.text("name"));
    }
}

#[test]
fn spans_agree_with_the_server_on_the_handshake_request_vectors() {
    for vector in vectors::parse(include_str!("../vectors/websocket-handshake.txt")) {
        let mut head =
            "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n".to_owned();
        let lines = |key| {
            let value = vector.get(key).unwrap_or_default();
            value.split_inclusive(|byte| *byte == b'\n').map(|line| &line[..line.len() - 1])
        };
        for (key, name) in [
            ("key", "Sec-WebSocket-Key"),
            ("version", "Sec-WebSocket-Version"),
            ("protocol", "Sec-WebSocket-Protocol"),
        ] {
            lines(key).for_each(|line| head += &format!("{name}: {}\r\n", String::from_utf8_lossy(line)));
        }
        head += "\r\n";
        let spans = one_side(Start::Http, Side::Client, [head.as_bytes()]);
        // The protocol code receives trimmed values.
        let trimmed = |key| lines(key).map(<[u8]>::trim_ascii);
        let checked = server_handshake::check(trimmed("key"), trimmed("version"));
        assert_eq!(
            first_violation(&spans).is_some(),
            checked.is_err(),
            "{}: {checked:?}",
            vector.text("name")
        );
    }
}

const LINES: &[&str] = &[
    "Host: a\r\n",
    "Host: b\r\n",
    "Host: u@a\r\n",
    "Content-Length: 0\r\n",
    "Content-Length: x\r\n",
    "Content-Length: 0, 0\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding: gzip, chunked\r\n",
    "Transfer-Encoding: \r\n",
    "A:b\r\n",
    "A: \t b\t\r\n",
    "A :b\r\n",
    " a\r\n",
    "A\r\n",
    ":a\r\n",
    "A: \0\r\n",
    "A: a\rb\r\n",
    "A: b\n",
    "Expect: 100-continue\r\n",
    "Expect: x\r\n",
    "Connection: close\r\n",
    "\u{e9}: a\r\n",
    "A: \u{e9}\r\n",
];
const STARTS: &[&str] = &[
    "GET / HTTP/1.1\r\n",
    "GET / HTTP/1.0\r\n",
    "GET /a?b HTTP/1.1\r\n",
    "GET /#f HTTP/1.1\r\n",
    "GET  / HTTP/1.1\r\n",
    "GET / HTTP/2.0\r\n",
    "G(T / HTTP/1.1\r\n",
    "GET /\r\n",
    "GET\r\n",
    "\r\nGET / HTTP/1.1\r\n",
    "\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\n",
    "GET a HTTP/1.1\r\n",
    "CONNECT a:1 HTTP/1.1\r\n",
    "CONNECT / HTTP/1.1\r\n",
    "OPTIONS * HTTP/1.1\r\n",
    "GET http://a/ HTTP/1.1\r\n",
    " / HTTP/1.1\r\n",
    "GET / HTTP/1.1 \r\n",
    "GET /\u{e9} HTTP/1.1\r\n",
    "GET / HTTP/1.1\n",
    "GET /\t HTTP/1.1\r\n",
    "GET / http/1.1\r\n",
    "\n",
    "GET /\0 HTTP/1.1\r\n",
    "GET /\rHTTP/1.1\r\n",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn spans_agree_with_the_parser_on_any_request(
        start in prop::sample::select(STARTS), lines in prop::collection::vec(prop::sample::select(LINES), 0..6),
    ) {
        let head = format!("{start}Host: a\r\n{}\r\n", lines.concat());
        assert_request_agrees(head.as_bytes(), &head);
        let head = format!("{start}{}\r\n", lines.concat());
        assert_request_agrees(head.as_bytes(), &head);
    }

    #[test]
    fn spans_agree_with_the_body_reader_on_any_chunked_body(
        parts in prop::collection::vec(prop::sample::select(&[
            "1\r\na\r\n", "3;a=b\r\nabc\r\n", "2 ; a\r\nab\r\n", "2;a=\"\\\"b\" \r\nab\r\n", "0\r\n\r\n", "0\r\nA: b\r\n\r\n", "x\r\n", "1\n", "1;\r\n",
            "00000000000000001\r\n", "1\r\naX", "0\r\n a\r\n", "\r\n", "1;a b\r\na\r\n", "1;a=\r\na\r\n", "1;a=\"\r\n", "0\r\nA\r\n\r\n", "1\r", "1;a\t;b=c\r\nx\r\n",
        ][..]), 0..5),
        cut in 0..4usize,
    ) {
        let body = parts.concat();
        assert_body_agrees(&body.as_bytes()[..body.len().saturating_sub(cut)], &body);
    }

    #[test]
    fn spans_agree_with_the_client_on_any_handshake_response(
        lines in prop::collection::vec(prop::sample::select(&[
            "Upgrade: websocket", "Upgrade: h2c", "Upgrade:", "Connection: Upgrade", "Connection: close",
            "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "Sec-WebSocket-Accept: x",
            "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=12", "Sec-WebSocket-Extensions: x", "Sec-WebSocket-Protocol: chat",
            "Sec-WebSocket-Protocol: x",
        ][..]), 0..4),
        is_valid in prop::bool::weighted(0.5), offers: bool,
    ) {
        let mut lines = lines;
        if is_valid {
            lines.extend(["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="]);
        }
        let head = format!("HTTP/1.1 101 ok\r\nA: b\r\n{}{}\r\n", lines.join("\r\n"), if lines.is_empty() { "" } else { "\r\n" });
        let offer = offers.then_some(Offer { client_max_window_bits: ClientWindow::Any, ..Offer::default() });
        assert_handshake_response_agrees(head.as_bytes(), offer, &head);
    }
}
