//! A connection's worth of requests: heads, what frames their bodies, and the bodies.
//!
//! The oracle:
//!
//! - However the bytes are cut, the requests, their bodies and the end of the conversation (a refusal, or more is needed) are the same.
//! - A head, its framing and a chunked body are accepted if, and only if, a second reader of the grammars accepts them
//!   (`src/grammar.rs`), and both find the same in them. So none is accepted that has both `Content-Length` and `Transfer-Encoding`.
//! - An accepted head that is written anew reads as the same head.
//! - With small limits, either the outcome is the same or it names a limit; what is accepted keeps within the limits.
//! - A body takes no more room than twice what has come of it, whatever length was announced.
#![no_main]

use arbitrary::Arbitrary;
use barewire::protocol::http::{
    self, BodyLimits, BodyReader, Framing, HeadLimits, HeadScan, Query, RequestHead, Target, Version,
};
use barewire_fuzz::cuts;
use barewire_fuzz::grammar::{self, BodyEnd, Chunked, End};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    lengths: [u8; 4],
    small: [u8; 4],
    bytes: &'a [u8],
}

const NO_LIMITS: (HeadLimits, BodyLimits) = (
    HeadLimits { bytes: 1 << 24, request_line: 1 << 24, field_lines: http::MAX_FIELD_LINES },
    BodyLimits { content: u64::MAX, extensions: u32::MAX, trailer: u32::MAX, trailer_lines: u32::MAX },
);

fuzz_target!(|input: Input<'_>| {
    let Input { lengths, small, bytes } = input;
    let whole = converse(&[bytes], NO_LIMITS);
    judge(bytes, &whole);
    for pieces in cuts(bytes, &lengths) {
        assert_eq!(converse(&pieces, NO_LIMITS), whole);
    }

    let [a, b, c, d] = small;
    let limits = (
        HeadLimits { bytes: 1 + 4 * usize::from(a), request_line: b.into(), field_lines: (c % 8).into() },
        BodyLimits {
            content: d.into(),
            extensions: (c / 4).into(),
            trailer: b.into(),
            trailer_lines: (c % 4).into(),
        },
    );
    let limited = converse(&[bytes], limits);
    for pieces in cuts(bytes, &lengths) {
        assert_eq!(converse(&pieces, limits), limited);
    }
    if limited != whole {
        let Ending::Refused(_, Reason::Limit) = limited.ending else { panic!("{limited:?}, not {whole:?}") };
        // Nothing but the last request differs.
        let same = limited.requests.len();
        assert_eq!(limited.requests[..same.saturating_sub(1)], whole.requests[..same.saturating_sub(1)]);
    }
    for request in &limited.requests {
        assert!(request.head.len() <= limits.0.bytes);
        assert!(request.fields <= limits.0.field_lines);
        assert!(request.content.len() as u64 <= limits.1.content);
    }
});

/// What comes out of a connection.
#[derive(Clone, Debug, PartialEq)]
struct Conversation {
    requests: Vec<Request>,
    ending: Ending,
}

#[derive(Clone, Debug, PartialEq)]
struct Request {
    head: Vec<u8>,
    said: String,
    fields: usize,
    framing: Option<Framing>,
    content: Vec<u8>,
    /// Where in the conversation its body begins.
    body_start: usize,
    /// Bytes of the body, if it is whole.
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
    // These two are rules of the grammar here, whatever the limits are.
    let is_rule = ["ChunkSizeTooLong", "LengthTooLarge"].contains(&&name[..]);
    Ending::Refused(name, if is_limit && !is_rule { Reason::Limit } else { reason })
}

/// Reads all that comes in `pieces`, as the server does.
fn converse(pieces: &[&[u8]], limits: (HeadLimits, BodyLimits)) -> Conversation {
    let mut requests = Vec::new();
    let ending = read(pieces, limits, &mut requests).err().unwrap_or(Ending::More);
    Conversation { requests, ending }
}

fn read(
    pieces: &[&[u8]],
    (head_limits, body_limits): (HeadLimits, BodyLimits),
    requests: &mut Vec<Request>,
) -> Result<(), Ending> {
    let mut buffer = Vec::new();
    let mut scan = HeadScan::default();
    let mut body: Option<BodyReader> = None;
    let mut at = 0;
    for piece in pieces {
        let mut rest = piece.to_vec();
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
                    assert!(rest.is_empty(), "a body that is not done takes all");
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
        said: said(&head),
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

/// All that a head says, also in the small grammars that are read of it.
fn said(head: &RequestHead<'_, '_>) -> String {
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

/// Holds the conversation against the second reader.
fn judge(bytes: &[u8], conversation: &Conversation) {
    let mut rest = bytes;
    let mut requests = conversation.requests.iter();
    loop {
        let ending = &conversation.ending;
        let end = match grammar::head_end(rest, 4) {
            End::At(end) => end,
            End::Open => {
                // More than any limit allows here are only field lines.
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
            grammar::has_right_host(&fields, version).then_some((method, target, version, fields))
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
            Some(BodyEnd::Behind(length)) => Some(Framing::Length(length)),
            Some(BodyEnd::Chunked) => Some(Framing::Chunked),
        };
        assert_eq!(request.framing, framing);
        let body = match framing {
            None => {
                assert!(matches!(ending, Ending::Refused(_, Reason::Framing)), "{ending:?}");
                return assert!(requests.next().is_none());
            }
            Some(Framing::None) => Chunked::Whole(0, Vec::new()),
            Some(Framing::Length(length)) => match usize::try_from(length) {
                Ok(length) if length <= rest.len() => Chunked::Whole(length, rest[..length].to_vec()),
                _ => Chunked::Open,
            },
            Some(Framing::Chunked) => grammar::chunked(rest),
        };
        match body {
            Chunked::Whole(length, content) => {
                assert_eq!((request.body, &request.content), (Some(length), &content));
                rest = &rest[length..];
            }
            Chunked::Open => return assert_eq!((request.body, ending), (None, &Ending::More)),
            Chunked::Wrong => {
                assert_eq!(request.body, None);
                let is_right = match ending {
                    Ending::Refused(_, Reason::Body) => true,
                    Ending::Refused(name, Reason::Limit) => name == "ContentTooLarge",
                    _ => false,
                };
                return assert!(is_right, "{ending:?}");
            }
        }
    }
}

fn too_many(ending: &Ending) -> bool {
    matches!(ending, Ending::Refused(name, Reason::Limit) if name == "TooManyFieldLines")
}

/// Holds one head against what the second reader found in it, and against itself, written anew.
fn compare(request: &Request, method: &str, target: &str, version: &str, fields: &[grammar::Field]) {
    let limits = NO_LIMITS.0;
    let mut scratch = http::scratch();
    let head = http::parse(&request.head, &mut scratch, &limits).expect("it was accepted");
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

    let mut anew = format!("{method} {written} {version}\r\n").into_bytes();
    for (name, value) in head.fields.iter() {
        anew.extend_from_slice(&[name.as_bytes(), b":", value, b"\r\n"].concat());
    }
    anew.extend_from_slice(b"\r\n");
    assert_eq!(HeadScan::default().scan(&anew, &limits), Ok(Some(anew.len())));
    let mut scratch = http::scratch();
    let again = http::parse(&anew, &mut scratch, &limits).map(|head| said(&head));
    assert_eq!(again, Ok(request.said.clone()));
}
