//! Cutting spans from what one side has sent.

use std::borrow::Cow;
use std::ops::Range;

use super::span::{Kind, Side, Span, Violation, printable};
use crate::protocol::rule::Section;

/// What is the same for all spans of one field.
#[derive(Clone, Copy)]
pub(super) struct FieldSpec {
    pub field: &'static str,
    pub kind: Kind,
    pub section: Section,
    pub meaning: &'static str,
}

impl FieldSpec {
    pub const fn new(field: &'static str, kind: Kind, section: Section, meaning: &'static str) -> Self {
        Self { field, kind, section, meaning }
    }
}

/// How far a state machine has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// It needs more bytes than there are.
    NeedMore,
    /// It is done; what follows is another's.
    Done,
    /// Where the next field would begin is not known, and why.
    Unreadable(&'static str),
}

/// A rule, in a sentence without its section, and the section.
pub(super) const fn violation(rule: &'static str, section: Section) -> Violation {
    Violation { rule: Cow::Borrowed(rule), section }
}

/// The bytes that are in no span yet, and the spans.
pub(super) struct Splitter<'c> {
    side: Side,
    offset: u64,
    rest: &'c [u8],
    out: &'c mut Vec<Span>,
    /// How many spans were there before.
    before: usize,
    /// Nothing more will come.
    ended: bool,
    /// Secrets are not shown.
    hides: bool,
    /// What not to show, by its offsets.
    hidden: Vec<Range<u64>>,
}

impl<'c> Splitter<'c> {
    /// Of the side's bytes from `offset` on these are there, of which it `ended` if none will come behind them.
    pub fn new(side: Side, offset: u64, rest: &'c [u8], ended: bool, out: &'c mut Vec<Span>) -> Self {
        let before = out.len();
        Self { side, offset, rest, out, before, ended, hides: false, hidden: Vec::new() }
    }

    /// The same, but [`hide`](Self::hide) has an effect if `hides`.
    pub fn hiding(self, hides: bool) -> Self {
        Self { hides, ..self }
    }

    pub fn hides(&self) -> bool {
        self.hides
    }

    /// What is in no span yet.
    pub fn rest(&self) -> &'c [u8] {
        self.rest
    }

    /// True if nothing will come behind [`rest`](Self::rest).
    pub fn ended(&self) -> bool {
        self.ended
    }

    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The span cut last, if it was cut in this call.
    pub fn last(&mut self) -> Option<&mut Span> {
        self.out[self.before..].last_mut()
    }

    /// Whether a span that begins at `offset` or behind it, and was cut in this call, breaks a rule.
    pub fn has_violation_since(&self, offset: u64) -> bool {
        let cut = self.out[self.before..].iter().rev();
        cut.take_while(|span| span.offset >= offset).any(|span| span.violation.is_some())
    }

    /// From now on these are the bytes not to show, counted from the first of [`rest`](Self::rest).
    pub fn hide(&mut self, ranges: impl IntoIterator<Item = Range<usize>>) {
        let offset = self.offset;
        self.hidden.clear();
        if !self.hides {
            return;
        }
        self.hidden
            .extend(ranges.into_iter().map(|range| offset + range.start as u64..offset + range.end as u64));
    }

    /// Cuts the next `length` bytes, at least one.
    pub fn emit(&mut self, length: usize, part: FieldSpec) -> &mut Span {
        debug_assert!(length > 0, "a span of {:?} has no bytes", part.field);
        let (bytes, rest) = self.rest.split_at(length);
        self.rest = rest;
        let offset = self.offset;
        self.offset += length as u64;
        let mut bytes: Box<[u8]> = bytes.into();
        let hidden = self.hidden_in(offset..self.offset);
        for range in &hidden {
            bytes[range.clone()].fill(b'*');
        }
        let value = printable(&bytes).into();
        self.out.push(Span {
            side: self.side,
            offset,
            bytes,
            field: part.field,
            value,
            meaning: Cow::Borrowed(part.meaning),
            section: part.section,
            kind: part.kind,
            bits: Vec::new(),
            unmasked: None,
            violation: None,
            cut_off: false,
            hidden,
            notes: Vec::new(),
        });
        let last = self.out.len() - 1;
        &mut self.out[last]
    }

    /// Cuts the next `length` bytes, if that is not none.
    pub fn emit_nonempty(&mut self, length: usize, part: FieldSpec) -> Option<&mut Span> {
        (length > 0).then(|| self.emit(length, part))
    }

    /// Cuts all that is left, if nothing more will come: a part of what should be here.
    pub fn emit_truncated(&mut self, part: FieldSpec) {
        if self.ended
            && let Some(span) = self.emit_nonempty(self.rest.len(), part)
        {
            span.cut_off = true;
        }
    }

    /// Cuts the next `length` bytes, and each run of those that are bad by itself; `wrong` says of its first byte what is.
    pub fn emit_text(
        &mut self,
        length: usize,
        part: FieldSpec,
        is_bad: impl Fn(u8) -> bool,
        wrong: impl Fn(u8) -> Violation,
    ) {
        let mut text = &self.rest[..length];
        while let [first, ..] = text {
            let bad = is_bad(*first);
            let end = text.iter().position(|byte| is_bad(*byte) != bad).unwrap_or(text.len());
            let span = self.emit(end, part);
            if bad {
                span.violation = Some(wrong(*first));
            }
            text = &text[end..];
        }
    }

    fn hidden_in(&self, range: Range<u64>) -> Vec<Range<usize>> {
        let within = |hidden: &Range<u64>| {
            let (start, end) = (hidden.start.max(range.start), hidden.end.min(range.end));
            (start < end).then(|| (start - range.start) as usize..(end - range.start) as usize)
        };
        self.hidden.iter().filter_map(within).collect()
    }
}
