//! The command as a process, and what it shows.

use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStderr, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::PATIENCE;

/// The command with these arguments.
pub fn barewire(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_barewire"));
    command.args(arguments).stdin(Stdio::null()).env_remove("NO_COLOR");
    command
}

/// Runs the command to its end.
pub fn run(arguments: &[&str]) -> Output {
    barewire(arguments).output().expect("the command starts")
}

/// A tap that runs; it is ended when this is dropped.
pub struct Tap {
    child: Child,
    errors: BufReader<ChildStderr>,
    lines: Option<Receiver<String>>,
    text: String,
    pub address: SocketAddr,
}

impl Tap {
    /// One that listens on a free port, and whose view is an object a line.
    pub fn to(server: SocketAddr, arguments: &[&str]) -> Tap {
        Tap::unread(server, &[&["--format", "json"], arguments].concat()).read()
    }

    /// The same, and its view is read now.
    pub fn read(mut self) -> Tap {
        let output = BufReader::new(self.child.stdout.take().expect("it is piped"));
        let (send, lines) = channel();
        thread::spawn(move || {
            // If nobody takes them any more, the test is over.
            output.lines().map_while(Result::ok).try_for_each(|line| send.send(line))
        });
        self.lines = Some(lines);
        self
    }

    /// One whose view nobody reads.
    pub fn unread(server: SocketAddr, arguments: &[&str]) -> Tap {
        let to = server.to_string();
        Tap::start(barewire(&[&["tap", "--listen", "127.0.0.1:0", "--to", &to], arguments].concat()))
    }

    /// The one that this command starts.
    pub fn start(mut command: Command) -> Tap {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        let mut errors = BufReader::new(child.stderr.take().expect("it is piped"));
        let mut line = String::new();
        errors.read_line(&mut line).expect("a first line");
        let address = line.strip_prefix("listening on http://").unwrap_or_else(|| panic!("{line:?}"));
        let address = address.trim_end().parse().expect("an address and a port");
        Tap { child, errors, lines: None, text: String::new(), address }
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a deadline");
        stream
    }

    /// The next line of the view.
    pub fn line(&self) -> Value {
        let lines = self.lines.as_ref().expect("the view is read");
        let line = lines.recv_timeout(PATIENCE).expect("the view goes on");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    /// Reads the view as text, up to a line that has this in it.
    pub fn text_until(&mut self, end: &str) {
        let output = self.child.stdout.as_mut().expect("nobody else reads it");
        let mut line = Vec::new();
        loop {
            let mut byte = [0];
            output.read_exact(&mut byte).expect("the view goes on");
            line.push(byte[0]);
            if byte == [b'\n'] {
                let whole = String::from_utf8(std::mem::take(&mut line)).expect("UTF-8");
                self.text += &whole;
                if whole.contains(end) {
                    return;
                }
            }
        }
    }

    /// What was read so.
    pub fn text(self) -> String {
        self.text.clone()
    }

    /// What is shown up to the end of this connection.
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

    /// Whether it is there still after so long.
    pub fn is_running_after(&mut self, time: Duration) -> bool {
        thread::sleep(time);
        self.child.try_wait().expect("it is a child").is_none()
    }

    pub fn signal(&self, name: &str) {
        let kill = format!("kill -s {name} {}", self.child.id());
        let status = Command::new("sh").args(["-c", &kill]).status().expect("there is a shell");
        assert!(status.success(), "{kill}");
    }

    /// Ends it with a signal: its status, the lines that were not read yet, and what it has said on standard error.
    pub fn end(mut self, signal: &str) -> (ExitStatus, Vec<Value>, String) {
        self.signal(signal);
        let lines = self.lines.take().map_or_else(Vec::new, |lines| {
            lines.iter().map(|line| serde_json::from_str(&line).expect("JSON")).collect()
        });
        let mut errors = String::new();
        self.errors.read_to_string(&mut errors).expect("UTF-8");
        (self.child.wait().expect("it is a child"), lines, errors)
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        // One that has ended already can't be ended again.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The bytes of one side as they are shown: each in one span, and none left out.
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

/// The values of all fields of this name that one side has sent.
pub fn values(shown: &[Value], side: &str, field: &str) -> Vec<String> {
    let spans = shown.iter().filter(|span| span["side"] == side && span["field"] == field);
    spans.map(|span| span["value"].as_str().expect("a value").to_owned()).collect()
}

/// All notes of this kind.
pub fn notes(shown: &[Value], note: &str) -> Vec<Value> {
    let notes = shown.iter().filter_map(|span| span["notes"].as_array()).flatten();
    notes.filter(|found| found["note"] == note).cloned().collect()
}

/// How often this is said of the connection.
pub fn said(shown: &[Value], event: &str) -> usize {
    shown.iter().filter(|line| line["event"] == event).count()
}

/// Nothing breaks a rule.
pub fn assert_right(shown: &[Value]) {
    assert!(shown.iter().all(|span| span.get("wrong").is_none()), "{shown:#?}");
}
