//! Spans as lines of text: offset, bytes, field, value, meaning and section.

use std::borrow::Cow;
use std::fmt::Write;

use super::Source;
use super::shorten::Omission;
use crate::wire::{Content, Kind, Note, Rule, Side, Span, printable};

/// The number of bytes in a row.
const ROW_BYTES: usize = 8;

/// The default maximum number of rows for the bytes of a span.
const DEFAULT_ROWS: usize = 4;

/// The maximum length of a value in characters. The bytes show the rest of it.
const MAX_VALUE_CHARS: usize = 44;

/// Writes spans, with a heading when the side, the connection or the time changes.
#[derive(Debug)]
pub struct Text {
    color: bool,
    /// The maximum number of rows for the bytes of a span.
    rows: usize,
    /// The source and side of the latest heading, if a heading is current.
    heading: Option<(Source, Side)>,
    /// The latest output, which determines whether an empty line precedes the next.
    last: Last,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Last {
    Nothing,
    Spans,
    Remark,
}

impl Text {
    /// Returns a writer that uses the colors of ECMA-48 if `color` is true. It writes all bytes of
    /// each span if `all_bytes` is true, and otherwise the first 32.
    pub fn new(color: bool, all_bytes: bool) -> Self {
        Self {
            color,
            rows: if all_bytes { usize::MAX } else { DEFAULT_ROWS },
            heading: None,
            last: Last::Nothing,
        }
    }

    /// Appends the lines of a span.
    pub fn span(&mut self, source: Source, span: &Span, out: &mut String) {
        self.heading(source, span.side, out);
        let [on, off] = self.paint(span);
        let _ = write!(out, "{:>6}  {on}", span.offset);
        let first = span.bytes.len().min(ROW_BYTES);
        hex_row(span, &span.bytes, 0, first, out);
        let spaces = 3 * (ROW_BYTES - first);
        let value = truncated(&span.value, MAX_VALUE_CHARS);
        // Writing to a String can't fail.
        let _ = write!(out, "{off}{:spaces$}  {on}{:<23}{off}  {value:<20}  ", "", span.field);
        let _ = write!(out, "{} ({})", span.meaning, span.section);
        out.push_str(if span.cut_off { " [cut off]\n" } else { "\n" });
        self.more_rows(span, &span.bytes, ROW_BYTES, out);
        if let Some(unmasked) = &span.unmasked {
            let _ = write!(out, "        {on}");
            hex_row(span, unmasked, 0, first, out);
            let _ = writeln!(out, "{off}{:spaces$}  unmasked", "");
            self.more_rows(span, unmasked, ROW_BYTES, out);
        }
        for bits in &span.bits {
            out.push_str("        ");
            for at in 0..8 {
                out.push_str(if at == 4 { " " } else { "" });
                let below = (bits.range.end - 1).saturating_sub(at);
                let bit = if bits.value >> below & 1 == 1 { '1' } else { '0' };
                out.push(if bits.range.contains(&at) { bit } else { '.' });
            }
            let _ = writeln!(
                out,
                "                {:<23}  {:<#20x}  {} ({})",
                bits.field, bits.value, bits.meaning, bits.section
            );
        }
        if let Some(rule) = span.violation {
            self.violation(span, rule, out);
        }
        for note in &span.notes {
            self.note(span, note, out);
        }
    }

    /// Appends a line with the number of bytes of a long payload that are not shown.
    pub fn omission(&mut self, source: Source, omission: Omission, out: &mut String) {
        self.heading(source, omission.side, out);
        // Writing to a String can't fail.
        let _ = writeln!(out, "        … {} more bytes of {}", omission.bytes, omission.field);
    }

    /// Appends a line about a connection, such as its end.
    pub fn remark(&mut self, source: Source, remark: &str, out: &mut String) {
        if self.last == Last::Spans {
            out.push('\n');
        }
        (self.last, self.heading) = (Last::Remark, None);
        if let Some(connection) = source.connection {
            let _ = write!(out, "connection {connection}");
        }
        if let Some(time) = source.time_ms {
            let _ = write!(out, ", {time} ms");
        }
        let _ = writeln!(out, ": {remark}");
    }

    fn heading(&mut self, source: Source, side: Side, out: &mut String) {
        let is_other = self.heading.is_none_or(|(before, heading_side)| {
            let is_later = source.time_ms.is_some() && source.time_ms != before.time_ms;
            heading_side != side || before.connection != source.connection || is_later
        });
        if !is_other {
            return;
        }
        if self.last != Last::Nothing {
            out.push('\n');
        }
        self.last = Last::Spans;
        self.heading = Some((source, side));
        if let Some(connection) = source.connection {
            let _ = write!(out, "connection {connection}, ");
        }
        let _ = write!(out, "{} → {}", side.name(), side.other().name());
        if let Some(time) = source.time_ms {
            let _ = write!(out, ", {time} ms");
        }
        out.push('\n');
    }

    fn more_rows(&self, span: &Span, bytes: &[u8], from: usize, out: &mut String) {
        let [on, off] = self.paint(span);
        let shown = self.rows.saturating_mul(ROW_BYTES).min(bytes.len());
        // An omission that is no longer than a row would save no line.
        let shown = if bytes.len() - shown <= ROW_BYTES { bytes.len() } else { shown };
        for start in (from..shown).step_by(ROW_BYTES) {
            let end = (start + ROW_BYTES).min(bytes.len());
            out.push_str("        ");
            out.push_str(on);
            hex_row(span, bytes, start, end, out);
            out.push_str(off);
            out.push('\n');
        }
        if shown < bytes.len() {
            let _ = writeln!(out, "        … {} more bytes", bytes.len() - shown);
        }
    }

    fn violation(&self, span: &Span, rule: Rule, out: &mut String) {
        let [on, off] = self.paint(span);
        let carets = "^^ ".repeat(span.bytes.len().min(ROW_BYTES));
        let Rule { sentence, section } = rule;
        let _ = writeln!(
            out,
            "        {on}{:<23}{off}  {on}WRONG{off}: {sentence} ({section})",
            carets.trim_end()
        );
    }

    fn note(&self, span: &Span, note: &Note, out: &mut String) {
        let mut line = |text: &str| {
            let _ = writeln!(out, "        = {text}");
        };
        match note {
            Note::Request { method, target, content } => {
                line(&format!("request complete: {method} {target}, {content} bytes of content"));
            }
            Note::Response { status, content } => {
                line(&format!("response complete: {status}, {content} bytes of content"));
            }
            Note::Handshake { key, concatenation, sha1, accept, is_sent } => {
                line("Sec-WebSocket-Accept is derived from Sec-WebSocket-Key:");
                line(&format!("  key                {key}"));
                line(&format!("  key and GUID       {concatenation}"));
                line(&format!("  SHA-1 of both      {sha1}"));
                line(&format!("  SHA-1 in base64    {accept}"));
                match is_sent {
                    Some(true) => line("  The server sent this value."),
                    Some(false) => line("  The server did NOT send this value."),
                    None => {}
                }
            }
            // The span of a single uncompressed frame already shows the message.
            Note::Message { frames: 1, compressed: false, payload, .. }
                if *payload == span.bytes.len() as u64 => {}
            Note::Message { frames, payload, compressed, length, content } => {
                let frames = if *frames == 1 { "1 frame".to_owned() } else { format!("{frames} frames") };
                let how = if *compressed { ", inflated" } else { "" };
                let content = match content {
                    Content::Text(text) => format!("text \"{}\"", printable(text.as_bytes())),
                    Content::Binary(bytes) => format!("binary \"{}\"", printable(bytes)),
                    Content::NotKept(why) => format!("not shown: {why}"),
                };
                line(&format!(
                    "message complete: {frames}, {payload} bytes of payload, {length} of message{how}: {content}"
                ));
            }
            Note::Event { id, event, data } => {
                let shown = |text: &str| printable(text.as_bytes());
                line(&format!("event \"{}\", id \"{}\": data \"{}\"", shown(event), shown(id), shown(data)));
            }
            Note::Remark(text) => line(text),
        }
    }

    /// Returns the escape sequences before and after text in the span's color.
    fn paint(&self, span: &Span) -> [&'static str; 2] {
        if !self.color {
            return ["", ""];
        }
        let on = match span.violation {
            Some(_) => "\x1b[1;37;41m",
            None => color_of(span.kind),
        };
        [on, "\x1b[0m"]
    }
}

/// Returns the escape sequence of ECMA-48 that begins the color of a kind of bytes.
pub(crate) fn color_of(kind: Kind) -> &'static str {
    match kind {
        Kind::StartLine => "\x1b[1;34m",
        Kind::Name => "\x1b[36m",
        Kind::Value => "\x1b[32m",
        Kind::Separator | Kind::Ignored => "\x1b[2m",
        Kind::Length => "\x1b[33m",
        Kind::Mask => "\x1b[35m",
        Kind::Payload => "\x1b[1;32m",
        Kind::Control => "\x1b[1;33m",
        Kind::Opaque => "\x1b[37m",
    }
}

/// Appends the bytes from `start` to `end` in hexadecimal digits, with bullets for hidden bytes.
fn hex_row(span: &Span, bytes: &[u8], start: usize, end: usize, out: &mut String) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    for (at, byte) in bytes[start..end].iter().enumerate() {
        if at > 0 {
            out.push(' ');
        }
        if span.hides(start + at) {
            out.push_str("••");
        } else {
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
}

fn truncated(text: &str, max_chars: usize) -> Cow<'_, str> {
    match text.char_indices().nth(max_chars) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}
