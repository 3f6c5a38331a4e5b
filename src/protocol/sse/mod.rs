//! Event streams, both ends: `text/event-stream` (WHATWG HTML §9.2).
//!
//! A stream is lines; a line is a field, `name: value`; a blank line ends a block of them and
//! dispatches an event, if the block has data:
//!
//! ```text
//! retry: 2000        how long to wait before a reconnect, in milliseconds
//! id: x-41           what the reconnect will say in Last-Event-ID
//!                    no data: nothing is dispatched, but the two are remembered
//! id: x-42
//! event: price       left out for "message"
//! data: first line
//! data: second line  the two are joined with a line feed
//!                    the event is dispatched
//! :                  a comment: keeps the connection warm, and no more
//! ```
//!
//! The encoder writes for every client, the [`Decoder`] reads as every browser does.

mod decode;
mod encode;

pub use decode::{Block, DecodeError, DecodeLimits, Decoder, Event};
pub use encode::{HEARTBEAT, write_event, write_first_block, write_retry};
