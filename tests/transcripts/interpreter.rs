//! Runs the few commands that transcripts use, without a shell, netcat or curl.
//!
//! The interpreter knows `printf '…' | nc -q 1 …` and `nc -w 1 …`, optionally followed by
//! `| cat -v`, and `curl` with -b, -d, --data-binary @-, -H, -i, -m, -N, -s and -X, optionally
//! followed by `| head -n 1`, and with a telnet URL. It sends the same bytes over its own sockets.
//! It also runs the built `barewire`, optionally after `printf '…' |`. Any other command is a
//! panic.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::server::PATIENCE;

/// The time without a byte after which `nc -w` and `curl -m` end, whatever their argument is.
const SILENCE: Duration = Duration::from_secs(2);

/// Starts a command, whose output is sent to `output` in chunks.
pub fn interpret(command: &str, output: Sender<Vec<u8>>) {
    let words = split_words(command);
    let stages: Vec<Vec<&str>> =
        words.split(|word| word == "|").map(|stage| stage.iter().map(String::as_str).collect()).collect();
    let stages: Vec<&[&str]> = stages.iter().map(Vec::as_slice).collect();
    match stages[..] {
        [["printf", format], ["nc", end @ ("-q" | "-w"), _, host, port]] => {
            nc(&format!("{host}:{port}"), end, &printf(format), output, false);
        }
        [["printf", format], ["nc", end @ ("-q" | "-w"), _, host, port], ["cat", "-v"]] => {
            nc(&format!("{host}:{port}"), end, &printf(format), output, true);
        }
        [["printf", format], ["curl", "-s", "-m", _, url]] if url.starts_with("telnet://") => {
            nc(&url["telnet://".len()..], "-w", &printf(format), output, false);
        }
        [["printf", format], ["curl", "-s", "-m", _, url], ["head", "-n", "1"]] => {
            nc(&url["telnet://".len()..], "-w", &printf(format), first_line_of(output), false);
        }
        [["curl", arguments @ ..]] => curl(arguments, "", output),
        [["curl", arguments @ ..], ["head", "-n", "1"]] => curl(arguments, "", first_line_of(output)),
        [["printf", format], ["curl", arguments @ ..]] => {
            let input = String::from_utf8(printf(format)).expect("curl reads UTF-8");
            curl(arguments, &input, output);
        }
        [["barewire", arguments @ ..]] => barewire(arguments, b"", output),
        [["printf", format], ["barewire", arguments @ ..]] => barewire(arguments, &printf(format), output),
        _ => panic!("the interpreter does not know this command: {command:?}"),
    }
}

/// Passes everything that `source` yields to `consume`, until `source` ends or `consume` returns
/// false.
pub fn for_each_chunk(mut source: impl Read, mut consume: impl FnMut(&[u8]) -> bool) {
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = source.read(&mut buffer) {
        if !consume(&buffer[..length]) {
            break;
        }
    }
}

/// Splits a command at its blanks, except within single quotes.
fn split_words(command: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut is_quoted = false;
    for character in command.chars() {
        match character {
            '\'' => is_quoted = !is_quoted,
            ' ' if !is_quoted => words.push(String::new()),
            _ => words.last_mut().expect("the list is never empty").push(character),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Returns the output of `printf format`. Supports the escapes `\n`, `\r` and three octal digits.
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
            (b'\\' | b'%', _) => panic!("the interpreter does not know this format: {format}"),
            _ => *first,
        });
    }
    bytes
}

/// Sends `input`, and outputs what the server sends. Like `nc -q`, sends a FIN after the input; or
/// like `nc -w`, ends when the server is silent.
fn nc(address: &str, end: &str, input: &[u8], output: Sender<Vec<u8>>, shows_controls: bool) {
    let stream = connect(address, input);
    match end {
        "-q" => stream.shutdown(Shutdown::Write).expect("the connection is open"),
        _ => stream.set_read_timeout(Some(SILENCE)).expect("the read timeout can be set"),
    }
    thread::spawn(move || {
        for_each_chunk(stream, |chunk| {
            let chunk = if shows_controls { cat_v(chunk) } else { chunk.to_vec() };
            output.send(chunk).is_ok()
        });
    });
}

/// Returns a sender that passes on the first line only, as `head -n 1` does.
fn first_line_of(output: Sender<Vec<u8>>) -> Sender<Vec<u8>> {
    let (sender, chunks) = channel::<Vec<u8>>();
    thread::spawn(move || {
        let input: Vec<u8> = chunks.iter().flatten().collect();
        let line = input.split_inclusive(|byte| *byte == b'\n').next().unwrap_or_default();
        // The receiver is gone if the test has failed meanwhile.
        let _ = output.send(line.to_vec());
    });
    sender
}

/// Returns the bytes as `cat -v` shows them.
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

/// Runs `barewire` to its end; `input` is its standard input.
fn barewire(arguments: &[&str], input: &[u8], output: Sender<Vec<u8>>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_barewire"));
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().expect("barewire starts");
    child.stdin.take().expect("stdin is piped").write_all(input).expect("barewire reads");
    let finished = child.wait_with_output().expect("barewire ends");
    // The receiver is gone if the test has failed meanwhile.
    let _ = output.send(finished.stdout);
}

/// Sends the request that curl would send; `input` is its standard input.
fn curl<'a>(arguments: &[&'a str], input: &'a str, output: Sender<Vec<u8>>) {
    let (mut fields, mut data, mut shows_head, mut url) = (String::new(), None, false, "");
    let (mut ends_in_silence, mut method) = (false, None);
    let mut arguments = arguments.iter();
    while let Some(&argument) = arguments.next() {
        match argument {
            "-N" | "-s" | "-sN" => {}
            "-i" | "-si" => shows_head = true,
            "-m" => ends_in_silence = arguments.next().is_some(),
            "-H" => fields += &format!("{}\r\n", arguments.next().expect("a field follows -H")),
            "--data-binary" => {
                assert_eq!(arguments.next(), Some(&"@-"), "--data-binary is only supported with @-");
                data = Some(input);
            }
            "-d" => data = Some(*arguments.next().expect("data follows -d")),
            "-b" => fields += &format!("Cookie: {}\r\n", arguments.next().expect("a cookie follows -b")),
            "-X" => method = arguments.next().copied(),
            _ if argument.starts_with("http://") => url = argument,
            _ => panic!("the interpreter does not know this argument of curl: {argument}"),
        }
    }
    let (address, target) = url["http://".len()..].split_once('/').expect("the URL has a path");
    let method = method.unwrap_or(if data.is_some() { "POST" } else { "GET" });
    if let Some(data) = data {
        let length = data.len();
        if !fields.contains("Content-Type") {
            fields += "Content-Type: application/x-www-form-urlencoded\r\n";
        }
        fields += &format!("Content-Length: {length}\r\n");
    }
    let data = data.unwrap_or_default();
    if !fields.starts_with("Host: ") {
        fields.insert_str(0, &format!("Host: {address}\r\n"));
    }
    let request = format!("{method} /{target} HTTP/1.1\r\n{fields}\r\n{data}");
    let stream = connect(address, request.as_bytes());
    if ends_in_silence {
        stream.set_read_timeout(Some(SILENCE)).expect("the read timeout can be set");
    }
    thread::spawn(move || output_response(stream, shows_head, output));
}

/// Outputs a response as curl does: the body as it arrives, until the body or the connection ends.
fn output_response(stream: TcpStream, shows_head: bool, output: Sender<Vec<u8>>) {
    let mut response = Vec::new();
    let mut sent = 0;
    let deadline = Instant::now() + PATIENCE;
    for_each_chunk(stream, |chunk| {
        response.extend_from_slice(chunk);
        let Some(end) = response.windows(4).position(|window| window == b"\r\n\r\n") else { return true };
        let head = String::from_utf8_lossy(&response[..end]).to_ascii_lowercase();
        let length = if head.contains(" 304 ") {
            Some(0) // RFC 9110 §15.4.5: no content, whatever the Content-Length is
        } else {
            head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok())
        };
        let (shown_head, content) =
            (if shows_head { &response[..end + 4] } else { &[] }, &response[end + 4..]);
        let is_chunked = head.contains("transfer-encoding: chunked");
        let content = if is_chunked { without_chunks(content) } else { content.to_vec() };
        let shown = [shown_head, &content].concat();
        let is_wanted = output.send(shown[sent..].to_vec()).is_ok();
        sent = shown.len();
        let is_complete = length.is_some_and(|length| response.len() >= end + 4 + length);
        is_wanted && !is_complete && Instant::now() < deadline
    });
}

/// Returns the data of chunked content (RFC 9112 §7.1) as far as it has arrived.
fn without_chunks(mut content: &[u8]) -> Vec<u8> {
    let mut data = Vec::new();
    while let Some(end) = content.windows(2).position(|window| window == b"\r\n") {
        let size = std::str::from_utf8(&content[..end]).expect("the size of a chunk is ASCII");
        let size = usize::from_str_radix(size, 16).expect("the size of a chunk is hexadecimal");
        let chunk = &content[end + 2..];
        data.extend_from_slice(&chunk[..size.min(chunk.len())]);
        content = chunk.get(size + 2..).unwrap_or_default();
    }
    data
}

fn connect(address: &str, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("the server listens");
    stream.write_all(bytes).expect("the server reads");
    stream
}
