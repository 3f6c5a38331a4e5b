//! Where the view goes: rendered to standard output, and recorded in a file.

use std::fmt::Write as _;

use super::output::Output;
use crate::wire::record::Writer;
use crate::wire::render::shorten::{Shortener, Shown};
use crate::wire::render::{Source, json, text::Text};
use crate::wire::{Side, Span};

/// The format of the view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Text,
    /// One object for each field, on one line.
    Json,
}

/// The outputs of the view.
pub struct Sink {
    format: Format,
    text: Text,
    print: Output,
    record: Option<(Writer, Output)>,
    shortener: Shortener,
}

impl Sink {
    /// Returns a sink that renders to `print` and records to `record`.
    pub fn new(format: Format, has_colors: bool, print: Output, record: Option<Output>) -> Self {
        Self {
            format,
            text: Text::new(has_colors, false),
            print,
            record: record.map(|output| (Writer::new(), output)),
            shortener: Shortener::default(),
        }
    }

    /// Renders spans. Long payloads are shortened.
    pub fn print(&mut self, connection: u64, time_ms: u64, spans: &[Span]) {
        let mut shown = Vec::new();
        for span in spans {
            self.shortener.span(connection, span, &mut shown);
        }
        self.print_shown(connection, time_ms, &shown);
    }

    /// Renders the omissions from long payloads that have not ended.
    pub fn print_omissions(&mut self, connection: u64, time_ms: u64) {
        let omissions: Vec<Shown<'_>> = self.shortener.end(connection).map(Shown::Omission).collect();
        self.print_shown(connection, time_ms, &omissions);
    }

    fn print_shown(&mut self, connection: u64, time_ms: u64, shown: &[Shown<'_>]) {
        if !self.print.is_open() {
            return;
        }
        let source = Source { connection: Some(connection), time_ms: Some(time_ms) };
        let out = &mut self.print.buffer;
        for shown in shown {
            match (shown, self.format) {
                (Shown::Span(span), Format::Text) => self.text.span(source, span, out),
                (Shown::Omission(omission), Format::Text) => self.text.omission(source, *omission, out),
                (Shown::Span(span), Format::Json) => json::span(source, span, out),
                (Shown::Omission(omission), Format::Json) => json::omission(source, *omission, out),
            }
            if self.format == Format::Json {
                out.push('\n');
            }
        }
    }

    /// Renders a remark about a connection: as a line of text, or as an object with `members`.
    pub fn remark(&mut self, connection: u64, time_ms: u64, remark: &str, members: &str) {
        let source = Source { connection: Some(connection), time_ms: Some(time_ms) };
        let out = &mut self.print.buffer;
        match self.format {
            Format::Text => self.text.remark(source, remark, out),
            Format::Json => {
                // Writing to a String can't fail.
                let _ = writeln!(out, "{{\"connection\":{connection},\"time_ms\":{time_ms},{members}}}");
            }
        }
    }

    /// Records the bytes of spans.
    pub fn record(&mut self, connection: u64, time_ms: u64, spans: &[Span]) {
        if let Some((writer, output)) = &mut self.record {
            writer.spans(connection, time_ms, spans, &mut output.buffer);
        }
    }

    /// Records the end of a side.
    pub fn record_end(&mut self, connection: u64, side: Side, time_ms: u64) {
        if let Some((writer, output)) = &mut self.record {
            writer.end(connection, side, time_ms, &mut output.buffer);
        }
    }

    fn outputs(&mut self) -> impl Iterator<Item = &mut Output> {
        let recorded = self.record.as_mut().map(|(_, output)| output);
        recorded.into_iter().chain([&mut self.print])
    }

    /// Returns true if a buffer should be written now.
    pub fn is_full(&mut self) -> bool {
        self.outputs().any(|output| output.is_full())
    }

    /// Writes all buffers.
    pub fn write(&mut self) {
        self.outputs().for_each(Output::write);
    }

    /// Returns the first error that closed an output.
    ///
    /// # Errors
    /// Fails with a message for the user.
    pub fn outcome(&mut self) -> Result<(), String> {
        self.outputs().try_for_each(|output| output.outcome())
    }
}
