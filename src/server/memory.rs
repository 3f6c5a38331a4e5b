//! What connections hold in memory, as one sum that may not grow beyond a bound: what has come in part, and what is not
//! yet written. The log and its encodings are not in it; the hub counts those.

use std::cell::Cell;
use std::ops::Deref;
use std::rc::Rc;

/// The sum.
#[derive(Clone, Default)]
pub struct Memory(Rc<Cell<usize>>);

impl Memory {
    /// All parts together, in bytes.
    pub fn bytes(&self) -> usize {
        self.0.get()
    }

    /// A holder's part of it, empty yet.
    pub fn part(&self) -> Part {
        Part { memory: self.clone(), bytes: 0 }
    }

    /// Bytes that several connections have to write, counted once.
    pub fn shared(&self, bytes: Vec<u8>) -> Rc<SharedBytes> {
        let mut part = self.part();
        part.set(bytes.capacity());
        Rc::new(SharedBytes { bytes, _part: part })
    }
}

/// What one holder holds. It leaves the sum when the holder is dropped.
pub struct Part {
    memory: Memory,
    bytes: usize,
}

impl Part {
    /// It holds so many bytes now.
    pub fn set(&mut self, bytes: usize) {
        self.memory.0.set(self.memory.0.get() - self.bytes + bytes);
        self.bytes = bytes;
    }

    /// What it holds.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.set(0);
    }
}

/// Bytes that several connections have to write.
pub struct SharedBytes {
    bytes: Vec<u8>,
    _part: Part,
}

impl Deref for SharedBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::Memory;

    #[test]
    fn the_sum_is_of_all_that_is_held() {
        let memory = Memory::default();
        let mut one = memory.part();
        one.set(100);
        let shared = memory.shared(vec![0; 30]);
        let again = shared.clone();
        assert_eq!(memory.bytes(), 130);
        one.set(10);
        drop(shared);
        assert_eq!((memory.bytes(), again.len()), (40, 30));
        drop((one, again));
        assert_eq!(memory.bytes(), 0);
    }
}
