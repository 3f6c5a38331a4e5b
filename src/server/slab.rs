//! Connections by number: a slot is used again, a token never (its generation tells whose it was).

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

/// A slot's number, and the generation of what stands in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Key {
    /// The slot.
    pub slot: u32,
    /// How often the slot was given out before.
    pub generation: u32,
}

impl Key {
    /// The key as a token for the poll.
    pub fn token(self) -> Token {
        Token((self.generation as usize) << 32 | self.slot as usize)
    }

    /// The key in a token of [`Key::token`].
    pub fn of(token: Token) -> Key {
        Key { slot: token.0 as u32, generation: (token.0 >> 32) as u32 }
    }
}

impl<T> Slab<T> {
    /// Nothing yet.
    pub fn new() -> Slab<T> {
        Slab { slots: Vec::new(), free: Vec::new() }
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// The key that the next value will get.
    pub fn next_key(&self) -> Key {
        match self.free.last() {
            Some(slot) => Key { slot: *slot, generation: self.slots[*slot as usize].generation },
            None => Key { slot: self.slots.len() as u32, generation: 0 },
        }
    }

    /// Puts a value in the slot of [`Slab::next_key`].
    pub fn insert(&mut self, value: T) {
        match self.free.pop() {
            Some(slot) => self.slots[slot as usize].value = Some(value),
            None => self.slots.push(Slot { generation: 0, value: Some(value) }),
        }
    }

    /// Takes the value out of a slot.
    pub fn remove(&mut self, slot: u32) -> Option<T> {
        let entry = self.slots.get_mut(slot as usize)?;
        let value = entry.value.take()?;
        entry.generation = entry.generation.wrapping_add(1);
        self.free.push(slot);
        Some(value)
    }

    /// The value in a slot.
    pub fn get_mut(&mut self, slot: u32) -> Option<&mut T> {
        self.slots.get_mut(slot as usize)?.value.as_mut()
    }

    /// All values.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.slots.iter_mut().filter_map(|slot| slot.value.as_mut())
    }

    /// Whether the key's value is still there.
    pub fn holds(&self, key: Key) -> bool {
        self.slots
            .get(key.slot as usize)
            .is_some_and(|slot| slot.generation == key.generation && slot.value.is_some())
    }

    /// The slots that hold a value.
    pub fn occupied(&self) -> impl Iterator<Item = u32> {
        self.slots.iter().enumerate().filter(|(_, slot)| slot.value.is_some()).map(|(slot, _)| slot as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::{Key, Slab};

    #[test]
    fn a_slot_is_used_again_and_a_key_is_not() {
        let mut slab = Slab::new();
        let first = slab.next_key();
        slab.insert("a");
        assert!(slab.holds(first));
        assert_eq!(Key::of(first.token()), first);
        assert_eq!(slab.remove(first.slot), Some("a"));
        let second = slab.next_key();
        slab.insert("b");
        assert_eq!(
            (second.slot, slab.holds(first), slab.holds(second), slab.len()),
            (first.slot, false, true, 1)
        );
        assert_eq!(Key::of(second.token()), second);
        assert_eq!(slab.remove(second.slot), Some("b"));
        assert_eq!(slab.remove(second.slot), None);
        assert_eq!(slab.len(), 0);
    }
}
