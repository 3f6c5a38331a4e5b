//! Lines of HTTP and their line terminators (RFC 9112 §2.2).

use super::span::Kind;
use super::splitter::{FieldSpec, Splitter};
use crate::protocol::http::HeadError;
use crate::protocol::rule::{Rule, Section};

/// The maximum length of a line, in bytes. The view does not wait for the end of a longer one.
const MAX_LINE_BYTES: usize = 64 * 1024;

/// Why a side with a longer line is not read any further.
pub(super) const LINE_TOO_LONG: &str = "The line is longer than the 64 KiB that the view reads.";

/// The terminator of a line that is not empty.
pub(super) const CRLF: FieldSpec = FieldSpec::new(
    "CRLF",
    Kind::Separator,
    Section::rfc(9112, "2.2"),
    "Carriage return and line feed end the line.",
);

/// A line at the start of the unread bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// The length of the text before the terminator, in bytes.
    pub text: usize,
    pub end: LineEnd,
}

/// The terminator of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineEnd {
    CrLf,
    /// An LF without a CR, which breaks a rule.
    BareLf,
    /// A CR at the end of the input.
    Cr,
    /// The input ends before the line does.
    Missing,
}

impl Line {
    /// Returns true if no more text can follow.
    pub fn has_complete_text(self) -> bool {
        self.end != LineEnd::Missing
    }

    /// Returns true if the line has its terminator, valid or not.
    pub fn is_complete(self) -> bool {
        matches!(self.end, LineEnd::CrLf | LineEnd::BareLf)
    }
}

/// The result of a search for the next line.
pub(super) enum NextLine {
    /// More bytes must arrive first.
    Incomplete,
    /// The input has ended, and no bytes are left.
    Finished,
    /// A line. It lacks its terminator only at the end of the input.
    Line(Line),
    /// The line is longer than the view reads.
    TooLong,
}

/// Returns the next line, without consuming it.
pub(super) fn next(splitter: &Splitter) -> NextLine {
    let rest = splitter.rest();
    let window = &rest[..rest.len().min(MAX_LINE_BYTES)];
    match window.iter().position(|byte| *byte == b'\n') {
        Some(at) if window[..at].ends_with(b"\r") => {
            NextLine::Line(Line { text: at - 1, end: LineEnd::CrLf })
        }
        Some(at) => NextLine::Line(Line { text: at, end: LineEnd::BareLf }),
        None if window.len() == MAX_LINE_BYTES => NextLine::TooLong,
        None if !splitter.ended() => NextLine::Incomplete,
        None if rest.is_empty() => NextLine::Finished,
        None => match rest {
            [text @ .., b'\r'] => NextLine::Line(Line { text: text.len(), end: LineEnd::Cr }),
            text => NextLine::Line(Line { text: text.len(), end: LineEnd::Missing }),
        },
    }
}

/// Emits the terminator of a line whose text has been emitted. A missing terminator marks the last
/// span as cut off.
pub(super) fn split_end(splitter: &mut Splitter, line: Line, spec: FieldSpec) {
    match line.end {
        LineEnd::CrLf => {
            splitter.emit(2, spec);
        }
        LineEnd::BareLf => splitter.emit(1, spec).violation = Some(HeadError::BareLf.rule()),
        LineEnd::Cr => splitter.emit(1, spec).cut_off = true,
        LineEnd::Missing => {
            if let Some(last) = splitter.last() {
                last.cut_off = true;
            }
        }
    }
}

/// Returns the rule that a control character in a line breaks.
pub(super) fn control(byte: u8) -> Rule {
    let error = if byte == b'\r' { HeadError::BareCr } else { HeadError::Control };
    error.rule()
}
