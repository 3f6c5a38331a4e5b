//! Reads HTTP responses by their framing (RFC 9112 §6.3), and panics if one is malformed.

use serde_json::Value;

use super::connection::Connection;
use super::transports::Event;

/// A response with its complete body.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    pub status: u16,
    /// The names and values of the field lines, in order.
    pub fields: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// The status codes of the interim responses that preceded this response (RFC 9110 §15.2).
    pub interim: Vec<u16>,
}

/// Reads the response to a request with this method. After 101, reads only the head, because the
/// bytes that follow are not HTTP.
pub fn read(connection: &mut Connection, method: &str) -> Response {
    let mut interim = Vec::new();
    loop {
        let mut response = read_head(connection);
        match response.status {
            101 => return response,
            100..=199 => interim.push(response.status),
            _ => {
                response.interim = interim;
                response.body = read_body(connection, &response, method);
                return response;
            }
        }
    }
}

/// Reads a response head and consumes no bytes after it.
pub fn read_head(connection: &mut Connection) -> Response {
    let end = |unread: &[u8]| unread.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4);
    let head = connection.read_until(end).expect("the server responds before it closes the connection");
    let head = String::from_utf8(head).expect("a head is ASCII");
    assert_eq!(head.matches('\n').count(), head.matches("\r\n").count(), "a bare LF in {head:?}");
    let mut lines = head.trim_end_matches("\r\n").split("\r\n");
    let status_line = lines.next().expect("split returns at least one item");
    let rest = status_line.strip_prefix("HTTP/1.1 ").unwrap_or_else(|| panic!("{status_line:?}"));
    let (status, reason) = rest.split_once(' ').unwrap_or_else(|| panic!("{status_line:?}"));
    assert!(status.len() == 3 && !reason.is_empty(), "{status_line:?}");
    let fields = lines.map(|line| {
        let (name, value) = line.split_once(": ").unwrap_or_else(|| panic!("{line:?} in {head:?}"));
        (name.to_owned(), value.to_owned())
    });
    Response {
        status: status.parse().expect("a status is a number"),
        fields: fields.collect(),
        body: Vec::new(),
        interim: Vec::new(),
    }
}

fn read_body(connection: &mut Connection, response: &Response, method: &str) -> Vec<u8> {
    let length = response.get("Content-Length");
    if method == "HEAD" || response.status == 304 {
        return Vec::new();
    }
    if response.status == 204 {
        assert_eq!(length, None, "204 has no Content-Length (RFC 9110 §8.6)");
        return Vec::new();
    }
    match (length, response.get("Transfer-Encoding")) {
        (Some(length), None) => {
            let length = length.parse().expect("a length is a number");
            connection.take(length).expect("the number of bytes in Content-Length")
        }
        (None, Some("chunked")) => {
            let mut body = Vec::new();
            while let Some(chunk) = read_chunk(connection).expect("the last chunk before the end") {
                body.extend_from_slice(&chunk);
            }
            body
        }
        (None, None) => {
            assert!(response.ends(), "a body without a length ends with the connection: {response:?}");
            connection.take_rest()
        }
        both => panic!("two framings: {both:?}"),
    }
}

/// Reads a chunk (RFC 9112 §7.1). Returns `Some(None)` for the last chunk and `None` at the
/// connection's end.
pub fn read_chunk(connection: &mut Connection) -> Option<Option<Vec<u8>>> {
    let end = |unread: &[u8]| unread.windows(2).position(|two| two == b"\r\n").map(|at| at + 2);
    let line = String::from_utf8(connection.read_until(end)?).expect("a chunk's size is ASCII");
    let size = usize::from_str_radix(line.trim_end(), 16);
    let size = size.unwrap_or_else(|_| panic!("{line:?} is not a chunk size"));
    let mut chunk = connection.take(size + 2)?;
    assert!(chunk.ends_with(b"\r\n"), "a chunk longer than its size");
    chunk.truncate(size);
    Some((size > 0).then_some(chunk))
}

impl Response {
    /// Returns the value of a field. The case of `name` does not matter. Panics if more than one
    /// field line has this name.
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut lines = self.fields.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name));
        let line = lines.next();
        assert_eq!(lines.next(), None, "two lines of {name}");
        line.map(|(_, value)| value.as_str())
    }

    /// Returns whether the response says that the server closes the connection after it.
    pub fn ends(&self) -> bool {
        let mut lines = self.fields.iter();
        lines.any(|(name, value)| name.eq_ignore_ascii_case("Connection") && value == "close")
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a body in UTF-8")
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.text()))
    }

    /// Returns the id in the response to a publish.
    pub fn id(&self) -> String {
        assert_eq!(self.status, 201, "{self:?}");
        self.json()["id"].as_str().expect("an id is a string").to_owned()
    }

    /// Returns the ids in the response to a publish of several events, one per line.
    pub fn ids(&self) -> Vec<String> {
        assert_eq!(self.status, 201, "{self:?}");
        let json = self.json();
        let ids = json["ids"].as_array().expect("a list of ids").iter();
        ids.map(|id| id.as_str().expect("an id is a string").to_owned()).collect()
    }

    /// Returns the cursor for the next request from the response to a poll.
    pub fn next(&self) -> String {
        assert_eq!(self.status, 200, "{self:?}");
        self.json()["next"].as_str().expect("next is a string").to_owned()
    }

    /// Returns the events in the response to a poll.
    pub fn events(&self) -> Vec<Event> {
        assert_eq!(self.status, 200, "{self:?}");
        self.json()["events"].as_array().expect("a list of events").iter().map(Event::from_json).collect()
    }

    /// Returns the data of the events in the response to a poll.
    pub fn data(&self) -> Vec<String> {
        self.events().into_iter().map(|event| event.data).collect()
    }

    /// Asserts that the response has this status, and a problem document with the same status as
    /// its body (RFC 9457).
    pub fn assert_problem(&self, status: u16) {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.get("Content-Type"), Some("application/problem+json"));
        let problem = self.json();
        assert_eq!(problem["status"], status);
        assert!(problem["title"].is_string() && problem["detail"].is_string(), "{problem}");
    }
}
