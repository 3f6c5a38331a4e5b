//! The opening handshake, as a server does it (RFC 6455 §4.2).
//!
//! It works on the values of header fields, without the whitespace around them: reading the request, `Upgrade`
//! and `Connection` in it, is HTTP's part.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

/// What every server appends to the client's key: no other protocol's answer looks like it (§1.3).
pub const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The only version there is (§4.1, item 9 of the client's requirements).
const VERSION: &[u8] = b"13";

/// The length of a `Sec-WebSocket-Key`: 16 bytes in base64 (§4.1).
const KEY_LENGTH: usize = 24;

/// The SHA-1 of the key and the [`GUID`] behind it (§4.2.2, item 5.4).
pub fn key_digest(key: &[u8]) -> [u8; 20] {
    Sha1::new().chain_update(key).chain_update(GUID).finalize().into()
}

/// The value of `Sec-WebSocket-Accept`: the [`key_digest`] in base64 (§4.2.2, item 5.4).
pub fn accept_key(key: &[u8]) -> [u8; 28] {
    let mut accept = [0; 28];
    let written = STANDARD.encode_slice(key_digest(key), &mut accept);
    // SHA-1 gives 20 bytes, and base64 makes 4 characters of each 3 begun: 28.
    written.expect("20 bytes are 28 in base64");
    accept
}

/// True if `key` is 16 bytes in base64 (§4.2.1, item 5): 24 characters, the padding as it must be.
pub fn is_valid_key(key: &[u8]) -> bool {
    // The decoder wants room for all that 24 characters could hold.
    let mut nonce = [0; KEY_LENGTH / 4 * 3];
    key.len() == KEY_LENGTH && STANDARD.decode_slice(key, &mut nonce) == Ok(16)
}

/// A handshake that can be answered with 101.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accept([u8; 28]);

impl Accept {
    /// The value of `Sec-WebSocket-Accept`: 28 characters of ASCII.
    pub const fn as_bytes(&self) -> &[u8; 28] {
        &self.0
    }
}

/// Judges the client's side of the handshake (§4.2.1).
///
/// `key_lines` and `version_lines` are the values of all `Sec-WebSocket-Key` and `Sec-WebSocket-Version` fields of the
/// request. The version is judged first: what a key looks like is for each version to say.
///
/// # Errors
///
/// The first rule that the request breaks.
pub fn check<'a>(
    key_lines: impl Iterator<Item = &'a [u8]>,
    version_lines: impl Iterator<Item = &'a [u8]>,
) -> Result<Accept, HandshakeError> {
    match single(version_lines) {
        Ok(VERSION) => {}
        Ok(_) => return Err(HandshakeError::VersionUnsupported),
        Err(Count::None) => return Err(HandshakeError::VersionMissing),
        Err(Count::Several) => return Err(HandshakeError::VersionRepeated),
    }
    match single(key_lines) {
        Ok(key) if is_valid_key(key) => Ok(Accept(accept_key(key))),
        Ok(_) => Err(HandshakeError::KeyInvalid),
        Err(Count::None) => Err(HandshakeError::KeyMissing),
        Err(Count::Several) => Err(HandshakeError::KeyRepeated),
    }
}

/// Chooses the subprotocol (§4.2.2, item 5.5): the first that the client offers and the server knows.
///
/// `offered` are the values of all `Sec-WebSocket-Protocol` fields of the request, each a list with commas (§11.3.4). Names
/// are compared byte for byte. `None`: the answer carries no such field, and the connection no subprotocol.
pub fn choose_subprotocol<'a>(
    offered: impl Iterator<Item = &'a [u8]>,
    known: &[&'static str],
) -> Option<&'static str> {
    let mut names = offered.flat_map(|line| line.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii);
    names.find_map(|name| known.iter().copied().find(|known| known.as_bytes() == name))
}

/// How many lines there are, when there is not one.
enum Count {
    None,
    Several,
}

fn single<'a>(mut lines: impl Iterator<Item = &'a [u8]>) -> Result<&'a [u8], Count> {
    let line = lines.next().ok_or(Count::None)?;
    if lines.next().is_some() { Err(Count::Several) } else { Ok(line) }
}

/// Why a handshake is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandshakeError {
    /// No `Sec-WebSocket-Version` (§4.2.1, item 6).
    VersionMissing,
    /// A version other than 13 (§4.2.2, item 4).
    VersionUnsupported,
    /// More than one `Sec-WebSocket-Version` line (§11.3.5).
    VersionRepeated,
    /// No `Sec-WebSocket-Key` (§4.2.1, item 5).
    KeyMissing,
    /// More than one `Sec-WebSocket-Key` line (§11.3.1).
    KeyRepeated,
    /// A key that is not 16 bytes in base64 (§4.2.1, item 5).
    KeyInvalid,
}

impl HandshakeError {
    /// The HTTP status to answer with: 426, which carries `Sec-WebSocket-Version: 13`, where another version would
    /// help (§4.2.2, item 4; §4.4), else 400.
    pub const fn status(self) -> u16 {
        match self {
            Self::VersionMissing | Self::VersionUnsupported => 426,
            Self::VersionRepeated | Self::KeyMissing | Self::KeyRepeated | Self::KeyInvalid => 400,
        }
    }
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::VersionMissing => "Sec-WebSocket-Version is missing (RFC 6455 section 4.2.1)",
            Self::VersionUnsupported => "Sec-WebSocket-Version is not 13 (RFC 6455 section 4.2.2)",
            Self::VersionRepeated => {
                "Sec-WebSocket-Version is there more than once (RFC 6455 section 11.3.5)"
            }
            Self::KeyMissing => "Sec-WebSocket-Key is missing (RFC 6455 section 4.2.1)",
            Self::KeyRepeated => "Sec-WebSocket-Key is there more than once (RFC 6455 section 11.3.1)",
            Self::KeyInvalid => "Sec-WebSocket-Key is not 16 bytes in base64 (RFC 6455 section 4.2.1)",
        })
    }
}

impl std::error::Error for HandshakeError {}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &[u8] = b"dGhlIHNhbXBsZSBub25jZQ==";

    fn checked(keys: &[&'static [u8]], versions: &[&'static [u8]]) -> Result<Accept, HandshakeError> {
        check(keys.iter().copied(), versions.iter().copied())
    }

    #[test]
    fn accepts_the_rfcs_key() {
        let accept = checked(&[KEY], &[b"13"]).unwrap();
        assert_eq!(accept.as_bytes(), b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn refuses_each_broken_rule_with_its_status() {
        use HandshakeError::*;
        for (keys, versions, error, status) in [
            (&[KEY][..], &[][..], VersionMissing, 426),
            (&[KEY], &[&b"8"[..]], VersionUnsupported, 426),
            (&[KEY], &[b"13, 8"], VersionUnsupported, 426),
            (&[KEY], &[b"13", b"13"], VersionRepeated, 400),
            (&[], &[b"13"], KeyMissing, 400),
            (&[KEY, KEY], &[b"13"], KeyRepeated, 400),
            (&[b"short"], &[b"13"], KeyInvalid, 400),
            // The version comes before the key.
            (&[b"short"], &[b"7"], VersionUnsupported, 426),
            (&[], &[], VersionMissing, 426),
        ] {
            assert_eq!(checked(keys, versions), Err(error));
            assert_eq!(error.status(), status);
            assert!(error.to_string().contains("RFC 6455 section "));
        }
    }

    #[test]
    fn a_key_is_sixteen_bytes_in_canonical_base64() {
        assert!(is_valid_key(KEY));
        assert!(is_valid_key(b"AAAAAAAAAAAAAAAAAAAAAA=="));
        for wrong in [
            &b""[..],
            b"dGhlIHNhbXBsZSBub25jZQ",      // no padding
            b"dGhlIHNhbXBsZSBub25jZQ=",     // half of it
            b"dGhlIHNhbXBsZSBub25jZR==",    // bits beyond the 16th byte
            b"dGhlIHNhbXBsZSBub25jZWE=",    // 17 bytes
            b"dGhlIHNhbXBsZSBub25jZWFh",    // 18 bytes
            b"dGhlIHNhbXBsZSBub25jZQ== ",   // 25 characters
            b"dGhlIHNhbXBsZSBub25j====",    // 15 bytes, padded too far
            b"dGhlIHNhbXBsZSBub25jZ_==",    // the URL's alphabet
            b"dGhl\x00HNhbXBsZSBub25jZQ==", // not of any alphabet
            b"\xFF\xFFhlIHNhbXBsZSBub25jZQ==",
        ] {
            assert!(!is_valid_key(wrong), "{}", wrong.escape_ascii());
        }
    }

    #[test]
    fn the_client_order_decides_between_known_subprotocols() {
        let choose = |lines: &[&'static str]| {
            choose_subprotocol(lines.iter().map(|line| line.as_bytes()), &["barewire.json", "barewire.text"])
        };
        assert_eq!(choose(&["barewire.text, barewire.json"]), Some("barewire.text"));
        assert_eq!(choose(&["chat", "graphql-ws ,\tbarewire.json,barewire.text"]), Some("barewire.json"));
        assert_eq!(choose(&["Barewire.json", "barewire.jso", "", ",,"]), None);
        assert_eq!(choose(&[]), None);
    }
}
