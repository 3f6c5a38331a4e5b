//! Processes of one's own: a server, or the bare program. So their CPU time and their memory are theirs alone.
//!
//! The standard input of each is a socket whose other end is kept here. The kernel closes it however this process ends, and then the child
//! ends too: a signal or a panic that leaves no time to kill it leaves nothing behind.

use std::io::{self, BufRead, BufReader, ErrorKind};
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{self, Command, ExitCode, Stdio};
use std::{fs, thread};

use crate::tools::bench::Kind;
use crate::tools::load::Process;
use crate::tools::serve::{self, args};

/// The subcommand of a child that serves. It is in no help: it wants a socket as its standard input.
pub(in crate::tools) const OWN_SERVER: &str = "own-server";

/// A process that listens on a port of its own. It is killed when this is dropped.
pub(in crate::tools) struct Child {
    process: process::Child,
    address: SocketAddr,
    /// The child's standard input is the other end.
    _stop: UnixStream,
}

impl Child {
    /// This same program as a server, with all bounds at their defaults.
    ///
    /// # Errors
    /// Those of the operating system, and a child that does not come to listen.
    pub fn server() -> io::Result<Self> {
        Self::start(&[OWN_SERVER], "listening on http://")
    }

    /// The bare program.
    ///
    /// # Errors
    /// As those of [`server`](Self::server).
    pub fn ceiling(kind: Kind) -> io::Result<Self> {
        let kind = match kind {
            Kind::Echo => "echo",
            Kind::FanOut => "fan-out",
        };
        Self::start(&["bench", "ceiling-program", kind, "127.0.0.1:0"], "listening on ")
    }

    fn start(arguments: &[&str], before: &str) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        let (stop, stopped) = UnixStream::pair()?;
        command.args(arguments).stdin(OwnedFd::from(stopped));
        // A Ctrl-C is for this process, which may have something to say yet; the child is ended when that is done.
        command.process_group(0).stdout(Stdio::piped());
        let mut process = command.spawn()?;
        let mut line = String::new();
        let output = process.stdout.take();
        let read = output.map_or(Ok(0), |output| BufReader::new(output).read_line(&mut line));
        let mut child = Self { process, address: ([127, 0, 0, 1], 0).into(), _stop: stop };
        read?;
        let address = line.trim_end().strip_prefix(before).and_then(|address| address.parse().ok());
        let ended = || io::Error::new(ErrorKind::BrokenPipe, "the process that was started has ended");
        child.address = address.ok_or_else(ended)?;
        Ok(child)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn process(&self) -> Process {
        Process::new(self.process.id())
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Serves, as a child, on a free port until the other end of standard input is closed.
pub(in crate::tools) fn serve_as_child() -> ExitCode {
    let stop = io::stdin().as_fd().try_clone_to_owned().map(UnixStream::from);
    let arguments = ["--listen", "127.0.0.1:0", "--quiet"].map(Into::into).into_iter();
    match (args::parse(arguments, args::defaults()), stop) {
        (Ok(args::Args::Serve(options)), Ok(stop)) => serve::until(*options, stop),
        _ => ExitCode::FAILURE,
    }
}

/// Ends this process with the one that holds the other end of its standard input. A terminal or a file as standard input is not looked at.
pub(in crate::tools) fn end_with_parent() {
    let kind = fs::metadata("/dev/stdin").map(|input| input.file_type());
    if kind.is_ok_and(|kind| kind.is_socket() || kind.is_fifo()) {
        thread::spawn(|| {
            let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
            process::exit(0);
        });
    }
}
