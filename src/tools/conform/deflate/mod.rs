//! The suite `deflate`: compressed messages (RFC 7692).
//!
//! 1. `bits` — DEFLATE streams that no compressor writes; `distances` — the distances in one.
//! 2. `server_negotiation`, `client_negotiation` — offers and responses.
//! 3. `blocks`, `errors`, `takeover`, `reserved_bit` — scripts with compressed payloads.
//! 4. `windows` — the agreed windows, in both directions.
//! 5. `data` and `bulk` — thousands of messages, the cases of Autobahn's sections 12 and 13.
//!
//! An endpoint that does not agree to compression is not judged.

mod bits;
mod blocks;
mod bulk;
mod client_negotiation;
mod data;
mod distances;
mod errors;
mod reserved_bit;
mod server_negotiation;
mod takeover;
mod windows;

use std::borrow::Cow;

use super::case::{Case, Cases, Endpoint, Requirement};
use super::trial::{Finding, Trial};
use super::websocket::frame::{Frame, binary, text};
use super::websocket::opening::{Compression, open};
use super::websocket::peer::{Item, Peer};
use super::websocket::request::expect_item;
use super::websocket::script::Script;
use crate::protocol::websocket::deflate::{Deflater, LEVEL};
use crate::protocol::websocket::extension::{Direction, MAX_WINDOW_BITS, Offer, ServerPreferences};

/// RSV1, the bit of a compressed message (RFC 7692 §6).
const RSV1: u8 = 4;

/// Codes for a message that cannot be inflated. RFC 7692 names none.
const INVALID_DATA: &[Option<u16>] = &[Some(1007), Some(1002)];

/// Returns the cases of the suite.
pub fn cases() -> Vec<Case> {
    [
        server_negotiation::cases(),
        client_negotiation::cases(),
        blocks::cases(),
        errors::cases(),
        takeover::cases(),
        reserved_bit::cases(),
        windows::cases(),
        bulk::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Returns the compression of an offer without parameters, and of a response without them.
fn plain() -> Compression {
    Compression::Deflate { offer: Offer::default(), preferences: ServerPreferences::default() }
}

/// Returns a compressed text message in one frame.
fn compressed_text(payload: impl Into<Vec<u8>>) -> Frame {
    text(payload).rsv(RSV1)
}

/// Returns a compressed binary message in one frame.
fn compressed_binary(payload: impl Into<Vec<u8>>) -> Frame {
    binary(payload).rsv(RSV1)
}

fn text_item(content: &str) -> Item {
    Item::Text(content.into())
}

/// Returns what the agreement says about the messages of the suite.
fn of_suite(peer: &Peer) -> Direction {
    let agreement = peer.agreement().unwrap_or_default();
    if peer.masks() { agreement.client_to_server() } else { agreement.server_to_client() }
}

/// Returns what the agreement says about the messages of the endpoint.
fn of_endpoint(peer: &Peer) -> Direction {
    let agreement = peer.agreement().unwrap_or_default();
    if peer.masks() { agreement.server_to_client() } else { agreement.client_to_server() }
}

/// Sends similar messages, as the agreement allows, and expects their echoes, which the receiver of
/// the suite inflates as the agreement allows.
fn exchange(trial: &Trial, peer: &mut Peer) -> Result<(), Finding> {
    let mut deflater = Deflater::new(of_suite(peer), LEVEL);
    for number in 0..3 {
        let message = format!("{number} {}", "a message with a repetition, ".repeat(60));
        let mut payload = Vec::new();
        deflater.compress(message.as_bytes(), &mut payload);
        peer.send(&[compressed_text(payload)])?;
        expect_item(trial, peer, |item| *item == text_item(&message), "an echo of the message")?;
    }
    Ok(())
}

/// What a case needs the agreement to say about the messages of the suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Needs {
    Nothing,
    /// A message may refer to the previous ones.
    Context,
    /// A message must not refer to the previous ones.
    NoContext,
    /// The window has this size; a message may refer to the previous ones if `true`.
    Window(u8, bool),
}

impl Needs {
    fn check(self, peer: &Peer) -> Result<(), Finding> {
        let Direction { context_takeover, max_window_bits } = of_suite(peer);
        let is_fit = match self {
            Self::Nothing => true,
            Self::Context => context_takeover,
            Self::NoContext => !context_takeover,
            Self::Window(bits, needs_context) => {
                max_window_bits == bits && (context_takeover || !needs_context)
            }
        };
        let takeover = if context_takeover { "with" } else { "without" };
        let why = format!(
            "the agreement for the messages of the suite is {max_window_bits} window bits {takeover} \
             context takeover"
        );
        if is_fit { Ok(()) } else { Err(Finding::NotApplicable(why)) }
    }
}

impl Cases {
    /// Adds a case that plays a script with compression, if the agreement is as needed.
    fn compressed(
        &mut self,
        index: u16,
        title: impl Into<Cow<'static, str>>,
        requirement: Requirement,
        (compression, needs): (Compression, Needs),
        script: Script,
    ) -> &mut Case {
        let outcomes = script.outcomes();
        let play = move |trial: &mut Trial| {
            let peer = open(trial, compression)?;
            needs.check(&peer)?;
            script.play_on(peer, trial)
        };
        self.add(index, title, requirement, &outcomes, play)
    }
}

/// Returns the compression in which the messages of the suite have these restrictions, whichever
/// role the suite has.
fn restricted(trial: &Trial, no_context: bool, window_bits: u8) -> Compression {
    let mut preferences = ServerPreferences::default();
    let mut offer = Offer::default();
    match trial.endpoint() {
        Endpoint::Server => {
            offer.client_no_context_takeover = no_context;
            offer.client_max_window_bits = window(window_bits);
        }
        Endpoint::Client => {
            preferences.server_no_context_takeover = no_context;
            preferences.server_max_window_bits = window_bits;
        }
    }
    Compression::Deflate { offer, preferences }
}

fn window(bits: u8) -> crate::protocol::websocket::extension::ClientWindow {
    use crate::protocol::websocket::extension::ClientWindow;
    if bits < MAX_WINDOW_BITS { ClientWindow::AtMost(bits) } else { ClientWindow::Unnamed }
}
