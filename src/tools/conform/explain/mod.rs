//! The explanation of a failure: the conversation, with the offending byte marked.
//!
//! A head is shown as the lines that it consists of, because the view of every colon would hide the
//! subject. All other bytes are shown as the wire view names them. `text` and the report render the
//! [`Line`]s.

mod head;
mod rows;
mod text;

use std::collections::BTreeMap;

use super::record::Record;
use super::trial::{Finding, Mark};
use crate::wire::render::shorten::{Shortener, Shown};
use crate::wire::{Content, Conversation, Kind, Note, Side, Span, printable};
use head::HeadLine;
pub use text::conversation;

/// A line of an explanation. Its text is safe for a terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// Who sends the bytes that follow.
    Heading(String),
    /// A line of a head.
    Head(String),
    /// Bytes with their name and meaning.
    Row(Row),
    /// The mark below a byte of the line before it, at this column of a head or of the digits.
    Mark { column: usize, width: usize, is_head: bool, text: String },
    /// The rule that the bytes of the line before it break.
    Wrong(String),
    /// Something else about the conversation.
    Remark(String),
    /// So many lines are left out.
    Omission(usize),
}

/// Bytes in a row of at most eight.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// The offset of the first byte in everything that the side has sent; `None` for a row that
    /// shows bits or unmasked bytes.
    pub offset: Option<u64>,
    /// The bytes in hexadecimal digits, or the bits.
    pub digits: String,
    pub kind: Option<Kind>,
    pub field: &'static str,
    pub value: String,
    pub meaning: String,
}

/// Returns the conversations of a case in at most `max_lines` lines, of which those around the mark
/// are kept. `endpoint` is the side under test.
pub fn lines(record: &Record, finding: Option<&Finding>, endpoint: Side, max_lines: usize) -> Vec<Line> {
    let (mark, observed) = match finding {
        Some(Finding::Failed { at, observed, .. }) => (*at, &**observed),
        _ => (None, ""),
    };
    let mut explanation = Explanation {
        has_several: record.blocks().iter().any(|block| block.connection > 1),
        endpoint,
        mark,
        observed,
        speaker: None,
        heads: BTreeMap::new(),
        shortener: Shortener::default(),
        lines: Vec::new(),
    };
    let mut conversations: BTreeMap<u64, Conversation> = BTreeMap::new();
    let mut spans = Vec::new();
    for block in record.blocks() {
        let conversation = conversations.entry(block.connection).or_default();
        conversation.feed(block.side, &block.bytes, &mut spans);
        if block.is_end {
            conversation.finish(block.side, &mut spans);
        }
        spans.drain(..).for_each(|span| explanation.span(block.connection, &span));
        if block.is_end {
            explanation.end(block.connection, block.side);
        }
    }
    for (connection, mut conversation) in conversations {
        // A field that is not complete is shown too.
        for side in [Side::Client, Side::Server] {
            conversation.finish(side, &mut spans);
        }
        spans.drain(..).for_each(|span| explanation.span(connection, &span));
        explanation.omissions(connection);
    }
    shortened(explanation.lines, max_lines)
}

/// The lines so far.
struct Explanation<'e> {
    has_several: bool,
    endpoint: Side,
    mark: Option<Mark>,
    observed: &'e str,
    /// The connection and side of the latest heading.
    speaker: Option<(u64, Side)>,
    /// The line of a head that each side is sending.
    heads: BTreeMap<(u64, Side), HeadLine>,
    shortener: Shortener,
    lines: Vec<Line>,
}

impl Explanation<'_> {
    fn span(&mut self, connection: u64, span: &Span) {
        let marked = self.marked(connection, span);
        let key = (connection, span.side);
        if span.kind == Kind::StartLine {
            self.heads.entry(key).or_default();
        }
        if let Some(head) = self.heads.get_mut(&key) {
            head.push(span, marked);
            let (is_end, is_line) = (head::is_end(span), head.is_complete() || span.cut_off);
            if is_line && let Some(head) = self.heads.insert(key, HeadLine::default()) {
                self.heading(connection, span.side);
                head.into_lines(self.observed, &mut self.lines);
            }
            if is_end {
                self.heads.remove(&key);
            }
            self.notes(span);
            return;
        }
        let mut shown = Vec::new();
        let mut shortener = std::mem::take(&mut self.shortener);
        match marked {
            // The byte where the failure shows is never left out.
            Some(_) => shown.push(Shown::Span(span)),
            None => shortener.span(connection, span, &mut shown),
        }
        self.shortener = shortener;
        for one in shown {
            match one {
                Shown::Omission(omission) => {
                    self.remark(format!("… {} more bytes of {}", omission.bytes, omission.field));
                }
                Shown::Span(span) => {
                    self.heading(connection, span.side);
                    rows::push(span, marked, self.observed, &mut self.lines);
                    self.notes(span);
                }
            }
        }
    }

    /// Returns the index of the marked byte in the span.
    fn marked(&self, connection: u64, span: &Span) -> Option<usize> {
        let mark = self.mark.filter(|mark| mark.connection == connection && span.side == self.endpoint)?;
        let is_inside = (span.offset..span.end()).contains(&mark.offset);
        is_inside.then(|| (mark.offset - span.offset) as usize)
    }

    fn heading(&mut self, connection: u64, side: Side) {
        if self.speaker.replace((connection, side)) == Some((connection, side)) {
            return;
        }
        let who = self.who(side);
        self.lines.push(Line::Heading(match self.has_several {
            true => format!("{who}, on connection {connection}"),
            false => who.to_owned(),
        }));
    }

    /// Returns the name of a side: the endpoint under test, or this program.
    fn who(&self, side: Side) -> &'static str {
        match side == self.endpoint {
            true => side.name(),
            false => "barewire",
        }
    }

    fn end(&mut self, connection: u64, side: Side) {
        self.heading(connection, side);
        self.remark("(ends the connection)".to_owned());
    }

    fn omissions(&mut self, connection: u64) {
        let omissions: Vec<_> = self.shortener.end(connection).collect();
        for omission in omissions {
            self.remark(format!("… {} more bytes of {}", omission.bytes, omission.field));
        }
    }

    fn remark(&mut self, text: String) {
        self.lines.push(Line::Remark(text));
    }

    /// Adds the notes that the bytes themselves do not show.
    fn notes(&mut self, span: &Span) {
        for note in &span.notes {
            match note {
                Note::Handshake { accept, is_sent: Some(false), .. } => {
                    self.remark(format!(
                        "= the key requires Sec-WebSocket-Accept: {}",
                        printable(accept.as_bytes())
                    ));
                }
                Note::Message { frames, compressed, content, length, .. } if *frames > 1 || *compressed => {
                    let content = match content {
                        Content::Text(text) => format!("text \"{}\"", printable(text.as_bytes())),
                        Content::Binary(bytes) => format!("binary \"{}\"", printable(bytes)),
                        Content::NotKept(why) => format!("not shown: {why}"),
                    };
                    let how = if *compressed { ", inflated" } else { "" };
                    self.remark(format!("= message of {frames} frames, {length} bytes{how}: {content}"));
                }
                Note::Event { id, event, data } => {
                    let [id, event, data] = [id, event, data].map(|text| printable(text.as_bytes()));
                    self.remark(format!("= event \"{event}\", id \"{id}\": data \"{data}\""));
                }
                _ => {}
            }
        }
    }
}

/// The number of lines that are kept of the start of a long explanation.
const START_LINES: usize = 8;

/// Returns at most `max` lines: the start, and those around the mark, or the end if nothing is
/// marked.
fn shortened(lines: Vec<Line>, max: usize) -> Vec<Line> {
    if lines.len() <= max {
        return lines;
    }
    let mark = lines.iter().position(|line| matches!(line, Line::Mark { .. })).unwrap_or(lines.len() - 1);
    let window = max.saturating_sub(START_LINES + 2).max(1);
    // Most of the window precedes the mark, because the cause does.
    let end = (mark + 1 + window / 4).min(lines.len());
    let start = end.saturating_sub(window).min(mark);
    let first = START_LINES.min(start);
    let (mut kept, length) = (Vec::new(), lines.len());
    for (at, line) in lines.into_iter().enumerate() {
        let omitted = if at < start { first..start } else { end..length };
        if !omitted.contains(&at) || omitted.len() < 3 {
            kept.push(line);
        } else if at == omitted.start {
            kept.push(Line::Omission(omitted.len()));
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the explanation of a conversation on one connection.
    fn explained(blocks: &[(Side, &[u8])], mark: Option<u64>) -> String {
        let mut record = Record::new();
        record.add_connection();
        blocks.iter().for_each(|(side, bytes)| record.add(1, *side, bytes));
        record.end(1, Side::Server);
        let finding = Finding::failed("an echo", "something else");
        let finding = mark.map_or(finding.clone(), |offset| finding.at(1, offset));
        let mut out = String::new();
        conversation(&record, Some(&finding), Side::Server, false, &mut out);
        out
    }

    const HANDSHAKE: &[u8] = b"GET /a HTTP/1.1\r\nHost: b\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    const SWITCH: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

    #[test]
    fn a_head_is_text_and_a_frame_is_explained() {
        let blocks: [(Side, &[u8]); 3] =
            [(Side::Client, HANDSHAKE), (Side::Server, SWITCH), (Side::Server, b"\x81\x02hi")];
        let text = explained(&blocks, Some(SWITCH.len() as u64 + 2));
        let expected = "  \
  barewire:
    GET /a HTTP/1.1
    Host: b
";
        assert!(text.starts_with(expected), "{text}");
        assert!(text.contains("    HTTP/1.1 101 Switching Protocols\n"), "{text}");
        let row = text.lines().position(|line| line.contains("68 69")).expect("the payload");
        let lines: Vec<&str> = text.lines().collect();
        let column = lines[row].find("68 69").expect("the payload");
        assert_eq!(lines[row + 1].find("^^ something else"), Some(column), "{text}");
        assert!(text.contains("(ends the connection)"), "{text}");
    }

    #[test]
    fn a_byte_of_a_head_is_marked_in_its_line() {
        let response = b"HTTP/1.1 200 OK\r\nX:\x1b[2J\r\n\r\n";
        let blocks: [(Side, &[u8]); 2] =
            [(Side::Client, b"GET / HTTP/1.1\r\n\r\n"), (Side::Server, response)];
        let text = explained(&blocks, Some(9));
        let lines: Vec<&str> = text.lines().collect();
        let row = lines.iter().position(|line| line.contains("HTTP/1.1 200 OK")).expect("the status line");
        assert_eq!(lines[row + 1].find('^'), lines[row].find("200"), "{text}");
        assert!(text.contains("X:\\x1b[2J") && !text.contains('\x1b'), "{text}");
    }

    #[test]
    fn the_lines_around_the_mark_are_kept() {
        let mark = Line::Mark { column: 0, width: 2, is_head: false, text: String::new() };
        for at in [0, 5, 9, 50, 98, 99] {
            let mut lines: Vec<Line> = (0..100).map(|index| Line::Remark(index.to_string())).collect();
            lines[at] = mark.clone();
            let kept = shortened(lines, 30);
            assert!(kept.contains(&mark) && kept.len() <= 34, "{at}: {kept:?}");
            let omitted: usize =
                kept.iter().map(|line| if let Line::Omission(n) = line { *n } else { 0 }).sum();
            let shown = kept.iter().filter(|line| !matches!(line, Line::Omission(_))).count();
            assert_eq!(shown + omitted, 100, "{at}: {kept:?}");
        }
    }

    #[test]
    fn any_bytes_are_explained_without_control_characters() {
        let mut bytes: Vec<u8> = (0..=255).collect();
        bytes.extend("\u{202e}\u{9b}31m".as_bytes());
        let starts: [&[u8]; 3] = [b"", b"HTTP/1.1 200 OK\r\nA: ", b"HTTP/1.1 200 OK\r\n\r\n"];
        for start in starts {
            let response = [start, &bytes].concat();
            for mark in 0..response.len() as u64 {
                let text = explained(&[(Side::Client, HANDSHAKE), (Side::Server, &response)], Some(mark));
                let acts = |character: char| character != '\n' && character.is_control();
                assert!(!text.contains(acts) && !text.contains('\u{202e}'), "{text}");
                assert!(text.contains("something else") || text.contains("HTTP/1.1 200 OK"), "{mark} {text}");
            }
        }
    }
}
