//! The output of `conform`.

mod json;
mod list;
mod text;

pub use list::list;

use super::args::Format;
use super::results::Results;

/// Returns the results in a format, for standard output.
pub fn format(results: &Results<'_>, format: Format, color: bool) -> String {
    match format {
        Format::Json => json::json(results),
        Format::Text | Format::Junit | Format::Tap => text::text(results, color),
    }
}
