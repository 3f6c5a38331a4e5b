//! A build without the feature `deflate`: compressed messages are recognized, but not inflated.

use super::InflateError;
use crate::wire::exchange::Compression;
use crate::wire::span::Side;

/// Whether the messages of one side may be compressed.
#[derive(Debug)]
pub(in crate::wire) enum Inflation {
    Off,
    On,
}

impl Inflation {
    pub fn new(_: Side, compression: Compression) -> Self {
        match compression {
            Compression::None => Self::Off,
            Compression::Agreed(_) | Compression::NotSeen => Self::On,
        }
    }

    /// Returns the heap memory in bytes.
    pub fn memory(&self) -> usize {
        0
    }

    /// Returns the work since the last call.
    pub fn take_work(&mut self) -> u64 {
        0
    }

    pub fn is_on(&self) -> bool {
        matches!(self, Self::On)
    }

    pub fn inflate(&mut self, _: &[u8], _: bool, _: impl FnMut(&[u8]) -> u64) -> Result<(), InflateError> {
        Err(InflateError { why: "this build can't inflate it", is_violation: false })
    }
}
