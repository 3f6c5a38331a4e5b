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
