//! The page at `/`: plain HTML, CSS and JavaScript, embedded so that the command is a single file.
//!
//! To read the page, start with `page.js`.

/// A file of the page.
#[derive(Debug)]
pub struct File {
    /// The path of the file in a request target.
    pub path: &'static str,
    /// The media type, for the field `Content-Type`.
    pub kind: &'static str,
    /// The bytes of the file, as text.
    pub content: &'static str,
}

/// Embeds files of one media type. Each is served under `/page/`.
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

/// Returns all files.
pub fn files() -> impl Iterator<Item = &'static File> {
    std::iter::once(&INDEX).chain([STYLE, IMAGES, SCRIPTS].into_iter().flatten())
}

#[cfg(test)]
mod tests {
    use super::{File, SCRIPTS, files};

    fn find(path: &str) -> Option<&'static File> {
        files().find(|file| file.path == path)
    }

    #[test]
    fn embeds_every_file_that_the_page_requests() {
        let index = find("/").expect("the page itself is embedded").content;
        let quoted = index.split('"').filter(|word| word.starts_with("/page/"));
        let imports =
            SCRIPTS.iter().flat_map(|file| file.content.split('\'').filter(|word| word.starts_with("./")));
        let imports = imports.map(|import| import.replace("./", "/page/"));
        let mut requested = 0;
        for path in quoted.map(str::to_owned).chain(imports) {
            assert!(find(&path).is_some(), "{path} is missing");
            requested += 1;
        }
        assert!(requested > SCRIPTS.len(), "{requested} requests are too few: the imports were not found");
        assert!(find("/page/mod.rs").is_none());
    }
}
