//! Response heads, as a client reads them, against vectors and properties.

use barewire::protocol::http::{self, HeadLimits, ResponseError, ResponseScan, Status, Version};
use proptest::prelude::*;

use crate::heads;
use crate::vectors::{cut_at, cuts};

/// The response head at the start of `pieces`: how long it is and what it reads as, the refusal, or
/// `None` if more is needed.
fn head<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, limits: &HeadLimits) -> Option<(usize, String)> {
    let mut buffer = Vec::new();
    let mut scan = ResponseScan::default();
    for piece in pieces {
        buffer.extend_from_slice(piece);
        match scan.scan(&buffer, limits) {
            Ok(None) => {}
            Ok(Some(end)) => {
                let read = read_head(&buffer[..end], limits);
                return Some((end, read.unwrap_or_else(|error| format!("{error:?}"))));
            }
            Err(error) => return Some((0, format!("{error:?}"))),
        }
    }
    None
}

/// A head in the words of the vectors.
fn read_head(bytes: &[u8], limits: &HeadLimits) -> Result<String, ResponseError> {
    let mut scratch = http::scratch();
    let head = http::parse_response(bytes, &mut scratch, limits)?;
    let version = match head.version {
        Version::Http10 => "HTTP/1.0",
        Version::Http11 => "HTTP/1.1",
    };
    let fields = head.fields.iter().map(|(name, value)| format!(" {name}={}", value.escape_ascii()));
    Ok(format!("{version} {}{}", head.status, fields.collect::<String>()))
}

#[test]
fn heads_read_as_their_vectors_say() {
    let limits = HeadLimits::default();
    let file = include_str!("../vectors/http_responses.txt");
    heads::read_as_said(file, b"\x81\x05HTTP/1.1 200 OK\r\n", |pieces| head(pieces, &limits));
}

#[test]
fn a_head_beyond_its_limits_is_refused_at_the_same_place_however_it_is_cut() {
    let limits = HeadLimits { bytes: 120, request_line: 30, field_lines: 2 };
    for (sent, refused) in [
        (format!("HTTP/1.1 200 {}\r\n", "a".repeat(40)), "StatusLineTooLong"),
        (format!("HTTP/1.1 200 OK\r\nX: {}", "a".repeat(120)), "HeadTooLarge"),
        ("HTTP/1.1 200 OK\r\nA: 1\r\nB: 2\r\nC: 3\r\n\r\n".to_owned(), "TooManyFieldLines"),
    ] {
        for pieces in cuts(sent.as_bytes()) {
            assert_eq!(head(pieces, &limits).map(|(_, read)| read).as_deref(), Some(refused));
        }
    }
}

#[test]
fn what_is_no_http_is_refused_for_that_up_to_a_limit() {
    for (request_line, refused) in [(1, "NotHttp"), (0, "StatusLineTooLong")] {
        for pieces in cuts(b"H/") {
            let limits = HeadLimits { bytes: 120, request_line, field_lines: 2 };
            assert_eq!(head(pieces, &limits).map(|(_, read)| read).as_deref(), Some(refused));
        }
    }
}

const SHREDS: &[&str] = &[
    "HTTP/1.1 101 Switching Protocols\r\n",
    "HTTP/1.0 200 OK\r\n",
    "HTTP/1.1 ",
    "404 ",
    "\r\n",
    "\r",
    "\n",
    " ",
    "\t",
    ":",
    "X: y\r\n",
    "Upgrade: websocket\r\n",
    "\0",
];

proptest! {
    #[test]
    fn any_head_has_one_outcome_however_it_is_cut(
        shreds in prop::collection::vec(prop_oneof![
            6 => prop::sample::select(SHREDS).prop_map(|shred| shred.as_bytes().to_vec()),
            1 => prop::collection::vec(any::<u8>(), 0..3),
        ], 0..20),
        begins in prop::bool::weighted(0.8),
        places in prop::collection::vec(0..4096usize, 0..12),
    ) {
        let start = if begins { SHREDS[0] } else { "" };
        let bytes = [start.as_bytes(), &shreds.concat()].concat();
        let limits = HeadLimits { bytes: 200, request_line: 40, field_lines: 6 };
        let whole = head([&bytes[..]], &limits);
        prop_assert_eq!(head(cut_at(&bytes, &places), &limits), whole.clone());
        prop_assert_eq!(head(bytes.chunks(1), &limits), whole);
    }

    #[test]
    fn what_a_server_writes_is_read_back(value in "[ -~]{0,40}", places in prop::collection::vec(0..4096usize, 0..6)) {
        let mut bytes = Vec::new();
        http::ResponseHead::start(&mut bytes, Status::UPGRADE_REQUIRED).field("X", &value).end();
        let expected = format!("HTTP/1.1 426 X={}", value.trim().as_bytes().escape_ascii());
        prop_assert_eq!(head(cut_at(&bytes, &places), &HeadLimits::default()), Some((bytes.len(), expected)));
    }
}
