//! Stands where `inflation` would, without the feature `deflate`: compressed messages are seen to be that, and no more.

use super::exchange::Compression;
use super::message::InflateError;
use super::span::Side;

/// Whether one side's messages may be compressed.
#[derive(Debug)]
pub(super) enum Inflation {
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

    pub fn is_on(&self) -> bool {
        matches!(self, Self::On)
    }

    pub fn inflate(&mut self, _: &[u8], _: bool, _: impl FnMut(&[u8]) -> u64) -> Result<(), InflateError> {
        Err(InflateError { why: "this build can't inflate", is_wrong: false })
    }
}
