//! WebSockets: the cursor lives in the connection, and the client writes back.

use super::answer::{Moment, Terms};
use super::compression;
use super::encoding::Encoding;
use super::following::{Following, gap_json};
use super::route::SUBPROTOCOL_TEXT;
use crate::hub::{Hub, Placement, TopicKey};
use crate::protocol::http::Status;
use crate::protocol::json;
use crate::protocol::websocket::close::CloseCode;
use crate::protocol::websocket::extension::Agreement;
use crate::protocol::websocket::frame::{self, Opcode};
use crate::protocol::websocket::server_handshake::Accept;

/// In the subprotocol that carries bare data only, this is how a gap is told. Of the private codes (RFC 6455 §7.4.2).
pub const CLOSE_GAP: CloseCode = CloseCode(4000);

/// What a handshake has come to (RFC 6455 §4.2.2).
#[derive(Clone, Copy, Debug)]
pub struct Opening {
    /// The answer to the key.
    pub accept: Accept,
    /// The subprotocol, if one was agreed on.
    pub subprotocol: Option<&'static str>,
    /// What was agreed on about compression, if anything was.
    pub agreement: Option<Agreement>,
}

impl Opening {
    /// Writes the head of the answer.
    pub fn write_head(&self, terms: &Terms, moment: &Moment<'_>, out: &mut Vec<u8>) {
        // Connection says Upgrade here, whatever the request said of persistence.
        let upgrade = Terms { persists: true, ..terms.clone() };
        let mut head = upgrade
            .head(out, Status::SWITCHING_PROTOCOLS, moment)
            .field("Upgrade", "websocket")
            .field("Connection", "Upgrade")
            .field("Sec-WebSocket-Accept", self.accept.as_bytes());
        if let Some(subprotocol) = self.subprotocol {
            head = head.field("Sec-WebSocket-Protocol", subprotocol);
        }
        if let Some(agreement) = &self.agreement {
            let mut answer = Vec::new();
            agreement.write_response(&mut answer);
            head = head.field("Sec-WebSocket-Extensions", answer);
        }
        head.end();
    }

    fn encoding(&self) -> Encoding {
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

/// Writes the first message and puts the cursor. `None`: there is a gap, and the subprotocol has no message for it.
pub fn open(
    hub: &mut Hub,
    topic: TopicKey,
    placement: &Placement,
    opening: &Opening,
    compress_from: usize,
    moment: &Moment<'_>,
    out: &mut Vec<u8>,
) -> Option<Following> {
    let encoding = opening.encoding();
    if opening.subprotocol != Some(SUBPROTOCOL_TEXT) {
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
    let cursor = hub.cursor(topic, placement.after, encoding.encoder(compress_from), moment.tick);
    Some(Following { topic, cursor, encoding })
}
