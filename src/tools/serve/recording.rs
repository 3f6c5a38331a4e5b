//! A recording that is written while the server runs. A slow disk does not slow down the server.

use std::collections::HashSet;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::passage::Passage;
use super::wire_bounds::WireBounds;
use crate::access_log::BackgroundWriter;
use crate::tools::io_error::file_error;
use crate::tools::recorded_file::RecordedFile;
use crate::tools::standard_streams::{finish, report};
use crate::wire::record::Writer;
use crate::wire::{Side, Span};

/// How many bytes of one read or write are recorded before their size is checked.
const BYTES_AT_ONCE: usize = 4 << 10;

/// A recording. If the file does not accept blocks in time, they are dropped, and the connections
/// to which they belong are not recorded any further: nobody can read the bytes after a hole.
pub struct Recording {
    writer: Writer,
    file: BackgroundWriter,
    blocks: String,
    /// Blocks are queued when they have this many bytes, or at the end of the iteration.
    batch: usize,
    path: PathBuf,
    /// The open connections that have blocks in `blocks`.
    in_blocks: HashSet<u64>,
    /// The open connections that are not recorded any further.
    incomplete: HashSet<u64>,
}

impl Recording {
    /// Creates the file. At most `capacity` bytes wait for it.
    ///
    /// # Errors
    /// Those of the operating system, with the path.
    pub fn create(path: &Path, capacity: usize) -> io::Result<Recording> {
        let file = RecordedFile::create(path)?;
        let out = BlockFile { path: path.to_owned(), file, complete: 0 };
        Ok(Recording {
            writer: Writer::new(),
            file: BackgroundWriter::new(Box::new(out), capacity, |lines| {
                format!(
                    "\n# {lines} lines are missing here. Their connections are not recorded any further.\n"
                )
            }),
            blocks: String::new(),
            batch: WireBounds::batch(capacity),
            path: path.to_owned(),
            in_blocks: HashSet::new(),
            incomplete: HashSet::new(),
        })
    }

    /// Records the bytes of one read or write.
    pub fn add(&mut self, passage: Passage, spans: &[Span]) {
        let Passage { connection, time_ms, .. } = passage;
        let mut rest = spans;
        while !rest.is_empty() {
            let mut bytes = 0;
            let is_enough = |span: &Span| {
                bytes += span.bytes.len();
                bytes >= BYTES_AT_ONCE
            };
            let length = rest.iter().position(is_enough).map_or(rest.len(), |last| last + 1);
            let (spans, after) = rest.split_at(length);
            rest = after;
            if self.incomplete.contains(&connection) {
                return;
            }
            self.writer.spans(connection, time_ms, spans, &mut self.blocks);
            self.in_blocks.insert(connection);
            if self.blocks.len() > self.batch {
                self.write();
            }
        }
    }

    /// Stops the recording of a connection, because watching has used its share of the memory.
    pub fn stop(&mut self, passage: Passage) {
        if self.incomplete.insert(passage.connection) {
            let comment = format!(
                "Connection {} is not recorded any further: watching has used its share of the memory.",
                passage.connection
            );
            self.writer.comment(&comment, &mut self.blocks);
        }
    }

    /// Records how many bytes of a connection are missing.
    pub fn lost(&mut self, passage: Passage, bytes: u64) {
        let comment = format!("{bytes} bytes of connection {} are missing.", passage.connection);
        self.writer.comment(&comment, &mut self.blocks);
    }

    /// Returns the memory of the blocks that are not written, in bytes.
    pub fn memory(&self) -> usize {
        self.blocks.capacity() + self.file.memory()
    }

    /// Records the end of a connection.
    pub fn end(&mut self, passage: Passage) {
        if !self.incomplete.remove(&passage.connection) {
            for side in [Side::Client, Side::Server] {
                self.writer.end(passage.connection, side, passage.time_ms, &mut self.blocks);
            }
        }
        self.in_blocks.remove(&passage.connection);
    }

    /// Queues the blocks.
    pub fn write(&mut self) {
        if !self.file.write(self.blocks.as_bytes()) {
            self.incomplete.extend(&self.in_blocks);
        }
        self.blocks.clear();
        self.blocks.shrink_to(2 * self.batch);
        self.in_blocks.clear();
    }

    /// Waits until the blocks are written, but not long. Reports a recording that is cut short.
    pub fn finish(&self) {
        if !finish(&self.file) {
            let path = self.path.display();
            report(format_args!(
                "{path}: the recording is incomplete, because the file did not accept it in time"
            ));
        }
    }
}

/// The file of a recording, as the thread sees it.
struct BlockFile {
    path: PathBuf,
    file: RecordedFile,
    /// The number of bytes that were written.
    complete: u64,
}

impl BlockFile {
    fn write_blocks(&mut self, blocks: &[u8]) -> io::Result<()> {
        let file = self.file.opened()?;
        let mut written = 0;
        while written < blocks.len() {
            match file.write(&blocks[written..]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(length) => written += length,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    // An empty line precedes each block. Without a part of the last one, the
                    // recording can be read to its end. A pipe has no length to change.
                    let end = blocks[..written].windows(2).rposition(|pair| pair == b"\n\n");
                    let _ = file.set_len(self.complete + end.map_or(0, |end| end as u64 + 1));
                    return Err(error);
                }
            }
        }
        self.complete += blocks.len() as u64;
        Ok(())
    }
}

impl Write for BlockFile {
    /// Writes whole blocks. After an error the recording has ended, because a part is missing.
    fn write(&mut self, blocks: &[u8]) -> io::Result<usize> {
        self.write_blocks(blocks).map_err(|error| {
            report(format_args!("{}; the recording ends here", file_error(&self.path, &error)));
            ErrorKind::BrokenPipe
        })?;
        Ok(blocks.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
