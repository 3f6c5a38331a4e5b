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
const MAX_SPANS: u64 = 600;

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

/// A diagram that is drawn span by span. Its memory has a bound, because only the first spans are
/// drawn and the others are counted.
#[derive(Debug, Default)]
pub struct Diagram {
    drawing: Drawing,
    /// The spans that are drawn, in words.
    description: String,
    bytes: u64,
    spans: u64,
    wrong: u64,
}

impl Diagram {
    /// Returns an empty diagram.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the next span.
    pub fn span(&mut self, span: &Span) {
        if self.spans < MAX_SPANS {
            self.drawing.span(span);
            // Writing to a String can't fail.
            let _ = write!(self.description, "{} ", escaped(&in_words(span)));
        }
        self.bytes += span.bytes.len() as u64;
        self.spans += 1;
        self.wrong += u64::from(span.violation.is_some());
    }

    /// Appends the complete SVG document.
    pub fn finish(mut self, out: &mut String) {
        self.drawing.end_group();
        if self.spans > MAX_SPANS {
            self.drawing.more_spans(self.spans - MAX_SPANS);
        }
        let (width, height) = (RIGHT + LEFT, self.drawing.y + 8);
        let _ = write!(
            out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
             role=\"img\"><title>{}</title><desc>{}</desc>{STYLE}<rect class=\"paper\" width=\"{width}\" \
             height=\"{height}\"/>\n{}</svg>\n",
            escaped(&self.title()),
            self.description,
            self.drawing.body
        );
    }

    fn title(&self) -> String {
        let Self { bytes, spans, wrong, .. } = self;
        let wrong = if *wrong == 0 { String::new() } else { format!(", {wrong} with a violation") };
        format!("{bytes} bytes in {spans} fields{wrong}")
    }
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
#[derive(Debug)]
struct Drawing {
    body: String,
    x: usize,
    y: usize,
    /// The side of the last span.
    side: Option<Side>,
    group: Group,
}

/// The spans that are drawn together.
#[derive(Clone, Copy, Debug)]
enum Group {
    /// No span is drawn yet.
    None,
    /// Lines of text.
    Lines,
    /// A frame, which is drawn up to this bit.
    Frame { bit: usize },
}

impl Default for Drawing {
    fn default() -> Self {
        Self { body: String::new(), x: LEFT, y: 16, side: None, group: Group::None }
    }
}

impl Drawing {
    /// Draws the next span.
    fn span(&mut self, span: &Span) {
        let begins_frame = begins_frame(span);
        let continues = self.side == Some(span.side)
            && match self.group {
                Group::None => false,
                Group::Lines => !begins_frame && !in_frame(span),
                Group::Frame { .. } => !begins_frame && in_frame(span),
            };
        if !continues {
            self.begin_group(span.side, begins_frame);
        }
        match self.group {
            Group::Frame { mut bit } => {
                self.field(span, &mut bit);
                self.group = Group::Frame { bit };
            }
            Group::None | Group::Lines => self.line_field(span),
        }
    }

    fn begin_group(&mut self, side: Side, is_frame: bool) {
        self.end_group();
        if self.side != Some(side) {
            self.side = Some(side);
            self.text(LEFT, self.y + 14, "side", &format!("{} → {}", side.name(), side.other().name()));
            self.y += 26;
        }
        self.group = if is_frame {
            self.ruler();
            Group::Frame { bit: 0 }
        } else {
            Group::Lines
        };
    }

    /// Moves below the elements of the last group.
    fn end_group(&mut self) {
        match std::mem::replace(&mut self.group, Group::None) {
            Group::Frame { bit } => self.y += bit.div_ceil(ROW_BITS).max(1) * ROW_HEIGHT + 18,
            Group::Lines if self.x > LEFT => self.new_line(),
            Group::None | Group::Lines => {}
        }
    }

    fn more_spans(&mut self, spans: u64) {
        self.text(LEFT, self.y + 16, "side", &format!("… {spans} more fields"));
        self.y += 32;
    }

    fn text(&mut self, x: usize, y: usize, class: &str, text: &str) {
        let _ = writeln!(self.body, "<text x=\"{x}\" y=\"{y}\" class=\"{class}\">{}</text>", escaped(text));
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

    /// Draws a field of a line of text as a box, and begins a new row after a line end.
    fn line_field(&mut self, span: &Span) {
        let value = truncated(&visible_value(span), MAX_VALUE_CHARS);
        let width = 10 + (VALUE_CHAR_WIDTH * value.chars().count()).max(LABEL_CHAR_WIDTH * span.field.len());
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

    fn new_line(&mut self) {
        self.x = LEFT;
        self.y += LINE_HEIGHT;
    }

    /// Draws a field of a frame, in rows of 32 bits.
    fn field(&mut self, span: &Span, bit: &mut usize) {
        if span.bits.is_empty() {
            self.bytes(span, bit);
        }
        for bits in &span.bits {
            let words = format!("{}: {}. {} ({})", bits.field, bits.value, bits.meaning, bits.section);
            self.begin(&words);
            let width = usize::from(bits.range.end - bits.range.start);
            let breaks_rule = bits.breaks_rule
                || (span.violation.is_some() && !span.bits.iter().any(|bits| bits.breaks_rule));
            let [x, y, w, _] = self.place(*bit, width);
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
            *bit += width;
        }
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
