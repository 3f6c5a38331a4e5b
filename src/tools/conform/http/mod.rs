//! The suite `http`: how a server reads requests (RFC 9110, RFC 9112).
//!
//! 1. `cases` — the requests, and what the RFC asks for; `sections` — the sentences of the RFCs.
//! 2. `play` — sends a request, and compares what happens with what is allowed.
//! 3. `answers` — how a server responds, and when it closes the connection.
//! 4. `responses` — the responses in what a server has sent.

mod answers;
mod cases;
mod play;
mod responses;
mod sections;

use super::case::{Case, Endpoints, Level, Number, Requirement, Suite};
use cases::Afterwards;

/// Returns the cases of the suite.
pub fn cases() -> Vec<Case> {
    let cases = cases::all().into_iter().map(|case| {
        let (section, index) = case.number;
        let level = if case.afterwards == Afterwards::Any { case.level } else { Level::Must };
        Case {
            number: Number { suite: Suite::Http, section, index },
            section: case.section,
            title: case.name.into(),
            requirement: Requirement { level, rule: case.requirement },
            endpoints: Endpoints::Server,
            autobahn: None,
            is_long: false,
            outcomes: play::outcomes(&case),
            play: Box::new(move |trial| play::play(&case, trial)),
        }
    });
    cases.chain(answers::cases()).collect()
}
