//! Long payloads, shortened: their first piece, and how much more there was.

use std::collections::HashMap;

use crate::wire::{DATA_SPAN_BYTES, Kind, Side, Span};

/// What was left out of a long payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct More {
    /// Who has sent it.
    pub side: Side,
    /// The field whose bytes they are.
    pub field: &'static str,
    /// How many bytes.
    pub bytes: usize,
    /// Whether they are data, and not what it costs to carry data.
    pub is_data: bool,
}

/// What is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown<'s> {
    /// A span, as it is.
    Span(&'s Span),
    /// Instead of those that follow a long one.
    More(More),
}

/// A payload that may go on behind its first piece.
#[derive(Debug, Default)]
struct Long {
    field: &'static str,
    skipped: usize,
    is_data: bool,
}

impl Long {
    fn more(&self, side: Side) -> Option<More> {
        let Long { field, skipped: bytes, is_data } = *self;
        (bytes > 0).then_some(More { side, field, bytes, is_data })
    }
}

/// Shortens what is shown of any number of connections.
#[derive(Debug, Default)]
pub struct Shortener {
    long: HashMap<(u64, Side), Long>,
}

impl Shortener {
    /// Takes the next span of a connection, and appends what is shown of it, and before it of a long payload that is over.
    pub fn span<'s>(&mut self, connection: u64, span: &'s Span, shown: &mut Vec<Shown<'s>>) {
        let long = self.long.entry((connection, span.side)).or_default();
        let may_go_on = matches!(span.kind, Kind::Payload | Kind::Opaque);
        let is_plain = span.notes.is_empty() && span.violation.is_none();
        if may_go_on && long.field == span.field && is_plain {
            long.skipped += span.bytes.len();
            return;
        }
        let next = match may_go_on && span.bytes.len() == DATA_SPAN_BYTES {
            true => Long { field: span.field, skipped: 0, is_data: span.is_data() },
            false => Long::default(),
        };
        let last = std::mem::replace(long, next);
        shown.extend(last.more(span.side).map(Shown::More));
        shown.push(Shown::Span(span));
    }

    /// A connection is over: what was left out of its last payloads.
    pub fn end(&mut self, connection: u64) -> impl Iterator<Item = More> {
        [Side::Client, Side::Server]
            .into_iter()
            .filter_map(move |side| self.long.remove(&(connection, side))?.more(side))
    }
}
