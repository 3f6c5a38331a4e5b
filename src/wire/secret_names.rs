//! The names whose values are secrets, and the subprotocols that are not: the only list of both.

use std::borrow::Cow;
use std::sync::Arc;

use crate::protocol::http::percent_decode_path_segment;

/// Fields and parameters whose value is a secret. Names are compared without case, and `_` equals
/// `-`.
const NAMES: [&str; 28] = [
    "auth",
    "auth-code",
    "authcode",
    "bearer",
    "code",
    "code-verifier",
    "cookie",
    "cookie2",
    "credentials",
    "device-code",
    "jwt",
    "key",
    "otp",
    "pass",
    "pin",
    "pw",
    "pwd",
    "samlresponse",
    "session",
    "set-cookie",
    "set-cookie2",
    "sid",
    "sig",
    "ticket",
    "user-code",
    "x-auth",
    "x-functions-key",
    "x-session",
];

/// Ends of names whose value is a secret, such as `X-Api-Key`, `access_token` and `clientSecret`.
const ENDINGS: [&str; 24] = [
    "access-key",
    "accesskey",
    "api-key",
    "apikey",
    "assertion",
    "auth-key",
    "authkey",
    "authorization",
    "credential",
    "passphrase",
    "passwd",
    "password",
    "private-key",
    "privatekey",
    "secret",
    "secret-key",
    "secretkey",
    "sessid",
    "session-id",
    "sessionid",
    "signature",
    "subscription-key",
    "token",
    "token-hint",
];

/// Subprotocols that are shown. Browsers can't set fields of a handshake, so pages send tokens as
/// subprotocols; any name that is not here may be one. The list has the protocols of servers in
/// wide use, most of them registered with IANA, and the words that announce a token.
const SUBPROTOCOLS: [&str; 56] = [
    "access_token",
    "actioncable-unsupported",
    "actioncable-v1-json",
    "amqp",
    "auth",
    "authorization",
    "barewire.json",
    "barewire.text",
    "base64",
    "base64.channel.k8s.io",
    "bearer",
    "binary",
    "channel.k8s.io",
    "chat",
    "coap",
    "graphql-transport-ws",
    "graphql-ws",
    "janus-protocol",
    "json",
    "json.reliable.webpubsub.azure.v1",
    "json.webpubsub.azure.v1",
    "jmap",
    "jwt",
    "mqtt",
    "mqttv3.1",
    "msgpack",
    "ocpp1.2",
    "ocpp1.5",
    "ocpp1.6",
    "ocpp2.0",
    "ocpp2.0.1",
    "ocpp2.1",
    "phoenix",
    "protobuf.webpubsub.azure.v1",
    "realtime",
    "rfb",
    "sip",
    "soap",
    "stomp",
    "superchat",
    "text",
    "token",
    "v10.stomp",
    "v11.stomp",
    "v12.stomp",
    "v2.channel.k8s.io",
    "v3.channel.k8s.io",
    "v4.base64.channel.k8s.io",
    "v4.channel.k8s.io",
    "v5.channel.k8s.io",
    "vite-hmr",
    "vite-ping",
    "wamp.2.cbor",
    "wamp.2.json",
    "wamp.2.msgpack",
    "xmpp",
];

/// The names of fields and parameters whose values are secrets: credentials, cookies, tokens and
/// keys, and any names that the user adds.
#[derive(Clone, Debug, Default)]
pub struct SecretNames {
    /// Names that were added, in the form that [`normalized`] returns.
    added: Arc<[Vec<u8>]>,
}

impl SecretNames {
    /// Returns the built-in names and these ones. The case of a name has no meaning, and `_` equals
    /// `-`.
    pub fn with<N: AsRef<str>>(added: impl IntoIterator<Item = N>) -> Self {
        Self { added: added.into_iter().map(|name| normalized(name.as_ref().as_bytes())).collect() }
    }

    /// Returns true for a field or a decoded parameter whose value is a secret.
    pub(super) fn contains(&self, name: &[u8]) -> bool {
        let name = normalized(name);
        NAMES.iter().any(|secret| name == secret.as_bytes())
            || ENDINGS.iter().any(|ending| name.ends_with(ending.as_bytes()))
            || self.added.contains(&name)
    }

    /// Returns true for a parameter, still encoded, whose value is a secret. A parameter such as
    /// `user[password]` has several names.
    pub(super) fn contains_encoded(&self, name: &[u8]) -> bool {
        let decoded = decoded(name);
        decoded.split(|byte| matches!(byte, b'[' | b']')).any(|name| self.contains(name))
    }
}

/// Returns true for a subprotocol that is shown.
pub(super) fn is_known_subprotocol(name: &[u8]) -> bool {
    SUBPROTOCOLS.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(name))
}

/// Decodes `%XX`. Text that can't be decoded is returned as it is.
pub(super) fn decoded(text: &[u8]) -> Cow<'_, [u8]> {
    let decoded = str::from_utf8(text).ok().and_then(|text| percent_decode_path_segment(text).ok());
    match decoded {
        Some(Cow::Owned(decoded)) => Cow::Owned(decoded.into_bytes()),
        _ => Cow::Borrowed(text),
    }
}

fn normalized(name: &[u8]) -> Vec<u8> {
    name.iter().map(|byte| if *byte == b'_' { b'-' } else { byte.to_ascii_lowercase() }).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{ENDINGS, NAMES, SecretNames};

    proptest! {
        #[test]
        fn a_name_may_be_written_in_any_way(
            name in prop::sample::select([&NAMES[..], &ENDINGS[..]].concat()),
            letters in prop::collection::vec((any::<bool>(), any::<bool>()), 24),
        ) {
            let letters = name.bytes().zip(letters.into_iter().cycle());
            let written: String = letters
                .map(|(byte, (is_upper, is_encoded))| {
                    let byte = if byte == b'-' && is_upper { b'_' } else { byte };
                    let byte = if is_upper { byte.to_ascii_uppercase() } else { byte };
                    if is_encoded { format!("%{byte:02x}") } else { char::from(byte).to_string() }
                })
                .collect();
            prop_assert!(SecretNames::default().contains_encoded(written.as_bytes()), "{}", written);
        }
    }

    #[test]
    fn the_documentation_lists_all_names() {
        let page = include_str!("../../docs/wire.md");
        for name in NAMES.iter().chain(&ENDINGS) {
            assert!(page.contains(&format!("`{name}`")), "docs/wire.md does not list {name}");
        }
    }
}
