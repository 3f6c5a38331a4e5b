//! Where the view is written: standard output, or a file.

use std::io::{self, Write};

/// How many bytes wait at most until they are written together.
const TOGETHER: usize = 64 * 1024;

/// Text on its way to where it is written. What fails there is told once, and nothing more is written.
pub struct Output {
    name: String,
    out: Option<Box<dyn Write + Send>>,
    error: Option<io::Error>,
    /// What is to be written.
    pub text: String,
}

impl Output {
    /// What is written goes to `out`; `name` is for what goes wrong there.
    pub fn new(name: &str, out: Box<dyn Write + Send>) -> Self {
        Self { name: name.to_owned(), out: Some(out), error: None, text: String::new() }
    }

    /// Whether anything is written there still.
    pub fn is_open(&self) -> bool {
        self.out.is_some()
    }

    /// Whether so much waits that it is to be written.
    pub fn is_full(&self) -> bool {
        self.text.len() >= TOGETHER
    }

    /// Writes what waits.
    pub fn write(&mut self) {
        if let Some(out) = &mut self.out
            && !self.text.is_empty()
            && let Err(error) = out.write_all(self.text.as_bytes()).and_then(|()| out.flush())
        {
            eprintln!("barewire: {}: {error}; nothing more is written there", self.name);
            (self.out, self.error) = (None, Some(error));
        }
        self.text.clear();
    }

    /// # Errors
    /// What has gone wrong, unless it is that whoever reads has seen enough.
    pub fn outcome(&self) -> Result<(), String> {
        match &self.error {
            Some(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(format!("{}: {error}", self.name))
            }
            _ => Ok(()),
        }
    }
}
