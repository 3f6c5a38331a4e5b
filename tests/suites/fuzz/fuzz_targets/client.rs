//! What a client reads of a server before there is a WebSocket, and what it writes.
//!
//! The oracle:
//!
//! - However the bytes are cut, the head is the same, or its refusal, or that more is needed.
//! - A head is accepted if, and only if, a second reader of the grammar accepts it (`src/grammar.rs`), and both find the same in it.
//! - A handshake is accepted only if the answer has all that RFC 6455 §4.1 asks of it, each once.
//! - A request that is written is accepted by the server's half, field by field as it was asked for; and the server's answer to it by the client's.
//! - A URI that is read gives a request that can be written, and stands for itself.
#![no_main]

use arbitrary::Arbitrary;
use barewire::client::Url;
use barewire::protocol::http::{
    self, HeadError, HeadLimits, HeadScan, MAX_FIELD_LINES, Method, Response, ResponseError, ResponseHead, ResponseScan,
    Status, Target, Version,
};
use barewire::protocol::websocket::client_handshake::{ClientHandshake, Key, Negotiated};
use barewire::protocol::websocket::extension::{self, ClientWindow, Offer, ServerPreferences};
use barewire::protocol::websocket::server_handshake;
use barewire_fuzz::grammar::{self, End};
use barewire_fuzz::{cuts, pieces};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    doing: u8,
    lengths: [u8; 4],
    parameters: [u8; 2],
    bytes: &'a [u8],
}

const LIMITS: HeadLimits = HeadLimits { bytes: 1 << 20, request_line: 1 << 20, field_lines: MAX_FIELD_LINES };

fuzz_target!(|input: Input<'_>| {
    match input.doing % 3 {
        0 => answers(&input),
        1 => openings(&input),
        _ => uris(&input),
    }
});

/// The RFC's own nonce (§1.3): a fixed one, so that an answer can be right.
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

/// What a head comes to.
#[derive(Debug, PartialEq)]
enum Read {
    More,
    Refused(ResponseError),
    Head { length: usize, said: String },
}

fn read(pieces: &[&[u8]], limits: &HeadLimits) -> Read {
    let (mut buffer, mut scan) = (Vec::new(), ResponseScan::default());
    for piece in pieces {
        buffer.extend_from_slice(piece);
        match scan.scan(&buffer, limits) {
            Ok(None) => {}
            Err(error) => return Read::Refused(error),
            Ok(Some(end)) => {
                let mut scratch = http::scratch();
                return match http::parse_response(&buffer[..end], &mut scratch, limits) {
                    Ok(head) => Read::Head { length: end, said: said(&head) },
                    Err(error) => Read::Refused(error),
                };
            }
        }
    }
    Read::More
}

fn said(head: &Response<'_, '_>) -> String {
    let fields: Vec<_> =
        head.fields.iter().map(|(name, value)| (name, value.escape_ascii().to_string())).collect();
    format!("{:?} {} {fields:?}", head.version, head.status)
}

fn answers(input: &Input<'_>) {
    let bytes = input.bytes;
    let whole = read(&[bytes], &LIMITS);
    for pieces in cuts(bytes, &input.lengths) {
        assert_eq!(read(&pieces, &LIMITS), whole);
    }
    let [a, b] = input.parameters;
    let small =
        HeadLimits { bytes: 1 + 2 * usize::from(a), request_line: b.into(), field_lines: (b % 8).into() };
    let limited = read(&[bytes], &small);
    for pieces in cuts(bytes, &input.lengths) {
        assert_eq!(read(&pieces, &small), limited);
    }
    match limited {
        Read::Refused(
            ResponseError::Head(
                HeadError::HeadTooLarge | HeadError::StartLineTooLong | HeadError::TooManyFieldLines,
            ),
        ) => {}
        other => assert_eq!(other, whole),
    }

    let length = match (&whole, second(bytes)) {
        (Read::Head { length, .. }, Second::Head(end)) if *length == end => end,
        (Read::Refused(ResponseError::Head(HeadError::TooManyFieldLines)), _) => return,
        (Read::More, Second::More) | (Read::Refused(_), Second::Wrong) => return,
        (read, other) => panic!("{read:?}, and the second reader: {other:?}"),
    };
    let mut scratch = http::scratch();
    let head = http::parse_response(&bytes[..length], &mut scratch, &LIMITS).expect("it was accepted");
    let (_, fields) = grammar::lines(&bytes[..length]).expect("the second reader has read it");
    let same = head.fields.iter().map(|(name, value)| (name.to_owned(), value.to_vec()));
    assert!(same.eq(fields.iter().cloned()));

    let opening = ClientHandshake {
        host: "a",
        target: "/",
        subprotocols: &["chat", "b"],
        fields: &[],
        offer: offer(a),
    };
    if let Ok(opened) = opening.check_response(&Key::new(*NONCE), &head) {
        is_right(&opening, &fields, &head, &opened);
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

/// RFC 6455 §4.1, the client's six checks, on the fields as the second reader has found them.
fn is_right(
    opening: &ClientHandshake<'_>,
    fields: &[grammar::Field],
    head: &Response<'_, '_>,
    opened: &Negotiated<'_>,
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
    let chosen = opened.subprotocol.map(str::as_bytes);
    assert_eq!(grammar::values(fields, "Sec-WebSocket-Protocol"), chosen.into_iter().collect::<Vec<_>>());
    assert!(chosen.is_none() || opening.subprotocols.iter().any(|asked| Some(asked.as_bytes()) == chosen));
    let extensions = list("Sec-WebSocket-Extensions");
    assert_eq!(opened.agreement.is_some(), !extensions.is_empty());
    assert!(opened.agreement.is_none() || opening.offer.is_some());
}

/// Any texts as what a client asks for.
fn openings(input: &Input<'_>) {
    let text = String::from_utf8_lossy(input.bytes);
    let mut texts = text.split('\n');
    let mut next = || texts.next().unwrap_or_default();
    let (host, target) = (next(), next());
    let subprotocols: Vec<&str> = (0..input.parameters[1] % 3).map(|_| next()).collect();
    let fields: Vec<(&str, &str)> = texts.filter_map(|line| line.split_once('\t')).take(100).collect();
    let offer = offer(input.parameters[0]);
    let opening = ClientHandshake { host, target, subprotocols: &subprotocols, fields: &fields, offer };
    let key = Key::new(*NONCE);
    let mut request = Vec::new();
    if opening.write_request(&key, &mut request).is_err() {
        return assert!(request.is_empty());
    }

    assert_eq!(HeadScan::default().scan(&request, &LIMITS), Ok(Some(request.len())));
    let mut scratch = http::scratch();
    let head = http::parse(&request, &mut scratch, &LIMITS).expect("a request that can be read");
    assert_eq!((head.method, head.version, head.host), (Method::Get, Version::Http11, Some(host)));
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    assert_eq!(head.target, Target::Path { path, query });
    assert!(head.fields.has_token("Upgrade", "websocket") && head.fields.has_token("Connection", "upgrade"));
    let values = |name| head.fields.get_all(name);
    let asked: Vec<_> =
        fields.iter().map(|(name, value)| (*name, value.trim_matches([' ', '\t']).as_bytes())).collect();
    let written: Vec<_> = head.fields.iter().collect();
    assert!(written.ends_with(&asked), "{written:?}, {asked:?}");

    let accept =
        server_handshake::check(values("Sec-WebSocket-Key"), values("Sec-WebSocket-Version")).expect("right");
    assert_eq!(accept.as_bytes(), ACCEPT);
    let agreement = extension::negotiate(values("Sec-WebSocket-Extensions"), &ServerPreferences::default())
        .expect("right");
    assert_eq!(agreement.is_some(), offer.is_some());
    let known = ["chat", "b"];
    let chosen = server_handshake::choose_subprotocol(values("Sec-WebSocket-Protocol"), &known);
    assert_eq!(chosen, subprotocols.iter().copied().find(|asked| known.contains(asked)));

    let mut answer = Vec::new();
    let mut response = ResponseHead::start(&mut answer, Status::SWITCHING_PROTOCOLS)
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
    let cut = read(&pieces(&answer, &input.lengths), &LIMITS);
    assert!(matches!(cut, Read::Head { length, .. } if length == answer.len()), "{cut:?}");
    let mut scratch = http::scratch();
    let head = http::parse_response(&answer, &mut scratch, &LIMITS).expect("an answer that can be read");
    let opened = opening.check_response(&key, &head).expect("an answer that is right");
    assert_eq!(opened, Negotiated { subprotocol: chosen, agreement });
}

fn uris(input: &Input<'_>) {
    let text = String::from_utf8_lossy(input.bytes);
    let Ok(uri) = Url::parse_websocket(&text) else { return };
    let opening = ClientHandshake {
        host: &uri.authority,
        target: &uri.target,
        subprotocols: &[],
        fields: &[],
        offer: None,
    };
    opening.write_request(&Key::new(*NONCE), &mut Vec::new()).expect("what a URI says can be asked for");
    let anew = format!("WS://{}{}", uri.authority, uri.target);
    assert_eq!(Url::parse_websocket(&anew).as_ref(), Ok(&uri));
    assert!(grammar::is_authority(&uri.authority));
    assert!(uri.authority.contains(&uri.host));
}
