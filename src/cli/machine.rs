//! What a measurement asks of the machine that it runs on.

use crate::load::Process;

/// Files that are no connection of a client: the standard three, the poll, the publisher, the children, some over.
const OTHER_FILES: u64 = 50;

/// Raises the limit of open files as far as that goes; each connection is one.
pub fn make_room(option: &str, connections: usize) -> Result<(), String> {
    // Where no limit can be read, what can't be opened is told then.
    let Ok(files) = rlimit::increase_nofile_limit(u64::MAX) else { return Ok(()) };
    let needed = connections as u64 + OTHER_FILES;
    if needed <= files {
        return Ok(());
    }
    Err(format!("{option}: {needed} open files are needed, and the limit is {files} (ulimit -Hn)"))
}

/// The process with this id, whose CPU time can be read.
pub fn process(text: &str) -> Result<Process, String> {
    let process = text.parse().map(Process::new).map_err(|_| format!("{text:?} is no process' id"))?;
    process.cpu_time().map_err(|error| format!("process {text}: {error}"))?;
    Ok(process)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_one_that_is_there() {
        let own = std::process::id();
        assert_eq!(process(&own.to_string()).map(|process| process.id()), Ok(own));
        for (text, what) in [("x", "\"x\" is no process' id"), ("4294967295", "process 4294967295: ")] {
            let error = process(text).map(|process| process.id()).expect_err("it is none");
            assert!(error.starts_with(what), "{error}");
        }
    }

    #[test]
    fn more_connections_than_there_may_be_files_are_a_mistake() {
        assert_eq!(make_room("--clients", 10), Ok(()));
        // No system allows so many.
        let error = make_room("--clients", usize::MAX >> 8).expect_err("too many");
        assert!(error.starts_with("--clients: 72057594037927985 open files are needed, "), "{error}");
    }
}
