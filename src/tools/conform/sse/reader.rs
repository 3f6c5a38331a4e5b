//! The suite's end of an event stream to a client under test: its requests, what the suite
//! responds, and the events that the client prints.

use std::fmt;
use std::time::Duration;

use crate::client::json::{JsonError, Reader};
use crate::protocol::http::{self, HeadLimits, LAST_CHUNK, chunk};
use crate::text::printable;
use crate::tools::conform::connection::Connection;
use crate::tools::conform::trial::{Finding, Trial};
use crate::tools::conform::websocket::opening::read_head;

/// The time that a client has to start, to connect and to print the events that it has received.
const PROMPTLY: Duration = Duration::from_secs(5);
/// The time that a client has to reconnect after 10 ms: it may wait longer than the server asks.
pub const BACK_OFF: Duration = Duration::from_secs(6);
/// The time in which a client that does not obey would reconnect.
pub const NO_RECONNECT: Duration = Duration::from_millis(1500);
/// The time in which output that is already written arrives.
const OUTPUT_TIME: Duration = Duration::from_millis(300);

/// The event after the others of a case. What was not dispatched before it never will be.
pub const LAST: &[u8] = b"event: last\ndata: last\n\n";

/// An event as the client prints it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Printed {
    /// The last event ID; `None` if the client prints none.
    pub id: Option<String>,
    pub event: String,
    pub data: String,
}

/// An event that a stream has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    id: &'static str,
    event: &'static str,
    data: String,
}

/// Returns an event without an ID or a name.
pub fn message(data: impl Into<String>) -> Expected {
    Expected { id: "", event: "message", data: data.into() }
}

impl Expected {
    /// Sets the last event ID.
    pub fn id(self, id: &'static str) -> Self {
        Self { id, ..self }
    }

    /// Sets the event type.
    pub fn named(self, event: &'static str) -> Self {
        Self { event, ..self }
    }

    fn is(&self, printed: &Printed) -> bool {
        printed.id.as_ref().is_none_or(|id| id == self.id)
            && (&*printed.event, &printed.data) == (self.event, &self.data)
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_event(f, Some(self.id), self.event, &self.data)
    }
}

impl fmt::Display for Printed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_event(f, self.id.as_deref(), &self.event, &self.data)
    }
}

fn write_event(f: &mut fmt::Formatter<'_>, id: Option<&str>, event: &str, data: &str) -> fmt::Result {
    write!(f, "{} ", printable(event.as_bytes()))?;
    match data.len() {
        0..=60 => write!(f, "\"{}\"", printable(data.as_bytes()))?,
        length => write!(f, "of {length} bytes, \"{}…\"", printable(&data.as_bytes()[..24]))?,
    }
    match id {
        Some("") | None => Ok(()),
        Some(id) => write!(f, " with the id \"{}\"", printable(id.as_bytes())),
    }
}

/// A request of the client under test.
pub struct Received {
    pub connection: Connection,
    head: Vec<u8>,
}

impl Received {
    /// Returns the value of a field of the request.
    pub fn field(&self, name: &str) -> Option<Vec<u8>> {
        let mut scratch = http::scratch();
        let request = http::parse(&self.head, &mut scratch, &HeadLimits::default()).ok()?;
        request.fields.get(name).map(<[u8]>::to_vec)
    }

    /// Returns the method and the path of the request.
    pub fn method_and_path(&self) -> (String, String) {
        let line = String::from_utf8_lossy(&self.head);
        let mut words = line.split([' ', '\r']);
        let mut word = || words.next().unwrap_or_default().to_owned();
        (word(), word())
    }

    /// Sends the head of an event stream.
    pub fn open(&mut self) -> Result<(), Finding> {
        self.open_as("text/event-stream")
    }

    /// Sends the head of a stream in chunks, with this media type.
    pub fn open_as(&mut self, media_type: &str) -> Result<(), Finding> {
        let fields = "Transfer-Encoding: chunked\r\nConnection: close";
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: {media_type}\r\n{fields}\r\n\r\n");
        self.connection.send(head.as_bytes())
    }

    /// Sends a part of an open stream, as one chunk.
    pub fn part(&mut self, bytes: &[u8]) -> Result<(), Finding> {
        let mut out = Vec::with_capacity(bytes.len() + 16);
        chunk(&mut out, |out| out.extend_from_slice(bytes));
        self.connection.send(&out)
    }

    /// Ends an open stream and the connection.
    pub fn end(mut self) -> Result<(), Finding> {
        self.connection.send(LAST_CHUNK)?;
        self.connection.finish_sending();
        Ok(())
    }

    /// Sends an event stream and ends it.
    pub fn stream(mut self, parts: &[&[u8]]) -> Result<(), Finding> {
        self.open()?;
        parts.iter().try_for_each(|part| self.part(part))?;
        self.end()
    }

    /// Sends a response without content, and ends the connection.
    pub fn respond(mut self, status_and_fields: &str) -> Result<(), Finding> {
        let length = if status_and_fields.starts_with("204") { "" } else { "Content-Length: 0\r\n" };
        let head = format!("HTTP/1.1 {status_and_fields}\r\n{length}Connection: close\r\n\r\n");
        self.connection.send(head.as_bytes())?;
        self.connection.finish_sending();
        Ok(())
    }
}

/// Starts the client and returns its first request.
///
/// # Errors
/// A finding: the client does not connect, or sends no valid request.
pub fn first(trial: &mut Trial) -> Result<Received, Finding> {
    trial.client()?.start("http", "/events")?;
    let mut connection = trial.accept(trial.after(PROMPTLY))?;
    let head = read_head(&mut connection, trial.after(PROMPTLY))?;
    Ok(Received { connection, head })
}

/// Returns the client's next request; `None` if it sends none in this time.
///
/// # Errors
/// A finding: the request is invalid.
pub fn next(trial: &mut Trial, wait: Duration) -> Result<Option<Received>, Finding> {
    let until = trial.after(wait);
    while let Ok(mut connection) = trial.accept(until) {
        match read_head(&mut connection, trial.after(PROMPTLY)) {
            Ok(head) => return Ok(Some(Received { connection, head })),
            Err(finding) if connection.received() > 0 => return Err(finding),
            // A client may open a connection and then not need it.
            Err(_) => {}
        }
    }
    Ok(None)
}

/// Sends a stream whose last event is [`LAST`], and returns the events before that.
///
/// # Errors
/// A finding: the client does not print the last event.
pub fn played(trial: &mut Trial, request: Received, parts: &[&[u8]]) -> Result<Vec<Printed>, Finding> {
    let mut request = request;
    request.open()?;
    parts.iter().try_for_each(|part| request.part(part))?;
    request.part(LAST)?;
    played_to_last(trial)
}

/// Returns the events before [`LAST`], which the suite has sent.
///
/// # Errors
/// A finding: the client does not print the last event.
pub fn played_to_last(trial: &mut Trial) -> Result<Vec<Printed>, Finding> {
    let (events, is_complete) = printed(trial, PROMPTLY)?;
    match is_complete {
        true => Ok(events),
        false => Err(Finding::failed("the event \"last\" at the end of the stream", list(&events))),
    }
}

/// Returns the events that the client prints until the event `last`, and whether that arrived.
///
/// # Errors
/// A finding: a line is no event in JSON.
pub fn printed(trial: &mut Trial, wait: Duration) -> Result<(Vec<Printed>, bool), Finding> {
    let until = trial.after(wait);
    let mut events = Vec::new();
    while let Some(line) = trial.client()?.line(until)? {
        let event = event(&line).map_err(|error| {
            let observed = format!("\"{}\": {error}", printable(line.as_bytes()));
            Finding::failed("a line of JSON for each event", observed)
        })?;
        if event.event == "last" {
            return Ok((events, true));
        }
        events.push(event);
    }
    Ok((events, false))
}

/// Returns the events that the client has printed so far.
///
/// # Errors
/// A finding: a line is no event in JSON.
pub fn printed_so_far(trial: &mut Trial) -> Result<Vec<Printed>, Finding> {
    Ok(printed(trial, OUTPUT_TIME)?.0)
}

/// Compares the events with the expected ones.
///
/// # Errors
/// A finding: they differ.
pub fn compare(events: &[Printed], expected: &[Expected]) -> Result<(), Finding> {
    let is_equal = events.len() == expected.len()
        && events.iter().zip(expected).all(|(printed, expected)| expected.is(printed));
    if is_equal { Ok(()) } else { Err(Finding::failed(list(expected), list(events))) }
}

fn list(events: &[impl fmt::Display]) -> String {
    if events.is_empty() {
        return "no event".into();
    }
    let shown: Vec<String> = events.iter().take(8).map(ToString::to_string).collect();
    let more = events.len() - shown.len();
    format!("{}{}", shown.join(", "), if more > 0 { format!(", and {more} more") } else { String::new() })
}

/// Reads an event in JSON. A member that is `null` or missing has its default.
fn event(line: &str) -> Result<Printed, JsonError> {
    let mut printed = Printed::default();
    let mut reader = Reader::new(line.as_bytes())?;
    reader.object(|name, reader| {
        let mut text = String::new();
        match name {
            "id" | "event" | "data" => {
                if reader.null()? {
                    return Ok(());
                }
                reader.string(&mut text)?;
            }
            _ => return reader.skip(),
        }
        match name {
            "id" => printed.id = Some(text),
            "event" => printed.event = text,
            _ => printed.data = text,
        }
        Ok::<_, JsonError>(())
    })?;
    reader.end()?;
    if printed.event.is_empty() {
        printed.event = "message".into();
    }
    Ok(printed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_printed_event() {
        let read = event(r#"{"id":null,"data":"a\nb","event":"","x":1}"#);
        assert_eq!(read, Ok(Printed { id: None, event: "message".into(), data: "a\nb".into() }));
        assert!(event("data: a").is_err());
    }

    #[test]
    fn an_event_without_an_id_is_compared_by_the_rest() {
        let expected = [message("a").id("1")];
        let printed = |id: Option<&str>, data: &str| {
            [Printed { id: id.map(Into::into), event: "message".into(), data: data.into() }]
        };
        assert_eq!(compare(&printed(None, "a"), &expected), Ok(()));
        assert_eq!(compare(&printed(Some("1"), "a"), &expected), Ok(()));
        assert!(compare(&printed(Some("2"), "a"), &expected).is_err());
        assert!(compare(&printed(None, "b"), &expected).is_err());
        assert!(compare(&[], &expected).is_err());
    }
}
