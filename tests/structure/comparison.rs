//! The comparison of the chats: the page has the table that its suite last wrote, and the sources
//! have as many lines as the table says.

use std::fs;
use std::path::Path;

use crate::budgets::lines_of_code;

/// The sources, in the order of the table's columns.
const CHATS: [&str; 3] =
    ["examples/14_chat.rs", "tests/suites/chat/axum/src/main.rs", "tests/suites/chat/ws/server.js"];

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_page_has_the_table_that_the_suite_last_wrote() {
    let page = read("docs/chat-compared.md");
    let rest = page.split_once("<!-- table -->\n").expect("the start of the table").1;
    let table = rest.split_once("<!-- end of the table -->").expect("the end of the table").0;
    assert_eq!(table, read("tests/suites/chat/table.md"), "run tests/suites/chat/run --update");
}

#[test]
fn the_table_has_the_lines_of_code_of_each_chat() {
    let table = read("tests/suites/chat/table.md");
    let row = table.lines().find(|line| line.starts_with("| lines of code")).expect("the row");
    let counts: Vec<usize> = row.split('|').filter_map(|cell| cell.trim().parse().ok()).collect();
    assert_eq!(counts, CHATS.map(|path| lines_of_code(&read(path))), "run tests/suites/chat/run --update");
    let difference = format!("the chat on `ws` has {} lines less", counts[0] - counts[2]);
    assert!(read("docs/chat-compared.md").contains(&difference), "the page does not say: {difference}");
}
