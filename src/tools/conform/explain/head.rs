//! The lines of a head.

use super::Line;
use crate::wire::{Kind, Span, printable};

/// The longest line of a head that is shown, in characters.
const MAX_CHARS: usize = 120;

/// A line of a head while its spans arrive.
#[derive(Default)]
pub struct HeadLine {
    text: String,
    ends_line: bool,
    /// The column of the byte where the failure shows.
    mark: Option<usize>,
    /// The rules that its bytes break.
    violations: Vec<String>,
}

/// Returns whether the span is the blank line that ends a head.
pub fn is_end(span: &Span) -> bool {
    span.field == "CRLF" && span.kind == Kind::Control
}

impl HeadLine {
    /// Adds the bytes of a span, of which the one at `marked` shows the failure.
    pub fn push(&mut self, span: &Span, marked: Option<usize>) {
        let column = self.text.chars().count();
        // A failure of the whole head has no byte of its own.
        let marked = marked.filter(|_| !is_end(span));
        if let Some(marked) = marked {
            self.mark = Some(column + printable(&span.bytes[..marked]).chars().count());
        }
        self.ends_line = is_end(span) || span.bytes.ends_with(b"\n");
        let is_plain_end = &*span.bytes == b"\r\n" && marked.is_none() && span.violation.is_none();
        if !is_plain_end {
            self.text.push_str(&printable(&span.bytes));
        }
        self.violations.extend(span.violation.map(|rule| rule.to_string()));
    }

    /// Returns whether the line has ended.
    pub fn is_complete(&self) -> bool {
        self.ends_line
    }

    /// Appends the line and what there is to say about it.
    pub fn into_lines(self, observed: &str, lines: &mut Vec<Line>) {
        let is_blank = self.text.is_empty();
        if is_blank && self.mark.is_none() {
            return;
        }
        let shown = match self.text.char_indices().nth(MAX_CHARS) {
            Some((end, _)) => format!("{}…", &self.text[..end]),
            None => self.text,
        };
        lines.push(Line::Head(shown));
        if let Some(column) = self.mark {
            let text = observed.to_owned();
            lines.push(Line::Mark { column: column.min(MAX_CHARS), width: 1, is_head: true, text });
        }
        lines.extend(self.violations.into_iter().map(Line::Wrong));
    }
}
