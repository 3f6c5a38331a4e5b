//! The wire view: every byte is in one span, however the input is divided; the spans agree with the
//! protocol code; and the examples of the specifications have the right names.

mod agreement;
#[cfg(feature = "cli")]
mod command;
mod examples;
mod formats;
mod http;
mod protocols;
mod splitting;
#[path = "../protocol/vectors.rs"]
mod vectors;

use barewire::wire::{Conversation, Side, Span, Start};

/// Returns the spans of one side, fed in these pieces, without the other side.
pub fn one_side<'a>(start: Start, side: Side, pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Span> {
    let mut conversation = Conversation::one_sided(start);
    let mut spans = Vec::new();
    pieces.into_iter().for_each(|piece| conversation.feed(side, piece, &mut spans));
    conversation.finish(side, &mut spans);
    spans
}

/// Returns the spans of both sides, fed in these pieces.
pub fn both_sides<'a>(pieces: impl IntoIterator<Item = (Side, &'a [u8])>) -> Vec<Span> {
    let mut conversation = Conversation::new();
    let mut spans = Vec::new();
    pieces.into_iter().for_each(|(side, piece)| conversation.feed(side, piece, &mut spans));
    conversation.finish(Side::Client, &mut spans);
    conversation.finish(Side::Server, &mut spans);
    spans
}

/// Returns the spans of one side.
pub fn of(side: Side, spans: &[Span]) -> Vec<Span> {
    spans.iter().filter(|span| span.side == side).cloned().collect()
}

/// Returns the first span that breaks a rule.
pub fn first_violation(spans: &[Span]) -> Option<&Span> {
    spans.iter().find(|span| span.violation.is_some())
}

/// Asserts that the spans of one side are contiguous and contain exactly these bytes.
pub fn assert_contiguous(spans: &[Span], bytes: &[u8], what: &str) {
    let mut offset = 0;
    for span in spans {
        assert_eq!(span.offset, offset, "{what}: a gap before {span:?}");
        assert!(!span.bytes.is_empty(), "{what}: {span:?} is empty");
        assert!(span.unmasked.as_ref().is_none_or(|unmasked| unmasked.len() == span.bytes.len()), "{span:?}");
        offset = span.end();
    }
    let contained: Vec<u8> = spans.iter().flat_map(|span| &span.bytes).copied().collect();
    assert!(contained == bytes, "{what}: {} bytes in spans, {} sent", contained.len(), bytes.len());
}
