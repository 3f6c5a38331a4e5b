//! A destination of the view: standard output or a file.

use std::io::{self, Write};

use crate::tools::io_error::stream_error;
use crate::tools::standard_streams::report;

/// The number of buffered bytes at which the buffer should be written.
const WRITE_BYTES: usize = 64 * 1024;

/// Buffered text output. The first error is reported, and closes the output.
pub struct Output {
    name: String,
    out: Option<Box<dyn Write + Send>>,
    error: Option<io::Error>,
    /// The buffered text.
    pub buffer: String,
}

impl Output {
    /// Returns an output to `out`. Errors are reported with `name`.
    pub fn new(name: &str, out: Box<dyn Write + Send>) -> Self {
        Self { name: name.to_owned(), out: Some(out), error: None, buffer: String::new() }
    }

    /// Returns true until an error closes the output.
    pub fn is_open(&self) -> bool {
        self.out.is_some()
    }

    /// Returns true if the buffer should be written now.
    pub fn is_full(&self) -> bool {
        self.buffer.len() >= WRITE_BYTES
    }

    /// Writes the buffer.
    pub fn write(&mut self) {
        if let Some(out) = &mut self.out
            && !self.buffer.is_empty()
            && let Err(error) = out.write_all(self.buffer.as_bytes()).and_then(|()| out.flush())
        {
            report(format_args!("{}; this output is closed", stream_error(&self.name, &error)));
            (self.out, self.error) = (None, Some(error));
        }
        self.buffer.clear();
    }

    /// Returns the error that closed the output. A pipe that the reader has closed is not an error.
    ///
    /// # Errors
    /// Fails with a message for the user.
    pub fn outcome(&self) -> Result<(), String> {
        match &self.error {
            Some(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(stream_error(&self.name, error)),
            _ => Ok(()),
        }
    }
}
