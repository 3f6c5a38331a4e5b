//! The transcripts in `docs/conform.md`, with a server that accepts reserved bits.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{Folder, faulty};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/conform.md");

/// The port in the page, which has as many digits as a free port. Offsets depend on its length.
const PORT: &str = "49152";

/// Runs a command of the page in a shell, and returns what it writes.
fn output(command: &str, folder: &Folder, port: &str) -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_barewire"));
    let path = program.parent().expect("the program is in a folder").display();
    let script = format!("PATH=\"{path}:$PATH\"; {}", command.replace(PORT, port));
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", &format!("{{ {script}\n}} 2>&1")]).current_dir(&folder.0);
    let output = shell.output().expect("sh is installed");
    let text = String::from_utf8(output.stdout).expect("the output is UTF-8").replace(port, PORT);
    text.lines().fold(String::new(), |text, line| text + &without_time(line) + "\n")
}

/// Returns the line with a fixed time, if it is a `Date` field.
fn without_time(line: &str) -> String {
    match line.split_once("Date: ") {
        Some((indent, _)) if indent.trim().is_empty() => {
            format!("{indent}Date: Tue, 29 Sep 2026 07:00:00 GMT")
        }
        _ => line.to_owned(),
    }
}

#[test]
fn every_transcript_matches() {
    let (server, folder) = (faulty(), Folder::new());
    let port = server.address().port().to_string();
    assert_eq!(port.len(), PORT.len(), "a free port has five digits");
    let page = fs::read_to_string(PAGE).expect("the page");
    let (mut played, mut is_console, mut commands) = (String::new(), false, 0);
    for line in page.lines() {
        match line {
            "```console" => is_console = true,
            "```" => is_console = false,
            _ => {}
        }
        let command = line.strip_prefix("$ ").filter(|_| is_console);
        if !is_console || command.is_some() || line == "```console" {
            played.push_str(line);
            played.push('\n');
        }
        if let Some(command) = command {
            played.push_str(&output(command, &folder, &port));
            commands += 1;
        }
    }
    assert!(commands >= 6);
    if std::env::var_os("UPDATE").is_some() {
        fs::write(PAGE, &played).expect("the page is written");
    } else {
        assert_eq!(played, page, "UPDATE=1 writes the new output into the page");
    }
}
