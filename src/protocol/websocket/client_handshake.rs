//! The opening handshake, as a client does it (RFC 6455 §4.1).
//!
//! The client sends sixteen random bytes and wants them back in a form that only a WebSocket server gives them. So no
//! other server can be made to take part: not a mail server that echoes what it does not understand, not a cache that
//! answers with what it has.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::extension::{self, Agreement, ExtensionError, Offer};
use super::server_handshake;
use crate::protocol::http::fields::{is_control, is_token, members};
use crate::protocol::http::{Response, Version, host_and_port};

/// A `Sec-WebSocket-Key`: what the answer must show that it has seen (§4.1, item 7 of the request's requirements).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key([u8; 24]);

impl Key {
    /// Makes a key of 16 bytes, to be drawn at random anew for each connection.
    pub fn new(nonce: [u8; 16]) -> Self {
        let mut key = [0; 24];
        let written = STANDARD.encode_slice(nonce, &mut key);
        // Base64 makes 4 characters of each 3 bytes begun.
        written.expect("16 bytes are 24 in base64");
        Self(key)
    }

    /// The value of the field.
    pub const fn as_bytes(&self) -> &[u8; 24] {
        &self.0
    }
}

/// What a client asks for.
#[derive(Clone, Copy, Debug)]
pub struct ClientHandshake<'a> {
    /// Host and port as they stand in the URI: the value of `Host`.
    pub host: &'a str,
    /// Path and query, still percent-encoded.
    pub target: &'a str,
    /// Subprotocols in the order of preference; none is no wish for one (§1.9).
    pub subprotocols: &'a [&'a str],
    /// Other fields to send, as `Authorization` or `Origin`: name and value.
    pub fields: &'a [(&'a str, &'a str)],
    /// What is offered for compression (RFC 7692 §7.1); `None` is no extension at all.
    pub offer: Option<Offer>,
}

/// What both sides have agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Negotiated<'a> {
    /// The subprotocol that the server has chosen, of those that were asked for.
    pub subprotocol: Option<&'a str>,
    /// How messages are compressed, if they are.
    pub agreement: Option<Agreement>,
}

/// Fields that the handshake writes itself, and those that would announce a body, which it has not.
const OWN_FIELDS: [&str; 6] =
    ["Host", "Upgrade", "Connection", "Content-Length", "Transfer-Encoding", "Expect"];

/// Whether the caller's own field may be in a request: it is none that a handshake writes itself or of `own`, and its name and value are such
/// (RFC 9110 §5.1, §5.5).
pub(crate) fn check_field(name: &str, value: &str, own: &[&str]) -> Result<(), RequestError> {
    let prefix = name.get(.."Sec-WebSocket-".len()).unwrap_or_default();
    let is_own = own.iter().any(|own| own.eq_ignore_ascii_case(name));
    if is_own || prefix.eq_ignore_ascii_case("Sec-WebSocket-") {
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
    /// Appends the request (§4.1, the request's requirements).
    ///
    /// # Errors
    /// What is wrong with what was asked for; nothing is appended then.
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
        for (at, subprotocol) in self.subprotocols.iter().enumerate() {
            if !is_token(subprotocol.as_bytes()) {
                return Err(RequestError::Subprotocol);
            }
            if self.subprotocols[..at].contains(subprotocol) {
                return Err(RequestError::SubprotocolRepeated);
            }
        }
        for (name, value) in self.fields {
            check_field(name, value, &OWN_FIELDS)?;
        }
        Ok(())
    }

    /// Judges the server's answer (§4.1, the list behind "validate the server's response").
    ///
    /// An interim answer (RFC 9110 §15.2) is none: pass over those with a status from 100 to 199 but 101.
    ///
    /// # Errors
    /// The first rule that the answer breaks. The connection must then be failed (§7.1.7), which before the handshake's end
    /// is to close TCP.
    pub fn check_response(
        &self,
        key: &Key,
        answer: &Response<'_, '_>,
    ) -> Result<Negotiated<'a>, ClientHandshakeError> {
        let fields = answer.fields;
        if answer.status != 101 {
            return Err(ClientHandshakeError::Status(answer.status)); // item 1
        }
        if answer.version == Version::Http10 {
            return Err(ClientHandshakeError::Http10);
        }
        let mut upgrades = fields.get_all("Upgrade").flat_map(members);
        match (upgrades.next(), upgrades.next()) {
            (None, _) => return Err(ClientHandshakeError::UpgradeMissing), // item 2
            (Some(protocol), None) if protocol.eq_ignore_ascii_case(b"websocket") => {}
            (Some(_), _) => return Err(ClientHandshakeError::UpgradeNotWebSocket), // item 2
        }
        if !fields.has_token("Connection", "upgrade") {
            return Err(ClientHandshakeError::ConnectionWithoutUpgrade); // item 3
        }
        let mut accepts = fields.get_all("Sec-WebSocket-Accept");
        match (accepts.next(), accepts.next()) {
            (None, _) => return Err(ClientHandshakeError::AcceptMissing), // item 4
            (Some(_), Some(_)) => return Err(ClientHandshakeError::AcceptRepeated), // §11.3.3
            (Some(accept), None) if accept == server_handshake::accept_key(key.as_bytes()) => {}
            (Some(_), None) => return Err(ClientHandshakeError::AcceptMismatch), // item 4
        }
        let extensions = fields.get_all("Sec-WebSocket-Extensions");
        let agreement = extension::check_response(&self.offer.unwrap_or_default(), extensions);
        let agreement = agreement.map_err(ClientHandshakeError::Extension)?; // item 5
        if agreement.is_some() && self.offer.is_none() {
            return Err(ClientHandshakeError::Extension(ExtensionError::NotOffered)); // item 5
        }
        let mut subprotocols = fields.get_all("Sec-WebSocket-Protocol");
        let subprotocol = match (subprotocols.next(), subprotocols.next()) {
            (None, _) => None,
            (Some(_), Some(_)) => return Err(ClientHandshakeError::SubprotocolRepeated), // §11.3.4
            (Some(chosen), None) => {
                let asked = self.subprotocols.iter().find(|asked| asked.as_bytes() == chosen);
                Some(*asked.ok_or(ClientHandshakeError::Subprotocol)?) // item 6
            }
        };
        Ok(Negotiated { subprotocol, agreement })
    }
}

/// What is wrong with a request, before it is sent: the caller's mistake, not the server's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestError {
    /// Not a host and a port (RFC 9110 §7.2).
    Host,
    /// Does not begin with `/`, or holds what has to be percent-encoded, or a fragment (RFC 9112 §3.2.1).
    Target,
    /// A subprotocol that is no token (§4.1, item 10).
    Subprotocol,
    /// A subprotocol that stands twice (§4.1, item 10).
    SubprotocolRepeated,
    /// A field that the handshake writes itself, or that announces a body.
    ReservedField,
    /// A field name that is no token (RFC 9110 §5.1).
    FieldName,
    /// A field value with a control in it, as a line end (RFC 9110 §5.5).
    FieldValue,
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Host => "the host is not a host and a port (RFC 9110 section 7.2)",
            Self::Target => "the target is not a path and a query, percent-encoded (RFC 9112 section 3.2.1)",
            Self::Subprotocol => "a subprotocol is not a token (RFC 6455 section 4.1)",
            Self::SubprotocolRepeated => "a subprotocol stands twice (RFC 6455 section 4.1)",
            Self::ReservedField => "a field is one that the handshake itself writes (RFC 6455 section 4.1)",
            Self::FieldName => "a field name is not a token (RFC 9110 section 5.1)",
            Self::FieldValue => "a field value holds a control character (RFC 9110 section 5.5)",
        })
    }
}

impl std::error::Error for RequestError {}

/// What is wrong with a server's answer: one variant for each rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientHandshakeError {
    /// A status other than 101, as of a server that wants a token, or has moved (§4.1, item 1).
    Status(u16),
    /// 101 in HTTP/1.0, which has no such status (RFC 9110 §15.2).
    Http10,
    /// No `Upgrade` (§4.1, item 2).
    UpgradeMissing,
    /// `Upgrade` is something else than `websocket` alone (§4.1, item 2).
    UpgradeNotWebSocket,
    /// `Connection` does not hold `Upgrade` (§4.1, item 3).
    ConnectionWithoutUpgrade,
    /// No `Sec-WebSocket-Accept` (§4.1, item 4).
    AcceptMissing,
    /// More than one `Sec-WebSocket-Accept` (§11.3.3).
    AcceptRepeated,
    /// `Sec-WebSocket-Accept` belongs to another key, or to none (§4.1, item 4).
    AcceptMismatch,
    /// An extension that was not offered, or not so (§4.1, item 5; RFC 7692 §7).
    Extension(ExtensionError),
    /// More than one `Sec-WebSocket-Protocol` (§11.3.4).
    SubprotocolRepeated,
    /// A subprotocol that was not asked for (§4.1, item 6).
    Subprotocol,
}

impl fmt::Display for ClientHandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Status(status) => {
                return write!(f, "the server answers {status}, not 101 (RFC 6455 section 4.1)");
            }
            Self::Http10 => "the server answers 101 in HTTP/1.0 (RFC 9110 section 15.2)",
            Self::UpgradeMissing => "the answer has no Upgrade (RFC 6455 section 4.1)",
            Self::UpgradeNotWebSocket => "Upgrade in the answer is not websocket (RFC 6455 section 4.1)",
            Self::ConnectionWithoutUpgrade => {
                "Connection in the answer does not hold Upgrade (RFC 6455 section 4.1)"
            }
            Self::AcceptMissing => "the answer has no Sec-WebSocket-Accept (RFC 6455 section 4.1)",
            Self::AcceptRepeated => "Sec-WebSocket-Accept is there more than once (RFC 6455 section 11.3.3)",
            Self::AcceptMismatch => "Sec-WebSocket-Accept does not belong to the key (RFC 6455 section 4.1)",
            Self::Extension(error) => return error.fmt(f),
            Self::SubprotocolRepeated => {
                "Sec-WebSocket-Protocol is there more than once (RFC 6455 section 11.3.4)"
            }
            Self::Subprotocol => {
                "the server uses a subprotocol that was not asked for (RFC 6455 section 4.1)"
            }
        })
    }
}

impl std::error::Error for ClientHandshakeError {}

#[cfg(test)]
mod tests {
    use super::super::extension::ClientWindow;
    use super::*;

    /// The RFC's own nonce (§1.3).
    const NONCE: &[u8; 16] = b"the sample nonce";

    const OPENING: ClientHandshake<'_> = ClientHandshake {
        host: "a:8080",
        target: "/b?c",
        subprotocols: &["chat", "superchat"],
        fields: &[],
        offer: None,
    };

    #[test]
    fn writes_the_rfcs_request() {
        let key = Key::new(*NONCE);
        let offer = Offer { client_max_window_bits: ClientWindow::Any, ..Offer::default() };
        let opening = ClientHandshake { fields: &[("Origin", "http://a")], offer: Some(offer), ..OPENING };
        let mut out = Vec::new();
        opening.write_request(&key, &mut out).unwrap();
        let expected = "GET /b?c HTTP/1.1\r\nHost: a:8080\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
            Sec-WebSocket-Protocol: chat, superchat\r\n\
            Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\nOrigin: http://a\r\n\r\n";
        assert_eq!(String::from_utf8_lossy(&out), expected);
        assert!(server_handshake::is_valid_key(key.as_bytes()));
    }

    #[test]
    fn refuses_to_ask_for_what_it_must_not() {
        use RequestError::*;
        for (opening, error) in [
            (ClientHandshake { host: "", ..OPENING }, Host),
            (ClientHandshake { host: "a\r\nX: y", ..OPENING }, Host),
            (ClientHandshake { target: "b", ..OPENING }, Target),
            (ClientHandshake { target: "/b c", ..OPENING }, Target),
            (ClientHandshake { target: "/b#c", ..OPENING }, Target),
            (ClientHandshake { subprotocols: &["a,b"], ..OPENING }, Subprotocol),
            (ClientHandshake { subprotocols: &[""], ..OPENING }, Subprotocol),
            (ClientHandshake { subprotocols: &["a", "b", "a"], ..OPENING }, SubprotocolRepeated),
            (ClientHandshake { fields: &[("host", "b")], ..OPENING }, ReservedField),
            (ClientHandshake { fields: &[("sec-websocket-extensions", "x")], ..OPENING }, ReservedField),
            (ClientHandshake { fields: &[("Content-Length", "1")], ..OPENING }, ReservedField),
            (ClientHandshake { fields: &[("a b", "c")], ..OPENING }, FieldName),
            (ClientHandshake { fields: &[("a", "b\r\nc: d")], ..OPENING }, FieldValue),
        ] {
            let mut out = Vec::new();
            assert_eq!(opening.write_request(&Key::new(*NONCE), &mut out), Err(error));
            assert!(out.is_empty());
            assert!(error.to_string().contains("RFC "));
        }
    }
}
