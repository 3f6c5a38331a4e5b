//! Reading requests.

use std::io;

use barewire::protocol::http::{
    self, BodyLimits, BodyReader, CONTINUE, Fields, Framing, HeadLimits, HeadScan, Query, RequestHead,
    Status, Version,
};

use super::connection::Connection;
use super::{Fault, rewrite};

/// A request, with everything copied from the received bytes.
pub struct Request {
    pub method: String,
    pub path: String,
    pub query: Option<String>,
    pub version: Version,
    pub fields: Vec<(String, Vec<u8>)>,
    pub content: Vec<u8>,
    pub has_content: bool,
    pub persists: bool,
}

/// Why no request was read.
pub enum Unreadable {
    /// The peer is gone, or is silent.
    Ended,
    /// The bytes break a rule.
    Invalid(Status, String),
}

impl From<io::Error> for Unreadable {
    fn from(_: io::Error) -> Self {
        Unreadable::Ended
    }
}

impl Request {
    fn new(head: &RequestHead<'_, '_>) -> Request {
        let (path, query) = head.target.path().unwrap_or(("*", None));
        Request {
            method: head.method.as_str().to_owned(),
            path: path.to_owned(),
            query: query.map(str::to_owned),
            version: head.version,
            fields: copied(head.fields),
            content: Vec::new(),
            has_content: false,
            persists: head.persists(),
        }
    }

    /// Returns a copy without the content.
    pub fn without_content(&self) -> Request {
        let (method, path, query) = (self.method.clone(), self.path.clone(), self.query.clone());
        Request { method, path, query, fields: self.fields.clone(), content: Vec::new(), ..*self }
    }

    /// Returns the values of all fields with this name.
    pub fn all<'r>(&'r self, name: &'r str) -> impl Iterator<Item = &'r [u8]> + Clone + use<'r> {
        let named = self.fields.iter().filter(move |(key, _)| key.eq_ignore_ascii_case(name));
        named.map(|(_, value)| &value[..])
    }

    pub fn has_token(&self, name: &str, token: &str) -> bool {
        let mut members = self.all(name).flat_map(http::fields::members);
        members.any(|member| member.eq_ignore_ascii_case(token.as_bytes()))
    }

    /// Returns the decoded value of a parameter of the query; one that cannot be decoded is text
    /// that matches nothing.
    pub fn parameter(&self, name: &str) -> Option<String> {
        let value = Query::new(self.query.as_deref()).get(name)?;
        Some(value.map_or("\u{fffd}".into(), |value| value.into_owned()))
    }
}

fn copied(fields: Fields<'_, '_>) -> Vec<(String, Vec<u8>)> {
    fields.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Reads the next request, with its content.
///
/// # Errors
/// The connection must end, because the start of the next request is not known.
pub fn read(connection: &mut Connection) -> Result<Request, Unreadable> {
    let (mut request, framing, length) = read_head(connection)?;
    connection.received.drain(..length);
    request.has_content = !matches!(framing, Framing::None | Framing::Length(0));
    let limits = BodyLimits::default();
    let invalid = |error: http::BodyError| Unreadable::Invalid(error.status(), error.to_string());
    let mut reader = BodyReader::new(framing, limits).map_err(invalid)?;
    if request.has_content
        && request.version == Version::Http11
        && request.has_token("expect", "100-continue")
        && connection.received.is_empty()
        && !connection.has(Fault::NoContinue)
    {
        connection.write(CONTINUE)?;
    }
    loop {
        if framing == Framing::Chunked {
            rewrite::chunks(connection.shared.fault, &mut connection.received);
            let has_extension = connection.received.contains(&b';');
            if has_extension && connection.has(Fault::RefusesChunkExtensions) {
                return Err(Unreadable::Invalid(Status::BAD_REQUEST, "A chunk has an extension.".into()));
            }
        }
        let (taken, is_complete) =
            reader.read(&connection.received, &mut request.content).map_err(invalid)?;
        connection.received.drain(..taken);
        if is_complete {
            return Ok(request);
        }
        connection.read()?;
    }
}

/// Returns the head of the next request, its framing, and its length in `received`.
fn read_head(connection: &mut Connection) -> Result<(Request, Framing, usize), Unreadable> {
    let limits = HeadLimits::default();
    loop {
        rewrite::head(connection.shared.fault, &mut connection.received);
        let received = &connection.received;
        let end = HeadScan::default()
            .scan(received, &limits)
            .map_err(|error| Unreadable::Invalid(error.status(), error.to_string()))?;
        let Some(end) = end else {
            connection.read()?;
            continue;
        };
        let invalid = |error: http::RequestError| Unreadable::Invalid(error.status(), error.to_string());
        let mut scratch = http::scratch();
        let head = http::parse(&received[..end], &mut scratch, &limits).map_err(invalid)?;
        head.expects_continue().map_err(invalid)?;
        let framing = Framing::of(&head)
            .map_err(|error: http::FramingError| Unreadable::Invalid(error.status(), error.to_string()))?;
        return Ok((Request::new(&head), framing, end));
    }
}
