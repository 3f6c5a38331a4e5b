//! The command as a process, and its output.

use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStderr, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::TIMEOUT;

/// Returns the command with these arguments.
pub fn barewire(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_barewire"));
    command.args(arguments).stdin(Stdio::null()).env_remove("NO_COLOR");
    command
}

/// Runs the command until it ends.
pub fn run(arguments: &[&str]) -> Output {
    barewire(arguments).output().expect("the command starts")
}

/// A running tap. It is killed when this is dropped.
pub struct Tap {
    child: Child,
    errors: BufReader<ChildStderr>,
    lines: Option<Receiver<String>>,
    text: String,
    pub address: SocketAddr,
}

impl Tap {
    /// Starts a tap on a free port. Its view is read, one object on each line.
    pub fn to(server: SocketAddr, arguments: &[&str]) -> Tap {
        Tap::unread(server, &[&["--format", "json"], arguments].concat()).read()
    }

    /// Starts to read the view.
    pub fn read(mut self) -> Tap {
        let output = BufReader::new(self.child.stdout.take().expect("a pipe"));
        let (send, lines) = channel();
        thread::spawn(move || {
            // Sending fails when the test has ended.
            output.lines().map_while(Result::ok).try_for_each(|line| send.send(line))
        });
        self.lines = Some(lines);
        self
    }

    /// Starts a tap whose view is not read.
    pub fn unread(server: SocketAddr, arguments: &[&str]) -> Tap {
        let to = server.to_string();
        Tap::start(barewire(&[&["tap", "--listen", "127.0.0.1:0", "--to", &to], arguments].concat()))
    }

    /// Starts a tap with this command.
    pub fn start(mut command: Command) -> Tap {
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the command starts");
        let mut errors = BufReader::new(child.stderr.take().expect("a pipe"));
        let mut line = String::new();
        errors.read_line(&mut line).expect("a first line");
        let address = line.strip_prefix("listening on http://").unwrap_or_else(|| panic!("{line:?}"));
        let address = address.trim_end().parse().expect("an address and a port");
        Tap { child, errors, lines: None, text: String::new(), address }
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("the tap listens");
        stream.set_read_timeout(Some(TIMEOUT)).expect("a deadline");
        stream
    }

    /// Returns the next line of the view.
    pub fn line(&self) -> Value {
        let lines = self.lines.as_ref().expect("the view is read");
        let line = lines.recv_timeout(TIMEOUT).expect("the view continues");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    /// Reads the view as text, up to a line that contains `end`.
    pub fn text_until(&mut self, end: &str) {
        let output = self.child.stdout.as_mut().expect("no other reader");
        let mut line = Vec::new();
        loop {
            let mut byte = [0];
            output.read_exact(&mut byte).expect("the view continues");
            line.push(byte[0]);
            if byte == [b'\n'] {
                let text = String::from_utf8(std::mem::take(&mut line)).expect("UTF-8");
                self.text += &text;
                if text.contains(end) {
                    return;
                }
            }
        }
    }

    /// Returns the text that was read.
    pub fn text(self) -> String {
        self.text.clone()
    }

    /// Returns the lines about a connection, up to its end.
    pub fn shown(&self, connection: u64) -> Vec<Value> {
        let mut shown = Vec::new();
        loop {
            let line = self.line();
            if line["connection"] == connection {
                let is_over = line["event"] == "over";
                shown.push(line);
                if is_over {
                    return shown;
                }
            }
        }
    }

    /// Returns true if the tap is still running after `time`.
    pub fn is_running_after(&mut self, time: Duration) -> bool {
        thread::sleep(time);
        self.child.try_wait().expect("a child process").is_none()
    }

    pub fn signal(&self, name: &str) {
        let kill = format!("kill -s {name} {}", self.child.id());
        let status = Command::new("sh").args(["-c", &kill]).status().expect("a shell");
        assert!(status.success(), "{kill}");
    }

    /// Ends the tap with a signal. Returns its status, the lines that were not read, and standard
    /// error.
    pub fn end(mut self, signal: &str) -> (ExitStatus, Vec<Value>, String) {
        self.signal(signal);
        let lines = self.lines.take().map_or_else(Vec::new, |lines| {
            lines.iter().map(|line| serde_json::from_str(&line).expect("JSON")).collect()
        });
        let mut errors = String::new();
        self.errors.read_to_string(&mut errors).expect("UTF-8");
        (self.child.wait().expect("a child process"), lines, errors)
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        // The tap may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the bytes of one side. Asserts that the spans are contiguous.
pub fn bytes(shown: &[Value], side: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for span in shown.iter().filter(|line| line["side"] == side && line["bytes"].is_string()) {
        assert_eq!(span["offset"], bytes.len(), "{span}");
        bytes.extend(unhex(span["bytes"].as_str().expect("digits")));
    }
    bytes
}

fn unhex(digits: &str) -> Vec<u8> {
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hex")).collect()
}

/// Returns the values of all fields with this name from one side.
pub fn values(shown: &[Value], side: &str, field: &str) -> Vec<String> {
    let spans = shown.iter().filter(|span| span["side"] == side && span["field"] == field);
    spans.map(|span| span["value"].as_str().expect("a value").to_owned()).collect()
}

/// Returns all notes of this kind.
pub fn notes(shown: &[Value], note: &str) -> Vec<Value> {
    let notes = shown.iter().filter_map(|span| span["notes"].as_array()).flatten();
    notes.filter(|found| found["note"] == note).cloned().collect()
}

/// Returns the number of remarks with this event.
pub fn count(shown: &[Value], event: &str) -> usize {
    shown.iter().filter(|line| line["event"] == event).count()
}

/// Asserts that no span breaks a rule.
pub fn assert_no_violation(shown: &[Value]) {
    assert!(shown.iter().all(|span| span.get("wrong").is_none()), "{shown:#?}");
}
