//! Spans as lines for a terminal: offset, bytes, field, value, meaning and section.

use std::borrow::Cow;
use std::fmt::Write;

use super::Source;
use super::shorten::More;
use crate::wire::{Content, Kind, Note, Side, Span, Violation, printable};

/// Bytes in a row.
const ROW: usize = 8;

/// Rows of a span's bytes, where not all are asked for.
const ROWS: usize = 4;

/// Characters of a value; the rest of it is in the bytes.
const VALUE: usize = 44;

/// Writes spans, with a heading when another side speaks, or at another time.
#[derive(Debug)]
pub struct Text {
    color: bool,
    /// How many rows of bytes a span may have.
    rows: usize,
    speaks: Option<(Source, Side)>,
    /// What was written last, and so whether an empty line belongs before what comes.
    last: Last,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Last {
    Nothing,
    Spans,
    Remark,
}

impl Text {
    /// With `color`, by the escape sequences of ECMA-48; with all bytes of each span, or the first 32.
    pub fn new(color: bool, all_bytes: bool) -> Self {
        Self { color, rows: if all_bytes { usize::MAX } else { ROWS }, speaks: None, last: Last::Nothing }
    }

    /// Appends a span's lines.
    pub fn span(&mut self, source: Source, span: &Span, out: &mut String) {
        self.heading(source, span.side, out);
        let [on, off] = self.paint(span);
        let _ = write!(out, "{:>6}  {on}", span.offset);
        let first = span.bytes.len().min(ROW);
        hex_row(span, &span.bytes, 0, first, out);
        let spaces = 3 * (ROW - first);
        let value = shortened(&span.value, VALUE);
        // Writing to a String can't fail.
        let _ = write!(out, "{off}{:spaces$}  {on}{:<23}{off}  {value:<20}  ", "", span.field);
        let _ = write!(out, "{} ({})", span.meaning, span.section);
        out.push_str(if span.cut_off { " [cut off]\n" } else { "\n" });
        self.more_rows(span, &span.bytes, ROW, out);
        if let Some(unmasked) = &span.unmasked {
            let _ = write!(out, "        {on}");
            hex_row(span, unmasked, 0, first, out);
            let _ = writeln!(out, "{off}{:spaces$}  unmasked", "");
            self.more_rows(span, unmasked, ROW, out);
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
        if let Some(wrong) = &span.violation {
            self.wrong(span, wrong, out);
        }
        for note in &span.notes {
            self.note(span, note, out);
        }
    }

    /// Appends a line that says how much of a long payload is not shown.
    pub fn more(&mut self, source: Source, more: More, out: &mut String) {
        self.heading(source, more.side, out);
        // Writing to a String can't fail.
        let _ = writeln!(out, "        … {} more bytes of {}", more.bytes, more.field);
    }

    /// Appends a line that says something of a connection which is in no byte of it.
    pub fn remark(&mut self, source: Source, remark: &str, out: &mut String) {
        if self.last == Last::Spans {
            out.push('\n');
        }
        (self.last, self.speaks) = (Last::Remark, None);
        if let Some(connection) = source.connection {
            let _ = write!(out, "connection {connection}");
        }
        if let Some(time) = source.time_ms {
            let _ = write!(out, ", {time} ms");
        }
        let _ = writeln!(out, ": {remark}");
    }

    fn heading(&mut self, source: Source, side: Side, out: &mut String) {
        let is_other = self.speaks.is_none_or(|(before, speaks)| {
            let is_later = source.time_ms.is_some() && source.time_ms != before.time_ms;
            speaks != side || before.connection != source.connection || is_later
        });
        if !is_other {
            return;
        }
        if self.last != Last::Nothing {
            out.push('\n');
        }
        self.last = Last::Spans;
        self.speaks = Some((source, side));
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
        let shown = self.rows.saturating_mul(ROW).min(bytes.len());
        // What is left of a row is no reason to leave it out.
        let shown = if bytes.len() - shown <= ROW { bytes.len() } else { shown };
        for start in (from..shown).step_by(ROW) {
            let end = (start + ROW).min(bytes.len());
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

    fn wrong(&self, span: &Span, wrong: &Violation, out: &mut String) {
        let [on, off] = self.paint(span);
        let carets = "^^ ".repeat(span.bytes.len().min(ROW));
        let (rule, section) = (&wrong.rule, wrong.section);
        let _ =
            writeln!(out, "        {on}{:<23}{off}  {on}WRONG{off}: {rule} ({section})", carets.trim_end());
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
                line("Sec-WebSocket-Accept comes from Sec-WebSocket-Key:");
                line(&format!("  the key                  {key}"));
                line(&format!("  with the GUID behind it  {concatenation}"));
                line(&format!("  SHA-1 of that            {sha1}"));
                line(&format!("  that in base64           {accept}"));
                match is_sent {
                    Some(true) => line("  which is what the server has sent"),
                    Some(false) => line("  which is NOT what the server has sent"),
                    None => {}
                }
            }
            // One frame that is not compressed has said it all.
            Note::Message { frames: 1, compressed: false, payload, .. }
                if *payload == span.bytes.len() as u64 => {}
            Note::Message { frames, payload, compressed, length, content } => {
                let frames = if *frames == 1 { "1 frame".to_owned() } else { format!("{frames} frames") };
                let how = if *compressed { ", inflated" } else { "" };
                let content = match content {
                    Content::Text(text) => format!("text \"{}\"", printable(text.as_bytes())),
                    Content::Binary(bytes) => format!("binary \"{}\"", printable(bytes)),
                    Content::NotKept(why) => format!("not shown, for {why}"),
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

    /// What is written before and behind what has the span's colour.
    fn paint(&self, span: &Span) -> [&'static str; 2] {
        if !self.color {
            return ["", ""];
        }
        let on = match span.kind {
            _ if span.violation.is_some() => "\x1b[1;37;41m",
            Kind::StartLine => "\x1b[1;34m",
            Kind::Name => "\x1b[36m",
            Kind::Value => "\x1b[32m",
            Kind::Separator | Kind::Ignored => "\x1b[2m",
            Kind::Length => "\x1b[33m",
            Kind::Mask => "\x1b[35m",
            Kind::Payload => "\x1b[1;32m",
            Kind::Control => "\x1b[1;33m",
            Kind::Opaque => "\x1b[37m",
        };
        [on, "\x1b[0m"]
    }
}

/// The bytes from `start` to `end` in hexadecimal digits; bullets for what is hidden.
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

fn shortened(text: &str, most: usize) -> Cow<'_, str> {
    match text.char_indices().nth(most) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}
