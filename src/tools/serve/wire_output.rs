//! The outputs of the wire view: a terminal, a file, and the clients that follow `/wire`.

use super::passage::Passage;
use super::recording::Recording;
use super::wire_bounds::WireBounds;
use crate::access_log::BackgroundWriter;
use crate::wire::Span;
use crate::wire::render::shorten::{Shortener, Shown};
use crate::wire::render::text::Text;
use crate::wire::render::{Source, json};

/// An event of the view ends when it has this many bytes.
const EVENT_BYTES: usize = 32 * 1024;

/// About as many bytes as most spans have in an event, at most.
const EVENT_BYTES_OF_SPAN: usize = 2048;
/// The work of making and showing a span, in units of about a nanosecond, and that of writing a
/// byte of text.
const SPAN_WORK: u64 = 150;
const BYTE_WORK: u64 = 1;
/// The most spans of one read that are shown before their size is checked.
const SPANS_AT_ONCE: usize = 64;

/// All outputs.
#[derive(Default)]
pub struct Outputs {
    bounds: WireBounds,
    terminal: Option<(Text, BackgroundWriter)>,
    text: String,
    recording: Option<Recording>,
    /// A client follows `/wire`.
    pub is_followed: bool,
    events: Vec<String>,
    /// The bytes of the events that are not published yet.
    event_bytes: usize,
    /// The number of bytes that have passed since the last event was published, and are not shown
    /// to clients.
    lost: usize,
    shortener: Shortener,
    /// The work since it was last taken, in units of about a nanosecond.
    pub work: u64,
}

impl Outputs {
    /// Returns no outputs, for which these bounds hold.
    pub fn within(bounds: WireBounds) -> Outputs {
        Outputs { bounds, ..Outputs::default() }
    }

    /// Adds a terminal, or any other writer of text.
    pub fn print_to(mut self, out: BackgroundWriter, color: bool) -> Outputs {
        self.terminal = Some((Text::new(color, false), out));
        self
    }

    /// Adds a recording.
    pub fn record_to(mut self, recording: Recording) -> Outputs {
        self.recording = Some(recording);
        self
    }

    /// Returns the bound on the memory of all conversations together, in bytes.
    pub fn bound_of_conversations(&self) -> usize {
        self.bounds.conversations(self.terminal.is_some(), self.recording.is_some())
    }

    /// Returns the memory of all that is not delivered yet, in bytes.
    pub fn memory(&self) -> usize {
        let terminal = self.terminal.as_ref().map_or(0, |(_, out)| out.memory());
        let recording = self.recording.as_ref().map_or(0, Recording::memory);
        terminal + recording + self.text.capacity() + self.event_bytes
    }

    /// Returns whether there is any output now.
    pub fn is_any(&self) -> bool {
        self.is_followed || self.terminal.is_some() || self.recording.is_some()
    }

    /// Shows the spans of one read or write.
    pub fn show(&mut self, passage: Passage, spans: &[Span]) {
        if spans.is_empty() {
            return;
        }
        self.work += spans.len() as u64 * SPAN_WORK;
        if let Some(recording) = &mut self.recording {
            recording.add(passage, spans);
        }
        // In parts: one read of small frames can be many times what an output accepts.
        let at_once = (self.bounds.events / EVENT_BYTES_OF_SPAN).clamp(1, SPANS_AT_ONCE);
        let parts = spans.split_inclusive(has_long_note).flat_map(|spans| spans.chunks(at_once));
        for spans in parts {
            let mut shown = Vec::new();
            for span in spans {
                self.shortener.span(passage.connection, span, &mut shown);
            }
            let passed = spans.iter().map(|span| span.bytes.len()).sum();
            self.deliver(passage, &shown, passed);
        }
    }

    /// Delivers `shown`, which covers `passed` bytes, to the terminal and to the clients.
    fn deliver(&mut self, passage: Passage, shown: &[Shown<'_>], passed: usize) {
        let before = self.text.len() + self.event_bytes;
        if let Some((text, _)) = &mut self.terminal {
            for shown in shown {
                match shown {
                    Shown::Span(span) => text.span(passage.source(), span, &mut self.text),
                    Shown::Omission(omission) => text.omission(passage.source(), *omission, &mut self.text),
                }
            }
        }
        if self.is_followed && self.event_bytes > self.bounds.events {
            self.lost += passed;
        } else if self.is_followed {
            let events = events(passage, shown);
            self.event_bytes += events.iter().map(String::len).sum::<usize>();
            self.events.extend(events);
        }
        self.work += (self.text.len() + self.event_bytes - before) as u64 * BYTE_WORK;
        if self.text.len() > WireBounds::batch(self.bounds.text) {
            self.write();
        }
    }

    /// Shows that later bytes of a connection are not shown, because watching has used its share of
    /// the memory.
    pub fn stop(&mut self, passage: Passage) {
        if let Some((text, _)) = &mut self.terminal {
            let remark = "watching has used its share of the memory; later bytes are not shown";
            text.remark(passage.source(), remark, &mut self.text);
        }
        if let Some(recording) = &mut self.recording {
            recording.stop(passage);
        }
    }

    /// Counts bytes that are not shown.
    pub fn lose(&mut self, bytes: usize) {
        if self.is_followed {
            self.lost += bytes;
        }
    }

    /// Shows how many bytes of a connection were not shown at its end.
    pub fn show_lost(&mut self, passage: Passage, bytes: u64) {
        if let Some((text, _)) = &mut self.terminal {
            text.remark(passage.source(), &format!("closed; {bytes} bytes are not shown"), &mut self.text);
        }
        if let Some(recording) = &mut self.recording {
            recording.lost(passage, bytes);
        }
    }

    /// Shows the end of a connection.
    pub fn show_end(&mut self, passage: Passage) {
        let Passage { connection, time_ms, .. } = passage;
        let left_out: Vec<Shown<'_>> = self.shortener.end(connection).map(Shown::Omission).collect();
        if !left_out.is_empty() {
            self.deliver(passage, &left_out, 0);
        }
        if let Some(recording) = &mut self.recording {
            recording.end(passage);
        }
        if self.is_followed {
            let event = format!("{{\"connection\":{connection},\"time_ms\":{time_ms},\"ended\":true}}");
            self.event_bytes += event.len();
            self.events.push(event);
        }
    }

    /// Writes the text, and publishes the events.
    pub fn write_all(&mut self, publish: &mut dyn FnMut(&str)) {
        self.write();
        for event in self.events.drain(..) {
            publish(&event);
        }
        self.event_bytes = 0;
        let lost = std::mem::take(&mut self.lost);
        if lost > 0 {
            publish(&format!(
                "{{\"connection\":0,\"transport\":\"-\",\"time_ms\":0,\"spans\":[],\"lost\":{lost}}}"
            ));
        }
    }

    /// Waits for the recording to be written, but not long.
    pub fn finish(&self) {
        self.recording.iter().for_each(Recording::finish);
    }

    fn write(&mut self) {
        if let Some((_, out)) = &self.terminal {
            out.write(self.text.as_bytes());
        }
        self.text.clear();
        self.text.shrink_to(2 * WireBounds::batch(self.bounds.text));
        if let Some(recording) = &mut self.recording {
            recording.write();
        }
    }
}

/// Returns whether a message or an event ends with the span that is longer than most spans are in
/// an event.
fn has_long_note(span: &Span) -> bool {
    span.notes.iter().any(|note| note.content_len() > EVENT_BYTES_OF_SPAN)
}

/// Returns spans as JSON for clients: one object, or several if it gets long.
fn events(passage: Passage, shown: &[Shown<'_>]) -> Vec<String> {
    let Passage { connection, purpose, time_ms } = passage;
    let transport = purpose.name();
    // The names of purposes and fields need no escapes.
    let head = format!(
        "{{\"connection\":{connection},\"transport\":\"{transport}\",\"time_ms\":{time_ms},\"spans\":["
    );
    let mut events = Vec::new();
    let mut event = head.clone();
    for shown in shown {
        if event.len() > EVENT_BYTES {
            event.push_str("]}");
            events.push(std::mem::replace(&mut event, head.clone()));
        }
        if event.len() > head.len() {
            event.push(',');
        }
        match shown {
            Shown::Span(span) => json::span(Source::default(), span, &mut event),
            Shown::Omission(omission) => json::omission(Source::default(), *omission, &mut event),
        }
    }
    event.push_str("]}");
    events.push(event);
    // A string that has grown by doubling would count for less than its memory.
    events.iter_mut().for_each(String::shrink_to_fit);
    events
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use super::{Outputs, Passage, WireBounds};
    use crate::access_log::BackgroundWriter;
    use crate::transport::{Purpose, Transport};
    use crate::wire::{Compression, Conversation, Side, Start};

    #[test]
    fn a_flood_is_reported_by_its_length_and_the_next_iteration_is_shown_again() {
        let mut outputs = Outputs { is_followed: true, ..Outputs::default() };
        let purpose = Purpose::Follow(Transport::WebSocket);
        let passage = Passage { connection: 1, purpose, time_ms: 0 };
        let mut conversation = Conversation::starting(Start::WebSocket(Compression::None));
        // Empty pings from a server: two bytes each, and a hundred times as many in the view.
        let flood = [0x89, 0x00].repeat(20_000);
        let mut spans = Vec::new();
        for _ in 0..2 {
            for chunk in flood.chunks(1000) {
                spans.clear();
                conversation.feed(Side::Server, chunk, &mut spans);
                outputs.show(passage, &spans);
            }
            let mut events = Vec::new();
            outputs.write_all(&mut |event| events.push(event.to_owned()));
            // Each byte is a span.
            let shown: usize = events.iter().map(|event| event.matches("\"offset\":").count()).sum();
            let lost = format!("\"spans\":[],\"lost\":{}}}", flood.len() - shown);
            assert!(shown > 0 && events.pop().is_some_and(|last| last.ends_with(&lost)), "{lost}");
            let published: usize = events.iter().map(String::len).sum();
            let most = WireBounds::default().events;
            assert!((most / 2..most * 3 / 2).contains(&published), "{published}");
        }
    }

    #[test]
    fn one_read_is_shown_up_to_the_limit_of_an_iteration() {
        let mut outputs = Outputs { is_followed: true, ..Outputs::default() };
        let purpose = Purpose::Follow(Transport::WebSocket);
        let passage = Passage { connection: 1, purpose, time_ms: 0 };
        let mut conversation = Conversation::starting(Start::WebSocket(Compression::None));
        let mut spans = Vec::new();
        conversation.feed(Side::Server, &[0x89, 0x00].repeat(40_000), &mut spans);
        outputs.show(passage, &spans);
        let mut published = 0;
        outputs.write_all(&mut |event| published += event.len());
        let most = WireBounds::default().events;
        assert!((most / 2..most * 3 / 2).contains(&published), "{published}");
    }

    #[test]
    fn one_read_of_long_messages_exceeds_the_limit_of_an_iteration_by_one_of_them() {
        // A frame from a server: its header, and 60,000 bytes.
        let message = [&[0x81, 126, 0xea, 0x60][..], &[b'x'; 60_000]].concat();
        let bounds = WireBounds::of_share(16 << 20);
        let mut outputs = Outputs { is_followed: true, ..Outputs::within(bounds) };
        let passage = Passage { connection: 1, purpose: Purpose::Other, time_ms: 0 };
        let mut conversation = Conversation::starting(Start::WebSocket(Compression::None));
        let mut spans = Vec::new();
        conversation.feed(Side::Server, &message.repeat(10), &mut spans);
        // A message is shown as a whole, after its first bytes in hexadecimal digits.
        let mut messages = Vec::from_iter(spans.into_iter().filter(|span| !span.notes.is_empty()));
        assert_eq!(messages.len(), 10);
        messages.iter_mut().for_each(|span| span.bytes = (*b"x").into());
        outputs.show(passage, &messages);
        let mut published = 0;
        outputs.write_all(&mut |event| published += event.len());
        assert!((bounds.events..bounds.events + 70_000).contains(&published), "{published}");
    }

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no panic").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn the_text_says_which_connection_is_not_shown_any_further() {
        let written = Written::default();
        let out = BackgroundWriter::new(Box::new(written.clone()), 1 << 20, |_| String::new());
        let mut outputs = Outputs::default().print_to(out.clone(), false);
        let passage = Passage { connection: 7, purpose: Purpose::Other, time_ms: 1 };
        outputs.stop(passage);
        outputs.show_lost(Passage { time_ms: 2, ..passage }, 99);
        outputs.write_all(&mut |_| ());
        assert!(out.finish(Duration::from_secs(20)));
        let text = String::from_utf8(written.0.lock().expect("no panic").clone()).expect("UTF-8");
        assert_eq!(
            text,
            "connection 7, 1 ms: watching has used its share of the memory; later bytes are not shown\n\
             connection 7, 2 ms: closed; 99 bytes are not shown\n"
        );
    }
}
