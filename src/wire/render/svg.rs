//! Spans as an SVG diagram: frames in rows of 32 bits, as in RFC 6455 §5.2, and one box for each
//! field of a line of text.
//!
//! The diagram has a light and a dark scheme. The title of each box and the description of the
//! diagram contain the same information as text.

use std::fmt::Write;

use crate::wire::{Kind, Side, Span, printable};

/// The width of a bit, in pixels.
const BIT_WIDTH: usize = 24;
const ROW_BITS: usize = 32;
const ROW_HEIGHT: usize = 58;

const LEFT: usize = 16;
const RIGHT: usize = LEFT + BIT_WIDTH * ROW_BITS;

/// The width of a character in a label, in pixels.
const LABEL_CHAR_WIDTH: usize = 7;
/// The width of a character in a value, in pixels.
const VALUE_CHAR_WIDTH: usize = 8;
const LINE_HEIGHT: usize = 52;

/// The maximum number of bytes of a payload that are drawn.
const MAX_BYTES: usize = 16;

/// The maximum length of a value, in characters.
const MAX_VALUE_CHARS: usize = 60;

/// The maximum number of spans that are drawn.
const MAX_SPANS: usize = 600;

const STYLE: &str = "<style>\
svg{color-scheme:light dark;--ink:#1b1f24;--paper:#fff;--soft:#59636e}\
@media(prefers-color-scheme:dark){svg{--ink:#e6edf3;--paper:#0d1117;--soft:#9198a1}}\
.paper{fill:var(--paper)}\
text{font:13px ui-monospace,Menlo,Consolas,monospace;fill:var(--ink)}\
.label{font-size:11px;fill:var(--soft)}.stacked{font-size:10px}.side{font-weight:bold}\
rect.b{stroke:var(--ink);fill-opacity:.22}\
.start-line{fill:#3b82f6}.name{fill:#06b6d4}.value{fill:#22c55e}.separator,.ignored,.opaque{fill:#8b949e}\
.length{fill:#eab308}.mask{fill:#d946ef}.payload{fill:#16a34a}.control{fill:#f97316}\
rect.wrong{fill:#ef4444;fill-opacity:.5;stroke-width:2.5}</style>";

/// Appends a complete SVG document.
pub fn diagram(spans: &[Span], out: &mut String) {
    let mut drawing = Drawing { body: String::new(), y: 16, x: LEFT };
    let mut side = None;
    let mut rest = &spans[..spans.len().min(MAX_SPANS)];
    while let [first, ..] = rest {
        if side != Some(first.side) {
            side = Some(first.side);
            drawing.side(first.side);
        }
        let is_frame = begins_frame(first);
        let end = rest[1..]
            .iter()
            .position(|span| span.side != first.side || begins_frame(span) || (is_frame != in_frame(span)))
            .map_or(rest.len(), |end| end + 1);
        let (group, after) = rest.split_at(end);
        if is_frame {
            drawing.frame(group)
        } else {
            drawing.lines(group)
        }
        rest = after;
    }
    if spans.len() > MAX_SPANS {
        drawing.text(LEFT, drawing.y + 16, "side", &format!("… {} more fields", spans.len() - MAX_SPANS));
        drawing.y += 32;
    }
    let (width, height) = (RIGHT + LEFT, drawing.y + 8);
    // Writing to a String can't fail.
    let _ = write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         role=\"img\"><title>{}</title><desc>",
        escaped(&title(spans))
    );
    for span in &spans[..spans.len().min(MAX_SPANS)] {
        let _ = write!(out, "{} ", escaped(&in_words(span)));
    }
    let _ = writeln!(
        out,
        "</desc>{STYLE}<rect class=\"paper\" width=\"{width}\" height=\"{height}\"/>\n{}</svg>",
        drawing.body
    );
}

fn begins_frame(span: &Span) -> bool {
    span.bits.len() == 5
}

/// Returns true for a field of a frame after its first byte.
fn in_frame(span: &Span) -> bool {
    matches!(
        span.field,
        "MASK, Payload len"
            | "Extended payload length"
            | "Masking-key"
            | "Payload Data"
            | "status code"
            | "reason"
    )
}

fn title(spans: &[Span]) -> String {
    let bytes: usize = spans.iter().map(|span| span.bytes.len()).sum();
    let wrong = spans.iter().filter(|span| span.violation.is_some()).count();
    let wrong = if wrong == 0 { String::new() } else { format!(", {wrong} with a violation") };
    format!("{bytes} bytes in {} fields{wrong}", spans.len())
}

/// Returns a span in words.
fn in_words(span: &Span) -> String {
    let wrong = span.violation.map(|rule| format!(" Wrong: {} ({})", rule.sentence, rule.section));
    format!(
        "{}: {}. {} ({}){}",
        span.field,
        span.value,
        span.meaning,
        span.section,
        wrong.unwrap_or_default()
    )
}

pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            _ => out.push(character),
        }
    }
    out
}

/// Truncates a text to a number of characters.
fn truncated(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        None => text.to_owned(),
        Some(_) if characters < 2 => String::new(),
        Some(_) => text.chars().take(characters - 1).chain(['…']).collect(),
    }
}

/// The elements drawn so far, and the position of the next one.
struct Drawing {
    body: String,
    x: usize,
    y: usize,
}

impl Drawing {
    fn text(&mut self, x: usize, y: usize, class: &str, text: &str) {
        let _ = writeln!(self.body, "<text x=\"{x}\" y=\"{y}\" class=\"{class}\">{}</text>", escaped(text));
    }

    fn side(&mut self, side: Side) {
        self.text(LEFT, self.y + 14, "side", &format!("{} → {}", side.name(), side.other().name()));
        self.y += 26;
    }

    fn rect(&mut self, [x, y, width, height]: [usize; 4], kind: Kind, breaks_rule: bool) {
        let wrong = if breaks_rule { " wrong" } else { "" };
        let _ = write!(
            self.body,
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" class=\"b {}{wrong}\"/>",
            kind.name()
        );
    }

    fn begin(&mut self, words: &str) {
        let _ = write!(self.body, "<g><title>{}</title>", escaped(words));
    }

    fn end(&mut self) {
        self.body.push_str("</g>\n");
    }

    /// Draws lines of text: a box for each field, and a new row after each line end.
    fn lines(&mut self, spans: &[Span]) {
        for span in spans {
            let value = truncated(&visible_value(span), MAX_VALUE_CHARS);
            let width =
                10 + (VALUE_CHAR_WIDTH * value.chars().count()).max(LABEL_CHAR_WIDTH * span.field.len());
            if self.x > LEFT && self.x + width > RIGHT {
                self.new_line();
            }
            let (x, y) = (self.x, self.y);
            self.begin(&in_words(span));
            self.text(x + 1, y + 10, "label", span.field);
            self.rect([x, y + 15, width, 24], span.kind, span.violation.is_some());
            self.text(x + 5, y + 31, "", &value);
            self.end();
            self.x += width + 3;
            if span.bytes.ends_with(b"\n") {
                self.new_line();
            }
        }
        if self.x > LEFT {
            self.new_line();
        }
    }

    fn new_line(&mut self) {
        self.x = LEFT;
        self.y += LINE_HEIGHT;
    }

    /// Draws a frame in rows of 32 bits.
    fn frame(&mut self, spans: &[Span]) {
        self.ruler();
        let mut bit = 0;
        for span in spans {
            if span.bits.is_empty() {
                self.bytes(span, &mut bit);
            }
            for bits in &span.bits {
                let words = format!("{}: {}. {} ({})", bits.field, bits.value, bits.meaning, bits.section);
                self.begin(&words);
                let width = usize::from(bits.range.end - bits.range.start);
                let breaks_rule = bits.breaks_rule
                    || (span.violation.is_some() && !span.bits.iter().any(|bits| bits.breaks_rule));
                let [x, y, w, _] = self.place(bit, width);
                self.rect([x, y, w, ROW_HEIGHT], span.kind, breaks_rule);
                if width == 1 {
                    for (at, letter) in bits.field.chars().enumerate() {
                        self.text(x + 9, y + 12 + 10 * at, "stacked", letter.encode_utf8(&mut [0; 4]));
                    }
                } else {
                    self.text(x + 5, y + 16, "label", &truncated(bits.field, w / LABEL_CHAR_WIDTH));
                }
                let value = if width == 4 { format!("{:#x}", bits.value) } else { bits.value.to_string() };
                self.text(x + if width == 1 { 8 } else { 5 }, y + 53, "", &value);
                self.end();
                bit += width;
            }
        }
        let rows = bit.div_ceil(ROW_BITS).max(1);
        self.y += rows * ROW_HEIGHT + 18;
    }

    /// Draws the bit numbers above a frame.
    fn ruler(&mut self) {
        for bit in 0..ROW_BITS {
            let number = bit.to_string();
            let x = LEFT + bit * BIT_WIDTH + (BIT_WIDTH - LABEL_CHAR_WIDTH * number.len()) / 2;
            self.text(x, self.y + 10, "label", &number);
        }
        self.y += 15;
    }

    /// Returns the position and size of a box that is `width` bits wide.
    fn place(&self, bit: usize, width: usize) -> [usize; 4] {
        let (row, column) = (bit / ROW_BITS, bit % ROW_BITS);
        [LEFT + column * BIT_WIDTH, self.y + row * ROW_HEIGHT, width * BIT_WIDTH, ROW_HEIGHT]
    }

    /// Draws a field of one or more bytes: a box for each row that it occupies.
    fn bytes(&mut self, span: &Span, bit: &mut usize) {
        self.begin(&in_words(span));
        let mut rest = &span.bytes[..span.bytes.len().min(MAX_BYTES)];
        let mut done = 0;
        while !rest.is_empty() {
            let left_in_row = (ROW_BITS - *bit % ROW_BITS) / 8;
            let (piece, after) = rest.split_at(left_in_row.max(1).min(rest.len()));
            let [x, y, w, h] = self.place(*bit, 8 * piece.len());
            self.rect([x, y, w, h], span.kind, span.violation.is_some());
            if done == 0 {
                self.text(x + 5, y + 16, "label", &truncated(span.field, w / LABEL_CHAR_WIDTH));
            }
            let hex: Vec<String> = piece.iter().map(|byte| format!("{byte:02x}")).collect();
            self.text(x + 5, y + 34, "", &hex.join(" "));
            let text = match &span.unmasked {
                Some(_) if span.field == "status code" => span.value.to_string(),
                Some(unmasked) => printable(&unmasked[done..done + piece.len()]),
                None if matches!(span.kind, Kind::Payload) => printable(piece),
                None if done == 0 && span.kind != Kind::Mask => span.value.to_string(),
                None => String::new(),
            };
            self.text(x + 5, y + 52, "label", &truncated(&text, w / LABEL_CHAR_WIDTH));
            *bit += 8 * piece.len();
            done += piece.len();
            rest = after;
        }
        if span.bytes.len() > MAX_BYTES {
            *bit = bit.next_multiple_of(ROW_BITS);
            let [x, y, w, h] = self.place(*bit, ROW_BITS);
            self.rect([x, y, w, h], span.kind, span.violation.is_some());
            self.text(x + 5, y + 34, "", &format!("… {} more bytes", span.bytes.len() - MAX_BYTES));
            *bit += ROW_BITS;
        }
        self.end();
    }
}

/// Returns the value of a span with visible spaces.
fn visible_value(span: &Span) -> String {
    span.value.replace(' ', "·")
}
