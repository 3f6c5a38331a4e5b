//! The thread that names the bytes that were passed on, and writes them.

use std::collections::HashMap;
use std::fmt::Write as _;

use super::choice::Choice;
use super::feed::{Seen, Told, What};
use super::output::Output;
use crate::wire::record::Writer;
use crate::wire::render::shorten::{Shortener, Shown};
use crate::wire::render::{Source, json, text::Text};
use crate::wire::{Conversation, Kind, Protocol, Side, Span};

/// How many bytes of a connection wait until it is known what it carries, where only some are to be shown.
const MOST_HELD: usize = 64 * 1024;

/// How the view is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Lines to be read.
    Text,
    /// An object a line.
    Json,
}

/// One connection, as it is seen.
struct Watching {
    number: u64,
    conversation: Conversation,
    /// Who has opened it, and when.
    opened: (String, u64),
    /// Spans that wait until it is known whether they are to be shown, each with its time.
    held: Vec<(u64, Span)>,
    held_bytes: usize,
    /// It has been said that it was opened: it is shown.
    is_shown: bool,
    /// Whose bytes the view can't read; that has been said, and they are not shown since.
    unreadable: Option<Side>,
    /// How many bytes each side has sent.
    sent: [u64; 2],
    /// Which sides have ended.
    ended: [bool; 2],
}

/// Where all that is seen goes.
struct Sink {
    form: Form,
    text: Text,
    print: Output,
    record: Option<(Writer, Output)>,
    shortener: Shortener,
}

/// All connections, as they are seen.
pub struct View {
    choice: Choice,
    shows_secrets: bool,
    sink: Sink,
    watched: HashMap<u64, Watching>,
}

impl View {
    /// A view that is written to `print`, with colours or not, and recorded in `record`.
    pub fn new(form: Form, has_colors: bool, print: Output, record: Option<Output>) -> Self {
        let sink = Sink {
            form,
            text: Text::new(has_colors, false),
            print,
            record: record.map(|output| (Writer::new(), output)),
            shortener: Shortener::default(),
        };
        Self { choice: Choice::default(), shows_secrets: false, sink, watched: HashMap::new() }
    }

    /// The same of what is chosen only, and with the secrets.
    pub fn of(self, choice: Choice, shows_secrets: bool) -> Self {
        Self { choice, shows_secrets, ..self }
    }

    /// Shows what it is told, until all is told.
    ///
    /// # Errors
    /// Not all could be written.
    pub fn run(mut self, told: &Told) -> Result<(), String> {
        loop {
            // What is there is written together; before it waits, all of it is written.
            let next = told.next_now().or_else(|_| {
                self.sink.write();
                told.next()
            });
            let Ok(seen) = next else { break };
            self.see(seen);
            if self.sink.is_full() {
                self.sink.write();
            }
        }
        self.sink.outcome()
    }

    fn see(&mut self, Seen { connection, time_ms, what }: Seen) {
        if let What::Opened(peer) = what {
            let conversation = Conversation::new();
            let shows_secrets = self.shows_secrets;
            let mut watching = Watching {
                number: connection,
                conversation: if shows_secrets { conversation } else { conversation.hiding_secrets() },
                opened: (peer.to_string(), time_ms),
                held: Vec::new(),
                held_bytes: 0,
                is_shown: false,
                unreadable: None,
                sent: [0; 2],
                ended: [false; 2],
            };
            if self.choice.takes(connection, Protocol::Undecided) == Some(true) {
                watching.show(&mut self.sink);
            }
            self.watched.insert(connection, watching);
            return;
        }
        let Some(watching) = self.watched.get_mut(&connection) else { return };
        let mut spans = Vec::new();
        match what {
            What::Opened(_) => {}
            What::Passed(side, bytes) => {
                watching.sent[side as usize] += bytes.len() as u64;
                watching.conversation.feed(side, &bytes, &mut spans);
                watching.settle(time_ms, spans, false, &self.choice, &mut self.sink);
            }
            What::Ended(side) => {
                watching.conversation.finish(side, &mut spans);
                watching.settle(time_ms, spans, false, &self.choice, &mut self.sink);
                watching.end(side, time_ms, Some("ended"), &mut self.sink);
            }
            What::Reset(side) => watching.end(side, time_ms, Some("reset"), &mut self.sink),
            What::LeftOut => watching.say_left_out(time_ms, &mut self.sink),
            What::Over(left_out) => {
                for side in [Side::Client, Side::Server] {
                    watching.conversation.finish(side, &mut spans);
                }
                watching.settle(time_ms, spans, true, &self.choice, &mut self.sink);
                watching.over(time_ms, left_out, &mut self.sink);
                self.watched.remove(&connection);
            }
        }
    }
}

impl Watching {
    /// Shows spans, once it is known whether they are to be.
    fn settle(&mut self, time_ms: u64, spans: Vec<Span>, is_over: bool, choice: &Choice, sink: &mut Sink) {
        let carries = self.conversation.protocol();
        let unknown = match carries {
            Protocol::Unknown { side, why } if self.unreadable.is_none() => Some((side, why)),
            _ => None,
        };
        if spans.is_empty() && unknown.is_none() && !is_over {
            return;
        }
        self.held_bytes += spans.iter().map(|span| span.bytes.len()).sum::<usize>();
        self.held.extend(spans.into_iter().map(|span| (time_ms, span)));
        let is_chosen = match choice.takes(self.number, carries) {
            None if !is_over && self.held_bytes < MOST_HELD => return,
            // Without an answer it is no more than HTTP.
            None => choice.takes(self.number, Protocol::Http) == Some(true),
            Some(is_chosen) => is_chosen,
        };
        self.held_bytes = 0;
        let held = std::mem::take(&mut self.held);
        if !is_chosen || (held.is_empty() && unknown.is_none()) {
            return;
        }
        self.show(sink);
        if let Some((side, _)) = unknown
            && let Some((_, first)) = held.iter().find(|(_, span)| span.side == side)
            && (first.offset, first.kind) == (0, Kind::Opaque)
        {
            // It has not broken a rule of HTTP, it is something else from its first byte on.
            self.unreadable = Some(side);
        }
        let mut rest = held.into_iter().peekable();
        while let Some((time_ms, first)) = rest.next() {
            let mut spans = vec![first];
            while let Some((_, span)) = rest.next_if(|(time, _)| *time == time_ms) {
                spans.push(span);
            }
            sink.record(self.number, time_ms, &spans);
            // What the view can't read is told of in a sentence instead.
            spans.retain(|span| match self.unreadable {
                None if unknown.is_none() => true,
                // A server that speaks something else makes the whole connection that. A client's mistakes are answered.
                Some(unreadable) if unreadable == Side::Server || unreadable == span.side => false,
                _ => span.kind != Kind::Opaque || span.violation.is_some(),
            });
            sink.print(self.number, time_ms, &spans);
        }
        if let Some((side, why)) = unknown {
            self.unreadable = Some(side);
            sink.left_out_of_payloads(self.number, time_ms);
            let name = side.name();
            let remark =
                format!("the view can't read the {name}; what follows passes, and is not shown. {why}");
            // The reasons are this program's, and need no escapes.
            let members = format!("\"event\":\"unknown\",\"side\":\"{name}\",\"why\":\"{why}\"");
            sink.say(self.number, time_ms, &remark, &members);
        }
    }

    /// Says that it was opened, before anything else of it is shown.
    fn show(&mut self, sink: &mut Sink) {
        if !std::mem::replace(&mut self.is_shown, true) {
            let (peer, time_ms) = &self.opened;
            let members = format!("\"event\":\"opened\",\"from\":\"{peer}\"");
            sink.say(self.number, *time_ms, &format!("opened from {peer}"), &members);
        }
    }

    /// A side has ended; `how`, if that is to be said.
    fn end(&mut self, side: Side, time_ms: u64, how: Option<&str>, sink: &mut Sink) {
        if !self.is_shown {
            return;
        }
        if let Some(how) = how {
            let name = side.name();
            let what = if how == "reset" { "has reset the connection" } else { "has ended its side" };
            let members = format!("\"event\":\"{how}\",\"side\":\"{name}\"");
            sink.say(self.number, time_ms, &format!("the {name} {what}"), &members);
        }
        if !std::mem::replace(&mut self.ended[side as usize], true) {
            sink.record_end(self.number, side, time_ms);
        }
    }

    fn say_left_out(&mut self, time_ms: u64, sink: &mut Sink) {
        if self.is_shown {
            let remark = "too much waits to be shown; what follows passes, and is not shown";
            sink.say(self.number, time_ms, remark, "\"event\":\"left out\"");
        }
    }

    fn over(&mut self, time_ms: u64, left_out: [u64; 2], sink: &mut Sink) {
        if !self.is_shown {
            return;
        }
        sink.left_out_of_payloads(self.number, time_ms);
        for side in [Side::Client, Side::Server] {
            self.end(side, time_ms, None, sink);
        }
        let [client, server] = [self.sent[0] + left_out[0], self.sent[1] + left_out[1]];
        let mut remark = format!("over; {client} bytes from the client, {server} from the server");
        let mut members = format!("\"event\":\"over\",\"client\":{client},\"server\":{server}");
        let left_out: u64 = left_out.iter().sum();
        if left_out > 0 {
            // Writing to a String can't fail.
            let _ = write!(remark, "; {left_out} of them not shown");
            let _ = write!(members, ",\"left_out\":{left_out}");
        }
        sink.say(self.number, time_ms, &remark, &members);
    }
}

impl Sink {
    fn print(&mut self, connection: u64, time_ms: u64, spans: &[Span]) {
        let mut shown = Vec::new();
        for span in spans {
            self.shortener.span(connection, span, &mut shown);
        }
        self.print_shown(connection, time_ms, &shown);
    }

    /// What was left out of long payloads that have not ended.
    fn left_out_of_payloads(&mut self, connection: u64, time_ms: u64) {
        let left_out: Vec<Shown<'_>> = self.shortener.end(connection).map(Shown::More).collect();
        self.print_shown(connection, time_ms, &left_out);
    }

    fn print_shown(&mut self, connection: u64, time_ms: u64, shown: &[Shown<'_>]) {
        if !self.print.is_open() {
            return;
        }
        let source = Source { connection: Some(connection), time_ms: Some(time_ms) };
        let out = &mut self.print.text;
        for shown in shown {
            match (shown, self.form) {
                (Shown::Span(span), Form::Text) => self.text.span(source, span, out),
                (Shown::More(more), Form::Text) => self.text.more(source, *more, out),
                (Shown::Span(span), Form::Json) => json::span(source, span, out),
                (Shown::More(more), Form::Json) => json::more(source, *more, out),
            }
            if self.form == Form::Json {
                out.push('\n');
            }
        }
    }

    /// Says something of a connection: as a remark, or as members of an object.
    fn say(&mut self, connection: u64, time_ms: u64, remark: &str, members: &str) {
        let source = Source { connection: Some(connection), time_ms: Some(time_ms) };
        let out = &mut self.print.text;
        match self.form {
            Form::Text => self.text.remark(source, remark, out),
            Form::Json => {
                // Writing to a String can't fail.
                let _ = writeln!(out, "{{\"connection\":{connection},\"time_ms\":{time_ms},{members}}}");
            }
        }
    }

    fn record(&mut self, connection: u64, time_ms: u64, spans: &[Span]) {
        if let Some((writer, output)) = &mut self.record {
            writer.spans(connection, time_ms, spans, &mut output.text);
        }
    }

    fn record_end(&mut self, connection: u64, side: Side, time_ms: u64) {
        if let Some((writer, output)) = &mut self.record {
            writer.end(connection, side, time_ms, &mut output.text);
        }
    }

    fn outputs(&mut self) -> impl Iterator<Item = &mut Output> {
        let recorded = self.record.as_mut().map(|(_, output)| output);
        recorded.into_iter().chain([&mut self.print])
    }

    fn is_full(&mut self) -> bool {
        self.outputs().any(|output| output.is_full())
    }

    fn write(&mut self) {
        self.outputs().for_each(Output::write);
    }

    /// # Errors
    /// Not all could be written.
    fn outcome(&mut self) -> Result<(), String> {
        self.outputs().try_for_each(|output| output.outcome())
    }
}
