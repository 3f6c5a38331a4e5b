//! The page at `/`: plain HTML, CSS and JavaScript, embedded, so that the command is one file.

/// A file of the page.
#[derive(Debug)]
pub struct File {
    /// The path of its target.
    pub path: &'static str,
    /// Its media type.
    pub kind: &'static str,
    /// What is in it.
    pub content: &'static str,
}

const FILES: &[File] = &[];

/// The file at a path.
pub fn find(path: &str) -> Option<&'static File> {
    FILES.iter().find(|file| file.path == path)
}
