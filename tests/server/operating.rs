//! Checks that `docs/operating.md` lists the actual options and metrics.

use std::collections::BTreeSet;
use std::process::Command;

use crate::harness::{Request, Server};

const DOCUMENT: &str = include_str!("../../docs/operating.md");

/// Returns the fenced block after a heading or comment.
fn block_after(what: &str) -> &'static str {
    let after = DOCUMENT.split_once(what).expect("the heading or comment").1;
    let block = after.split_once("```text\n").expect("a block after it").1;
    block.split_once("```").expect("the block's end").0
}

#[test]
fn the_documented_options_equal_the_help() {
    let output = Command::new(env!("CARGO_BIN_EXE_barewire")).args(["serve", "--help"]).output();
    let help = String::from_utf8(output.expect("the command runs").stdout).expect("UTF-8");
    let table = help.split_once("\n\n").expect("a heading").1;
    let mut expected = String::new();
    for line in table.lines() {
        // Only this default depends on the machine.
        match line.split_once("maximum number of connections [") {
            Some((option, _)) if option.contains("--max-connections ") => {
                expected += option;
                expected += "maximum number of connections [the open-file limit less 100]\n";
            }
            _ => {
                expected += line;
                expected += "\n";
            }
        }
    }
    let documented = block_after("<!-- the table of `barewire serve --help`; a test compares it -->");
    assert_eq!(documented, expected, "docs/operating.md is not up to date");
}

/// Returns the names in backticks that begin the rows of tables.
fn rows() -> BTreeSet<&'static str> {
    let names = DOCUMENT.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    names.map(|(name, _)| name).collect()
}

#[test]
fn the_documented_metrics_equal_the_actual_ones() {
    let server = Server::start();
    let text = server.request(&Request::get("/metrics")).text().to_owned();
    let families: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .map(|line| line.split_once(' ').expect("a name and a type").0)
        .collect();
    let documented: BTreeSet<&str> = rows();
    // Only Linux reports the process's memory.
    let linux_only = BTreeSet::from(["process_resident_memory_bytes"]);
    let actual: BTreeSet<&str> = families.union(&linux_only).copied().collect();
    assert_eq!(documented, actual);
    for reason in text.lines().filter_map(|line| line.split_once("reason=\"")?.1.split_once('"')) {
        assert!(DOCUMENT.contains(&format!("`{}`", reason.0)), "{} is not documented", reason.0);
    }
    for transport in text.lines().filter_map(|line| line.split_once("transport=\"")?.1.split_once('"')) {
        assert!(DOCUMENT.contains(&format!("`{}`", transport.0)), "{} is not documented", transport.0);
    }
}
