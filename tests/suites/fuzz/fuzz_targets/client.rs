//! The client's half of a handshake: the response that it reads, and the request that it writes.
//!
//! The properties:
//!
//! - However the bytes are split, the result is the same: the head, its refusal, or that more bytes
//!   are needed.
//! - A head is accepted if and only if a second parser of the grammar (`src/grammar.rs`) accepts
//!   it, and both find the same content.
//! - A handshake is accepted only if the response meets every requirement of RFC 6455 §4.1, each
//!   once.
//! - The server's half accepts a request that the client writes, with every field as specified; and
//!   the client accepts the server's response.
//! - A URI that parses yields a request that can be written, and formats to an equal URI.
#![no_main]

use arbitrary::Arbitrary;
use barewire::client::Url;
use barewire::protocol::http::{
    self, HeadError, HeadLimits, HeadScan, MAX_FIELD_LINES, Method, Response, ResponseError, ResponseHead,
    ResponseScan, Status, Target, Version,
};
use barewire::protocol::websocket::client_handshake::{ClientHandshake, Key, Negotiated};
use barewire::protocol::websocket::extension::{self, ClientWindow, Offer, ServerPreferences};
use barewire::protocol::websocket::server_handshake;
use barewire_fuzz::grammar::{self, End};
use barewire_fuzz::{split, splits};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    mode: u8,
    lengths: [u8; 4],
    parameters: [u8; 2],
    bytes: &'a [u8],
}

const LIMITS: HeadLimits = HeadLimits { bytes: 1 << 20, request_line: 1 << 20, field_lines: MAX_FIELD_LINES };

fuzz_target!(|input: Input<'_>| {
    match input.mode % 3 {
        0 => responses(&input),
        1 => handshakes(&input),
        _ => uris(&input),
    }
});

/// The RFC's own nonce (§1.3). It is fixed, so that a response can contain the matching accept
/// value.
const NONCE: &[u8; 16] = b"the sample nonce";
const ACCEPT: &[u8] = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

fn offer(byte: u8) -> Option<Offer> {
    let bits = 8 + byte / 16 % 8;
    (byte & 1 != 0).then_some(Offer {
        server_no_context_takeover: byte & 2 != 0,
        client_no_context_takeover: byte & 4 != 0,
        server_max_window_bits: (byte & 8 != 0).then_some(bits),
        client_max_window_bits: if byte & 128 != 0 { ClientWindow::Any } else { ClientWindow::Unnamed },
    })
}

/// The result of reading a head.
#[derive(Debug, PartialEq)]
enum Read {
    More,
    Refused(ResponseError),
    Head { length: usize, content: String },
}

fn read(parts: &[&[u8]], limits: &HeadLimits) -> Read {
    let (mut buffer, mut scan) = (Vec::new(), ResponseScan::default());
    for part in parts {
        buffer.extend_from_slice(part);
        match scan.scan(&buffer, limits) {
            Ok(None) => {}
            Err(error) => return Read::Refused(error),
            Ok(Some(end)) => {
                let mut scratch = http::scratch();
                return match http::parse_response(&buffer[..end], &mut scratch, limits) {
                    Ok(head) => Read::Head { length: end, content: content(&head) },
                    Err(error) => Read::Refused(error),
                };
            }
        }
    }
    Read::More
}

fn content(head: &Response<'_, '_>) -> String {
    let fields: Vec<_> =
        head.fields.iter().map(|(name, value)| (name, value.escape_ascii().to_string())).collect();
    format!("{:?} {} {fields:?}", head.version, head.status)
}

fn responses(input: &Input<'_>) {
    let bytes = input.bytes;
    let whole = read(&[bytes], &LIMITS);
    for parts in splits(bytes, &input.lengths) {
        assert_eq!(read(&parts, &LIMITS), whole);
    }
    let [a, b] = input.parameters;
    let small =
        HeadLimits { bytes: 1 + 2 * usize::from(a), request_line: b.into(), field_lines: (b % 8).into() };
    let limited = read(&[bytes], &small);
    for parts in splits(bytes, &input.lengths) {
        assert_eq!(read(&parts, &small), limited);
    }
    match limited {
        Read::Refused(ResponseError::Head(
            HeadError::HeadTooLarge | HeadError::StartLineTooLong | HeadError::TooManyFieldLines,
        )) => {}
        other => assert_eq!(other, whole),
    }

    let length = match (&whole, second(bytes)) {
        (Read::Head { length, .. }, Second::Head(end)) if *length == end => end,
        (Read::Refused(ResponseError::Head(HeadError::TooManyFieldLines)), _) => return,
        (Read::More, Second::More) | (Read::Refused(_), Second::Wrong) => return,
        (read, other) => panic!("{read:?}, but the second parser: {other:?}"),
    };
    let mut scratch = http::scratch();
    let head = http::parse_response(&bytes[..length], &mut scratch, &LIMITS).expect("an accepted head");
    let (_, fields) = grammar::lines(&bytes[..length]).expect("the second parser accepted it");
    let same = head.fields.iter().map(|(name, value)| (name.to_owned(), value.to_vec()));
    assert!(same.eq(fields.iter().cloned()));

    let handshake = ClientHandshake {
        host: "a",
        target: "/",
        subprotocols: &["chat", "b"],
        fields: &[],
        offer: offer(a),
    };
    if let Ok(negotiated) = handshake.check_response(&Key::new(*NONCE), &head) {
        check_handshake(&handshake, &fields, &head, &negotiated);
    }
}

#[derive(Debug)]
enum Second {
    More,
    Wrong,
    Head(usize),
}

fn second(bytes: &[u8]) -> Second {
    let start = bytes.len().min(5);
    if bytes[..start] != b"HTTP/"[..start] {
        return Second::Wrong;
    }
    let end = match grammar::head_end(bytes, 0) {
        End::At(end) => end,
        End::Open => return Second::More,
        End::Never => return Second::Wrong,
    };
    let is_status_line = |line: &[u8]| {
        matches!(line.get(..9), Some(b"HTTP/1.0 " | b"HTTP/1.1 "))
            && matches!(line.get(9..13), Some([b'1'..=b'5', b'0'..=b'9', b'0'..=b'9', b' ']))
    };
    match grammar::lines(&bytes[..end]) {
        Some((line, _)) if is_status_line(line) => Second::Head(end),
        _ => Second::Wrong,
    }
}

/// Applies the client's six checks of RFC 6455 §4.1 to the fields that the second parser found.
fn check_handshake(
    handshake: &ClientHandshake<'_>,
    fields: &[grammar::Field],
    head: &Response<'_, '_>,
    negotiated: &Negotiated<'_>,
) {
    let list = |name: &str| -> Vec<Vec<u8>> {
        let values = grammar::values(fields, name);
        let members = values.iter().flat_map(|value| value.split(|byte| *byte == b','));
        members
            .map(|member| member.trim_ascii().to_ascii_lowercase())
            .filter(|member| !member.is_empty())
            .collect()
    };
    assert_eq!((head.status, head.version), (101, Version::Http11));
    assert_eq!(list("Upgrade"), [b"websocket"]);
    assert!(list("Connection").contains(&b"upgrade".to_vec()));
    assert_eq!(grammar::values(fields, "Sec-WebSocket-Accept"), [ACCEPT]);
    let chosen = negotiated.subprotocol.map(str::as_bytes);
    assert_eq!(grammar::values(fields, "Sec-WebSocket-Protocol"), chosen.into_iter().collect::<Vec<_>>());
    assert!(
        chosen.is_none() || handshake.subprotocols.iter().any(|offered| Some(offered.as_bytes()) == chosen)
    );
    let extensions = list("Sec-WebSocket-Extensions");
    assert_eq!(negotiated.agreement.is_some(), !extensions.is_empty());
    assert!(negotiated.agreement.is_none() || handshake.offer.is_some());
}

/// Uses arbitrary texts as the client's parameters of a handshake.
fn handshakes(input: &Input<'_>) {
    let text = String::from_utf8_lossy(input.bytes);
    let mut texts = text.split('\n');
    let mut next = || texts.next().unwrap_or_default();
    let (host, target) = (next(), next());
    let subprotocols: Vec<&str> = (0..input.parameters[1] % 3).map(|_| next()).collect();
    let fields: Vec<(&str, &str)> = texts.filter_map(|line| line.split_once('\t')).take(100).collect();
    let offer = offer(input.parameters[0]);
    let handshake = ClientHandshake { host, target, subprotocols: &subprotocols, fields: &fields, offer };
    let key = Key::new(*NONCE);
    let mut request = Vec::new();
    if handshake.write_request(&key, &mut request).is_err() {
        return assert!(request.is_empty());
    }

    assert_eq!(HeadScan::default().scan(&request, &LIMITS), Ok(Some(request.len())));
    let mut scratch = http::scratch();
    let head = http::parse(&request, &mut scratch, &LIMITS).expect("a valid request");
    assert_eq!((head.method, head.version, head.host), (Method::Get, Version::Http11, Some(host)));
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    assert_eq!(head.target, Target::Path { path, query });
    assert!(head.fields.has_token("Upgrade", "websocket") && head.fields.has_token("Connection", "upgrade"));
    let values = |name| head.fields.get_all(name);
    let specified: Vec<_> =
        fields.iter().map(|(name, value)| (*name, value.trim_matches([' ', '\t']).as_bytes())).collect();
    let written: Vec<_> = head.fields.iter().collect();
    assert!(written.ends_with(&specified), "{written:?}, {specified:?}");

    let accept =
        server_handshake::check(values("Sec-WebSocket-Key"), values("Sec-WebSocket-Version")).expect("valid");
    assert_eq!(accept.as_bytes(), ACCEPT);
    let agreement = extension::negotiate(values("Sec-WebSocket-Extensions"), &ServerPreferences::default())
        .expect("valid");
    assert_eq!(agreement.is_some(), offer.is_some());
    let known = ["chat", "b"];
    let chosen = server_handshake::choose_subprotocol(values("Sec-WebSocket-Protocol"), &known);
    assert_eq!(chosen, subprotocols.iter().copied().find(|offered| known.contains(offered)));

    let mut bytes = Vec::new();
    let mut response = ResponseHead::start(&mut bytes, Status::SWITCHING_PROTOCOLS)
        .field("Upgrade", "websocket")
        .field("Connection", "Upgrade")
        .field("Sec-WebSocket-Accept", accept.as_bytes());
    if let Some(chosen) = chosen {
        response = response.field("Sec-WebSocket-Protocol", chosen);
    }
    if let Some(agreement) = agreement {
        let mut value = Vec::new();
        agreement.write_response(&mut value);
        response = response.field("Sec-WebSocket-Extensions", value);
    }
    response.end();
    let parsed = read(&split(&bytes, &input.lengths), &LIMITS);
    assert!(matches!(parsed, Read::Head { length, .. } if length == bytes.len()), "{parsed:?}");
    let mut scratch = http::scratch();
    let head = http::parse_response(&bytes, &mut scratch, &LIMITS).expect("a valid response");
    let negotiated = handshake.check_response(&key, &head).expect("a correct response");
    assert_eq!(negotiated, Negotiated { subprotocol: chosen, agreement });
}

fn uris(input: &Input<'_>) {
    let text = String::from_utf8_lossy(input.bytes);
    let Ok(uri) = Url::parse_websocket(&text) else { return };
    let handshake = ClientHandshake {
        host: &uri.authority,
        target: &uri.target,
        subprotocols: &[],
        fields: &[],
        offer: None,
    };
    handshake.write_request(&Key::new(*NONCE), &mut Vec::new()).expect("a URI yields a valid request");
    let formatted = format!("WS://{}{}", uri.authority, uri.target);
    assert_eq!(Url::parse_websocket(&formatted).as_ref(), Ok(&uri));
    assert!(grammar::is_authority(&uri.authority));
    assert!(uri.authority.contains(&uri.host));
}
