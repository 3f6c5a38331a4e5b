//! What the steps work with: requests to the server that somebody builds.

use std::time::{Duration, Instant};

use crate::client::json::{JsonError, Reader};
use crate::tools::conform::connection::{Connection, Received};
use crate::tools::conform::exchange::{Request, ResponseHead, ResponseReader, exchange};
use crate::tools::conform::target::{Template, Values};
use crate::tools::conform::trial::{Finding, Trial};
use crate::wire::printable;

/// How long a server may take for what it can do at once.
pub const PROMPTLY: Duration = Duration::from_secs(2);

/// One step being played.
pub struct Probe<'t> {
    pub trial: Trial<'t>,
    /// The server; the path is that of the topic.
    url: &'t Template,
    /// A text that no other step sends.
    token: String,
}

/// The body of a response to a poll.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Poll {
    /// The data of the events.
    pub events: Vec<String>,
    /// The cursor of the next request.
    pub next: String,
    pub has_gap: bool,
}

impl<'t> Probe<'t> {
    pub fn new(trial: Trial<'t>, url: &'t Template, token: String) -> Self {
        Self { trial, url, token }
    }

    /// Returns a text for an event that no other step publishes.
    pub fn data(&self, label: &str) -> String {
        format!("{label}-{}", self.token)
    }

    /// Returns the target of the topic.
    pub fn topic(&self) -> String {
        self.url.target(Values::default())
    }

    /// Returns the value of `Host`.
    pub fn authority(&self) -> &'t str {
        &self.url.authority
    }

    /// Returns the time that is a moment from now.
    pub fn promptly(&self) -> Instant {
        self.trial.after(PROMPTLY)
    }

    /// Opens a connection.
    ///
    /// # Errors
    /// A finding: the server does not accept it.
    pub fn connect(&self) -> Result<Connection, Finding> {
        self.trial.connect(self.url.address)
    }

    /// Returns the bytes of a request.
    pub fn request(
        &self,
        method: &str,
        target: &str,
        fields: &[(&str, &str)],
        content: Option<&str>,
    ) -> Vec<u8> {
        let content = content.map(str::as_bytes);
        Request { method, target, authority: self.authority(), fields: fields.to_vec(), content }.to_bytes()
    }

    /// Sends a GET on a new connection and reads the response.
    ///
    /// # Errors
    /// A finding: there is no complete response in time.
    pub fn get(&self, target: &str, fields: &[(&str, &str)]) -> Result<(ResponseHead, Vec<u8>), Finding> {
        let request = Request {
            method: "GET",
            target,
            authority: self.authority(),
            fields: fields.to_vec(),
            content: None,
        };
        exchange(&mut self.connect()?, &request, self.promptly())
    }

    /// Reads a response, which must have status 200 and this content.
    ///
    /// # Errors
    /// A finding: the response is another one, or not complete in time.
    pub fn answer_is(&self, connection: &mut Connection, content: &str) -> Result<(), Finding> {
        let (mut reader, until) = (ResponseReader::new("POST"), self.promptly());
        expect_status(&reader.head(connection, until)?, 200)?;
        expect_bytes(content.as_bytes(), reader.all(connection, until)?, "the content")
    }

    /// Publishes an event and returns its id.
    ///
    /// # Errors
    /// A finding: the response is not 201 with an id in JSON.
    pub fn publish(&self, data: &str) -> Result<String, Finding> {
        let (authority, target) = (self.authority(), self.topic());
        let content = Some(data.as_bytes());
        let request = Request { method: "POST", target: &target, authority, fields: Vec::new(), content };
        let (head, body) = exchange(&mut self.connect()?, &request, self.promptly())?;
        expect_status(&head, 201)?;
        expect_json(&head)?;
        let expected = "a body {\"id\":\"…\"}";
        match string_members(&body, &["id"]) {
            Ok(found) if !found[0].is_empty() && found[0].bytes().all(is_unescaped) => Ok(found[0].clone()),
            Ok(_) => {
                let expected = format!("{expected}, with an id that needs no escaping in a URL");
                Err(Finding::failed(expected, printable(&body)))
            }
            Err(error) => Err(Finding::failed(expected, format!("{}: {error}", printable(&body)))),
        }
    }

    /// Polls the topic after a cursor; without one, from the server's default.
    ///
    /// # Errors
    /// A finding: the response is not 200 with events and the next cursor in JSON.
    pub fn poll(&self, since: &str) -> Result<Poll, Finding> {
        let query = if since.is_empty() { String::new() } else { format!("?since={since}") };
        let (head, body) = self.get(&format!("{}{query}", self.topic()), &[])?;
        expect_status(&head, 200)?;
        expect_json(&head)?;
        read_poll(&body)
    }
}

/// Returns whether the byte needs no escaping in a URL (RFC 3986 §2.3).
fn is_unescaped(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// Why the members of an object cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemberError {
    Json(JsonError),
    /// The member has another type than a string.
    NotText(String),
}

impl From<JsonError> for MemberError {
    fn from(error: JsonError) -> Self {
        Self::Json(error)
    }
}

impl std::fmt::Display for MemberError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Json(error) => error.fmt(f),
            Self::NotText(name) => write!(f, "{name:?} is not a string"),
        }
    }
}

/// Returns the strings of these members of a JSON object. A missing member is empty.
///
/// # Errors
/// The text is not a JSON object, or one of the members is not a string.
pub fn string_members(text: &[u8], names: &[&str]) -> Result<Vec<String>, MemberError> {
    let mut found = vec![String::new(); names.len()];
    Reader::new(text)?.object(|name, reader| -> Result<(), MemberError> {
        match names.iter().position(|wanted| *wanted == name) {
            Some(at) => read_text(name, reader, &mut found[at]),
            None => Ok(reader.skip()?),
        }
    })?;
    Ok(found)
}

fn read_text(name: &str, reader: &mut Reader<'_>, out: &mut String) -> Result<(), MemberError> {
    let raw = reader.raw()?;
    match raw.starts_with('"') {
        true => Ok(Reader::new(raw.as_bytes())?.string(out)?),
        false => Err(MemberError::NotText(name.to_owned())),
    }
}

/// Parses the body of a response to a poll.
///
/// # Errors
/// A finding: the body is not of the form of stage 4.
pub fn read_poll(body: &[u8]) -> Result<Poll, Finding> {
    let mut poll = Poll::default();
    let read = (|| {
        let mut reader = Reader::new(body)?;
        reader.object(|name, reader| -> Result<(), MemberError> {
            match name {
                "events" => reader.array(|reader| {
                    let event = string_members(reader.raw()?.as_bytes(), &["data", "id"])?;
                    poll.events.extend(event.into_iter().next());
                    Ok(())
                }),
                "next" => read_text(name, reader, &mut poll.next),
                "gap" => Ok(reader.boolean().map(|has_gap| poll.has_gap = has_gap)?),
                _ => Ok(reader.skip()?),
            }
        })
    })();
    let expected = "a body {\"events\":[{\"id\":…,\"event\":…,\"data\":…}],\"next\":\"…\"}";
    match read {
        Ok(()) if !poll.next.is_empty() => Ok(poll),
        Ok(()) => {
            Err(Finding::failed(expected, format!("no \"next\", or an empty one, in {}", printable(body))))
        }
        Err(error) => Err(Finding::failed(expected, format!("{}: {error}", printable(body)))),
    }
}

/// Returns a finding unless the response has this status.
pub fn expect_status(head: &ResponseHead, status: u16) -> Result<(), Finding> {
    match head.status == status {
        true => Ok(()),
        false => Err(Finding::failed(format!("status {status}"), format!("status {}", head.status))),
    }
}

/// Returns a finding unless the content of the response is JSON.
pub fn expect_json(head: &ResponseHead) -> Result<(), Finding> {
    let kind = head.field("Content-Type").unwrap_or("missing");
    match kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json") {
        true => Ok(()),
        false => Err(Finding::failed("Content-Type: application/json", format!("Content-Type: {kind}"))),
    }
}

/// Returns a finding unless both are equal.
pub fn expect_bytes(expected: &[u8], observed: &[u8], what: &str) -> Result<(), Finding> {
    match expected == observed {
        true => Ok(()),
        false => {
            let text = |bytes| format!("{what} \"{}\"", printable(bytes));
            Err(Finding::failed(text(expected), text(observed)))
        }
    }
}

/// Receives until the server ends its side, and returns all that was not consumed.
///
/// # Errors
/// A finding: the server does not end its side before `until`.
pub fn read_to_end(connection: &mut Connection, until: Instant) -> Result<Vec<u8>, Finding> {
    loop {
        match connection.receive(until)? {
            Received::Data => {}
            Received::Ended(_) => {
                let rest = connection.input().to_vec();
                connection.consume(rest.len());
                return Ok(rest);
            }
            Received::Quiet => {
                return Err(Finding::failed("the end of the connection", "the connection stays open"));
            }
        }
    }
}

/// Receives until this many bytes have arrived, and consumes them.
///
/// # Errors
/// A finding: fewer bytes arrive before `until`.
pub fn read_exactly(connection: &mut Connection, length: usize, until: Instant) -> Result<Vec<u8>, Finding> {
    while connection.input().len() < length {
        let why = match connection.receive(until)? {
            Received::Data => continue,
            Received::Ended(end) => end.to_string(),
            Received::Quiet => "no more arrives in time".to_owned(),
        };
        let observed = format!("{} of {length} bytes, then {why}", connection.input().len());
        return Err(Finding::failed(format!("{length} bytes"), observed));
    }
    let bytes = connection.input()[..length].to_vec();
    connection.consume(length);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_body_of_a_poll() {
        let body = br#"{"events":[{"id":"1","event":"message","data":"a \"b\""}],"next":"1","gap":true}"#;
        let poll = Poll { events: vec!["a \"b\"".into()], next: "1".into(), has_gap: true };
        assert_eq!(read_poll(body), Ok(poll));
        for body in ["", "{}", "[]", r#"{"events":[]}"#, r#"{"events":[1],"next":"1"}"#] {
            assert!(read_poll(body.as_bytes()).is_err(), "{body}");
        }
    }
}
