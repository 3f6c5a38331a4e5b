//! The signals that end a command which runs until it is told to stop.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::low_level::pipe;

/// How long the command may take to end after the second signal.
const GRACE: Duration = Duration::from_secs(2);

/// Returns a stream that receives a byte for each of the first two signals, after the end to which
/// the bytes are written. The signals are SIGTERM, SIGINT and SIGHUP.
///
/// Two seconds after the second signal, or at a third one, the process ends in any case, even if
/// the thread that reads the stream waits for something else.
///
/// # Errors
/// No file descriptor is left.
pub fn stop_signals() -> io::Result<(UnixStream, UnixStream)> {
    let (caught, arrived) = UnixStream::pair()?;
    let latest = Arc::new(AtomicUsize::new(0));
    for signal in [SIGTERM, SIGINT, SIGHUP] {
        // nohup(1) starts a command that outlives its terminal.
        if signal == SIGHUP && is_ignored(signal) {
            continue;
        }
        flag::register_usize(signal, Arc::clone(&latest), signal.unsigned_abs() as usize)?;
        pipe::register(signal, caught.try_clone()?)?;
    }
    let (sender, stop) = UnixStream::pair()?;
    let (forward, direct) = (sender.try_clone()?, arrived.try_clone()?);
    let thread = thread::Builder::new().name("signals".into());
    match thread.spawn(move || forward_signals(arrived, &forward, &latest)) {
        Ok(_) => Ok((sender, stop)),
        // Where the system permits no thread, the caller sees the signals itself.
        Err(_) => Ok((caught, direct)),
    }
}

fn forward_signals(mut arrived: UnixStream, mut forward: &UnixStream, latest: &AtomicUsize) {
    let mut byte = [0];
    for _ in 0..2 {
        if arrived.read_exact(&mut byte).and_then(|()| forward.write_all(&byte)).is_err() {
            return;
        }
    }
    // If the deadline cannot be set, only a third signal ends the wait. So does an error.
    let _ = arrived.set_read_timeout(Some(GRACE));
    let _ = arrived.read_exact(&mut byte);
    // As shells report a process that a signal has ended.
    process::exit(128 + i32::try_from(latest.load(Ordering::Relaxed)).unwrap_or_default());
}

/// Returns true if the process was started with this signal ignored (proc(5)). Elsewhere than on
/// Linux this is unknown, and the signal is handled.
fn is_ignored(signal: i32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use signal_hook::consts::{SIGPIPE, SIGWINCH};

    use super::is_ignored;

    #[test]
    fn reads_which_signals_are_ignored() {
        // Rust's start-up code ignores SIGPIPE.
        assert!(is_ignored(SIGPIPE) && !is_ignored(SIGWINCH));
    }
}
