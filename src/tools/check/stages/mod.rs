//! The ten stages, in the order of the examples.

mod cursor;
mod echo;
mod fragments;
mod frame;
mod gap;
mod handshake;
mod head;
mod hold;
mod pipelining;
mod stream;
mod websocket;

use super::stage::Stage;

/// All stages, in the order in which they are built.
pub const ALL: [&Stage; 10] = [
    &echo::STAGE,
    &head::STAGE,
    &pipelining::STAGE,
    &cursor::STAGE,
    &hold::STAGE,
    &stream::STAGE,
    &handshake::STAGE,
    &frame::STAGE,
    &fragments::STAGE,
    &gap::STAGE,
];

/// Returns the stage with this number, from 1, or name, and its index.
pub fn named(text: &str) -> Option<(usize, &'static Stage)> {
    let by_number = text.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
    let index = by_number.or_else(|| ALL.iter().position(|stage| stage.name.eq_ignore_ascii_case(text)))?;
    Some((index, *ALL.get(index)?))
}
