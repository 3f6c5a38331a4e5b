//! A writer that never blocks its caller: a bounded queue, and a thread that writes it.
//!
//! Standard error may be a pipe that nobody reads, a full disk, or a terminal stopped with Ctrl-S.
//! A server that waits for it stands still for all its clients. So what does not fit in the queue
//! is dropped and counted, and the thread says so when the output accepts bytes again.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// The delay before another attempt to write to a non-blocking output that is full.
const RETRY: Duration = Duration::from_millis(10);
/// How much memory the thread keeps from one batch to the next, in bytes.
const BYTES_KEPT: usize = 64 << 10;

/// A handle to a queue of lines that a thread writes. The clones share the queue, and the thread
/// ends with the last of them. The thread starts with the first line.
#[derive(Clone)]
pub struct BackgroundWriter(Arc<Handle>);

struct Handle(Arc<Shared>);

struct Shared {
    queue: Mutex<Queue>,
    /// Signaled when the thread has work, and when it has no more.
    changed: Condvar,
}

struct Queue {
    bytes: Vec<u8>,
    capacity: usize,
    /// The memory of the batch that the thread writes, in bytes.
    batch: usize,
    /// The lines dropped since the thread last took the queue. While there are any, all further
    /// lines are dropped, so everything in the queue precedes the gap.
    missed: u64,
    /// The lines dropped since the start.
    dropped: u64,
    state: State,
    has_handles: bool,
}

enum State {
    /// Nothing was written yet, so there is no thread.
    Unstarted(Output),
    /// The thread waits for lines.
    Waiting,
    /// The thread writes.
    Writing,
    /// The reader is gone, or the thread could not start. Everything is dropped.
    Closed,
}

impl BackgroundWriter {
    /// Returns a writer whose queue holds at most `capacity` bytes. `notice` returns the line that
    /// reports a number of dropped lines.
    pub fn new(
        out: Box<dyn Write + Send>,
        capacity: usize,
        notice: impl Fn(u64) -> String + Send + 'static,
    ) -> BackgroundWriter {
        let output = Output { out, notice: Box::new(notice), is_mid_line: false, is_gone: false };
        let queue = Queue {
            bytes: Vec::new(),
            capacity,
            batch: 0,
            missed: 0,
            dropped: 0,
            state: State::Unstarted(output),
            has_handles: true,
        };
        let shared = Shared { queue: Mutex::new(queue), changed: Condvar::new() };
        BackgroundWriter(Arc::new(Handle(Arc::new(shared))))
    }

    /// Returns a writer to standard error.
    pub fn to_standard_error(
        capacity: usize,
        notice: impl Fn(u64) -> String + Send + 'static,
    ) -> BackgroundWriter {
        BackgroundWriter::new(Box::new(io::stderr()), capacity, notice)
    }

    /// Queues whole lines, and returns at once. Returns false if they were dropped.
    pub fn write(&self, lines: &[u8]) -> bool {
        if lines.is_empty() {
            return true;
        }
        let shared = &self.0.0;
        let mut queue = shared.lock();
        if matches!(queue.state, State::Unstarted(_)) {
            queue.state = shared.start(std::mem::replace(&mut queue.state, State::Closed));
        }
        let is_open = !matches!(queue.state, State::Closed);
        let fits = is_open && queue.missed == 0 && queue.bytes.len() + lines.len() <= queue.capacity;
        if fits {
            queue.push(lines);
        } else {
            let count = count_lines(lines);
            queue.missed += count;
            queue.dropped += count;
        }
        if matches!(queue.state, State::Waiting) {
            queue.state = State::Writing;
            shared.changed.notify_all();
        }
        fits
    }

    /// Returns the number of lines that were dropped since the start.
    pub fn dropped(&self) -> u64 {
        self.0.0.lock().dropped
    }

    /// Returns the memory of the queue and of the batch that the thread writes, in bytes: at most
    /// twice the capacity.
    pub fn memory(&self) -> usize {
        let queue = self.0.0.lock();
        queue.bytes.capacity() + queue.batch
    }

    /// Waits until everything is written, but no longer than `timeout`. Returns false if lines
    /// still wait then.
    pub fn finish(&self, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        let mut queue = self.0.0.lock();
        while matches!(queue.state, State::Writing) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let waited = self.0.0.changed.wait_timeout(queue, left);
            queue = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

impl Queue {
    /// Appends lines that fit. The buffer grows by doubling, but not beyond the capacity.
    fn push(&mut self, lines: &[u8]) {
        let needed = self.bytes.len() + lines.len();
        if needed > self.bytes.capacity() {
            let target = (2 * needed).min(self.capacity);
            self.bytes.reserve_exact(target - self.bytes.len());
        }
        self.bytes.extend_from_slice(lines);
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.lock().has_handles = false;
        self.0.changed.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        // No code panics while it holds the lock.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the thread. Without a thread the server runs on, and everything is dropped.
    fn start(self: &Arc<Shared>, unstarted: State) -> State {
        let State::Unstarted(mut output) = unstarted else { return unstarted };
        let shared = Arc::clone(self);
        let thread = thread::Builder::new().name("background-writer".into());
        match thread.spawn(move || shared.run(&mut output)) {
            Ok(_) => State::Writing,
            Err(_) => State::Closed,
        }
    }

    fn run(&self, output: &mut Output) {
        let mut batch = Vec::new();
        let (mut lost, mut unreported) = (0, 0);
        while let Some(missed) = self.next_batch(&mut batch, lost) {
            if unreported > 0 && output.report(unreported, self) {
                unreported = 0;
            }
            lost = output.write(&batch, self);
            unreported += lost + missed;
            if lost == 0 && missed > 0 && output.report(unreported, self) {
                unreported = 0;
            }
            if output.is_gone {
                return self.close(lost);
            }
            batch.clear();
            batch.shrink_to(BYTES_KEPT);
        }
    }

    /// Drops everything from now on. `lost` is the number of lines that the thread could not write.
    fn close(&self, lost: u64) {
        let mut queue = self.lock();
        queue.dropped += lost + count_lines(&queue.bytes);
        (queue.bytes, queue.batch, queue.state) = (Vec::new(), 0, State::Closed);
        self.changed.notify_all();
    }

    /// Waits for lines and moves them to `batch`. Returns the number of lines that are missing
    /// after them, or `None` when all handles are gone. `lost` is the number of lines in the
    /// previous batch that could not be written.
    fn next_batch(&self, batch: &mut Vec<u8>, lost: u64) -> Option<u64> {
        let mut queue = self.lock();
        queue.dropped += lost;
        queue.batch = batch.capacity();
        while queue.bytes.is_empty() && queue.missed == 0 {
            queue.state = State::Waiting;
            self.changed.notify_all();
            if !queue.has_handles {
                return None;
            }
            queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        queue.state = State::Writing;
        std::mem::swap(&mut queue.bytes, batch);
        queue.batch = batch.capacity();
        Some(std::mem::take(&mut queue.missed))
    }
}

/// The output, as the thread sees it.
struct Output {
    out: Box<dyn Write + Send>,
    notice: Box<dyn Fn(u64) -> String + Send>,
    /// The last line was cut off by an error.
    is_mid_line: bool,
    /// The reader is gone for good.
    is_gone: bool,
}

impl Output {
    /// Writes bytes. Returns the number of lines that could not be written.
    fn write(&mut self, bytes: &[u8], shared: &Shared) -> u64 {
        let mut rest = bytes;
        while !rest.is_empty() {
            match self.out.write(rest) {
                Ok(length) if length > 0 => {
                    self.is_mid_line = rest[length - 1] != b'\n';
                    rest = &rest[length..];
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Without a handle nobody waits for this output any more.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && shared.lock().has_handles => {
                    thread::sleep(RETRY);
                }
                // A full disk may have room again later.
                failed => {
                    self.is_gone = failed.is_err_and(|error| error.kind() == io::ErrorKind::BrokenPipe);
                    return count_lines(rest);
                }
            }
        }
        0
    }

    /// Writes the notice about dropped lines. Returns false if that failed.
    fn report(&mut self, dropped: u64, shared: &Shared) -> bool {
        let line_end = if self.is_mid_line { "\n" } else { "" };
        let notice = format!("{line_end}{}", (self.notice)(dropped));
        self.write(notice.as_bytes(), shared) == 0
    }
}

/// Returns the number of lines. The last one may lack its end.
fn count_lines(lines: &[u8]) -> u64 {
    let ends = lines.iter().filter(|byte| **byte == b'\n').count();
    ends as u64 + u64::from(lines.last().is_some_and(|last| *last != b'\n'))
}

#[cfg(test)]
mod tests {
    use std::io::{self, ErrorKind, Write};
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use super::BackgroundWriter;

    const TIMEOUT: Duration = Duration::from_secs(20);

    /// An output that waits for the result of each write.
    struct Scripted {
        results: Receiver<io::Result<usize>>,
        written: Written,
    }

    impl Write for Scripted {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            // Without more results, everything is accepted.
            let length = self.results.recv().unwrap_or(Ok(usize::MAX))?.min(bytes.len());
            let text = str::from_utf8(&bytes[..length]).expect("UTF-8");
            self.written.lock().expect("no panic").push_str(text);
            Ok(length)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    type Written = Arc<Mutex<String>>;
    type Results = SyncSender<io::Result<usize>>;

    /// Returns a writer whose output accepts nothing until it is told to. `results` that exceed
    /// `ahead` are sent once the thread asks for them.
    fn scripted(capacity: usize, ahead: usize) -> (BackgroundWriter, Results, Written) {
        let (results, received) = sync_channel(ahead);
        let written = Written::default();
        let out = Scripted { results: received, written: Arc::clone(&written) };
        let notice = |lines| format!("{lines} dropped\n");
        (BackgroundWriter::new(Box::new(out), capacity, notice), results, written)
    }

    fn text(written: &Written) -> String {
        written.lock().expect("no panic").clone()
    }

    #[test]
    fn a_blocked_output_blocks_nobody_and_the_gap_is_reported_where_it_is() {
        let (writer, results, written) = scripted(12, 0);
        assert!(writer.write(b"one\n"));
        // The thread has taken the first line, and waits in the middle of it.
        results.send(Ok(1)).expect("the thread runs");
        assert!(writer.write(b"two\n") && writer.write(b"more\n"));
        assert!(!writer.write(b"more\n"), "the queue is full");
        assert!(!writer.write(b"a\nb\n"), "nothing passes while lines are missing");
        assert!(!writer.finish(Duration::from_millis(10)), "the output is blocked");
        assert_eq!(writer.dropped(), 3);
        drop(results);
        assert!(writer.finish(TIMEOUT));
        assert!(writer.write(b"again\n") && writer.finish(TIMEOUT));
        assert_eq!(text(&written), "one\ntwo\nmore\n3 dropped\nagain\n");
        assert_eq!(writer.dropped(), 3);
    }

    #[test]
    fn the_memory_is_that_of_the_queue_and_of_the_batch_that_is_written() {
        let (writer, results, _) = scripted(1 << 20, 0);
        assert_eq!(writer.memory(), 0);
        assert!(writer.write(&[b'x'; 1000]));
        results.send(Ok(1)).expect("the thread runs");
        assert!((1000..3000).contains(&writer.memory()), "{}", writer.memory());
        while writer.write(&[b'x'; 1000]) {}
        assert!(((1 << 20)..(1 << 20) + 3000).contains(&writer.memory()), "{}", writer.memory());
        drop(results);
        assert!(writer.finish(TIMEOUT));
        while writer.memory() > 2 * super::BYTES_KEPT + 3000 {
            writer.write(b"\n");
            assert!(writer.finish(TIMEOUT));
        }
    }

    #[test]
    fn a_line_longer_than_the_queue_is_dropped_and_reported_at_once() {
        let (writer, results, written) = scripted(4, 0);
        drop(results);
        assert!(!writer.write(b"too long\n") && writer.finish(TIMEOUT));
        assert!(writer.write(b"ok\n") && writer.finish(TIMEOUT));
        assert_eq!(text(&written), "1 dropped\nok\n");
    }

    #[test]
    fn a_write_that_fails_drops_its_lines_and_the_next_ones_follow_the_notice() {
        let (writer, results, written) = scripted(100, 9);
        results.send(Ok(5)).expect("the thread runs");
        results.send(Err(ErrorKind::StorageFull.into())).expect("the thread runs");
        assert!(writer.write(b"one\ntwo\nthree\n") && writer.finish(TIMEOUT));
        assert_eq!(writer.dropped(), 2);
        drop(results);
        assert!(writer.write(b"four\n") && writer.finish(TIMEOUT));
        assert_eq!(text(&written), "one\nt\n2 dropped\nfour\n");
    }

    #[test]
    fn short_writes_interruptions_and_a_full_non_blocking_output_lose_nothing() {
        let (writer, results, written) = scripted(100, 9);
        for result in [
            Ok(1),
            Err(ErrorKind::Interrupted),
            Ok(2),
            Err(ErrorKind::WouldBlock),
            Err(ErrorKind::WouldBlock),
            Ok(3),
        ] {
            results.send(result.map_err(Into::into)).expect("the thread runs");
        }
        drop(results);
        assert!(writer.write(b"one\ntwo\nthree\n") && writer.finish(TIMEOUT));
        assert_eq!(text(&written), "one\ntwo\nthree\n");
        assert_eq!(writer.dropped(), 0);
    }

    #[test]
    fn a_reader_that_is_gone_closes_the_writer() {
        let (writer, results, written) = scripted(100, 9);
        results.send(Err(ErrorKind::BrokenPipe.into())).expect("the thread runs");
        assert!(writer.write(b"one\n") && writer.finish(TIMEOUT));
        assert!(!writer.write(b"two\n"));
        assert_eq!((writer.dropped(), text(&written)), (2, String::new()));
    }

    #[test]
    fn everything_is_written_after_the_last_handle() {
        let (writer, results, written) = scripted(100, 9);
        assert!(writer.clone().write(b"one\n") && writer.write(b"two\n"));
        drop((writer, results));
        // The thread owns the other reference until it ends.
        while Arc::strong_count(&written) > 1 {
            std::thread::yield_now();
        }
        assert_eq!(text(&written), "one\ntwo\n");
    }
}
