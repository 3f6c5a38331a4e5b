//! Shortens long payloads to their first span and the number of bytes after it.

use std::collections::HashMap;

use crate::wire::{DATA_SPAN_BYTES, Kind, Side, Span};

/// The rest of a long payload, which is not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Omission {
    /// The side that sent the payload.
    pub side: Side,
    /// The field that the bytes belong to.
    pub field: &'static str,
    /// The number of bytes.
    pub bytes: usize,
    /// True for data, and false for the overhead of the protocols.
    pub is_data: bool,
}

/// An item to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown<'s> {
    /// A span.
    Span(&'s Span),
    /// The number of bytes that are not shown after a long span.
    Omission(Omission),
}

/// A payload that may continue after its first span.
#[derive(Debug, Default)]
struct LongPayload {
    field: &'static str,
    skipped: usize,
    is_data: bool,
}

impl LongPayload {
    fn omission(&self, side: Side) -> Option<Omission> {
        let LongPayload { field, skipped: bytes, is_data } = *self;
        (bytes > 0).then_some(Omission { side, field, bytes, is_data })
    }
}

/// Shortens the payloads of any number of connections.
#[derive(Debug, Default)]
pub struct Shortener {
    long: HashMap<(u64, Side), LongPayload>,
}

impl Shortener {
    /// Consumes the next span of a connection. Appends the items to show: the rest of a long
    /// payload that has ended, and the span itself unless a long payload continues with it.
    pub fn span<'s>(&mut self, connection: u64, span: &'s Span, shown: &mut Vec<Shown<'s>>) {
        let long = self.long.entry((connection, span.side)).or_default();
        let may_continue = matches!(span.kind, Kind::Payload | Kind::Opaque);
        let is_plain = span.notes.is_empty() && span.violation.is_none();
        if may_continue && long.field == span.field && is_plain {
            long.skipped += span.bytes.len();
            return;
        }
        let next = match may_continue && span.bytes.len() == DATA_SPAN_BYTES {
            true => LongPayload { field: span.field, skipped: 0, is_data: span.is_data() },
            false => LongPayload::default(),
        };
        let previous = std::mem::replace(long, next);
        shown.extend(previous.omission(span.side).map(Shown::Omission));
        shown.push(Shown::Span(span));
    }

    /// Ends a connection. Returns the rest of its last payloads.
    pub fn end(&mut self, connection: u64) -> impl Iterator<Item = Omission> {
        [Side::Client, Side::Server]
            .into_iter()
            .filter_map(move |side| self.long.remove(&(connection, side))?.omission(side))
    }
}
