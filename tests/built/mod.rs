//! The built examples, for the tests that start them.

use std::path::{Path, PathBuf};

/// Returns the path of a built example, target/PROFILE/examples/NAME.
///
/// `cargo test` builds the examples but does not pass their paths to the tests. An example is older
/// than its source, or than its page, if only a test was built since.
pub fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the path of this test");
    let profile = test.ancestors().nth(2).expect("the test is in target/PROFILE/deps");
    let path = profile.join("examples").join(name).with_extension(std::env::consts::EXE_EXTENSION);
    let modified = |path: &Path| path.metadata().and_then(|metadata| metadata.modified()).ok();
    for source in [format!("{name}.rs"), format!("pages/{}.html", &name[..2])] {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(source);
        assert!(
            modified(&path) >= modified(&source),
            "{} is missing or older than {}; run `cargo build --examples` first",
            path.display(),
            source.display()
        );
    }
    path
}
