//! A server cannot keep the client reading without an end: each part of a response that adds
//! nothing to its content has a bound.

use barewire::client::follow::{Error, Next, Resource, ResponseLimits, Since, Transport};
use barewire::protocol::http::{BodyError, HeadError, HeadLimits, ResponseError};
use barewire::protocol::sse::{DecodeError, DecodeLimits};
use barewire::protocol::websocket::ProtocolError;
use barewire::protocol::websocket::message::MessageLimits;

use super::exchange_with;
use super::responses::OPENED;

/// Returns a resource with small limits where they can be chosen, because each test splits its
/// input at every byte.
fn resource() -> Resource {
    let mut resource = super::resource();
    resource.limits = ResponseLimits {
        event: 400,
        head: HeadLimits { bytes: 600, request_line: 200, field_lines: 20 },
        body: 700,
        stream: DecodeLimits { line: 300, data: 400 },
        message: MessageLimits { message_bytes: 500, frames: 40 },
    };
    resource
}

/// Asserts that `start`, followed by `repeated` without an end, is this error, which names its
/// section: in one piece, byte by byte, and split in two.
fn assert_ends(via: Transport, start: &str, repeated: &str, expected: &Error) {
    let resource = resource();
    let exchange = |bytes: &[u8], cuts: &[usize]| {
        exchange_with(&resource, via, &Since::Id("a-1".into()), bytes, cuts).next
    };
    let case = format!("{via}: {}…", &start.escape_debug().to_string());
    // The largest default is that of a trailer section.
    let bytes = [start, &repeated.repeat(9000 / repeated.len())].concat().into_bytes();
    let is_error = |length: &usize| exchange(&bytes[..*length], &[]) == Err(expected.clone());
    let lengths: Vec<usize> = (0..=bytes.len()).collect();
    let bytes = &bytes[..lengths.partition_point(|length| !is_error(length)).min(bytes.len())];
    assert_eq!(exchange(bytes, &[]), Err(expected.clone()), "{case}");
    let each: Vec<usize> = (1..bytes.len()).collect();
    assert_eq!(exchange(bytes, &each), Err(expected.clone()), "{case} byte by byte");
    // In two parts too, but not in the middle of thousands of equal bytes.
    let is_long = |cut: &usize| (start.len() + 300..bytes.len().saturating_sub(300)).contains(cut);
    for cut in (0..=bytes.len()).filter(|cut| !is_long(cut)) {
        assert_eq!(exchange(bytes, &[cut]), Err(expected.clone()), "{case} split at {cut}");
    }
    let text = expected.to_string();
    assert!(text.contains("RFC ") || text.contains("WHATWG HTML §"), "{text}");
}

/// Returns the start of a chunked response of the kind that the transport expects.
fn chunked(via: Transport) -> &'static str {
    match via {
        Transport::EventStream => {
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        }
        Transport::ShortPoll | Transport::LongPoll => {
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        }
        // A refusal, whose content may explain it.
        Transport::WebSocket => "HTTP/1.1 403 \r\nTransfer-Encoding: chunked\r\n\r\n",
    }
}

/// The transports that read a response in different ways.
const WAYS: [Transport; 3] = [Transport::LongPoll, Transport::EventStream, Transport::WebSocket];

#[test]
fn chunk_extensions_end() {
    let error = Error::Body(BodyError::ExtensionsTooLong);
    for via in WAYS {
        assert_ends(via, &format!("{}1;", chunked(via)), "a", &error);
    }
    // After chunks with content; and the other parts of an extension.
    let start = format!("{}3;a\r\n:\n\n\r\n", chunked(Transport::EventStream));
    for (size, repeated) in [("1;a=\"", "b"), ("1", " "), ("1", ";a"), ("0;", "a")] {
        assert_ends(Transport::EventStream, &format!("{start}{size}"), repeated, &error);
    }
}

#[test]
fn a_chunk_size_and_a_trailer_section_end() {
    for via in WAYS {
        let start = chunked(via);
        assert_ends(via, start, "0", &Error::Body(BodyError::ChunkSizeTooLong));
        let last = format!("{start}0\r\n");
        assert_ends(via, &last, "A: b\r\n", &Error::Body(BodyError::TooManyTrailerLines));
        assert_ends(via, &format!("{last}A:"), "b", &Error::Body(BodyError::TrailerTooLarge));
    }
}

#[test]
fn the_content_of_a_response_ends() {
    let error = Error::Body(BodyError::ContentTooLarge);
    assert_ends(Transport::LongPoll, chunked(Transport::LongPoll), "1\r\n \r\n", &error);
    for via in WAYS {
        assert_ends(via, "HTTP/1.1 403 \r\n\r\n", "a", &error);
    }
}

#[test]
fn response_heads_end() {
    for via in WAYS {
        let head = |error: HeadError| Error::Head(ResponseError::Head(error));
        assert_ends(via, "", "HTTP/1.1 103 \r\nA: b\r\n\r\n", &Error::TooManyInterim);
        assert_ends(via, "HTTP/1.1 200 ", "O", &head(HeadError::StartLineTooLong));
        for start in ["HTTP/1.1 200 OK\r\n", "HTTP/1.1 103 \r\n\r\nHTTP/1.1 100 \r\n"] {
            assert_ends(via, start, "A: b\r\n", &head(HeadError::TooManyFieldLines));
            assert_ends(via, &format!("{start}A: "), "b", &head(HeadError::HeadTooLarge));
        }
    }
}

#[test]
fn lines_and_events_of_a_stream_end() {
    let until_close = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";
    let too_long = Error::Stream(DecodeError::LineTooLong);
    for line in [":", "data: ", "id: ", "event: ", "retry: 1", "x"] {
        assert_ends(Transport::EventStream, &format!("{until_close}:\n\n{line}"), "1", &too_long);
    }
    let too_large = Error::Stream(DecodeError::DataTooLarge);
    assert_ends(Transport::EventStream, until_close, "data: a\n", &too_large);
    let chunks = chunked(Transport::EventStream);
    assert_ends(Transport::EventStream, &format!("{chunks}1\r\n:\r\n"), "2\r\naa\r\n", &too_long);
}

#[test]
fn messages_of_a_websocket_end() {
    let frame = format!("\0\x20{}", "a".repeat(32));
    for (repeated, error) in [("\0\0", ProtocolError::TooManyFrames), (&frame, ProtocolError::MessageTooBig)]
    {
        assert_ends(Transport::WebSocket, &format!("{OPENED}\x01\0"), repeated, &Error::Protocol(error));
    }
}

#[test]
fn heartbeats_with_extensions_are_accepted_for_months() {
    // A heartbeat each 15 seconds for two months.
    let heartbeats = "3;at=1700000000\r\n:\n\n\r\n".repeat(345_600);
    let bytes = format!("{}{heartbeats}", chunked(Transport::EventStream));
    let outcome = exchange_with(&resource(), Transport::EventStream, &Since::Now, bytes.as_bytes(), &[]);
    assert!(matches!(outcome.next, Ok(Next::Reconnect { .. })), "{:?}", outcome.next);
}
