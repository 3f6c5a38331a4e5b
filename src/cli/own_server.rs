//! A barewire of one's own: a child that serves for as long as it is needed. So its CPU time and its memory are its alone.

use std::io::{self, BufRead, BufReader, ErrorKind};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use crate::load::Process;

/// A server in a process of its own, on a port of its own. It is killed when this is dropped.
pub(super) struct OwnServer {
    child: Child,
    origin: String,
}

impl OwnServer {
    /// Starts this same program as a server, with all bounds at their defaults.
    ///
    /// # Errors
    /// Those of the operating system, and a child that does not come to listen.
    pub fn start() -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["serve", "--listen", "127.0.0.1:0", "--quiet"]);
        // A Ctrl-C is for this process, which then says what it has; the child is ended when that is done.
        command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let mut line = String::new();
        let output = child.stdout.take();
        let read = output.map_or(Ok(0), |output| BufReader::new(output).read_line(&mut line));
        let mut own = Self { child, origin: String::new() };
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
