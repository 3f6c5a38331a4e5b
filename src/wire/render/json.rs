//! Spans as JSON: an object a span, without line ends in it.

use std::fmt::Write;

use super::Source;
use super::shorten::More;
use crate::protocol::json::write_string;
use crate::wire::{Content, Note, Section, Span};

/// Appends a span as one object.
///
/// Members that would be empty are left out. `bytes` and `unmasked` are hexadecimal digits.
pub fn span(source: Source, span: &Span, out: &mut String) {
    let mut object = Object::begin(out);
    object.number_if("connection", source.connection);
    object.number_if("time_ms", source.time_ms);
    object.string("side", span.side.name());
    object.number("offset", span.offset);
    object.hex("bytes", &span.bytes);
    object.string("field", span.field);
    object.string("value", &span.value);
    object.string("meaning", &span.meaning);
    object.section(&span.section);
    object.string("kind", span.kind.name());
    if let Some(unmasked) = &span.unmasked {
        object.hex("unmasked", unmasked);
    }
    if !span.bits.is_empty() {
        object.list("bits", &span.bits, |bits, object| {
            object.number("from", bits.range.start);
            object.number("to", bits.range.end);
            object.string("field", bits.field);
            object.number("value", bits.value);
            object.string("meaning", &bits.meaning);
            object.section(&bits.section);
            object.flag_if("wrong", bits.is_wrong);
        });
    }
    if let Some(wrong) = &span.wrong {
        object.key("wrong");
        let mut object = Object::begin(object.out);
        object.string("rule", &wrong.rule);
        object.section(&wrong.section);
        object.end();
    }
    object.flag_if("cut_off", span.cut_off);
    if !span.hidden.is_empty() {
        object.list("hidden", &span.hidden, |range, object| {
            object.number("from", range.start);
            object.number("to", range.end);
        });
    }
    if !span.notes.is_empty() {
        object.list("notes", &span.notes, note);
    }
    object.end();
}

/// Appends an object that says how much of a long payload is not shown.
pub fn more(source: Source, more: More, out: &mut String) {
    let mut object = Object::begin(out);
    object.number_if("connection", source.connection);
    object.number_if("time_ms", source.time_ms);
    object.string("side", more.side.name());
    object.number("more", more.bytes);
    object.string("field", more.field);
    object.number("data", more.is_data);
    object.end();
}

fn note(note: &Note, object: &mut Object) {
    object.string("note", note.name());
    match note {
        Note::Request { method, target, content } => {
            object.string("method", method);
            object.string("target", target);
            object.number("content", content);
        }
        Note::Response { status, content } => {
            object.number("status", status);
            object.number("content", content);
        }
        Note::Handshake { key, concatenation, sha1, accept, is_sent } => {
            object.string("key", key);
            object.string("concatenation", concatenation);
            object.string("sha1", sha1);
            object.string("accept", accept);
            if let Some(is_sent) = is_sent {
                object.number("is_sent", is_sent);
            }
        }
        Note::Message { frames, payload, compressed, length, content } => {
            object.number("frames", frames);
            object.number("payload", payload);
            object.number("compressed", compressed);
            object.number("length", length);
            match content {
                Content::Text(text) => object.string("text", text),
                Content::Binary(bytes) => object.hex("binary", bytes),
                Content::NotKept(why) => object.string("not_kept", why),
            }
        }
        Note::Event { id, event, data } => {
            object.string("id", id);
            object.string("event", event);
            object.string("data", data);
        }
        Note::Remark(text) => object.string("text", text),
    }
    if let Some(section) = note.section() {
        object.section(&section);
    }
}

/// An object that is being written.
struct Object<'o> {
    out: &'o mut String,
    is_empty: bool,
}

impl<'o> Object<'o> {
    fn begin(out: &'o mut String) -> Self {
        out.push('{');
        Self { out, is_empty: true }
    }

    fn end(self) {
        self.out.push('}');
    }

    fn key(&mut self, key: &str) {
        let comma = if std::mem::take(&mut self.is_empty) { "" } else { "," };
        // Writing to a String can't fail; the keys are this file's, and need no escapes.
        let _ = write!(self.out, "{comma}\"{key}\":");
    }

    fn string(&mut self, key: &str, text: &str) {
        self.key(key);
        string(text, self.out);
    }

    /// A number, or what else JSON writes as Rust does.
    fn number(&mut self, key: &str, number: impl std::fmt::Display) {
        self.key(key);
        let _ = write!(self.out, "{number}");
    }

    fn number_if(&mut self, key: &str, number: Option<u64>) {
        if let Some(number) = number {
            self.number(key, number);
        }
    }

    fn flag_if(&mut self, key: &str, is_set: bool) {
        if is_set {
            self.number(key, true);
        }
    }

    fn hex(&mut self, key: &str, bytes: &[u8]) {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        self.key(key);
        self.out.push('"');
        for byte in bytes {
            self.out.push(char::from(HEX[usize::from(byte >> 4)]));
            self.out.push(char::from(HEX[usize::from(byte & 15)]));
        }
        self.out.push('"');
    }

    fn section(&mut self, section: &Section) {
        // Neither has anything to escape.
        self.key("section");
        let _ = write!(self.out, "\"{section}\"");
        self.key("url");
        let _ = write!(self.out, "\"{}\"", section.url());
    }

    fn list<T>(&mut self, key: &str, items: &[T], write: impl Fn(&T, &mut Object)) {
        self.key(key);
        self.out.push('[');
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                self.out.push(',');
            }
            let mut object = Object::begin(self.out);
            write(item, &mut object);
            object.end();
        }
        self.out.push(']');
    }
}

fn string(text: &str, out: &mut String) {
    if text.bytes().all(|byte| byte >= b' ' && !matches!(byte, b'"' | b'\\')) {
        out.push('"');
        out.push_str(text);
        out.push('"');
        return;
    }
    let mut bytes = Vec::with_capacity(text.len() + 2);
    write_string(text, &mut bytes);
    // Text with ASCII escapes in it is text.
    out.push_str(&String::from_utf8_lossy(&bytes));
}
