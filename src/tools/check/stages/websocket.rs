//! What the last stages share: an open WebSocket to the topic.

use std::time::Instant;

use crate::tools::check::probe::{Probe, expect_status};
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
        return Err(Finding::failed(expected, observed).at(peer.connection.number(), peer.item_offset()));
    }
}

/// Receives the text message that contains `data`.
pub fn wait_for_event(peer: &mut Peer, data: &str, until: Instant) -> Result<(), Finding> {
    let contains = |item: &Item| match item {
        Item::Text(text) => String::from_utf8_lossy(text).contains(data),
        _ => false,
    };
    wait_for(peer, &format!("a text message with {data:?}"), until, contains).map(drop)
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
        return Err(Finding::failed(expected, observed).at(peer.connection.number(), peer.item_offset()));
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
