//! The output of `explain`: spans as text, JSON or a diagram.

use std::ops::ControlFlow;

use super::args::{Args, Color, Format};
use crate::tools::standard_streams::{self, Written, output_has_colors};
use crate::wire::Span;
use crate::wire::render::{Source, json, svg::Diagram, text::Text};

/// Standard output could not be written. The message is for the user.
pub struct OutputError(pub String);

/// Writes spans to standard output in the requested format.
pub struct Output {
    format: Format,
    text: Text,
    diagram: Diagram,
    buffer: String,
    has_violation: bool,
}

impl Output {
    pub fn new(args: &Args) -> Self {
        let color = match args.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => output_has_colors(),
        };
        Self {
            format: args.format,
            text: Text::new(color, args.all),
            diagram: Diagram::new(),
            buffer: String::new(),
            has_violation: false,
        }
    }

    /// Writes and removes all spans. `Break` means that nothing reads the output any more.
    pub fn write(&mut self, source: Source, spans: &mut Vec<Span>) -> Result<ControlFlow<()>, OutputError> {
        for span in &*spans {
            self.has_violation |= span.violation.is_some();
            match self.format {
                Format::Text => self.text.span(source, span, &mut self.buffer),
                Format::Json => {
                    json::span(source, span, &mut self.buffer);
                    self.buffer.push('\n');
                }
                Format::Svg => self.diagram.span(span),
            }
        }
        spans.clear();
        self.flush()
    }

    /// Completes the output. Returns true if a span breaks a rule.
    pub fn end(mut self) -> Result<bool, OutputError> {
        if self.format == Format::Svg {
            std::mem::take(&mut self.diagram).finish(&mut self.buffer);
            return Ok(self.flush()?.is_continue() && self.has_violation);
        }
        Ok(self.has_violation)
    }

    fn flush(&mut self) -> Result<ControlFlow<()>, OutputError> {
        let written = standard_streams::write(self.buffer.as_bytes()).map_err(OutputError)?;
        self.buffer.clear();
        Ok(match written {
            Written::Completely => ControlFlow::Continue(()),
            Written::ReaderGone => ControlFlow::Break(()),
        })
    }
}
