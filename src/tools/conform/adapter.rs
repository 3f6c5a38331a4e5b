//! Adapters: the options that describe a kind of server, in a file with an option on each line.

use std::fs;
use std::path::Path;

use super::case::Suite;
use crate::tools::io_error::file_error;

/// The options that describe a server.
pub const SERVER_OPTIONS: [&str; 7] = ["get", "post", "websocket", "stream", "poll", "publish", "cursor"];

/// The adapters that the command contains.
const BUILT_IN: [(&str, &str); 6] = [
    ("barewire", include_str!("adapters/barewire.args")),
    ("axum", include_str!("adapters/axum.args")),
    ("nchan", include_str!("adapters/nchan.args")),
    ("node-sse", include_str!("adapters/node-sse.args")),
    ("websockets", include_str!("adapters/websockets.args")),
    ("ws", include_str!("adapters/ws.args")),
];

/// Returns the options of the built-in adapter of this name, or of the file.
///
/// # Errors
/// A message for the user: there is no such adapter, or a line of it is not an option.
pub fn options(name: &str) -> Result<Vec<(String, String)>, String> {
    if let Some((_, text)) = BUILT_IN.iter().find(|(known, _)| *known == name) {
        return parse(text);
    }
    if !name.contains(['/', '.']) {
        let names = BUILT_IN.map(|(name, _)| name).join(", ");
        return Err(format!("{name:?} is not an adapter: use {names}, or the path of a file"));
    }
    let path = Path::new(name);
    let text = fs::read_to_string(path).map_err(|error| file_error(path, &error))?;
    parse(&text).map_err(|error| format!("{name}: {error}"))
}

/// Returns the options that a suite needs.
pub fn needs(suite: Suite) -> &'static str {
    match suite {
        Suite::Http => "--get URL",
        Suite::ShortPoll => "--poll URL",
        Suite::LongPoll => "--poll URL, with {wait} in it, and --publish 'METHOD URL'",
        Suite::Sse => "--stream URL",
        Suite::WebSocket | Suite::Deflate => "--websocket URL",
    }
}

/// Parses lines of the form `--name value`. Empty lines and those that start with `#` are skipped.
fn parse(text: &str) -> Result<Vec<(String, String)>, String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let option = |line: &str| {
        let option = line.strip_prefix("--").and_then(|line| line.split_once(' '));
        let (name, value) = option.ok_or_else(|| format!("{line:?} is not an option: write --name value"))?;
        match SERVER_OPTIONS.contains(&name) {
            true => Ok((name.to_owned(), value.trim().trim_matches('\'').to_owned())),
            false => Err(format!("--{name} does not describe a server: leave it out")),
        }
    };
    lines.map(option).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_an_option() {
        let text = "# a server\n\n--stream http://a/{topic}\n  --publish 'POST http://a/'  \n";
        let option = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let expected = [option("stream", "http://a/{topic}"), option("publish", "POST http://a/")];
        assert_eq!(parse(text), Ok(expected.to_vec()));
        assert!(parse("stream http://a").unwrap_err().contains("is not an option"));
        assert!(parse("--only x").unwrap_err().contains("does not describe a server"));
    }

    #[test]
    fn all_built_in_adapters_are_valid() {
        for (name, text) in BUILT_IN {
            assert!(!parse(text).expect(name).is_empty());
        }
        assert!(options("nginy").unwrap_err().contains("is not an adapter"));
    }
}
