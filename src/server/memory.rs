//! The memory that connections hold, as one bounded sum: incomplete input and unwritten output. The
//! hub counts the events and their encodings.

use std::cell::Cell;
use std::ops::Deref;
use std::rc::Rc;

/// The sum of all parts.
#[derive(Clone, Default)]
pub struct Memory(Rc<Cell<usize>>);

impl Memory {
    /// Returns the sum in bytes.
    pub fn bytes(&self) -> usize {
        self.0.get()
    }

    /// Returns an empty part of the sum.
    pub fn part(&self) -> Part {
        Part { memory: self.clone(), bytes: 0 }
    }

    /// Returns bytes that several connections write, counted once.
    pub fn shared(&self, bytes: Vec<u8>) -> Rc<SharedBytes> {
        let mut part = self.part();
        part.set(bytes.capacity());
        Rc::new(SharedBytes { bytes, _part: part })
    }
}

/// The memory of one holder. Dropping it removes it from the sum.
pub struct Part {
    memory: Memory,
    bytes: usize,
}

impl Part {
    /// Sets the size in bytes.
    pub fn set(&mut self, bytes: usize) {
        self.memory.0.set(self.memory.0.get() - self.bytes + bytes);
        self.bytes = bytes;
    }

    /// Returns the size in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.set(0);
    }
}

/// Bytes that several connections write.
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
    fn the_sum_follows_every_part() {
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
