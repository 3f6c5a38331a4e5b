//! The frame of the reports: one HTML page each, without external resources.

pub mod markup;

use markup::escaped;

/// The style of all reports: the colors, the text and the tables.
const STYLE: &str = include_str!("base.css");

/// Returns a page. `style` follows the style of all reports; `main` and `script` are markup.
pub fn page(title: &str, style: &str, main: &str, script: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{}</title>\n<style>\n{STYLE}{style}</style>\n</head>\n<body>\n<main>\n{main}</main>\n\
         <footer>\n<p>Written by barewire {}. This page loads nothing from other sites.</p>\n</footer>\n\
         {script}</body>\n</html>\n",
        escaped(title),
        env!("CARGO_PKG_VERSION")
    )
}
