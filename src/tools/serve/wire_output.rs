//! The outputs of the wire view: a terminal, a file, and the clients that follow `/wire`.

use super::passage::Passage;
use super::recording::Recording;
use crate::access_log::BackgroundWriter;
use crate::wire::Span;
use crate::wire::render::shorten::{Shortener, Shown};
use crate::wire::render::text::Text;
use crate::wire::render::{Source, json};

/// An event of the view ends when it has this many bytes.
const EVENT_BYTES: usize = 32 * 1024;

/// How many bytes of one loop iteration are shown to clients. A byte that passes can become a
/// hundred in the view, and a flood of small frames must not become a flood of large events.
const MAX_PER_ITERATION: usize = 4 << 20;
/// How many spans of one read are shown before their size is checked.
const SPANS_AT_ONCE: usize = 1024;
/// Text is written when it has this many bytes, or at the end of the iteration.
const TEXT_BYTES: usize = 256 << 10;

/// All outputs.
#[derive(Default)]
pub struct Outputs {
    terminal: Option<(Text, BackgroundWriter)>,
    text: String,
    recording: Option<Recording>,
    /// A client follows `/wire`.
    pub is_followed: bool,
    events: Vec<String>,
    /// The bytes of this iteration's events.
    event_bytes: usize,
    /// The number of bytes that passed in this iteration and are not shown to clients.
    lost: usize,
    shortener: Shortener,
}

impl Outputs {
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

    /// Returns whether there is any output now.
    pub fn is_any(&self) -> bool {
        self.is_followed || self.terminal.is_some() || self.recording.is_some()
    }

    /// Shows the spans of one read or write.
    pub fn show(&mut self, passage: Passage, spans: &[Span]) {
        if spans.is_empty() {
            return;
        }
        if let Some(recording) = &mut self.recording {
            recording.add(passage, spans);
        }
        // In parts: one read of small frames can be many times what an iteration shows.
        for spans in spans.chunks(SPANS_AT_ONCE) {
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
        if let Some((text, _)) = &mut self.terminal {
            for shown in shown {
                match shown {
                    Shown::Span(span) => text.span(passage.source(), span, &mut self.text),
                    Shown::Omission(omission) => text.omission(passage.source(), *omission, &mut self.text),
                }
            }
        }
        if self.is_followed && self.event_bytes > MAX_PER_ITERATION {
            self.lost += passed;
        } else if self.is_followed {
            let events = events(passage, shown);
            self.event_bytes += events.iter().map(String::len).sum::<usize>();
            self.events.extend(events);
        }
        if self.text.len() > TEXT_BYTES {
            self.write();
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
            self.events.push(format!("{{\"connection\":{connection},\"time_ms\":{time_ms},\"ended\":true}}"));
        }
    }

    /// Writes the text of this iteration, and publishes its events.
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
        if let Some(recording) = &mut self.recording {
            recording.write();
        }
    }
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
    events
}

#[cfg(test)]
mod tests {
    use super::{MAX_PER_ITERATION, Outputs, Passage};
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
            let mut shown = 0;
            for chunk in flood.chunks(1000) {
                spans.clear();
                conversation.feed(Side::Server, chunk, &mut spans);
                outputs.show(passage, &spans);
                shown += usize::from(outputs.lost == 0) * chunk.len();
            }
            let mut events = Vec::new();
            outputs.write_all(&mut |event| events.push(event.to_owned()));
            let lost = format!("\"spans\":[],\"lost\":{}}}", flood.len() - shown);
            assert!(shown > 0 && events.pop().is_some_and(|last| last.ends_with(&lost)), "{lost}");
            let published: usize = events.iter().map(String::len).sum();
            assert!((MAX_PER_ITERATION..2 * MAX_PER_ITERATION).contains(&published), "{published}");
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
        assert!((MAX_PER_ITERATION..MAX_PER_ITERATION * 3 / 2).contains(&published), "{published}");
    }
}
