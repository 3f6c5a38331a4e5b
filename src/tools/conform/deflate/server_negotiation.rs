//! Section 1: the negotiation, as a server is tested (RFC 7692 §5, §7).

use super::{exchange, plain};
use crate::tools::conform::case::{
    Case, Cases, Endpoint, Outcome, Requirement, Suite, allowed, informational, pass,
};
use crate::tools::conform::trial::{Finding, Trial};
use crate::tools::conform::websocket::frame::close;
use crate::tools::conform::websocket::opening::open;
use crate::tools::conform::websocket::peer::{Item, Peer};
use crate::tools::conform::websocket::request::{
    Answer, OpeningHead, ask, check_echo, check_switched, expect_item, resource,
};

const RESPONSE: Requirement = Requirement::must(
    7692,
    "7.1",
    "A server accepts an offer with parameters that this offer allows, and obeys them.",
);
const FIRST: Requirement = Requirement::must(
    7692,
    "5",
    "A server accepts one of the offers, each of which is in the order of the client's preference.",
);
const DECLINE: Requirement = Requirement::must(
    7692,
    "7.1",
    "A server declines an offer with an unknown, invalid or repeated parameter.",
);
const GRAMMAR: Requirement = Requirement::must(
    6455,
    "9.1",
    "A recipient of a value that is not a list of extensions fails the connection.",
);
const NAME: Requirement = Requirement::may(7692, "7", "The name of the extension is permessage-deflate.");

/// The answers of a server that are no failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    /// An agreement. A server that declines is not judged.
    Agrees,
    /// As before, but many servers refuse the form of the offer.
    AgreesOrRefuses,
    /// A connection without compression.
    Declines,
    /// An HTTP error.
    Refuses,
    /// There is no rule.
    Either,
}

const AGREES: &str = "agrees, and compresses accordingly";
const DECLINES: &str = "declines";
const REFUSES: &str = "refuses the request";

impl Expected {
    fn outcomes(self) -> Vec<Outcome> {
        match self {
            Self::Agrees => vec![pass(AGREES)],
            Self::AgreesOrRefuses => vec![pass(AGREES), allowed(REFUSES)],
            Self::Declines => vec![pass(DECLINES), allowed(REFUSES)],
            Self::Refuses => vec![pass(REFUSES)],
            Self::Either => {
                vec![informational(AGREES), informational(DECLINES), informational(REFUSES)]
            }
        }
    }

    fn requirement(self, has_several: bool) -> Requirement {
        match self {
            Self::Agrees | Self::AgreesOrRefuses if has_several => FIRST,
            Self::Agrees | Self::AgreesOrRefuses => RESPONSE,
            Self::Declines => DECLINE,
            Self::Refuses => GRAMMAR,
            Self::Either => NAME,
        }
    }
}

/// A case: its index, its title, the expected answer, and the values of Sec-WebSocket-Extensions.
type Row = (u16, &'static str, Expected, &'static [&'static str]);

const ROWS: &[Row] = &[
    (1, "an offer without parameters", Expected::Agrees, &["permessage-deflate"]),
    (2, "the offer of a browser", Expected::Agrees, &["permessage-deflate; client_max_window_bits"]),
    (
        3,
        "two offers",
        Expected::Agrees,
        &["permessage-deflate; server_max_window_bits=12, permessage-deflate"],
    ),
    (
        4,
        "two offers in two lines",
        Expected::Agrees,
        &["permessage-deflate; server_no_context_takeover", "permessage-deflate"],
    ),
    (5, "an offer after an unknown extension", Expected::Agrees, &["x-unknown; a=1, permessage-deflate"]),
    (
        6,
        "an offer after an unknown extension in another line",
        Expected::Agrees,
        &["x-webkit-deflate-frame", "permessage-deflate"],
    ),
    (
        7,
        "an offer before an unknown extension",
        Expected::Agrees,
        &["permessage-deflate, permessage-bzip2; a=\"b\""],
    ),
    (
        8,
        "parameters of permessage-deflate for an unknown extension",
        Expected::Agrees,
        &["foo; server_max_window_bits=99; server_max_window_bits, permessage-deflate"],
    ),
    (
        9,
        "an offer after one that must be declined",
        Expected::AgreesOrRefuses,
        &["permessage-deflate; level=9, permessage-deflate; client_max_window_bits=10"],
    ),
    (
        10,
        "whitespace around every separator",
        Expected::AgreesOrRefuses,
        &["\t permessage-deflate\t;  server_max_window_bits \t= 10 ;client_max_window_bits ,foo "],
    ),
    (
        11,
        "no whitespace",
        Expected::Agrees,
        &["permessage-deflate;server_max_window_bits=10;client_max_window_bits,foo"],
    ),
    (12, "a quoted value", Expected::Agrees, &["permessage-deflate; server_max_window_bits=\"10\""]),
    (
        13,
        "quoted values with escapes",
        Expected::Agrees,
        &["permessage-deflate; server_max_window_bits=\"\\1\\0\"; client_max_window_bits=\"1\\1\""],
    ),
    (14, "empty elements", Expected::AgreesOrRefuses, &[",, permessage-deflate ,\t,foo,"]),
    (15, "an empty line before the offer", Expected::Either, &["", "permessage-deflate"]),
    (
        16,
        "all parameters, in another order",
        Expected::Agrees,
        &[
            "permessage-deflate; client_max_window_bits=9; server_no_context_takeover; server_max_window_bits=13; client_no_context_takeover",
        ],
    ),
    (
        17,
        "three offers, the last one without parameters",
        Expected::Agrees,
        &[
            "permessage-deflate; server_no_context_takeover; server_max_window_bits=9, permessage-deflate; server_no_context_takeover, permessage-deflate",
        ],
    ),
    (
        18,
        "the same offer ten times",
        Expected::Agrees,
        &[
            "permessage-deflate, permessage-deflate, permessage-deflate, permessage-deflate, permessage-deflate",
            "permessage-deflate, permessage-deflate, permessage-deflate, permessage-deflate, permessage-deflate",
        ],
    ),
    (20, "an unknown parameter", Expected::Declines, &["permessage-deflate; mem_level=9"]),
    (21, "an unknown parameter without a value", Expected::Declines, &["permessage-deflate; fast"]),
    (
        22,
        "an unknown parameter after a known one",
        Expected::Declines,
        &["permessage-deflate; client_max_window_bits; level=9"],
    ),
    (
        23,
        "server_no_context_takeover with a value",
        Expected::Declines,
        &["permessage-deflate; server_no_context_takeover=1"],
    ),
    (
        24,
        "client_no_context_takeover with a quoted value",
        Expected::Declines,
        &["permessage-deflate; client_no_context_takeover=\"1\""],
    ),
    (
        25,
        "server_max_window_bits without a value",
        Expected::Declines,
        &["permessage-deflate; server_max_window_bits"],
    ),
    (26, "server_max_window_bits=7", Expected::Declines, &["permessage-deflate; server_max_window_bits=7"]),
    (27, "server_max_window_bits=16", Expected::Declines, &["permessage-deflate; server_max_window_bits=16"]),
    (28, "server_max_window_bits=08", Expected::Declines, &["permessage-deflate; server_max_window_bits=08"]),
    (
        29,
        "server_max_window_bits=+10",
        Expected::Declines,
        &["permessage-deflate; server_max_window_bits=+10"],
    ),
    (
        30,
        "server_max_window_bits=10.0",
        Expected::Declines,
        &["permessage-deflate; server_max_window_bits=10.0"],
    ),
    (31, "server_max_window_bits=0", Expected::Declines, &["permessage-deflate; server_max_window_bits=0"]),
    (
        32,
        "server_max_window_bits=265, which is 9 in one byte",
        Expected::Declines,
        &["permessage-deflate; server_max_window_bits=265"],
    ),
    (
        33,
        "server_max_window_bits=0x0a",
        Expected::Declines,
        &["permessage-deflate; server_max_window_bits=0x0a"],
    ),
    (34, "client_max_window_bits=7", Expected::Declines, &["permessage-deflate; client_max_window_bits=7"]),
    (35, "client_max_window_bits=16", Expected::Declines, &["permessage-deflate; client_max_window_bits=16"]),
    (
        36,
        "client_max_window_bits=010",
        Expected::Declines,
        &["permessage-deflate; client_max_window_bits=010"],
    ),
    (37, "client_max_window_bits=x", Expected::Declines, &["permessage-deflate; client_max_window_bits=x"]),
    (
        38,
        "client_max_window_bits=-10",
        Expected::Declines,
        &["permessage-deflate; client_max_window_bits=-10"],
    ),
    (
        39,
        "server_no_context_takeover twice",
        Expected::Declines,
        &["permessage-deflate; server_no_context_takeover; server_no_context_takeover"],
    ),
    (
        40,
        "client_no_context_takeover twice",
        Expected::Declines,
        &["permessage-deflate; client_no_context_takeover; client_no_context_takeover"],
    ),
    (
        41,
        "server_max_window_bits twice",
        Expected::Declines,
        &["permessage-deflate; server_max_window_bits=10; server_max_window_bits=10"],
    ),
    (
        42,
        "client_max_window_bits twice, once with a value",
        Expected::Declines,
        &["permessage-deflate; client_max_window_bits; client_max_window_bits=10"],
    ),
    (
        43,
        "client_max_window_bits with two values",
        Expected::Declines,
        &["permessage-deflate; client_max_window_bits=11; client_max_window_bits=10"],
    ),
    (44, "a parameter in upper case", Expected::Either, &["permessage-deflate; Server_No_Context_Takeover"]),
    (
        45,
        "similar names of extensions",
        Expected::Declines,
        &["permessage-deflat, permessage-deflate2, permessage-bzip2, perframe-deflate"],
    ),
    (46, "the name in another case", Expected::Either, &["Permessage-Deflate"]),
    (
        47,
        "several offers that must be declined",
        Expected::Declines,
        &["permessage-deflate; a, permessage-deflate; server_max_window_bits=7", "permessage-deflate; b=1"],
    ),
    (50, "a semicolon without a parameter", Expected::Refuses, &["permessage-deflate;"]),
    (51, "a parameter without a name", Expected::Refuses, &["permessage-deflate; =10"]),
    (
        52,
        "no value after the equals sign",
        Expected::Refuses,
        &["permessage-deflate; server_max_window_bits="],
    ),
    (53, "a name that is not a token", Expected::Refuses, &["permessage/deflate"]),
    (54, "two names without a separator", Expected::Refuses, &["permessage-deflate permessage-deflate"]),
    (
        55,
        "an empty quoted value",
        Expected::Refuses,
        &["permessage-deflate; client_no_context_takeover=\"\""],
    ),
    (56, "an offer and then an invalid line", Expected::Refuses, &["permessage-deflate", "foo; bar="]),
    (57, "a quoted value with a quote in it", Expected::Refuses, &["permessage-deflate; a=\"b\\\"c\""]),
    (58, "a quoted value with a backslash in it", Expected::Refuses, &["permessage-deflate; a=\"b\\\\c\""]),
    (
        59,
        "a quoted value without an end",
        Expected::Refuses,
        &["permessage-deflate; server_max_window_bits=\"10"],
    ),
];

/// Returns the cases of the section.
pub fn cases() -> Vec<Case> {
    let mut cases = Cases::of(Suite::Deflate, 1, "the negotiation of a server");
    for &(index, title, expected, lines) in ROWS {
        let has_several = lines.len() > 1 || lines[0].contains(',');
        let requirement = expected.requirement(has_several);
        let play = move |trial: &mut Trial| play(trial, expected, lines);
        cases.add(index, title, requirement, &expected.outcomes(), play).server_only();
    }
    for (at, offer) in combinations().into_iter().enumerate() {
        let title = format!("the offer {offer}");
        let play = move |trial: &mut Trial| play(trial, Expected::Agrees, &[&offer]);
        cases.add(101 + at as u16, title, RESPONSE, &Expected::Agrees.outcomes(), play).server_only();
    }
    cases.into_vec()
}

/// Returns offers with all combinations of the four parameters.
fn combinations() -> Vec<String> {
    let mut offers = vec!["permessage-deflate".to_owned()];
    for choices in [
        &["", "; server_no_context_takeover"][..],
        &["", "; client_no_context_takeover"],
        &["", "; server_max_window_bits=10", "; server_max_window_bits=15"],
        &["", "; client_max_window_bits", "; client_max_window_bits=10", "; client_max_window_bits=15"],
    ] {
        let with =
            |offer: &String| choices.iter().map(|choice| format!("{offer}{choice}")).collect::<Vec<_>>();
        offers = offers.iter().flat_map(with).collect();
    }
    offers
}

fn play(trial: &mut Trial, expected: Expected, lines: &[&str]) -> Result<&'static str, Finding> {
    if expected == Expected::Declines {
        // A server without compression declines everything; that proves nothing.
        open(trial, plain())?;
    }
    let request = OpeningHead::new(resource(trial)?);
    let request =
        lines.iter().fold(request, |request, line| request.line(format!("Sec-WebSocket-Extensions: {line}")));
    let (connection, answer) = ask(trial, &request)?;
    let switched = match answer {
        Answer::Switched(head) => head,
        Answer::Refused(head) if expected != Expected::Agrees && head.status >= 400 => return Ok(REFUSES),
        Answer::Refused(head) => {
            return Err(Finding::failed("a response with status 101", format!("status {}", head.status)));
        }
        Answer::Ended(end) => return Err(Finding::failed("a response", end)),
    };
    let extensions: Vec<&str> = switched.all("Sec-WebSocket-Extensions").collect();
    if expected == Expected::Refuses {
        return Err(Finding::failed("an error of HTTP, such as status 400", "status 101"));
    }
    if expected == Expected::Either && !extensions.is_empty() {
        return Ok(AGREES);
    }
    match (check_switched(&request, &switched)?, expected) {
        (None, Expected::Agrees | Expected::AgreesOrRefuses) => {
            Err(Finding::NotApplicable("the server declines this offer".into()))
        }
        (None, _) => check_echo(trial, connection, Endpoint::Server, None).map(|()| DECLINES),
        (Some(agreement), _) => {
            check_messages(trial, Peer::new(connection, Endpoint::Server, Some(agreement))).map(|()| AGREES)
        }
    }
}

/// Exchanges messages and closes the connection.
fn check_messages(trial: &Trial, mut peer: Peer) -> Result<(), Finding> {
    exchange(trial, &mut peer)?;
    peer.send(&[close(1000, "")])?;
    let is_close = |item: &Item| matches!(item, Item::Close(None | Some(1000)));
    expect_item(trial, &mut peer, is_close, "a response to the close frame")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::websocket::extension::offers;

    #[test]
    fn the_expected_answers_are_those_of_the_negotiation() {
        for (index, _, expected, lines) in ROWS {
            let offers = offers(lines.iter().map(|line| line.trim().as_bytes()));
            match expected {
                Expected::Agrees | Expected::AgreesOrRefuses => {
                    assert!(!offers.unwrap().is_empty(), "{index}")
                }
                Expected::Declines => assert!(offers.unwrap().is_empty(), "{index}"),
                Expected::Refuses => assert!(offers.is_err(), "{index}"),
                Expected::Either => {}
            }
        }
        assert_eq!(combinations().len(), 48);
    }
}
