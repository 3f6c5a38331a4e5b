//! WebSockets: the connection holds the cursor, and the client may write too.

use super::compression;
use super::following::{Encoding, Following, gap_json};
use super::response::{Now, ResponseContext};
use crate::hub::{Hub, Placement, TopicKey};
use crate::protocol::http::Status;
use crate::protocol::json;
use crate::protocol::websocket::close::CloseCode;
use crate::protocol::websocket::extension::Agreement;
use crate::protocol::websocket::frame::{self, Opcode};
use crate::protocol::websocket::server_handshake::Accept;

/// The subprotocol in which each message is an event in JSON; also used if none is negotiated.
pub const SUBPROTOCOL_JSON: &str = "barewire.json";
/// The subprotocol in which each message is the bare data of an event.
pub const SUBPROTOCOL_TEXT: &str = "barewire.text";

/// The close code that reports a gap in [`SUBPROTOCOL_TEXT`], which has no message for it. Codes
/// from 4000 on are for private use (RFC 6455 §7.4.2).
pub const CLOSE_GAP: CloseCode = CloseCode(4000);

/// The server's side of the opening handshake (RFC 6455 §4.2.2).
#[derive(Clone, Copy, Debug)]
pub struct ServerHandshake {
    /// The response to the client's key.
    pub accept: Accept,
    /// The negotiated subprotocol.
    pub subprotocol: Option<&'static str>,
    /// The negotiated compression.
    pub agreement: Option<Agreement>,
}

impl ServerHandshake {
    /// Writes the head of the response.
    pub fn write_head(&self, context: &ResponseContext, now: &Now<'_>, out: &mut Vec<u8>) {
        // The connection persists as a WebSocket, whatever the request said about persistence.
        let upgrade = ResponseContext { persists: true, ..context.clone() };
        let mut head = upgrade
            .head(out, Status::SWITCHING_PROTOCOLS, now)
            .field("Upgrade", "websocket")
            .field("Connection", "Upgrade")
            .field("Sec-WebSocket-Accept", self.accept.as_bytes());
        if let Some(subprotocol) = self.subprotocol {
            head = head.field("Sec-WebSocket-Protocol", subprotocol);
        }
        if let Some(agreement) = &self.agreement {
            let mut response = Vec::new();
            agreement.write_response(&mut response);
            head = head.field("Sec-WebSocket-Extensions", response);
        }
        head.end();
    }

    /// Returns the encoding of the events.
    pub fn encoding(&self) -> Encoding {
        let text = self.subprotocol == Some(SUBPROTOCOL_TEXT);
        match self.agreement.as_ref().map(compression::shared_window_bits) {
            None if text => Encoding::TextMessages,
            None => Encoding::JsonMessages,
            Some(9) if text => Encoding::TextMessagesIn9Bits,
            Some(9) => Encoding::JsonMessagesIn9Bits,
            Some(_) if text => Encoding::TextMessagesIn15Bits,
            Some(_) => Encoding::JsonMessagesIn15Bits,
        }
    }
}

/// Writes the first message and places the cursor. Returns `None` if there is a gap that the
/// subprotocol cannot report.
pub fn open(
    hub: &mut Hub,
    topic: TopicKey,
    placement: &Placement,
    encoding: Encoding,
    now: &Now<'_>,
    out: &mut Vec<u8>,
) -> Option<Following> {
    if !encoding.is_bare_text() {
        let mut hello = Vec::with_capacity(64);
        hello.extend_from_slice(b"{\"next\":");
        json::write_string(&hub.id(placement.after).to_string(), &mut hello);
        if let Some(gap) = &placement.gap {
            hello.extend_from_slice(b",\"gap\":");
            hello.extend_from_slice(gap_json(gap).as_bytes());
        }
        hello.push(b'}');
        frame::write_frame(Opcode::Text, &hello, out);
    } else if placement.gap.is_some() {
        return None;
    }
    Some(Following::after(hub, topic, placement.after, encoding, now.tick))
}
