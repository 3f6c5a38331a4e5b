//! Response heads: vectors and properties.

use barewire::protocol::http::{self, HeadLimits, ResponseError, ResponseScan, Status, Version};
use proptest::prelude::*;

use crate::heads;
use crate::vectors::{cut_at, cuts};

/// Reads the response head at the start of `parts`. Returns its length and its text form, 0 and the
/// error, or `None` if more bytes are needed.
fn head<'a>(parts: impl IntoIterator<Item = &'a [u8]>, limits: &HeadLimits) -> Option<(usize, String)> {
    let mut buffer = Vec::new();
    let mut scan = ResponseScan::default();
    for part in parts {
        buffer.extend_from_slice(part);
        match scan.scan(&buffer, limits) {
            Ok(None) => {}
            Ok(Some(end)) => {
                let read = read_head(&buffer[..end], limits);
                return Some((end, read.unwrap_or_else(error_text)));
            }
            Err(error) => return Some((0, error_text(error))),
        }
    }
    None
}

fn error_text(error: ResponseError) -> String {
    match error {
        ResponseError::Head(error) => format!("{error:?}"),
        _ => format!("{error:?}"),
    }
}

/// Returns a head in the text form of the vectors.
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
fn reads_every_head_of_the_vectors() {
    let limits = HeadLimits::default();
    let file = include_str!("../vectors/http_responses.txt");
    heads::check(file, b"\x81\x05HTTP/1.1 200 OK\r\n", |parts| head(parts, &limits));
}

#[test]
fn rejects_a_head_beyond_a_limit_however_it_is_split() {
    let limits = HeadLimits { bytes: 120, request_line: 30, field_lines: 2 };
    for (sent, expected) in [
        (format!("HTTP/1.1 200 {}\r\n", "a".repeat(40)), "StartLineTooLong"),
        (format!("HTTP/1.1 200 OK\r\nX: {}", "a".repeat(120)), "HeadTooLarge"),
        ("HTTP/1.1 200 OK\r\nA: 1\r\nB: 2\r\nC: 3\r\n\r\n".to_owned(), "TooManyFieldLines"),
    ] {
        for parts in cuts(sent.as_bytes()) {
            assert_eq!(head(parts, &limits).map(|(_, read)| read).as_deref(), Some(expected));
        }
    }
}

#[test]
fn rejects_another_protocol_unless_a_limit_comes_first() {
    for (request_line, expected) in [(1, "NotHttp"), (0, "StartLineTooLong")] {
        for parts in cuts(b"H/") {
            let limits = HeadLimits { bytes: 120, request_line, field_lines: 2 };
            assert_eq!(head(parts, &limits).map(|(_, read)| read).as_deref(), Some(expected));
        }
    }
}

const FRAGMENTS: &[&str] = &[
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
    fn any_head_has_the_same_outcome_however_it_is_split(
        fragments in prop::collection::vec(prop_oneof![
            6 => prop::sample::select(FRAGMENTS).prop_map(|fragment| fragment.as_bytes().to_vec()),
            1 => prop::collection::vec(any::<u8>(), 0..3),
        ], 0..20),
        has_start in prop::bool::weighted(0.8),
        places in prop::collection::vec(0..4096usize, 0..12),
    ) {
        let start = if has_start { FRAGMENTS[0] } else { "" };
        let bytes = [start.as_bytes(), &fragments.concat()].concat();
        let limits = HeadLimits { bytes: 200, request_line: 40, field_lines: 6 };
        let whole = head([&bytes[..]], &limits);
        prop_assert_eq!(head(cut_at(&bytes, &places), &limits), whole.clone());
        prop_assert_eq!(head(bytes.chunks(1), &limits), whole);
    }

    #[test]
    fn reads_back_what_a_server_writes(value in "[ -~]{0,40}", places in prop::collection::vec(0..4096usize, 0..6)) {
        let mut bytes = Vec::new();
        http::ResponseHead::start(&mut bytes, Status::UPGRADE_REQUIRED).field("X", &value).end();
        let expected = format!("HTTP/1.1 426 X={}", value.trim().as_bytes().escape_ascii());
        prop_assert_eq!(head(cut_at(&bytes, &places), &HeadLimits::default()), Some((bytes.len(), expected)));
    }
}
