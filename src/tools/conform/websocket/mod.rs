//! The suite `websocket`: frames, messages and the closing handshake (RFC 6455).
//!
//! 1. `frame` — any frame, valid or not.
//! 2. `opening` — the handshake of the cases that do not test it.
//! 3. `peer` — the suite's end of an open connection.
//! 4. `script` — what the suite sends, and the set of answers that are allowed; `conversation`
//!    plays it.
//! 5. `payload` — payloads in which a lost or moved byte shows.
//! 6. `request` — a request for a WebSocket with any fault, and the server's answer; `response` — a
//!    response with any fault, and the client's reaction.
//!
//! The sections 1 to 10 have the numbers of the Autobahn TestSuite's sections, and its cases with
//! its verdicts. There is one exception: where RFC 6455 leaves the endpoint a choice that Autobahn
//! rejects, the verdict is `allowed`.
//!
//! The cases of a script test both kinds of endpoint: a client under test echoes as a server does.

mod closing;
mod conversation;
mod delivery;
mod ending;
mod examples;
mod fragments;
pub mod frame;
mod handshake_client;
mod handshake_server;
mod large;
mod masking;
mod messages;
mod opcodes;
pub mod opening;
pub mod payload;
pub mod peer;
mod pings;
pub mod request;
mod reserved;
pub mod response;
pub mod script;
mod utf8;
mod utf8_sequences;

use std::borrow::Cow;

use super::case::{Case, Cases, Requirement};
use script::Script;

/// Returns the cases of the suite.
pub fn cases() -> Vec<Case> {
    let sections = [
        messages::cases(),
        pings::cases(),
        reserved::cases(),
        opcodes::cases(),
        fragments::cases(),
        handshake_server::cases(),
        handshake_client::cases(),
        utf8::cases(),
        closing::cases(),
        masking::cases(),
        large::cases(),
        delivery::cases(),
        ending::cases(),
        examples::cases(),
    ];
    sections.into_iter().flatten().collect()
}

impl Cases {
    /// Adds a case that plays a script.
    pub fn script(
        &mut self,
        index: u16,
        title: impl Into<Cow<'static, str>>,
        requirement: Requirement,
        script: Script,
    ) -> &mut Case {
        let outcomes = script.outcomes();
        self.add(index, title, requirement, &outcomes, move |trial| script.play(trial))
    }
}
