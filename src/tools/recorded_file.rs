//! The file of a recording: a file, or a named pipe, which another program reads.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use super::io_error::file_error;

/// A file that was created, or a named pipe that is opened at the first write: opening it waits for
/// its reader, so the thread that writes must do it.
#[derive(Debug)]
pub enum RecordedFile {
    Open(File),
    Pipe(PathBuf),
}

impl RecordedFile {
    /// Creates the file, unless it is a named pipe.
    ///
    /// # Errors
    /// Those of the operating system, with the path.
    pub fn create(path: &Path) -> io::Result<Self> {
        if fs::metadata(path).is_ok_and(|file| file.file_type().is_fifo()) {
            return Ok(Self::Pipe(path.to_owned()));
        }
        let named = |error: io::Error| io::Error::new(error.kind(), file_error(path, &error));
        File::create(path).map(Self::Open).map_err(named)
    }

    /// Returns true for a named pipe that has not been opened.
    pub fn is_unopened_pipe(&self) -> bool {
        matches!(self, Self::Pipe(_))
    }

    /// Returns the open file. Opens a named pipe, which waits for its reader.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn opened(&mut self) -> io::Result<&mut File> {
        let file = match self {
            Self::Open(file) => return Ok(file),
            Self::Pipe(path) => File::create(path)?,
        };
        *self = Self::Open(file);
        self.opened()
    }
}

impl Write for RecordedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.opened()?.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(()) // a file has no buffer of its own
    }
}
