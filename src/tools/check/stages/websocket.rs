//! What the last stages share: an open WebSocket to the topic.

use std::time::Instant;

use crate::tools::check::probe::{Probe, expect_status, string_members};
use crate::tools::conform::case::Endpoint;
use crate::tools::conform::exchange::ResponseReader;
use crate::tools::conform::trial::Finding;
use crate::tools::conform::websocket::peer::{Item, Next, Peer};

/// The fields of a handshake, with the key of RFC 6455 §1.3.
pub const HANDSHAKE: [(&str, &str); 4] = [
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
];

/// Opens a WebSocket to the topic.
pub fn open(probe: &Probe, query: &str) -> Result<Peer, Finding> {
    let mut connection = probe.connect()?;
    let target = format!("{}{query}", probe.topic());
    connection.send(&probe.request("GET", &target, &HANDSHAKE, None))?;
    let head = ResponseReader::new("GET").head(&mut connection, probe.promptly())?;
    expect_status(&head, 101)?;
    Ok(Peer::new(connection, Endpoint::Server, None))
}

/// Receives until an item is the wanted one. Text messages that are not are skipped: a server may
/// greet the client, and other clients may publish.
pub fn wait_for(
    peer: &mut Peer,
    expected: &str,
    until: Instant,
    is_wanted: impl Fn(&Item) -> bool,
) -> Result<Item, Finding> {
    let mut skipped = Vec::new();
    loop {
        let last = match peer.next(until)? {
            Next::Item(item) if is_wanted(&item) => return Ok(item),
            Next::Item(item @ Item::Text(_)) if skipped.len() < 1000 => {
                skipped.push(item.to_string());
                continue;
            }
            Next::Item(item) => item.to_string(),
            Next::Ended(end) => end.to_string(),
            Next::Quiet => "nothing more in time".to_owned(),
        };
        skipped.push(last);
        let observed = skipped.join(", then ");
        return Err(failed_at(peer, expected, &observed));
    }
}

/// Receives the text message of the event with this data.
pub fn wait_for_event(peer: &mut Peer, data: &str, until: Instant) -> Result<(), Finding> {
    let expected = format!("a text message {{\"id\":\"…\",\"event\":\"message\",\"data\":{data:?}}}");
    wait_for(peer, &expected, until, |item| data_of(item).is_some_and(|other| other == data)).map(drop)
}

/// Receives the next text message, which must be the event with this data.
pub fn expect_event(peer: &mut Peer, data: &str, until: Instant) -> Result<(), Finding> {
    let item = wait_for(peer, "a text message", until, |item| matches!(item, Item::Text(_)))?;
    match data_of(&item) {
        Some(other) if other == data => Ok(()),
        Some(other) => Err(failed_at(peer, &format!("the event {data:?}"), &format!("the event {other:?}"))),
        None => {
            let expected = format!("{{\"id\":\"…\",\"event\":\"message\",\"data\":{data:?}}}");
            Err(failed_at(peer, &expected, &item.to_string()))
        }
    }
}

/// Receives the first text message, which must be the cursor, and returns it.
pub fn wait_for_cursor(peer: &mut Peer, until: Instant) -> Result<String, Finding> {
    let expected = "a first text message {\"next\":\"…\"}";
    let item = wait_for(peer, expected, until, |item| matches!(item, Item::Text(_)))?;
    let members = match &item {
        Item::Text(text) => string_members(text, &["next"]),
        _ => return Err(failed_at(peer, expected, &item.to_string())),
    };
    match members {
        Ok(members) if !members[0].is_empty() => Ok(members[0].clone()),
        Ok(_) => Err(failed_at(peer, expected, &item.to_string())),
        Err(error) => Err(failed_at(peer, expected, &format!("{item}: {error}"))),
    }
}

/// Returns the data of an event in a text message.
pub fn data_of(item: &Item) -> Option<String> {
    let Item::Text(text) = item else { return None };
    let members = string_members(text, &["data", "id"]).ok()?;
    let [data, id] = <[String; 2]>::try_from(members).ok()?;
    (!id.is_empty()).then_some(data)
}

/// Returns a finding at the last item.
pub fn failed_at(peer: &Peer, expected: &str, observed: &str) -> Finding {
    Finding::failed(expected, observed).at(peer.connection.number(), peer.item_offset())
}

/// Receives a close frame with this code, or the end of TCP, which RFC 6455 §7.1.7 allows.
pub fn wait_for_failure(peer: &mut Peer, code: u16, until: Instant) -> Result<(), Finding> {
    let expected = format!("close {code}, or the end of the connection");
    loop {
        let observed = match peer.next(until)? {
            Next::Item(Item::Close(Some(received))) if received == code => return Ok(()),
            Next::Ended(_) => return Ok(()),
            // The greeting.
            Next::Item(Item::Text(text)) if String::from_utf8_lossy(&text).contains("\"next\"") => continue,
            Next::Item(item) => item.to_string(),
            Next::Quiet => "the connection stays open".to_owned(),
        };
        return Err(failed_at(peer, &expected, &observed));
    }
}

/// Receives the end of the TCP connection.
pub fn wait_for_end(peer: &mut Peer, until: Instant) -> Result<(), Finding> {
    let observed = match peer.next(until)? {
        Next::Ended(_) => return Ok(()),
        Next::Item(item) => item.to_string(),
        Next::Quiet => "the connection stays open".to_owned(),
    };
    Err(Finding::failed("the end of the TCP connection", observed))
}
