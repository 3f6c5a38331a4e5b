//! Unpredictable bytes from the system, for nonces and masking keys (RFC 6455 §4.1, §5.3).

use std::fs::File;
use std::io::{self, Read};

/// Bytes per read from the system: enough for 64 masking keys.
const BLOCK: usize = 256;

/// The system's random generator, read in blocks to save a system call per frame.
#[derive(Debug)]
pub(super) struct Random {
    source: File,
    block: [u8; BLOCK],
    used: usize,
}

impl Random {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { source: File::open("/dev/urandom")?, block: [0; BLOCK], used: BLOCK })
    }

    /// Returns the next `N` bytes, at most a block. No byte is returned twice.
    pub(super) fn draw<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        const { assert!(N <= BLOCK) };
        if BLOCK - self.used < N {
            self.source.read_exact(&mut self.block)?;
            self.used = 0;
        }
        let mut drawn = [0; N];
        drawn.copy_from_slice(&self.block[self.used..self.used + N]);
        // The caller uses these bytes as a key, so no copy may remain in the block.
        self.block[self.used..self.used + N].fill(0);
        self.used += N;
        Ok(drawn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn draws_no_byte_twice_within_a_block_or_across_blocks() {
        let mut random = Random::new().unwrap();
        let mut drawn = HashSet::new();
        for _ in 0..50 {
            assert!(drawn.insert(random.draw::<16>().unwrap()));
            let _ = random.draw::<4>().unwrap();
        }
    }
}
