//! The explained bytes as markup.

use std::fmt::Write;

use super::safe;
use crate::tools::conform::explain::{Line, lines};
use crate::tools::conform::record::Record;
use crate::tools::conform::trial::Finding;
use crate::tools::html_report::markup::escaped;
use crate::wire::Side;

/// The maximum number of lines of a conversation.
const MAX_LINES: usize = 200;

/// Returns the conversation of a failed case. It scrolls sideways, also with the keyboard.
pub fn markup(record: &Record, finding: Option<&Finding>, endpoint: Side) -> String {
    let mut out = String::from("<pre class=\"bytes\" tabindex=\"0\">");
    for line in lines(record, finding, endpoint, MAX_LINES) {
        write_line(&line, &mut out);
    }
    out + "</pre>\n"
}

fn write_line(line: &Line, out: &mut String) {
    // Writing to a String can't fail.
    let _ = match line {
        Line::Heading(who) => writeln!(out, "<b>{}:</b>", escaped(who)),
        Line::Head(text) => writeln!(out, "  {}", escaped(text)),
        Line::Row(row) => {
            let offset = row.offset.map_or(String::new(), |offset| offset.to_string());
            let kind = row.kind.map_or("", |kind| kind.name());
            let described = format!("{:<23}  {:<16}  {}", row.field, row.value, row.meaning);
            writeln!(
                out,
                "{offset:>6}  <span class=\"{kind}\">{:<23}</span>  {}",
                row.digits,
                escaped(described.trim_end())
            )
        }
        Line::Mark { column, width, is_head, text } => {
            let indent = if *is_head { 2 } else { 8 } + column;
            writeln!(out, "{:indent$}<mark>{} {}</mark>", "", "^".repeat(*width), safe(text))
        }
        Line::Wrong(rule) => writeln!(out, "        <em>WRONG: {}</em>", escaped(rule)),
        Line::Remark(text) => writeln!(out, "        {}", escaped(text)),
        Line::Omission(lines) => writeln!(out, "  … {lines} more lines"),
    };
}
