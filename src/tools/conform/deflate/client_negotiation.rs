//! Section 2: the negotiation, as a client is tested (RFC 7692 §5, §7).

use super::exchange;
use crate::protocol::websocket::extension::{
    Agreement, ClientWindow, Offer, ServerPreferences, check_response, negotiate, offers,
};
use crate::tools::conform::case::{Case, Cases, Outcome, Requirement, Suite, allowed, pass};
use crate::tools::conform::connection::Connection;
use crate::tools::conform::trial::{Finding, Trial};
use crate::tools::conform::websocket::response::{
    ClientRequest, Reaction, await_request, close_cleanly, reaction,
};

const RESPONSE: Requirement =
    Requirement::must(7692, "7.1", "A client obeys the parameters of a response that its offer allows.");
const INVALID: Requirement = Requirement::must(
    7692,
    "7.1",
    "A client fails the connection after a response with an unknown, invalid or repeated parameter.",
);
const NOT_ALLOWED: Requirement = Requirement::must(
    7692,
    "7.1",
    "A client fails the connection after a response that its offer does not allow.",
);
const TWICE: Requirement =
    Requirement::must(7692, "6", "RSV1 stands for one extension, so that it cannot be accepted twice.");
const NOT_OFFERED: Requirement = Requirement::must(
    6455,
    "4.1",
    "A client fails the connection if the server accepts an extension that was not offered.",
);
const GRAMMAR: Requirement = Requirement::must(
    6455,
    "9.1",
    "A recipient of a value that is not a list of extensions fails the connection.",
);

const COMPRESSES: &str = "compresses accordingly";
const REFUSES: &str = "ends TCP without a frame";
const CLOSES: &str = "sends a close frame and ends TCP";

/// Whether the offer of the client makes the case possible.
type Applies = fn(&Offer) -> bool;

/// A response that a client must refuse: its index, its title, its requirement, whether the case
/// is possible, and the lines of the response. `{valid}` is a valid response to the offer.
type Refused = (u16, &'static str, Requirement, Applies, &'static [&'static str]);

const ANY: Applies = |_| true;
const NO_WINDOW: Applies = |offer| offer.client_max_window_bits == ClientWindow::Unnamed;
const FREE_WINDOW: Applies = |offer| offer.client_max_window_bits == ClientWindow::Any;
const NO_SERVER_WINDOW: Applies = |offer| offer.server_max_window_bits.is_none();

const REFUSED: &[Refused] = &[
    (50, "an unknown parameter", INVALID, ANY, &["{valid}; level=9"]),
    (51, "an unknown parameter without a value", INVALID, ANY, &["{valid}; fast"]),
    (
        52,
        "client_max_window_bits that was not offered",
        NOT_ALLOWED,
        NO_WINDOW,
        &["{valid}; client_max_window_bits=15"],
    ),
    (
        53,
        "a small client_max_window_bits that was not offered",
        NOT_ALLOWED,
        NO_WINDOW,
        &["{valid}; client_max_window_bits=9"],
    ),
    (
        54,
        "client_max_window_bits without a value",
        INVALID,
        FREE_WINDOW,
        &["{valid}; client_max_window_bits"],
    ),
    (55, "client_max_window_bits=7", INVALID, FREE_WINDOW, &["{valid}; client_max_window_bits=7"]),
    (56, "client_max_window_bits=16", INVALID, FREE_WINDOW, &["{valid}; client_max_window_bits=16"]),
    (57, "client_max_window_bits=010", INVALID, FREE_WINDOW, &["{valid}; client_max_window_bits=010"]),
    (
        58,
        "client_max_window_bits twice",
        INVALID,
        FREE_WINDOW,
        &["{valid}; client_max_window_bits=10; client_max_window_bits=10"],
    ),
    (
        60,
        "server_max_window_bits without a value",
        INVALID,
        NO_SERVER_WINDOW,
        &["{valid}; server_max_window_bits"],
    ),
    (61, "server_max_window_bits=7", INVALID, NO_SERVER_WINDOW, &["{valid}; server_max_window_bits=7"]),
    (62, "server_max_window_bits=16", INVALID, NO_SERVER_WINDOW, &["{valid}; server_max_window_bits=16"]),
    (63, "server_max_window_bits=08", INVALID, NO_SERVER_WINDOW, &["{valid}; server_max_window_bits=08"]),
    (64, "server_max_window_bits=+10", INVALID, NO_SERVER_WINDOW, &["{valid}; server_max_window_bits=+10"]),
    (
        65,
        "two values of server_max_window_bits",
        INVALID,
        NO_SERVER_WINDOW,
        &["{valid}; server_max_window_bits=10; server_max_window_bits=9"],
    ),
    (
        66,
        "server_no_context_takeover with a value",
        INVALID,
        |offer| !offer.server_no_context_takeover,
        &["{valid}; server_no_context_takeover=1"],
    ),
    (
        67,
        "client_no_context_takeover with a value",
        INVALID,
        |offer| !offer.client_no_context_takeover,
        &["{valid}; client_no_context_takeover=1"],
    ),
    (
        68,
        "server_no_context_takeover twice",
        INVALID,
        |offer| !offer.server_no_context_takeover,
        &["{valid}; server_no_context_takeover; server_no_context_takeover"],
    ),
    (
        70,
        "a larger server_max_window_bits than offered",
        NOT_ALLOWED,
        |offer| offer.server_max_window_bits.is_some_and(|bits| bits < 15),
        &["permessage-deflate; server_max_window_bits=15"],
    ),
    (
        71,
        "no server_max_window_bits although it was offered",
        NOT_ALLOWED,
        |offer| offer.server_max_window_bits.is_some(),
        &["permessage-deflate"],
    ),
    (
        72,
        "no server_no_context_takeover although it was offered",
        NOT_ALLOWED,
        |offer| offer.server_no_context_takeover,
        &["permessage-deflate"],
    ),
    (
        73,
        "a larger client_max_window_bits than offered",
        NOT_ALLOWED,
        |offer| matches!(offer.client_max_window_bits, ClientWindow::AtMost(..15)),
        &["permessage-deflate; client_max_window_bits=15"],
    ),
    (80, "permessage-deflate twice", TWICE, ANY, &["{valid}, {valid}"]),
    (81, "permessage-deflate twice, in two lines", TWICE, ANY, &["{valid}", "{valid}"]),
    (82, "another extension after permessage-deflate", NOT_OFFERED, ANY, &["{valid}, x-not-offered"]),
    (83, "another extension in another line", NOT_OFFERED, ANY, &["{valid}", "x-not-offered"]),
    (84, "another extension before permessage-deflate", NOT_OFFERED, ANY, &["x-not-offered, {valid}"]),
    (85, "permessage-bzip2", NOT_OFFERED, ANY, &["permessage-bzip2"]),
    (90, "a semicolon without a parameter", GRAMMAR, ANY, &["{valid};"]),
    (91, "no value after the equals sign", GRAMMAR, ANY, &["{valid}; server_max_window_bits="]),
    (92, "two names without a separator", GRAMMAR, ANY, &["permessage-deflate permessage-deflate"]),
];

/// Responses that the offer of a client may allow: their index and title, and what they add.
const ACCEPTED: &[(u16, &str, &str)] = &[
    (1, "a response with what the offer requires", ""),
    (2, "server_no_context_takeover", "; server_no_context_takeover"),
    (3, "client_no_context_takeover", "; client_no_context_takeover"),
    (4, "no context takeover in both directions", "; client_no_context_takeover; server_no_context_takeover"),
    (5, "server_max_window_bits=8", "; server_max_window_bits=8"),
    (6, "server_max_window_bits=9", "; server_max_window_bits=9"),
    (7, "server_max_window_bits=15", "; server_max_window_bits=15"),
    (8, "client_max_window_bits=8", "; client_max_window_bits=8"),
    (9, "client_max_window_bits=9", "; client_max_window_bits=9"),
    (10, "client_max_window_bits=12", "; client_max_window_bits=12"),
    (11, "client_max_window_bits=15", "; client_max_window_bits=15"),
    (
        12,
        "all parameters",
        "; client_max_window_bits=10; server_max_window_bits=11; client_no_context_takeover; server_no_context_takeover",
    ),
    (13, "a quoted value", "; client_max_window_bits=\"10\""),
    (14, "whitespace around the separators", " ;\tserver_max_window_bits=10 ; server_no_context_takeover"),
    (15, "no whitespace", ";server_max_window_bits=10;server_no_context_takeover"),
];

/// Returns the cases of the section.
pub fn cases() -> Vec<Case> {
    let mut cases = Cases::of(Suite::Deflate, 2, "the negotiation of a client");
    for &(index, title, parameters) in ACCEPTED {
        // A client fails the connection if it does not support a configuration.
        let mut outcomes = vec![pass(COMPRESSES)];
        if index > 1 {
            outcomes.extend(refusals());
        }
        let play = move |trial: &mut Trial| accepted(trial, parameters, index > 1);
        cases.add(index, title, RESPONSE, &outcomes, play).client_only();
    }
    let refused = [pass(REFUSES), allowed(CLOSES)];
    for &(index, title, requirement, applies, lines) in REFUSED {
        let play = move |trial: &mut Trial| {
            let (connection, request) = await_request(trial, "/")?;
            let (offer, valid) = first_offer(&request)?;
            if !applies(&offer) {
                return Err(Finding::NotApplicable("the offer of the client is another".into()));
            }
            let lines: Vec<String> = lines.iter().map(|line| line.replace("{valid}", &valid)).collect();
            refuse(trial, connection, &request, &lines)
        };
        cases.add(index, title, requirement, &refused, play).client_only();
    }
    let play = |trial: &mut Trial| {
        let (connection, request) = await_request(trial, "/")?;
        if first_offer(&request).is_ok() {
            return Err(Finding::NotApplicable("the client offers permessage-deflate".into()));
        }
        refuse(trial, connection, &request, &["permessage-deflate".to_owned()])
    };
    let title = "permessage-deflate without an offer";
    cases.add(95, title, NOT_OFFERED, &refused, play).client_only();
    cases.into_vec()
}

fn refusals() -> [Outcome; 2] {
    [allowed(REFUSES), allowed(CLOSES)]
}

/// Returns the client's first offer, and a valid response to it.
fn first_offer(request: &ClientRequest) -> Result<(Offer, String), Finding> {
    let lines = request.all("Sec-WebSocket-Extensions");
    let bytes = || lines.iter().map(|line| line.as_bytes());
    let invalid = |error| Finding::failed("a list of extensions in the request", error);
    let offers = offers(bytes()).map_err(invalid)?;
    let agreement = negotiate(bytes(), &ServerPreferences::default()).map_err(invalid)?;
    let (Some(offer), Some(agreement)) = (offers.first(), agreement) else {
        return Err(Finding::NotApplicable("the client does not offer permessage-deflate".into()));
    };
    let mut valid = Vec::new();
    Agreement { client_no_context_takeover: false, client_max_window_bits: None, ..agreement }
        .write_response(&mut valid);
    Ok((*offer, String::from_utf8_lossy(&valid).into_owned()))
}

fn respond(connection: &mut Connection, request: &ClientRequest, lines: &[String]) -> Result<(), Finding> {
    let response = lines.iter().fold(request.response(), |response, line| {
        response.line(format!("Sec-WebSocket-Extensions: {line}"))
    });
    connection.send(response.text().as_bytes())
}

fn refuse(
    trial: &Trial,
    mut connection: Connection,
    request: &ClientRequest,
    lines: &[String],
) -> Result<&'static str, Finding> {
    respond(&mut connection, request, lines)?;
    // A client that accepts the response may compress.
    let (reaction, peer) = reaction(trial, connection, Some(Agreement::default()))?;
    let observed = match reaction {
        Reaction::Refuses => return Ok(REFUSES),
        Reaction::Closes => return Ok(CLOSES),
        Reaction::Opens => "the client opens the WebSocket",
        Reaction::Waits => "the client keeps TCP open",
    };
    let expected = "the end of TCP, without a frame";
    Err(Finding::failed(expected, observed).at(peer.connection.number(), peer.item_offset()))
}

fn accepted(trial: &mut Trial, parameters: &str, may_refuse: bool) -> Result<&'static str, Finding> {
    let (mut connection, request) = await_request(trial, "/")?;
    let (offer, valid) = first_offer(&request)?;
    let line = format!("{valid}{parameters}");
    let Ok(Some(agreement)) = check_response(&offer, [line.as_bytes()].into_iter()) else {
        return Err(Finding::NotApplicable("the offer of the client does not allow this response".into()));
    };
    respond(&mut connection, &request, &[line])?;
    let (reaction, mut peer) = reaction(trial, connection, Some(agreement))?;
    match reaction {
        Reaction::Opens => {}
        Reaction::Refuses if may_refuse => return Ok(REFUSES),
        Reaction::Closes if may_refuse => return Ok(CLOSES),
        _ => return Err(Finding::failed("an open WebSocket", "the client refuses the response")),
    }
    exchange(trial, &mut peer)?;
    close_cleanly(trial, &mut peer)?;
    Ok(COMPRESSES)
}
