//! The page about `check`: its server fails a stage, and passes it after the change of one line.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::server::eventually;
use crate::{check, url_of};

const PAGE: &str = include_str!("../../docs/check.md");

/// Returns the blocks of the page with this language.
fn blocks(language: &str) -> Vec<&str> {
    let opening = format!("```{language}\n");
    let blocks = PAGE.split(&opening).skip(1);
    blocks.map(|block| block.split("\n```").next().expect("the block ends")).collect()
}

/// Returns a free port of four digits, as on the page, so that offsets are the same.
fn free_port() -> u16 {
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    let start = 2000 + u16::try_from(std::process::id() % 4000).expect("below 4000");
    (start..10_000).find(is_free).expect("a port is free")
}

/// The server of the page. Dropping it ends it.
struct Python(Child);

impl Drop for Python {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(source: &str, port: u16) -> Python {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("server-{port}.py"));
    fs::write(&path, source.replace("8080", &port.to_string())).expect("the file can be written");
    let mut command = Command::new("python3");
    let child = command.arg(path).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let server = Python(child.expect("python3 starts"));
    eventually("the server listens", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    server
}

/// Replaces what differs between two runs: the port, and the token in the data of events.
fn normalized(text: &str, port: u16) -> String {
    let text = text.replace(&format!(":{port}"), ":8080");
    let mut out = String::new();
    for line in text.lines() {
        // The rows of hexadecimal digits repeat the text beside them, or follow it.
        let is_row =
            line.trim().split(' ').all(|word| word.len() == 2 && u8::from_str_radix(word, 16).is_ok());
        if is_row && !line.trim().is_empty() {
            continue;
        }
        for (index, word) in line.split_inclusive([' ', '"']).enumerate() {
            let end = word.trim_end_matches([' ', '"']).len();
            let is_token = end > 13
                && word[..end].contains('-')
                && word[end - 14..end].bytes().all(|byte| byte.is_ascii_hexdigit());
            let is_hexadecimal = end == 2 && index > 0 && u8::from_str_radix(&word[..end], 16).is_ok();
            match (is_token, is_hexadecimal) {
                (true, _) => out.push_str(&format!("{}TOKEN{}", &word[..end - 14], &word[end..])),
                (_, true) => out.push_str(".. "),
                _ => out.push_str(word),
            }
        }
        out.push('\n');
    }
    out
}

#[test]
fn the_server_of_the_page_fails_and_then_passes() {
    // `cargo test` needs only Rust; `.ci/run` installs Python.
    if Command::new("python3").arg("--version").stdout(Stdio::null()).status().is_err() {
        eprintln!("docs/check.md: skipped its server, because python3 is missing");
        return;
    }
    let [source] = blocks("python")[..] else { panic!("one server") };
    let [change] = blocks("diff")[..] else { panic!("one change") };
    let [before, after] = blocks("console")[..] else { panic!("two checks") };
    let (old, new) = change.split_once('\n').expect("two lines");
    let (old, new) =
        (old.strip_prefix('-').expect("an old line"), new.strip_prefix('+').expect("a new line"));
    assert_eq!(source.matches(old).count(), 1, "the change is not unique");

    for (source, transcript, status) in [(source.to_owned(), before, 1), (source.replace(old, new), after, 0)]
    {
        let port = free_port();
        let server = start(&source, port);
        let (actual, output) = check(&["pipelining", &url_of(port)]);
        drop(server);
        let command = "$ barewire check pipelining http://127.0.0.1:8080";
        let expected = transcript.strip_prefix(command).expect("the command").trim_start_matches('\n');
        assert_eq!(normalized(&output, port).trim_end(), normalized(expected, port).trim_end(), "{output}");
        assert_eq!(actual, status);
    }
}

#[test]
fn the_page_lists_the_stages() {
    let (_, list) = check(&[]);
    let of_command = list.lines().filter_map(|line| {
        let (number, name) = line.trim().split_once("  ")?;
        number.parse::<u8>().ok().map(|number| format!("| {number} `{name}` |"))
    });
    let of_command: Vec<String> = of_command.collect();
    assert_eq!(of_command.len(), 10, "{list}");
    for row in of_command {
        assert!(PAGE.contains(&row), "{row}");
    }
}
