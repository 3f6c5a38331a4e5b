//! Request lines and status lines (RFC 9112 §3, §4).

use super::glossary;
use super::head_fields::StartLine;
use super::line;
use super::span::Kind;
use super::splitter::{FieldSpec, Splitter};
use crate::protocol::http::fields::{is_control, is_tchar};
use crate::protocol::http::{
    self, HeadError, HeadLimits, HeadScan, RequestError, ResponseError, ResponseScan,
};
use crate::protocol::rule::{Rule, Section};

const LINE: Section = Section::rfc(9112, "3");
const STATUS_LINE: Section = Section::rfc(9112, "4");
const VERSION: Section = Section::rfc(9112, "2.3");

const METHOD: FieldSpec = FieldSpec::new(
    "method",
    Kind::StartLine,
    Section::rfc(9110, "9.1"),
    "The action that the client requests for the target.",
);
const TARGET: FieldSpec = FieldSpec::new(
    "request-target",
    Kind::StartLine,
    Section::rfc(9112, "3.2"),
    "The resource that the request applies to.",
);
const HTTP_VERSION: FieldSpec = FieldSpec::new(
    "HTTP-version",
    Kind::StartLine,
    VERSION,
    "The version of HTTP that the sender conforms to.",
);
const SPACE: FieldSpec =
    FieldSpec::new("SP", Kind::Separator, LINE, "A single space separates the parts of the line.");
const STATUS_CODE: FieldSpec =
    FieldSpec::new("status-code", Kind::StartLine, STATUS_LINE, "The result of the request.");
const REASON: FieldSpec = FieldSpec::new(
    "reason-phrase",
    Kind::StartLine,
    STATUS_LINE,
    "A description of the status code, which clients should ignore.",
);

/// Limits that the protocol code never exceeds here: a long head breaks no rule.
pub(super) const NO_LIMITS: HeadLimits =
    HeadLimits { bytes: usize::MAX, request_line: usize::MAX, field_lines: http::MAX_FIELD_LINES };

/// Splits a request line of `length` bytes, without its terminator. Only a complete line is checked
/// as a whole.
pub(super) fn split_request(splitter: &mut Splitter, length: usize, is_complete: bool) -> StartLine {
    let line = &splitter.rest()[..length];
    let error = is_complete.then(|| check_request(line)).flatten();
    let rule = error.map(|error| error.rule());
    let before = splitter.offset();
    let parts = RequestLineParts::of(line);

    let (meaning, section) = glossary::method(parts.method);
    let method = FieldSpec { section, meaning, ..METHOD };
    splitter.emit_text(parts.method.len(), method, |byte| !is_tchar(byte), |_| RequestError::Method.rule());
    if let Some(target) = parts.target {
        let space = splitter.emit(1, SPACE);
        if parts.method.is_empty() {
            space.violation = rule;
        }
        split_target(splitter, target, parts.method == b"CONNECT", error);
    }
    if let Some(version) = parts.version {
        let space = splitter.emit(1, SPACE);
        if parts.target.is_none_or(<[u8]>::is_empty) {
            space.violation = rule;
        }
        let is_bad =
            matches!(error, Some(RequestError::Version | RequestError::Head(HeadError::VersionNotSupported)));
        split_version(splitter, version, rule.filter(|_| is_bad));
    }
    mark_last(splitter, before, rule);
    StartLine {
        is_http10: parts.version == Some(b"HTTP/1.0"),
        method: parts.method.to_vec(),
        target: parts.target.unwrap_or_default().to_vec(),
        status: 0,
    }
}

/// Marks the last span with the broken rule that the protocol code has found, unless a span since
/// `before` is marked already.
fn mark_last(splitter: &mut Splitter, before: u64, rule: Option<Rule>) {
    if let Some(rule) = rule
        && !splitter.has_violation_since(before)
        && let Some(last) = splitter.last()
    {
        last.violation = Some(rule);
    }
}

/// A request line split at its first and last space.
struct RequestLineParts<'a> {
    method: &'a [u8],
    /// Everything between the first and the last space, so that a violation is marked at the spaces
    /// within it.
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

/// Returns the error that the protocol code finds in a request line, with a minimal head around it.
fn check_request(line: &[u8]) -> Option<RequestError> {
    let head = [line, b"\r\nHost: a\r\n\r\n"].concat();
    if let Err(error) = HeadScan::default().scan(&head, &NO_LIMITS) {
        return Some(error.into());
    }
    http::parse(&head, &mut http::scratch(), &NO_LIMITS).err()
}

fn split_target(splitter: &mut Splitter, target: &[u8], is_connect: bool, error: Option<RequestError>) {
    let (meaning, paragraph) = match target {
        _ if is_connect => ("The host and port that the tunnel leads to, in authority-form.", "3.2.3"),
        [b'/', ..] if target.contains(&b'?') => {
            ("The requested resource as a path and a query, in origin-form.", "3.2.1")
        }
        [b'/', ..] => ("The requested resource as a path, in origin-form.", "3.2.1"),
        b"*" => ("The server as a whole, in asterisk-form.", "3.2.4"),
        _ => ("The requested resource as a complete URI, in absolute-form.", "3.2.2"),
    };
    let spec = FieldSpec { meaning, section: Section::rfc(9112, paragraph), ..TARGET };
    // A fragment extends to the end of the target. Every other invalid byte is marked by itself.
    let end = target.iter().position(|byte| *byte == b'#').unwrap_or(target.len());
    let (error, is_form) = match error {
        Some(error @ (RequestError::Target | RequestError::Fragment)) => (error, true),
        Some(
            error @ (RequestError::RequestLine | RequestError::Head(HeadError::Control | HeadError::BareCr)),
        ) => (error, false),
        _ => (RequestError::Target, false),
    };
    let before = splitter.offset();
    splitter.emit_text(end, spec, |byte| !byte.is_ascii_graphic(), |_| error.rule());
    if let Some(fragment) = splitter.emit_nonempty(target.len() - end, spec) {
        fragment.violation = Some(RequestError::Fragment.rule());
    } else if is_form
        && !splitter.has_violation_since(before)
        && let Some(last) = splitter.last()
    {
        last.violation = Some(error.rule());
    }
}

fn split_version(splitter: &mut Splitter, version: &[u8], rule: Option<Rule>) {
    let Some(span) = splitter.emit_nonempty(version.len(), HTTP_VERSION) else { return };
    span.meaning = match version {
        b"HTTP/1.1" => "The sender uses HTTP/1.1.".into(),
        b"HTTP/1.0" => {
            "The sender uses HTTP/1.0: the connection ends after the response, and no body is chunked.".into()
        }
        _ => span.meaning.clone(),
    };
    span.violation = rule;
}

/// Splits a status line of `length` bytes, without its terminator. Only a complete line is checked
/// as a whole.
pub(super) fn split_status(splitter: &mut Splitter, length: usize, is_complete: bool) -> StartLine {
    let line = &splitter.rest()[..length];
    let error = is_complete.then(|| check_status(line)).flatten();
    let rule = error.map(|error| error.rule());
    let before = splitter.offset();
    let first = line.iter().position(|byte| *byte == b' ').unwrap_or(length);
    let is_bad =
        matches!(error, Some(ResponseError::Head(HeadError::VersionNotSupported) | ResponseError::NotHttp));
    let version = &line[..first];
    split_version(splitter, version, rule.filter(|_| is_bad));
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
            && (matches!(error, Some(ResponseError::StatusCode)) || (status == 0 && is_complete))
        {
            span.violation = rule.or(Some(ResponseError::StatusLine.rule()));
        }
        rest = &after[digits..];
    }
    if let [_, phrase @ ..] = rest {
        splitter.emit(1, SPACE);
        splitter.emit_text(phrase.len(), REASON, is_control, line::control);
    }
    mark_last(splitter, before, rule);
    StartLine { is_http10: version == b"HTTP/1.0", status, ..StartLine::default() }
}

/// Returns the error that the protocol code finds in a status line, as a head without fields.
fn check_status(line: &[u8]) -> Option<ResponseError> {
    let head = [line, b"\r\n\r\n"].concat();
    if let Err(error) = ResponseScan::default().scan(&head, &NO_LIMITS) {
        return Some(error);
    }
    http::parse_response(&head, &mut http::scratch(), &NO_LIMITS).err()
}
