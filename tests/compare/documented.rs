//! `docs/compare.md` agrees with the command.

use std::collections::BTreeSet;

use super::{json, run, text};

const DOCUMENT: &str = include_str!("../../docs/compare.md");

#[test]
fn the_document_contains_the_help() {
    let help = run(&["--help"]);
    assert!(help.status.success());
    let documented = DOCUMENT.split_once("```text help\n").expect("the start of the help").1;
    assert_eq!(
        documented.split_once("```").expect("the end of the help").0,
        text(&help),
        "docs/compare.md is out of date"
    );
}

#[test]
fn the_document_lists_exactly_the_names_of_the_json() {
    let comparison = json(&["--clients", "1", "--duration", "100ms", "--transports", "short-poll"]);
    let mut names = BTreeSet::new();
    let mut collect = |value: &serde_json::Value, prefix: &str| {
        for name in value.as_object().expect("an object").keys() {
            names.insert(format!("{prefix}{name}"));
        }
    };
    collect(&comparison, "");
    collect(&comparison["plan"], "plan.");
    collect(&comparison["legs"][0], "");
    collect(&comparison["legs"][0]["delay_ms"], "delay_ms.");
    let rows = DOCUMENT.lines().filter_map(|line| line.strip_prefix("| `"));
    let documented: BTreeSet<_> =
        rows.map(|row| row.split('`').next().expect("a name")).map(str::to_owned).collect();
    assert_eq!(documented, names, "docs/compare.md is out of date");
}
