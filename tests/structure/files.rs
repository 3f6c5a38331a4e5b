//! The files of the repository that the tests of the structure read.

use std::fs;
use std::path::{Path, PathBuf};

/// Folders without files of ours.
const SKIPPED: [&str; 2] = ["target", "node_modules"];

/// Returns the files in a folder of the repository, and below it, whose names end with `.` and this
/// extension.
pub fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    add(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), extension, &mut found);
    assert!(!found.is_empty(), "{folder} has no file that ends with .{extension}");
    found
}

fn add(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("UTF-8");
        if path.is_dir() {
            if !name.starts_with('.') && !SKIPPED.contains(&name) {
                add(&path, extension, found);
            }
        } else if path.extension().is_some_and(|end| end == extension) {
            found.push(path);
        }
    }
}
