//! Child processes under test: a server, or the bare program. A separate process has its own CPU
//! time and memory.
//!
//! The standard input of each child is a socket whose other end stays in this process. However this
//! process ends, the kernel closes that end, and the child then ends too. So no child survives a
//! signal or a panic that leaves no time to kill it.

use std::io::{self, BufRead, BufReader, ErrorKind};
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{self, Command, ExitCode, Stdio};
use std::{fs, thread};

use super::Process;
use crate::tools::serve::{self, args};

/// The subcommand of a child that serves. The help omits it, because it needs a socket as its
/// standard input.
pub const CHILD_SERVER: &str = "own-server";

/// A child process that listens on a free port. Dropping it kills the process.
pub struct Child {
    process: process::Child,
    address: SocketAddr,
    /// The other end of the child's standard input.
    _stop: UnixStream,
}

impl Child {
    /// Starts this program as a server with default limits.
    ///
    /// # Errors
    /// Those of the operating system, and a child that ends without listening.
    pub fn server() -> io::Result<Self> {
        Self::start(&[CHILD_SERVER], "listening on http://")
    }

    /// Starts this program with other arguments. Its first line of output must be `prefix` and the
    /// address on which it listens.
    ///
    /// # Errors
    /// As for [`server`](Self::server).
    pub fn start(arguments: &[&str], prefix: &str) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        let (stop, stopped) = UnixStream::pair()?;
        command.args(arguments).stdin(OwnedFd::from(stopped));
        // In its own process group the child does not receive a Ctrl-C. This process may still have
        // results to print, and ends the child afterwards.
        command.process_group(0).stdout(Stdio::piped());
        let mut process = command.spawn()?;
        let mut line = String::new();
        let output = process.stdout.take();
        let read = output.map_or(Ok(0), |output| BufReader::new(output).read_line(&mut line));
        let mut child = Self { process, address: ([127, 0, 0, 1], 0).into(), _stop: stop };
        read?;
        let address = line.trim_end().strip_prefix(prefix).and_then(|address| address.parse().ok());
        let ended = || io::Error::new(ErrorKind::BrokenPipe, "the child process ended without listening");
        child.address = address.ok_or_else(ended)?;
        Ok(child)
    }

    /// Returns the address on which the child listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn process(&self) -> Process {
        Process::new(self.process.id())
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // The process may already have ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Serves on a free port, as a child, until the other end of standard input is closed.
pub fn serve_as_child() -> ExitCode {
    let stop = io::stdin().as_fd().try_clone_to_owned().map(UnixStream::from);
    let arguments = ["--listen", "127.0.0.1:0", "--quiet"].map(Into::into).into_iter();
    match (args::parse(arguments, args::defaults()), stop) {
        (Ok(args::Args::Serve(options)), Ok(stop)) => serve::until(*options, stop),
        _ => ExitCode::FAILURE,
    }
}

/// Ends this process when the other end of its standard input is closed. A terminal or a file as
/// standard input is ignored.
pub fn end_with_parent() {
    let kind = fs::metadata("/dev/stdin").map(|input| input.file_type());
    if kind.is_ok_and(|kind| kind.is_socket() || kind.is_fifo()) {
        thread::spawn(|| {
            let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
            process::exit(0);
        });
    }
}
