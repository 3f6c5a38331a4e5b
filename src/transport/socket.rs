//! WebSockets: the cursor lives in the connection, and the client writes back.

use super::answer::{Moment, Terms};
use super::encoding::Encoding;
use super::following::{Following, gap_json};
use super::route::SUBPROTOCOL_TEXT;
use crate::hub::{Hub, Placement, TopicKey};
use crate::protocol::http::ResponseHead;
use crate::protocol::http::Status;
use crate::protocol::json;
use crate::protocol::websocket::close::CloseCode;
use crate::protocol::websocket::frame::{self, Opcode};
use crate::protocol::websocket::handshake::Accept;

/// In the subprotocol that carries bare data only, this is how a gap is told. Of the private codes (RFC 6455 §7.4.2).
pub const CLOSE_GAP: CloseCode = CloseCode(4000);

/// Writes the head of the answer to a handshake (RFC 6455 §4.2.2).
pub fn write_head(
    accept: &Accept,
    subprotocol: Option<&'static str>,
    terms: &Terms,
    moment: &Moment<'_>,
    out: &mut Vec<u8>,
) {
    // Connection says Upgrade here, whatever the request said of persistence.
    let upgrade = Terms { persists: true, ..terms.clone() };
    let head: ResponseHead<'_> = upgrade.head(out, Status::SWITCHING_PROTOCOLS, moment);
    let mut head = head
        .field("Upgrade", "websocket")
        .field("Connection", "Upgrade")
        .field("Sec-WebSocket-Accept", accept.as_bytes());
    if let Some(subprotocol) = subprotocol {
        head = head.field("Sec-WebSocket-Protocol", subprotocol);
    }
    head.end();
}

/// Writes the first message and puts the cursor. `None`: there is a gap, and the subprotocol has no message for it.
pub fn open(
    hub: &mut Hub,
    topic: TopicKey,
    placement: &Placement,
    subprotocol: Option<&'static str>,
    moment: &Moment<'_>,
    out: &mut Vec<u8>,
) -> Option<Following> {
    let encoding =
        if subprotocol == Some(SUBPROTOCOL_TEXT) { Encoding::TextMessages } else { Encoding::JsonMessages };
    if encoding == Encoding::JsonMessages {
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
    let cursor = hub.cursor(topic, placement.after, encoding.encoder(), moment.tick);
    Some(Following { topic, cursor, encoding })
}
