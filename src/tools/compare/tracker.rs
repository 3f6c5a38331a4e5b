//! Tracks which events have reached a client, and counts lost and duplicated ones.

/// The shortest data of an event: its number in eight digits.
pub const MIN_SIZE: usize = 8;

/// The number of events that [`MIN_SIZE`] digits can tell apart in one trial.
pub const MAX_EVENTS: u64 = 100_000_000;

/// Returns the data of the event with this number, which counts from 0. The data has `size` bytes,
/// at least [`MIN_SIZE`]. It begins with the number; the rest is one line of text that needs no
/// escaping in JSON.
pub fn data(number: u64, size: usize) -> String {
    const FILLER: &str = " The quick brown fox jumps over the lazy dog.";
    let mut data = format!("{number:08}");
    data.extend(FILLER.chars().cycle().take(size.saturating_sub(data.len())));
    data
}

/// Returns the number at the start of an event's data.
pub fn number(data: &str) -> Option<u64> {
    data.get(..MIN_SIZE)?.parse().ok()
}

/// The events that one client has received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventTracker {
    /// The number of the next event. Every event before it has arrived or is lost.
    next: u64,
    pub lost: u64,
    pub duplicated: u64,
}

impl EventTracker {
    /// Records the arrival of the event with this number. Returns true if it is the first arrival.
    pub fn record(&mut self, number: u64) -> bool {
        if number < self.next {
            self.duplicated += 1;
            return false;
        }
        self.lost += number - self.next;
        self.next = number + 1;
        true
    }

    /// Returns true if none of the first `published` events can arrive any more.
    pub fn is_complete(&self, published: u64) -> bool {
        self.next >= published
    }

    /// Counts those of the first `published` events that have not arrived as lost.
    pub fn finish(&mut self, published: u64) {
        self.lost += published.saturating_sub(self.next);
        self.next = self.next.max(published);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_has_the_requested_size_and_contains_its_number() {
        for (published, size) in [(0, MIN_SIZE), (7, 9), (99_999_999, 200), (12, 65_536)] {
            let data = data(published, size);
            assert_eq!((data.len(), number(&data)), (size, Some(published)));
            assert!(!data.contains(['\n', '\r', '"', '\\']));
        }
        assert_eq!((number("hello, world"), number("1"), number("")), (None, None, None));
    }

    #[test]
    fn counts_lost_and_duplicated_events() {
        let mut tracker = EventTracker::default();
        assert!(tracker.record(0) && tracker.record(1));
        assert!(!tracker.record(1) && !tracker.record(0));
        assert!(tracker.record(4)); // skips 2 and 3
        assert!(!tracker.is_complete(6) && tracker.is_complete(5));
        tracker.finish(7); // 5 and 6 never arrived
        assert_eq!((tracker.lost, tracker.duplicated), (4, 2));
        tracker.finish(7);
        assert_eq!((tracker.lost, tracker.duplicated), (4, 2));
    }
}
