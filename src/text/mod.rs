//! Text for people and for other programs: bytes of a peer made safe for a terminal, passwords in
//! URIs, JSON objects for reports, and metrics.

mod json_object;
mod printable;
mod prometheus;
mod user_information;

pub use json_object::JsonObject;
pub use printable::{escaped, one_line, printable};
pub use prometheus::{Durations, Families};
pub(crate) use user_information::{UriText, in_authority, user_information, without_user_information};
