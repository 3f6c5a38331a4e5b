//! Connections by number. A slot is reused, a key is not: its generation tells the uses apart.

use mio::Token;

struct Slot<T> {
    generation: u32,
    value: Option<T>,
}

/// Values in numbered slots.
pub struct Slab<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
}

/// The number of a slot, and the generation of its value.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Key {
    /// The slot.
    pub slot: u32,
    /// How many values the slot has had before.
    pub generation: u32,
}

impl Key {
    /// Returns the key as a token for the poll.
    pub fn token(self) -> Token {
        Token((self.generation as usize) << 32 | self.slot as usize)
    }

    /// Returns the key in a token from [`Key::token`].
    pub fn of(token: Token) -> Key {
        Key { slot: token.0 as u32, generation: (token.0 >> 32) as u32 }
    }
}

impl<T> Slab<T> {
    pub fn new() -> Slab<T> {
        Slab { slots: Vec::new(), free: Vec::new() }
    }

    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Returns the key of the next value to be inserted.
    pub fn next_key(&self) -> Key {
        match self.free.last() {
            Some(slot) => Key { slot: *slot, generation: self.slots[*slot as usize].generation },
            None => Key { slot: self.slots.len() as u32, generation: 0 },
        }
    }

    /// Inserts a value in the slot of [`Slab::next_key`].
    pub fn insert(&mut self, value: T) {
        match self.free.pop() {
            Some(slot) => self.slots[slot as usize].value = Some(value),
            None => self.slots.push(Slot { generation: 0, value: Some(value) }),
        }
    }

    /// Removes the value in a slot.
    pub fn remove(&mut self, slot: u32) -> Option<T> {
        let entry = self.slots.get_mut(slot as usize)?;
        let value = entry.value.take()?;
        entry.generation = entry.generation.wrapping_add(1);
        self.free.push(slot);
        Some(value)
    }

    /// Returns the value in a slot.
    pub fn get_slot(&mut self, slot: u32) -> Option<&mut T> {
        self.slots.get_mut(slot as usize)?.value.as_mut()
    }

    /// Returns all values.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.slots.iter_mut().filter_map(|slot| slot.value.as_mut())
    }

    /// Returns the value with a key, if it has not been removed.
    pub fn get(&mut self, key: Key) -> Option<&mut T> {
        let slot = self.slots.get_mut(key.slot as usize)?;
        slot.value.as_mut().filter(|_| slot.generation == key.generation)
    }

    /// Returns the slots that have a value.
    pub fn occupied(&self) -> impl Iterator<Item = u32> {
        self.slots.iter().enumerate().filter(|(_, slot)| slot.value.is_some()).map(|(slot, _)| slot as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::{Key, Slab};

    #[test]
    fn a_slot_is_reused_and_a_key_is_not() {
        let mut slab = Slab::new();
        let first = slab.next_key();
        slab.insert("a");
        assert!(slab.get(first).is_some());
        assert_eq!(Key::of(first.token()), first);
        assert_eq!(slab.remove(first.slot), Some("a"));
        let second = slab.next_key();
        slab.insert("b");
        assert_eq!(
            (second.slot, slab.get(first).is_some(), slab.get(second).is_some(), slab.len()),
            (first.slot, false, true, 1)
        );
        assert_eq!(Key::of(second.token()), second);
        assert_eq!(slab.remove(second.slot), Some("b"));
        assert_eq!(slab.remove(second.slot), None);
        assert_eq!(slab.len(), 0);
    }
}
