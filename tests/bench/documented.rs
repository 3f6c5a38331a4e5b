//! `docs/bench.md` agrees with the command.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::{bench, right};

const DOCUMENT: &str = include_str!("../../docs/bench.md");

#[test]
fn the_document_contains_the_help() {
    let output = bench(&["--help"]);
    let help = String::from_utf8(output.stdout).expect("UTF-8");
    let marker = "<!-- `barewire bench --help`; a test compares it -->";
    let after = DOCUMENT.split_once(marker).expect("the marker").1;
    let block = after.split_once("```text\n").expect("a block after the marker").1;
    let block = block.split_once("```").expect("the end of the block").0;
    assert_eq!(block, help, "docs/bench.md is not up to date");
}

/// Collects the names of all members as paths.
fn names(prefix: &str, value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
                found.insert(path.clone());
                names(&path, value, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| names(prefix, item, found)),
        _ => {}
    }
}

#[test]
fn the_document_describes_each_member_of_the_json() {
    let mut found = BTreeSet::new();
    names("", &right(&["echo", "--connections", "2", "--ceiling"]), &mut found);
    names("", &right(&["idle", "--connections", "2"]), &mut found);
    // The members of the ceiling are those of the server, and are documented once.
    let expected: BTreeSet<_> = found
        .iter()
        .filter(|name| !name.starts_with("ceiling.runs.") && !name.starts_with("ceiling.summary."))
        .filter(|name| {
            !["median", "min", "max"]
                .iter()
                .any(|end| name.ends_with(&format!(".{end}")) && name.starts_with("summary."))
        })
        .map(String::as_str)
        .collect();
    let table = DOCUMENT.split_once("## JSON").expect("the section").1;
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    let documented: BTreeSet<_> = rows.map(|(name, _)| name).collect();
    assert_eq!(documented, expected);
}

#[test]
fn the_bare_program_can_be_used_by_hand() {
    // The session of the document, on a free port and with a socket instead of each `nc`.
    let session = DOCUMENT.split_once("```console\n").expect("a session").1;
    let session = session.split_once("```").expect("the end of the session").0;
    let expected = "\
$ barewire bench ceiling-program fan-out 127.0.0.1:9000 &
listening on 127.0.0.1:9000
$ (printf F; sleep 5) | nc 127.0.0.1 9000 &
$ printf 'Phello\\n' | nc -q 1 127.0.0.1 9000
hello
";
    assert_eq!(session, expected, "docs/bench.md differs from this test");
    let mut command = Command::new(env!("CARGO_BIN_EXE_barewire"));
    command.args(["bench", "ceiling-program", "fan-out", "127.0.0.1:0"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the command starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
    let address = line.trim_end().strip_prefix("listening on ").unwrap_or_else(|| panic!("{line:?}"));
    let connect = |first: &[u8]| {
        let mut stream = TcpStream::connect(address).expect("the program listens");
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a read timeout");
        stream.write_all(first).expect("the program reads");
        stream
    };
    let follower = connect(b"F");
    let _publisher = connect(b"Phello\n");
    let mut received = String::new();
    BufReader::new(follower).read_line(&mut received).expect("a line");
    assert_eq!(received, "hello\n");
    // The program ends with its parent.
    drop(child.stdin.take());
    assert_eq!(child.wait().expect("a child").code(), Some(0));
}
