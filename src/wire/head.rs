//! Heads of requests and responses, line by line (RFC 9112 §2 to §6).

use super::exchange::Exchange;
use super::field_line;
use super::head_fields::HeadFields;
use super::line::{self, CRLF, LINE_TOO_LONG, Line, NextLine};
use super::note::Note;
use super::request;
use super::response;
use super::secrets;
use super::span::{Kind, Side};
use super::splitter::{FieldSpec, Progress, Splitter};
use super::start_line;
use crate::protocol::http::fields::is_token;
use crate::protocol::http::{HeadError, RequestError, ResponseError};
use crate::protocol::rule::Section;

/// The maximum size of a head that is checked as a whole, in bytes. A longer one is split into
/// spans all the same.
const MAX_CHECKED_HEAD_BYTES: usize = 64 * 1024;

/// The maximum number of empty lines before a request line, as in the protocol code.
const MAX_EMPTY_LINES: u8 = 4;

/// Why a side whose first line is not a start line is not read.
pub(super) const NOT_HTTP: &str = "It does not begin with a start line, so it is not HTTP.";

const EMPTY_LINE: FieldSpec = FieldSpec::new(
    "CRLF",
    Kind::Separator,
    Section::rfc(9112, "2.2"),
    "An empty line before the request line, which a server ignores.",
);
const BLANK_LINE: FieldSpec =
    FieldSpec::new("CRLF", Kind::Control, Section::rfc(9112, "2.1"), "The blank line ends the head.");
const NO_START_LINE: FieldSpec = FieldSpec::new(
    "start-line",
    Kind::Opaque,
    Section::rfc(9112, "2.1"),
    "This line should be a start line.",
);

/// A head whose blank line has not arrived.
#[derive(Debug)]
pub(super) struct Head {
    side: Side,
    empty_lines: u8,
    has_start_line: bool,
    pub fields: HeadFields,
    /// The lines so far, for the protocol code. Empty if the head is too long to be checked.
    lines: Vec<u8>,
    field_lines: usize,
    has_violation: bool,
    /// True if the value of the last line is a secret, which a folded line would continue.
    is_secret: bool,
}

impl Head {
    pub fn new(side: Side) -> Self {
        Self {
            side,
            empty_lines: 0,
            has_start_line: false,
            fields: HeadFields::default(),
            lines: Vec::new(),
            field_lines: 0,
            has_violation: false,
            is_secret: false,
        }
    }

    /// Returns the heap memory in bytes.
    pub fn memory(&self) -> usize {
        self.lines.capacity() + self.fields.memory()
    }

    pub fn has_start_line(&self) -> bool {
        self.has_start_line
    }

    /// Splits lines up to and including the blank line.
    pub fn advance(&mut self, splitter: &mut Splitter, exchange: &Exchange) -> Progress {
        loop {
            let line = match line::next(splitter) {
                NextLine::Incomplete | NextLine::Finished => return Progress::NeedMore,
                NextLine::TooLong => return Progress::Unreadable(LINE_TOO_LONG),
                NextLine::Line(line) => line,
            };
            let text = &splitter.rest()[..line.text];
            if let Some(names) = splitter.secrets() {
                splitter.hide(secrets::in_line(text, self.is_secret, names));
                self.is_secret = secrets::continues_after(text, self.is_secret, names);
            }
            let before = splitter.offset();
            if line.text == 0 && !line.is_complete() {
                line::split_end(splitter, line, CRLF);
                return Progress::NeedMore;
            }
            if self.has_start_line && line.text == 0 {
                line::split_end(splitter, line, BLANK_LINE);
                self.has_violation |= splitter.has_violation_since(before);
                self.end(splitter, exchange);
                return Progress::Done;
            }
            if self.has_start_line {
                self.field_line(splitter, line, exchange);
            } else if line.text == 0 && self.side == Side::Client {
                self.empty_line(splitter, line);
            } else if self.is_start_line(text, line) {
                self.start_line(splitter, line);
            } else {
                self.no_start_line(splitter, line);
                return Progress::Unreadable(NOT_HTTP);
            }
            self.has_violation |= splitter.has_violation_since(before);
        }
    }

    fn empty_line(&mut self, splitter: &mut Splitter, line: Line) {
        let before = splitter.offset();
        line::split_end(splitter, line, EMPTY_LINE);
        if self.empty_lines == MAX_EMPTY_LINES
            && !splitter.has_violation_since(before)
            && let Some(last) = splitter.last()
        {
            last.violation = Some(HeadError::EmptyLines.rule());
        }
        self.empty_lines = self.empty_lines.saturating_add(1);
    }

    /// Returns true if the line resembles a start line, even a malformed one.
    fn is_start_line(&self, text: &[u8], line: Line) -> bool {
        match self.side {
            Side::Client => {
                let method = text.split(|byte| *byte == b' ').next().unwrap_or_default();
                let has_version = text.windows(6).any(|window| window == b" HTTP/");
                has_version || (is_token(method) && (method.len() < text.len() || !line.is_complete()))
            }
            Side::Server => text.starts_with(b"HTTP/") || (!line.is_complete() && b"HTTP/".starts_with(text)),
        }
    }

    fn start_line(&mut self, splitter: &mut Splitter, line: Line) {
        self.keep(&splitter.rest()[..line.text]);
        self.fields.start = match self.side {
            Side::Client => start_line::split_request(splitter, line.text, line.is_complete()),
            Side::Server => start_line::split_status(splitter, line.text, line.is_complete()),
        };
        line::split_end(splitter, line, CRLF);
        self.has_start_line = true;
    }

    /// Splits a line that is not a start line. All of it may be a secret.
    fn no_start_line(&self, splitter: &mut Splitter, line: Line) {
        let rule = match self.side {
            Side::Client => RequestError::RequestLine.rule(),
            Side::Server => ResponseError::NotHttp.rule(),
        };
        splitter.hide(std::iter::once(0..line.text));
        match splitter.emit_nonempty(line.text, NO_START_LINE) {
            Some(span) => {
                span.violation = Some(rule);
                line::split_end(splitter, line, CRLF);
            }
            None => {
                line::split_end(splitter, line, CRLF);
                if let Some(last) = splitter.last() {
                    last.violation = Some(rule);
                }
            }
        }
    }

    fn field_line(&mut self, splitter: &mut Splitter, line: Line, exchange: &Exchange) {
        let text = &splitter.rest()[..line.text];
        self.keep(text);
        let field = field_line::split(splitter, line.text, self.field_lines == 0, line.has_complete_text());
        self.field_lines += 1;
        if let Some(field) = field
            && let Some(name) = self.fields.push(field.name, field.value)
            && line.is_complete()
            && !self.has_violation
        {
            let violation = match self.side {
                Side::Client if self.lines.is_empty() => None,
                Side::Client => request::check(&self.lines, &self.fields, Some(name)),
                Side::Server => response::check_field(&self.fields, name, field.value, exchange),
            };
            if let (Some(violation), Some(last)) = (violation, splitter.last()) {
                last.violation.get_or_insert(violation);
            }
        }
        line::split_end(splitter, line, CRLF);
    }

    /// Keeps a line for the protocol code, as long as the head is short enough.
    fn keep(&mut self, line: &[u8]) {
        let is_kept = self.field_lines == 0 || !self.lines.is_empty();
        if is_kept && self.lines.len() + line.len() <= MAX_CHECKED_HEAD_BYTES {
            self.lines.extend_from_slice(line);
            self.lines.extend_from_slice(b"\r\n");
        } else {
            self.lines.clear();
        }
    }

    /// Marks the blank line with a violation that only the complete head shows.
    fn end(&mut self, splitter: &mut Splitter, exchange: &Exchange) {
        let is_checked = !self.lines.is_empty();
        let violation = match self.side {
            _ if self.has_violation => None,
            Side::Client if is_checked => request::check(&self.lines, &self.fields, None),
            Side::Client => None,
            Side::Server => response::check_end(&self.fields, exchange)
                .or_else(|| is_checked.then(|| response::check_head(&self.lines)).flatten()),
        };
        let Some(last) = splitter.last() else { return };
        if let Some(violation) = violation {
            last.violation = Some(violation);
            self.has_violation = true;
        }
        if !is_checked {
            let remark = "The head is longer than the 64 KiB that the view checks as a whole.";
            last.notes.push(Note::Remark(remark.into()));
        }
    }
}
