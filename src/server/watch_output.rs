//! Where the wire view goes: to a terminal, to a file, and to those who follow `/wire`.

use std::io::Write;

use crate::wire::record::Writer;
use crate::wire::render::shorten::{Shortener, Shown};
use crate::wire::render::text::Text;
use crate::wire::render::{Source, json};
use crate::wire::{Side, Span};

/// An event of the view is cut where it has this many bytes.
const EVENT_BYTES: usize = 32 * 1024;

/// How much of one turn is shown to followers, in bytes: a byte that passes can be a hundred in the view, and a flood of small frames
/// must not become one of large events.
const MOST_OF_A_TURN: usize = 4 << 20;
/// Of one read, so many spans are shown before it is looked at how much that was.
const SPANS_AT_ONCE: usize = 1024;
/// Text is written when there is this much of it, in bytes, or at the turn's end.
const TEXT_BYTES: usize = 256 << 10;

/// Which bytes have passed, and when.
#[derive(Clone, Copy, Debug)]
pub struct Passage {
    /// The connection's number.
    pub connection: u64,
    /// What it carries, as the log calls it.
    pub transport: &'static str,
    /// In milliseconds since the server's start.
    pub time_ms: u64,
}

impl Passage {
    fn source(self) -> Source {
        Source { connection: Some(self.connection), time_ms: Some(self.time_ms) }
    }
}

/// All who look.
#[derive(Default)]
pub struct Outputs {
    terminal: Option<(Text, Box<dyn Write>)>,
    text: String,
    record: Option<(Writer, Box<dyn Write>)>,
    recorded: String,
    /// Whether somebody follows `/wire`.
    pub followed: bool,
    events: Vec<String>,
    /// How many bytes the events of this turn have.
    waiting: usize,
    /// How many bytes have passed in this turn that followers are not shown.
    lost: usize,
    shortener: Shortener,
}

impl Outputs {
    /// Shows it on a terminal too, or whatever takes text; `color`: with colours.
    pub fn print_to(mut self, out: Box<dyn Write>, color: bool) -> Outputs {
        self.terminal = Some((Text::new(color, false), out));
        self
    }

    /// Keeps it in a file too, or whatever takes text.
    pub fn record_to(mut self, out: Box<dyn Write>) -> Outputs {
        self.record = Some((Writer::new(), out));
        self
    }

    /// Whether anybody looks.
    pub fn is_any(&self) -> bool {
        self.followed || self.terminal.is_some() || self.record.is_some()
    }

    /// Shows spans of one connection.
    pub fn show(&mut self, passage: Passage, spans: &[Span]) {
        if spans.is_empty() {
            return;
        }
        if let Some((writer, _)) = &mut self.record {
            writer.spans(passage.connection, passage.time_ms, spans, &mut self.recorded);
        }
        // In pieces: one read of small frames can be many times what a turn shows.
        for spans in spans.chunks(SPANS_AT_ONCE) {
            let mut shown = Vec::new();
            for span in spans {
                self.shortener.span(passage.connection, span, &mut shown);
            }
            let passed = spans.iter().map(|span| span.bytes.len()).sum();
            self.hand_on(passage, &shown, passed);
        }
    }

    /// Hands on what is shown of `passed` bytes.
    fn hand_on(&mut self, passage: Passage, shown: &[Shown<'_>], passed: usize) {
        if let Some((text, _)) = &mut self.terminal {
            for shown in shown {
                match shown {
                    Shown::Span(span) => text.span(passage.source(), span, &mut self.text),
                    Shown::More(more) => text.more(passage.source(), *more, &mut self.text),
                }
            }
        }
        if self.followed && self.waiting > MOST_OF_A_TURN {
            self.lost += passed;
        } else if self.followed {
            let events = events(passage, shown);
            self.waiting += events.iter().map(String::len).sum::<usize>();
            self.events.extend(events);
        }
        if self.text.len().max(self.recorded.len()) > TEXT_BYTES {
            self.write();
        }
    }

    /// A connection has ended.
    pub fn ended(&mut self, passage: Passage) {
        let Passage { connection, time_ms, .. } = passage;
        let left_out: Vec<Shown<'_>> = self.shortener.end(connection).map(Shown::More).collect();
        if !left_out.is_empty() {
            self.hand_on(passage, &left_out, 0);
        }
        if let Some((writer, _)) = &mut self.record {
            for side in [Side::Client, Side::Server] {
                writer.end(connection, side, time_ms, &mut self.recorded);
            }
        }
        if self.followed {
            self.events.push(format!("{{\"connection\":{connection},\"time_ms\":{time_ms},\"ended\":true}}"));
        }
    }

    /// Writes what is for a terminal or a file, and hands out what is for followers.
    pub fn hand_out(&mut self, mut publish: impl FnMut(&str)) {
        self.write();
        for event in self.events.drain(..) {
            publish(&event);
        }
        self.waiting = 0;
        let lost = std::mem::take(&mut self.lost);
        if lost > 0 {
            publish(&format!(
                "{{\"connection\":0,\"transport\":\"-\",\"time_ms\":0,\"spans\":[],\"lost\":{lost}}}"
            ));
        }
    }

    fn write(&mut self) {
        hand(&mut self.terminal, &mut self.text, "standard error");
        hand(&mut self.record, &mut self.recorded, "the recording");
    }
}

/// Hands on what is written. An output that takes no more is looked at no more: the server goes on.
fn hand<W>(output: &mut Option<(W, Box<dyn Write>)>, text: &mut String, name: &str) {
    if let Some((_, out)) = output
        && !text.is_empty()
        && let Err(error) = out.write_all(text.as_bytes()).and_then(|()| out.flush())
    {
        eprintln!("barewire: {name}: {error}; nothing more is written there");
        *output = None;
    }
    text.clear();
}

/// What is shown as JSON for followers: an object for each passage, cut where it gets long.
fn events(passage: Passage, shown: &[Shown<'_>]) -> Vec<String> {
    let Passage { connection, transport, time_ms } = passage;
    // Names of transports and fields are this program's, and need no escapes.
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
            Shown::More(more) => json::more(Source::default(), *more, &mut event),
        }
    }
    event.push_str("]}");
    events.push(event);
    events
}

#[cfg(test)]
mod tests {
    use super::{MOST_OF_A_TURN, Outputs, Passage};
    use crate::wire::{Compression, Conversation, Side, Start};

    #[test]
    fn a_flood_is_told_by_its_length_and_the_next_turn_is_shown_again() {
        let mut outputs = Outputs { followed: true, ..Outputs::default() };
        let passage = Passage { connection: 1, transport: "websocket", time_ms: 0 };
        let mut conversation = Conversation::starting(Start::WebSocket(Compression::None));
        // Pings without payload, from a server: two bytes, and a hundred times as many in the view.
        let flood = [0x89, 0x00].repeat(20_000);
        let mut spans = Vec::new();
        for _ in 0..2 {
            let mut shown = 0;
            for piece in flood.chunks(1000) {
                spans.clear();
                conversation.feed(Side::Server, piece, &mut spans);
                outputs.show(passage, &spans);
                shown += usize::from(outputs.lost == 0) * piece.len();
            }
            let mut events = Vec::new();
            outputs.hand_out(|event| events.push(event.to_owned()));
            let lost = format!("\"spans\":[],\"lost\":{}}}", flood.len() - shown);
            assert!(shown > 0 && events.pop().is_some_and(|last| last.ends_with(&lost)), "{lost}");
            let told: usize = events.iter().map(String::len).sum();
            assert!((MOST_OF_A_TURN..2 * MOST_OF_A_TURN).contains(&told), "{told}");
        }
    }

    #[test]
    fn one_read_is_shown_as_far_as_a_turn_may_be() {
        let mut outputs = Outputs { followed: true, ..Outputs::default() };
        let passage = Passage { connection: 1, transport: "websocket", time_ms: 0 };
        let mut conversation = Conversation::starting(Start::WebSocket(Compression::None));
        let mut spans = Vec::new();
        conversation.feed(Side::Server, &[0x89, 0x00].repeat(40_000), &mut spans);
        outputs.show(passage, &spans);
        let mut told = 0;
        outputs.hand_out(|event| told += event.len());
        assert!((MOST_OF_A_TURN..MOST_OF_A_TURN * 3 / 2).contains(&told), "{told}");
    }
}
