//! The request of a client for a WebSocket, and a response to it with any fault.

use std::time::Duration;

use super::frame::{close, text};
use super::opening::read_head;
use super::peer::{Item, Next, Peer};
use super::request::OpeningHead;
use crate::protocol::http::{self, HeadLimits, Version};
use crate::protocol::websocket::extension::Agreement;
use crate::protocol::websocket::server_handshake::accept_key;
use crate::tools::conform::case::Endpoint;
use crate::tools::conform::connection::{Connection, End};
use crate::tools::conform::trial::{Finding, Trial};

/// The time that a client has to react to a response.
const CLIENT_TIME: Duration = Duration::from_secs(3);

/// The request of a client.
#[derive(Clone, Debug)]
pub struct ClientRequest {
    pub method: String,
    pub target: String,
    pub version: Version,
    pub fields: Vec<(String, String)>,
}

impl ClientRequest {
    /// Returns the values of all fields of this name.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let fields = self.fields.iter().filter(|(field, _)| field.eq_ignore_ascii_case(name));
        fields.map(|(_, value)| &**value).collect()
    }

    /// Returns the digest that the response must have.
    pub fn accept(&self) -> String {
        let key = self.all("Sec-WebSocket-Key").first().copied().unwrap_or_default();
        String::from_utf8_lossy(&accept_key(key.as_bytes())).into_owned()
    }

    /// Returns a valid response without extensions.
    pub fn response(&self) -> OpeningHead {
        OpeningHead::from_lines([
            "HTTP/1.1 101 Switching Protocols".to_owned(),
            "Upgrade: websocket".to_owned(),
            "Connection: Upgrade".to_owned(),
            format!("Sec-WebSocket-Accept: {}", self.accept()),
        ])
    }
}

/// Starts the client with a URL of this path, and reads its request.
///
/// # Errors
/// A finding: the client does not connect, or its request is no HTTP.
pub fn await_request(trial: &mut Trial, path: &str) -> Result<(Connection, ClientRequest), Finding> {
    trial.client()?.start("ws", path)?;
    // Starting a client may take long.
    let until = trial.deadline();
    let mut connection = trial.accept(until)?;
    let head = read_head(&mut connection, until)?;
    let mut scratch = http::scratch();
    let request = http::parse(&head, &mut scratch, &HeadLimits::default())
        .map_err(|error| Finding::failed("a valid handshake", error).at(connection.number(), 0))?;
    let line = String::from_utf8_lossy(&head);
    let fields = request.fields.iter();
    let request = ClientRequest {
        method: request.method.as_str().to_owned(),
        target: line.split(' ').nth(1).unwrap_or_default().to_owned(),
        version: request.version,
        fields: fields
            .map(|(name, value)| (name.to_owned(), String::from_utf8_lossy(value).into_owned()))
            .collect(),
    };
    Ok((connection, request))
}

/// What a client does after the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// It takes the connection for a WebSocket, and echoes a message.
    Opens,
    /// It ends TCP without a frame.
    Refuses,
    /// It sends a close frame and ends TCP.
    Closes,
    /// It sends no frame and keeps TCP open.
    Waits,
}

/// Sends a message after the response, and returns how the client reacts.
///
/// # Errors
/// A finding: the client sends something else than an echo or a close frame.
pub fn reaction(
    trial: &Trial,
    connection: Connection,
    agreement: Option<Agreement>,
) -> Result<(Reaction, Peer), Finding> {
    let mut peer = Peer::new(connection, Endpoint::Client, agreement);
    peer.send(&[text("Hello")])?;
    let reaction = match peer.next(trial.after(CLIENT_TIME))? {
        Next::Item(Item::Text(echo)) if echo == b"Hello" => Reaction::Opens,
        Next::Item(Item::Close(_)) => {
            peer.connection.finish_sending();
            match peer.next(trial.after(CLIENT_TIME))? {
                Next::Ended(End::Closed | End::Reset) => Reaction::Closes,
                _ => Reaction::Waits,
            }
        }
        Next::Item(item) => {
            let finding = Finding::failed("an echo, or the end of TCP", item);
            return Err(finding.at(peer.connection.number(), peer.item_offset()));
        }
        Next::Ended(_) => Reaction::Refuses,
        Next::Quiet => Reaction::Waits,
    };
    Ok((reaction, peer))
}

/// Closes an open connection.
///
/// # Errors
/// A finding: the client does not respond to the close frame.
pub fn close_cleanly(trial: &Trial, peer: &mut Peer) -> Result<(), Finding> {
    peer.send(&[close(1000, "")])?;
    let is_close = |item: &Item| matches!(item, Item::Close(None | Some(1000)));
    super::request::expect_item(trial, peer, is_close, "a response to the close frame")?;
    peer.connection.finish_sending();
    Ok(())
}
