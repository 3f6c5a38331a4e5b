//! Which events have reached a client: each once, or else lost or doubled.

/// The shortest data of an event: its number, in eight digits.
pub const MIN_SIZE: usize = 8;

/// The most events that a leg can tell apart: so many numbers have as many digits as [`MIN_SIZE`].
pub const MOST_EVENTS: u64 = 100_000_000;

/// The data of the event with this number, counted from 0, in `size` bytes, at least [`MIN_SIZE`]. Its number stands first; the rest is
/// text that stays one line, and needs no escape in JSON.
pub(super) fn data(number: u64, size: usize) -> String {
    const FILLER: &str = " The quick brown fox jumps over the lazy dog.";
    let mut data = format!("{number:08}");
    data.extend(FILLER.chars().cycle().take(size.saturating_sub(data.len())));
    data
}

/// The number in an event's data.
pub(super) fn number(data: &str) -> Option<u64> {
    data.get(..MIN_SIZE)?.parse().ok()
}

/// What one client has had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// The number that should come next: all before it came, or are lost.
    next: u64,
    pub lost: u64,
    pub doubled: u64,
}

impl Seen {
    /// The event with this number has come. Whether for the first time.
    pub fn see(&mut self, number: u64) -> bool {
        if number < self.next {
            self.doubled += 1;
            return false;
        }
        self.lost += number - self.next;
        self.next = number + 1;
        true
    }

    /// Whether all of so many have come, or can't come any more.
    pub fn is_through(&self, published: u64) -> bool {
        self.next >= published
    }

    /// Nothing more will come, and so many were published: what is still missing is lost.
    pub fn end(&mut self, published: u64) {
        self.lost += published.saturating_sub(self.next);
        self.next = self.next.max(published);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_has_its_size_and_gives_its_number_back() {
        for (published, size) in [(0, MIN_SIZE), (7, 9), (99_999_999, 200), (12, 65_536)] {
            let data = data(published, size);
            assert_eq!((data.len(), number(&data)), (size, Some(published)));
            assert!(!data.contains(['\n', '\r', '"', '\\']));
        }
        assert_eq!((number("hello, world"), number("1"), number("")), (None, None, None));
    }

    #[test]
    fn each_event_counts_once_or_as_lost_or_as_doubled() {
        let mut seen = Seen::default();
        assert!(seen.see(0) && seen.see(1));
        assert!(!seen.see(1) && !seen.see(0));
        assert!(seen.see(4)); // 2 and 3 are passed over
        assert!(!seen.is_through(6) && seen.is_through(5));
        seen.end(7); // 5 and 6 never came
        assert_eq!((seen.lost, seen.doubled), (4, 2));
        seen.end(7);
        assert_eq!((seen.lost, seen.doubled), (4, 2));
    }
}
