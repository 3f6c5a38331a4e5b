//! The client's side of the opening handshake (RFC 6455 §4.1).
//!
//! The client sends sixteen random bytes and expects them back in a form that only a WebSocket
//! server produces. No other server can therefore be tricked into a WebSocket connection, neither a
//! mail server that echoes its input nor a cache that returns a stored response.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::extension::{self, Agreement, ExtensionError, Offer};
use super::server_handshake::accept_key;
use crate::protocol::http::fields::{is_control, is_token, members};
use crate::protocol::http::{Response, Version, host_and_port};
use crate::protocol::rule::rules;

/// A `Sec-WebSocket-Key`, which the response must prove to know (§4.1, item 7 of the requirements
/// for the request).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key([u8; 24]);

impl Key {
    /// Returns the key for 16 random bytes, which the caller must generate for each connection.
    pub fn new(nonce: [u8; 16]) -> Self {
        let mut key = [0; 24];
        let written = STANDARD.encode_slice(nonce, &mut key);
        // Base64 encodes each 3 bytes, or the remainder, in 4 characters.
        written.expect("16 bytes are 24 characters in base64");
        Self(key)
    }

    /// Returns the value of the field.
    pub const fn as_bytes(&self) -> &[u8; 24] {
        &self.0
    }
}

/// The client's request for a WebSocket.
#[derive(Clone, Copy, Debug)]
pub struct ClientHandshake<'a> {
    /// Host and port as written in the URI: the value of `Host`.
    pub host: &'a str,
    /// Path and query, percent-encoded.
    pub target: &'a str,
    /// The requested subprotocols, the preferred one first; may be empty (§1.9).
    pub subprotocols: &'a [&'a str],
    /// The names and values of additional fields, such as `Authorization` or `Origin`.
    pub fields: &'a [(&'a str, &'a str)],
    /// The offered compression (RFC 7692 §7.1); `None` offers no extension.
    pub offer: Option<Offer>,
}

/// The result of a handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Negotiated<'a> {
    /// The subprotocol that the server chose from the requested ones.
    pub subprotocol: Option<&'a str>,
    /// The agreed compression, if any.
    pub agreement: Option<Agreement>,
}

/// The fields that the handshake writes, and the fields that would announce content, which the
/// request does not have.
const RESERVED_FIELDS: [&str; 6] =
    ["Host", "Upgrade", "Connection", "Content-Length", "Transfer-Encoding", "Expect"];

/// Checks that a field of the caller is neither in `reserved` nor written by the handshake, and
/// that its name and value are valid (RFC 9110 §5.1, §5.5).
pub(crate) fn check_field(name: &str, value: &str, reserved: &[&str]) -> Result<(), RequestError> {
    let prefix = name.get(.."Sec-WebSocket-".len()).unwrap_or_default();
    let is_reserved = reserved.iter().any(|reserved| reserved.eq_ignore_ascii_case(name));
    if is_reserved || prefix.eq_ignore_ascii_case("Sec-WebSocket-") {
        return Err(RequestError::ReservedField);
    }
    if !is_token(name.as_bytes()) {
        return Err(RequestError::FieldName);
    }
    if value.bytes().any(is_control) {
        return Err(RequestError::FieldValue);
    }
    Ok(())
}

impl<'a> ClientHandshake<'a> {
    /// Appends the request to `out` (§4.1, the requirements for the request).
    ///
    /// # Errors
    /// The first invalid part of the request. `out` is then unchanged.
    pub fn write_request(&self, key: &Key, out: &mut Vec<u8>) -> Result<(), RequestError> {
        self.validate()?;
        let mut line = |parts: &[&[u8]]| {
            parts.iter().for_each(|part| out.extend_from_slice(part));
            out.extend_from_slice(b"\r\n");
        };
        line(&[b"GET ", self.target.as_bytes(), b" HTTP/1.1"]); // items 2 and 3
        line(&[b"Host: ", self.host.as_bytes()]); // item 4
        line(&[b"Upgrade: websocket"]); // item 5
        line(&[b"Connection: Upgrade"]); // item 6
        line(&[b"Sec-WebSocket-Key: ", key.as_bytes()]); // item 7
        line(&[b"Sec-WebSocket-Version: 13"]); // item 9
        if !self.subprotocols.is_empty() {
            line(&[b"Sec-WebSocket-Protocol: ", self.subprotocols.join(", ").as_bytes()]); // item 10
        }
        if let Some(offer) = &self.offer {
            let mut extensions = Vec::new();
            offer.write_offer(&mut extensions);
            line(&[b"Sec-WebSocket-Extensions: ", &extensions]); // item 11
        }
        for (name, value) in self.fields {
            line(&[name.as_bytes(), b": ", value.as_bytes()]); // item 12
        }
        line(&[]);
        Ok(())
    }

    fn validate(&self) -> Result<(), RequestError> {
        if host_and_port(self.host).is_none_or(|(host, _)| host.is_empty()) {
            return Err(RequestError::Host);
        }
        let is_target = |byte: u8| byte.is_ascii_graphic() && byte != b'#';
        if !self.target.starts_with('/') || !self.target.bytes().all(is_target) {
            return Err(RequestError::Target);
        }
        for (index, subprotocol) in self.subprotocols.iter().enumerate() {
            if !is_token(subprotocol.as_bytes()) {
                return Err(RequestError::Subprotocol);
            }
            if self.subprotocols[..index].contains(subprotocol) {
                return Err(RequestError::SubprotocolRepeated);
            }
        }
        for (name, value) in self.fields {
            check_field(name, value, &RESERVED_FIELDS)?;
        }
        Ok(())
    }

    /// Checks the server's response (§4.1, "validate the server's response").
    ///
    /// The caller skips interim responses (RFC 9110 §15.2), those with a status from 100 to 199
    /// other than 101.
    ///
    /// # Errors
    /// The first rule that the response breaks. The client must then fail the connection (§7.1.7);
    /// before the end of the handshake, that means to close the TCP connection.
    pub fn check_response(
        &self,
        key: &Key,
        response: &Response<'_, '_>,
    ) -> Result<Negotiated<'a>, ClientHandshakeError> {
        use ClientHandshakeError::*;
        let fields = response.fields;
        if response.status != 101 {
            return Err(Status(response.status)); // item 1
        }
        if response.version == Version::Http10 {
            return Err(Http10);
        }
        let mut upgrades = fields.get_all("Upgrade").flat_map(members);
        match (upgrades.next(), upgrades.next()) {
            (None, _) => return Err(UpgradeMissing), // item 2
            (Some(protocol), None) if protocol.eq_ignore_ascii_case(b"websocket") => {}
            (Some(_), _) => return Err(UpgradeNotWebSocket), // item 2
        }
        if !fields.has_token("Connection", "upgrade") {
            return Err(ConnectionWithoutUpgrade); // item 3
        }
        let mut accepts = fields.get_all("Sec-WebSocket-Accept");
        match (accepts.next(), accepts.next()) {
            (None, _) => return Err(AcceptMissing), // item 4
            (Some(_), Some(_)) => return Err(AcceptRepeated),
            (Some(accept), None) if accept == accept_key(key.as_bytes()) => {}
            (Some(_), None) => return Err(AcceptMismatch), // item 4
        }
        let extensions = fields.get_all("Sec-WebSocket-Extensions");
        let agreement = extension::check_response(&self.offer.unwrap_or_default(), extensions)?; // item 5
        if agreement.is_some() && self.offer.is_none() {
            return Err(Extension(ExtensionError::NotOffered)); // item 5
        }
        let mut subprotocols = fields.get_all("Sec-WebSocket-Protocol");
        let subprotocol = match (subprotocols.next(), subprotocols.next()) {
            (None, _) => None,
            (Some(_), Some(_)) => return Err(SubprotocolRepeated),
            (Some(chosen), None) => {
                let requested = self.subprotocols.iter().find(|requested| requested.as_bytes() == chosen);
                Some(*requested.ok_or(SubprotocolNotRequested)?) // item 6
            }
        };
        Ok(Negotiated { subprotocol, agreement })
    }
}

rules! {
    /// Why a request cannot be sent: an error of the caller, not of the server.
    pub enum RequestError {
        Host: 9110, "7.2", "The host is not a host, or a host and a port.";
        Target: 9112, "3.2.1", "The target is not a percent-encoded path and query.";
        Subprotocol: 6455, "4.1", "A subprotocol is not a token.";
        SubprotocolRepeated: 6455, "4.1", "A subprotocol is requested more than once.";
        // Some of these fields announce content, which the request does not have.
        ReservedField: 6455, "4.1", "The handshake sets this field itself; remove the field.";
        FieldName: 9110, "5.1", "A field name is not a token.";
        FieldValue: 9110, "5.5", "A field value contains a control character.";
    }
}

rules! {
    /// Why a server's response is rejected.
    pub enum ClientHandshakeError: Extension(ExtensionError) {
        Status(u16): 6455, "4.1", "The status of the response is not 101.";
        Http10: 9110, "15.2", "The response has status 101 in HTTP/1.0.";
        UpgradeMissing: 6455, "4.1", "The response has no Upgrade.";
        UpgradeNotWebSocket: 6455, "4.1", "Upgrade in the response is not websocket.";
        ConnectionWithoutUpgrade: 6455, "4.1", "Connection in the response does not contain Upgrade.";
        AcceptMissing: 6455, "4.1", "The response has no Sec-WebSocket-Accept.";
        AcceptRepeated: 6455, "11.3.3", "Sec-WebSocket-Accept is present more than once.";
        AcceptMismatch: 6455, "4.1", "Sec-WebSocket-Accept does not match the key.";
        SubprotocolRepeated: 6455, "11.3.4", "Sec-WebSocket-Protocol is present more than once.";
        SubprotocolNotRequested: 6455, "4.1",
            "The server chooses a subprotocol that the client did not request.";
    }
}

#[cfg(test)]
mod tests {
    use super::super::extension::ClientWindow;
    use super::super::server_handshake::is_valid_key;
    use super::*;

    /// The nonce in the example of RFC 6455 §1.3.
    const NONCE: &[u8; 16] = b"the sample nonce";

    const HANDSHAKE: ClientHandshake<'_> = ClientHandshake {
        host: "a:8080",
        target: "/b?c",
        subprotocols: &["chat", "superchat"],
        fields: &[],
        offer: None,
    };

    #[test]
    fn writes_the_request_of_the_rfc() {
        let key = Key::new(*NONCE);
        let offer = Offer { client_max_window_bits: ClientWindow::Any, ..Offer::default() };
        let handshake =
            ClientHandshake { fields: &[("Origin", "http://a")], offer: Some(offer), ..HANDSHAKE };
        let mut out = Vec::new();
        handshake.write_request(&key, &mut out).unwrap();
        let expected = "GET /b?c HTTP/1.1\r\nHost: a:8080\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
            Sec-WebSocket-Protocol: chat, superchat\r\n\
            Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\nOrigin: http://a\r\n\r\n";
        assert_eq!(String::from_utf8_lossy(&out), expected);
        assert!(is_valid_key(key.as_bytes()));
    }

    #[test]
    fn rejects_an_invalid_request() {
        use RequestError::*;
        for (handshake, error) in [
            (ClientHandshake { host: "", ..HANDSHAKE }, Host),
            (ClientHandshake { host: "a\r\nX: y", ..HANDSHAKE }, Host),
            (ClientHandshake { target: "b", ..HANDSHAKE }, Target),
            (ClientHandshake { target: "/b c", ..HANDSHAKE }, Target),
            (ClientHandshake { target: "/b#c", ..HANDSHAKE }, Target),
            (ClientHandshake { subprotocols: &["a,b"], ..HANDSHAKE }, Subprotocol),
            (ClientHandshake { subprotocols: &[""], ..HANDSHAKE }, Subprotocol),
            (ClientHandshake { subprotocols: &["a", "b", "a"], ..HANDSHAKE }, SubprotocolRepeated),
            (ClientHandshake { fields: &[("host", "b")], ..HANDSHAKE }, ReservedField),
            (ClientHandshake { fields: &[("sec-websocket-extensions", "x")], ..HANDSHAKE }, ReservedField),
            (ClientHandshake { fields: &[("Content-Length", "1")], ..HANDSHAKE }, ReservedField),
            (ClientHandshake { fields: &[("a b", "c")], ..HANDSHAKE }, FieldName),
            (ClientHandshake { fields: &[("a", "b\r\nc: d")], ..HANDSHAKE }, FieldValue),
        ] {
            let mut out = Vec::new();
            assert_eq!(handshake.write_request(&Key::new(*NONCE), &mut out), Err(error));
            assert!(out.is_empty());
            assert!(error.to_string().contains("RFC "));
        }
    }
}
