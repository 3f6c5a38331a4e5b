//! JSON (RFC 8259): writing strings and objects, and a reader without a tree.

mod object;
mod read;
mod string;

pub use object::Object;
pub use read::{JsonError, Reader};
pub use string::write_string;
