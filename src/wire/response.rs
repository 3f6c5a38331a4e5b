//! Responses: body framing, and the response to a WebSocket handshake (RFC 9112 §6.3, RFC 6455
//! §4.1).

use super::body::Framing;
use super::exchange::{Compression, Exchange, HandshakeRequest, PendingRequest, Switch};
use super::head_fields::HeadFields;
use super::note::Note;
use super::span::printable;
use super::start_line::NO_LIMITS;
use crate::protocol::http::fields::members;
use crate::protocol::http::{self, FramingError, HeadError};
use crate::protocol::rule::Rule;
use crate::protocol::websocket::client_handshake::ClientHandshakeError;
use crate::protocol::websocket::extension::{self, Agreement, ClientWindow, ExtensionError, Offer};
use crate::protocol::websocket::server_handshake;

const FRAMING_WITHOUT_BODY: Rule =
    Rule::rfc(9110, "8.6", "A response without a body has a field that frames one.");
const LENGTHS_DIFFER: Rule = Rule::rfc(9112, "6.3", "Two values of Content-Length differ.");
const SWITCH_NOT_REQUESTED: Rule = Rule::rfc(9110, "7.8", "The client did not request another protocol.");

/// Returns the rule that the latest field of a response breaks, given the fields before it and the
/// request.
pub(super) fn check_field(head: &HeadFields, name: &str, value: &[u8], exchange: &Exchange) -> Option<Rule> {
    let status = head.start.status;
    match name {
        "content-length" | "transfer-encoding" if matches!(status, 100..=199 | 204) => {
            Some(FRAMING_WITHOUT_BODY)
        }
        "content-length" | "transfer-encoding"
            if head.get("content-length").is_some() && head.get("transfer-encoding").is_some() =>
        {
            Some(FramingError::LengthAndCoding.rule())
        }
        "content-length" if length(value).is_none() => Some(FramingError::Length.rule()),
        "content-length" if head.get_all("content-length").any(|other| length(other) != length(value)) => {
            Some(LENGTHS_DIFFER)
        }
        "transfer-encoding" if head.start.is_http10 => Some(FramingError::CodingInHttp10.rule()),
        _ if status == 101 && !head.start.is_http10 => check_handshake_field(head, name, value, exchange),
        _ => None,
    }
}

/// Returns the rule that the latest field of a handshake response breaks.
fn check_handshake_field(head: &HeadFields, name: &str, value: &[u8], exchange: &Exchange) -> Option<Rule> {
    let handshake = exchange.next_request().map(|request| request.handshake.as_ref());
    if let Some(None) = handshake {
        return None; // The client requested another protocol, or none.
    }
    let handshake = handshake.flatten();
    let is_repeated = head.get_all(name).count() > 1;
    match name {
        "upgrade" => {
            let mut protocols = head.get_all(name).flat_map(members);
            let is_websocket = |protocol: &[u8]| protocol.eq_ignore_ascii_case(b"websocket");
            let is_right = protocols.next().is_none_or(is_websocket) && protocols.next().is_none();
            (handshake.is_some() && !is_right).then(|| ClientHandshakeError::UpgradeNotWebSocket.rule())
        }
        "sec-websocket-accept" if is_repeated => Some(ClientHandshakeError::AcceptRepeated.rule()),
        "sec-websocket-accept" => handshake
            .filter(|handshake| value != server_handshake::accept_key(&handshake.key))
            .map(|_| ClientHandshakeError::AcceptMismatch.rule()),
        "sec-websocket-extensions" => agreement(head, handshake).err().map(|error| error.rule()),
        "sec-websocket-protocol" if is_repeated => Some(ClientHandshakeError::SubprotocolRepeated.rule()),
        "sec-websocket-protocol" => handshake
            .filter(|handshake| !handshake.protocols.iter().any(|protocol| protocol == value))
            .map(|_| ClientHandshakeError::SubprotocolNotRequested.rule()),
        _ => None,
    }
}

/// Returns the rule that a complete response head breaks, beyond the rules for single fields.
pub(super) fn check_end(head: &HeadFields, exchange: &Exchange) -> Option<Rule> {
    if head.start.status != 101 {
        return None;
    }
    if head.start.is_http10 {
        return Some(ClientHandshakeError::Http10.rule());
    }
    match exchange.next_request() {
        None if exchange.is_one_sided => None,
        Some(PendingRequest { awaits_switch: false, .. }) | None => Some(SWITCH_NOT_REQUESTED),
        Some(request) => {
            request.handshake.as_ref()?;
            if head.get_all("upgrade").flat_map(members).next().is_none() {
                Some(ClientHandshakeError::UpgradeMissing.rule())
            } else if !head.has_token("connection", "upgrade") {
                Some(ClientHandshakeError::ConnectionWithoutUpgrade.rule())
            } else if head.get("sec-websocket-accept").is_none() {
                Some(ClientHandshakeError::AcceptMissing.rule())
            } else {
                None
            }
        }
    }
}

/// Returns the rule that the lines of a response head break according to the protocol code.
pub(super) fn check_head(lines: &[u8]) -> Option<Rule> {
    let text = [lines, b"\r\n"].concat();
    let error = match http::ResponseScan::default().scan(&text, &NO_LIMITS) {
        Err(error) => error,
        Ok(_) => http::parse_response(&text, &mut http::scratch(), &NO_LIMITS).err()?,
    };
    (error != HeadError::TooManyFieldLines.into()).then(|| error.rule())
}

/// Returns the compression that a handshake response negotiates.
fn agreement(
    head: &HeadFields,
    handshake: Option<&HandshakeRequest>,
) -> Result<Option<Agreement>, ExtensionError> {
    let check = |offer: &Offer| extension::check_response(offer, head.get_all("sec-websocket-extensions"));
    let Some(handshake) = handshake else {
        // The offer was not seen. This one allows the server the most.
        return check(&Offer { client_max_window_bits: ClientWindow::Any, ..Offer::default() });
    };
    let mut outcome = check(&Offer::default());
    if handshake.offers.is_empty() {
        return match outcome {
            Ok(Some(_)) => Err(ExtensionError::NotOffered),
            outcome => outcome,
        };
    }
    // The response does not say which of several offers it accepts.
    for offer in &handshake.offers {
        outcome = check(offer);
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}

/// Returns the protocol of the connection after a final response.
pub(super) fn switch(head: &HeadFields, exchange: &Exchange) -> Switch {
    let request = exchange.next_request();
    let status = head.start.status;
    if request.is_some_and(|request| request.is_connect) && matches!(status, 200..=299) {
        return Switch::Opaque("The connection is a tunnel, whose contents the view does not read.");
    }
    if status != 101 {
        return Switch::Http;
    }
    if !head.has_token("upgrade", "websocket") {
        return Switch::Opaque("The view does not know the protocol that the connection switched to.");
    }
    let handshake = request.and_then(|request| request.handshake.as_ref());
    let has_field = head.get("sec-websocket-extensions").is_some();
    Switch::WebSocket(match agreement(head, handshake) {
        Ok(Some(agreement)) => Compression::Agreed(agreement),
        Ok(None) => Compression::None,
        Err(_) if has_field => Compression::NotSeen,
        Err(_) => Compression::None,
    })
}

/// Returns the derivation of `Sec-WebSocket-Accept`, if the client's key was seen.
pub(super) fn accept_derivation(head: &HeadFields, exchange: &Exchange) -> Option<Note> {
    let handshake = exchange.next_request()?.handshake.as_ref()?;
    let accept = server_handshake::accept_key(&handshake.key);
    let digest = server_handshake::key_digest(&handshake.key);
    let sent = head.get("sec-websocket-accept");
    Some(Note::Handshake {
        key: printable(&handshake.key),
        concatenation: printable(&[&handshake.key, server_handshake::GUID].concat()),
        sha1: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
        accept: printable(&accept),
        is_sent: (head.start.status == 101).then(|| sent == Some(&accept[..])),
    })
}

/// Returns how the end of a response's body is found (RFC 9112 §6.3).
pub(super) fn framing(head: &HeadFields, exchange: &Exchange) -> Framing {
    let status = head.start.status;
    let is_head = exchange.next_request().is_some_and(|request| request.is_head);
    if is_head || matches!(status, 100..=199 | 204 | 304) {
        return Framing::None; // rule 1
    }
    sent_framing(head).unwrap_or(Framing::UntilClose) // rule 8
}

/// Returns the framing that the fields announce, if they announce any.
pub(super) fn sent_framing(head: &HeadFields) -> Option<Framing> {
    let codings = head.get_all("transfer-encoding").flat_map(members);
    match codings.last() {
        Some(coding) if coding.eq_ignore_ascii_case(b"chunked") => Some(Framing::Chunked), // rules 3, 4
        Some(_) => Some(Framing::UntilClose),
        None => head.get("content-length").and_then(length).map(Framing::Length), // rule 6
    }
}

fn length(value: &[u8]) -> Option<u64> {
    // A list of equal values counts as one (RFC 9112 §6.3, rule 5).
    let mut lengths = members(value).map(|digits| {
        let digits = str::from_utf8(digits).ok()?;
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
    });
    let first = lengths.next()??;
    lengths.all(|other| other == Some(first)).then_some(first)
}
