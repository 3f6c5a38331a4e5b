//! The hub's unit of time.

/// A point in time, in tenths of a second since the server's start.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub struct Tick(pub u32);

impl Tick {
    /// A time that never comes.
    pub const NEVER: Tick = Tick(u32::MAX);
    /// The number of ticks per second.
    pub const PER_SECOND: u32 = 10;

    /// Returns the tick this many ticks later.
    pub fn after(self, ticks: u32) -> Tick {
        Tick(self.0.saturating_add(ticks))
    }

    /// Returns the tick this many ticks earlier, or the start.
    pub fn before(self, ticks: u32) -> Tick {
        Tick(self.0.saturating_sub(ticks))
    }
}
