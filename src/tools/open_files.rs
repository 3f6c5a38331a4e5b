//! The limit of open files, which bounds the connections of a measurement.

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejects_more_connections_than_open_files() {
        assert_eq!(raise_limit("--clients", 10), Ok(()));
        // No system allows this many.
        let error = raise_limit("--clients", usize::MAX >> 8).expect_err("too many");
        assert!(error.starts_with("--clients: 72057594037927985 open files are needed, "), "{error}");
    }
}
