//! JSON (RFC 8259): writing strings, and a reader without a tree.

mod read;
mod string;

pub use read::{JsonError, Reader};
pub use string::{is_escaped, write_string};
