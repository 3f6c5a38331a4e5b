//! Bytes that nobody can foretell (RFC 6455 §4.1, §5.3), from the system.

use std::fs::File;
use std::io::{self, Read};

/// Bytes that are asked for at once: 64 masking keys.
const BLOCK: usize = 256;

/// The system's generator, read in blocks, so that not every frame costs a system call.
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

    /// `N` bytes, at most a block, that were never given before.
    pub(super) fn draw<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        const { assert!(N <= BLOCK) };
        if BLOCK - self.used < N {
            self.source.read_exact(&mut self.block)?;
            self.used = 0;
        }
        let mut drawn = [0; N];
        drawn.copy_from_slice(&self.block[self.used..self.used + N]);
        // What has been given is a key in use: it does not stay behind.
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
    fn nothing_is_given_twice_within_a_block_or_over_its_end() {
        let mut random = Random::new().unwrap();
        let mut seen = HashSet::new();
        for _ in 0..50 {
            assert!(seen.insert(random.draw::<16>().unwrap()));
            let _ = random.draw::<4>().unwrap();
        }
    }
}
