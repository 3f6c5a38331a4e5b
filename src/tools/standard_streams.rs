//! Standard output and standard error of the commands. No other module names them.
//!
//! A message never changes the result of a command: it is queued for a background thread, so a full
//! disk, a closed pipe or a stopped terminal neither blocks nor ends the command. Data is
//! different: a failed write is an error, but a reader that has closed its pipe has read enough.

use std::fmt::Display;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::os::fd::AsRawFd;
use std::process::ExitCode;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};

use super::exit_status::OUTPUT_FAILED;
use super::io_error::stream_error;
use crate::access_log::{BackgroundWriter, LogForm};

/// The bytes of messages that may wait for standard error, in commands other than `serve`.
const MESSAGE_BYTES: usize = 1 << 20;
/// How long the end of a command waits for all its outputs together.
const FINISH: Duration = Duration::from_secs(1);
/// How long data waits for earlier messages, so that both are in order on a terminal.
const IN_ORDER: Duration = Duration::from_millis(100);

/// The delay before another attempt to write to a non-blocking output that is full.
const RETRY: Duration = Duration::from_millis(10);

/// The form of the messages, and their writer. Both are chosen before the first message.
static STANDARD_ERROR: OnceLock<(LogForm, BackgroundWriter)> = OnceLock::new();
/// The time at which the command ends, whatever its outputs have accepted.
static FINISHED_BY: OnceLock<Instant> = OnceLock::new();
/// The last wait for standard error was in vain.
static IS_STUCK: AtomicBool = AtomicBool::new(false);

/// Chooses the form of all messages, and how many bytes may wait. Returns the writer.
pub fn open_standard_error(form: LogForm, capacity: usize) -> BackgroundWriter {
    STANDARD_ERROR.get_or_init(|| (form, form.to_standard_error(capacity))).1.clone()
}

/// Returns the writer to standard error, which never blocks.
pub fn standard_error() -> BackgroundWriter {
    open_standard_error(LogForm::Text, MESSAGE_BYTES)
}

/// Writes a message to standard error. A failure is ignored.
pub fn report(message: impl Display) {
    let writer = standard_error();
    let form = STANDARD_ERROR.get().map_or(LogForm::Text, |(form, _)| *form);
    writer.write(form.notice(&message.to_string()).as_bytes());
}

/// Waits for the messages to be written, but not long.
pub fn finish_messages() {
    if let Some((_, writer)) = STANDARD_ERROR.get()
        && !finish(writer)
    {
        // Another output may have used up the time, and its report is among the messages.
        writer.finish(IN_ORDER);
    }
}

/// Waits at the end of a command for one of its outputs to be written. All outputs together are
/// given one second from the first call on. Returns false if lines still wait then.
pub fn finish(writer: &BackgroundWriter) -> bool {
    let deadline = *FINISHED_BY.get_or_init(|| Instant::now() + FINISH);
    writer.finish(deadline.saturating_duration_since(Instant::now()))
}

/// The result of a write that has not failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// All bytes are written.
    Completely,
    /// Nobody reads the output any more, as after `head`.
    ReaderGone,
}

/// Standard output.
pub struct StandardOutput;

impl Write for StandardOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        when_ready(|| io::stdout().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        when_ready(|| io::stdout().flush())
    }
}

/// Repeats an operation until the output is ready. Another program may have made the pipe or the
/// terminal non-blocking, for all programs that use it.
fn when_ready<T>(mut operation: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match operation() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(RETRY),
            done => return done,
        }
    }
}

/// Writes data to standard output, after the messages so far.
///
/// # Errors
/// Fails with a message for the user, unless only the reader is gone.
pub fn write(data: &[u8]) -> Result<Written, String> {
    if let Some((_, writer)) = STANDARD_ERROR.get() {
        let patience = if IS_STUCK.load(Ordering::Relaxed) { Duration::ZERO } else { IN_ORDER };
        IS_STUCK.store(!writer.finish(patience), Ordering::Relaxed);
    }
    // Rust buffers what follows the last line end, and ignores its error at the exit.
    match StandardOutput.write_all(data).and_then(|()| StandardOutput.flush()) {
        Ok(()) => Ok(Written::Completely),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(Written::ReaderGone),
        Err(error) => Err(stream_error("standard output", &error)),
    }
}

/// Calls `end` when nobody reads standard output any more, on a thread that waits for it. Otherwise
/// a command that waits for data would learn it with its next write.
///
/// Does nothing if standard output is a file, which cannot be polled (epoll_ctl(2), EPERM), or if
/// the system permits no thread.
pub fn when_reader_is_gone(end: impl FnOnce() + Send + 'static) {
    let Ok(mut poll) = Poll::new() else { return };
    // The end of the reader is reported in any case. An interest in writing would wake the thread
    // whenever the reader has made room.
    let registered =
        poll.registry().register(&mut SourceFd(&io::stdout().as_raw_fd()), Token(0), Interest::READABLE);
    if registered.is_err() {
        return;
    }
    let wait = move || {
        let mut events = Events::with_capacity(1);
        loop {
            match poll.poll(&mut events, None) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => return,
                Ok(()) => {}
            }
            if events.iter().any(|event| event.is_error() || event.is_write_closed()) {
                return end();
            }
        }
    };
    let _ = thread::Builder::new().name("output".into()).spawn(wait);
}

/// Writes a text to standard output. Returns the exit status.
pub fn print(text: &str) -> ExitCode {
    match write(text.as_bytes()) {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => fail(OUTPUT_FAILED, error),
    }
}

/// Writes a message to standard error. Returns the exit status.
pub fn fail(status: u8, message: impl Display) -> ExitCode {
    report(message);
    ExitCode::from(status)
}

/// Returns true if standard output is a terminal.
pub fn output_is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Returns whether to write colors to standard output.
pub fn output_has_colors() -> bool {
    has_colors(&io::stdout())
}

/// Returns whether to write colors to standard error.
pub fn errors_have_colors() -> bool {
    has_colors(&io::stderr())
}

/// Returns whether to write colors to `out`: it is a terminal and `NO_COLOR` is not set
/// (no-color.org).
fn has_colors(out: &impl IsTerminal) -> bool {
    out.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// A line on standard error that overwrites itself. It exists on a terminal only.
pub struct StatusLine(Option<BackgroundWriter>);

impl StatusLine {
    pub fn new(is_wanted: bool) -> Self {
        Self((is_wanted && io::stderr().is_terminal()).then(standard_error))
    }

    pub fn is_shown(&self) -> bool {
        self.0.is_some()
    }

    pub fn show(&self, text: &str) {
        if let Some(writer) = &self.0 {
            writer.write(format!("\r{text}\x1b[K").as_bytes());
        }
    }

    pub fn clear(&self) {
        self.show("");
    }
}
