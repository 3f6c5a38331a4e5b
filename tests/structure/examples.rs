//! The limits of the examples: each is read from top to bottom, and typed by hand.

use std::fs;
use std::path::{Path, PathBuf};

use crate::budgets::lines_of_code;
use crate::files::files;

/// The most lines in a header: what to type, what to see, and one thing to break. It fits on one
/// screen, next to a terminal.
const HEADER_LINES: usize = 45;
/// The most lines of code that a bare example has more than the one before it. The largest step is
/// from bytes to HTTP (02), which needs 64; the next one, the frames of a WebSocket (07), needs 63.
const STEP_LINES: usize = 64;
/// The most lines of code of an application.
const APPLICATION_LINES: usize = 80;
/// The most lines of an application's page, without blank lines and lines that are only a comment.
const PAGE_LINES: usize = 120;
/// The numbers of the applications.
const APPLICATIONS: std::ops::RangeInclusive<usize> = 8..=17;
/// The numbers of the examples without the library, each of which continues the one before it.
const BARE: std::ops::RangeInclusive<usize> = 1..=7;

/// A numbered example.
struct Example {
    number: usize,
    path: PathBuf,
    source: String,
}

/// Returns the examples, sorted by their numbers.
fn examples() -> Vec<Example> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    // An example may also be a folder.
    let number = |path: &PathBuf| {
        let name = path.strip_prefix(&root).ok().and_then(|path| path.iter().next()?.to_str());
        let name = name.expect("a UTF-8 name in examples/");
        let number = name.split('_').next().and_then(|number| number.parse().ok());
        number.unwrap_or_else(|| panic!("examples/{name} does not start with a number and `_`"))
    };
    let example = |path: PathBuf| Example {
        number: number(&path),
        source: fs::read_to_string(&path).expect("source is UTF-8"),
        path,
    };
    let mut examples: Vec<Example> = files("examples", "rs").into_iter().map(example).collect();
    examples.sort_by_key(|example| example.number);
    examples
}

fn header_lines(source: &str) -> usize {
    source.lines().take_while(|line| line.starts_with("//!")).count()
}

#[test]
fn each_example_has_a_header_that_fits_on_a_screen() {
    for Example { path, source, .. } in examples() {
        let lines = header_lines(&source);
        let path = path.display();
        assert!((1..=HEADER_LINES).contains(&lines), "{path}: {lines} lines, at most {HEADER_LINES}");
    }
}

#[test]
fn each_bare_example_is_a_small_step() {
    let examples = examples();
    let bare: Vec<&Example> = examples.iter().filter(|example| BARE.contains(&example.number)).collect();
    let numbers: Vec<usize> = bare.iter().map(|example| example.number).collect();
    assert_eq!(numbers, BARE.collect::<Vec<_>>());
    for pair in bare.windows(2) {
        let [before, after] = [pair[0], pair[1]].map(|example| lines_of_code(&example.source));
        let (path, step) = (pair[1].path.display(), after.saturating_sub(before));
        assert!(
            step <= STEP_LINES,
            "{path}: {step} lines more than the example before, at most {STEP_LINES}"
        );
    }
}

#[test]
fn each_bare_example_has_what_to_break_and_names_its_port() {
    for Example { number, path, source } in examples() {
        if BARE.contains(&number) {
            let lines = source.lines().take(header_lines(&source));
            let header = lines.map(|line| line.trim_start_matches("//!")).collect::<String>();
            for text in ["**Break it:**", "-- 8090`", "`cannot listen`", "exits with status 1"] {
                assert!(header.contains(text), "{}: the header has no {text}", path.display());
            }
            let has_netcat = !header.contains("| nc ") || header.contains("OpenBSD's");
            assert!(has_netcat, "{}: the header does not say which nc it needs", path.display());
        }
    }
}

#[test]
fn each_application_is_short() {
    for Example { number, path, source } in examples() {
        let (path, lines) = (path.display(), lines_of_code(&source));
        let is_short = BARE.contains(&number) || lines <= APPLICATION_LINES;
        assert!(is_short, "{path}: {lines} lines of code, at most {APPLICATION_LINES}");
    }
}

#[test]
fn each_application_has_a_page_that_is_short_and_needs_nothing_else() {
    let numbers: Vec<usize> = examples().iter().map(|example| example.number).collect();
    for number in APPLICATIONS {
        assert!(numbers.contains(&number), "the application {number} is missing");
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("examples/pages/{number:02}.html"));
        let page = fs::read_to_string(&path).expect("the page exists and is UTF-8");
        let is_code = |line: &&str| {
            let is_comment = ["//", "<!--", "/*", "*"].iter().any(|start| line.starts_with(start));
            !line.is_empty() && !is_comment
        };
        let lines = page.lines().map(str::trim).filter(is_code).count();
        let path = path.display();
        assert!(lines <= PAGE_LINES, "{path}: {lines} lines of code, at most {PAGE_LINES}");
        for outside in ["src=\"http", "href=\"http", "@import", "url(http"] {
            assert!(!page.contains(outside), "{path} contains {outside}: it must work offline");
        }
        assert!(page.contains("color-scheme: light dark"), "{path} must follow the system's colors");
    }
}

#[test]
fn each_application_says_what_to_break_and_what_happens_if_its_port_is_taken() {
    for Example { number, path, source } in examples() {
        if APPLICATIONS.contains(&number) {
            let lines = source.lines().take(header_lines(&source));
            let words = lines.map(|line| line.trim_start_matches("//!").trim()).collect::<Vec<_>>().join(" ");
            for wanted in ["**Break it:**", &format!("80{number:02}"), "taken", "status 1"] {
                assert!(words.contains(wanted), "{}: the header lacks {wanted}", path.display());
            }
        }
    }
}

#[test]
fn a_header_ends_before_the_first_other_line() {
    assert_eq!(header_lines("//! One.\n//!\n//! Two.\n\n//! Three.\nuse std::io;\n"), 3);
}
