//! The explanation of a failure: the bytes of the conversation, with the offending one marked.

use std::fmt::Write;

use super::record::Record;
use super::trial::{Finding, Mark};
use crate::wire::render::Source;
use crate::wire::render::shorten::{Shortener, Shown};
use crate::wire::render::text::Text;
use crate::wire::{Conversation, Side, Span};

/// The maximum number of lines of a conversation in the explanation.
const MAX_LINES: usize = 60;

/// Appends the conversations of a case as the wire view shows them.
pub fn conversation(
    record: &Record,
    finding: Option<&Finding>,
    endpoint: Side,
    color: bool,
    out: &mut String,
) {
    let mark = match finding {
        Some(Finding::Failed { at, .. }) => *at,
        _ => None,
    };
    let mut view = String::new();
    for connection in connections(record) {
        write_connection(record, connection, mark, endpoint, color, &mut view);
    }
    let lines: Vec<&str> = view.lines().collect();
    // The end has the failure, and the start the request.
    let (head, tail) = match lines.len() {
        0..=MAX_LINES => (&lines[..], &lines[lines.len()..]),
        length => (&lines[..MAX_LINES / 2], &lines[length - MAX_LINES / 2..]),
    };
    head.iter().for_each(|line| push_line(out, line));
    if !tail.is_empty() {
        // Writing to a String can't fail.
        let _ = writeln!(out, "    … {} more lines (--report shows all)", lines.len() - MAX_LINES);
        tail.iter().for_each(|line| push_line(out, line));
    }
}

fn push_line(out: &mut String, line: &str) {
    out.push_str(if line.is_empty() { "" } else { "    " });
    out.push_str(line);
    out.push('\n');
}

fn connections(record: &Record) -> Vec<u64> {
    let mut numbers: Vec<u64> = record.blocks().iter().map(|block| block.connection).collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

fn write_connection(
    record: &Record,
    connection: u64,
    mark: Option<Mark>,
    endpoint: Side,
    color: bool,
    out: &mut String,
) {
    let (mut conversation, mut text) = (Conversation::new(), Text::new(color, false));
    let (mut shortener, mut spans) = (Shortener::default(), Vec::new());
    let source = Source { connection: Some(connection), time_ms: None };
    for block in record.blocks().iter().filter(|block| block.connection == connection) {
        conversation.feed(block.side, &block.bytes, &mut spans);
        if block.is_end {
            conversation.finish(block.side, &mut spans);
        }
        for span in spans.drain(..) {
            let is_marked = mark.is_some_and(|mark| {
                mark.connection == connection
                    && span.side == endpoint
                    && (span.offset..span.end()).contains(&mark.offset)
            });
            show(&mut shortener, connection, source, &span, &mut text, out);
            if is_marked {
                out.push_str("        ^^ here\n");
            }
        }
        if block.is_end {
            let who = if block.side == endpoint { "the endpoint" } else { "the suite" };
            text.remark(source, &format!("{who} ends its side"), out);
        }
    }
    for omission in shortener.end(connection) {
        text.omission(source, omission, out);
    }
}

fn show(
    shortener: &mut Shortener,
    connection: u64,
    source: Source,
    span: &Span,
    text: &mut Text,
    out: &mut String,
) {
    let mut shown = Vec::new();
    shortener.span(connection, span, &mut shown);
    for one in shown {
        match one {
            Shown::Span(span) => text.span(source, span, out),
            Shown::Omission(omission) => text.omission(source, omission, out),
        }
    }
}
