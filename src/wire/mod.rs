//! The wire view: what each byte of a conversation is.
//!
//! [`Conversation`] follows a connection in both directions. It is handed bytes, cut anywhere, and gives [`Span`]s: a few
//! bytes of one side, the name that the specification has for them, what they say, what that means, and where it is written.
//! Every byte is in exactly one span. What breaks a rule is marked at its byte, with the rule; and then the view goes on, if it
//! can, for it is no server.
//!
//! ```
//! use barewire::wire::{Compression, Conversation, Side, Start};
//!
//! // The masked frame of RFC 6455 §5.7.
//! let bytes = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
//! let mut conversation = Conversation::one_sided(Start::WebSocket(Compression::None));
//! let mut spans = Vec::new();
//! conversation.feed(Side::Client, &bytes, &mut spans);
//!
//! let fields: Vec<_> = spans.iter().map(|span| (span.field, &*span.value)).collect();
//! assert_eq!(
//!     fields,
//!     [
//!         ("FIN, RSV1-3, opcode", "FIN, text"),
//!         ("MASK, Payload len", "5"),
//!         ("Masking-key", "37fa213d"),
//!         ("Payload Data", "Hello"),
//!     ]
//! );
//! ```
//!
//! The layer knows [`protocol`](crate::protocol) and nothing else. It asks the protocol code wherever that does not hide
//! at which byte something stands; where it has to find its own way, tests compare the two.
//!
//! What is not in the bytes of one span, but follows from several, is a [`Note`] at the last of them: a message joined from its
//! frames and inflated, an event that is dispatched, how the handshake's answer comes from its key.
//!
//! [`record`] is the form in which conversations are saved, [`render`] has the three forms in which spans are shown.

mod body;
mod chunked;
mod conversation;
mod event_stream;
mod exchange;
mod field_line;
mod frame;
mod glossary;
mod head;
#[cfg(feature = "deflate")]
mod inflation;
#[cfg(not(feature = "deflate"))]
#[path = "no_inflation.rs"]
mod inflation;
mod line;
mod message;
mod note;
mod payload;
pub mod record;
pub mod render;
mod response;
mod secrets;
mod span;
mod splitter;
mod start_line;

pub use crate::protocol::rule::{Document, Section};
pub use body::DATA_SPAN_BYTES;
pub use conversation::{Conversation, Start};
pub use exchange::{Compression, Protocol};
pub use message::MAX_MESSAGE_BYTES;
pub use note::{Content, Note};
pub use span::{Bits, Kind, MAX_VALUE_CHARS, Side, Span, Violation, printable};
