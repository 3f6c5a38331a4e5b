//! Publishing, and the responses to polls.

use std::io;

use barewire::protocol::http::{Status, fields};
use barewire::protocol::json;

use super::Fault;
use super::connection::Connection;
use super::http::{self, Next, Refusal, finish, refuse};
use super::request::Request;
use super::topics::{self, Event, Placement};

/// One response has at most this many bytes of data.
const MAX_DATA: usize = 256 * 1024;

/// Publishes the content of a request.
pub fn publish(connection: &mut Connection, request: &Request, topic: &str) -> io::Result<Next> {
    let name = request.parameter("event").filter(|name| !name.is_empty());
    let name = name.unwrap_or_else(|| "message".into());
    if name.len() > 128
        || name.chars().any(char::is_control)
        || ["gap", "open", "error"].contains(&&name[..])
        || name.contains('\u{fffd}')
    {
        return refuse(connection, request, &Refusal(Status::BAD_REQUEST, "The event name is wrong.", &[]));
    }
    let Ok(data) = str::from_utf8(&request.content) else {
        return refuse(connection, request, &Refusal(Status::BAD_REQUEST, "The data are not UTF-8.", &[]));
    };
    let kind = request.all("content-type").next().unwrap_or_default();
    let is_lines = kind.to_ascii_lowercase().starts_with(b"application/x-ndjson");
    let lines: Vec<&str> =
        if is_lines { data.lines().filter(|line| !line.is_empty()).collect() } else { vec![data] };
    let mut ids = Vec::new();
    for line in lines {
        let data = if connection.has(Fault::SendsCrInData) { line.to_owned() } else { normalized(line) };
        match connection.shared.topics.publish(topic, &name, &data) {
            Some(sequence) => ids.push(format!("\"{}\"", topics::id(sequence))),
            None => {
                let refusal =
                    Refusal(Status::SERVICE_UNAVAILABLE, "Too many topics.", &[("Retry-After", "1")]);
                return refuse(connection, request, &refusal);
            }
        }
    }
    let content = match &ids[..] {
        [] => return refuse(connection, request, &Refusal(Status::BAD_REQUEST, "There is no line.", &[])),
        [id] if !is_lines => format!("{{\"id\":{id}}}"),
        ids => format!("{{\"ids\":[{}]}}", ids.join(",")),
    };
    let fields = [("Content-Type", "application/json")];
    finish(connection, request, Status::CREATED, &fields, Some(content.as_bytes()))
}

/// Returns data with LF as the only line end.
fn normalized(data: &str) -> String {
    data.replace("\r\n", "\n").replace('\r', "\n")
}

/// Writes the response to a poll.
pub fn poll(
    connection: &mut Connection,
    request: &Request,
    placement: &Placement,
    mut events: Vec<Event>,
    applied: Option<u64>,
) -> io::Result<Next> {
    let mut room = MAX_DATA;
    let fits = |event: &Event| {
        let fits = room >= event.data.len();
        room = room.saturating_sub(event.data.len() + 100);
        fits
    };
    events.truncate(events.iter().map(fits).take_while(|fits| *fits).count().max(1));
    let next = topics::id(events.last().map_or(placement.after, |event| event.sequence));
    let mut content = b"{\"events\":[".to_vec();
    for (index, event) in events.iter().enumerate() {
        if index > 0 {
            content.push(b',');
        }
        write_item(event, &mut content);
    }
    content.extend_from_slice(format!("],\"next\":\"{next}\"").as_bytes());
    content.extend_from_slice(if placement.gap.is_some() { b",\"gap\":true}" } else { b"}" });

    let tag = format!("W/\"{next}\"");
    let preference = applied.map(|wait| format!("wait={wait}"));
    let is_cacheable = connection.has(Fault::SendsCacheablePolls);
    let control = if is_cacheable { "public, max-age=3600" } else { "private, no-cache" };
    let mut fields = vec![("Cache-Control", control)];
    fields.extend(preference.as_deref().map(|wait| ("Preference-Applied", wait)));
    if placement.gap.is_none() && !connection.has(Fault::SendsNoEtag) {
        fields.push(("ETag", &tag));
    }
    let matches = fields::entity_tag_matches(request.all("if-none-match"), next.as_bytes());
    if matches && placement.gap.is_none() && !connection.has(Fault::IgnoresIfNoneMatch) {
        let content = connection.has(Fault::SendsContentWith304).then_some(&content[..]);
        return finish(connection, request, Status::NOT_MODIFIED, &fields, content);
    }
    fields.push(("Content-Type", "application/json"));
    http::finish(connection, request, Status::OK, &fields, Some(&content))
}

fn write_item(event: &Event, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("{{\"id\":\"{}\",\"event\":", topics::id(event.sequence)).as_bytes());
    json::write_string(&event.name, out);
    out.extend_from_slice(b",\"data\":");
    json::write_string(&event.data, out);
    out.push(b'}');
}
