//! Splits the bytes of one side into spans.

use std::borrow::Cow;
use std::ops::Range;

use super::secret_names::SecretNames;
use super::span::{Kind, Side, Span, printable};
use crate::protocol::rule::{Rule, Section};

/// The maximum size of a data span, in bytes. Longer data is split at multiples of it, counted
/// from the first byte of the data.
pub const DATA_SPAN_BYTES: usize = 4096;

/// The properties that all spans of a field share.
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

/// The result of a step of a state machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// The machine needs more bytes than have arrived.
    NeedMore,
    /// The machine has reached its end; the bytes that follow belong to the next one.
    Done,
    /// The start of the next field can't be determined, for this reason.
    Unreadable(&'static str),
}

/// The bytes of one side that are not in a span yet, and the spans split off so far.
pub(super) struct Splitter<'c> {
    side: Side,
    /// The offset of the first byte of `rest`.
    offset: u64,
    rest: &'c [u8],
    out: &'c mut Vec<Span>,
    /// The number of spans that were in `out` before this splitter.
    before: usize,
    ended: bool,
    /// The names of the secrets to hide; `None` shows all.
    secrets: Option<&'c SecretNames>,
    /// The offsets of the secrets.
    hidden: Vec<Range<u64>>,
}

impl<'c> Splitter<'c> {
    /// Returns a splitter of `rest`, whose first byte is at `offset`. `ended` means that no byte
    /// follows `rest`.
    pub fn new(side: Side, offset: u64, rest: &'c [u8], ended: bool, out: &'c mut Vec<Span>) -> Self {
        let before = out.len();
        Self { side, offset, rest, out, before, ended, secrets: None, hidden: Vec::new() }
    }

    /// Makes [`hide`](Self::hide) effective if there are names of secrets.
    pub fn hiding(self, secrets: Option<&'c SecretNames>) -> Self {
        Self { secrets, ..self }
    }

    /// Returns the names of the secrets to hide, unless all are shown.
    pub fn secrets(&self) -> Option<&'c SecretNames> {
        self.secrets
    }

    /// Returns the bytes that are not in a span yet.
    pub fn rest(&self) -> &'c [u8] {
        self.rest
    }

    /// Returns true if no byte follows [`rest`](Self::rest).
    pub fn ended(&self) -> bool {
        self.ended
    }

    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Returns the last span that this splitter has emitted.
    pub fn last(&mut self) -> Option<&mut Span> {
        self.out[self.before..].last_mut()
    }

    /// Returns true if a span that this splitter has emitted at or after `offset` breaks a rule.
    pub fn has_violation_since(&self, offset: u64) -> bool {
        let emitted = self.out[self.before..].iter().rev();
        emitted.take_while(|span| span.offset >= offset).any(|span| span.violation.is_some())
    }

    /// Replaces the list of secrets. Ranges are relative to the first byte of
    /// [`rest`](Self::rest).
    pub fn hide(&mut self, ranges: impl IntoIterator<Item = Range<usize>>) {
        let offset = self.offset;
        self.hidden.clear();
        if self.secrets.is_none() {
            return;
        }
        self.hidden
            .extend(ranges.into_iter().map(|range| offset + range.start as u64..offset + range.end as u64));
    }

    /// Emits a span of the next `length` bytes, which must be at least one.
    pub fn emit(&mut self, length: usize, spec: FieldSpec) -> &mut Span {
        debug_assert!(length > 0, "a span of {:?} has no bytes", spec.field);
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
            field: spec.field,
            value,
            meaning: Cow::Borrowed(spec.meaning),
            section: spec.section,
            kind: spec.kind,
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

    /// Emits a span of the next `length` bytes, unless `length` is 0.
    pub fn emit_nonempty(&mut self, length: usize, spec: FieldSpec) -> Option<&mut Span> {
        (length > 0).then(|| self.emit(length, spec))
    }

    /// Emits all remaining bytes as a truncated field, if no more bytes follow.
    pub fn emit_truncated(&mut self, spec: FieldSpec) {
        if self.ended
            && let Some(span) = self.emit_nonempty(self.rest.len(), spec)
        {
            span.cut_off = true;
        }
    }

    /// Emits the next `length` bytes. Each run of bytes that `is_bad` rejects becomes a span that
    /// breaks the rule that `rule` returns for the first byte of the run.
    pub fn emit_text(
        &mut self,
        length: usize,
        spec: FieldSpec,
        is_bad: impl Fn(u8) -> bool,
        rule: impl Fn(u8) -> Rule,
    ) {
        let mut text = &self.rest[..length];
        while let [first, ..] = text {
            let bad = is_bad(*first);
            let end = text.iter().position(|byte| is_bad(*byte) != bad).unwrap_or(text.len());
            let span = self.emit(end, spec);
            if bad {
                span.violation = Some(rule(*first));
            }
            text = &text[end..];
        }
    }

    /// Returns the secrets in `range`, relative to its start.
    fn hidden_in(&self, range: Range<u64>) -> Vec<Range<usize>> {
        let within = |hidden: &Range<u64>| {
            let (start, end) = (hidden.start.max(range.start), hidden.end.min(range.end));
            (start < end).then(|| (start - range.start) as usize..(end - range.start) as usize)
        };
        self.hidden.iter().filter_map(within).collect()
    }
}
