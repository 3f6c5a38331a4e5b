//! Deadlines: a timer wheel with slots of 100 ms.
//!
//! No entry is removed early or moved. A connection knows which of its entries is the earliest.
//! When that entry's slot is due, the connection's deadline is due too, or the connection is
//! entered again; its other entries mean nothing. So a deadline that moves with every byte costs
//! nothing.
//!
//! An entry is the slab's slot alone. It may belong to a connection that has closed; the next one
//! in that slot ignores it, unless it has an entry at the same tick itself.

use crate::hub::Tick;

/// How many ticks the wheel reaches ahead. A later deadline is entered at the end, and again there.
const SLOTS: u32 = 1024;

/// The timer wheel.
pub struct TimerWheel {
    slots: Vec<Vec<u32>>,
    now: Tick,
    /// No entry is before this tick.
    hint: Tick,
    entries: usize,
}

impl TimerWheel {
    /// Creates a wheel without entries.
    pub fn new(now: Tick) -> TimerWheel {
        TimerWheel { slots: (0..SLOTS).map(|_| Vec::new()).collect(), now, hint: now, entries: 0 }
    }

    /// Enters a deadline, and returns the tick of the entry: the next one for a deadline that has
    /// passed, the last one for a deadline beyond the wheel.
    pub fn insert(&mut self, connection: u32, due: Tick) -> Tick {
        let due = due.clamp(self.now.after(1), self.now.after(SLOTS - 1));
        self.slots[(due.0 % SLOTS) as usize].push(connection);
        self.hint = self.hint.min(due);
        self.entries += 1;
        due
    }

    /// Returns the tick of the next slot with an entry.
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

    /// Advances to `now` and removes one slot that is due: its tick and its entries. Returns `None`
    /// when no slot is due any more.
    pub fn take_due(&mut self, now: Tick) -> Option<(Tick, Vec<u32>)> {
        let due = self.next().filter(|due| *due <= now);
        let Some(due) = due else {
            self.now = self.now.max(now);
            return None;
        };
        // The slot's memory goes with its entries: the slot may need less the next time.
        let entries = std::mem::take(&mut self.slots[(due.0 % SLOTS) as usize]);
        self.now = due;
        self.entries -= entries.len();
        Some((due, entries))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::TimerWheel;
    use crate::hub::Tick;

    fn due(wheel: &mut TimerWheel, now: u32) -> Vec<u32> {
        let mut due = Vec::new();
        while let Some((_, connections)) = wheel.take_due(Tick(now)) {
            due.extend(connections);
        }
        due
    }

    #[test]
    fn entries_are_due_in_their_slot_and_distant_ones_at_the_last_slot() {
        let mut wheel = TimerWheel::new(Tick(5));
        assert_eq!(wheel.next(), None);
        wheel.insert(1, Tick(7));
        wheel.insert(2, Tick(3));
        wheel.insert(3, Tick(100_000));
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
        fn no_entry_is_due_early_and_none_within_the_wheel_late(
            dues in proptest::collection::vec(1..900_u32, 1..60),
            steps in proptest::collection::vec(1..200_u32, 1..60),
        ) {
            let mut wheel = TimerWheel::new(Tick(0));
            for (slot, due) in dues.iter().enumerate() {
                wheel.insert(slot as u32, Tick(*due));
            }
            let (mut now, mut seen) = (0, Vec::new());
            for step in steps {
                let next = wheel.next();
                let left = (0..dues.len()).filter(|slot| !seen.contains(&(*slot as u32)));
                prop_assert_eq!(next.map(|tick| tick.0), left.map(|slot| dues[slot]).min());
                let before = now;
                now += step;
                for slot in due(&mut wheel, now) {
                    prop_assert!(dues[slot as usize] > before && dues[slot as usize] <= now);
                    seen.push(slot);
                }
            }
        }
    }
}
