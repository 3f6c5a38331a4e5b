//! CPU time and memory of a process, as Linux counts them (proc(5)).

use std::fs;
use std::io::{self, ErrorKind};
use std::time::Duration;

/// A process on this machine. Elsewhere than on Linux nothing can be read of it: each reading is an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process {
    id: u32,
}

impl Process {
    /// The one with this id.
    pub const fn new(id: u32) -> Self {
        Self { id }
    }

    /// This one.
    pub fn own() -> Self {
        Self { id: std::process::id() }
    }

    /// Its id.
    pub const fn id(self) -> u32 {
        self.id
    }

    /// The CPU time of all threads that it has, in user space and in the kernel. It counts nanoseconds, where `stat`
    /// counts ticks of 10 ms; a thread that has ended is not in it.
    ///
    /// # Errors
    /// There is no such process, or no `/proc`.
    pub fn cpu_time(self) -> io::Result<Duration> {
        let mut nanoseconds = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.id))? {
            match fs::read_to_string(task?.path().join("schedstat")) {
                Ok(text) => nanoseconds += first_number(&text).ok_or(ErrorKind::InvalidData)?,
                // It has ended meanwhile.
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::UnexpectedEof) => {}
                Err(error) if error.raw_os_error() == Some(ESRCH) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Duration::from_nanos(nanoseconds))
    }

    /// Its memory in user space, in bytes: the proportional set size, in which a page that others share counts in part.
    ///
    /// # Errors
    /// There is no such process, it is another user's, or there is no `/proc`.
    pub fn memory(self) -> io::Result<u64> {
        let text = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.id))?;
        let kibibytes = text.lines().find_map(|line| first_number(line.strip_prefix("Pss:")?));
        Ok(kibibytes.ok_or(ErrorKind::InvalidData)? << 10)
    }
}

/// No such process (errno(3)): a thread that ended between the listing and the reading.
const ESRCH: i32 = 3;

fn first_number(text: &str) -> Option<u64> {
    text.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::Process;
    use std::hint::black_box;
    use std::time::{Duration, Instant};

    #[test]
    fn the_time_that_this_process_computes_is_counted() {
        let before = Process::own().cpu_time().expect("Linux");
        let started = Instant::now();
        let mut sum = 0_u64;
        while Process::own().cpu_time().expect("Linux") < before + Duration::from_millis(20) {
            assert!(started.elapsed() < Duration::from_secs(30), "nothing is counted");
            sum = (0..100_000).fold(black_box(sum), |sum, number| sum ^ number);
        }
    }

    #[test]
    fn memory_that_is_written_is_counted() {
        const SIZE: usize = 32 << 20;
        let before = Process::own().memory().expect("Linux");
        let written = black_box(vec![1_u8; SIZE]);
        let after = Process::own().memory().expect("Linux");
        // Other tests of this process may let go of some meanwhile.
        assert!(after > before + SIZE as u64 / 2, "{before} before, {after} after");
        drop(written);
    }

    #[test]
    fn no_such_process_is_an_error() {
        let nobody = Process::new(u32::MAX);
        assert!(nobody.cpu_time().is_err());
        assert!(nobody.memory().is_err());
    }
}
