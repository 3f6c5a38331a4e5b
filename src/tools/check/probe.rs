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
        let expected = "a body {\"id\":\"…\"}";
        let mut id = String::new();
        let read = (|| {
            Reader::new(&body)?.object(|name, reader| -> Result<(), JsonError> {
                if name == "id" { reader.string(&mut id) } else { reader.skip() }
            })
        })();
        match read {
            Ok(()) if !id.is_empty() => Ok(id),
            Ok(()) => Err(Finding::failed(expected, printable(&body))),
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
        read_poll(&body)
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
        reader.object(|name, reader| -> Result<(), JsonError> {
            match name {
                "events" => reader.array(|reader| {
                    let mut data = String::new();
                    reader.object(|name, reader| -> Result<(), JsonError> {
                        if name == "data" { reader.string(&mut data) } else { reader.skip() }
                    })?;
                    poll.events.push(data);
                    Ok(())
                }),
                "next" => reader.string(&mut poll.next),
                "gap" => reader.boolean().map(|has_gap| poll.has_gap = has_gap),
                _ => reader.skip(),
            }
        })
    })();
    let expected = "a body {\"events\":[{\"id\":…,\"event\":…,\"data\":…}],\"next\":\"…\"}";
    match read {
        Ok(()) if !poll.next.is_empty() => Ok(poll),
        Ok(()) => Err(Finding::failed(expected, format!("no \"next\" in {}", printable(body)))),
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
