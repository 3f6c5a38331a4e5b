//! What `docs/bench.md` says of the command is what it does.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::{bench, right};

const DOCUMENT: &str = include_str!("../../docs/bench.md");

#[test]
fn the_help_is_in_the_document() {
    let output = bench(&["--help"]);
    let help = String::from_utf8(output.stdout).expect("UTF-8");
    let behind =
        DOCUMENT.split_once("<!-- `barewire bench --help`; a test compares it -->").expect("it is there").1;
    let block =
        behind.split_once("```text\n").expect("a block behind it").1.split_once("```").expect("its end").0;
    assert_eq!(block, help, "docs/bench.md is not up to date");
}

/// The names of all members, each as a path.
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
fn each_name_in_the_json_is_in_the_document() {
    let mut found = BTreeSet::new();
    names("", &right(&["echo", "--connections", "2", "--ceiling"]), &mut found);
    names("", &right(&["idle", "--connections", "2"]), &mut found);
    // These are as those of the server, and stand there once.
    let there: BTreeSet<_> = found
        .iter()
        .filter(|name| !name.starts_with("ceiling.runs.") && !name.starts_with("ceiling.summary."))
        .filter(|name| {
            !["median", "min", "max"]
                .iter()
                .any(|end| name.ends_with(&format!(".{end}")) && name.starts_with("summary."))
        })
        .map(String::as_str)
        .collect();
    let table = DOCUMENT.split_once("## JSON").expect("it is there").1;
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    let documented: BTreeSet<_> = rows.map(|(name, _)| name).collect();
    assert_eq!(documented, there);
}

#[test]
fn the_bare_program_is_one_to_talk_to_by_hand() {
    // As the document types it, but on a free port.
    assert!(DOCUMENT.contains("barewire bench ceiling-program fan-out 127.0.0.1:9000"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_barewire"));
    command.args(["bench", "ceiling-program", "fan-out", "127.0.0.1:0"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("it is piped")).read_line(&mut line).expect("a line");
    assert!(line.starts_with("listening on 127.0.0.1:"), "{line:?}");
    // It ends with the one who has started it.
    drop(child.stdin.take());
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}
