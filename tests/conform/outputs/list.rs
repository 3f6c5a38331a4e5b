//! The numbers of the cases stay the same: users name them in their own files.

use std::collections::BTreeMap;
use std::fs;

use super::conform;

/// The list of all cases, as `barewire conform --list --full` writes it.
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/conform/list.txt");

/// Returns the titles of the cases in a list, without their levels and sections.
fn titles(list: &str) -> BTreeMap<&str, &str> {
    let case = |line: &'_ str| line.starts_with("  ") && line.contains('/');
    let split = list.lines().filter(|line| case(line)).map(|line| {
        let (number, rest) = line.trim_start().split_once(' ').expect("a number and more");
        // The column before the title ends with the number of a section, such as §5.2.
        let (_, section) = rest.split_once('§').expect("a section");
        let (_, title) = section.split_once(' ').expect("a title");
        (number, title.trim())
    });
    split.collect()
}

#[test]
fn no_number_disappears_or_changes_its_meaning() {
    let ran = conform(&["--list", "--full"]);
    assert_eq!(ran.status, 0, "{}", ran.errors);
    let current = titles(&ran.output);
    let saved = fs::read_to_string(FILE).unwrap_or_default();
    for (number, title) in titles(&saved) {
        let now = current.get(number);
        assert_eq!(
            now,
            Some(&title),
            "{number} is not the same case any more. Numbers of deleted cases are not used again: give \
             a new case a new number. If only the words differ, change them in tests/conform/list.txt."
        );
    }
    if std::env::var_os("UPDATE").is_some() {
        fs::write(FILE, &ran.output).expect("the list is written");
    } else {
        let new: Vec<_> = current.keys().filter(|number| !titles(&saved).contains_key(*number)).collect();
        assert!(
            ran.output == saved,
            "tests/conform/list.txt is not up to date; new are {new:?}. Run: UPDATE=1 cargo test --test conform list"
        );
    }
}
