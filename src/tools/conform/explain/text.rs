//! The explanation as text for a terminal.

use std::fmt::Write;

use super::{Line, lines};
use crate::text::escaped;
use crate::tools::conform::record::Record;
use crate::tools::conform::trial::Finding;
use crate::wire::Side;
use crate::wire::render::text::color_of;

/// The maximum number of lines of a conversation.
const MAX_LINES: usize = 44;

/// The text of a mark is shortened to this number of characters, because `observed:` repeats it.
const MAX_MARK_CHARS: usize = 60;

/// The width of the bytes of a row in digits.
const DIGITS: usize = 23;

const MARKED: &str = "\x1b[1;31m";
const BOLD: &str = "\x1b[1m";
const OFF: &str = "\x1b[0m";

/// Appends the conversations of a case, with the byte of the endpoint that shows the failure
/// marked. Uses the colors of ECMA-48 if `color` is true.
pub fn conversation(
    record: &Record,
    finding: Option<&Finding>,
    endpoint: Side,
    color: bool,
    out: &mut String,
) {
    for line in lines(record, finding, endpoint, MAX_LINES) {
        write_line(&line, color, out);
    }
}

fn write_line(line: &Line, color: bool, out: &mut String) {
    let paint = |on: &'static str| if color { [on, OFF] } else { ["", ""] };
    let [on, off] = paint(MARKED);
    // Writing to a String can't fail.
    let _ = match line {
        Line::Heading(who) => {
            let [on, off] = paint(BOLD);
            let gap = if out.is_empty() || out.ends_with("\n\n") { "" } else { "\n" };
            writeln!(out, "{gap}  {on}{who}{off}:")
        }
        Line::Head(text) => writeln!(out, "    {text}"),
        Line::Row(row) => {
            let offset = row.offset.map_or(String::new(), |offset| offset.to_string());
            let [on, off] = paint(row.kind.map_or("", color_of));
            let text = format!(
                "{offset:>8}  {on}{:<DIGITS$}{off}  {:<23}  {:<16}  {}",
                row.digits, row.field, row.value, row.meaning
            );
            writeln!(out, "{}", text.trim_end())
        }
        Line::Mark { column, width, is_head, text } => {
            let indent = if *is_head { 4 } else { 10 } + column;
            let text = escaped(text, &[]);
            let text = match text.char_indices().nth(MAX_MARK_CHARS) {
                Some((end, _)) => format!("{}…", &text[..end]),
                None => text.into_owned(),
            };
            writeln!(out, "{:indent$}{on}{} {text}{off}", "", "^".repeat(*width))
        }
        Line::Wrong(rule) => writeln!(out, "          {on}WRONG{off}: {rule}"),
        Line::Remark(text) => writeln!(out, "          {text}"),
        Line::Omission(lines) => writeln!(out, "\n    … {lines} more lines"),
    };
}
