//! Lines of HTTP: where they end, and what may end them (RFC 9112 §2.2).

use super::cut::{Cutter, Part};
use super::rules;
use super::span::{Kind, Wrong};
use crate::protocol::http::HeadError;
use crate::protocol::rule::Section;

/// How many bytes a line may have. Of a longer one the view does not wait for the end.
pub(super) const MOST_OF_A_LINE: usize = 64 * 1024;

/// The end of a line that is not empty.
pub(super) const CRLF: Part = Part::new(
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
    pub fn has_all_text(self) -> bool {
        self.end != End::Missing
    }

    /// Whether its end is there, right or wrong.
    pub fn is_whole(self) -> bool {
        matches!(self.end, End::CrLf | End::BareLf)
    }
}

/// What the next line is.
pub(super) enum Next {
    /// More has to come.
    Awaited,
    /// Nothing comes any more.
    Nothing,
    /// A line, or what there is of one.
    Line(Line),
    /// It is longer than what the view waits for.
    TooLong,
}

/// Looks for the end of the next line.
pub(super) fn next(cutter: &Cutter) -> Next {
    let rest = cutter.rest();
    let window = &rest[..rest.len().min(MOST_OF_A_LINE)];
    match window.iter().position(|byte| *byte == b'\n') {
        Some(at) if window[..at].ends_with(b"\r") => Next::Line(Line { text: at - 1, end: End::CrLf }),
        Some(at) => Next::Line(Line { text: at, end: End::BareLf }),
        None if window.len() == MOST_OF_A_LINE => Next::TooLong,
        None if !cutter.ended() => Next::Awaited,
        None if rest.is_empty() => Next::Nothing,
        None => match rest {
            [text @ .., b'\r'] => Next::Line(Line { text: text.len(), end: End::Cr }),
            text => Next::Line(Line { text: text.len(), end: End::Missing }),
        },
    }
}

/// Cuts the end of a line, behind its text, as `part`. Where it is missing, the span before it is cut off.
pub(super) fn cut_end(cutter: &mut Cutter, line: Line, part: Part) {
    match line.end {
        End::CrLf => {
            cutter.cut(2, part);
        }
        End::BareLf => cutter.cut(1, part).wrong = Some(rules::of_head(HeadError::BareLf)),
        End::Cr => cutter.cut(1, part).cut_off = true,
        End::Missing => {
            if let Some(last) = cutter.last() {
                last.cut_off = true;
            }
        }
    }
}

/// What is wrong with a control in a line.
pub(super) fn control(byte: u8) -> Wrong {
    rules::of_head(if byte == b'\r' { HeadError::BareCr } else { HeadError::Control })
}
