//! What a response's fields say about its body, and a handshake's answer about the WebSocket (RFC 9112 §6.3, RFC 6455 §4.1).

use super::body::Framing;
use super::exchange::{Compression, Exchange, HandshakeRequest, PendingRequest, Switch};
use super::head::Head;
use super::note::Note;
use super::span::{Violation, printable};
use super::splitter::violation;
use crate::protocol::http::FramingError;
use crate::protocol::http::fields::members;
use crate::protocol::rule::Section;
use crate::protocol::websocket::extension::{self, Agreement, ClientWindow, ExtensionError, Offer};
use crate::protocol::websocket::server_handshake;

const MESSAGE_LENGTH: Section = Section::rfc(9112, "6.3");

/// What is wrong with a response's field, in the light of those before it and of the request.
pub(super) fn check_field(head: &Head, name: &str, value: &[u8], exchange: &Exchange) -> Option<Violation> {
    let status = head.start().status;
    match name {
        "content-length" | "transfer-encoding" if matches!(status, 100..=199 | 204) => {
            const RULE: &str = "An answer that has no body can have no field that frames one.";
            Some(violation(RULE, Section::rfc(9110, "8.6")))
        }
        "content-length" | "transfer-encoding"
            if head.get("content-length").is_some() && head.get("transfer-encoding").is_some() =>
        {
            Some(FramingError::LengthAndCoding.rule().into())
        }
        "content-length" if length(value).is_none() => Some(FramingError::Length.rule().into()),
        "content-length" if head.get_all("content-length").any(|other| length(other) != length(value)) => {
            Some(violation("There are two Content-Length that differ.", MESSAGE_LENGTH))
        }
        "transfer-encoding" if head.start().is_http10 => Some(FramingError::CodingInHttp10.rule().into()),
        _ if status == 101 && !head.start().is_http10 => check_opening(head, name, value, exchange),
        _ => None,
    }
}

/// What is wrong with one field of the answer to an opening handshake.
fn check_opening(head: &Head, name: &str, value: &[u8], exchange: &Exchange) -> Option<Violation> {
    let handshake = exchange.next_request().map(|request| request.handshake.as_ref());
    if let Some(None) = handshake {
        return None; // another protocol's, or nobody has asked
    }
    let handshake = handshake.flatten();
    let is_second = head.get_all(name).count() > 1;
    match name {
        "upgrade" => {
            let mut protocols = head.get_all(name).flat_map(members);
            let is_websocket = |protocol: &[u8]| protocol.eq_ignore_ascii_case(b"websocket");
            let is_right = protocols.next().is_none_or(is_websocket) && protocols.next().is_none();
            (handshake.is_some() && !is_right)
                .then(|| violation("Upgrade in the answer is not websocket.", Section::rfc(6455, "4.1")))
        }
        "sec-websocket-accept" if is_second => {
            const RULE: &str = "Sec-WebSocket-Accept is there more than once.";
            Some(violation(RULE, Section::rfc(6455, "11.3.3")))
        }
        "sec-websocket-accept" => {
            handshake.filter(|handshake| value != server_handshake::accept_key(&handshake.key)).map(|_| {
                violation("Sec-WebSocket-Accept does not answer to the key.", Section::rfc(6455, "4.1"))
            })
        }
        "sec-websocket-extensions" => agreement(head, handshake).err().map(|error| error.rule().into()),
        "sec-websocket-protocol" if is_second => {
            const RULE: &str = "Sec-WebSocket-Protocol is there more than once.";
            Some(violation(RULE, Section::rfc(6455, "11.3.4")))
        }
        "sec-websocket-protocol" => handshake
            .filter(|handshake| !handshake.protocols.iter().any(|protocol| protocol == value))
            .map(|_| violation("This subprotocol was not asked for.", Section::rfc(6455, "4.1"))),
        _ => None,
    }
}

/// What only the whole head of an answer shows.
pub(super) fn check_end(head: &Head, exchange: &Exchange) -> Option<Violation> {
    let start = head.start();
    if start.status != 101 {
        return None;
    }
    if start.is_http10 {
        return Some(violation("HTTP/1.0 has no 101.", Section::rfc(9110, "15.2")));
    }
    match exchange.next_request() {
        None if exchange.is_one_sided => None,
        Some(PendingRequest { awaits_switch: false, .. }) | None => {
            Some(violation("Nobody has asked for another protocol.", Section::rfc(9110, "7.8")))
        }
        Some(request) => {
            request.handshake.as_ref()?;
            let missing = |rule| Some(violation(rule, Section::rfc(6455, "4.1")));
            if head.get_all("upgrade").flat_map(members).next().is_none() {
                missing("The answer has no Upgrade.")
            } else if !head.has_token("connection", "upgrade") {
                missing("Connection in the answer does not hold Upgrade.")
            } else if head.get("sec-websocket-accept").is_none() {
                missing("The answer has no Sec-WebSocket-Accept.")
            } else {
                None
            }
        }
    }
}

/// What holds for compression after this answer.
fn agreement(head: &Head, handshake: Option<&HandshakeRequest>) -> Result<Option<Agreement>, ExtensionError> {
    let answer = |offer: &Offer| extension::check_response(offer, head.get_all("sec-websocket-extensions"));
    let Some(handshake) = handshake else {
        // Of an offer that was not seen, what lets the server say most.
        return answer(&Offer { client_max_window_bits: ClientWindow::Any, ..Offer::default() });
    };
    let mut outcome = answer(&Offer::default());
    if handshake.offers.is_empty() {
        return match outcome {
            Ok(Some(_)) => Err(ExtensionError::NotOffered),
            outcome => outcome,
        };
    }
    // Which of several offers the server has taken, only its answer can show.
    for offer in &handshake.offers {
        outcome = answer(offer);
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}

/// What the connection is after an answer that is not interim.
pub(super) fn switch(head: &Head, exchange: &Exchange) -> Switch {
    let request = exchange.next_request();
    let status = head.start().status;
    if request.is_some_and(|request| request.is_connect) && matches!(status, 200..=299) {
        return Switch::Opaque("A tunnel: what passes through it is not HTTP to the view.");
    }
    if status != 101 {
        return Switch::Http;
    }
    if !head.has_token("upgrade", "websocket") {
        return Switch::Opaque("A protocol that the view does not know.");
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

/// How the server's proof comes from the client's key, where the key was seen.
pub(super) fn derivation(head: &Head, exchange: &Exchange) -> Option<Note> {
    let handshake = exchange.next_request()?.handshake.as_ref()?;
    let accept = server_handshake::accept_key(&handshake.key);
    let digest = server_handshake::key_digest(&handshake.key);
    let sent = head.get("sec-websocket-accept");
    Some(Note::Handshake {
        key: printable(&handshake.key),
        concatenation: printable(&[&handshake.key, server_handshake::GUID].concat()),
        sha1: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
        accept: printable(&accept),
        is_sent: (head.start().status == 101).then(|| sent == Some(&accept[..])),
    })
}

/// How the end of an answer's body is found (RFC 9112 §6.3).
pub(super) fn framing(head: &Head, exchange: &Exchange) -> Framing {
    let status = head.start().status;
    let is_head = exchange.next_request().is_some_and(|request| request.is_head);
    if is_head || matches!(status, 100..=199 | 204 | 304) {
        return Framing::None; // rule 1
    }
    sent_framing(head).unwrap_or(Framing::UntilClose) // rule 8
}

/// What the fields say of a body; `None` where they say nothing.
pub(super) fn sent_framing(head: &Head) -> Option<Framing> {
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
