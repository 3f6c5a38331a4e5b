//! Checks the bytes that a peer has received against the requests that it has sent.

use barewire::protocol::http::{
    self, BodyLimits, BodyReader, ExtensionLimit, Fields, Framing, HeadLimits, HeadScan, Method,
    ResponseScan, Version,
};
use barewire::protocol::sse::{self, DecodeLimits, Decoder};
use barewire::protocol::websocket::extension::{self, ClientWindow, Offer};
use barewire::protocol::websocket::message::{MessageLimits, Receiver, Role};

/// Limits above the size of any response in these tests.
const RESPONSE_HEAD: HeadLimits = HeadLimits { bytes: 1 << 16, request_line: 1 << 10, field_lines: 64 };
const RESPONSE_BODY: BodyLimits =
    BodyLimits { content: 1 << 30, extensions: ExtensionLimit::Body(0), trailer: 2, trailer_lines: 0 };

/// The properties of a request that its response depends on.
#[derive(Debug)]
pub struct Request {
    pub is_head: bool,
    pub version: Version,
    /// The data of the event, if this is a publish of one event to the topic.
    pub publishes: Option<Vec<u8>>,
    /// Whether the whole body was sent.
    pub is_complete: bool,
}

/// Returns the requests in the bytes that a peer has sent, up to the first invalid one.
pub fn requests(sent: &[u8], limits: &HeadLimits, topic: &str) -> Vec<Request> {
    let mut requests = Vec::new();
    let mut rest = sent;
    while let Ok(Some(end)) = HeadScan::default().scan(rest, limits) {
        let mut scratch = http::scratch();
        let Ok(head) = http::parse(&rest[..end], &mut scratch, limits) else { break };
        let is_publish = head.method == Method::Post && head.target.path() == Some((topic, None));
        let is_lines = head.fields.get("Content-Type").is_some_and(|kind| !kind.starts_with(b"text/"));
        let is_head = head.method == Method::Head;
        requests.push(Request { is_head, version: head.version, publishes: None, is_complete: false });
        let Ok(framing) = Framing::of(&head) else { break };
        let limits = BodyLimits { content: u64::MAX, ..BodyLimits::default() };
        let Ok(mut body) = BodyReader::new(framing, limits) else { break };
        let mut content = Vec::new();
        let Ok((taken, true)) = body.read(&rest[end..], &mut content) else { break };
        let last = requests.last_mut().expect("a request was just pushed");
        last.is_complete = true;
        last.publishes = (is_publish && !is_lines).then_some(content);
        rest = &rest[end + taken..];
    }
    requests
}

/// A response, or the part of it that has arrived.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub content: Vec<u8>,
    pub is_complete: bool,
    /// Whether this is the last response on its connection.
    pub closes: bool,
    /// The events of an event stream.
    pub events: Option<Vec<sse::Event>>,
}

/// Parses everything that a peer has received.
///
/// # Panics
/// If any of it is invalid. Incomplete data at the end is allowed.
pub fn read(received: &[u8], requests: &[Request]) -> Vec<Response> {
    let mut responses: Vec<Response> = Vec::new();
    let mut rest = received;
    while !rest.is_empty() {
        let scanned = ResponseScan::default().scan(rest, &RESPONSE_HEAD);
        let Some(end) = scanned.unwrap_or_else(|error| panic!("{error:?}: {}", rest.escape_ascii())) else {
            break;
        };
        let mut scratch = http::scratch();
        let head = http::parse_response(&rest[..end], &mut scratch, &RESPONSE_HEAD)
            .unwrap_or_else(|error| panic!("{error:?}: {}", rest[..end].escape_ascii()));
        rest = &rest[end..];
        assert_eq!(head.version, Version::Http11, "a response has the server's version");
        let request = requests.get(responses.len());
        match head.status {
            100 => {
                assert_eq!(request.map(|request| request.version), Some(Version::Http11), "100 to HTTP/1.0");
                continue;
            }
            101 => {
                frames(head.fields, rest);
                responses.push(Response {
                    status: 101,
                    content: Vec::new(),
                    is_complete: true,
                    closes: true,
                    events: None,
                });
                return responses;
            }
            status => {
                assert!(request.is_some() || status >= 400, "{status} without a request");
                assert!(responses.len() <= requests.len(), "more responses than requests");
                let is_bodiless =
                    request.is_some_and(|request| request.is_head) || matches!(status, 204 | 304);
                let (response, taken) = body(status, head.fields, rest, is_bodiless, request);
                rest = &rest[taken..];
                let is_complete = response.is_complete;
                responses.push(response);
                if !is_complete {
                    break;
                }
            }
        }
    }
    responses
}

/// Reads the body after a head. Returns the response and the length of its body.
fn body(
    status: u16,
    fields: Fields<'_, '_>,
    bytes: &[u8],
    is_bodiless: bool,
    request: Option<&Request>,
) -> (Response, usize) {
    let lengths: Vec<_> = fields.get_all("Content-Length").collect();
    let codings: Vec<_> = fields.get_all("Transfer-Encoding").collect();
    let framing = match (&lengths[..], &codings[..]) {
        _ if is_bodiless => Some(Framing::None),
        ([length], []) => {
            let length = std::str::from_utf8(length).expect("digits");
            Some(Framing::Length(length.parse().expect("a length is a number")))
        }
        ([], [b"chunked"]) => {
            assert_ne!(request.map(|request| request.version), Some(Version::Http10), "chunks to HTTP/1.0");
            Some(Framing::Chunked)
        }
        ([], []) => None,
        both => panic!("{status} is framed in two ways: {both:?}"),
    };
    let (mut content, mut taken, mut is_complete) = (bytes.to_vec(), bytes.len(), false);
    if let Some(framing) = framing {
        let mut body = BodyReader::new(framing, RESPONSE_BODY).expect("a response within its limits");
        content = Vec::new();
        (taken, is_complete) =
            body.read(bytes, &mut content).unwrap_or_else(|error| panic!("{status}: {error:?}"));
    }
    let kind = fields.get("Content-Type").unwrap_or_default();
    let is_stream = kind.starts_with(b"text/event-stream");
    assert!(framing.is_some() || is_stream, "{status} of {} has no framing", kind.escape_ascii());
    if is_complete && !content.is_empty() && kind.ends_with(b"json") {
        let _: serde_json::Value = serde_json::from_slice(&content).expect("JSON");
    }
    let events = is_stream.then(|| {
        let limits = DecodeLimits { line: 1 << 30, data: 1 << 30 };
        let (mut decoder, mut events, mut rest) = (Decoder::new("", limits), Vec::new(), &content[..]);
        while !rest.is_empty() {
            let (taken, event) = decoder.read(rest).expect("an event stream");
            events.extend(event);
            rest = &rest[taken..];
        }
        events
    });
    let closes = fields.has_token("Connection", "close");
    (Response { status, content, is_complete, closes, events }, taken)
}

/// Returns a receiver for the frames after a 101 with these fields.
pub fn receiver(fields: Fields<'_, '_>) -> Receiver {
    let limits = MessageLimits { message_bytes: 1 << 30, frames: 1 };
    // The response contains everything that was agreed on, so any offer that allows it works.
    let offer = Offer { client_max_window_bits: ClientWindow::Any, ..Offer::default() };
    let agreement = extension::check_response(&offer, fields.get_all("Sec-WebSocket-Extensions"));
    match agreement.expect("a response to an offer") {
        Some(agreement) => Receiver::with_deflate(Role::Client, limits, &agreement),
        None => Receiver::new(Role::Client, limits),
    }
}

fn frames(fields: Fields<'_, '_>, bytes: &[u8]) {
    let mut receiver = receiver(fields);
    let mut bytes = bytes.to_vec();
    let mut rest = &mut bytes[..];
    while !rest.is_empty() {
        let (consumed, _) = receiver.receive(rest).expect("frames as a server sends them");
        rest = &mut rest[consumed..];
    }
}

/// Removes a response's head from the start of `bytes`. Returns the result of `use_fields` for its
/// fields.
pub fn take_head<T>(bytes: &mut Vec<u8>, status: u16, use_fields: impl FnOnce(Fields<'_, '_>) -> T) -> T {
    let scanned = ResponseScan::default().scan(bytes, &RESPONSE_HEAD);
    let end = scanned.expect("a head").expect("a complete head");
    let result = {
        let mut scratch = http::scratch();
        let head = http::parse_response(&bytes[..end], &mut scratch, &RESPONSE_HEAD).expect("a head");
        assert_eq!(head.status, status, "{}", bytes.escape_ascii());
        use_fields(head.fields)
    };
    bytes.drain(..end);
    result
}
