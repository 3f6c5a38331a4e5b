//! Event streams, `text/event-stream`: encoding and decoding (WHATWG HTML §9.2).
//!
//! A stream consists of lines, and each line is a field, `name: value`. A blank line ends a block
//! of fields and dispatches an event if the block has data:
//!
//! ```text
//! retry: 2000        the reconnection time in milliseconds
//! id: x-41           the value of Last-Event-ID after a reconnect
//!                    no data: nothing is dispatched, but both values are stored
//! id: x-42
//! event: price       omitted for "message"
//! data: first line
//! data: second line  joined to the first line with a line feed
//!                    the event is dispatched
//! :                  a comment, which only keeps the connection alive
//! ```
//!
//! The encoder serves all clients, and the [`Decoder`] works as a browser does.

mod decode;
mod encode;

pub use decode::{Block, DecodeError, DecodeLimits, Decoder, Event};
pub use encode::{HEARTBEAT, write_event, write_first_block, write_retry};
