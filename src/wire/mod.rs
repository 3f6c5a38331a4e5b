//! The wire view: a name for every byte of a conversation.
//!
//! A [`Conversation`] receives the bytes of both directions of a connection, divided at any byte.
//! It returns [`Span`]s: a few bytes of one side with the name that the specification gives them,
//! the decoded value, its meaning, and the section that defines it. Every byte is in exactly one
//! span. The first byte that breaks a rule is marked with the rule. A server would close the
//! connection there; the view continues if it can.
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
//! The module depends on [`protocol`](crate::protocol) only. It calls the protocol code wherever
//! that does not hide the position of a byte. Elsewhere it has its own parser, and tests compare
//! the two.
//!
//! A [`Note`] is attached to the last of several spans that form a unit: a message that is joined
//! from its frames and inflated, an event that is dispatched, the derivation of the handshake's
//! response from its key.
//!
//! [`record`] is the format of saved conversations, and [`render`] the three formats in which spans
//! are shown.

mod body;
mod chunk_extensions;
mod chunked;
mod content;
mod conversation;
mod direction;
mod event_stream;
mod exchange;
mod field_line;
mod frame;
mod frame_header;
mod glossary;
mod head;
mod head_fields;
mod inflation;
mod line;
mod message;
mod note;
mod payload;
pub mod record;
pub mod render;
mod request;
mod response;
mod secret_names;
mod secrets;
mod span;
mod splitter;
mod start_line;

pub use crate::protocol::rule::{Document, Rule, Section};
pub use conversation::{Conversation, PIECE_BYTES};
pub use direction::Start;
pub use exchange::{Compression, Protocol};
pub use message::MAX_MESSAGE_BYTES;
pub use note::{Content, Note};
pub use secret_names::SecretNames;
pub use span::{Bits, Kind, MAX_VALUE_CHARS, Side, Span, printable};
pub use splitter::DATA_SPAN_BYTES;
