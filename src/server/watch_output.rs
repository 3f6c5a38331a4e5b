//! Where the wire view goes: to a terminal, to a file, and to those who follow `/wire`.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::Write;

use crate::wire::record::Writer;
use crate::wire::render::text::Text;
use crate::wire::render::{Source, json};
use crate::wire::{Kind, PIECE, Side, Span};

/// An event of the view is cut where it has this many bytes.
const EVENT_BYTES: usize = 32 * 1024;

/// How much of one turn is shown to followers, in bytes: a byte that passes can be a hundred in the view, and a flood of small frames
/// must not become one of large events.
const MOST_OF_A_TURN: usize = 4 << 20;
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

/// A long payload that is being shortened.
#[derive(Default)]
struct Long {
    field: &'static str,
    skipped: usize,
    is_data: bool,
}

/// What is shown of a long payload: its first piece, and how much more there was.
enum Shown<'s> {
    Span(&'s Span),
    More { side: Side, long: Long },
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
    long: HashMap<(u64, Side), Long>,
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
        let mut shown = Vec::new();
        for span in spans {
            let (before, itself) = self.shorten(passage.connection, span);
            shown.extend(before);
            shown.extend(itself);
        }
        if let Some((text, _)) = &mut self.terminal {
            for shown in &shown {
                match shown {
                    Shown::Span(span) => text.span(passage.source(), span, &mut self.text),
                    // Writing to a String can't fail.
                    Shown::More { long, .. } => {
                        let _ =
                            writeln!(self.text, "        … {} more bytes of {}", long.skipped, long.field);
                    }
                }
            }
        }
        if self.followed && self.waiting > MOST_OF_A_TURN {
            self.lost += spans.iter().map(|span| span.bytes.len()).sum::<usize>();
        } else if self.followed {
            let events = events(passage, &shown);
            self.waiting += events.iter().map(String::len).sum::<usize>();
            self.events.extend(events);
        }
        if self.text.len().max(self.recorded.len()) > TEXT_BYTES {
            self.write();
        }
    }

    /// What is shown of a span, and before it of a long payload that has ended.
    fn shorten<'s>(&mut self, connection: u64, span: &'s Span) -> (Option<Shown<'s>>, Option<Shown<'s>>) {
        let long = self.long.entry((connection, span.side)).or_default();
        let may_go_on = matches!(span.kind, Kind::Payload | Kind::Opaque);
        let is_plain = span.notes.is_empty() && span.wrong.is_none();
        if may_go_on && long.field == span.field && is_plain {
            long.skipped += span.bytes.len();
            return (None, None);
        }
        let next = match may_go_on && span.bytes.len() == PIECE {
            true => Long { field: span.field, skipped: 0, is_data: span.is_data() },
            false => Long::default(),
        };
        let last = std::mem::replace(long, next);
        let more = (last.skipped > 0).then_some(Shown::More { side: span.side, long: last });
        (more, Some(Shown::Span(span)))
    }

    /// A connection has ended.
    pub fn ended(&mut self, connection: u64, time_ms: u64) {
        for side in [Side::Client, Side::Server] {
            self.long.remove(&(connection, side));
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
            Shown::More { side, long } => {
                let Long { field, skipped, is_data } = long;
                let side = side.name();
                let _ = write!(
                    event,
                    "{{\"side\":\"{side}\",\"more\":{skipped},\"field\":\"{field}\",\"data\":{is_data}}}"
                );
            }
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
}
