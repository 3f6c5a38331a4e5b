//! Heads of requests and responses, line by line (RFC 9112 §2 to §6).

use super::conversation::NO_HTTP;
use super::exchange::{Exchange, HandshakeRequest, PendingRequest};
use super::field_line;
use super::line::{self, CRLF, NextLine};
use super::note::Note;
use super::response;
use super::secrets;
use super::span::{Kind, Side, Violation};
use super::splitter::{FieldSpec, Progress, Splitter, violation};
use super::start_line::{self, NO_LIMITS, StartLine};
use crate::protocol::http::fields::{is_token, members};
use crate::protocol::http::{self, Framing, HeadError, HeadScan, RequestError, RequestHead};
use crate::protocol::rule::Section;
use crate::protocol::websocket::{extension, server_handshake};

/// How many bytes of a head are kept for the protocol code to judge. A longer one is cut into spans all the same.
const MOST_OF_A_HEAD: usize = 64 * 1024;

/// How many empty lines may stand before a request line, as the protocol code has it.
const MOST_EMPTY_LINES: u8 = 4;

const EMPTY_LINE: FieldSpec = FieldSpec::new(
    "CRLF",
    Kind::Separator,
    Section::rfc(9112, "2.2"),
    "An empty line before a request line, which a server passes over.",
);
const BLANK_LINE: FieldSpec =
    FieldSpec::new("CRLF", Kind::Control, Section::rfc(9112, "2.1"), "The blank line ends the head.");
const NO_START_LINE: FieldSpec =
    FieldSpec::new("start-line", Kind::Opaque, Section::rfc(9112, "2.1"), "This should be a start line.");

/// A head under way.
#[derive(Debug)]
pub(super) struct Head {
    side: Side,
    empty_lines: u8,
    pub start: Option<StartLine>,
    /// The lines so far with their ends, for the protocol code; empty where it was too long.
    text: Vec<u8>,
    lines: usize,
    /// The fields that something depends on: the name in lower case, and the value.
    fields: Vec<(&'static str, Vec<u8>)>,
    pub is_wrong: bool,
    /// The last line's value is a secret, which a folded line would continue.
    is_secret: bool,
}

/// The fields that something depends on, in the view.
const RELEVANT_FIELDS: [&str; 15] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "proxy-connection",
    "sec-websocket-accept",
    "sec-websocket-extensions",
    "sec-websocket-key",
    "sec-websocket-protocol",
    "sec-websocket-version",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

impl Head {
    pub fn new(side: Side) -> Self {
        Self {
            side,
            empty_lines: 0,
            start: None,
            text: Vec::new(),
            lines: 0,
            fields: Vec::new(),
            is_wrong: false,
            is_secret: false,
        }
    }

    /// The values of all fields of this name, which is one of those looked at.
    pub fn get_all(&self, name: &str) -> impl Iterator<Item = &[u8]> + Clone {
        self.fields.iter().filter(move |(field, _)| *field == name).map(|(_, value)| &value[..])
    }

    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.get_all(name).next()
    }

    /// Whether the list that all fields of this name make together holds `token`.
    pub fn has_token(&self, name: &str, token: &str) -> bool {
        self.get_all(name).flat_map(members).any(|member| member.eq_ignore_ascii_case(token.as_bytes()))
    }

    pub fn start(&self) -> &StartLine {
        const NONE: &StartLine = &StartLine {
            is_http10: false,
            method: Vec::new(),
            target: Vec::new(),
            status: 0,
            is_wrong: true,
        };
        self.start.as_ref().unwrap_or(NONE)
    }

    /// Cuts line after line, up to the blank one.
    pub fn advance(&mut self, splitter: &mut Splitter, exchange: &Exchange) -> Progress {
        loop {
            let line = match line::next(splitter) {
                NextLine::Incomplete | NextLine::Finished => return Progress::NeedMore,
                NextLine::TooLong => {
                    return Progress::Unreadable("A line is longer than what the view waits for.");
                }
                NextLine::Line(line) => line,
            };
            let text = &splitter.rest()[..line.text];
            splitter.hide(secrets::in_line(text, self.is_secret));
            self.is_secret = secrets::continues_after(text, self.is_secret);
            let before = splitter.offset();
            if line.text == 0 && !line.is_complete() {
                line::split_end(splitter, line, CRLF);
                return Progress::NeedMore;
            }
            if self.start.is_some() && line.text == 0 {
                line::split_end(splitter, line, BLANK_LINE);
                self.is_wrong |= splitter.has_violation_since(before);
                self.end(splitter, exchange);
                return Progress::Done;
            }
            let is_empty = line.text == 0;
            match self.start {
                None if is_empty && self.side == Side::Client => self.empty_line(splitter, line),
                None => {
                    if !self.start_line(splitter, line) {
                        return Progress::Unreadable(NO_HTTP);
                    }
                }
                Some(_) => self.field_line(splitter, line, exchange),
            }
            self.is_wrong |= splitter.has_violation_since(before);
        }
    }

    fn empty_line(&mut self, splitter: &mut Splitter, line: line::Line) {
        let before = splitter.offset();
        line::split_end(splitter, line, EMPTY_LINE);
        if self.empty_lines == MOST_EMPTY_LINES
            && !splitter.has_violation_since(before)
            && let Some(last) = splitter.last()
        {
            last.violation = Some(HeadError::EmptyLines.rule().into());
        }
        self.empty_lines = self.empty_lines.saturating_add(1);
    }

    /// Cuts the start line; false if it is none at all.
    fn start_line(&mut self, splitter: &mut Splitter, line: line::Line) -> bool {
        let text = &splitter.rest()[..line.text];
        let is_start = match self.side {
            Side::Client => {
                let method = text.split(|byte| *byte == b' ').next().unwrap_or_default();
                let has_version = text.windows(6).any(|window| window == b" HTTP/");
                has_version || (is_token(method) && (method.len() < text.len() || !line.is_complete()))
            }
            Side::Server => text.starts_with(b"HTTP/") || (!line.is_complete() && b"HTTP/".starts_with(text)),
        };
        if !is_start {
            let rule = match self.side {
                Side::Client => RequestError::RequestLine.rule().into(),
                Side::Server => http::ResponseError::NotHttp.rule().into(),
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
            return false;
        }
        self.keep(text);
        let start = match self.side {
            Side::Client => start_line::split_request(splitter, line.text, line.is_complete()),
            Side::Server => start_line::split_status(splitter, line.text, line.is_complete()),
        };
        line::split_end(splitter, line, CRLF);
        self.start = Some(start);
        true
    }

    fn field_line(&mut self, splitter: &mut Splitter, line: line::Line, exchange: &Exchange) {
        let text = &splitter.rest()[..line.text];
        self.keep(text);
        let field = field_line::split(splitter, line.text, self.lines == 0, line.has_complete_text());
        self.lines += 1;
        let name = field.as_ref().and_then(|field| {
            RELEVANT_FIELDS.into_iter().find(|name| name.as_bytes().eq_ignore_ascii_case(field.name))
        });
        if let (Some(name), Some(field)) = (name, field)
            && self.fields.len() < 256
        {
            self.fields.push((name, field.value.to_vec()));
            if line.is_complete() && !self.is_wrong {
                let wrong = match self.side {
                    Side::Client => self.check_request(Some(name)),
                    Side::Server => response::check_field(self, name, field.value, exchange),
                };
                if let (Some(wrong), Some(last)) = (wrong, splitter.last()) {
                    last.violation.get_or_insert(wrong);
                }
            }
        }
        line::split_end(splitter, line, CRLF);
    }

    fn keep(&mut self, line: &[u8]) {
        if self.text.len() + line.len() <= MOST_OF_A_HEAD && (self.lines == 0 || !self.text.is_empty()) {
            self.text.extend_from_slice(line);
            self.text.extend_from_slice(b"\r\n");
        } else {
            self.text.clear();
        }
    }

    /// What only the whole head shows is marked at the blank line.
    fn end(&mut self, splitter: &mut Splitter, exchange: &Exchange) {
        let wrong = match self.side {
            _ if self.is_wrong => None,
            Side::Client => self.check_request(None),
            Side::Server => response::check_end(self, exchange).or_else(|| self.check_response()),
        };
        let Some(last) = splitter.last() else { return };
        if let Some(wrong) = wrong {
            last.violation = Some(wrong);
            self.is_wrong = true;
        }
        if self.text.is_empty() {
            last.notes.push(Note::Remark("The head is longer than what the view judges as a whole.".into()));
        }
    }

    /// What the protocol code says of the lines so far; of all of them, where no `field` was the last.
    fn check_request(&self, field: Option<&str>) -> Option<Violation> {
        if self.text.is_empty() {
            return None;
        }
        let mut text = self.text.clone();
        if field.is_some() && self.get("host").is_none() {
            text.extend_from_slice(b"Host: a\r\n");
        }
        text.extend_from_slice(b"\r\n");
        let wrong =
            |error: RequestError| (error != HeadError::TooManyFieldLines.into()).then(|| error.rule().into());
        if let Err(error) = HeadScan::default().scan(&text, &NO_LIMITS) {
            return wrong(error.into());
        }
        let mut scratch = http::scratch();
        let head = match http::parse(&text, &mut scratch, &NO_LIMITS) {
            Ok(head) => head,
            Err(error) => return wrong(error),
        };
        if let Err(error) = Framing::of(&head) {
            return Some(error.rule().into());
        }
        self.check_opening(&head, field)
    }

    fn check_opening(&self, head: &RequestHead, field: Option<&str>) -> Option<Violation> {
        let fields = head.fields;
        let is_named = fields.has_token("Connection", "upgrade");
        match field {
            None if is_websocket(self) => {
                let keys = fields.get_all("Sec-WebSocket-Key");
                let versions = fields.get_all("Sec-WebSocket-Version");
                server_handshake::check(keys, versions).err().map(|error| error.rule().into())
            }
            None if self.has_token("upgrade", "websocket")
                && !is_named
                && self.start().method == b"GET"
                && !self.start().is_http10 =>
            {
                const RULE: &str = "Upgrade is there, and Connection does not name it.";
                Some(violation(RULE, Section::rfc(9110, "7.8")))
            }
            Some("sec-websocket-key") => {
                let checked =
                    server_handshake::check(fields.get_all("Sec-WebSocket-Key"), [&b"13"[..]].into_iter());
                checked.err().map(|error| error.rule().into())
            }
            Some("sec-websocket-version") => {
                const KEY: &[u8] = b"dGhlIHNhbXBsZSBub25jZQ==";
                let versions = fields.get_all("Sec-WebSocket-Version");
                server_handshake::check([KEY].into_iter(), versions).err().map(|error| error.rule().into())
            }
            Some("sec-websocket-extensions") => {
                let lines = fields.get_all("Sec-WebSocket-Extensions");
                extension::negotiate(lines, &extension::ServerPreferences::default())
                    .err()
                    .map(|error| error.rule().into())
            }
            _ => None,
        }
    }

    /// What the protocol code says of a whole response head.
    fn check_response(&self) -> Option<Violation> {
        if self.text.is_empty() {
            return None;
        }
        let text = [&self.text[..], b"\r\n"].concat();
        let error = match http::ResponseScan::default().scan(&text, &NO_LIMITS) {
            Err(error) => error,
            Ok(_) => http::parse_response(&text, &mut http::scratch(), &NO_LIMITS).err()?,
        };
        (error != HeadError::TooManyFieldLines.into()).then(|| error.rule().into())
    }

    /// What the answer to this request has to know of it.
    pub fn request(&self) -> PendingRequest {
        let method = &self.start().method[..];
        let is_connect = method == b"CONNECT";
        let is_upgrade = self.get("upgrade").is_some() && self.has_token("connection", "upgrade");
        PendingRequest {
            is_head: method == b"HEAD",
            is_connect,
            handshake: is_websocket(self).then(|| HandshakeRequest {
                key: self.get("sec-websocket-key").unwrap_or_default().to_vec(),
                protocols: self
                    .get_all("sec-websocket-protocol")
                    .flat_map(members)
                    .map(<[u8]>::to_vec)
                    .collect(),
                offers: extension::offers(self.get_all("sec-websocket-extensions")).unwrap_or_default(),
            }),
            awaits_switch: is_connect || (is_upgrade && !self.start().is_http10),
        }
    }
}

/// Whether a request is a WebSocket's opening handshake (RFC 6455 §4.1).
pub(super) fn is_websocket(head: &Head) -> bool {
    head.start().method == b"GET"
        && !head.start().is_http10
        && head.has_token("upgrade", "websocket")
        && head.has_token("connection", "upgrade")
}
