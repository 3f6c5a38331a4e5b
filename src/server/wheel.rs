//! Deadlines: a timing wheel of 100 ms slots.
//!
//! Nothing is removed early and nothing moved. A connection knows which of its entries comes first. When that one's
//! slot comes, it says whether it is due, or when it will be, and is entered anew; of its other entries it takes no notice. So
//! a deadline that is put off with every byte costs nothing.

use super::slab::Key;
use crate::hub::Tick;

/// How far ahead the wheel reaches; a later deadline is looked at there, and entered anew.
const SLOTS: u32 = 1024;

/// The wheel.
pub struct Wheel {
    slots: Vec<Vec<Key>>,
    now: Tick,
    /// No entry is before this.
    hint: Tick,
    entries: usize,
}

impl Wheel {
    /// A wheel without entries.
    pub fn new(now: Tick) -> Wheel {
        Wheel { slots: (0..SLOTS).map(|_| Vec::new()).collect(), now, hint: now, entries: 0 }
    }

    /// Enters a deadline, and returns when it will come: one that has passed with the next tick, one beyond the horizon at
    /// the horizon.
    pub fn insert(&mut self, key: Key, due: Tick) -> Tick {
        let due = due.clamp(self.now.after(1), self.now.after(SLOTS - 1));
        self.slots[(due.0 % SLOTS) as usize].push(key);
        self.hint = self.hint.min(due);
        self.entries += 1;
        due
    }

    /// When the next slot with an entry comes.
    pub fn next(&mut self) -> Option<Tick> {
        if self.entries == 0 {
            return None;
        }
        self.hint = self.hint.max(self.now.after(1));
        while self.slots[(self.hint.0 % SLOTS) as usize].is_empty() {
            self.hint = self.hint.after(1);
        }
        Some(self.hint)
    }

    /// Goes on to `now` and takes out one slot that has come: its time, and its entries. `None` when there is no more.
    pub fn take_due(&mut self, now: Tick) -> Option<(Tick, Vec<Key>)> {
        let due = self.next().filter(|due| *due <= now);
        let Some(due) = due else {
            self.now = self.now.max(now);
            return None;
        };
        // A slot's memory goes with its entries: a thousand that were due at once need not be so again.
        let entries = std::mem::take(&mut self.slots[(due.0 % SLOTS) as usize]);
        self.now = due;
        self.entries -= entries.len();
        Some((due, entries))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Key, Wheel};
    use crate::hub::Tick;

    fn key(slot: u32) -> Key {
        Key { slot, generation: 0 }
    }

    fn due(wheel: &mut Wheel, now: u32) -> Vec<u32> {
        let mut due = Vec::new();
        while let Some((_, keys)) = wheel.take_due(Tick(now)) {
            due.extend(keys.iter().map(|key| key.slot));
        }
        due
    }

    #[test]
    fn entries_come_in_their_slot_and_far_ones_at_the_horizon() {
        let mut wheel = Wheel::new(Tick(5));
        assert_eq!(wheel.next(), None);
        wheel.insert(key(1), Tick(7));
        wheel.insert(key(2), Tick(3));
        wheel.insert(key(3), Tick(100_000));
        assert_eq!(wheel.next(), Some(Tick(6)));
        assert_eq!(due(&mut wheel, 6), [2]);
        assert_eq!(wheel.next(), Some(Tick(7)));
        assert_eq!(due(&mut wheel, 50), [1]);
        assert_eq!(wheel.next(), Some(Tick(5 + 1023)));
        assert_eq!(due(&mut wheel, 5000), [3]);
        assert_eq!(wheel.next(), None);
    }

    proptest! {
        #[test]
        fn nothing_comes_early_and_nothing_within_the_horizon_late(
            dues in proptest::collection::vec(1..900_u32, 1..60),
            steps in proptest::collection::vec(1..200_u32, 1..60),
        ) {
            let mut wheel = Wheel::new(Tick(0));
            for (slot, due) in dues.iter().enumerate() {
                wheel.insert(key(slot as u32), Tick(*due));
            }
            let (mut now, mut come) = (0, Vec::new());
            for step in steps {
                let next = wheel.next();
                let left = (0..dues.len()).filter(|slot| !come.contains(&(*slot as u32)));
                prop_assert_eq!(next.map(|tick| tick.0), left.map(|slot| dues[slot]).min());
                let before = now;
                now += step;
                for slot in due(&mut wheel, now) {
                    prop_assert!(dues[slot as usize] > before && dues[slot as usize] <= now);
                    come.push(slot);
                }
            }
        }
    }
}
