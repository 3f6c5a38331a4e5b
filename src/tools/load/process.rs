//! The CPU time and memory of a process, as Linux counts them (proc(5)).

use std::fs;
use std::io::{self, ErrorKind};
use std::time::Duration;

/// A process on this machine. On other systems than Linux, every reading is an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process {
    id: u32,
}

impl Process {
    pub const fn new(id: u32) -> Self {
        Self { id }
    }

    /// Returns the current process.
    pub fn own() -> Self {
        Self { id: std::process::id() }
    }

    pub const fn id(self) -> u32 {
        self.id
    }

    /// Returns the CPU time of all running threads, in user space and in the kernel. Threads that
    /// have ended are not included. The source is `schedstat`, which counts nanoseconds; `stat`
    /// counts ticks of 10 ms.
    ///
    /// # Errors
    /// The process or `/proc` does not exist.
    pub fn cpu_time(self) -> io::Result<Duration> {
        let mut nanoseconds = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.id))? {
            match fs::read_to_string(task?.path().join("schedstat")) {
                Ok(text) => nanoseconds += first_number(&text).ok_or(ErrorKind::InvalidData)?,
                // The thread has ended since the directory was read.
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::UnexpectedEof) => {}
                Err(error) if error.raw_os_error() == Some(ESRCH) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Duration::from_nanos(nanoseconds))
    }

    /// Returns the user-space memory in bytes: the proportional set size, which counts a shared
    /// page in part.
    ///
    /// # Errors
    /// The process does not exist or belongs to another user, or `/proc` does not exist.
    pub fn memory(self) -> io::Result<u64> {
        let text = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.id))?;
        let kibibytes = text.lines().find_map(|line| first_number(line.strip_prefix("Pss:")?));
        Ok(kibibytes.ok_or(ErrorKind::InvalidData)? << 10)
    }
}

/// No such process (errno(3)): the thread ended between listing and reading.
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
    fn counts_the_cpu_time_of_this_process() {
        let before = Process::own().cpu_time().expect("Linux");
        let started = Instant::now();
        let mut sum = 0_u64;
        while Process::own().cpu_time().expect("Linux") < before + Duration::from_millis(20) {
            assert!(started.elapsed() < Duration::from_secs(30), "no CPU time is counted");
            sum = (0..100_000).fold(black_box(sum), |sum, number| sum ^ number);
        }
    }

    #[test]
    fn counts_memory_once_it_is_written() {
        const SIZE: usize = 64 << 20;
        let growth = || {
            let before = Process::own().memory().expect("Linux");
            let written = black_box(vec![1_u8; SIZE]);
            let after = Process::own().memory().expect("Linux");
            drop(written);
            after.saturating_sub(before)
        };
        // Other tests in this process may free memory at the same time, but not each time.
        let most = (0..20).map(|_| growth()).find(|growth| *growth > SIZE as u64 / 2);
        assert!(most.is_some(), "no measurement shows the written memory");
    }

    #[test]
    fn a_missing_process_is_an_error() {
        let missing = Process::new(u32::MAX);
        assert!(missing.cpu_time().is_err());
        assert!(missing.memory().is_err());
    }
}
