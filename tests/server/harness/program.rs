//! The command, started as its users start it.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};

use super::connection::Connection;
use super::request::Request;
use super::response::Response;

pub fn command() -> Command {
    Command::new(env!("CARGO_BIN_EXE_barewire"))
}

/// Runs the command to its end.
pub fn run(arguments: &[&str]) -> Output {
    command().args(arguments).output().expect("the command starts")
}

/// A running server command. Dropping it kills the process.
pub struct Program {
    child: Child,
    output: BufReader<ChildStdout>,
    pub address: SocketAddr,
}

impl Program {
    /// Starts the command on a free port and waits for its first line.
    pub fn start(arguments: &[&str]) -> Program {
        Program::start_as(&[&["--listen", "127.0.0.1:0"], arguments].concat())
    }

    /// Starts the command with only these arguments.
    pub fn start_as(arguments: &[&str]) -> Program {
        Program::start_with(command().args(arguments).stderr(Stdio::piped()))
    }

    /// Starts a command that serves, with the standard error that it has.
    pub fn start_with(command: &mut Command) -> Program {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
        let mut output = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut line = String::new();
        output.read_line(&mut line).expect("a first line");
        let address = line.strip_prefix("listening on http://").unwrap_or_else(|| panic!("{line:?}"));
        let address = address.trim_end().parse().expect("an address and a port");
        Program { child, output, address }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the exit status if the process has ended.
    pub fn status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("it is a child")
    }

    pub fn connect(&self) -> Connection {
        Connection::to(self.address)
    }

    /// Sends a request on a new connection.
    pub fn begin(&self, request: &Request) -> Connection {
        let mut connection = self.connect();
        connection.send(request.bytes());
        connection
    }

    pub fn request(&self, request: &Request) -> Response {
        self.begin(request).response_to(request.method)
    }

    /// Sends the process a signal, named without SIG.
    pub fn signal(&self, name: &str) {
        let kill = format!("kill -s {name} {}", self.child.id());
        let status = Command::new("sh").args(["-c", &kill]).status().expect("sh is installed");
        assert!(status.success(), "{kill}");
    }

    /// Waits for the process to end. Returns its status, its standard output after the first line,
    /// and its standard error, if that is a pipe.
    pub fn wait(mut self) -> (ExitStatus, String, String) {
        let (mut output, mut errors) = (String::new(), String::new());
        self.output.read_to_string(&mut output).expect("UTF-8");
        if let Some(stderr) = &mut self.child.stderr {
            stderr.read_to_string(&mut errors).expect("UTF-8");
        }
        (self.child.wait().expect("it is a child"), output, errors)
    }

    /// Ends the process with SIGTERM. Returns the same as [`Program::wait`].
    pub fn end(self) -> (ExitStatus, String, String) {
        self.signal("TERM");
        self.wait()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // The process may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
