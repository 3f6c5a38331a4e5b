//! Spans as JSON: one object for each span, on one line.

use super::Source;
use super::shorten::Omission;
use crate::text::JsonObject;
use crate::wire::{Content, Document, Note, Section, Span};

/// Appends a span as an object.
///
/// Empty members are omitted. `bytes` and `unmasked` are hexadecimal digits.
pub fn span(source: Source, span: &Span, out: &mut String) {
    JsonObject::write(out, |object| {
        write_source(source, object);
        object.string("side", span.side.name());
        object.value("offset", span.offset);
        object.hex("bytes", &span.bytes);
        object.string("field", span.field);
        object.string("value", &span.value);
        object.string("meaning", &span.meaning);
        section(&span.section, object);
        object.string("kind", span.kind.name());
        if let Some(unmasked) = &span.unmasked {
            object.hex("unmasked", unmasked);
        }
        if !span.bits.is_empty() {
            object.objects("bits", &span.bits, |bits, object| {
                object.value("from", bits.range.start);
                object.value("to", bits.range.end);
                object.string("field", bits.field);
                object.value("value", bits.value);
                object.string("meaning", &bits.meaning);
                section(&bits.section, object);
                flag("wrong", bits.breaks_rule, object);
            });
        }
        if let Some(rule) = &span.violation {
            object.object("wrong", |object| {
                object.string("rule", rule.sentence);
                section(&rule.section, object);
            });
        }
        flag("cut_off", span.cut_off, object);
        if !span.hidden.is_empty() {
            object.objects("hidden", &span.hidden, |range, object| {
                object.value("from", range.start);
                object.value("to", range.end);
            });
        }
        if !span.notes.is_empty() {
            object.objects("notes", &span.notes, note);
        }
    });
}

/// Appends an object with the number of bytes of a long payload that are not shown.
pub fn omission(source: Source, omission: Omission, out: &mut String) {
    JsonObject::write(out, |object| {
        write_source(source, object);
        object.string("side", omission.side.name());
        object.value("more", omission.bytes);
        object.string("field", omission.field);
        object.value("data", omission.is_data);
    });
}

fn write_source(source: Source, object: &mut JsonObject) {
    for (key, number) in [("connection", source.connection), ("time_ms", source.time_ms)] {
        if let Some(number) = number {
            object.value(key, number);
        }
    }
}

fn flag(key: &str, is_set: bool, object: &mut JsonObject) {
    if is_set {
        object.value(key, true);
    }
}

fn section(section: &Section, object: &mut JsonObject) {
    object.plain("section", section);
    object.plain("url", url(section));
}

fn note(note: &Note, object: &mut JsonObject) {
    object.string("note", note.name());
    match note {
        Note::Request { method, target, content } => {
            object.string("method", method);
            object.string("target", target);
            object.value("content", content);
        }
        Note::Response { status, content } => {
            object.value("status", status);
            object.value("content", content);
        }
        Note::Handshake { key, concatenation, sha1, accept, is_sent } => {
            object.string("key", key);
            object.string("concatenation", concatenation);
            object.string("sha1", sha1);
            object.string("accept", accept);
            if let Some(is_sent) = is_sent {
                object.value("is_sent", is_sent);
            }
        }
        Note::Message { frames, payload, compressed, length, content } => {
            object.value("frames", frames);
            object.value("payload", payload);
            object.value("compressed", compressed);
            object.value("length", length);
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
    if let Some(named) = note.section() {
        section(&named, object);
    }
}

/// Returns the address at which a section can be read.
fn url(section: &Section) -> String {
    match section.document {
        Document::Rfc(number) => {
            format!("https://www.rfc-editor.org/rfc/rfc{number}#section-{}", section.paragraph)
        }
        Document::Html => {
            // The section numbers of a living standard change; its anchors do not.
            let anchor = match section.paragraph {
                "9.2.3" => "sse-processing-model",
                "9.2.4" => "the-last-event-id-header",
                "9.2.5" => "parsing-an-event-stream",
                "9.2.6" => "event-stream-interpretation",
                _ => "server-sent-events",
            };
            format!("https://html.spec.whatwg.org/multipage/server-sent-events.html#{anchor}")
        }
        Document::Fetch => "https://fetch.spec.whatwg.org/#http-cors-protocol".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_has_an_address() {
        for (document, paragraph, address) in [
            (Document::Rfc(9112), "2.2", "https://www.rfc-editor.org/rfc/rfc9112#section-2.2"),
            (
                Document::Html,
                "9.2.6",
                "https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation",
            ),
            (Document::Fetch, "3.3", "https://fetch.spec.whatwg.org/#http-cors-protocol"),
        ] {
            assert_eq!(url(&Section { document, paragraph }), address);
        }
    }
}
