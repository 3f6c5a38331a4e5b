//! The wire view as something to follow: a topic that no request can name, whose events are what has passed.

use super::access::{Access, is_loopback};
use super::answer::Refusal;
use super::service::Service;
use crate::hub::Tick;
use crate::protocol::http::{RequestHead, Status, host_and_port};

/// The topic. Its name is none that a request could have.
pub const TOPIC: &str = "the wire";

/// How the log calls the view's stream.
pub const TRANSPORT: &str = "wire";

/// How much of the view is kept, for those who come again, in bytes: a small part of what is kept for topics.
const WINDOW_BYTES: usize = 4 << 20;

/// Who may follow the view.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum WireAccess {
    /// Nobody: there is none.
    #[default]
    Nobody,
    /// Whoever is on this machine. The server listens on loopback only.
    Loopback,
    /// Whoever brings the follow token.
    Token,
}

/// Refuses who may not. Bytes of other people's conversations are worth more than an event: where the server is open to
/// others, a token must be asked for; where it is not, a page of another site must not get at it by a name of its own
/// that leads here (DNS rebinding).
pub fn admit(access: WireAccess, tokens: &Access, head: &RequestHead<'_, '_>) -> Result<(), Refusal> {
    let forbidden = |detail| Err(Refusal::new(Status::FORBIDDEN, detail));
    match access {
        WireAccess::Nobody => {
            Err(Refusal::new(Status::NOT_FOUND, "The wire view is not shown here; see --wire."))
        }
        WireAccess::Loopback => match head.host.and_then(host_and_port) {
            Some((name, _)) if is_loopback(name) => Ok(()),
            _ => forbidden("The wire view is shown under a name of this machine only, such as localhost."),
        },
        WireAccess::Token if tokens.follow_token.is_none() => {
            forbidden("Where others can reach the server, its wire view needs a --follow-token.")
        }
        WireAccess::Token => Ok(()),
    }
}

impl Service {
    /// Whether anybody follows the view.
    pub fn wire_is_followed(&self) -> bool {
        self.wire_was_followed
            && self.hub.find(TOPIC).is_some_and(|key| !self.hub.topic(key).followers.is_empty())
    }

    /// Appends what has passed, as JSON, for those who follow the view. It is no event that anybody published, so it counts as none.
    pub fn show_wire(&mut self, json: &str, now: Tick) {
        let Ok(key) = self.hub.open(TOPIC, now) else { return };
        let (_, begins) = self.hub.publish(key, "passed", json, now);
        if begins {
            self.sweeps.push_back(key);
        }
        let Service { hub, dropped, .. } = self;
        hub.trim_to(key, WINDOW_BYTES, |segment| dropped.push(segment));
    }
}
