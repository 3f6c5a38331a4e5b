//! The files that `cargo package` puts into the crate: what its users need, and no more.

use std::fs;
use std::path::Path;
use std::process::Command;

/// The most files in the package.
const FILES: usize = 600;
/// The most bytes in all files of the package.
const BYTES: u64 = 4_000_000;

#[test]
fn the_package_has_the_library_the_examples_and_the_pages_only() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(env!("CARGO"));
    command.args(["package", "--list", "--allow-dirty", "--offline"]).current_dir(root);
    let output = command.output().expect("cargo starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let list = String::from_utf8(output.stdout).expect("UTF-8");
    let files: Vec<&str> = list.lines().collect();
    for file in &files {
        let is_needed = ["src/", "examples/"].iter().any(|folder| file.starts_with(folder))
            || (file.starts_with("docs/") && file.ends_with(".md"))
            || !file.contains('/');
        assert!(is_needed, "{file} is in the package: change `include` in Cargo.toml");
    }
    for file in ["README.md", "LICENSE", "CHANGELOG.md", "src/page/index.html", "examples/01_tcp_echo.rs"] {
        assert!(files.contains(&file), "{file} is missing in the package");
    }
    // Cargo generates some of the files.
    let sizes = files.iter().filter_map(|file| fs::metadata(root.join(file)).ok());
    let bytes: u64 = sizes.map(|metadata| metadata.len()).sum();
    assert!(files.len() <= FILES && bytes <= BYTES, "the package has {} files, {bytes} bytes", files.len());
}
