//! A running example.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use crate::built;

/// The longest time that any step may take. A passing test never needs this long.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A running example. Dropping it kills the process.
pub struct Program {
    child: Child,
    example: &'static str,
    pub port: u16,
}

impl Program {
    /// Starts an example on a free port.
    pub fn start(example: &'static str) -> Program {
        Program::start_on(0, example, Stdio::null())
    }

    /// Starts an example on a free port, with a pipe as its standard input.
    pub fn start_with_input(example: &'static str) -> (Program, ChildStdin) {
        let mut program = Program::start_on(0, example, Stdio::piped());
        let input = program.child.stdin.take().expect("standard input is piped");
        (program, input)
    }

    /// Kills the process, and starts the example again on the same port.
    pub fn restart(self) -> Program {
        let (port, example) = (self.port, self.example);
        drop(self);
        Program::start_on(port, example, Stdio::null())
    }

    fn start_on(port: u16, example: &'static str, input: Stdio) -> Program {
        let mut command = Command::new(built::example(example));
        command.arg(port.to_string()).stdin(input).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the example starts");
        let stdout = child.stdout.take().expect("standard output is piped");
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).expect("the example prints a line");
        let port = line.trim_end().strip_prefix("listening on http://127.0.0.1:");
        let port = port.and_then(|port| port.parse().ok()).expect("the first line has the address");
        Program { child, example, port }
    }

    /// Starts an example on a port that is taken. Returns its exit code and what it reports.
    pub fn start_on_taken_port(example: &str) -> (Option<i32>, String) {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = taken.local_addr().expect("the port").port().to_string();
        let output = Command::new(built::example(example)).arg(port).output().expect("the example starts");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    }

    pub fn url(&self, target: &str) -> String {
        format!("http://127.0.0.1:{}{target}", self.port)
    }

    pub fn websocket_url(&self, target: &str) -> String {
        format!("ws://127.0.0.1:{}{target}", self.port)
    }

    /// Returns the resident memory of the process in bytes, or `None` if /proc does not report it.
    pub fn resident(&self) -> Option<usize> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.trim().strip_suffix(" kB")?.trim().parse::<usize>().ok().map(|kib| kib * 1024)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // These calls fail if the process has already exited. In that case the test has failed too.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
