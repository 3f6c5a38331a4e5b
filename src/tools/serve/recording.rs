//! A recording that is written while the server runs. A slow disk does not slow down the server.

use std::collections::HashSet;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::passage::Passage;
use crate::access_log::BackgroundWriter;
use crate::tools::io_error::file_error;
use crate::tools::recorded_file::RecordedFile;
use crate::tools::standard_streams::{finish, report};
use crate::wire::record::Writer;
use crate::wire::{Side, Span};

/// The bytes of a recording that may wait for the file. More than for the log, because a hole ends
/// the recording of a connection.
const QUEUE_BYTES: usize = 16 << 20;
/// Blocks are queued when they have this many bytes, or at the end of the iteration.
const BLOCKS_BYTES: usize = 256 << 10;
/// How many spans of one read or write are recorded before their size is checked.
const SPANS_AT_ONCE: usize = 64;

/// A recording. If the file does not accept blocks in time, they are dropped, and the connections
/// to which they belong are not recorded any further: nobody can read the bytes after a hole.
pub struct Recording {
    writer: Writer,
    file: BackgroundWriter,
    blocks: String,
    path: PathBuf,
    /// The open connections that have blocks in `blocks`.
    in_blocks: HashSet<u64>,
    /// The open connections whose blocks were dropped.
    incomplete: HashSet<u64>,
}

impl Recording {
    /// Creates the file.
    ///
    /// # Errors
    /// Those of the operating system, with the path.
    pub fn create(path: &Path) -> io::Result<Recording> {
        let file = RecordedFile::create(path)?;
        let out = BlockFile { path: path.to_owned(), file, complete: 0 };
        Ok(Recording {
            writer: Writer::new(),
            file: BackgroundWriter::new(Box::new(out), QUEUE_BYTES, |lines| {
                format!(
                    "\n# {lines} lines are missing here. Their connections are not recorded any further.\n"
                )
            }),
            blocks: String::new(),
            path: path.to_owned(),
            in_blocks: HashSet::new(),
            incomplete: HashSet::new(),
        })
    }

    /// Records the bytes of one read or write.
    pub fn add(&mut self, passage: Passage, spans: &[Span]) {
        let Passage { connection, time_ms, .. } = passage;
        for spans in spans.chunks(SPANS_AT_ONCE) {
            if self.incomplete.contains(&connection) {
                return;
            }
            self.writer.spans(connection, time_ms, spans, &mut self.blocks);
            self.in_blocks.insert(connection);
            if self.blocks.len() > BLOCKS_BYTES {
                self.write();
            }
        }
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
