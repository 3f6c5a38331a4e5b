//! Request lines and status lines (RFC 9112 §3, §4).

use super::glossary;
use super::line;
use super::span::{Kind, Violation};
use super::splitter::{FieldSpec, Splitter};
use crate::protocol::http::fields::{is_control, is_tchar};
use crate::protocol::http::{
    self, HeadError, HeadLimits, HeadScan, RequestError, ResponseError, ResponseScan,
};
use crate::protocol::rule::Section;

const LINE: Section = Section::rfc(9112, "3");
const STATUS_LINE: Section = Section::rfc(9112, "4");
const VERSION: Section = Section::rfc(9112, "2.3");

const METHOD: FieldSpec =
    FieldSpec::new("method", Kind::StartLine, Section::rfc(9110, "9.1"), "What to do with the target.");
const TARGET: FieldSpec = FieldSpec::new(
    "request-target",
    Kind::StartLine,
    Section::rfc(9112, "3.2"),
    "What the request is about.",
);
const HTTP_VERSION: FieldSpec = FieldSpec::new(
    "HTTP-version",
    Kind::StartLine,
    VERSION,
    "The version of HTTP that the sender conforms to.",
);
const SPACE: FieldSpec =
    FieldSpec::new("SP", Kind::Separator, LINE, "One space between the parts of the line.");
const STATUS_CODE: FieldSpec =
    FieldSpec::new("status-code", Kind::StartLine, STATUS_LINE, "How the request came out.");
const REASON: FieldSpec = FieldSpec::new(
    "reason-phrase",
    Kind::StartLine,
    STATUS_LINE,
    "The same in words, which no client is to go by.",
);

/// The limits under which the protocol code is asked: none but its own. What is long is not wrong.
pub(super) const NO_LIMITS: HeadLimits =
    HeadLimits { bytes: usize::MAX, request_line: usize::MAX, field_lines: http::MAX_FIELD_LINES };

/// What a start line says that the rest of its message depends on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct StartLine {
    /// HTTP/1.0, which has neither chunks nor 101.
    pub is_http10: bool,
    /// A request's.
    pub method: Vec<u8>,
    /// A request's, with what is to be hidden in it still there.
    pub target: Vec<u8>,
    /// A response's; 0 if it can't be read.
    pub status: u16,
    /// The line breaks a rule.
    pub is_wrong: bool,
}

/// Cuts a request line of `length` bytes, without its end; one that is not whole is not judged as a whole.
pub(super) fn split_request(splitter: &mut Splitter, length: usize, is_whole: bool) -> StartLine {
    let line = &splitter.rest()[..length];
    let verdict = is_whole.then(|| check_request(line)).flatten();
    let wrong = verdict.map(|error| error.rule().into());
    let before = splitter.offset();
    let parts = RequestLineParts::of(line);

    let (meaning, section) = glossary::method(parts.method);
    let part = FieldSpec { section, meaning, ..METHOD };
    splitter.emit_text(
        parts.method.len(),
        part,
        |byte| !is_tchar(byte),
        |_| RequestError::Method.rule().into(),
    );
    if let Some(target) = parts.target {
        let space = splitter.emit(1, SPACE);
        if parts.method.is_empty() {
            space.violation.clone_from(&wrong);
        }
        split_target(splitter, target, parts.method == b"CONNECT", verdict);
    }
    if let Some(version) = parts.version {
        let space = splitter.emit(1, SPACE);
        if parts.target.is_none_or(<[u8]>::is_empty) {
            space.violation.clone_from(&wrong);
        }
        let is_bad = matches!(
            verdict,
            Some(RequestError::Version | RequestError::Head(HeadError::VersionNotSupported))
        );
        split_version(splitter, version, wrong.clone().filter(|_| is_bad));
    }
    // What the protocol code has found is marked, if not at a byte that shows it then at the last.
    if let Some(wrong) = wrong
        && !splitter.has_violation_since(before)
        && let Some(last) = splitter.last()
    {
        last.violation = Some(wrong);
    }
    StartLine {
        is_http10: parts.version == Some(b"HTTP/1.0"),
        method: parts.method.to_vec(),
        target: parts.target.unwrap_or_default().to_vec(),
        status: 0,
        is_wrong: splitter.has_violation_since(before),
    }
}

/// The parts of a request line, with one space before the second and the third.
struct RequestLineParts<'a> {
    method: &'a [u8],
    /// All up to the version: spaces in it are wrong, and are seen best in it.
    target: Option<&'a [u8]>,
    version: Option<&'a [u8]>,
}

impl<'a> RequestLineParts<'a> {
    fn of(line: &'a [u8]) -> Self {
        let Some(first) = line.iter().position(|byte| *byte == b' ') else {
            return Self { method: line, target: None, version: None };
        };
        let (method, rest) = (&line[..first], &line[first + 1..]);
        match rest.iter().rposition(|byte| *byte == b' ') {
            None => Self { method, target: Some(rest), version: None },
            Some(last) => Self { method, target: Some(&rest[..last]), version: Some(&rest[last + 1..]) },
        }
    }
}

/// What the protocol code says of a request line: asked with it in the least of all heads.
fn check_request(line: &[u8]) -> Option<RequestError> {
    let head = [line, b"\r\nHost: a\r\n\r\n"].concat();
    if let Err(error) = HeadScan::default().scan(&head, &NO_LIMITS) {
        return Some(error.into());
    }
    http::parse(&head, &mut http::scratch(), &NO_LIMITS).err()
}

fn split_target(splitter: &mut Splitter, target: &[u8], is_connect: bool, verdict: Option<RequestError>) {
    let (meaning, paragraph) = match target {
        _ if is_connect => ("Host and port, to which the tunnel is to lead: authority-form.", "3.2.3"),
        [b'/', ..] if target.contains(&b'?') => {
            ("What the request is about, as path and query: origin-form.", "3.2.1")
        }
        [b'/', ..] => ("What the request is about, as path: origin-form.", "3.2.1"),
        b"*" => ("The server as a whole: asterisk-form.", "3.2.4"),
        _ => ("What the request is about, as a whole URI: absolute-form.", "3.2.2"),
    };
    let part = FieldSpec { meaning, section: Section::rfc(9112, paragraph), ..TARGET };
    // The fragment begins at its sign; all else that no target holds stands for itself.
    let end = target.iter().position(|byte| *byte == b'#').unwrap_or(target.len());
    let (error, is_form) = match verdict {
        Some(error @ (RequestError::Target | RequestError::Fragment)) => (error, true),
        Some(
            error @ (RequestError::RequestLine | RequestError::Head(HeadError::Control | HeadError::BareCr)),
        ) => (error, false),
        _ => (RequestError::Target, false),
    };
    let before = splitter.offset();
    splitter.emit_text(end, part, |byte| !byte.is_ascii_graphic(), |_| error.rule().into());
    if let Some(rest) = splitter.emit_nonempty(target.len() - end, part) {
        rest.violation = Some(RequestError::Fragment.rule().into());
    } else if is_form
        && !splitter.has_violation_since(before)
        && let Some(whole) = splitter.last()
    {
        whole.violation = Some(error.rule().into());
    }
}

fn split_version(splitter: &mut Splitter, version: &[u8], wrong: Option<Violation>) {
    let Some(span) = splitter.emit_nonempty(version.len(), HTTP_VERSION) else { return };
    span.meaning = match version {
        b"HTTP/1.1" => "The sender speaks HTTP/1.1.".into(),
        b"HTTP/1.0" => {
            "The sender speaks HTTP/1.0: the connection ends with the answer, and nothing is chunked.".into()
        }
        _ => span.meaning.clone(),
    };
    span.violation = wrong;
}

/// Cuts a status line of `length` bytes, without its end; one that is not whole is not judged as a whole.
pub(super) fn split_status(splitter: &mut Splitter, length: usize, is_whole: bool) -> StartLine {
    let line = &splitter.rest()[..length];
    let verdict = is_whole.then(|| check_status(line)).flatten();
    let wrong = verdict.map(|error| error.rule().into());
    let before = splitter.offset();
    let first = line.iter().position(|byte| *byte == b' ').unwrap_or(length);
    let is_bad =
        matches!(verdict, Some(ResponseError::Head(HeadError::VersionNotSupported) | ResponseError::NotHttp));
    let version = &line[..first];
    split_version(splitter, version, wrong.clone().filter(|_| is_bad));
    let mut status = 0;
    let mut rest = &line[first..];
    if let [_, after @ ..] = rest {
        splitter.emit(1, SPACE);
        let digits = after.iter().position(|byte| *byte == b' ').unwrap_or(after.len());
        let code = &after[..digits];
        if code.len() == 3 && code.iter().all(u8::is_ascii_digit) {
            status = code.iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0'));
        }
        let (meaning, section) = glossary::status(status);
        if let Some(span) = splitter.emit_nonempty(digits, FieldSpec { meaning, section, ..STATUS_CODE })
            && (matches!(verdict, Some(ResponseError::StatusCode)) || (status == 0 && is_whole))
        {
            span.violation = wrong.clone().or(Some(ResponseError::StatusLine.rule().into()));
        }
        rest = &after[digits..];
    }
    if let [_, phrase @ ..] = rest {
        splitter.emit(1, SPACE);
        splitter.emit_text(phrase.len(), REASON, is_control, line::control);
    }
    if let Some(wrong) = wrong
        && !splitter.has_violation_since(before)
        && let Some(last) = splitter.last()
    {
        last.violation = Some(wrong);
    }
    StartLine {
        is_http10: version == b"HTTP/1.0",
        status,
        is_wrong: splitter.has_violation_since(before),
        ..StartLine::default()
    }
}

/// What the protocol code says of a status line, asked with it as a head.
fn check_status(line: &[u8]) -> Option<ResponseError> {
    let head = [line, b"\r\n\r\n"].concat();
    if let Err(error) = ResponseScan::default().scan(&head, &NO_LIMITS) {
        return Some(error);
    }
    http::parse_response(&head, &mut http::scratch(), &NO_LIMITS).err()
}
