//! The requests of one connection: heads, the framing of their bodies, and the bodies.
//!
//! The properties:
//!
//! - However the bytes are split, the requests, their bodies and the ending (a refusal, or more
//!   bytes are needed) are the same.
//! - A head, its framing and a chunked body are accepted if and only if a second parser of the
//!   grammars (`src/grammar.rs`) accepts them, and both find the same content. So no request with
//!   both `Content-Length` and `Transfer-Encoding` is accepted.
//! - An accepted head that is encoded again parses to the same head.
//! - With small limits, the outcome either is the same or names a limit; accepted requests stay
//!   within the limits.
//! - A body's buffer is at most twice as large as the received part of the body, whatever length
//!   was declared.
#![no_main]

use arbitrary::Arbitrary;
use barewire::protocol::http::{
    self, BodyLimits, BodyReader, ExtensionLimit, Framing, HeadLimits, HeadScan, Query, RequestHead, Target,
    Version,
};
use barewire_fuzz::grammar::{self, BodyEnd, Chunked, End};
use barewire_fuzz::splits;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    lengths: [u8; 4],
    small: [u8; 4],
    bytes: &'a [u8],
}

const NO_LIMITS: (HeadLimits, BodyLimits) = (
    HeadLimits { bytes: 1 << 24, request_line: 1 << 24, field_lines: http::MAX_FIELD_LINES },
    BodyLimits {
        content: u64::MAX,
        extensions: ExtensionLimit::Body(u32::MAX),
        trailer: u32::MAX,
        trailer_lines: u32::MAX,
    },
);

fuzz_target!(|input: Input<'_>| {
    let Input { lengths, small, bytes } = input;
    let whole = read_all(&[bytes], NO_LIMITS);
    judge(bytes, &whole);
    for parts in splits(bytes, &lengths) {
        assert_eq!(read_all(&parts, NO_LIMITS), whole);
    }

    let [a, b, c, d] = small;
    let limits = (
        HeadLimits { bytes: 1 + 4 * usize::from(a), request_line: b.into(), field_lines: (c % 8).into() },
        BodyLimits {
            content: d.into(),
            extensions: ExtensionLimit::Body((c / 4).into()),
            trailer: b.into(),
            trailer_lines: (c % 4).into(),
        },
    );
    let limited = read_all(&[bytes], limits);
    for parts in splits(bytes, &lengths) {
        assert_eq!(read_all(&parts, limits), limited);
    }
    if limited != whole {
        let Ending::Refused(_, Reason::Limit) = limited.ending else { panic!("{limited:?}, not {whole:?}") };
        // Only the last request may differ.
        let same = limited.requests.len();
        assert_eq!(limited.requests[..same.saturating_sub(1)], whole.requests[..same.saturating_sub(1)]);
    }
    for request in &limited.requests {
        assert!(request.head.len() <= limits.0.bytes);
        assert!(request.fields <= limits.0.field_lines);
        assert!(request.content.len() as u64 <= limits.1.content);
    }
});

/// The result of reading a connection's bytes.
#[derive(Clone, Debug, PartialEq)]
struct Conversation {
    requests: Vec<Request>,
    ending: Ending,
}

#[derive(Clone, Debug, PartialEq)]
struct Request {
    head: Vec<u8>,
    summary: String,
    fields: usize,
    framing: Option<Framing>,
    content: Vec<u8>,
    /// The offset of the body in the connection's bytes.
    body_start: usize,
    /// The length of the body, if it is complete.
    body: Option<usize>,
}

#[derive(Clone, Debug, PartialEq)]
enum Ending {
    More,
    Refused(String, Reason),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Reason {
    Head,
    Meaning,
    Framing,
    Body,
    Limit,
}

fn refused(error: impl std::error::Error, status: u16, reason: Reason) -> Ending {
    assert!((400..=599).contains(&status), "{error:?}");
    assert!(error.to_string().contains("RFC"), "{error:?}");
    let name = format!("{error:?}");
    let is_limit = ["TooLong", "TooLarge", "TooMany"].iter().any(|word| name.contains(word));
    // These two are rules of the grammar in this target, not limits.
    let is_rule = ["ChunkSizeTooLong", "LengthTooLarge"].contains(&&name[..]);
    Ending::Refused(name, if is_limit && !is_rule { Reason::Limit } else { reason })
}

/// Reads everything in `parts`, as the server does.
fn read_all(parts: &[&[u8]], limits: (HeadLimits, BodyLimits)) -> Conversation {
    let mut requests = Vec::new();
    let ending = read(parts, limits, &mut requests).err().unwrap_or(Ending::More);
    Conversation { requests, ending }
}

fn read(
    parts: &[&[u8]],
    (head_limits, body_limits): (HeadLimits, BodyLimits),
    requests: &mut Vec<Request>,
) -> Result<(), Ending> {
    let mut buffer = Vec::new();
    let mut scan = HeadScan::default();
    let mut body: Option<BodyReader> = None;
    let mut at = 0;
    for part in parts {
        let mut rest = part.to_vec();
        loop {
            if let (Some(reader), Some(request)) = (&mut body, requests.last_mut()) {
                let (taken, done) = reader
                    .read(&rest, &mut request.content)
                    .map_err(|error| refused(error, error.status().code(), Reason::Body))?;
                at += taken;
                assert!(request.content.len() <= at - request.body_start);
                assert!(request.content.capacity() <= 2 * (at - request.body_start) + 64);
                rest.drain(..taken);
                if !done {
                    assert!(rest.is_empty(), "an incomplete body consumes everything");
                    break;
                }
                request.body = Some(at - request.body_start);
                body = None;
            }
            buffer.append(&mut rest);
            let scanned = scan.scan(&buffer, &head_limits);
            let end = scanned.map_err(|error| refused(error, error.status().code(), Reason::Head))?;
            let Some(end) = end else { break };
            rest = buffer.split_off(end);
            at += end;
            let (request, reader) = begin(&buffer, at, &head_limits, body_limits)?;
            requests.push(request);
            body = Some(reader?);
            buffer.clear();
            scan = HeadScan::default();
        }
    }
    Ok(())
}

type Begun = (Request, Result<BodyReader, Ending>);

fn begin(bytes: &[u8], at: usize, limits: &HeadLimits, body_limits: BodyLimits) -> Result<Begun, Ending> {
    let mut scratch = http::scratch();
    let head = http::parse(bytes, &mut scratch, limits)
        .map_err(|error| refused(error, error.status().code(), Reason::Meaning))?;
    let framing = Framing::of(&head);
    let request = Request {
        head: bytes.to_vec(),
        summary: summary(&head),
        fields: head.fields.iter().count(),
        framing: framing.ok(),
        content: Vec::new(),
        body_start: at,
        body: None,
    };
    let reader =
        framing.map_err(|error| refused(error, error.status().code(), Reason::Framing)).and_then(|framing| {
            BodyReader::new(framing, body_limits)
                .map_err(|error| refused(error, error.status().code(), Reason::Body))
        });
    Ok((request, reader))
}

/// Formats everything in a head, including the parsed values of its smaller grammars.
fn summary(head: &RequestHead<'_, '_>) -> String {
    let query = head.target.path().map(|(path, query)| {
        let segments: Vec<_> = path.split('/').map(http::percent_decode_path_segment).collect();
        let query = Query::new(query);
        (segments, ["since", "wait", "event"].map(|name| query.get(name)))
    });
    let fields: Vec<_> =
        head.fields.iter().map(|(name, value)| (name, value.escape_ascii().to_string())).collect();
    format!(
        "{:?} {:?} {:?} {:?} {fields:?} {query:?} {} {:?}",
        head.method,
        head.target,
        head.version,
        head.host,
        head.persists(),
        head.expects_continue(),
    )
}

/// Compares the conversation with the second parser.
fn judge(bytes: &[u8], conversation: &Conversation) {
    let mut rest = bytes;
    let mut requests = conversation.requests.iter();
    loop {
        let ending = &conversation.ending;
        let end = match grammar::head_end(rest, 4) {
            End::At(end) => end,
            End::Open => {
                // The head is incomplete; here only the number of field lines can exceed a limit.
                assert!(*ending == Ending::More || too_many(ending), "{ending:?}, but the head is open");
                return assert!(requests.next().is_none());
            }
            End::Never => {
                assert!(matches!(ending, Ending::Refused(_, Reason::Head)) || too_many(ending), "{ending:?}");
                return assert!(requests.next().is_none());
            }
        };
        let read = grammar::lines(&rest[..end]).and_then(|(line, fields)| {
            let (method, target, version) = grammar::request_line(line)?;
            grammar::has_valid_host(&fields, version).then_some((method, target, version, fields))
        });
        let Some(request) = requests.next() else {
            assert!(too_many(ending) || read.is_none(), "{ending:?}: {}", rest[..end].escape_ascii());
            return assert!(matches!(ending, Ending::Refused(_, Reason::Meaning)) || too_many(ending));
        };
        let Some((method, target, version, fields)) = read else {
            panic!("accepted: {}", rest[..end].escape_ascii());
        };
        assert_eq!(request.head, rest[..end]);
        compare(request, method, target, version, &fields);
        rest = &rest[end..];

        let framing = match grammar::body_end(&fields, version) {
            None => None,
            Some(BodyEnd::AtOnce) => Some(Framing::None),
            Some(BodyEnd::After(length)) => Some(Framing::Length(length)),
            Some(BodyEnd::Chunked) => Some(Framing::Chunked),
        };
        assert_eq!(request.framing, framing);
        let body = match framing {
            None => {
                assert!(matches!(ending, Ending::Refused(_, Reason::Framing)), "{ending:?}");
                return assert!(requests.next().is_none());
            }
            Some(Framing::None) => Chunked::Complete(0, Vec::new()),
            Some(Framing::Length(length)) => match usize::try_from(length) {
                Ok(length) if length <= rest.len() => Chunked::Complete(length, rest[..length].to_vec()),
                _ => Chunked::Open,
            },
            Some(Framing::Chunked) => grammar::chunked(rest),
            Some(Framing::UntilClose) => unreachable!("only a response ends with its connection"),
        };
        match body {
            Chunked::Complete(length, content) => {
                assert_eq!((request.body, &request.content), (Some(length), &content));
                rest = &rest[length..];
            }
            Chunked::Open => return assert_eq!((request.body, ending), (None, &Ending::More)),
            Chunked::Wrong => {
                assert_eq!(request.body, None);
                let is_expected = match ending {
                    Ending::Refused(_, Reason::Body) => true,
                    Ending::Refused(name, Reason::Limit) => name == "ContentTooLarge",
                    _ => false,
                };
                return assert!(is_expected, "{ending:?}");
            }
        }
    }
}

fn too_many(ending: &Ending) -> bool {
    matches!(ending, Ending::Refused(name, Reason::Limit) if name == "TooManyFieldLines")
}

/// Compares one head with the result of the second parser, and with itself after it is encoded
/// again.
fn compare(request: &Request, method: &str, target: &str, version: &str, fields: &[grammar::Field]) {
    let limits = NO_LIMITS.0;
    let mut scratch = http::scratch();
    let head = http::parse(&request.head, &mut scratch, &limits).expect("an accepted head");
    assert_eq!(head.method.as_str(), method);
    assert_eq!(head.version == Version::Http11, version == "HTTP/1.1");
    let same = head.fields.iter().map(|(name, value)| (name.to_owned(), value.to_vec()));
    assert!(same.eq(fields.iter().cloned()));

    let absolute = target.split_once("://").filter(|_| !target.starts_with('/') && method != "CONNECT");
    let authority = absolute.map(|(_, rest)| &rest[..rest.find(['/', '?']).unwrap_or(rest.len())]);
    let written = match head.target {
        Target::Asterisk => "*".to_owned(),
        Target::Authority(authority) => authority.to_owned(),
        Target::Path { path, query } => {
            let query = query.map(|query| format!("?{query}")).unwrap_or_default();
            let before = authority.map(|authority| format!("http://{authority}")).unwrap_or_default();
            format!("{before}{path}{query}")
        }
    };
    if absolute.is_none() {
        assert_eq!(written, target);
    }
    let host = grammar::values(fields, "Host").first().and_then(|host| std::str::from_utf8(host).ok());
    assert_eq!(head.host, authority.or(host));

    let mut encoded = format!("{method} {written} {version}\r\n").into_bytes();
    for (name, value) in head.fields.iter() {
        encoded.extend_from_slice(&[name.as_bytes(), b":", value, b"\r\n"].concat());
    }
    encoded.extend_from_slice(b"\r\n");
    assert_eq!(HeadScan::default().scan(&encoded, &limits), Ok(Some(encoded.len())));
    let mut scratch = http::scratch();
    let parsed = http::parse(&encoded, &mut scratch, &limits).map(|head| summary(&head));
    assert_eq!(parsed, Ok(request.summary.clone()));
}
