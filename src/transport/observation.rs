//! The stream at `/wire`, on which a client observes every other connection: a topic that no
//! request can name. What its events contain is up to the server's observer.

use super::access::{Access, ObserverAccess, is_loopback};
use super::response::Refusal;
use crate::protocol::http::{RequestHead, Status, host_and_port};

/// The topic's name; no request can contain it.
pub const TOPIC: &str = "the wire";

/// The bytes of events that the topic keeps for clients that reconnect.
pub const WINDOW_BYTES: usize = 4 << 20;

/// Checks that a request may follow the stream.
///
/// The bytes of other connections are worth more than an event. A server that others can reach
/// requires a token. On loopback, a page of another site must not reach the stream through
/// its own name that resolves to this machine (DNS rebinding).
///
/// # Errors
/// The refusal of a request that may not.
pub fn admit(access: ObserverAccess, tokens: &Access, head: &RequestHead<'_, '_>) -> Result<(), Refusal> {
    let forbidden = |detail| Err(Refusal::new(Status::FORBIDDEN, detail));
    match access {
        ObserverAccess::Nobody => {
            Err(Refusal::new(Status::NOT_FOUND, "The wire view is off; start the server with --wire."))
        }
        ObserverAccess::Loopback => match head.host.and_then(host_and_port) {
            Some((name, _)) if is_loopback(name) => Ok(()),
            _ => forbidden("The wire view is available only under a loopback name, such as localhost."),
        },
        ObserverAccess::Token if tokens.follow_token.is_none() => {
            forbidden("Other machines can reach this server, so its wire view needs a --follow-token.")
        }
        ObserverAccess::Token => Ok(()),
    }
}
