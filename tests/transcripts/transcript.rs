//! Runs the transcripts in the examples and the documentation, and compares their output.
//!
//! A transcript is a fenced block of the kind `console`. A line that starts with `$ ` is a command;
//! a backslash at the end continues it on the next line. The lines after a command, up to the next
//! command, are its complete output. The blocks of a file run in order against one server. A block
//! `console first` keeps running while the next block, `console second`, runs in another terminal;
//! the output of the first is compared after that. Blocks of any other kind do not run. The command
//! that starts the server may occur again, perhaps with more arguments: it restarts the server.
//!
//! Each transcript runs twice. [`interpreter`](crate::interpreter) runs the commands itself, so
//! that the test needs neither netcat nor curl. On a machine that has `curl`, and an `nc` with the
//! option `-q` of some pages, the shell runs the same commands and must produce the same output.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;

use crate::interpreter::{for_each_chunk, interpret};
use crate::server::{PATIENCE, Server};

/// The length of the epoch in an event id of `barewire`.
const EPOCH_LENGTH: usize = 8;
/// The digits of a time in milliseconds since 1970, from 2001 to 2286.
const TIME_DIGITS: usize = 13;
/// A topic of `barewire`, which a GET does not create.
const TOPIC: &str = "/topics/unknown";

/// The program that runs the commands of a transcript.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Runner {
    Interpreter,
    Shell,
}

impl Runner {
    fn is_available(self) -> bool {
        let script = "command -v nc && command -v curl && nc -h 2>&1 | grep -q -e '-q '";
        let status = || Command::new("sh").args(["-c", script]).stdout(Stdio::null()).status();
        self == Runner::Interpreter || status().is_ok_and(|status| status.success())
    }
}

#[derive(PartialEq)]
enum Terminal {
    Only,
    First,
    Second,
}

struct Block {
    terminal: Terminal,
    steps: Vec<Step>,
}

/// A command and its expected output.
struct Step {
    command: String,
    output: String,
    /// Replaces the parts of the output that differ between two runs.
    normalize: fn(&str) -> String,
}

impl Step {
    /// Compares the expected output with the actual one. The last line end may be missing in the
    /// actual output, because a fenced block always has one.
    fn matches(&self, output: &str) -> bool {
        let (output, expected) = ((self.normalize)(output), (self.normalize)(&self.output));
        output == expected || format!("{output}\n") == expected
    }
}

/// Runs the transcript at the top of a bare example. Its output is the same in every run.
pub fn run_example(name: &str, runner: Runner) {
    let blocks = parse(header(name).lines(), str::to_owned);
    let start = format!("cargo run --example {name}");
    run_blocks(name, &start, blocks, (runner, TOPIC), |arguments| Server::start_with(name, arguments));
}

/// Runs the transcript at the top of an application, which has the port 80NN. The response to a GET
/// of `followed` contains an id.
pub fn run_application(name: &str, followed: &str, runner: Runner) {
    let header = header(name).replace(&format!(":80{}", &name[..2]), ":8080");
    let blocks = parse(header.lines(), normalize);
    let start = format!("cargo run --example {name}");
    run_blocks(name, &start, blocks, (runner, followed), |arguments| Server::start_with(name, arguments));
}

/// Runs the transcript in a page of the documentation.
pub fn run_page(path: &str, runner: Runner) {
    let blocks = parse(read(path).lines(), normalize);
    run_blocks(path, "cargo run --release", blocks, (runner, TOPIC), |_| Server::start_barewire());
}

/// Returns the comment at the top of an example.
fn header(name: &str) -> String {
    let text = read(&format!("examples/{name}.rs"));
    let lines = text.lines().map_while(|line| line.strip_prefix("//!"));
    lines.map(|line| line.strip_prefix(' ').unwrap_or(line).to_owned() + "\n").collect()
}

fn read(path: &str) -> String {
    let path = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Runs the blocks of one file. `start` is the command in the transcript that starts the server.
/// `start_server` receives the arguments that follow the port in that command. The response to a
/// GET of `followed` contains an id.
fn run_blocks(
    name: &str,
    start: &str,
    blocks: Vec<Block>,
    (runner, followed): (Runner, &str),
    start_server: impl Fn(&[&str]) -> Server,
) {
    if !runner.is_available() {
        eprintln!("{name}: skipped the shell, because curl or an nc with -q is missing");
        return;
    }
    let steps = blocks.iter().map(|block| block.steps.len()).sum::<usize>();
    assert!(steps > 1, "{name} has {steps} commands, but a transcript has at least 2");
    let mut server = start_server(&[]);
    let mut is_used = false;
    let mut still_running = Vec::new();
    for Block { terminal, steps } in blocks {
        for step in steps {
            if let Some(arguments) = arguments_of(&step.command, start) {
                if is_used {
                    server = start_server(&arguments);
                }
                assert_eq!(server.greeting, server.with_own_ports(&step.output));
                continue;
            }
            is_used = true;
            let command = server.with_own_ports(&step.command);
            let running = Running::start(&with_current_epoch(&command, &server, followed), runner);
            match terminal {
                Terminal::First => still_running.push((running, step)),
                _ => running.expect_end(&step, runner),
            }
        }
        if terminal == Terminal::Second {
            still_running.drain(..).for_each(|(running, step)| running.expect_output(&step, runner));
        }
    }
    assert!(still_running.is_empty(), "{name}: no block `console second` follows `console first`");
}

/// Returns the arguments after the port 8080 if the command starts the server.
fn arguments_of<'a>(command: &'a str, start: &str) -> Option<Vec<&'a str>> {
    match command.strip_prefix(start)? {
        "" => Some(Vec::new()),
        arguments => Some(arguments.strip_prefix(" -- 8080 ")?.split(' ').collect()),
    }
}

/// Replaces what differs in each run: the epoch in an id (eight letters and digits before a hyphen
/// and a number), the date, a time in milliseconds, and the jitter of `retry`. Removes heartbeat
/// comments from an event stream, because their position among the events differs too.
fn normalize(text: &str) -> String {
    let text = &text.replace("3\n:\n\n\n", "");
    let line = |line: &str| {
        let (name, value) = line.split_once(": ").unwrap_or_default();
        match name {
            "Date" => "Date: …".to_owned() + &value[value.find("GMT").unwrap_or(0)..],
            "retry" if value.trim_end().bytes().all(|byte| byte.is_ascii_digit()) => "retry: …".to_owned(),
            _ => without_times(&with_epoch(line, "…")),
        }
    };
    let lines: Vec<String> = text.lines().map(line).collect();
    lines.join("\n") + if text.ends_with('\n') { "\n" } else { "" }
}

/// Replaces each time in milliseconds since 1970.
fn without_times(text: &str) -> String {
    let parts = text.split_inclusive(|character: char| !character.is_ascii_digit());
    let part = |part: &str| match part.bytes().take_while(u8::is_ascii_digit).count() {
        TIME_DIGITS => "…".to_owned() + &part[TIME_DIGITS..],
        _ => part.to_owned(),
    };
    parts.map(part).collect()
}

/// Replaces the epoch of each id in a command with the epoch of the running server.
fn with_current_epoch(command: &str, server: &Server, followed: &str) -> String {
    if with_epoch(command, "") == command {
        return command.to_owned();
    }
    let response = server.get(followed);
    let id = response.split('"').find(|word| word.as_bytes().get(EPOCH_LENGTH) == Some(&b'-'));
    with_epoch(command, &id.expect("the response contains an id")[..EPOCH_LENGTH])
}

/// Replaces the epoch of each id in `text`.
fn with_epoch(text: &str, epoch: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(hyphen) = rest.find('-') {
        let (before, after) = rest.split_at(hyphen);
        let word = before.len() - before.bytes().rev().take_while(u8::is_ascii_alphanumeric).count();
        let is_id =
            before.len() - word == EPOCH_LENGTH && after[1..].starts_with(|next: char| next.is_ascii_digit());
        out += if is_id { &before[..word] } else { before };
        out += if is_id { epoch } else { "" };
        out.push('-');
        rest = &after[1..];
    }
    out + rest
}

/// Collects the `console` blocks of a file.
fn parse<'a>(lines: impl Iterator<Item = &'a str>, normalize: fn(&str) -> String) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut fence = None;
    let mut continues = false;
    for line in lines {
        match (fence, line.strip_prefix("```")) {
            (None, Some(kind)) => {
                fence = Some(kind);
                let terminal = match kind {
                    "console first" => Terminal::First,
                    "console second" => Terminal::Second,
                    _ => Terminal::Only,
                };
                if kind.starts_with("console") {
                    blocks.push(Block { terminal, steps: Vec::new() });
                }
            }
            (Some(_), Some(_)) => fence = None,
            (Some(kind), None) if kind.starts_with("console") => {
                let steps = &mut blocks.last_mut().expect("the fence started a block").steps;
                continues = parse_line(line, continues, steps, normalize);
            }
            _ => {}
        }
    }
    blocks
}

/// Adds one line of a block to its steps. `continues` says that the line before ended with a
/// backslash; returns the same for this line.
fn parse_line(line: &str, continues: bool, steps: &mut Vec<Step>, normalize: fn(&str) -> String) -> bool {
    let command = if continues { Some(line) } else { line.strip_prefix("$ ") };
    if command.is_some() && !continues {
        steps.push(Step { command: String::new(), output: String::new(), normalize });
    }
    let step = steps.last_mut().expect("a block starts with a command");
    match command {
        Some(part) => step.command += part.strip_suffix('\\').unwrap_or(part),
        None => step.output += &format!("{line}\n"),
    }
    command.is_some_and(|part| part.ends_with('\\'))
}

/// A running command and its output so far.
struct Running {
    chunks: Receiver<Vec<u8>>,
    output: Vec<u8>,
    shell: Option<Child>,
}

impl Running {
    fn start(command: &str, runner: Runner) -> Running {
        let (sender, chunks) = channel();
        let shell = match runner {
            Runner::Interpreter => {
                interpret(command, sender);
                None
            }
            Runner::Shell => {
                let mut shell = Command::new("sh");
                shell
                    .args(["-c", command])
                    .env("PATH", path_with_barewire())
                    .stdin(Stdio::null())
                    .stdout(Stdio::piped())
                    .stderr(Stdio::null());
                let mut shell = shell.spawn().expect("sh starts");
                let stdout = shell.stdout.take().expect("stdout is piped");
                thread::spawn(move || for_each_chunk(stdout, |chunk| sender.send(chunk.to_vec()).is_ok()));
                Some(shell)
            }
        };
        Running { chunks, output: Vec::new(), shell }
    }

    /// Waits for the command to end, and checks its complete output.
    fn expect_end(mut self, step: &Step, runner: Runner) {
        while self.wait_for_chunk(step) {}
        let output = self.text();
        assert!(step.matches(&output), "{}", mismatch(step, runner, &output));
    }

    /// Waits until the output so far is the expected one. The command may continue to run.
    fn expect_output(mut self, step: &Step, runner: Runner) {
        while !step.matches(&self.text()) {
            let is_running = self.wait_for_chunk(step);
            assert!(is_running, "{}", mismatch(step, runner, &self.text()));
        }
    }

    /// Returns false if the command has ended.
    fn wait_for_chunk(&mut self, step: &Step) -> bool {
        match self.chunks.recv_timeout(PATIENCE) {
            Ok(chunk) => self.output.extend(chunk),
            Err(RecvTimeoutError::Disconnected) => return false,
            Err(RecvTimeoutError::Timeout) => {
                panic!("$ {}\ntimed out after this output:\n{}", step.command, self.text())
            }
        }
        true
    }

    /// Returns the output as a terminal shows it: a carriage return before a line feed is
    /// invisible.
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.output).replace("\r\n", "\n")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(shell) = &mut self.shell {
            let _ = shell.kill();
            let _ = shell.wait();
        }
    }
}

fn mismatch(step: &Step, runner: Runner, output: &str) -> String {
    format!("{runner:?}: $ {}\nprinted\n{output}\nbut the transcript has\n{}", step.command, step.output)
}

/// Returns the search path of the shell, with the directory of this build's `barewire` first.
fn path_with_barewire() -> OsString {
    let binary = Path::new(env!("CARGO_BIN_EXE_barewire"));
    let mut path = binary.parent().expect("the binary is in a directory").as_os_str().to_owned();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    path
}
