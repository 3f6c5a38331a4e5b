//! Checks that every file, type and function that the documentation names exists.
//!
//! A name is text in backticks outside code fences, in `src/lib.rs`, README.md, CONTRIBUTING.md and
//! `docs/`. Renaming a symbol in the source makes this test fail at each page that still has the
//! old name. The checks, in this order:
//!
//! - A path (`hub/log.rs`, `src/hub/`, `tests/suites/load/run`) must exist, relative to the root,
//!   to `src/` or to the page. A file or folder without a path (`log.rs`, `hub/`) must exist
//!   anywhere.
//! - `Type::member` must be a method, constant, variant or field of that type; `module::item` must
//!   be defined in that module.
//! - A name in CamelCase must be a type, a trait or a variant.
//! - A name with an underscore, or with `()` after it, must be a function, constant, module or
//!   field. Names that are a string literal in `src/` also pass: JSON members, metrics and
//!   parameters.
//! - An item next to a file must be defined in that file: (`hub/log.rs`, `append`), and also
//!   `Log::append` (`hub/log.rs`) and the row | `hub/log.rs` | `Log::append` | of a table.
//!
//! Other single words, such as `id` or `read`, are checked only on pages about the source.
//! [`FOREIGN`] lists the names that are defined elsewhere.

use std::collections::HashSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

use super::items::Items;

/// Names that pages use and that are not ours, by their origin. A test rejects unused entries.
const FOREIGN: &[(&str, &[&str])] = &[
    ("RFC 6750", &["Bearer", "insufficient_scope", "invalid_request"]),
    (
        "field names of HTTP",
        &["Allow", "Authorization", "Date", "ETag", "Forwarded", "Location", "Prefer", "Referer", "Upgrade"],
    ),
    ("browser APIs", &["BroadcastChannel"]),
    ("Linux: tcp(7), proc(5)", &["TCP_NODELAY", "TCP_USER_TIMEOUT", "tcp_mem", "VmHWM"]),
    ("settings of systemd", &["LimitNOFILE"]),
    (
        "nginx directives",
        &[
            "limit_conn",
            "limit_req",
            "log_format",
            "proxy_request_buffering",
            "worker_connections",
            "worker_rlimit_nofile",
        ],
    ),
    ("a metric with the same name in every program", &["process_resident_memory_bytes"]),
    ("crates, and functions of C", &["httparse", "memcpy"]),
    ("Rust syntax", &["pub(crate)"]),
    ("a topic and the start of an id in the examples", &["HpfL5TaZ", "demo"]),
];

/// Crates whose items are not checked.
const FOREIGN_CRATES: [&str; 3] = ["std", "io", "mio"];

/// Folders that a build or a run creates.
const GENERATED: [&str; 2] = ["target/", "tests/suites/fuzz/artifacts/"];

/// Names of folders without files of the repository.
const SKIPPED: [&str; 3] = [".git", "node_modules", "target"];

/// Pages that describe the source, in which every single word in lower case must be a name too.
const ABOUT_THE_SOURCE: [&str; 2] = ["src/lib.rs", "docs/architecture.md"];

/// The folders of the repository that a path without an extension can begin with.
const FOLDERS: [&str; 4] = ["src", "tests", "docs", "examples"];

const EXTENSIONS: [&str; 9] = ["rs", "md", "js", "py", "html", "css", "svg", "txt", "toml"];

/// The repository as the checks see it.
#[derive(Default)]
struct Repository {
    /// All files, and all folders with a slash at the end, relative to the root.
    paths: HashSet<String>,
    items: Items,
}

impl Repository {
    fn read() -> Repository {
        let mut repository = Repository::default();
        repository.add(&root());
        repository
    }

    fn add(&mut self, folder: &Path) {
        for entry in fs::read_dir(folder).expect("the folder is readable") {
            let path = entry.expect("the entry is readable").path();
            let relative = path.strip_prefix(root()).expect("the path is below the root");
            let relative = relative.to_str().expect("the path is UTF-8").to_owned();
            let name = relative.rsplit('/').next().unwrap_or_default();
            if path.is_dir() && !SKIPPED.contains(&name) {
                self.paths.insert(format!("{relative}/"));
                self.add(&path);
            } else if path.is_file() {
                let is_rust = name.ends_with(".rs");
                let source = if is_rust {
                    fs::read_to_string(&path).expect("the source is UTF-8")
                } else {
                    String::new()
                };
                self.add_file(&relative, &source);
            }
        }
    }

    fn add_file(&mut self, path: &str, source: &str) {
        self.paths.insert(path.to_owned());
        if path.ends_with(".rs") {
            self.items.add_file(path, source);
        }
    }

    /// Returns the full path of a file or folder that a page names.
    fn find_path(&self, page: &str, name: &str) -> Option<String> {
        if name.trim_end_matches('/').contains('/') {
            let folder = page.rsplit_once('/').map_or("", |(folder, _)| folder);
            let candidates = ["", "src", folder].map(|base| normalize(&Path::new(base).join(name)));
            candidates.into_iter().find_map(|path| {
                let as_folder = format!("{path}/");
                let exists = !name.ends_with('/') && self.paths.contains(&path);
                let found = if exists { path } else { as_folder };
                self.paths.contains(&found).then_some(found)
            })
        } else {
            let suffix = format!("/{name}");
            self.paths.iter().find(|path| *path == name || path.ends_with(&suffix)).cloned()
        }
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Resolves `..` in a relative path.
fn normalize(path: &Path) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                parts.pop();
            }
            Component::Normal(part) => parts.push(part.to_str().unwrap_or_default()),
            _ => {}
        }
    }
    parts.join("/")
}

/// Text in backticks.
struct Span<'t> {
    line: usize,
    text: &'t str,
    /// The text between the end of the span before and the start of this one.
    before: &'t str,
}

/// Returns the spans of a Markdown text without its code fences.
fn spans(text: &str) -> Vec<Span<'_>> {
    let (mut spans, mut opened, mut end_of_last) = (Vec::new(), None, 0);
    let mut in_fence = false;
    let mut line_start = 0;
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let is_mark = line.trim_start().starts_with("```");
        in_fence ^= is_mark;
        if line.trim().is_empty() {
            opened = None;
        }
        if !in_fence && !is_mark {
            for (column, _) in line.match_indices('`') {
                let at = line_start + column;
                opened = match opened {
                    None => Some((number + 1, at + 1)),
                    Some((line, start)) => {
                        spans.push(Span {
                            line,
                            text: &text[start..at],
                            before: &text[end_of_last..start - 1],
                        });
                        end_of_last = at + 1;
                        None
                    }
                };
            }
        }
        line_start += line.len();
    }
    spans
}

/// Returns the documentation of a page: all of Markdown, and the module's comment of Rust.
fn documentation(path: &str, content: &str) -> String {
    if !path.ends_with(".rs") {
        return content.to_owned();
    }
    content.lines().map(|line| line.strip_prefix("//!").unwrap_or_default().to_owned() + "\n").collect()
}

/// Returns one line for each name on the page that does not exist.
fn check(repository: &Repository, page: &str, content: &str) -> Vec<String> {
    let text = documentation(page, content);
    let mut problems = Vec::new();
    // The Rust file and the item directly before the current span.
    let (mut file, mut item) = (None, None);
    for span in spans(&text) {
        let result = match Name::of(span.text) {
            Name::Path(path) => {
                let found = find_path(repository, page, path);
                file = found.clone().unwrap_or_default().filter(|path| path.ends_with(".rs"));
                let item = item.take().filter(|_| span.before == " (");
                found.and_then(|_| file.iter().zip(item).try_for_each(|(f, i)| check_file(repository, f, i)))
            }
            Name::Item { parts, is_call } => {
                let is_strict = is_call || ABOUT_THE_SOURCE.contains(&page);
                let name = parts.last().copied();
                file = file.filter(|_| [", ", " | "].contains(&span.before));
                item = name;
                match (&file, name) {
                    (Some(file), Some(name)) => check_file(repository, file, name),
                    _ => Ok(()),
                }
                .and_then(|()| check_item(&repository.items, &parts, is_strict || file.is_some()))
            }
            Name::Other => {
                (file, item) = (None, None);
                Ok(())
            }
        };
        if let Err(problem) = result {
            problems.push(format!("{page}:{}: `{}` {problem}", span.line, span.text));
        }
    }
    problems
}

/// A name, by its form.
enum Name<'t> {
    Path(&'t str),
    /// An item with its modules and its type.
    Item {
        parts: Vec<&'t str>,
        is_call: bool,
    },
    /// Text of another form, and names that are not ours.
    Other,
}

impl<'t> Name<'t> {
    fn of(text: &'t str) -> Name<'t> {
        let first = text.split(' ').next().unwrap_or_default();
        if looks_like_path(first) {
            return Name::Path(first);
        }
        match item_path(text) {
            Some((parts, is_call)) if !is_foreign(text) && !FOREIGN_CRATES.contains(&parts[0]) => {
                Name::Item { parts, is_call }
            }
            _ => Name::Other,
        }
    }
}

/// Returns the full path, or `None` for a path that a build creates.
fn find_path(repository: &Repository, page: &str, path: &str) -> Result<Option<String>, String> {
    let is_generated = GENERATED.iter().any(|folder| path.starts_with(folder));
    match repository.find_path(page, path) {
        None if !is_generated => Err("is not a file or folder".to_owned()),
        found => Ok(found),
    }
}

/// Checks that a file defines an item.
fn check_file(repository: &Repository, file: &str, item: &str) -> Result<(), String> {
    let is_defined = repository.items.defines_in(item, |path| path == file);
    is_defined.then_some(()).ok_or(format!("is wrong: {file} does not define {item}"))
}

/// Checks a name. `is_strict` is true if a single word in lower case is a name too.
fn check_item(items: &Items, parts: &[&str], is_strict: bool) -> Result<(), String> {
    match parts {
        [] => Ok(()),
        [single] => check_single(items, single, is_strict),
        [.., owner, member] if is_camel_case(owner) => {
            check_single(items, owner, true)?;
            let is_member = items.has_member(owner, member);
            is_member.then_some(()).ok_or(format!("is not defined: {owner} has no {member}"))
        }
        [modules @ .., item] => {
            let in_modules = |file: &str| {
                let file = file.trim_end_matches(".rs");
                modules.iter().all(|module| file.split('/').any(|part| part == *module))
            };
            let is_defined = items.defines_in(item, in_modules);
            is_defined.then_some(()).ok_or(format!("is not defined: {} has no {item}", modules.join("::")))
        }
    }
}

fn check_single(items: &Items, name: &str, is_strict: bool) -> Result<(), String> {
    let is_defined = if is_camel_case(name) {
        items.defines_type(name)
    } else if is_strict || name.contains('_') {
        let unprefixed = name.strip_prefix("barewire_").unwrap_or(name);
        items.defines(name) || items.has_literal(name) || items.has_literal(unprefixed)
    } else {
        true
    };
    is_defined.then_some(()).ok_or("is not defined".to_owned())
}

fn is_foreign(name: &str) -> bool {
    FOREIGN.iter().any(|(_, names)| names.contains(&name))
}

fn is_camel_case(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_uppercase())
        && name.contains(|letter: char| letter.is_ascii_lowercase())
        && !name.contains('_')
}

fn looks_like_path(text: &str) -> bool {
    let is_plain = text.chars().all(|letter| letter.is_ascii_alphanumeric() || "_-./".contains(letter));
    let (start, end) = (text.split('/').next(), text.rsplit('/').next().unwrap_or_default());
    let has_extension = end
        .rsplit_once('.')
        .is_some_and(|(stem, extension)| !stem.is_empty() && EXTENSIONS.contains(&extension));
    let is_folder = text.ends_with('/') && text.len() > 1;
    let is_in_folder = text.contains('/') && start.is_some_and(|start| FOLDERS.contains(&start));
    is_plain && !text.starts_with('/') && (has_extension || is_folder || is_in_folder)
}

/// Splits a path such as `barewire::hub::Hub::place(key)` into its parts without the crate's name,
/// and returns true if it is a call. Returns `None` for text of another form.
fn item_path(text: &str) -> Option<(Vec<&str>, bool)> {
    let (path, arguments) = text.split_at(text.find(['(', '<']).unwrap_or(text.len()));
    let is_closed = arguments.is_empty() || arguments.ends_with([')', '>']);
    let mut parts: Vec<&str> = path.split("::").collect();
    if parts.len() > 1 && ["barewire", "crate"].contains(&parts[0]) {
        parts.remove(0);
    }
    let is_name = |part: &&str| {
        part.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
            && part.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
    };
    (is_closed && parts.iter().all(is_name)).then_some((parts, arguments.starts_with('(')))
}

/// Returns the pages that are checked, with their content.
fn pages(repository: &Repository) -> Vec<(String, String)> {
    let is_page = |path: &&String| {
        let is_documentation = path.starts_with("docs/") && path.ends_with(".md");
        is_documentation || ["src/lib.rs", "README.md", "CONTRIBUTING.md"].contains(&path.as_str())
    };
    let mut paths: Vec<&String> = repository.paths.iter().filter(is_page).collect();
    paths.sort();
    let read = |path: &String| fs::read_to_string(root().join(path)).expect("the page is UTF-8");
    paths.into_iter().map(|path| (path.clone(), read(path))).collect()
}

#[test]
fn every_name_in_the_documentation_exists() {
    let repository = Repository::read();
    let pages = pages(&repository);
    assert!(pages.len() > 10, "the pages have moved; update this test");
    let problems: Vec<String> =
        pages.iter().flat_map(|(path, content)| check(&repository, path, content)).collect();
    assert!(
        problems.is_empty(),
        "update these pages, or add a name that is not ours to FOREIGN:\n{}",
        problems.join("\n")
    );
}

#[test]
fn the_list_of_foreign_names_has_no_unused_entry() {
    let pages = pages(&Repository::read());
    let texts: Vec<String> = pages.iter().map(|(path, content)| documentation(path, content)).collect();
    let used: HashSet<&str> = texts.iter().flat_map(|text| spans(text)).map(|span| span.text).collect();
    let names = FOREIGN.iter().flat_map(|(_, names)| *names);
    let unused: Vec<&&str> = names.filter(|name| !used.contains(**name)).collect();
    assert!(unused.is_empty(), "no page has these names: {unused:?}");
}

/// A repository with one source file for each kind of name.
fn example() -> Repository {
    let mut repository = Repository::default();
    repository.paths.extend(["src/", "src/hub/", "tests/", "tests/suites/"].map(str::to_owned));
    repository.add_file("README.md", "");
    repository.add_file("docs/picture.svg", "");
    repository.add_file("tests/suites/run", "");
    repository.add_file("src/lib.rs", "pub mod hub;");
    repository.add_file(
        "src/hub/log.rs",
        r##"
        //! `CommentedOut` is not defined here.
        const OLDEST: u64 = 'a' as u64;
        pub struct Log<'a> { pub(crate) lost_through: u64, text: &'a str }
        impl<'a> Log<'a> {
            const LIMIT: [u8; 2] = [b'{', b'\''];
            pub fn append(&mut self) -> Option<Place> { json("\"last_sequence\"") }
        }
        struct Pair(u64, u64);
        pub enum Place { Gap { missed_events: u64 }, At(u64), Start }
        impl Iterator for Pair where u64: Copy { type Item = u64; fn next_back(&mut self) { "fn in_text()" } }
        trait Encoder { fn encode_event(&self); }
        "##,
    );
    repository
        .add_file("src/hub/rules.rs", "rules! { pub enum Broken => status: Status { TooLong: BAD, 1; } }");
    repository
}

/// Returns the problems of a page with this text.
fn problems(page: &str, text: &str) -> Vec<String> {
    check(&example(), page, text)
}

#[test]
fn accepts_names_that_exist() {
    let text = "\
        `src/hub/log.rs`, `hub/log.rs`, `log.rs`, `hub/`, `src/hub/`, `tests/suites/run --quick 3`,\n\
        `README.md`, `picture.svg`, `../README.md`, `target/debug/barewire`,\n\
        `Log`, `Log<'a>`, `Log::append`, `Log::append(event)`, `Log::lost_through`, `Log::LIMIT`,\n\
        `Place::Gap`, `Place::At`, `Place::missed_events`, `Gap`, `Start`, `Broken::TooLong`,\n\
        `Encoder::encode_event`, `Pair::next_back`, `hub::Log`, `barewire::hub`, `hub::Log::append`,\n\
        `append()`, `lost_through`, `last_sequence`, `OLDEST`, `barewire_last_sequence`,\n\
        `std::io::Result`, `io::Result`, `TCP_NODELAY`, `Upgrade`.";
    assert_eq!(problems("docs/page.md", text), [""; 0]);
}

#[test]
fn ignores_text_that_is_not_a_name() {
    let text = "\
        `text/event-stream`, `/topics/demo`, `Content-Length`, `--max-topics`, `GET /`, `id`, `HEAD`,\n\
        `{\"id\":\"1\"}`, `http://127.0.0.1:8080/`, `*/*`, `wss://`, `?since=ID`, `fn old_name()`.\n\
        ```rust\nOldType::old_name();\n```\n\
        An unpaired ` ends with its paragraph.\n\nSo this is no OldType` span.";
    assert_eq!(problems("docs/page.md", text), [""; 0]);
}

#[test]
fn reports_a_missing_file_with_page_and_line() {
    let text = "The log is in\n`hub/old.rs`, `old.rs`, `src/old/`, `tests/suites/old/run` and\n`log.rs`.";
    assert_eq!(
        problems("docs/page.md", text),
        [
            "docs/page.md:2: `hub/old.rs` is not a file or folder",
            "docs/page.md:2: `old.rs` is not a file or folder",
            "docs/page.md:2: `src/old/` is not a file or folder",
            "docs/page.md:2: `tests/suites/old/run` is not a file or folder",
        ]
    );
}

#[test]
fn reports_a_missing_type_with_page_and_line() {
    assert_eq!(
        problems("README.md", "\n\n`CommentedOut` and `hub::OldLog`"),
        [
            "README.md:3: `CommentedOut` is not defined",
            "README.md:3: `hub::OldLog` is not defined: hub has no OldLog",
        ]
    );
}

#[test]
fn reports_a_missing_method_with_page_and_line() {
    let text = "```text\n```\n`Log::encode_event`, `Place::Now`, `OldLog::append`, `hub::Log::old()`";
    assert_eq!(
        problems("docs/page.md", text),
        [
            "docs/page.md:3: `Log::encode_event` is not defined: Log has no encode_event",
            "docs/page.md:3: `Place::Now` is not defined: Place has no Now",
            "docs/page.md:3: `OldLog::append` is not defined",
            "docs/page.md:3: `hub::Log::old()` is not defined: Log has no old",
        ]
    );
}

#[test]
fn reports_a_missing_function_with_page_and_line() {
    assert_eq!(
        problems("docs/page.md", "`in_text`\n`append_all`, `old()`"),
        [
            "docs/page.md:1: `in_text` is not defined",
            "docs/page.md:2: `append_all` is not defined",
            "docs/page.md:2: `old()` is not defined",
        ]
    );
}

#[test]
fn reports_an_item_that_is_not_in_the_file_next_to_it() {
    let text = "\
        (`hub/log.rs`, `append`), (`src/lib.rs`, `append`)\n\
        `Log::append` (`hub/log.rs`), `Log::append` (`src/lib.rs`)\n\
        | `hub/log.rs` | `Log::append`, `Pair` |\n\
        | `hub/rules.rs` | `Broken`, `Log::append`, `Pair` |";
    assert_eq!(
        problems("docs/page.md", text),
        [
            "docs/page.md:1: `append` is wrong: src/lib.rs does not define append",
            "docs/page.md:2: `src/lib.rs` is wrong: src/lib.rs does not define append",
            "docs/page.md:4: `Log::append` is wrong: src/hub/rules.rs does not define append",
            "docs/page.md:4: `Pair` is wrong: src/hub/rules.rs does not define Pair",
        ]
    );
}

#[test]
fn reads_the_module_comment_of_a_rust_page() {
    let source = "//! The `Log` and its\n//! `sweep`.\n\n/// Not `OldType`.\npub mod hub;\n";
    assert_eq!(problems("src/lib.rs", source), ["src/lib.rs:2: `sweep` is not defined"]);
}
