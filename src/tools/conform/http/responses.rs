//! The responses in everything that a server has sent on a connection.

use std::fmt;

use crate::protocol::http::{self, BodyLimits, BodyReader, Framing, HeadLimits, ResponseScan};

/// The most responses that are looked at: more than a case has requests.
const MAX_RESPONSES: usize = 64;

/// One response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    pub status: u16,
    /// The offset of its first byte.
    pub offset: u64,
}

impl fmt::Display for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a response with the status {}", self.status)
    }
}

/// All responses on a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Responses {
    /// The final responses, in order. The last may be incomplete.
    pub finals: Vec<Received>,
    /// The first interim response (RFC 9110 §15.2).
    pub interim: Option<Received>,
    /// Whether the server has sent bytes that are no response with a head.
    pub is_headless: bool,
}

impl Responses {
    /// Finds the responses. `is_head_request` says that the first has no body.
    pub fn parse(bytes: &[u8], mut is_head_request: bool) -> Self {
        let (mut found, mut offset) = (Self::default(), 0);
        for _ in 0..MAX_RESPONSES {
            if offset == bytes.len() {
                break;
            }
            let Some((status, length)) = response(&bytes[offset..], is_head_request) else {
                found.is_headless = true;
                return found;
            };
            let received = Received { status, offset: offset as u64 };
            match (100..200).contains(&status) && status != 101 {
                true => drop(found.interim.get_or_insert(received)),
                false => {
                    found.finals.push(received);
                    is_head_request = false;
                }
            }
            offset += length;
        }
        found
    }
}

/// Returns the status of the first response and the number of its bytes.
fn response(bytes: &[u8], is_head_request: bool) -> Option<(u16, usize)> {
    let limits = HeadLimits::default();
    let length = ResponseScan::default().scan(bytes, &limits).ok()??;
    let mut scratch = http::scratch();
    let response = http::parse_response(&bytes[..length], &mut scratch, &limits).ok()?;
    // The bytes after a 101 are of another protocol.
    let framing = match (is_head_request, response.status) {
        (_, 101) => Framing::UntilClose,
        (true, _) => Framing::None,
        (false, _) => Framing::of_response(&response).ok()?,
    };
    let limits = BodyLimits { content: u64::MAX, ..BodyLimits::default() };
    let mut body = BodyReader::new(framing, limits).ok()?;
    let mut consumed = length;
    loop {
        let (read, is_complete) = body.read(&bytes[consumed..], &mut Vec::new()).ok()?;
        consumed += read;
        if is_complete || read == 0 {
            return Some((response.status, consumed));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statuses(text: &str, is_head_request: bool) -> (Vec<u16>, bool) {
        let responses = Responses::parse(text.as_bytes(), is_head_request);
        (responses.finals.iter().map(|response| response.status).collect(), responses.is_headless)
    }

    #[test]
    fn each_response_ends_where_its_framing_says() {
        let chunked = "HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n";
        let length = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab";
        let closed = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\nHTTP/1.1 200 OK\r\n\r\n";
        let all =
            format!("{length}HTTP/1.1 100 Continue\r\n\r\n{chunked}HTTP/1.1 204 No Content\r\n\r\n{closed}");
        assert_eq!(statuses(&all, false), (vec![200, 201, 204, 400], false));
        let responses = Responses::parse(all.as_bytes(), false);
        assert_eq!(responses.interim, Some(Received { status: 100, offset: length.len() as u64 }));
    }

    #[test]
    fn the_response_to_head_has_no_body() {
        let responses = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(statuses(responses, true), (vec![200, 404], false));
        assert_eq!(statuses(responses, false), (vec![200], false));
    }

    #[test]
    fn other_bytes_are_no_response() {
        assert_eq!(statuses("<html>", false), (vec![], true));
        assert_eq!(
            statuses("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 2", false),
            (vec![200], true)
        );
        assert_eq!(statuses("", false), (vec![], false));
    }
}
