//! The server's side of the opening handshake (RFC 6455 §4.2).
//!
//! This module checks the values of header fields, without the whitespace around them. The HTTP
//! code parses the request and checks its `Upgrade` and `Connection`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

use crate::protocol::http::Status;
use crate::protocol::http::fields::members;
use crate::protocol::rule::rules;

/// The string that every server appends to the key of the client, so that no server of another
/// protocol can send the expected response (§1.3).
pub const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The only supported version (§4.1, item 9 of the requirements for the request).
const VERSION: &[u8] = b"13";

/// The length of a `Sec-WebSocket-Key`: 16 bytes in base64 (§4.1).
const KEY_LENGTH: usize = 24;

rules! {
    /// Why an opening handshake is rejected. The response with status 426 carries
    /// `Sec-WebSocket-Version: 13` (RFC 6455 §4.2.2, item 4; §4.4).
    pub enum HandshakeError => status: Status {
        VersionMissing: UPGRADE_REQUIRED, 6455, "4.2.1", "Sec-WebSocket-Version is missing.";
        VersionUnsupported: UPGRADE_REQUIRED, 6455, "4.2.2", "Sec-WebSocket-Version is not 13.";
        VersionRepeated: BAD_REQUEST, 6455, "11.3.5",
            "Sec-WebSocket-Version is present more than once.";
        KeyMissing: BAD_REQUEST, 6455, "4.2.1", "Sec-WebSocket-Key is missing.";
        KeyRepeated: BAD_REQUEST, 6455, "11.3.1", "Sec-WebSocket-Key is present more than once.";
        KeyInvalid: BAD_REQUEST, 6455, "4.2.1", "Sec-WebSocket-Key is not 16 bytes in base64.";
    }
}

/// Returns the SHA-1 digest of the key followed by the [`GUID`] (§4.2.2, item 5.4).
pub fn key_digest(key: &[u8]) -> [u8; 20] {
    Sha1::new().chain_update(key).chain_update(GUID).finalize().into()
}

/// Returns the value of `Sec-WebSocket-Accept`: the [`key_digest`] in base64 (§4.2.2, item 5.4).
pub fn accept_key(key: &[u8]) -> [u8; 28] {
    let mut accept = [0; 28];
    let written = STANDARD.encode_slice(key_digest(key), &mut accept);
    // Base64 encodes each 3 bytes, or the remainder, in 4 characters: 28 for the 20 bytes of SHA-1.
    written.expect("20 bytes are 28 characters in base64");
    accept
}

/// Returns true if `key` is 16 bytes in base64 (§4.2.1, item 5): 24 characters with canonical
/// padding.
pub fn is_valid_key(key: &[u8]) -> bool {
    // The decoder requires space for the longest content of 24 characters.
    let mut nonce = [0; KEY_LENGTH / 4 * 3];
    key.len() == KEY_LENGTH && STANDARD.decode_slice(key, &mut nonce) == Ok(16)
}

/// The proof of a valid handshake, to be sent in the response with status 101.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accept([u8; 28]);

impl Accept {
    /// Returns the value of `Sec-WebSocket-Accept`: 28 ASCII characters.
    pub const fn as_bytes(&self) -> &[u8; 28] {
        &self.0
    }
}

/// Checks the client's part of the handshake (§4.2.1).
///
/// `keys` and `versions` are the values of all `Sec-WebSocket-Key` and `Sec-WebSocket-Version`
/// fields of the request. The version is checked first, because it defines the form of the key.
///
/// # Errors
/// The first rule that the request breaks.
pub fn check<'a>(
    mut keys: impl Iterator<Item = &'a [u8]>,
    mut versions: impl Iterator<Item = &'a [u8]>,
) -> Result<Accept, HandshakeError> {
    match (versions.next(), versions.next()) {
        (Some(VERSION), None) => {}
        (None, _) => return Err(HandshakeError::VersionMissing),
        (Some(_), None) => return Err(HandshakeError::VersionUnsupported),
        (Some(_), Some(_)) => return Err(HandshakeError::VersionRepeated),
    }
    match (keys.next(), keys.next()) {
        (Some(key), None) if is_valid_key(key) => Ok(Accept(accept_key(key))),
        (None, _) => Err(HandshakeError::KeyMissing),
        (Some(_), None) => Err(HandshakeError::KeyInvalid),
        (Some(_), Some(_)) => Err(HandshakeError::KeyRepeated),
    }
}

/// Returns the subprotocol of the connection (§4.2.2, item 5.5): the first that the client offers
/// and that is in `supported`. Without one, the response has no `Sec-WebSocket-Protocol`.
///
/// `offered` are the values of all `Sec-WebSocket-Protocol` fields of the request, each a
/// comma-separated list (§11.3.4). Names are compared byte for byte.
pub fn choose_subprotocol<'a>(
    offered: impl Iterator<Item = &'a [u8]>,
    supported: &[&'static str],
) -> Option<&'static str> {
    let mut names = offered.flat_map(members);
    names.find_map(|name| supported.iter().copied().find(|supported| supported.as_bytes() == name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &[u8] = b"dGhlIHNhbXBsZSBub25jZQ==";

    fn checked(keys: &[&'static [u8]], versions: &[&'static [u8]]) -> Result<Accept, HandshakeError> {
        check(keys.iter().copied(), versions.iter().copied())
    }

    #[test]
    fn accepts_the_key_of_the_rfc() {
        let accept = checked(&[KEY], &[b"13"]).unwrap();
        assert_eq!(accept.as_bytes(), b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn rejects_each_broken_rule_with_its_status() {
        use HandshakeError::*;
        for (keys, versions, error, status) in [
            (&[KEY][..], &[][..], VersionMissing, 426),
            (&[KEY], &[&b"8"[..]], VersionUnsupported, 426),
            (&[KEY], &[b"13, 8"], VersionUnsupported, 426),
            (&[KEY], &[b"13", b"13"], VersionRepeated, 400),
            (&[], &[b"13"], KeyMissing, 400),
            (&[KEY, KEY], &[b"13"], KeyRepeated, 400),
            (&[b"short"], &[b"13"], KeyInvalid, 400),
            // The version is checked before the key.
            (&[b"short"], &[b"7"], VersionUnsupported, 426),
            (&[], &[], VersionMissing, 426),
        ] {
            assert_eq!(checked(keys, versions), Err(error));
            assert_eq!(error.status().code(), status);
            assert!(error.to_string().contains("RFC 6455 §"));
        }
    }

    #[test]
    fn a_key_is_sixteen_bytes_in_canonical_base64() {
        assert!(is_valid_key(KEY));
        assert!(is_valid_key(b"AAAAAAAAAAAAAAAAAAAAAA=="));
        for wrong in [
            &b""[..],
            b"dGhlIHNhbXBsZSBub25jZQ",      // no padding
            b"dGhlIHNhbXBsZSBub25jZQ=",     // half of the padding
            b"dGhlIHNhbXBsZSBub25jZR==",    // bits after the 16th byte
            b"dGhlIHNhbXBsZSBub25jZWE=",    // 17 bytes
            b"dGhlIHNhbXBsZSBub25jZWFh",    // 18 bytes
            b"dGhlIHNhbXBsZSBub25jZQ== ",   // 25 characters
            b"dGhlIHNhbXBsZSBub25j====",    // 15 bytes with too much padding
            b"dGhlIHNhbXBsZSBub25jZ_==",    // the URL-safe alphabet
            b"dGhl\x00HNhbXBsZSBub25jZQ==", // in no alphabet
            b"\xFF\xFFhlIHNhbXBsZSBub25jZQ==",
        ] {
            assert!(!is_valid_key(wrong), "{}", wrong.escape_ascii());
        }
    }

    #[test]
    fn chooses_the_first_supported_subprotocol_of_the_client() {
        let choose = |lines: &[&'static str]| {
            choose_subprotocol(lines.iter().map(|line| line.as_bytes()), &["barewire.json", "barewire.text"])
        };
        assert_eq!(choose(&["barewire.text, barewire.json"]), Some("barewire.text"));
        assert_eq!(choose(&["chat", "graphql-ws ,\tbarewire.json,barewire.text"]), Some("barewire.json"));
        assert_eq!(choose(&["Barewire.json", "barewire.jso", "", ",,"]), None);
        assert_eq!(choose(&[]), None);
    }
}
