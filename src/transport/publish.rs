//! Publishing: from a body to events in a topic's log.

use std::borrow::Cow;

use super::answer::{Overload, Refusal};
use super::plan::Publication;
use super::service::Service;
use crate::hub::{Id, Tick, TopicKey};
use crate::protocol::http::Status;

/// Publishes what a body holds, all of it or nothing, and writes the ids as the answer's JSON.
pub fn publish(
    service: &mut Service,
    publication: &Publication,
    body: &[u8],
    now: Tick,
) -> Result<Vec<u8>, Refusal> {
    let text = std::str::from_utf8(body).map_err(|_| {
        Refusal::new(
            Status::BAD_REQUEST,
            "The data is not valid UTF-8, which is all that an event stream can carry.",
        )
    })?;
    let room = |_| Refusal::overloaded(Overload::Topics, false);
    let Publication { topic, event, lines } = publication;
    let mut json = Vec::with_capacity(64);
    if !lines {
        let key = service.hub.open(topic, now).map_err(room)?;
        let id = service.append(key, event, text, now);
        service.trim(key);
        json.extend_from_slice(b"{\"id\":\"");
        id.write(&mut json);
        json.extend_from_slice(b"\"}");
        return Ok(json);
    }
    let events = || {
        text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)).filter(|line| !line.is_empty())
    };
    if events().next().is_none() {
        return Err(Refusal::new(Status::BAD_REQUEST, "There is no line in the body that is not empty."));
    }
    if events().any(|line| line.len() > service.policy.event_bytes) {
        let detail = format!(
            "A line is longer than the {} bytes that an event's data may have.",
            service.policy.event_bytes
        );
        return Err(Refusal::new(Status::CONTENT_TOO_LARGE, detail));
    }
    let key = service.hub.open(topic, now).map_err(room)?;
    json.extend_from_slice(b"{\"ids\":[");
    for line in events() {
        json.push(b'"');
        service.append(key, event, line, now).write(&mut json);
        json.extend_from_slice(b"\",");
    }
    json.pop();
    json.extend_from_slice(b"]}");
    service.trim(key);
    Ok(json)
}

/// Data as the log keeps it. An event stream can't carry a carriage return inside data (WHATWG HTML §9.2.6),
/// so CRLF and CR become LF for all transports alike.
fn with_line_feeds(data: &str) -> Cow<'_, str> {
    if data.contains('\r') {
        Cow::Owned(data.replace("\r\n", "\n").replace('\r', "\n"))
    } else {
        Cow::Borrowed(data)
    }
}

impl Service {
    /// Appends one event. The window is kept to by [`Service::trim`], which the caller owes after the last.
    pub fn append(&mut self, key: TopicKey, event: &str, data: &str, now: Tick) -> Id {
        let data = with_line_feeds(data);
        let (sequence, begins) = self.hub.publish(key, event, &data, now);
        if begins {
            self.sweeps.push_back(key);
        }
        self.counters.events += 1;
        self.counters.event_bytes += data.len() as u64;
        self.hub.id(sequence)
    }

    /// Keeps to the window. What is dropped waits in `dropped` for those who stand in it.
    pub fn trim(&mut self, key: TopicKey) {
        let Service { hub, dropped, .. } = self;
        hub.trim(key, |segment| dropped.push(segment));
    }
}

#[cfg(test)]
mod tests {
    use super::with_line_feeds;

    #[test]
    fn every_line_end_becomes_a_line_feed() {
        assert_eq!(with_line_feeds("a\r\nb\rc\n\r\n\rd"), "a\nb\nc\n\n\nd");
    }
}
