//! WebSocket handshakes and frames of the load generator, with keys from a fast generator.

use super::template::RequestTemplate;
use crate::protocol::websocket::client_handshake::{ClientHandshake, Key, RequestError};
use crate::protocol::websocket::frame::{self, Opcode};

/// A fast, predictable generator of handshake keys and masking keys (xorshift, Marsaglia 2003).
///
/// RFC 6455 §5.3 requires unpredictable keys, so that a script in a page cannot choose the bytes on
/// the wire and make a proxy take them for a request (§10.3). No script chooses a byte here: this
/// program makes all payloads itself. The real clients draw their keys from the system
/// ([`crate::client`]).
#[derive(Debug)]
pub struct Keys(u64);

impl Default for Keys {
    fn default() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }
}

impl Keys {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Returns a key for a handshake.
    pub fn handshake(&mut self) -> Key {
        let mut nonce = [0; 16];
        nonce[..8].copy_from_slice(&self.next().to_ne_bytes());
        nonce[8..].copy_from_slice(&self.next().to_ne_bytes());
        Key::new(nonce)
    }

    /// Appends a masked frame that is a complete message, or a pong.
    pub fn write_frame(&mut self, opcode: Opcode, payload: &[u8], out: &mut Vec<u8>) {
        let [a, b, c, d, ..] = self.next().to_ne_bytes();
        frame::write_masked_frame([a, b, c, d], opcode, payload, out);
    }
}

/// Appends the request of a handshake. It offers no compression, so that the load is the same for
/// every server.
///
/// # Errors
/// The template has a field that only the handshake itself may write.
pub fn write_handshake(
    template: &RequestTemplate,
    key: &Key,
    number: usize,
    out: &mut Vec<u8>,
) -> Result<(), RequestError> {
    let fields: Vec<_> = template.fields.iter().map(|(name, value)| (&**name, &**value)).collect();
    let mut target = Vec::new();
    template.write_target("", number, &mut target);
    let target = String::from_utf8_lossy(&target); // part of a URL, and therefore ASCII
    let subprotocols: Vec<_> = template.subprotocols.iter().map(String::as_str).collect();
    let host = &template.authority;
    ClientHandshake { host, target: &target, subprotocols: &subprotocols, fields: &fields, offer: None }
        .write_request(key, out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::websocket::message::{MessageEvent, MessageLimits, Receiver, Role};

    #[test]
    fn each_frame_has_another_masking_key() {
        let mut keys = Keys::default();
        let (mut first, mut second) = (Vec::new(), Vec::new());
        keys.write_frame(Opcode::Text, b"hello", &mut first);
        keys.write_frame(Opcode::Text, b"hello", &mut second);
        assert_ne!(first, second);
        let mut receiver = Receiver::new(Role::Server, MessageLimits { message_bytes: 10, frames: 1 });
        let (taken, event) = receiver.receive(&mut first).expect("a valid frame");
        assert_eq!((taken, event), (11, Some(MessageEvent::Text("hello"))));
    }
}
