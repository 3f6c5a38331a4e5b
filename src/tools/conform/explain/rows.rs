//! Spans as rows of bytes.

use super::{Line, Row};
use crate::wire::{Kind, Span};

/// The number of bytes in a row.
const ROW_BYTES: usize = 8;

/// The maximum number of rows for the bytes of a span.
const MAX_ROWS: usize = 3;

/// The maximum length of a value in characters. The bytes show the rest of it.
const MAX_VALUE_CHARS: usize = 32;

/// Appends the rows of a span, of which the byte at `marked` shows the failure.
pub fn push(span: &Span, marked: Option<usize>, observed: &str, lines: &mut Vec<Line>) {
    if span.kind == Kind::Mask && marked.is_none() {
        // The value of a mask is random, and the wire view decodes the payload.
        return;
    }
    let row_count = span.bytes.len().div_ceil(ROW_BYTES);
    let marked_row = marked.map(|marked| marked / ROW_BYTES);
    // The row before the marked one gives it a context.
    let first = marked_row.map_or(0, |row| if row < MAX_ROWS { 0 } else { row - 1 });
    let last = (first + MAX_ROWS).min(row_count);
    for row in first..last {
        let bytes = &span.bytes[row * ROW_BYTES..((row + 1) * ROW_BYTES).min(span.bytes.len())];
        let offset = span.offset + (row * ROW_BYTES) as u64;
        let digits = hex(bytes);
        let is_first = row == first;
        lines.push(Line::Row(Row {
            offset: (is_first || marked_row == Some(row)).then_some(offset),
            digits,
            kind: Some(span.kind),
            ..if is_first { described(span) } else { Row::default() }
        }));
        if let (Some(marked), true) = (marked, marked_row == Some(row)) {
            let text = observed.to_owned();
            lines.push(Line::Mark { column: marked % ROW_BYTES * 3, width: 2, is_head: false, text });
        }
    }
    let before = first * ROW_BYTES;
    let after = span.bytes.len().saturating_sub(last * ROW_BYTES);
    if before + after > 0 {
        lines.push(Line::Remark(format!("… {} more bytes", before + after)));
    }
    bits(span, lines);
    if let Some(rule) = span.violation {
        lines.push(Line::Wrong(rule.to_string()));
    }
}

fn described(span: &Span) -> Row {
    let value = match span.value.char_indices().nth(MAX_VALUE_CHARS) {
        Some((end, _)) => format!("{}…", &span.value[..end]),
        None => span.value.clone().into_owned(),
    };
    let cut_off = if span.cut_off { " [incomplete]" } else { "" };
    let meaning = format!("{} ({}){cut_off}", span.meaning, span.section);
    Row { field: span.field, value, meaning, ..Row::default() }
}

/// Appends a row for each bit field that breaks a rule.
fn bits(span: &Span, lines: &mut Vec<Line>) {
    for bits in span.bits.iter().filter(|bits| bits.breaks_rule) {
        let digit = |at: u8| match (bits.range.contains(&at), (bits.range.end - 1).saturating_sub(at)) {
            (false, _) => '.',
            (true, below) if bits.value >> below & 1 == 1 => '1',
            (true, _) => '0',
        };
        let digits: String = (0..8).map(digit).collect();
        lines.push(Line::Row(Row {
            digits: format!("{} {}", &digits[..4], &digits[4..]),
            field: bits.field,
            value: format!("{:#x}", bits.value),
            meaning: format!("{} ({})", bits.meaning, bits.section),
            ..Row::default()
        }));
    }
}

fn hex(bytes: &[u8]) -> String {
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.join(" ")
}
