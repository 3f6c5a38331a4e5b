//! The limit of open files, which bounds the connections of a server or of a measurement, and the
//! table of descriptors.

use std::fs::File;

/// Open files that are not client connections: the standard streams, the poll, the publisher and
/// child processes, with some to spare.
const OTHER_FILES: u64 = 50;

/// Raises the limit of open files to its maximum and checks that `connections` fit.
///
/// # Errors
/// A message that starts with `option` if the limit is too low.
pub fn raise_limit(option: &str, connections: usize) -> Result<(), String> {
    // If the limit cannot be read, opening one file too many reports an error later.
    let Ok(files) = rlimit::increase_nofile_limit(u64::MAX) else { return Ok(()) };
    let needed = connections as u64 + OTHER_FILES;
    if needed <= files {
        return Ok(());
    }
    Err(format!(
        "{option}: {needed} open files are needed, but the limit is {files}: use fewer connections or raise \
         the hard limit (ulimit -Hn)"
    ))
}

/// The descriptors for which the table is grown at the start. Further ones cost a pause each time
/// that the table doubles.
const DESCRIPTORS: usize = 16 * 1024;

/// Grows the process's table of descriptors for `connections`, which must happen before the first
/// thread starts.
///
/// Linux doubles the table when it is full. If the process has several threads, the call that needs
/// the new descriptor then waits until every processor has scheduled (`expand_files`), which takes
/// some ten milliseconds: too long for an event loop.
pub fn grow_descriptor_table(connections: usize) {
    let Ok(file) = File::open("/dev/null") else { return };
    let count = connections.min(DESCRIPTORS);
    // Beyond the limit of open files, the table does not grow either.
    let _copies: Vec<File> = (0..count).map_while(|_| file.try_clone().ok()).collect();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn the_table_of_descriptors_has_grown() {
        let size = || {
            let status = std::fs::read_to_string("/proc/self/status").expect("Linux reports the process");
            let line =
                status.lines().find_map(|line| line.strip_prefix("FDSize:")).expect("the size of the table");
            line.trim().parse::<usize>().expect("a number")
        };
        rlimit::increase_nofile_limit(u64::MAX).expect("the limit can be read");
        grow_descriptor_table(600);
        assert!(size() >= 600, "{}", size());
    }

    #[test]
    fn rejects_more_connections_than_open_files() {
        assert_eq!(raise_limit("--clients", 10), Ok(()));
        // No system allows this many.
        let error = raise_limit("--clients", usize::MAX >> 8).expect_err("too many");
        assert!(error.starts_with("--clients: 72057594037927985 open files are needed, "), "{error}");
    }
}
