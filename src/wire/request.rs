//! Rules for complete request heads, including WebSocket handshake requests (RFC 9112, RFC 6455
//! §4).

use super::head_fields::HeadFields;
use super::start_line::NO_LIMITS;
use crate::protocol::http::{self, Framing, HeadError, HeadScan, RequestError, RequestHead};
use crate::protocol::rule::Rule;
use crate::protocol::websocket::{extension, server_handshake};

/// The view reports this, but the server ignores such an Upgrade.
const UPGRADE_NOT_IN_CONNECTION: Rule =
    Rule::rfc(9110, "7.8", "The request has Upgrade, but Connection does not contain it.");

/// Returns the rule that the lines of a request head break according to the protocol code.
///
/// `lines` is the head without its blank line. `field` is the name of the last field if more lines
/// may follow; `None` means that the head is complete.
pub(super) fn check(lines: &[u8], head: &HeadFields, field: Option<&str>) -> Option<Rule> {
    let mut text = lines.to_vec();
    if field.is_some() && head.get("host").is_none() {
        text.extend_from_slice(b"Host: a\r\n");
    }
    text.extend_from_slice(b"\r\n");
    let rule = |error: RequestError| (error != HeadError::TooManyFieldLines.into()).then(|| error.rule());
    if let Err(error) = HeadScan::default().scan(&text, &NO_LIMITS) {
        return rule(error.into());
    }
    let mut scratch = http::scratch();
    let request = match http::parse(&text, &mut scratch, &NO_LIMITS) {
        Ok(request) => request,
        Err(error) => return rule(error),
    };
    if let Err(error) = Framing::of(&request) {
        return Some(error.rule());
    }
    check_handshake(&request, head, field)
}

fn check_handshake(request: &RequestHead, head: &HeadFields, field: Option<&str>) -> Option<Rule> {
    const VALID_KEY: &[u8] = b"dGhlIHNhbXBsZSBub25jZQ==";
    const VALID_VERSION: &[u8] = b"13";
    let fields = request.fields;
    match field {
        None if head.is_websocket_request() => {
            let keys = fields.get_all("Sec-WebSocket-Key");
            let versions = fields.get_all("Sec-WebSocket-Version");
            server_handshake::check(keys, versions).err().map(|error| error.rule())
        }
        None if head.has_token("upgrade", "websocket")
            && !fields.has_token("Connection", "upgrade")
            && head.start.method == b"GET"
            && !head.start.is_http10 =>
        {
            Some(UPGRADE_NOT_IN_CONNECTION)
        }
        Some("sec-websocket-key") => {
            let keys = fields.get_all("Sec-WebSocket-Key");
            server_handshake::check(keys, [VALID_VERSION].into_iter()).err().map(|error| error.rule())
        }
        Some("sec-websocket-version") => {
            let versions = fields.get_all("Sec-WebSocket-Version");
            server_handshake::check([VALID_KEY].into_iter(), versions).err().map(|error| error.rule())
        }
        Some("sec-websocket-extensions") => {
            let lines = fields.get_all("Sec-WebSocket-Extensions");
            let preferences = extension::ServerPreferences::default();
            extension::negotiate(lines, &preferences).err().map(|error| error.rule())
        }
        _ => None,
    }
}
