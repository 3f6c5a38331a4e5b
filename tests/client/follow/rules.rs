//! The meaning of each kind of response.

use std::time::Duration;

use barewire::client::follow::{
    Error, Follower, Next, PublishRequest, PublishStep, Resource, ResponseLimits, RetryReason, Shared, Since,
    Transport,
};
use barewire::protocol::http::{BodyError, FramingError, ResponseError};
use barewire::protocol::websocket::ProtocolError;
use barewire::protocol::websocket::client_handshake::{ClientHandshakeError, RequestError};
use barewire::protocol::websocket::close::CloseCode;

use super::responses::{Body, JSON, OPENED, PROBLEM, STREAM, frame, messages, poll_body, response, stream};
use super::{NONCE, Received, exchange, exchange_with};

fn request(via: Transport, since: Since, resource: &Resource) -> String {
    let mut out = Vec::new();
    let mut shared = Shared::new(|| Ok(NONCE));
    Follower::new(via, since).write_request(resource, &mut shared, &mut out).expect("a valid request");
    assert_eq!(shared.traffic.bytes_up, out.len() as u64);
    String::from_utf8(out).expect("ASCII")
}

fn next(via: Transport, bytes: &[u8]) -> Result<Next, Error> {
    exchange(via, &Since::Now, bytes, &[]).next
}

#[test]
fn writes_the_request_of_each_transport() {
    let resource = Resource::new("ws://h:81/topics/t?a=b", Some("secret"), &[("X-Y", "z")]).expect("valid");
    let tail = "Authorization: Bearer secret\r\nX-Y: z\r\n\r\n";
    let poll = "HTTP/1.1\r\nHost: h:81\r\nAccept: application/json\r\nAccept-Encoding: identity\r\n";
    let id = Since::Id("e-5".into());
    assert_eq!(
        request(Transport::ShortPoll, Since::Start, &resource),
        format!("GET /topics/t?a=b&since=start {poll}{tail}")
    );
    assert_eq!(
        request(Transport::ShortPoll, id.clone(), &resource),
        format!("GET /topics/t?a=b {poll}Last-Event-ID: e-5\r\n{tail}")
    );
    assert_eq!(
        request(Transport::LongPoll, id.clone(), &resource),
        format!("GET /topics/t?a=b&wait=30 {poll}Last-Event-ID: e-5\r\n{tail}")
    );
    assert_eq!(
        request(Transport::LongPoll, Since::Now, &resource),
        format!("GET /topics/t?a=b&since=now {poll}{tail}"),
        "the first request returns at once with the position of the topic"
    );
    assert_eq!(
        request(Transport::EventStream, id.clone(), &resource),
        format!(
            "GET /topics/t?a=b HTTP/1.1\r\nHost: h:81\r\nAccept: text/event-stream\r\n\
             Cache-Control: no-store\r\nAccept-Encoding: identity\r\nLast-Event-ID: e-5\r\n{tail}"
        )
    );
    let plain = Resource::new("http://h", None, &[]).expect("valid");
    assert_eq!(
        request(Transport::WebSocket, id, &plain),
        "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
         Accept-Encoding: identity\r\nLast-Event-ID: e-5\r\n\r\n"
    );
}

#[test]
fn an_id_that_is_not_a_valid_field_value_goes_into_the_query() {
    for (id, target) in [("a\r\nb c", "/?since=a%0D%0Ab%20c"), (" a", "/?since=%20a"), ("", "/")] {
        for via in Transport::ALL {
            let request = request(via, Since::Id(id.into()), &Resource::new("http://h", None, &[]).unwrap());
            let wait = match via {
                Transport::LongPoll if target.contains('?') => "&wait=30",
                Transport::LongPoll => "?wait=30",
                _ => "",
            };
            assert!(request.starts_with(&format!("GET {target}{wait} HTTP/1.1\r\n")), "{request}");
            assert!(!request.contains("Last-Event-ID"), "{request}");
        }
    }
}

#[test]
fn rejects_fields_that_may_not_be_sent() {
    for (name, value, error) in [
        ("host", "x", RequestError::ReservedField),
        ("Last-Event-ID", "x", RequestError::ReservedField),
        ("Accept-Encoding", "gzip", RequestError::ReservedField),
        ("Sec-WebSocket-Protocol", "x", RequestError::ReservedField),
        ("a b", "x", RequestError::FieldName),
        ("a", "x\r\ny: z", RequestError::FieldValue),
    ] {
        let refused = Resource::new("http://h", None, &[(name, value)]).expect_err("a forbidden field");
        assert_eq!(refused, Error::Request(error));
    }
    assert!(Resource::new("http://h", Some("a\r\nb: c"), &[]).is_err());
}

#[test]
fn a_refusal_is_final_and_has_the_reason_of_the_server() {
    let body = br#"{"type":"about:blank","title":"Unauthorized","status":401,"detail":"A token is wanted"}"#;
    for via in Transport::ALL {
        for framing in [Body::Length, Body::Chunks(7), Body::UntilEnd] {
            let refused = next(via, &response(1, "401 Unauthorized", PROBLEM, body, framing));
            let detail = Some("A token is wanted".into());
            assert_eq!(refused, Err(Error::Refused { status: 401, detail }), "{via} {framing:?}");
        }
        for status in [301, 400, 403, 404, 410, 413, 501] {
            let refused = next(via, &response(0, &format!("{status} "), "", b"<html>", Body::Length));
            assert_eq!(refused, Err(Error::Refused { status, detail: None }), "{via}");
            assert!(refused.is_err_and(|error| error.suggests_fallback()));
        }
    }
    let text = r#"{"detail":"\u001b[31mred\u009b\u202e"}"#.as_bytes();
    let refused = next(Transport::EventStream, &response(0, "403 ", PROBLEM, text, Body::Length));
    let detail = Some("\\x1b[31mred\\xc2\\x9b\\xe2\\x80\\xae".into());
    assert_eq!(refused, Err(Error::Refused { status: 403, detail }));
}

#[test]
fn reconnects_after_a_temporary_failure() {
    for via in Transport::ALL {
        for status in [408, 425, 429, 500, 502, 503, 504] {
            for (field, least) in [("", 0), ("Retry-After: 7\r\n", 7), ("Retry-After: 999999\r\n", 3600)] {
                let outcome =
                    next(via, &response(0, &format!("{status} "), field, b"later", Body::Chunks(2)));
                let least = Duration::from_secs(least);
                assert_eq!(
                    outcome,
                    Ok(Next::Reconnect { after: least, reason: RetryReason::Status(status) }),
                    "{via}"
                );
            }
        }
        // The connection ends before or within a response.
        for bytes in [&b""[..], b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"] {
            let ended = Ok(Next::Reconnect { after: Duration::ZERO, reason: RetryReason::Ended });
            assert_eq!(next(via, bytes), ended, "{via}");
        }
    }
}

#[test]
fn an_unexpected_response_suggests_a_fallback() {
    let html = response(0, "200 OK", "Content-Type: text/html\r\n", b"<html>", Body::Length);
    let content_type = |expected| Error::ContentType { expected, received: Some("text/html".into()) };
    for (via, bytes, error) in [
        (Transport::ShortPoll, &html, content_type("application/json")),
        (Transport::EventStream, &html, content_type("text/event-stream")),
        (Transport::WebSocket, &html, Error::Handshake(ClientHandshakeError::Status(200))),
        (Transport::LongPoll, &b"SSH-2.0\r\n".to_vec(), Error::Head(ResponseError::NotHttp)),
        (Transport::LongPoll, &response(20, "200 OK", JSON, b"{}", Body::Length), Error::TooManyInterim),
        (
            Transport::EventStream,
            &response(0, "200 OK", "Content-Length: 1\r\n", b"", Body::Length),
            Error::Framing(FramingError::LengthRepeated),
        ),
        (
            Transport::WebSocket,
            &OPENED.replace("s3pP", "s3pp").into_bytes(),
            Error::Handshake(ClientHandshakeError::AcceptMismatch),
        ),
    ] {
        assert!(error.suggests_fallback(), "{error}");
        assert_eq!(next(via, bytes), Err(error), "{via}");
    }
}

/// Responses that the client cannot read, each as its status, its fields and the part of them that
/// the error names.
const UNREADABLE: [(&str, &str, &str); 13] = [
    ("200 OK", "Content-Encoding: gzip\r\n", "the content coding gzip"),
    ("200 OK", "Content-Encoding: identity, br\r\n", "the content coding identity, br"),
    ("200 OK", "Content-Encoding: identity\r\nContent-Encoding: x-gzip\r\n", "the content coding x-gzip"),
    ("200 OK", "Transfer-Encoding: gzip, chunked\r\n", "the transfer coding gzip, chunked"),
    ("200 OK", "Transfer-Encoding: gzip\r\n", "the transfer coding gzip"),
    ("204 No Content", "", "status 204"),
    ("206 Partial Content", "", "status 206"),
    ("301 Moved Permanently", "Location: http://b/\r\n", "status 301 and redirects to http://b/"),
    ("302 Found", "Location: /login\r\n", "status 302 and redirects to /login"),
    ("303 See Other", "Location: /\r\n", "status 303 and redirects to /"),
    ("307 Temporary Redirect", "Location: https://b/\r\n", "status 307 and redirects to https://b/"),
    ("308 Permanent Redirect", "Location: \u{9b}2J\u{202e}\r\n", "to \\xc2\\x9b2J\\xe2\\x80\\xae"),
    ("302 Found", "", "status 302"),
];

#[test]
fn a_response_that_cannot_be_read_is_a_final_error_that_names_what_arrived() {
    for via in Transport::ALL {
        let media = if via == Transport::EventStream { STREAM } else { JSON };
        for (status, fields, named) in UNREADABLE {
            let framing = if fields.contains("Transfer-Encoding") { Body::UntilEnd } else { Body::Length };
            let bytes = response(0, status, &format!("{media}{fields}"), b"data: x\n\n", framing);
            let error = next(via, &bytes).expect_err(named);
            assert!(error.suggests_fallback(), "{via}: {error}");
            if via == Transport::WebSocket && status.starts_with('2') && !fields.contains("Transfer-") {
                assert_eq!(
                    error,
                    Error::Handshake(ClientHandshakeError::Status(status[..3].parse().unwrap()))
                );
            } else {
                assert!(error.to_string().contains(named), "{via}, {status} {fields}: {error}");
            }
        }
        // A coding cannot be read in a refusal either, whose status is clear nevertheless.
        let fields = format!("{PROBLEM}Content-Encoding: gzip\r\n");
        let refused = next(via, &response(0, "403 ", &fields, br#"{"detail":"?"}"#, Body::Length));
        assert_eq!(refused, Err(Error::Refused { status: 403, detail: None }), "{via}");
    }
}

#[test]
fn the_media_type_must_be_that_of_the_transport_in_utf_8() {
    for (via, own, other) in [
        (Transport::EventStream, "text/event-stream", "application/json"),
        (Transport::LongPoll, "application/json", "text/event-stream"),
    ] {
        let next = |content_type: &str| {
            let bytes = match via {
                Transport::EventStream => &b": hi\n\n"[..],
                _ => br#"{"events":[],"next":"a-1"}"#,
            };
            next(via, &response(0, "200 OK", content_type, bytes, Body::Length))
        };
        for parameter in
            ["", ";charset=utf-8", "; charset=\"UTF-8\"", "; a=b;charset=utf8", ";charset=us-ascii", ";"]
        {
            let accepted = next(&format!("Content-Type: {own}{parameter}\r\n"));
            assert!(accepted.is_ok(), "{parameter}: {accepted:?}");
            let accepted = next(&format!("Content-Type: {own}{parameter}\r\nContent-Encoding: identity\r\n"));
            assert!(accepted.is_ok(), "{parameter}: {accepted:?}");
        }
        for received in
            [other, "text/html", &format!("{own}; charset=iso-8859-1"), &format!("{own};charset=utf-16")]
        {
            let error = next(&format!("Content-Type: {received}\r\n")).expect_err(received);
            let expected = Error::ContentType { expected: own, received: Some(received.into()) };
            assert_eq!(error, expected);
            assert!(
                error.to_string().contains(&format!("the media type {received}: expected {own}")),
                "{error}"
            );
        }
        let error = next("").expect_err("no media type");
        assert!(error.to_string().contains("no media type"), "{error}");
    }
}

#[test]
fn a_publish_has_the_same_check_of_its_response() {
    let resource = Resource::new("http://h/topics/t", None, &[]).expect("valid");
    let publish = |bytes: &[u8]| {
        let (mut request, mut out) = (PublishRequest::default(), Vec::new());
        request.write(&resource, None, "x", false, &mut out);
        let head = "POST /topics/t HTTP/1.1\r\nHost: h\r\nAccept-Encoding: identity\r\n";
        assert!(out.starts_with(head.as_bytes()), "{}", out.escape_ascii());
        request.receive(bytes, &resource)
    };
    let id = br#"{"id":"a-1"}"#;
    for (status, fields, named) in [
        (
            "201 Created",
            "Content-Type: application/json\r\nContent-Encoding: gzip\r\n",
            "the content coding gzip",
        ),
        ("201 Created", "Content-Type: text/html\r\n", "the media type text/html"),
        ("200 OK", JSON, "status 200"),
        ("303 See Other", "Location: /other\r\n", "redirects to /other"),
    ] {
        let error = publish(&response(0, status, fields, id, Body::Length)).expect_err(named);
        assert!(error.to_string().contains(named), "{error}");
    }
    let published = publish(&response(0, "201 Created", JSON, id, Body::Length));
    assert_eq!(published, Ok(PublishStep::Published { ids: vec!["a-1".into()], reuse: true }));
}

#[test]
fn an_event_stream_without_a_byte_is_told_apart_from_one_that_ends() {
    let reason = |content: &[u8], framing| match next(
        Transport::EventStream,
        &response(0, "200 OK", STREAM, content, framing),
    ) {
        Ok(Next::Reconnect { reason, .. }) => reason,
        other => panic!("{other:?}"),
    };
    for framing in [Body::Length, Body::Chunks(7), Body::UntilEnd] {
        assert_eq!(reason(b"", framing), RetryReason::EmptyStream, "{framing:?}");
        assert_eq!(reason(b":\n\n", framing), RetryReason::Ended, "{framing:?}");
    }
}

#[test]
fn an_event_beyond_the_limit_is_an_error_that_says_how_to_raise_it() {
    // The encodings add nothing, a field name per line, and five bytes per byte.
    for data in ["x".repeat(1000), "\n".repeat(2000), "\u{1}".repeat(100_000), "\u{e9}".repeat(3), "x".into()]
    {
        let items = [("a-1".to_owned(), "message".to_owned(), data.clone())];
        let poll = response(0, "200 OK", JSON, &poll_body(&items, "a-1", false), Body::Length);
        let stream = response(0, "200 OK", STREAM, &stream(&items, "a-0", None), Body::Chunks(999));
        for (via, bytes) in [
            (Transport::ShortPoll, &poll),
            (Transport::LongPoll, &poll),
            (Transport::EventStream, &stream),
            (Transport::WebSocket, &messages(&items, "a-0", None)),
        ] {
            let follow = |limit| {
                let mut resource = super::resource();
                resource.limits = ResponseLimits::for_events(limit);
                let outcome = exchange_with(&resource, via, &Since::Now, bytes, &[]);
                let is_event = |received: &&Received| matches!(received, Received::Event { .. });
                (outcome.next.err(), outcome.received.iter().filter(is_event).count())
            };
            let length = data.len();
            assert_eq!(follow(length), (None, 1), "{via}, {length} bytes");
            for limit in [length - 1, length / 10] {
                let (error, events) = follow(limit);
                let error = error.unwrap_or_else(|| panic!("{via}, {length} bytes: {limit} is the limit"));
                let error = error.to_string();
                assert!(error.contains("--max-event-bytes") && events == 0, "{via}: {error}");
            }
        }
    }
}

#[test]
fn an_invalid_body_is_an_error_without_notices() {
    let event = r#"{"id":"a-1","event":"message","data":"x"}"#;
    for body in [
        "{}".to_owned(),
        "[]".to_owned(),
        format!(r#"{{"events":[{event},{{"id":"a-2"}}],"next":"a-2"}}"#),
        format!(r#"{{"events":[{event}]}}"#),
        format!(r#"{{"events":[{event}],"next":"a-1"}} x"#),
        format!(r#"{{"events":[{event}],"next":"{}"}}"#, "x".repeat(1025)),
    ] {
        let outcome = exchange(
            Transport::ShortPoll,
            &Since::Now,
            &response(0, "200 OK", JSON, body.as_bytes(), Body::Length),
            &[],
        );
        let error = outcome.next.expect_err(&body);
        assert!(
            matches!(error, Error::Json(_) | Error::UnexpectedJson | Error::IdTooLong),
            "{body}: {error}"
        );
        assert!(!error.suggests_fallback());
        if !matches!(error, Error::IdTooLong) {
            assert_eq!(outcome.received, [], "{body}");
        }
    }
    let too_large =
        response(0, "200 OK", &format!("{JSON}Content-Length: 200000000\r\n\r\n"), b"", Body::UntilEnd);
    assert_eq!(next(Transport::LongPoll, &too_large), Err(Error::Body(BodyError::ContentTooLarge)));
    let bad_chunk = [&response(0, "200 OK", STREAM, b"data: a\n\n", Body::Chunks(100))[..]].concat();
    let bad_chunk = [&bad_chunk[..bad_chunk.len() - 5], b"zz\r\n"].concat();
    let outcome = exchange(Transport::EventStream, &Since::Now, &bad_chunk, &[]);
    assert_eq!(outcome.next, Err(Error::Body(BodyError::ChunkSize)));
    assert_eq!(outcome.received.len(), 1, "the event before the error is reported");
}

#[test]
fn the_close_code_decides_whether_to_reconnect() {
    let closed = |code: u16| {
        let payload = [&code.to_be_bytes()[..], b"why"].concat();
        let outcome = exchange(
            Transport::WebSocket,
            &Since::Now,
            &[OPENED.as_bytes(), &frame(8, &payload)].concat(),
            &[],
        );
        assert_eq!(outcome.replies.len(), 2 + 4 + 2, "the reply is a masked close frame");
        outcome.next
    };
    for code in [1000, 1001, 1011, 1012, 1013, 1014] {
        let reason = RetryReason::Closed(CloseCode(code));
        assert_eq!(closed(code), Ok(Next::Reconnect { after: Duration::ZERO, reason }));
    }
    for code in [1002, 1003, 1007, 1008, 1009, 1010, 3000, 4999] {
        assert_eq!(closed(code), Err(Error::Closed { code: CloseCode(code), reason: "why".into() }));
    }
}

#[test]
fn replies_to_an_invalid_frame_with_a_close_frame() {
    let masked = [OPENED.as_bytes(), b"\x81\x81\0\0\0\0a"].concat();
    let outcome = exchange(Transport::WebSocket, &Since::Now, &masked, &[]);
    assert_eq!(outcome.next, Err(Error::Protocol(ProtocolError::MaskedServerFrame)));
    assert_eq!(outcome.replies[0], 0x88);
    let code = [outcome.replies[6] ^ NONCE[0], outcome.replies[7] ^ NONCE[1]];
    assert_eq!(u16::from_be_bytes(code), 1002);
}

#[test]
fn replies_to_the_last_of_several_pings() {
    let pings = [OPENED.as_bytes(), &frame(9, b"ab"), &frame(9, b"cd")].concat();
    let outcome = exchange(Transport::WebSocket, &Since::Now, &pings, &[]);
    let expected = [&[0x8A, 0x82][..], &NONCE[..4], &[b'c' ^ NONCE[0], b'd' ^ NONCE[1]]].concat();
    assert_eq!(outcome.replies, expected);
}

#[test]
fn polls_again_at_once_after_a_response_that_may_be_truncated() {
    let data = "x".repeat(128 * 1024);
    let body = format!(r#"{{"events":[{{"id":"a-1","event":"m","data":"{data}"}}],"next":"a-1"}}"#);
    let full = next(Transport::ShortPoll, &response(0, "200 OK", JSON, body.as_bytes(), Body::Length));
    assert_eq!(full, Ok(Next::Request { after: Duration::ZERO, reuse: true }));
}

#[test]
fn keeps_a_connection_only_if_the_response_permits_it() {
    let body = br#"{"events":[],"next":"a-1"}"#;
    let reuse = |fields: &str, rest: &[u8]| {
        let bytes =
            [&response(0, "200 OK", &format!("{JSON}{fields}"), body, Body::Length)[..], rest].concat();
        match next(Transport::LongPoll, &bytes) {
            Ok(Next::Request { reuse, .. }) => reuse,
            other => panic!("{other:?}"),
        }
    };
    assert!(reuse("", b""));
    assert!(!reuse("Connection: close\r\n", b""));
    assert!(!reuse("", b"HTTP/1.1 408 \r\n\r\n"));
}

#[test]
fn an_event_named_gap_without_gap_data_is_an_event() {
    let bytes = response(0, "200 OK", STREAM, b"event: gap\ndata: mind it\n\n", Body::Chunks(9));
    let outcome = exchange(Transport::EventStream, &Since::Now, &bytes, &[]);
    assert_eq!(
        outcome.received,
        [Received::Event { id: String::new(), event: "gap".into(), data: "mind it".into() }]
    );
}

#[test]
fn a_follower_has_at_most_256_bytes() {
    assert!(size_of::<Follower>() <= 256, "{} bytes", size_of::<Follower>());
}

#[test]
fn counts_the_received_bytes() {
    let items = [("a-1".to_owned(), "message".to_owned(), "one".to_owned())];
    let bytes = messages(&items, "a-0", None);
    let resource = super::resource();
    let mut shared = Shared::new(|| Ok(NONCE));
    let mut follower = Follower::new(Transport::WebSocket, Since::Now);
    follower.write_request(&resource, &mut shared, &mut Vec::new()).expect("valid");
    let mut out = Vec::new();
    let mut input = bytes.clone();
    let elapsed = Duration::ZERO;
    let _ = follower.receive(&mut input, elapsed, &resource, &mut shared, &mut out, &mut |_| {});
    let traffic = shared.traffic;
    assert_eq!(traffic.bytes_down, bytes.len() as u64);
    let head_and_headers = OPENED.len() + 2 + 2 + (2 + 1) + (2 + 2);
    assert_eq!(traffic.payload_down, (bytes.len() - head_and_headers) as u64);
    assert_eq!((traffic.data_down, traffic.payload_up), (3, 0));
}
