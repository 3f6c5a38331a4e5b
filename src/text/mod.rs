//! Text for people and for other programs: bytes of a peer made safe for a terminal, and JSON
//! objects for reports.

mod json_object;
mod printable;

pub use json_object::JsonObject;
pub use printable::{escaped, one_line, printable};
