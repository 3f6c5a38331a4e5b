//! The transcripts at the top of each example and in the pages of the documentation, typed and compared.
//!
//! A transcript is a fenced block of the kind `console`. A line that begins with `$ ` is a command (a
//! backslash at its end continues it), and what follows up to the next one is its whole output. Blocks are typed in
//! their order against one server. A block `first` is left running while the next one, `second`, is
//! typed in another terminal, and its output is compared after that. Blocks of another kind are not run.
//!
//! Each transcript is typed twice. The interpreter below knows `printf '…' | nc …`, with `| cat -v` behind
//! it or not, and `curl` with -d, -H, -i and -N: it speaks the same bytes over a socket of its own, so it
//! needs neither tool. `barewire explain`, with `printf '…' |` before it or not, it runs. And where the real `sh`, `nc` (one that knows -q) and `curl` are there, they have
//! to see the same.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Instant;

use crate::server::{PATIENCE, Server};

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Typist {
    Interpreter,
    Shell,
}

impl Typist {
    pub fn is_here(self) -> bool {
        let asks = "command -v nc && command -v curl && nc -h 2>&1 | grep -q -e '-q '";
        let ask = || Command::new("sh").args(["-c", asks]).stdout(Stdio::null()).status();
        self == Typist::Interpreter || ask().is_ok_and(|status| status.success())
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

struct Step {
    command: String,
    output: String,
    /// What of the output is compared.
    compared: fn(&str) -> String,
}

impl Step {
    /// The command with the ids that this life of the server gives, where it names one.
    fn with_ids_of(&self, server: &Server, command: &str) -> String {
        if with_epoch(command, "") == command {
            return command.to_owned();
        }
        let next = server.get("/topics/unknown");
        let epoch = next.split('"').find(|word| word.as_bytes().get(EPOCH) == Some(&b'-'));
        with_epoch(command, &epoch.expect("an id")[..EPOCH])
    }
}

/// Types what stands at the top of an example, where nothing varies from one time to the next.
pub fn play(name: &str, typist: Typist) {
    let text = read(&format!("examples/{name}.rs"));
    let lines = text.lines().map_while(|line| line.strip_prefix("//!"));
    let blocks = parse(lines.map(|line| line.strip_prefix(' ').unwrap_or(line)), str::to_owned);
    play_on(name, &format!("cargo run --example {name}"), blocks, typist, || Server::start(name));
}

/// Types what stands in a page of the documentation, where [`without_what_varies`] is left out of the comparison.
pub fn play_page(path: &str, typist: Typist) {
    let blocks = parse(read(path).lines(), without_what_varies);
    play_on(path, "cargo run --release", blocks, typist, Server::start_barewire);
}

fn read(path: &str) -> String {
    let path = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn play_on(name: &str, start: &str, blocks: Vec<Block>, typist: Typist, server: impl FnOnce() -> Server) {
    if !typist.is_here() {
        eprintln!("{name}: not typed into a shell, which has no nc with -q or no curl");
        return;
    }
    assert!(blocks.iter().map(|block| block.steps.len()).sum::<usize>() > 2, "{name} shows nothing");
    let server = server();
    let mut left_running = Vec::new();
    for block in blocks {
        let is_second = block.terminal == Terminal::Second;
        for step in block.steps {
            if step.command == start {
                assert_eq!(server.greeting.replace(&server.port.to_string(), "8080"), step.output);
                continue;
            }
            let command = step.command.replace("8080", &server.port.to_string());
            let running = Running::start(&step.with_ids_of(&server, &command), typist);
            match block.terminal {
                Terminal::First => left_running.push((running, step)),
                _ => running.ends_with(&step, typist),
            }
        }
        if is_second {
            left_running.drain(..).for_each(|(running, step)| running.comes_to(&step, typist));
        }
    }
    assert!(left_running.is_empty(), "{name}: a block `first` has no `second`");
}

/// What differs each time: the epoch in an id (eight letters and digits, a hyphen, a number), the date, the jitter of
/// `retry`, and where among the events a comment stands that only keeps a stream alive.
fn without_what_varies(text: &str) -> String {
    let text = &text.replace("3\n:\n\n\n", "");
    let line = |line: &str| {
        let (name, value) = line.split_once(": ").unwrap_or_default();
        match name {
            "Date" => "Date: …".to_owned() + &value[value.find("GMT").unwrap_or(0)..],
            "retry" if value.trim_end().bytes().all(|byte| byte.is_ascii_digit()) => "retry: …".to_owned(),
            _ => with_epoch(line, "…"),
        }
    };
    let ends_line = text.ends_with('\n');
    let lines: Vec<String> = text.lines().map(line).collect();
    lines.join("\n") + if ends_line { "\n" } else { "" }
}

/// `text` with another epoch in each of its ids.
fn with_epoch(text: &str, epoch: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('-') {
        let (before, after) = rest.split_at(at);
        let word = before.len() - before.bytes().rev().take_while(u8::is_ascii_alphanumeric).count();
        let is_id =
            before.len() - word == EPOCH && after[1..].starts_with(|next: char| next.is_ascii_digit());
        out += if is_id { &before[..word] } else { before };
        out += if is_id { epoch } else { "" };
        out.push('-');
        rest = &after[1..];
    }
    out + rest
}

/// How long an epoch is, in an id of the command.
const EPOCH: usize = 8;

fn parse<'a>(source: impl Iterator<Item = &'a str>, compared: fn(&str) -> String) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut fence = None;
    let mut continues = false;
    for line in source {
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
                let steps = &mut blocks.last_mut().expect("the fence began a block").steps;
                let command = line.strip_prefix("$ ").filter(|_| !continues);
                let typed = command.unwrap_or(line);
                if command.is_some() {
                    steps.push(Step { command: String::new(), output: String::new(), compared });
                }
                let step = steps.last_mut().expect("a block begins with a command");
                if command.is_some() || continues {
                    continues = typed.ends_with('\\');
                    step.command += typed.strip_suffix('\\').unwrap_or(typed);
                } else {
                    step.output += &format!("{line}\n");
                }
            }
            _ => {}
        }
    }
    blocks
}

/// A command under way, and what it has put out so far.
struct Running {
    pieces: Receiver<Vec<u8>>,
    output: Vec<u8>,
    shell: Option<Child>,
}

impl Running {
    fn start(command: &str, typist: Typist) -> Running {
        let (sender, pieces) = channel();
        let shell = match typist {
            Typist::Interpreter => {
                interpret(command, sender);
                None
            }
            Typist::Shell => {
                let mut shell = Command::new("sh");
                shell
                    .args(["-c", command])
                    .env("PATH", path_with_barewire())
                    .stdin(Stdio::null())
                    .stdout(Stdio::piped())
                    .stderr(Stdio::null());
                let mut shell = shell.spawn().expect("sh starts");
                let stdout = shell.stdout.take().expect("stdout is piped");
                thread::spawn(move || pass_on(stdout, |piece| sender.send(piece.to_vec()).is_ok()));
                Some(shell)
            }
        };
        Running { pieces, output: Vec::new(), shell }
    }

    /// The command ends, and this is all it has put out.
    fn ends_with(mut self, step: &Step, typist: Typist) {
        while self.waits_for_more(step) {}
        let output = self.text();
        assert!(is_shown(&output, step), "{typist:?}: $ {}\n{output}\nis not\n{}", step.command, step.output);
    }

    /// The command may go on, but this is what it has put out at some time.
    fn comes_to(mut self, step: &Step, typist: Typist) {
        while !is_shown(&self.text(), step) {
            let more = self.waits_for_more(step);
            let output = self.text();
            assert!(more, "{typist:?}: $ {}\n{output}\nis not\n{}", step.command, step.output);
        }
    }

    fn waits_for_more(&mut self, step: &Step) -> bool {
        match self.pieces.recv_timeout(PATIENCE) {
            Ok(piece) => self.output.extend(piece),
            Err(RecvTimeoutError::Disconnected) => return false,
            Err(_) => panic!("$ {}\nneither ends nor goes on after\n{}", step.command, self.text()),
        }
        true
    }

    /// As a terminal shows it, where a carriage return before a line feed is not seen.
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

/// The end of a block also ends its last line.
fn is_shown(output: &str, step: &Step) -> bool {
    let (output, shown) = ((step.compared)(output), (step.compared)(&step.output));
    output == shown || format!("{output}\n") == shown
}

/// Hands on what comes, piece by piece, until it ends or is no longer wanted.
fn pass_on(mut source: impl Read, mut wants_more: impl FnMut(&[u8]) -> bool) {
    let mut piece = [0; 4096];
    while let Ok(length @ 1..) = source.read(&mut piece) {
        if !wants_more(&piece[..length]) {
            break;
        }
    }
}

fn interpret(command: &str, output: Sender<Vec<u8>>) {
    let words = words(command);
    let stages: Vec<Vec<&str>> =
        words.split(|word| word == "|").map(|stage| stage.iter().map(String::as_str).collect()).collect();
    let stages: Vec<&[&str]> = stages.iter().map(Vec::as_slice).collect();
    match stages[..] {
        [["printf", format], ["nc", "-q", _, host, port], ref rest @ ..] => {
            let shows_controls = match rest {
                [] => false,
                [["cat", "-v"]] => true,
                _ => panic!("the interpreter does not know {rest:?}"),
            };
            let stream = connect(&format!("{host}:{port}"), &printf(format));
            stream.shutdown(Shutdown::Write).expect("the connection stands");
            thread::spawn(move || {
                pass_on(stream, |piece| {
                    let piece = if shows_controls { cat_v(piece) } else { piece.to_vec() };
                    output.send(piece).is_ok()
                })
            });
        }
        [["curl", arguments @ ..]] => curl(arguments, "", output),
        [["barewire", arguments @ ..]] => barewire(arguments, b"", output),
        [["printf", format], ["barewire", arguments @ ..]] => barewire(arguments, &printf(format), output),
        [["printf", format], ["curl", arguments @ ..]] => {
            curl(arguments, &String::from_utf8(printf(format)).expect("text"), output);
        }
        _ => panic!("the interpreter does not know {command:?}"),
    }
}

/// Runs the command, which ends by itself; `input` is what comes from a pipe.
fn barewire(arguments: &[&str], input: &[u8], output: Sender<Vec<u8>>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_barewire"));
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().expect("it starts");
    child.stdin.take().expect("stdin is piped").write_all(input).expect("it reads");
    let explained = child.wait_with_output().expect("it ends");
    // Whoever waits for it may have given up.
    let _ = output.send(explained.stdout);
}

/// Where a shell looks for commands, with this build's `barewire` before all others.
fn path_with_barewire() -> OsString {
    let binary = Path::new(env!("CARGO_BIN_EXE_barewire"));
    let mut path = binary.parent().expect("it is in a directory").as_os_str().to_owned();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    path
}

/// Words as the shell takes them: blanks divide them, and within single quotes nothing does.
fn words(command: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut is_quoted = false;
    for character in command.chars() {
        match character {
            '\'' => is_quoted = !is_quoted,
            ' ' if !is_quoted => words.push(String::new()),
            _ => words.last_mut().expect("there is always one").push(character),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// The escapes of printf(1) that the transcripts use: `\n`, `\r` and three octal digits.
fn printf(format: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = format.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        bytes.push(match (first, after) {
            (b'\\', [b'n', after @ ..]) => {
                rest = after;
                b'\n'
            }
            (b'\\', [b'r', after @ ..]) => {
                rest = after;
                b'\r'
            }
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', after @ ..]) => {
                rest = after;
                (a - b'0') << 6 | (b - b'0') << 3 | (c - b'0')
            }
            (b'\\' | b'%', _) => panic!("the interpreter does not know this of printf: {format}"),
            _ => *first,
        });
    }
    bytes
}

/// Bytes as `cat -v` shows them.
fn cat_v(bytes: &[u8]) -> Vec<u8> {
    let mut shown = Vec::new();
    for &byte in bytes {
        if byte >= 0x80 {
            shown.extend(b"M-");
        }
        match byte & 0x7f {
            b'\n' | b'\t' if byte < 0x80 => shown.push(byte),
            low @ 0..0x20 => shown.extend([b'^', low + 0x40]),
            0x7f => shown.extend(b"^?"),
            low => shown.push(low),
        }
    }
    shown
}

fn connect(address: &str, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.write_all(bytes).expect("it reads");
    stream
}

/// `input` is what comes from a pipe.
fn curl<'a>(arguments: &[&'a str], input: &'a str, output: Sender<Vec<u8>>) {
    let (mut fields, mut data, mut shows_head, mut url) = (String::new(), None, false, "");
    let mut arguments = arguments.iter();
    while let Some(&argument) = arguments.next() {
        match argument {
            "-N" | "-s" => {}
            "-i" => shows_head = true,
            "-H" => fields += &format!("{}\r\n", arguments.next().expect("a field")),
            "--data-binary" => {
                assert_eq!(arguments.next(), Some(&"@-"), "the interpreter knows no other data in binary");
                data = Some(input);
            }
            "-d" => data = Some(*arguments.next().expect("data")),
            _ if argument.starts_with("http://") => url = argument,
            _ => panic!("the interpreter does not know this of curl: {argument}"),
        }
    }
    let (address, target) = url["http://".len()..].split_once('/').expect("a URL with a path");
    let method = if data.is_some() { "POST" } else { "GET" };
    if let Some(data) = data {
        let length = data.len();
        if !fields.contains("Content-Type") {
            fields += "Content-Type: application/x-www-form-urlencoded\r\n";
        }
        fields += &format!("Content-Length: {length}\r\n");
    }
    let data = data.unwrap_or_default();
    let request = format!("{method} /{target} HTTP/1.1\r\nHost: {address}\r\n{fields}\r\n{data}");
    let stream = connect(address, request.as_bytes());
    thread::spawn(move || hand_out_answer(stream, shows_head, output));
}

/// Hands out an answer as curl does: its body, as it comes, to its end or to the connection's.
fn hand_out_answer(stream: TcpStream, shows_head: bool, output: Sender<Vec<u8>>) {
    let mut answer = Vec::new();
    let mut handed_out = 0;
    let deadline = Instant::now() + PATIENCE;
    pass_on(stream, |piece| {
        answer.extend_from_slice(piece);
        let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else { return true };
        let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
        let length = if head.contains(" 304 ") {
            Some(0) // RFC 9110 §15.4.5: it has no content, whatever its length says
        } else {
            head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok())
        };
        let from = if shows_head { 0 } else { end + 4 };
        let is_sent = output.send(answer[from.max(handed_out)..].to_vec()).is_ok();
        handed_out = answer.len();
        let is_whole = length.is_some_and(|length| answer.len() >= end + 4 + length);
        is_sent && !is_whole && Instant::now() < deadline
    });
}
