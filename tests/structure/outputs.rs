//! Which files name a standard output stream: a write to one can wait or fail, so each is written
//! in one place, which handles both.

use std::fs;
use std::path::Path;

use crate::files::files;

/// The files that may name standard output and standard error.
const OWNERS: [&str; 2] = ["access_log/background_writer.rs", "tools/standard_streams.rs"];

/// Code that writes to a standard stream.
const NAMES: [&str; 11] = [
    "io::stdout",
    "io::stderr",
    "stdout()",
    "stderr()",
    "Stdout",
    "Stderr",
    "/dev/stdout",
    "/dev/stderr",
    "print!(",
    "println!(",
    "dbg!(",
];

/// Returns the lines that write to a standard stream or panic at an error, each with its number.
/// Comments and the test module, which is the last item of a file, are not code.
fn violations(source: &str, may_write: bool) -> Vec<(usize, &str)> {
    let code = source.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = code.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"));
    let is_violation =
        |line: &str| line.contains(".unwrap()") || !may_write && NAMES.iter().any(|name| line.contains(name));
    lines.filter(|(_, line)| is_violation(line)).map(|(number, line)| (number + 1, line.trim())).collect()
}

#[test]
fn only_two_files_write_to_a_standard_stream() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = files("src", "rs");
    let (mut found, mut owners) = (Vec::new(), 0);
    for file in files.iter().filter(|file| !file.ends_with("tests.rs")) {
        let path = file.strip_prefix(&source).expect("a file of the source").to_str().expect("UTF-8");
        let text = fs::read_to_string(file).expect("UTF-8");
        let is_owner = OWNERS.contains(&path);
        owners += usize::from(is_owner);
        for (line, code) in violations(&text, is_owner) {
            found.push(format!("src/{path}:{line}: {code}"));
        }
    }
    assert_eq!(owners, OWNERS.len());
    assert!(
        found.is_empty(),
        "write with tools/standard_streams.rs or a BackgroundWriter, and handle errors:\n{}",
        found.join("\n")
    );
}

#[test]
fn finds_a_write_in_every_spelling() {
    for source in [
        "io::stderr().write_all(b\"x\")",
        "use std::io::stdout;",
        "writeln!(stderr(), \"x\")",
        "fn f(out: &mut Stdout) {}",
        "    eprintln!(\"x\");",
        "print!(\"x\");",
        "dbg!(x);",
        "File::create(\"/dev/stderr\")",
        "out.write_all(b\"x\").unwrap();",
    ] {
        assert_eq!(violations(source, false).len(), 1, "{source}");
    }
    assert_eq!(violations("out.flush().unwrap();", true).len(), 1);
    for source in ["// println!()", "/// `io::stdout`", "#[cfg(test)]\nmod tests {\n    dbg!(x);\n}"] {
        assert_eq!(violations(source, false), [], "{source}");
    }
    assert_eq!(violations("io::stdout()", true), []);
}
