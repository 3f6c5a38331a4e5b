//! The page at `/`: plain HTML, CSS and JavaScript, embedded, so that the command is one file.
//!
//! `page.js` is where a reader of it begins.

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

/// The files beside `index.html`, each under `/page/`.
macro_rules! files {
    ($kind:literal: $($name:literal)*) => {
        &[$(File { path: concat!("/page/", $name), kind: $kind, content: include_str!($name) }),*]
    };
}

const INDEX: File = File { path: "/", kind: "text/html; charset=utf-8", content: include_str!("index.html") };

const STYLE: &[File] = files!("text/css; charset=utf-8": "page.css" "wire.css");

const IMAGES: &[File] = files!("image/svg+xml": "icon.svg");

const SCRIPTS: &[File] = files!("text/javascript; charset=utf-8":
    "page.js" "topic.js" "poll.js" "short-poll.js" "long-poll.js" "sse.js" "event-stream.js" "websocket.js" "retry.js"
    "lane.js" "lane-view.js" "timeline.js" "ledger.js" "flood.js" "bytes.js" "format.js"
    "wire.js" "wire-counts.js" "wire-view.js" "wire-dump.js" "wire-detail.js" "wire-tally.js");

/// The file at a path.
pub fn find(path: &str) -> Option<&'static File> {
    let others = [STYLE, IMAGES, SCRIPTS].into_iter().flatten();
    std::iter::once(&INDEX).chain(others).find(|file| file.path == path)
}

#[cfg(test)]
mod tests {
    use super::{SCRIPTS, find};

    #[test]
    fn every_file_that_the_page_asks_for_is_there() {
        let index = find("/").expect("the page itself").content;
        let quoted = index.split('"').filter(|word| word.starts_with("/page/"));
        let imports =
            SCRIPTS.iter().flat_map(|file| file.content.split('\'').filter(|word| word.starts_with("./")));
        let imports = imports.map(|import| import.replace("./", "/page/"));
        let mut asked = 0;
        for path in quoted.map(str::to_owned).chain(imports) {
            assert!(find(&path).is_some(), "{path} is missing");
            asked += 1;
        }
        assert!(asked > SCRIPTS.len(), "the scripts are imported");
        assert!(find("/page/mod.rs").is_none());
    }
}
