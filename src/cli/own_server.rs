//! A barewire of one's own: a child that serves for as long as it is needed. So its CPU time and its memory are its alone.

use std::io::{self, BufRead, BufReader, ErrorKind};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitCode, Stdio};

use super::{options, serve};
use crate::load::Process;

/// The subcommand that the child runs. It is in no help: it wants a socket as its standard input.
pub(super) const SUBCOMMAND: &str = "own-server";

/// Serves on a free port until the other end of standard input, a socket, is closed. The kernel closes it however the parent ends: a
/// signal or a panic that leaves it no time to kill its child leaves no server behind.
pub(super) fn main() -> ExitCode {
    let stop = io::stdin().as_fd().try_clone_to_owned().map(UnixStream::from);
    let arguments = ["--listen", "127.0.0.1:0", "--quiet"].map(Into::into).into_iter();
    match (options::parse(arguments, options::defaults()), stop) {
        (Ok(options::Asked::Serve(options)), Ok(stop)) => serve::until(*options, stop),
        _ => ExitCode::FAILURE,
    }
}

/// A server in a process of its own, on a port of its own. It is killed when this is dropped.
pub(super) struct OwnServer {
    child: Child,
    origin: String,
    /// The child's standard input is the other end.
    _stop: UnixStream,
}

impl OwnServer {
    /// Starts this same program as a server, with all bounds at their defaults.
    ///
    /// # Errors
    /// Those of the operating system, and a child that does not come to listen.
    pub fn start() -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        let (stop, stopped) = UnixStream::pair()?;
        command.arg(SUBCOMMAND).stdin(OwnedFd::from(stopped));
        // A Ctrl-C is for this process, which then says what it has; the child is ended when that is done.
        command.process_group(0).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let mut line = String::new();
        let output = child.stdout.take();
        let read = output.map_or(Ok(0), |output| BufReader::new(output).read_line(&mut line));
        let mut own = Self { child, origin: String::new(), _stop: stop };
        read?;
        let origin = line.trim().strip_prefix("listening on ");
        own.origin =
            origin.ok_or_else(|| io::Error::new(ErrorKind::BrokenPipe, "the server has ended"))?.into();
        Ok(own)
    }

    /// Its URL, without a path.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    pub fn process(&self) -> Process {
        Process::new(self.child.id())
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
