//! The output of `barewire follow`: a line per event, and messages about the connection.

use crate::client::Update;
use crate::protocol::json;
use crate::protocol::sse::Event;

/// Returns the output for one event, including the line end.
pub fn line(event: &Event, is_json: bool) -> Vec<u8> {
    let mut line = Vec::with_capacity(event.data.len() + 64);
    if is_json {
        let members = [("{\"id\":", &event.id), (",\"event\":", &event.event), (",\"data\":", &event.data)];
        for (before, text) in members {
            line.extend_from_slice(before.as_bytes());
            json::write_string(text, &mut line);
        }
        line.push(b'}');
    } else {
        line.extend_from_slice(event.data.as_bytes());
    }
    line.push(b'\n');
    line
}

/// Returns the message about an update for standard error.
pub fn describe(update: &Update) -> String {
    match update {
        Update::Opened(via) => format!("following via {via}"),
        Update::Gap { since, oldest: Some(oldest) } => {
            format!("gap: some events after {since} are no longer kept; the oldest kept event is {oldest}")
        }
        Update::Gap { since, oldest: None } => {
            format!("gap: the events after {since} are no longer kept; the topic is empty")
        }
        Update::Disconnected { reason, retry_in } => {
            format!("{reason}; reconnecting in {:.1} s", retry_in.as_secs_f64())
        }
        Update::FellBack { from, to, reason } => format!("{from} failed: {reason}; trying {to}"),
        Update::Event(event) => format!("event {}", event.id),
    }
}
