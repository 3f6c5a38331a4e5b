//! The outputs of `barewire conform`: formats, files and exit statuses.

mod expectation;
mod findings;
mod formats;
mod list;
mod page;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::faulty::{Fault, Server};

/// What a run of the command wrote, and its exit status.
struct Ran {
    status: i32,
    output: String,
    errors: String,
}

/// Runs `barewire conform` to its end.
fn conform(arguments: &[&str]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_barewire"));
    command.arg("conform").args(arguments).stdin(Stdio::null()).env_remove("NO_COLOR");
    let done = command.output().expect("the command starts");
    Ran {
        status: done.status.code().expect("an exit status"),
        output: String::from_utf8(done.stdout).expect("the output is UTF-8"),
        errors: String::from_utf8(done.stderr).expect("the messages are UTF-8"),
    }
}

/// Tests the echo of a server, with these options.
fn conform_echo(server: &Server, options: &[&str]) -> Ran {
    let url = format!("ws://{}/echo", server.address());
    conform(&[&["server", &url][..], options].concat())
}

/// A server that fails the cases about reserved bits, and only those.
fn faulty() -> Server {
    Server::start(Some(Fault::AcceptsReservedBits))
}

/// A new folder that is deleted at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name =
            format!("barewire-conform-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).expect("a new folder");
        Self(path)
    }

    /// Returns the path of a file in the folder.
    fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("the path is UTF-8").to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
