//! Section 21: the opening handshake, as a client is tested (RFC 6455 §4.1).

mod requests;
mod responses;

use super::request::Edit;
use super::response::{Reaction, await_request, close_cleanly, reaction};
use crate::tools::conform::case::{Case, Cases, Outcome, Requirement, Suite, allowed, informational, pass};
use crate::tools::conform::trial::{Finding, Trial};

const DIVISION: Requirement =
    Requirement::must(9112, "2.2", "A response means the same however TCP divides it.");
const EARLY: Requirement =
    Requirement::must(6455, "4.2.2", "A server may send frames directly after its response.");

/// The reactions of a client that are no failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    /// The WebSocket opens.
    Opens,
    /// The WebSocket opens. A client may also refuse the response.
    OpensOrRefuses,
    /// The client ends TCP.
    Refuses,
    /// The client ends TCP. It may also open the WebSocket.
    RefusesOrOpens,
    /// The client sends no frame.
    SendsNothing,
    /// Both are possible; there is no rule.
    Either,
}

const OPENS: &str = "opens the WebSocket";
const REFUSES: &str = "ends TCP without a frame";
const CLOSES: &str = "sends a close frame and ends TCP";
const WAITS: &str = "sends no frame and keeps TCP open";

impl Expected {
    fn outcomes(self) -> Vec<Outcome> {
        match self {
            Self::Opens => vec![pass(OPENS)],
            Self::OpensOrRefuses => vec![pass(OPENS), allowed(REFUSES), allowed(CLOSES)],
            Self::Refuses => vec![pass(REFUSES), allowed(CLOSES)],
            Self::RefusesOrOpens => vec![pass(REFUSES), allowed(CLOSES), allowed(OPENS)],
            Self::SendsNothing => vec![pass(REFUSES), allowed(WAITS)],
            Self::Either => vec![informational(OPENS), informational(REFUSES), informational(CLOSES)],
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Opens => "an open WebSocket, with the echo of a message",
            Self::Refuses => "the end of TCP, without a frame",
            Self::SendsNothing => "no frame",
            Self::OpensOrRefuses | Self::RefusesOrOpens | Self::Either => {
                "an open WebSocket, or the end of TCP without a frame"
            }
        }
    }
}

/// A case: its index, its title, its requirement, the expected reaction, and the faults of the
/// response.
type Row = (u16, &'static str, Requirement, Expected, &'static [Edit]);

/// Returns the cases of the section.
pub fn cases() -> Vec<Case> {
    let mut cases = Cases::of(Suite::WebSocket, 21, "the opening handshake of a client");
    requests::add(&mut cases);
    for &(index, title, requirement, expected, edits) in responses::ROWS {
        let play = move |trial: &mut Trial| play(trial, expected, edits);
        cases.add(index, title, requirement, &expected.outcomes(), play).client_only();
    }
    let play = |trial: &mut Trial| {
        let (mut connection, request) = await_request(trial, "/")?;
        request.response().text().as_bytes().chunks(1).try_for_each(|byte| connection.send(byte))?;
        judge(Expected::Opens, trial, connection)
    };
    cases.add(200, "a response byte by byte", DIVISION, &[pass(OPENS)], play).client_only();
    let play = |trial: &mut Trial| {
        let (mut connection, request) = await_request(trial, "/")?;
        let mut bytes = request.response().text().into_bytes();
        super::frame::ping("early").encode(false, [0; 4], &mut bytes);
        connection.send(&bytes)?;
        let mut peer = super::peer::Peer::new(connection, trial.endpoint(), None);
        let is_pong = |item: &super::peer::Item| *item == super::peer::Item::Pong(b"early".to_vec());
        super::request::expect_item(trial, &mut peer, is_pong, "the pong of a ping after the response")?;
        close_cleanly(trial, &mut peer)?;
        Ok(OPENS)
    };
    cases.add(201, "a ping in the same segment as the response", EARLY, &[pass(OPENS)], play).client_only();
    cases.into_vec()
}

fn play(trial: &mut Trial, expected: Expected, edits: &[Edit]) -> Result<&'static str, Finding> {
    let (mut connection, request) = await_request(trial, "/")?;
    let response = edits.iter().fold(request.response(), |response, edit| response.edit(*edit));
    let (accept, key) = (request.accept(), request.all("Sec-WebSocket-Key").concat());
    let text = response.text().replace("{accept}", &accept).replace("{key}", &key);
    connection.send(text.replace("{lower}", &accept.to_lowercase()).as_bytes())?;
    judge(expected, trial, connection)
}

fn judge(
    expected: Expected,
    trial: &Trial,
    connection: crate::tools::conform::connection::Connection,
) -> Result<&'static str, Finding> {
    let (reaction, mut peer) = reaction(trial, connection, None)?;
    let outcome = match reaction {
        Reaction::Opens => OPENS,
        Reaction::Refuses => REFUSES,
        Reaction::Closes => CLOSES,
        Reaction::Waits => WAITS,
    };
    if !expected.outcomes().iter().any(|known| known.name == outcome) {
        let finding = Finding::failed(expected.text(), format!("the client {outcome}"));
        return Err(finding.at(peer.connection.number(), peer.item_offset()));
    }
    if reaction == Reaction::Opens {
        close_cleanly(trial, &mut peer)?;
    }
    Ok(outcome)
}
