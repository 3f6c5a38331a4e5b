//! The suite `websocket`: frames, messages and the closing handshake (RFC 6455).
//!
//! 1. `frame` — any frame, valid or not.
//! 2. `opening` — the handshake of the cases that do not test it.
//! 3. `peer` — the suite's end of an open connection.
//! 4. `script` — what the suite sends, and the set of answers that are allowed; `conversation` plays
//!    it.
//! 5. `request` — a request for a WebSocket with any fault, and the server's answer.
//!
//! The cases of a script test both kinds of endpoint: a client under test echoes as a server does.

mod conversation;
pub mod frame;
mod handshake_server;
pub mod opening;
pub mod peer;
pub mod request;
mod reserved;
pub mod script;

use std::borrow::Cow;

use super::case::{Case, Cases, Requirement};
use script::Script;

/// Returns the cases of the suite.
pub fn cases() -> Vec<Case> {
    [reserved::cases(), handshake_server::cases()].into_iter().flatten().collect()
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
