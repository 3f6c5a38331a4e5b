//! The examples of the specifications, span by span: `tests/vectors/wire.txt`.

use std::fmt::Write;

use barewire::protocol::websocket::extension::Agreement;
use barewire::wire::{Compression, Content, Conversation, Note, Side, Span, Start};

use crate::vectors::{self, Vector};

fn spans(vector: &Vector) -> Vec<Span> {
    let start = match vector.text("begins") {
        "http" => Start::Http,
        "frames" => Start::WebSocket(Compression::None),
        "compressed frames" => Start::WebSocket(Compression::Agreed(Agreement::default())),
        "event stream" => Start::EventStream,
        other => panic!("line {}: {other} is not a start", vector.line),
    };
    let sides = [("client", Side::Client), ("server", Side::Server)];
    let sent = sides.map(|(key, side)| (side, vector.get(key)));
    let is_one_sided = sent.iter().any(|(_, bytes)| bytes.is_none());
    let mut conversation =
        if is_one_sided { Conversation::one_sided(start) } else { Conversation::starting(start) };
    let mut spans = Vec::new();
    for (side, bytes) in sent {
        conversation.feed(side, bytes.unwrap_or_default(), &mut spans);
    }
    conversation.finish(Side::Client, &mut spans);
    conversation.finish(Side::Server, &mut spans);
    spans
}

fn describe(note: &Note) -> String {
    match note {
        Note::Request { method, target, content } => format!("request {method} {target} {content}"),
        Note::Response { status, content } => format!("response {status} {content}"),
        Note::Handshake { concatenation, sha1, accept, is_sent, .. } => {
            format!("handshake {concatenation} {sha1} {accept} {is_sent:?}")
        }
        Note::Message { frames, content: Content::Text(text), .. } => format!("message of {frames} {text:?}"),
        Note::Message { frames, length, .. } => format!("message of {frames} of {length} bytes"),
        Note::Event { id, event, data } => format!("event [{id}] {event} {data:?}"),
        Note::Remark(text) => text.to_string(),
    }
}

fn written(spans: &[Span]) -> String {
    let mut lines = String::new();
    for span in spans {
        let side = if span.side == Side::Client { 'C' } else { 'S' };
        write!(lines, "{side} {} {}: {}", span.offset, span.field, span.value)
            .expect("writing to a String never fails");
        if let Some(rule) = &span.violation {
            write!(lines, " ! {} ({})", rule.sentence, rule.section)
                .expect("writing to a String never fails");
        }
        span.notes.iter().for_each(|note| {
            write!(lines, " = {}", describe(note)).expect("writing to a String never fails")
        });
        lines.push('\n');
    }
    lines
}

#[test]
fn names_the_examples_of_the_specifications() {
    let mut differences = String::new();
    for vector in vectors::parse(include_str!("../vectors/wire.txt")) {
        if !cfg!(feature = "deflate") && vector.text("begins") == "compressed frames" {
            continue;
        }
        let (actual, expected) = (written(&spans(&vector)), vector.text("spans"));
        if actual != expected {
            writeln!(differences, "# {}, line {}", vector.text("name"), vector.line)
                .expect("writing to a String never fails");
            for line in actual.lines() {
                writeln!(differences, "spans: {}\\n", line.replace('\\', "\\\\"))
                    .expect("writing to a String never fails");
            }
        }
    }
    assert!(differences.is_empty(), "the spans are:\n{differences}");
}
