//! Recordings, and the formats in which spans are rendered.

use barewire::wire::record::{Block, FIRST_LINE, Reader, RecordingError, Writer, is_recording};
use barewire::wire::render::text::Text;
use barewire::wire::render::{Source, json, svg::Diagram};
use barewire::wire::{Compression, Conversation, SecretNames, Side, Span, Start};
use proptest::prelude::*;
use serde_json::Value;

use crate::one_side;

const HELLO: [u8; 11] = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];

fn written(blocks: &[Block]) -> String {
    let (mut writer, mut out) = (Writer::new(), String::new());
    blocks.iter().for_each(|block| writer.block(block, &mut out));
    out
}

fn block(side: Side, time_ms: u64, bytes: &[u8]) -> Block {
    Block { connection: 1, side, time_ms, bytes: bytes.to_vec(), is_end: false }
}

#[test]
fn a_recording_is_plain_text_and_is_read_back() {
    let blocks = [
        block(Side::Client, 0, b"GET / HTTP/1.1\r\nX: a\\b\t\xc3\xa9 \r\n\r\n"),
        block(Side::Client, 7, &HELLO),
        block(Side::Server, 7, b"\x81\x02hidata: x \n"),
        Block { is_end: true, ..block(Side::Server, 9, b"") },
    ];
    let text = written(&blocks);
    let expected = r"barewire conversation 1

1 client 0 ms
  text GET / HTTP/1.1\r\n
  text X: a\\b\té \r\n
  text \r\n

1 client 7 ms
  hex  81 85 37 fa 21 3d 7f 9f 4d 51 58

1 server 7 ms
  hex  81 02 68 69 64 61 74 61 3a 20 78 20 0a

1 server 9 ms end
";
    assert_eq!(text, expected);
    let read: Result<Vec<Block>, RecordingError> = Reader::new(text.as_bytes()).collect();
    assert_eq!(read, Ok(blocks.to_vec()));
    // An editor may add a byte order mark, carriage returns and a comment.
    let edited =
        "\u{feff}".to_owned() + &text.replace('\n', "\r\n").replace("1 client 7", "# a remark\r\n1 client 7");
    assert!(is_recording(edited.as_bytes()));
    let read: Result<Vec<Block>, RecordingError> = Reader::new(edited.as_bytes()).collect();
    assert_eq!(read, Ok(blocks.to_vec()));
}

#[test]
fn an_error_in_a_recording_names_its_line() {
    for (line, lines) in [
        (1, "barewire conversation 2\n"),
        (1, ""),
        (2, "barewire conversation 1\nclient 1 0 ms\n"),
        (2, "barewire conversation 1\n1 client 0\n"),
        (2, "barewire conversation 1\n1 nobody 0 ms\n"),
        (2, "barewire conversation 1\n1 client 0 ms ended\n"),
        (2, "barewire conversation 1\n  text a\n"),
        (3, "barewire conversation 1\n1 client 0 ms\n  word a\n"),
        (3, "barewire conversation 1\n1 client 0 ms\n  hex 8\n"),
        (3, "barewire conversation 1\n1 client 0 ms\n  hex 8x\n"),
        (3, "barewire conversation 1\n1 client 0 ms\n  hex +1\n"),
        (4, "barewire conversation 1\n1 client 0 ms\n  text a\n  text \\q\n"),
        (3, "barewire conversation 1\n1 client 0 ms\n  text \\x4\n"),
        (3, "barewire conversation 1\n1 client 0 ms\n  text a\\\n"),
    ] {
        let error = Reader::new(lines.as_bytes()).find_map(Result::err);
        let error = error.unwrap_or_else(|| panic!("{lines:?} is accepted"));
        assert_eq!(error.line, line, "{lines:?}: {error}");
    }
    let long = format!("{FIRST_LINE}\n1 client 0 ms\n  text {}\n", "x".repeat(70_000));
    let mut reader = Reader::new(long.as_bytes());
    assert!(reader.next().expect("an outcome").is_err_and(|error| error.line == 3));
    assert!(reader.next().is_none(), "the reader ends after an error");
    assert!(is_recording(b"barewire conversation 1\r\n") && !is_recording(b"barewire conversation 12\n"));
}

/// Requests with `SECRET` at each position that must be hidden.
const SECRETS: &[&str] = &[
    "GET /a?access_token=SECRET HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer SECRET\r\nCookie: a=SECRET\r\n\r\n",
    "GET /a?x&access%5ftoken=SECRET&y HTTP/1.1\r\nHost: a\r\nReferer: http://a/?access_token=SECRET\r\n\r\n",
    "GET  /a?access_token=SECRET\r\nHost: a\r\n\r\n",
    "GET / HTTP/1.1\r\nAuthorization : Bearer\r\n SECRET\r\n\tSECRET\r\n\tSECRET\r\n\r\n",
    "GET / HTTP/1.1\r\nAuthorization: Bearer \0SECRET\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nCookie: SECRET\r\n SECRET\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\nGET /?access_token=SECRET HTTP/1.1\r\nCookie: SECRET\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nAuthorization: SECRET",
    "\x16\x03SECRET SECRET",
    "GET /a?Token=SECRET&api%5Fkey=SECRET&sig=SECRET HTTP/1.1\r\nHost: a\r\nX-Api-Key: SECRET\r\n SECRET\r\n\r\n",
    "GET /a HTTP/1.1\r\nSec-WebSocket-Protocol: barewire.json, SECRET,\r\n SECRET\r\nX-Auth-Token:\tSECRET\r\n\r\n",
    "GET http://me:SECRET@a/?to=%2F%3Fpassword%3DSECRET HTTP/1.1\r\nHost: a\r\n\r\n",
    "CONNECT me:SECRET@a:80 HTTP/1.1\r\nHost: me:SECRET@a:80\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nOrigin: http://me:SECRET@a\r\nReferer: //SECRET@a/\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 33\r\nContent-Type: application/x-www-form-urlencoded; charset=utf-8\r\n\r\n\
     user=SAM&password=SECRET&pin=4711",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n\
     9\r\ntoken=SEC\r\n3\r\nRET\r\n0\r\n\r\n",
];

/// The same for responses.
const SECRETS_OF_SERVERS: &[&str] = &[
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: SECRET\r\n\r\n",
    "HTTP/1.1 302 Found\r\nLocation: https://a/b?code=SECRET#id_token=SECRET\r\nSet-Cookie: a=SECRET\r\n\r\n",
];

fn drawn(spans: &[Span]) -> String {
    let (mut diagram, mut out) = (Diagram::new(), String::new());
    spans.iter().for_each(|span| diagram.span(span));
    diagram.finish(&mut out);
    out
}

fn render_in_all_formats(spans: &[Span]) -> String {
    let mut out = String::new();
    let mut text = Text::new(true, true);
    for span in spans {
        text.span(Source::default(), span, &mut out);
        json::span(Source::default(), span, &mut out);
    }
    out.push_str(&drawn(spans));
    Writer::new().spans(1, 0, spans, &mut out);
    out + &format!("{spans:?}")
}

#[test]
fn hides_secrets_in_every_format() {
    let hex = |bytes: &[u8], between: &str| {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(between)
    };
    let encodings = [
        "SECRET".to_owned(),
        hex(b"SECR", " "),
        hex(b"SECRET", ""),
        format!("{:?}", b"SECRET").replace(['[', ']'], ""),
    ];
    let of = |side, requests: &'static [&'static str]| requests.iter().map(move |sent| (side, sent));
    for (side, sent) in of(Side::Client, SECRETS).chain(of(Side::Server, SECRETS_OF_SERVERS)) {
        for pieces in [vec![sent.as_bytes()], sent.as_bytes().chunks(1).collect()] {
            let mut conversation = Conversation::one_sided(Start::Http).hiding_secrets();
            let mut spans = Vec::new();
            pieces.iter().for_each(|piece| conversation.feed(side, piece, &mut spans));
            conversation.finish(side, &mut spans);
            let shown = render_in_all_formats(&spans);
            for encoding in &encodings {
                assert!(!shown.contains(encoding), "{sent:?}: {encoding}");
            }
            let length: usize = spans.iter().map(|span| span.bytes.len()).sum();
            assert_eq!(length, sent.len(), "hidden bytes are counted");
        }
        let open = render_in_all_formats(&one_side(Start::Http, side, [sent.as_bytes()]));
        // Chunks divide one of the secrets.
        let is_open = open.contains("SECRET") && open.contains(&encodings[2]);
        assert!(is_open || sent.contains("SEC\r\n"), "{sent:?} is hidden without being asked to");
    }
}

#[test]
fn hides_added_names_and_shows_everything_else() {
    let head = "POST /a?x-device=1&token=2&x=3 HTTP/1.1\r\nHost: a\r\nX_DEVICE: 4\r\nX-Other: 5\r\n\
                Sec-WebSocket-Protocol: bearer, s3cr3t, graphql-ws\r\n";
    for (content, expected) in [
        ("Content-Type: application/json\r\nContent-Length: 13\r\n\r\n{\"token\":\"a\"}", None),
        (
            "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 17\r\n\r\nx-device=1&pin&a=b",
            Some("x-device=*&pin&a="),
        ),
    ] {
        let mut conversation = Conversation::new().hiding(SecretNames::with(["X-Device"]));
        let mut spans = Vec::new();
        let sent = format!("{head}{content}");
        conversation.feed(Side::Client, sent.as_bytes(), &mut spans);
        let shown: Vec<u8> = spans.iter().flat_map(|span| &span.bytes).copied().collect();
        let shown = String::from_utf8(shown).expect("ASCII");
        for part in [
            "/a?x-device=*&token=*&x=3 ",
            "X_DEVICE: *\r\n",
            "X-Other: 5\r\n",
            "Protocol: bearer, ******, graphql-ws\r\n",
            expected.unwrap_or("{\"token\":\"a\"}"),
        ] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
        let target = format!("{:?}", spans.iter().flat_map(|span| &span.notes).collect::<Vec<_>>());
        assert!(target.contains("/a?x-device=*&token=*&x=3"), "{target}");
    }
}

#[test]
fn json_contains_every_member_of_a_span() {
    let spans = one_side(Start::WebSocket(Compression::None), Side::Client, [&HELLO[..], b"\x01\x01\""]);
    let objects: Vec<Value> = spans
        .iter()
        .map(|span| {
            let mut out = String::new();
            json::span(Source { connection: Some(3), time_ms: Some(9) }, span, &mut out);
            assert!(!out.contains('\n'));
            serde_json::from_str(&out).expect("JSON")
        })
        .collect();
    let payload = &objects[3];
    assert_eq!(
        (&payload["connection"], &payload["time_ms"], &payload["offset"]),
        (&3.into(), &9.into(), &6.into())
    );
    assert_eq!((&payload["bytes"], &payload["unmasked"]), (&"7f9f4d5158".into(), &"48656c6c6f".into()));
    assert_eq!(payload["section"], "RFC 6455 §5.6");
    assert_eq!(payload["url"], "https://www.rfc-editor.org/rfc/rfc6455#section-5.6");
    assert_eq!(payload["notes"][0]["text"], "Hello");
    assert_eq!(objects[0]["bits"].as_array().map(Vec::len), Some(5));
    assert_eq!(objects[5]["wrong"]["section"], "RFC 6455 §5.1");
    assert_eq!(objects[6]["value"], "\"");
}

#[test]
fn the_figure_in_the_documentation_is_current() {
    let diagram = drawn(&one_side(Start::WebSocket(Compression::NotSeen), Side::Client, [&HELLO[..]]));
    // Created by `barewire explain --format svg --hex '81 85 37 fa 21 3d 7f 9f 4d 51 58' >
    // docs/frame.svg`.
    assert_eq!(diagram, include_str!("../../docs/frame.svg"));
}

#[test]
fn text_has_colors_and_all_bytes_only_on_request() {
    let bytes = [&[0x82, 0x7d][..], &[0; 125]].concat();
    let spans = one_side(Start::WebSocket(Compression::None), Side::Server, [&bytes[..]]);
    let shown = |color, all| {
        let (mut text, mut out) = (Text::new(color, all), String::new());
        spans.iter().for_each(|span| text.span(Source::default(), span, &mut out));
        out
    };
    assert!(shown(true, false).contains("\x1b[") && !shown(false, false).contains('\x1b'));
    assert!(shown(false, false).contains("… 93 more bytes"));
    assert_eq!(shown(false, true).matches("00 00 00 00 00 00 00 00\n").count() + 2, 125_usize.div_ceil(8));
}

proptest! {
    #[test]
    fn any_recording_is_read_back(
        blocks in prop::collection::vec(
            (any::<u64>(), any::<bool>(), any::<u64>(), any::<bool>(), prop_oneof![
                prop::collection::vec(any::<u8>(), 0..60),
                "[ -~\\r\\n\\té€😀\\\\]{0,60}".prop_map(String::into_bytes),
                (any::<u8>(), 0..2000usize).prop_map(|(byte, length)| vec![byte; length]),
            ]), 1..6),
    ) {
        let blocks: Vec<Block> = blocks
            .into_iter()
            .map(|(connection, is_client, time_ms, is_end, bytes)| {
                let side = if is_client { Side::Client } else { Side::Server };
                Block { connection, side, time_ms, bytes, is_end }
            })
            .collect();
        let text = written(&blocks);
        prop_assert!(text.lines().all(|line| line.trim_end() == line), "a line ends in a space");
        let read: Result<Vec<Block>, RecordingError> = Reader::new(text.as_bytes()).collect();
        prop_assert_eq!(read, Ok(blocks));
    }

    /// The reader accepts or rejects any lines without a panic.
    #[test]
    fn any_recording_is_accepted_or_rejected(lines in "([12] (client|server) [0-9]{1,3} ms( end)?\n|  (text|hex ) [0-9a-fx\\\\ ]{0,9}\n|[ -~]{0,9}\n){0,9}") {
        let text = format!("{FIRST_LINE}\n{lines}");
        let _ = Reader::new(text.as_bytes()).count();
    }

    /// Diagrams are XML and objects are JSON, for any input.
    #[test]
    fn any_output_is_well_formed(bytes in prop::collection::vec(any::<u8>(), 1..80), text in "[ -~\r\n]{1,60}", is_text: bool) {
        let bytes = if is_text { text.into_bytes() } else { bytes };
        for start in [Start::Http, Start::EventStream, Start::WebSocket(Compression::NotSeen)] {
            let spans = one_side(start, Side::Server, [&bytes[..]]);
            assert_is_xml(&drawn(&spans));
            for span in &spans {
                let mut out = String::new();
                json::span(Source::default(), span, &mut out);
                prop_assert!(serde_json::from_str::<Value>(&out).is_ok(), "{}", out);
            }
        }
    }
}

/// Asserts that elements are nested and that text has no characters that XML forbids.
fn assert_is_xml(document: &str) {
    let mut open = Vec::new();
    let mut rest = document;
    while let Some(start) = rest.find('<') {
        let text = &rest[..start];
        let is_allowed = |character: char| character == '\n' || character >= ' ';
        assert!(text.chars().all(is_allowed) && !text.contains('>'), "{text:?} in {document}");
        for (at, _) in text.match_indices('&') {
            let is_known =
                ["&lt;", "&gt;", "&amp;", "&quot;"].iter().any(|entity| text[at..].starts_with(entity));
            assert!(is_known, "{:?}", &text[at..]);
        }
        let end = rest[start..].find('>').map(|end| start + end).expect("a tag ends");
        let tag = &rest[start + 1..end];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "{document}");
        } else if !tag.ends_with('/') {
            open.push(tag.split(' ').next().expect("a name"));
        }
        rest = &rest[end + 1..];
    }
    assert!(open.is_empty() && rest.trim().is_empty(), "{open:?} is open in {document}");
}
