//! What a visitor has been sent, held against what it has asked.

use barewire::protocol::http::{
    self, BodyLimits, BodyReader, Fields, Framing, HeadLimits, HeadScan, Method, ResponseScan, Version,
};
use barewire::protocol::sse::{self, DecodeLimits, Decoder};
use barewire::protocol::websocket::extension::{self, ClientWindow, Offer};
use barewire::protocol::websocket::message::{MessageLimits, Receiver, Role};

/// What answers may have: more than any here.
const ANSWER_HEAD: HeadLimits = HeadLimits { bytes: 1 << 16, request_line: 1 << 10, field_lines: 64 };
const ANSWER_BODY: BodyLimits = BodyLimits { content: 1 << 30, extensions: 0, trailer: 2, trailer_lines: 0 };

/// A request, as far as its answer depends on it.
#[derive(Debug)]
pub struct Asked {
    pub is_head: bool,
    pub version: Version,
    /// The data that a publish to the topic would make one event of.
    pub publishes: Option<Vec<u8>>,
    /// All of its body was sent.
    pub is_whole: bool,
}

/// The requests in what a visitor has sent, up to what is none.
pub fn requests(sent: &[u8], limits: &HeadLimits, topic: &str) -> Vec<Asked> {
    let mut requests = Vec::new();
    let mut rest = sent;
    while let Ok(Some(end)) = HeadScan::default().scan(rest, limits) {
        let mut scratch = http::scratch();
        let Ok(head) = http::parse(&rest[..end], &mut scratch, limits) else { break };
        let is_publish = head.method == Method::Post && head.target.path() == Some((topic, None));
        let is_lines = head.fields.get("Content-Type").is_some_and(|kind| !kind.starts_with(b"text/"));
        let is_head = head.method == Method::Head;
        requests.push(Asked { is_head, version: head.version, publishes: None, is_whole: false });
        let Ok(framing) = Framing::of(&head) else { break };
        let limits = BodyLimits { content: u64::MAX, ..BodyLimits::default() };
        let Ok(mut body) = BodyReader::new(framing, limits) else { break };
        let mut content = Vec::new();
        let Ok((taken, true)) = body.read(&rest[end..], &mut content) else { break };
        let last = requests.last_mut().expect("it was just pushed");
        last.is_whole = true;
        last.publishes = (is_publish && !is_lines).then_some(content);
        rest = &rest[end + taken..];
    }
    requests
}

/// An answer, or what has come of it.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub content: Vec<u8>,
    pub is_whole: bool,
    /// It is the last on its connection.
    pub closes: bool,
    /// The events in it, if it is a stream of them.
    pub events: Option<Vec<sse::Event>>,
}

/// Reads all that a visitor has been sent.
///
/// # Panics
/// If any of it is wrong, but for what is missing at its end.
pub fn read(received: &[u8], asked: &[Asked]) -> Vec<Answer> {
    let mut answers: Vec<Answer> = Vec::new();
    let mut rest = received;
    while !rest.is_empty() {
        let scanned = ResponseScan::default().scan(rest, &ANSWER_HEAD);
        let Some(end) = scanned.unwrap_or_else(|error| panic!("{error:?}: {}", rest.escape_ascii())) else {
            break;
        };
        let mut scratch = http::scratch();
        let head = http::parse_response(&rest[..end], &mut scratch, &ANSWER_HEAD)
            .unwrap_or_else(|error| panic!("{error:?}: {}", rest[..end].escape_ascii()));
        rest = &rest[end..];
        assert_eq!(head.version, Version::Http11, "an answer says what the server can do");
        let request = asked.get(answers.len());
        match head.status {
            100 => {
                assert_eq!(request.map(|asked| asked.version), Some(Version::Http11), "100 to HTTP/1.0");
                continue;
            }
            101 => {
                frames(head.fields, rest);
                answers.push(Answer {
                    status: 101,
                    content: Vec::new(),
                    is_whole: true,
                    closes: true,
                    events: None,
                });
                return answers;
            }
            status => {
                assert!(request.is_some() || status >= 400, "{status} to nothing that was asked");
                assert!(answers.len() <= asked.len(), "more answers than were asked for");
                let is_bodiless = request.is_some_and(|asked| asked.is_head) || matches!(status, 204 | 304);
                let (answer, taken) = body(status, head.fields, rest, is_bodiless, request);
                rest = &rest[taken..];
                let is_whole = answer.is_whole;
                answers.push(answer);
                if !is_whole {
                    break;
                }
            }
        }
    }
    answers
}

/// Reads the body behind a head, and how long it is.
fn body(
    status: u16,
    fields: Fields<'_, '_>,
    bytes: &[u8],
    is_bodiless: bool,
    asked: Option<&Asked>,
) -> (Answer, usize) {
    let lengths: Vec<_> = fields.get_all("Content-Length").collect();
    let codings: Vec<_> = fields.get_all("Transfer-Encoding").collect();
    let framing = match (&lengths[..], &codings[..]) {
        _ if is_bodiless => Some(Framing::None),
        ([length], []) => {
            let length = std::str::from_utf8(length).expect("digits");
            Some(Framing::Length(length.parse().expect("a length is a number")))
        }
        ([], [b"chunked"]) => {
            assert_ne!(asked.map(|asked| asked.version), Some(Version::Http10), "chunks to HTTP/1.0");
            Some(Framing::Chunked)
        }
        ([], []) => None,
        both => panic!("{status} is framed in two ways: {both:?}"),
    };
    let (mut content, mut taken, mut is_whole) = (bytes.to_vec(), bytes.len(), false);
    if let Some(framing) = framing {
        let mut body = BodyReader::new(framing, ANSWER_BODY).expect("an answer within its limits");
        content = Vec::new();
        (taken, is_whole) =
            body.read(bytes, &mut content).unwrap_or_else(|error| panic!("{status}: {error:?}"));
    }
    let kind = fields.get("Content-Type").unwrap_or_default();
    let is_stream = kind.starts_with(b"text/event-stream");
    assert!(framing.is_some() || is_stream, "{status} of {} ends with the connection", kind.escape_ascii());
    if is_whole && !content.is_empty() && kind.ends_with(b"json") {
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
    (Answer { status, content, is_whole, closes, events }, taken)
}

/// A receiver for the frames behind a 101 with these fields.
pub fn receiver(fields: Fields<'_, '_>) -> Receiver {
    let limits = MessageLimits { message_bytes: 1 << 30, frames: 1 };
    // Whatever was offered: what is agreed on is all in the answer.
    let offer = Offer { client_max_window_bits: ClientWindow::Any, ..Offer::default() };
    let agreement = extension::check_response(&offer, fields.get_all("Sec-WebSocket-Extensions"));
    match agreement.expect("an answer to an offer") {
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

/// Takes an answer's head from the start of `bytes`, and gives what `use_fields` makes of its fields.
pub fn take_head<T>(bytes: &mut Vec<u8>, status: u16, use_fields: impl FnOnce(Fields<'_, '_>) -> T) -> T {
    let scanned = ResponseScan::default().scan(bytes, &ANSWER_HEAD);
    let end = scanned.expect("a head").expect("all of it");
    let made = {
        let mut scratch = http::scratch();
        let head = http::parse_response(&bytes[..end], &mut scratch, &ANSWER_HEAD).expect("a head");
        assert_eq!(head.status, status, "{}", bytes.escape_ascii());
        use_fields(head.fields)
    };
    bytes.drain(..end);
    made
}
