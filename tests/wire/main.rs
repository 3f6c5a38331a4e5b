//! The wire view: every byte in one span however the bytes are cut, the same as the protocol code says, and named right.

mod agreement;
mod carries;
#[cfg(feature = "cli")]
mod command;
mod http;
mod named;
mod saved;
#[path = "../protocol/vectors.rs"]
mod vectors;
mod whole;

use barewire::wire::{Conversation, Side, Span, Start};

/// The spans of what one side sends, in these pieces, when nobody sees the other.
pub fn one_side<'a>(start: Start, side: Side, pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Span> {
    let mut conversation = Conversation::one_sided(start);
    let mut spans = Vec::new();
    pieces.into_iter().for_each(|piece| conversation.feed(side, piece, &mut spans));
    conversation.finish(side, &mut spans);
    spans
}

/// The spans of what both send, piece after piece.
pub fn both_sides<'a>(pieces: impl IntoIterator<Item = (Side, &'a [u8])>) -> Vec<Span> {
    let mut conversation = Conversation::new();
    let mut spans = Vec::new();
    pieces.into_iter().for_each(|(side, piece)| conversation.feed(side, piece, &mut spans));
    conversation.finish(Side::Client, &mut spans);
    conversation.finish(Side::Server, &mut spans);
    spans
}

/// Those of one side.
pub fn of(side: Side, spans: &[Span]) -> Vec<Span> {
    spans.iter().filter(|span| span.side == side).cloned().collect()
}

/// The offset of the first byte that breaks a rule.
pub fn first_wrong(spans: &[Span]) -> Option<&Span> {
    spans.iter().find(|span| span.violation.is_some())
}

/// The spans of one side hold these bytes, end to end.
pub fn assert_whole(spans: &[Span], bytes: &[u8], what: &str) {
    let mut offset = 0;
    for span in spans {
        assert_eq!(span.offset, offset, "{what}: a gap before {span:?}");
        assert!(!span.bytes.is_empty(), "{what}: {span:?} is empty");
        assert!(span.unmasked.as_ref().is_none_or(|unmasked| unmasked.len() == span.bytes.len()), "{span:?}");
        offset = span.end();
    }
    let held: Vec<u8> = spans.iter().flat_map(|span| &span.bytes).copied().collect();
    assert!(held == bytes, "{what}: {} bytes in spans, {} sent", held.len(), bytes.len());
}
