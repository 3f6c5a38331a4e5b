//! The protocol and the sender of bytes, determined by the bytes alone.
//!
//! | the bytes begin with | protocol |
//! | --- | --- |
//! | a status line, or a start of it | HTTP, from a server |
//! | a request line, after empty lines or not, or a start of it | HTTP, from a client |
//! | a byte order mark and one of these, as editors save it | the same |
//! | a byte that no text begins with | WebSocket frames |
//! | a byte that begins text as well as a frame, and lines that are not text | WebSocket frames |
//! | a line with the size of a chunk, and a chunk of that size | chunks of an event stream |
//! | anything else, which is text | an event stream |
//!
//! A frame is from a client if it is masked (RFC 6455 §5.1).

use crate::protocol::http::fields::is_tchar;
use crate::wire::{Compression, Side, Start};

/// The number of bytes that are examined.
const WINDOW_BYTES: usize = 4096;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The start of a status line (RFC 9112 §4).
const VERSION: &[u8] = b"HTTP/";

/// Methods that a request line may be cut off in, or whose target may be malformed.
const METHODS: [&[u8]; 9] =
    [b"GET", b"POST", b"HEAD", b"PUT", b"DELETE", b"OPTIONS", b"CONNECT", b"PATCH", b"TRACE"];

/// Returns the protocol in which bytes begin.
pub fn start(bytes: &[u8]) -> Start {
    let window = &bytes[..bytes.len().min(WINDOW_BYTES)];
    if begins_response(window) || begins_request(window) {
        Start::Http
    } else if begins_frame(window) {
        Start::WebSocket(Compression::NotSeen)
    } else if begins_chunk(window) {
        Start::EventStreamChunks
    } else {
        Start::EventStream
    }
}

/// Returns the side that sent bytes in this protocol.
pub fn side(bytes: &[u8], start: Start) -> Side {
    let is_client = match start {
        Start::Http => !begins_response(bytes),
        Start::WebSocket(_) => bytes.get(1).is_some_and(|second| second & 0x80 != 0),
        Start::EventStream | Start::EventStreamChunks => false,
    };
    if is_client { Side::Client } else { Side::Server }
}

fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes)
}

fn begins_response(bytes: &[u8]) -> bool {
    let bytes = without_mark(bytes);
    // One letter may also begin HEAD.
    bytes.starts_with(VERSION) || (bytes.len() >= 2 && VERSION.starts_with(bytes))
}

fn begins_request(bytes: &[u8]) -> bool {
    let bytes = without_mark(bytes);
    // RFC 9112 §2.2: a server ignores empty lines before a request line.
    let empty = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    let text = &bytes[empty..];
    let line = text.split(|byte| is_line_end(*byte)).next().unwrap_or_default();
    let (method, rest) = line.split_at(line.iter().take_while(|byte| is_tchar(**byte)).count());
    match rest {
        _ if method.is_empty() => false,
        [] => method.len() == text.len() && METHODS.iter().any(|known| known.starts_with(method)),
        [b' ', target @ ..] => {
            let is_upper = method.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b'-');
            METHODS.contains(&method)
                || (is_upper && matches!(target, [b'/' | b'*', ..]))
                || rest.windows(6).any(|window| window == b" HTTP/")
        }
        _ => false,
    }
}

fn begins_frame(bytes: &[u8]) -> bool {
    let [first, ..] = bytes else { return false };
    let first_line = bytes.split(|byte| is_line_end(*byte)).next().unwrap_or_default();
    match first {
        _ if bytes.starts_with(BYTE_ORDER_MARK) || BYTE_ORDER_MARK.starts_with(bytes) => false,
        // No character of UTF-8 begins with these bytes.
        0x80..=0xC1 | 0xF5..=0xFF => true,
        // The first frame of a fragmented message. No text begins with these control characters.
        0x01 | 0x02 => true,
        // The first frame of a fragmented and compressed message, or a letter.
        b'A' | b'B' => !has_visible_name(bytes) && !reads_as_text(bytes),
        // A frame with such a first byte would set a reserved bit, or have a reserved opcode.
        b' '..=0x7F => has_length(bytes, first_line) && !reads_as_text(bytes),
        0xC3..=0xC7 | 0xCB..=0xF4 => !has_visible_name(bytes) && utf8(first_line).is_none(),
        // Empty lines, or a frame that breaks a rule.
        b'\n' | b'\r' => begins_frame(&bytes[bytes.iter().take_while(|byte| is_line_end(**byte)).count()..]),
        // The other first bytes of characters beyond ASCII.
        0x80.. => !reads_as_text(bytes),
        // A frame with another control character as its first byte breaks a rule. Text does not.
        _ => !reads_as_text(bytes) && (bytes.len() == 1 || !has_visible_name(&bytes[1..])),
    }
}

/// Returns true if the second byte is the length of a frame rather than text.
fn has_length(bytes: &[u8], first_line: &[u8]) -> bool {
    const ESCAPE: u8 = 0x1b;
    match bytes.get(1) {
        None | Some(b'\t' | b'\n' | b'\r' | &ESCAPE) => false,
        Some(0x80..) => utf8(first_line).is_none(),
        Some(second) => *second < b' ',
    }
}

/// Returns true if bytes begin with visible text and a colon.
fn has_visible_name(bytes: &[u8]) -> bool {
    let end = bytes.iter().position(|byte| *byte == b':' || is_line_end(*byte));
    end.is_none_or(|end| bytes[end] == b':') && is_visible(&bytes[..end.unwrap_or(bytes.len())])
}

/// Returns true if bytes begin with a line of visible text, or with lines of UTF-8 and a field of
/// an event stream.
fn reads_as_text(bytes: &[u8]) -> bool {
    let mut lines = bytes.split(|byte| is_line_end(*byte));
    let first = lines.clone().next().unwrap_or_default();
    let is_complete = first.len() < bytes.len();
    if is_visible(first) && (!is_complete || first.contains(&b':')) {
        return true;
    }
    // Bytes that are not UTF-8 end the search; in a value after a field they are allowed.
    let decisive = lines.find(|line| is_field(line) || utf8(line).is_none());
    decisive.is_some_and(is_field)
}

/// Returns true for a field that event streams define, or a comment (WHATWG HTML §9.2.6).
fn is_field(line: &[u8]) -> bool {
    let name = line.iter().position(|byte| *byte == b':').map(|colon| &line[..colon]);
    matches!(name, Some(b"" | b"data" | b"event" | b"id" | b"retry"))
}

fn is_visible(line: &[u8]) -> bool {
    utf8(line).is_some_and(|text| !text.chars().any(|character| character.is_control() && character != '\t'))
}

/// Returns a line as text; `None` if it is not UTF-8. The last character may be cut off.
fn utf8(line: &[u8]) -> Option<&str> {
    match str::from_utf8(line) {
        Ok(text) => Some(text),
        Err(error) if error.error_len().is_none() => str::from_utf8(&line[..error.valid_up_to()]).ok(),
        Err(_) => None,
    }
}

/// Returns true if bytes begin with a chunk (RFC 9112 §7.1) or a start of one.
fn begins_chunk(bytes: &[u8]) -> bool {
    let (digits, rest) = bytes.split_at(bytes.iter().take_while(|byte| byte.is_ascii_hexdigit()).count());
    let Some(size) = str::from_utf8(digits).ok().and_then(|digits| usize::from_str_radix(digits, 16).ok())
    else {
        return false;
    };
    match rest {
        // Letters alone may also begin the name of a field.
        [] => digits.iter().any(u8::is_ascii_digit),
        [b'\r', rest @ ..] => match rest {
            [] => true,
            [b'\n', content @ ..] => is_chunk_of(size, content),
            _ => false,
        },
        [b';', extension @ ..] => match extension.iter().position(|byte| is_line_end(*byte)) {
            None => true,
            Some(end) => match &extension[end..] {
                [b'\r'] => true,
                [b'\r', b'\n', content @ ..] => is_chunk_of(size, content),
                _ => false,
            },
        },
        _ => false,
    }
}

/// Returns true if CRLF follows `size` bytes, unless `content` ends before that.
fn is_chunk_of(size: usize, content: &[u8]) -> bool {
    content.get(size..).is_none_or(|after| after.starts_with(b"\r\n") || b"\r\n".starts_with(after))
}

const fn is_line_end(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::protocol::sse::{HEARTBEAT, write_event, write_first_block};

    fn name(bytes: &[u8]) -> &'static str {
        let start = start(bytes);
        match (start, side(bytes, start)) {
            (Start::Http, Side::Client) => "request",
            (Start::Http, Side::Server) => "response",
            (Start::WebSocket(_), Side::Client) => "client frames",
            (Start::WebSocket(_), Side::Server) => "server frames",
            (Start::EventStream, _) => "event stream",
            (Start::EventStreamChunks, _) => "chunks",
        }
    }

    #[test]
    fn determines_the_protocol_of_complete_and_of_short_inputs() {
        for (expected, inputs) in [
            (
                "request",
                &[
                    &b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..],
                    b"\r\n\r\nPOST /topics/a HTTP/1.1\r\n",
                    b"GET /\r\n",
                    b"GET  /a?b HTTP/1.1",
                    b"get /a HTTP/1.1\r\n",
                    b"GET /\x1b\0\x7f HTTP/1.1\r\n",
                    b"SUBSCRIBE /a",
                    b"A / HTTP/1.1\r\n",
                    b"BREW /pot HTCPCP/1.0\r\n",
                    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                    b"G",
                    b"H",
                    b"POS",
                    b"OPTIONS ",
                    b"\xef\xbb\xbfGET / HTTP/1.1\r\nHost: a\r\n\r\n",
                    b"\xef\xbb\xbf\r\nPOST /topics/a HTTP/1.1\r\n",
                    b"\xef\xbb\xbfPOS",
                ][..],
            ),
            (
                "response",
                &[
                    b"HTTP/1.1 200 OK\r\n\r\n",
                    b"HTTP/1.0",
                    b"HTTP/",
                    b"HT",
                    b"\xef\xbb\xbfHTTP/1.1 200 OK\r\n\r\n",
                    b"\xef\xbb\xbfHTTP/",
                ],
            ),
            (
                "event stream",
                &[
                    b"data: a\tb\n\n",
                    b"data: \x1b[1mbold\x1b[0m\n\n",
                    b"data:\0\x7f\n",
                    b"\x1b: a\ndata: b\n\n",
                    b"\0\nid: 1\ndata: b\n\n",
                    b"\0data: b\n\n",
                    b"\x1b[1m: b\n\n",
                    b"\tdata: b\n\n",
                    b"\n",
                    b"\r\nfoo: \0\n",
                    b"A",
                    b"fa",
                    b"\x7f\n",
                    b"data",
                    b"data\n\n",
                    b"d",
                    b"e",
                    b"event: GET / HTTP/1.1\n",
                    b": GET / HTTP/1.1\n\n",
                    b"retry: 1\rid\r\r",
                    b":",
                    b":\n\n",
                    b"\n\n\ndata: x\n",
                    b"\r\ndata: x\r\n",
                    b"\xef\xbb\xbfdata: x\n\n",
                    b"\xef\xbb\xbf",
                    b"\xef\xbb\xbf: GET / HTTP/1.1\n\n",
                    b"\xef\xbb",
                    b"\xef",
                    b"foo: a\n",
                    b"foo\n",
                    b"Apple: \x1b\n\n",
                    b"Bear\ndata: x\n",
                    b"App",
                    b"data: \xff\xfe\n\n",
                    b"\xc3\xa9: \x1b\n",
                    b"\xc3\xa9: \xff\n",
                    b"a\x1b: x\n",
                    b"a\0: x\ndata: b\n",
                    b"\xc2\xa3: x\ndata: \xff\n",
                    b"\xc3",
                    b"\xf0\x9f\x98\x80: x\n\n",
                    b"hello, world",
                    b"{\"a\":1}\n",
                    b"12: x\n",
                    b"a\ndata: x\n\n",
                    b"a\r\ndata: x\r\n\r\n",
                ],
            ),
            (
                "chunks",
                &[
                    b"1c\r\nretry: 3214\nid: HpfL5TaZ-1\n\n\r\n3\r\n:\n\n\r\n",
                    b"3\r\n:\n\n\r\n",
                    b"a;x=y\r\ndata: abc\n\r\n",
                    b"FF\r\ndata: cut off",
                    b"0\r\n\r\n",
                    b"1c\r\n",
                    b"1c\r",
                    b"1c",
                    b"5;x",
                    b"5;x\r",
                ],
            ),
            (
                "client frames",
                &[
                    b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58",
                    b"\x82\x80data",
                    b"\x88\x80\0\0\0\0",
                    b"\x89\xfe",
                    b"\x01\x83abcd",
                    b"\xc1\x87",
                    b"\xc2\xa3\x80\x81data: x\n\n",
                    b"\xc2\x85\x3a\x3a\x3a\x3a",
                    b"\xc8\x80\0\0\0\0",
                    b"\x41\xfe\xff\xff",
                    b"\xd1\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58",
                    b"\x61\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58",
                ],
            ),
            (
                "server frames",
                &[
                    b"\x81\x05hello",
                    b"\x81\x0adata: abc\n",
                    b"\x81\x7e\x01\x00id: 1\n",
                    b"\x82\x03\x00\x01\x02",
                    b"\x01\x0aid: 7\ndata",
                    b"\x02\x01:",
                    b"\x88\x02\x03\xe8",
                    b"\x89\x00",
                    b"\x8a",
                    b"\x83\x00",
                    b"\xff\x00",
                    b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00",
                    b"\x41\x03\xf2\x48\xcd",
                    b"\x00\x05hello",
                    b"\x21\x00",
                    b"\x61\x01\x61",
                    b"\x00",
                    b"\x09\x00",
                    b"\x0a\x02hi",
                    b"\x08\x02\x03\xe8",
                    b"\x16\x03\x01\x02\x00\x01",
                    b"\xc3\x28",
                ],
            ),
        ] {
            for input in inputs {
                assert_eq!(name(input), expected, "{}", input.escape_ascii());
            }
        }
    }

    fn value() -> impl Strategy<Value = String> {
        // Any characters but line ends, controls among them.
        "[^\\r\\n]{0,40}"
    }

    proptest! {
        #[test]
        fn every_stream_of_this_server_is_an_event_stream_wherever_it_is_cut(
            id in "[A-Za-z0-9]{1,8}-[0-9]{1,4}",
            events in prop::collection::vec((value(), "[^\\r]{0,40}"), 0..4),
            has_first_block: bool,
            has_heartbeat: bool,
            has_mark: bool,
        ) {
            let mut stream = if has_mark { BYTE_ORDER_MARK.to_vec() } else { Vec::new() };
            if has_first_block {
                write_first_block(2000, &id, None, &mut stream);
            }
            if has_heartbeat {
                stream.extend_from_slice(HEARTBEAT);
            }
            events.iter().for_each(|(event, data)| write_event(&id, event, data, &mut stream));
            for length in 1..=stream.len() {
                prop_assert_eq!(name(&stream[..length]), "event stream", "{} bytes", length);
            }
            if stream.len() > 15 {
                let mut chunk = format!("{:x}\r\n", stream.len()).into_bytes();
                chunk.extend_from_slice(&stream);
                chunk.extend_from_slice(b"\r\n0\r\n\r\n");
                for length in 2..=chunk.len() {
                    prop_assert!(matches!(name(&chunk[..length]), "chunks" | "event stream"));
                }
                prop_assert_eq!(name(&chunk), "chunks");
            }
        }

        #[test]
        fn any_event_stream_is_one(
            lines in prop::collection::vec(
                ("(data|event|id|retry|[g-zG-Z\u{e9}\u{4e00}][^:\\r\\n\u{0}-\u{1f}\u{7f}-\u{9f}]{0,9}|)", value()), 1..6),
            end in "(\n|\r|\r\n)",
        ) {
            let stream: String = lines.iter().map(|(name, value)| format!("{name}: {value}{end}")).collect();
            // A name such as `GET / HTTP/1.1` begins a request.
            prop_assume!(!begins_request(stream.as_bytes()));
            prop_assert_eq!(name(stream.as_bytes()), "event stream");
        }

        #[test]
        fn any_frames_are_frames_wherever_they_are_cut(
            first in prop::sample::select(&[0x81, 0x82, 0x88, 0x89, 0x8a, 0xc1, 0x01, 0x02][..]),
            key in any::<Option<[u8; 4]>>(),
            payload in prop_oneof![
                prop::collection::vec(any::<u8>(), 0..200),
                "(data: [a-z]{0,9}\n){0,9}".prop_map(String::into_bytes),
            ],
        ) {
            let mask = if key.is_some() { 0x80 } else { 0 };
            let mut frame = match u8::try_from(payload.len()) {
                Ok(length @ ..126) => vec![first, mask | length],
                _ => [&[first, mask | 126][..], &(payload.len() as u16).to_be_bytes()].concat(),
            };
            frame.extend(key.unwrap_or_default().iter().take(if key.is_some() { 4 } else { 0 }));
            frame.extend(&payload);
            let expected = if key.is_some() { "client frames" } else { "server frames" };
            prop_assert!(name(&frame[..1]).ends_with("frames"));
            for length in 2..=frame.len() {
                prop_assert_eq!(name(&frame[..length]), expected, "{} bytes", length);
            }
        }
    }
}
