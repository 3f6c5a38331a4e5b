//! The meaning of each kind of response.

use std::time::Duration;

use barewire::client::follow::{Error, Follower, Next, Resource, RetryReason, Shared, Since, Transport};
use barewire::protocol::http::{BodyError, FramingError, ResponseError};
use barewire::protocol::websocket::ProtocolError;
use barewire::protocol::websocket::client_handshake::{ClientHandshakeError, RequestError};
use barewire::protocol::websocket::close::CloseCode;

use super::responses::{Body, JSON, OPENED, PROBLEM, STREAM, frame, messages, response};
use super::{NONCE, Received, exchange};

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
    let poll = "HTTP/1.1\r\nHost: h:81\r\nAccept: application/json\r\n";
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
             Cache-Control: no-store\r\nLast-Event-ID: e-5\r\n{tail}"
        )
    );
    let plain = Resource::new("http://h", None, &[]).expect("valid");
    assert_eq!(
        request(Transport::WebSocket, id, &plain),
        "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nLast-Event-ID: e-5\r\n\r\n"
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
    let text = br#"{"detail":"\u001b[31mred"}"#;
    let refused = next(Transport::EventStream, &response(0, "403 ", PROBLEM, text, Body::Length));
    assert_eq!(refused, Err(Error::Refused { status: 403, detail: Some("[31mred".into()) }));
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
                    Ok(Next::Reconnect { at_least: least, reason: RetryReason::Status(status) }),
                    "{via}"
                );
            }
        }
        // The connection ends before or within a response.
        for bytes in [&b""[..], b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"] {
            let ended = Ok(Next::Reconnect { at_least: Duration::ZERO, reason: RetryReason::Ended });
            assert_eq!(next(via, bytes), ended, "{via}");
        }
    }
}

#[test]
fn an_unexpected_response_suggests_a_fallback() {
    let html = response(0, "200 OK", "Content-Type: text/html\r\n", b"<html>", Body::Length);
    for (via, bytes, error) in [
        (Transport::ShortPoll, &html, Error::ContentType { expected: "application/json" }),
        (Transport::EventStream, &html, Error::ContentType { expected: "text/event-stream" }),
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
        response(0, "200 OK", &format!("{JSON}Content-Length: 9000000\r\n\r\n"), b"", Body::UntilEnd);
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
        assert_eq!(closed(code), Ok(Next::Reconnect { at_least: Duration::ZERO, reason }));
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
    let _ = follower.receive(&mut input, &resource, &mut shared, &mut out, &mut |_| {});
    let traffic = shared.traffic;
    assert_eq!(traffic.bytes_down, bytes.len() as u64);
    let head_and_headers = OPENED.len() + 2 + 2 + (2 + 1) + (2 + 2);
    assert_eq!(traffic.payload_down, (bytes.len() - head_and_headers) as u64);
    assert_eq!((traffic.data_down, traffic.payload_up), (3, 0));
}
