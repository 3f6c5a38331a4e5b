//! Lines of HTTP: where they end, and what may end them (RFC 9112 §2.2).

use super::span::{Kind, Violation};
use super::splitter::{FieldSpec, Splitter};
use crate::protocol::http::HeadError;
use crate::protocol::rule::Section;

/// How many bytes a line may have. Of a longer one the view does not wait for the end.
pub(super) const MOST_OF_A_LINE: usize = 64 * 1024;

/// The end of a line that is not empty.
pub(super) const CRLF: FieldSpec = FieldSpec::new(
    "CRLF",
    Kind::Separator,
    Section::rfc(9112, "2.2"),
    "Carriage return and line feed end a line.",
);

/// The line that comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Bytes of text.
    pub text: usize,
    /// How it ends.
    pub end: End,
}

/// The end of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    CrLf,
    /// Against the rule.
    BareLf,
    /// What was sent ends before the LF.
    Cr,
    /// What was sent ends before the line does.
    Missing,
}

impl Line {
    /// Whether no text can follow.
    pub fn has_complete_text(self) -> bool {
        self.end != End::Missing
    }

    /// Whether its end is there, right or wrong.
    pub fn is_complete(self) -> bool {
        matches!(self.end, End::CrLf | End::BareLf)
    }
}

/// What the next line is.
pub(super) enum NextLine {
    /// More has to come.
    Incomplete,
    /// Nothing comes any more.
    Finished,
    /// A line, or what there is of one.
    Line(Line),
    /// It is longer than what the view waits for.
    TooLong,
}

/// Looks for the end of the next line.
pub(super) fn next(splitter: &Splitter) -> NextLine {
    let rest = splitter.rest();
    let window = &rest[..rest.len().min(MOST_OF_A_LINE)];
    match window.iter().position(|byte| *byte == b'\n') {
        Some(at) if window[..at].ends_with(b"\r") => NextLine::Line(Line { text: at - 1, end: End::CrLf }),
        Some(at) => NextLine::Line(Line { text: at, end: End::BareLf }),
        None if window.len() == MOST_OF_A_LINE => NextLine::TooLong,
        None if !splitter.ended() => NextLine::Incomplete,
        None if rest.is_empty() => NextLine::Finished,
        None => match rest {
            [text @ .., b'\r'] => NextLine::Line(Line { text: text.len(), end: End::Cr }),
            text => NextLine::Line(Line { text: text.len(), end: End::Missing }),
        },
    }
}

/// Cuts the end of a line, behind its text, as `part`. Where it is missing, the span before it is cut off.
pub(super) fn split_end(splitter: &mut Splitter, line: Line, part: FieldSpec) {
    match line.end {
        End::CrLf => {
            splitter.emit(2, part);
        }
        End::BareLf => splitter.emit(1, part).violation = Some(HeadError::BareLf.rule().into()),
        End::Cr => splitter.emit(1, part).cut_off = true,
        End::Missing => {
            if let Some(last) = splitter.last() {
                last.cut_off = true;
            }
        }
    }
}

/// What is wrong with a control in a line.
pub(super) fn control(byte: u8) -> Violation {
    let error = if byte == b'\r' { HeadError::BareCr } else { HeadError::Control };
    error.rule().into()
}
