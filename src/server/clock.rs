//! The only clock of the server: ticks for deadlines, and the date for responses.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::hub::Tick;
use crate::protocol::http::write_date;

const TICK_MILLISECONDS: u64 = 100;
const TICK: Duration = Duration::from_millis(TICK_MILLISECONDS);

/// The clock, read once per loop iteration.
pub struct Clock {
    start: Instant,
    is_still: bool,
    tick: Tick,
    second: u64,
    date: Vec<u8>,
}

impl Clock {
    /// Creates a clock that starts now.
    pub fn start() -> Clock {
        let mut clock = Clock { is_still: false, ..Clock::still() };
        clock.date.clear();
        clock.read();
        clock
    }

    /// Creates a clock that does not move by itself, at the first tick and the start of 1970.
    pub fn still() -> Clock {
        let (start, date) = (Instant::now(), Vec::new());
        let mut clock = Clock { start, is_still: true, tick: Tick(1), second: 0, date };
        write_date(0, &mut clock.date);
        clock
    }

    /// Sets a still clock to a tick.
    pub fn set(&mut self, tick: Tick) {
        self.tick = tick;
    }

    /// Reads the time. Ticks are monotonic: setting the system clock moves no deadline.
    pub fn read(&mut self) {
        let ticks = self.start.elapsed().as_millis() as u64 / TICK_MILLISECONDS;
        let tick = Tick(u32::try_from(ticks).unwrap_or(u32::MAX - 1).saturating_add(1));
        if tick == self.tick && !self.date.is_empty() {
            // A busy loop has thousands of iterations in a tick, and the date changes once a
            // second.
            return;
        }
        self.tick = tick;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        if now != self.second {
            self.second = now;
            self.date.clear();
            write_date(now, &mut self.date);
        }
    }

    /// Returns whether the clock does not move by itself.
    pub fn is_still(&self) -> bool {
        self.is_still
    }

    /// Returns the time since the start.
    pub fn since_start(&self) -> Duration {
        match self.is_still {
            true => TICK * self.tick.0.saturating_sub(1),
            false => self.start.elapsed(),
        }
    }

    /// Returns the tick at the last reading.
    pub fn tick(&self) -> Tick {
        self.tick
    }

    /// Returns the value of the `Date` field at the last reading.
    pub fn date(&self) -> &[u8] {
        &self.date
    }

    /// Returns how long it takes until a tick.
    pub fn until(&self, tick: Tick) -> Duration {
        let due = TICK * tick.0.saturating_sub(1);
        due.saturating_sub(self.start.elapsed())
    }
}
