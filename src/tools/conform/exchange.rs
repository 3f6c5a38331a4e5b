//! HTTP requests to the endpoint under test, and its responses, read strictly.

use std::fmt::Write;
use std::time::Instant;

use super::connection::{Connection, Received};
use super::finding::Finding;
use crate::protocol::http::{self, BodyLimits, BodyReader, Framing, HeadLimits, ResponseScan};
use crate::tools::conform::target::Template;

/// The greatest content of a response that the suite reads, in bytes.
const MAX_CONTENT: u64 = 4 << 20;

/// The greatest number of interim responses before a final one.
const MAX_INTERIM: usize = 32;

/// A request to write.
#[derive(Clone, Debug)]
pub struct Request<'r> {
    pub method: &'r str,
    pub target: &'r str,
    pub authority: &'r str,
    pub fields: Vec<(&'r str, &'r str)>,
    pub content: Option<&'r [u8]>,
}

impl<'r> Request<'r> {
    /// Returns a GET without other fields than `Host`.
    pub fn get(template: &'r Template, target: &'r str) -> Self {
        Self { method: "GET", target, authority: &template.authority, fields: Vec::new(), content: None }
    }

    /// Adds a field.
    pub fn field(mut self, name: &'r str, value: &'r str) -> Self {
        self.fields.push((name, value));
        self
    }

    /// Returns the bytes of the request in HTTP/1.1.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.to_bytes_of("HTTP/1.1")
    }

    /// Returns the bytes of the request in this version of the protocol.
    pub fn to_bytes_of(&self, version: &str) -> Vec<u8> {
        let mut head = format!("{} {} {version}\r\nHost: {}\r\n", self.method, self.target, self.authority);
        // Writing to a String can't fail.
        for (name, value) in &self.fields {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        if let Some(content) = self.content {
            let _ = write!(head, "Content-Length: {}\r\n", content.len());
        }
        head.push_str("\r\n");
        [head.as_bytes(), self.content.unwrap_or_default()].concat()
    }
}

/// The head of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseHead {
    pub status: u16,
    pub fields: Vec<(String, String)>,
}

impl ResponseHead {
    /// Returns the value of the first field of this name.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// Returns the values of all fields of this name.
    pub fn all<'h, 'n>(&'h self, name: &'n str) -> impl Iterator<Item = &'h str> + use<'h, 'n> {
        self.fields.iter().filter(move |(one, _)| one.eq_ignore_ascii_case(name)).map(|(_, value)| &**value)
    }

    /// Returns whether the comma-separated list in the fields of this name contains the token, in
    /// any case.
    pub fn has_token(&self, name: &str, token: &str) -> bool {
        let mut members = self.all(name).flat_map(|value| value.split(','));
        members.any(|member| member.trim().eq_ignore_ascii_case(token))
    }
}

/// The progress of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// More content has arrived.
    More,
    /// The response is complete.
    Complete,
    /// Nothing arrived in time.
    Quiet,
    /// The server has ended the connection within the response.
    Ended,
}

/// Reads one response after the other from a connection.
pub struct ResponseReader {
    /// Whether the request was HEAD, so that the response has no body.
    is_head_request: bool,
    body: Option<BodyReader>,
    is_until_close: bool,
    is_complete: bool,
    /// The number of interim responses so far.
    interim: usize,
    /// The content so far.
    pub content: Vec<u8>,
}

impl ResponseReader {
    /// Returns the reader of a response to this method.
    pub fn new(method: &str) -> Self {
        Self {
            is_head_request: method == "HEAD",
            body: None,
            is_until_close: false,
            is_complete: false,
            interim: 0,
            content: Vec::new(),
        }
    }

    /// Reads the head. Interim responses (RFC 9110 §15.2) other than 101 are skipped.
    ///
    /// # Errors
    /// A finding: no head arrives before `until`, or it breaks a rule.
    pub fn head(&mut self, connection: &mut Connection, until: Instant) -> Result<ResponseHead, Finding> {
        let expected = "a response";
        loop {
            let limits = HeadLimits::default();
            let scanned = ResponseScan::default().scan(connection.input(), &limits);
            let broken = |connection: &Connection, rule: &dyn std::fmt::Display| {
                Finding::failed("a response that obeys HTTP/1.1", rule)
                    .at(connection.number(), connection.consumed())
            };
            match scanned {
                Err(error) => return Err(broken(connection, &error)),
                Ok(None) => match connection.receive(until)? {
                    Received::Data => {}
                    Received::Quiet => return Err(Finding::failed(expected, "no response in time")),
                    Received::Ended(end) => {
                        let observed = format!("{end} before the end of a response head");
                        return Err(Finding::failed(expected, observed));
                    }
                },
                Ok(Some(length)) => {
                    let bytes = connection.input()[..length].to_vec();
                    let mut scratch = http::scratch();
                    let response = http::parse_response(&bytes, &mut scratch, &limits)
                        .map_err(|error| broken(connection, &error))?;
                    let is_interim = (100..200).contains(&response.status) && response.status != 101;
                    if !is_interim {
                        self.start_body(&response).map_err(|error| broken(connection, &error))?;
                    }
                    let head = owned(&response);
                    connection.consume(length);
                    if !is_interim {
                        return Ok(head);
                    }
                    self.interim += 1;
                    if self.interim > MAX_INTERIM {
                        return Err(Finding::failed(expected, "only interim responses"));
                    }
                }
            }
        }
    }

    /// Reads more content.
    ///
    /// # Errors
    /// A finding: the body breaks a rule of HTTP/1.1.
    pub fn more(&mut self, connection: &mut Connection, until: Instant) -> Result<Progress, Finding> {
        loop {
            if self.is_complete {
                return Ok(Progress::Complete);
            }
            let before = self.content.len();
            if let Some(body) = &mut self.body {
                let read = body.read(connection.input(), &mut self.content);
                let (consumed, is_complete) = read.map_err(|error| {
                    Finding::failed("a body that obeys HTTP/1.1", error)
                        .at(connection.number(), connection.consumed())
                })?;
                connection.consume(consumed);
                self.is_complete = is_complete;
                if self.content.len() > before {
                    return Ok(Progress::More);
                }
                if is_complete {
                    continue;
                }
            }
            match connection.receive(until)? {
                Received::Data => {}
                Received::Quiet => return Ok(Progress::Quiet),
                Received::Ended(_) if self.is_until_close => self.is_complete = true,
                Received::Ended(_) => return Ok(Progress::Ended),
            }
        }
    }

    /// Reads the content up to its end.
    ///
    /// # Errors
    /// A finding: the body is not complete before `until`.
    pub fn all(&mut self, connection: &mut Connection, until: Instant) -> Result<&[u8], Finding> {
        loop {
            match self.more(connection, until)? {
                Progress::More => {}
                Progress::Complete => return Ok(&self.content),
                Progress::Quiet => return Err(Finding::failed("a complete response", "no end in time")),
                Progress::Ended => {
                    return Err(Finding::failed(
                        "a complete response",
                        "the connection ends within the body",
                    ));
                }
            }
        }
    }

    fn start_body(&mut self, response: &http::Response<'_, '_>) -> Result<(), Box<dyn std::error::Error>> {
        let framing = match self.is_head_request || response.status == 101 {
            true => Framing::None,
            false => Framing::of_response(response)?,
        };
        let limits = BodyLimits { content: MAX_CONTENT, ..BodyLimits::default() };
        self.is_until_close = framing == Framing::UntilClose;
        self.body = Some(BodyReader::new(framing, limits)?);
        Ok(())
    }
}

/// Sends a request on a new connection and reads the whole response.
///
/// # Errors
/// A finding: the response breaks a rule, or is not complete before `until`.
pub fn exchange(
    connection: &mut Connection,
    request: &Request<'_>,
    until: Instant,
) -> Result<(ResponseHead, Vec<u8>), Finding> {
    connection.send(&request.to_bytes())?;
    let mut reader = ResponseReader::new(request.method);
    let head = reader.head(connection, until)?;
    reader.all(connection, until)?;
    Ok((head, reader.content))
}

fn owned(response: &http::Response<'_, '_>) -> ResponseHead {
    let fields = response.fields.iter();
    let fields = fields.map(|(name, value)| (name.to_owned(), String::from_utf8_lossy(value).into_owned()));
    ResponseHead { status: response.status, fields: fields.collect() }
}
