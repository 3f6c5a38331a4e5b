//! Errors of the operating system, each with the thing that it is about and what to do.

use std::fmt::Display;
use std::io::{Error, ErrorKind};
use std::net::SocketAddr;
use std::path::Path;

/// Returns the message about a file or a standard stream.
pub fn file_error(path: &Path, error: &Error) -> String {
    stream_error(path.display(), error)
}

/// Returns the message about a standard stream, or about a file with another name than its path.
pub fn stream_error(name: impl Display, error: &Error) -> String {
    let advice = match error.kind() {
        ErrorKind::NotFound => "check the path; its folder must exist",
        ErrorKind::PermissionDenied => "check the permissions, or name another file",
        ErrorKind::IsADirectory => "name a file, not a folder",
        ErrorKind::NotADirectory => "a part of the path is a file; check the path",
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "make room, or write to another place",
        ErrorKind::FileTooLarge => "raise the limit of the size of a file (ulimit -f)",
        ErrorKind::ReadOnlyFilesystem => "write to another place",
        _ => "",
    };
    message(name, error, advice)
}

/// Returns the message about an address on which a command cannot listen.
pub fn listen_error(address: SocketAddr, error: &Error) -> String {
    let advice = match error.kind() {
        ErrorKind::AddrInUse => "another program listens there; end it, or choose another port with --listen",
        ErrorKind::AddrNotAvailable => "this machine does not have the address; choose one that it has",
        ErrorKind::PermissionDenied => {
            "ports below 1024 need a privilege; choose a higher port with --listen"
        }
        _ => "",
    };
    message(address, error, advice)
}

fn message(name: impl Display, error: &Error, advice: &str) -> String {
    match advice {
        "" => format!("{name}: {error}"),
        advice => format!("{name}: {error}: {advice}"),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Error, ErrorKind};
    use std::path::Path;

    use super::{file_error, listen_error};

    #[test]
    fn an_error_names_the_thing_and_what_to_do() {
        let missing = std::fs::File::open("/none/there").expect_err("no such file");
        assert_eq!(
            file_error(Path::new("/none/there"), &missing),
            "/none/there: No such file or directory (os error 2): check the path; its folder must exist"
        );
        let taken = listen_error(([127, 0, 0, 1], 80).into(), &ErrorKind::AddrInUse.into());
        assert!(taken.starts_with("127.0.0.1:80: ") && taken.contains("--listen"), "{taken}");
        let other = file_error(Path::new("f"), &Error::other("odd"));
        assert_eq!(other, "f: odd");
    }
}
