//! The budgets that keep the core readable: lines of code, and the length of one message's path.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use crate::files::files;

/// The folders that readers come to study.
const CORE: [&str; 4] = ["protocol", "hub", "transport", "server"];
/// The most lines of code in all of them together, without comments, blank lines and tests.
const CORE_LINES: usize = 9_500;
/// The most lines of code in one file.
const FILE_LINES: usize = 400;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the number of lines of code: without blank lines, comments and the test module, which is
/// the last item of a file.
pub fn lines_of_code(source: &str) -> usize {
    let code = source.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    code.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//")).count()
}

#[test]
fn the_core_stays_within_its_lines() {
    let mut total = 0;
    for folder in CORE {
        let mut files = files(&format!("src/{folder}"), "rs");
        files.retain(|file| !file.ends_with("tests.rs"));
        for file in files {
            let lines = lines_of_code(&fs::read_to_string(&file).expect("source is UTF-8"));
            assert!(lines <= FILE_LINES, "{}: {lines} lines of code, more than {FILE_LINES}", file.display());
            total += lines;
        }
    }
    assert!(total <= CORE_LINES, "the core has {total} lines of code, more than {CORE_LINES}");
}

/// Returns the files and the functions in the table of the path from a POST to a follower.
fn path_of_a_post(page: &str) -> (HashSet<&str>, usize) {
    let section = page.split("## From a POST to an SSE follower").nth(1).expect("the section");
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let cells = rows.take_while(|line| !line.is_empty()).map(|row| row.trim_matches('|').split('|'));
    let (mut files, mut functions) = (HashSet::new(), 0);
    for mut cells in cells {
        files.insert(cells.next().expect("a file").trim());
        functions += cells.next().expect("functions").matches('`').count() / 2;
    }
    (files, functions)
}

#[test]
fn the_path_of_a_post_has_as_many_functions_and_files_as_the_page_says() {
    let page = fs::read_to_string(root().join("docs/architecture.md")).expect("the page");
    let section = page.split("## From a POST").nth(1).and_then(|rest| rest.split("\n## ").next());
    let (files, functions) = path_of_a_post(&page);
    let stated = format!("{functions} functions in {} files", files.len());
    let text = section.expect("the section").replace('\n', " ");
    assert!(text.contains(&stated), "the table has {stated}");
    assert!(functions <= 30 && files.len() <= 12, "the path has {stated}: at most 30 in 12");
}

#[test]
fn counts_code_without_comments_and_tests() {
    let source =
        "//! A page.\n\nfn a() {\n    // Why.\n    b();\n}\n\n#[cfg(test)]\nmod tests {\n    fn c() {}\n}\n";
    assert_eq!(lines_of_code(source), 3);
}
