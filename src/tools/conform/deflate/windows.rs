//! Section 6: the agreed windows (RFC 7692 §7.1.2).

use super::bits::{Bits, Kind};
use super::distances::greatest_distance;
use super::{INVALID_DATA, Needs, compressed_binary, data, of_endpoint, restricted};
use crate::protocol::websocket::extension::{MAX_WINDOW_BITS, Offer, ServerPreferences};
use crate::tools::conform::case::{Case, Cases, Requirement, Suite, pass};
use crate::tools::conform::trial::{Finding, Trial};
use crate::tools::conform::websocket::frame::{Frame, binary, close};
use crate::tools::conform::websocket::opening::{Compression, open};
use crate::tools::conform::websocket::peer::{Item, Next};
use crate::tools::conform::websocket::script::{PROMPTLY, Script};

const SENDER: Requirement = Requirement::must(
    7692,
    "7.1.2",
    "A sender does not refer back over more bytes than the agreed window has.",
);
const RECEIVER: Requirement = Requirement::must(
    7692,
    "7.1.2",
    "A receiver inflates messages that refer back over the whole agreed window.",
);
const BEYOND: Requirement =
    Requirement::may(7692, "7.1.2", "A receiver needs no more bytes than the agreed window has.");

const WITHIN: &str = "stays within the window";
const UNCOMPRESSED: &str = "sends its messages uncompressed";

/// Returns the cases of the section.
pub fn cases() -> Vec<Case> {
    let mut cases = Cases::of(Suite::Deflate, 6, "windows");
    for bits in 8..=MAX_WINDOW_BITS {
        let index = u16::from(bits);
        let title = format!("the endpoint's messages with {bits} window bits");
        let outcomes = [pass(WITHIN), pass(UNCOMPRESSED)];
        cases.add(index, title, SENDER, &outcomes, move |trial| endpoint_stays_within(trial, bits));
        let script = move || {
            let (frame, item) = at_distance(bits, 1 << bits);
            Script::new().send([frame]).pass([item])
        };
        let title = format!("a reference over the whole window of {bits} bits");
        cases.add(20 + index, title, RECEIVER, &script().outcomes(), move |trial| {
            play_restricted(trial, bits, &script())
        });
        if bits < MAX_WINDOW_BITS {
            let script = move || beyond(bits);
            let title = format!("a reference over one byte more than the window of {bits} bits");
            cases.add(40 + index, title, BEYOND, &script().outcomes(), move |trial| {
                play_restricted(trial, bits, &script())
            });
        }
    }
    cases.into_vec()
}

fn play_restricted(trial: &mut Trial, bits: u8, script: &Script) -> Result<&'static str, Finding> {
    let peer = open(trial, restricted(trial, false, bits))?;
    Needs::Window(bits, false).check(&peer)?;
    script.play_on(peer, trial)
}

/// Returns a message that refers back over `distance` bytes, and its content.
fn at_distance(bits: u8, distance: u32) -> (Frame, Item) {
    let noise = data::noise(1 << bits);
    let start = [&noise[..], &noise[..distance as usize - noise.len()]].concat();
    let message = Bits::new().stored(false, &start).block(false, Kind::Fixed).copy(100, distance);
    let content = [&start[..], &start[..100]].concat();
    (compressed_binary(message.end().message()), Item::Binary(content))
}

fn beyond(bits: u8) -> Script {
    let (frame, item) = at_distance(bits, (1 << bits) + 1);
    Script::new().send([frame]).fails([], INVALID_DATA).allowed("has a larger window", [item])
}

/// Sends messages that a compressor with a larger window would compress better, and reads the
/// distances in the echoes.
fn endpoint_stays_within(trial: &mut Trial, bits: u8) -> Result<&'static str, Finding> {
    let offer = Offer { server_max_window_bits: Some(bits), ..Offer::default() };
    let preferences = ServerPreferences { client_max_window_bits: bits, ..ServerPreferences::default() };
    let mut peer = open(trial, Compression::Deflate { offer, preferences })?;
    let agreed = of_endpoint(&peer).max_window_bits;
    if agreed > bits {
        return Err(Finding::NotApplicable(format!("the window of the endpoint has {agreed} bits")));
    }
    peer.keep_bytes();
    for message in repetitive(bits) {
        peer.send(&[binary(message.clone())])?;
        let failed = |observed: String| Finding::failed("an echo of the message", observed);
        match peer.next(trial.after(PROMPTLY))? {
            Next::Item(Item::Binary(echo)) if echo == message => {}
            Next::Item(item) => return Err(failed(item.to_string())),
            Next::Ended(end) => return Err(failed(end.to_string())),
            Next::Quiet => return Err(failed("nothing in time".into())),
        }
    }
    peer.send(&[close(1000, "")])?;
    match greatest_distance(peer.kept_bytes()) {
        None => Ok(UNCOMPRESSED),
        Some(distance) if distance <= 1 << agreed => Ok(WITHIN),
        Some(distance) => {
            let expected = format!("distances of at most {} bytes", 1_u32 << agreed);
            Err(Finding::failed(expected, format!("a distance of {distance} bytes")))
        }
    }
}

/// Returns messages whose parts return at distances below, at and above the window.
fn repetitive(bits: u8) -> Vec<Vec<u8>> {
    let window = 1_usize << bits;
    let noise = data::noise(window * 2);
    let mut messages: Vec<Vec<u8>> = Vec::new();
    for distance in [window / 2, window - 1, window, window + 1, window + window / 4, window * 2] {
        let distance = distance.min(noise.len());
        messages.push([&noise[..distance], &noise[..distance.min(1000)]].concat());
    }
    // With context takeover, these return to the previous messages.
    messages.push(noise[..window.min(4000)].to_vec());
    messages.push(noise[..window.min(4000)].to_vec());
    messages.push(data::html()[..window.max(4000)].to_vec());
    messages
}
