//! Checks that comments and pages wrap at 100 columns. Tables, code, links on a line of their own
//! and generated text are exempt.

use std::fs;

use crate::files::files;

const COLUMNS: usize = 100;

/// Returns the numbers of the lines that are too long in a page, or in the comments of a source.
fn long_lines(text: &str, is_page: bool) -> Vec<usize> {
    let (mut in_fence, mut is_generated) = (false, false);
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let content = match is_page {
            true => line,
            false => match line.trim_start().strip_prefix("//") {
                Some(comment) => comment.trim_start_matches(['/', '!']).trim_start(),
                None => {
                    in_fence = false;
                    continue;
                }
            },
        };
        if content.starts_with("```") {
            in_fence = !in_fence;
        }
        if content.starts_with("<!--") {
            // Generated text has a comment before it and one with `end` after it.
            is_generated = !content.contains("end");
        }
        let is_exempt = in_fence || is_generated || content.starts_with(['|', '!', '<', '[']);
        if !is_exempt && line.chars().count() > COLUMNS {
            found.push(number + 1);
        }
    }
    found
}

#[test]
fn comments_and_pages_wrap_at_100_columns() {
    let paths = [files("", "md"), files("", "rs")].concat();
    assert!(paths.len() > 300, "only {} files", paths.len());
    let mut found = Vec::new();
    for path in paths {
        let text = fs::read_to_string(&path).expect("UTF-8");
        let is_page = path.extension().is_some_and(|extension| extension == "md");
        found.extend(long_lines(&text, is_page).iter().map(|line| format!("{}:{line}", path.display())));
    }
    assert!(found.is_empty(), "these lines are longer than {COLUMNS} columns:\n{}", found.join("\n"));
}

#[test]
fn finds_a_long_line_outside_code_and_tables() {
    let long = "x".repeat(COLUMNS + 1);
    let page =
        format!("{long}\n| {long} |\n```\n{long}\n```\n{long}\n<!-- run -->\n{long}\n<!-- end -->\n{long}\n");
    assert_eq!(long_lines(&page, true), [1, 6, 10]);
    let source =
        format!("/// {long}\nlet x = \"{long}\";\n//! ```text\n//! {long}\n//! ```\n    // {long}\n");
    assert_eq!(long_lines(&source, false), [1, 6]);
}
