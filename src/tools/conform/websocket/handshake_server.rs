//! Section 20: the opening handshake, as a server is tested (RFC 6455 §4.2).

mod fields;
mod lists;
mod requests;

use super::frame::text;
use super::peer::{Item, Peer};
use super::request::{
    Answer, Edit, KEY, OpeningHead, ask, check_echo, check_switched, expect_item, read_answer, resource,
};
use crate::tools::conform::case::{
    Case, Cases, Endpoint, Outcome, Requirement, Suite, allowed, informational, pass,
};
use crate::tools::conform::exchange::ResponseHead;
use crate::tools::conform::trial::{Finding, Trial};

const ACCEPT: Requirement = Requirement::must(
    6455,
    "4.2.2",
    "The response has the SHA-1 digest of the key and the fixed string, in base64.",
);
const RESPONSE: Requirement = Requirement::must(
    6455,
    "4.2.2",
    "The response has status 101, Upgrade, Connection and Sec-WebSocket-Accept, and no content.",
);
const DIVISION: Requirement =
    Requirement::must(9112, "2.2", "A request means the same however TCP divides it.");
const EARLY_FRAME: Requirement =
    Requirement::must(6455, "4.1", "A client waits for the response before it sends frames.");

/// The answers of a server that are no failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    /// The WebSocket opens.
    Opens,
    /// The WebSocket opens. A server may also refuse it.
    OpensOrRefuses,
    /// An HTTP error.
    Refuses,
    /// An HTTP error. A server may also open the WebSocket.
    RefusesOrOpens,
    /// Status 400.
    BadRequest,
    /// An HTTP error and the supported versions.
    OffersVersion,
    /// The same, or a WebSocket of this version of a draft (RFC 6455 §4.4).
    OffersVersionOrOpens,
    /// Any response but a switch of protocols.
    StaysHttp,
    /// Both are possible; there is no rule.
    Either,
}

const OPENS: &str = "opens the WebSocket";
const REFUSES: &str = "refuses the request";
const UPGRADE_REQUIRED: &str = "responds with status 426 and its version";
const STAYS_HTTP: &str = "does not switch protocols";
const ENDS: &str = "ends TCP without a response";

impl Expected {
    fn outcomes(self) -> Vec<Outcome> {
        match self {
            Self::Opens => vec![pass(OPENS)],
            Self::OpensOrRefuses => vec![pass(OPENS), allowed(REFUSES), allowed(ENDS)],
            Self::Refuses | Self::BadRequest => vec![pass(REFUSES)],
            Self::RefusesOrOpens => vec![pass(REFUSES), allowed(OPENS), allowed(ENDS)],
            Self::OffersVersion => vec![pass(UPGRADE_REQUIRED), allowed(REFUSES)],
            Self::OffersVersionOrOpens => vec![pass(UPGRADE_REQUIRED), allowed(REFUSES), allowed(OPENS)],
            Self::StaysHttp => vec![pass(STAYS_HTTP), allowed(ENDS)],
            Self::Either => vec![informational(OPENS), informational(REFUSES), informational(ENDS)],
        }
    }

    /// Returns what the case expects, for a finding.
    fn text(self) -> &'static str {
        match self {
            Self::Opens => "a response with status 101",
            Self::OpensOrRefuses | Self::RefusesOrOpens | Self::Either => {
                "a response with status 101, or an error of HTTP"
            }
            Self::Refuses => "an error of HTTP, such as status 400",
            Self::BadRequest => "a response with status 400",
            Self::OffersVersion | Self::OffersVersionOrOpens => {
                "an error of HTTP with Sec-WebSocket-Version: 13, such as status 426"
            }
            Self::StaysHttp => "any response but status 101",
        }
    }

    /// Returns the outcome of a response that is not a switch of protocols.
    fn judge(self, head: &ResponseHead) -> Result<&'static str, Finding> {
        let is_error = (400..600).contains(&head.status);
        let is_fit = match self {
            Self::Opens => false,
            Self::StaysHttp => return Ok(STAYS_HTTP),
            Self::BadRequest => head.status == 400,
            Self::OffersVersion | Self::OffersVersionOrOpens => {
                is_error && head.has_token("Sec-WebSocket-Version", "13")
            }
            _ => is_error,
        };
        match (is_fit, self, head.status) {
            (true, Self::OffersVersion | Self::OffersVersionOrOpens, 426) => Ok(UPGRADE_REQUIRED),
            (true, ..) => Ok(REFUSES),
            (false, ..) => {
                let versions: Vec<_> = head.all("Sec-WebSocket-Version").collect();
                let versions = match self {
                    Self::OffersVersion | Self::OffersVersionOrOpens => {
                        format!(", Sec-WebSocket-Version: {versions:?}")
                    }
                    _ => String::new(),
                };
                Err(Finding::failed(self.text(), format!("status {}{versions}", head.status)))
            }
        }
    }
}

/// A case: its index, its title, its requirement, the expected answer, and the faults of the
/// request.
type Row = (u16, &'static str, Requirement, Expected, &'static [Edit]);

/// Returns the cases of the section.
pub fn cases() -> Vec<Case> {
    let mut cases = Cases::of(Suite::WebSocket, 20, "the opening handshake of a server");
    for &(index, title, requirement, expected, edits) in
        fields::ROWS.iter().chain(lists::ROWS).chain(requests::ROWS)
    {
        let play = move |trial: &mut Trial| play(trial, expected, edits);
        cases.add(index, title, requirement, &expected.outcomes(), play).server_only();
    }
    keys(&mut cases);
    divisions(&mut cases);
    cases.into_vec()
}

fn play(trial: &mut Trial, expected: Expected, edits: &[Edit]) -> Result<&'static str, Finding> {
    let request = OpeningHead::new(resource(trial)?);
    let request = edits.iter().fold(request, |request, edit| request.edit(*edit));
    let (connection, answer) = ask(trial, &request)?;
    let is_listed = |name: &str| expected.outcomes().iter().any(|outcome| outcome.name == name);
    match answer {
        Answer::Refused(head) => expected.judge(&head),
        Answer::Ended(_) if is_listed(ENDS) => Ok(ENDS),
        Answer::Ended(end) => Err(Finding::failed(expected.text(), end)),
        Answer::Switched(head) if is_listed(OPENS) => {
            let agreement = check_switched(&request, &head)?;
            check_echo(trial, connection, Endpoint::Server, agreement)?;
            Ok(OPENS)
        }
        Answer::Switched(_) => Err(Finding::failed(expected.text(), "status 101")),
    }
}

/// Keys and their digests, computed with other software.
const DIGESTS: [(u16, &str, &str); 6] = [
    (201, KEY, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
    (202, "AQIDBAUGBwgJCgsMDQ4PEA==", "C/0nmHhBztSRGR1CwL6Tf4ZjwpY="),
    (203, "AAAAAAAAAAAAAAAAAAAAAA==", "ICX+Yqv66kxgM0FcWaLWlFLwTAI="),
    (204, "/////////////////////w==", "XXpj4jYzLM2yUE0C7TIgMwTQh2g="),
    (205, "8PHy8/T19vf4+fr7/P3+/w==", "o1HBjBrgy9KLkiDEDur3dyqqLEs="),
    (206, "+++++++++++++++++++++w==", "ixakkuXOmA6rnL940yFjkr2/Yxs="),
];

fn keys(cases: &mut Cases) {
    for (index, key, digest) in DIGESTS {
        let play = move |trial: &mut Trial| {
            let request = OpeningHead::new(resource(trial)?).edit(Edit::Set("Sec-WebSocket-Key", key));
            let (_, answer) = ask(trial, &request)?;
            let expected = format!("status 101 with Sec-WebSocket-Accept: {digest}");
            match answer {
                Answer::Switched(head) if head.field("Sec-WebSocket-Accept") == Some(digest) => Ok(OPENS),
                Answer::Switched(head) => {
                    let observed = format!("Sec-WebSocket-Accept: {:?}", head.field("Sec-WebSocket-Accept"));
                    Err(Finding::failed(expected, observed))
                }
                Answer::Refused(head) => Err(Finding::failed(expected, format!("status {}", head.status))),
                Answer::Ended(end) => Err(Finding::failed(expected, end)),
            }
        };
        let title = format!("the answer to the key {key}");
        cases.add(index, title, ACCEPT, &[pass(OPENS)], play).server_only();
    }
    let play = |trial: &mut Trial| play(trial, Expected::Opens, &[]);
    cases.add(200, "a valid request", RESPONSE, &[pass(OPENS)], play).server_only();
}

fn divisions(cases: &mut Cases) {
    let play = |trial: &mut Trial| {
        let template = resource(trial)?;
        let bytes = OpeningHead::new(template).to_bytes(template);
        open_in_parts(trial, &bytes.chunks(1).collect::<Vec<_>>())
    };
    cases.add(210, "a request byte by byte", DIVISION, &[pass(OPENS)], play).server_only();
    let play = |trial: &mut Trial| {
        let template = resource(trial)?;
        let bytes = OpeningHead::new(template).to_bytes(template);
        for at in 1..bytes.len() {
            let (start, end) = bytes.split_at(at);
            open_in_parts(trial, &[start, end])?;
        }
        Ok(OPENS)
    };
    cases.add(211, "a request in two parts, at each byte", DIVISION, &[pass(OPENS)], play).server_only();
    let outcomes = [informational(OPENS), informational(REFUSES), informational(ENDS)];
    let title = "a frame in the same segment as the request";
    cases.add(212, title, EARLY_FRAME, &outcomes, early_frame).server_only();
}

fn open_in_parts(trial: &Trial, parts: &[&[u8]]) -> Result<&'static str, Finding> {
    let template = resource(trial)?;
    let mut connection = trial.connect(template.address)?;
    parts.iter().try_for_each(|part| connection.send(part))?;
    match read_answer(&mut connection, trial.deadline())? {
        Answer::Switched(head) => check_switched(&OpeningHead::new(template), &head).map(|_| OPENS),
        Answer::Refused(head) => {
            Err(Finding::failed("a response with status 101", format!("status {}", head.status)))
        }
        Answer::Ended(end) => Err(Finding::failed("a response with status 101", end)),
    }
}

/// Sends a frame before the response, as no client may do.
fn early_frame(trial: &mut Trial) -> Result<&'static str, Finding> {
    let template = resource(trial)?;
    let request = OpeningHead::new(template);
    let mut bytes = request.to_bytes(template);
    text("Hello").encode(true, [1, 2, 3, 4], &mut bytes);
    let mut connection = trial.connect(template.address)?;
    connection.send(&bytes)?;
    match read_answer(&mut connection, trial.deadline())? {
        Answer::Refused(_) => Ok(REFUSES),
        Answer::Ended(_) => Ok(ENDS),
        Answer::Switched(head) => {
            let agreement = check_switched(&request, &head)?;
            let mut peer = Peer::new(connection, Endpoint::Server, agreement);
            let is_echo = |item: &Item| *item == Item::Text(b"Hello".to_vec());
            expect_item(trial, &mut peer, is_echo, "the echo of \"Hello\"")?;
            Ok(OPENS)
        }
    }
}
