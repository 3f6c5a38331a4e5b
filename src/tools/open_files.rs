//! What a measurement asks of the machine that it runs on.

/// Files that are no connection of a client: the standard three, the poll, the publisher, the children, some over.
const OTHER_FILES: u64 = 50;

/// Raises the limit of open files as far as that goes; each connection is one.
pub fn raise_limit(option: &str, connections: usize) -> Result<(), String> {
    // Where no limit can be read, what can't be opened is told then.
    let Ok(files) = rlimit::increase_nofile_limit(u64::MAX) else { return Ok(()) };
    let needed = connections as u64 + OTHER_FILES;
    if needed <= files {
        return Ok(());
    }
    Err(format!("{option}: {needed} open files are needed, and the limit is {files} (ulimit -Hn)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_connections_than_there_may_be_files_are_a_mistake() {
        assert_eq!(raise_limit("--clients", 10), Ok(()));
        // No system allows so many.
        let error = raise_limit("--clients", usize::MAX >> 8).expect_err("too many");
        assert!(error.starts_with("--clients: 72057594037927985 open files are needed, "), "{error}");
    }
}
