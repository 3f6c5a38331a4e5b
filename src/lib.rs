//! Real-time from the bare socket up.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod hub;
pub mod protocol;
