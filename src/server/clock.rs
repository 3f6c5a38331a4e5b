//! The only clock of the server: ticks for deadlines, and the date for answers.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::hub::Tick;
use crate::protocol::http::write_date;

const TICK: Duration = Duration::from_millis(100);

/// The clock, read once a turn of the loop.
pub struct Clock {
    start: Instant,
    tick: Tick,
    second: u64,
    date: Vec<u8>,
}

impl Clock {
    /// The clock, started now.
    pub fn start() -> Clock {
        let mut clock = Clock { start: Instant::now(), tick: Tick(1), second: 0, date: Vec::new() };
        clock.read();
        clock
    }

    /// A clock that stands, at the first tick and at the beginning of 1970, for a rehearsal.
    pub fn still() -> Clock {
        let mut clock = Clock { start: Instant::now(), tick: Tick(1), second: 0, date: Vec::new() };
        write_date(0, &mut clock.date);
        clock
    }

    /// Puts a clock that stands to a tick.
    pub fn put(&mut self, tick: Tick) {
        self.tick = tick;
    }

    /// Looks at the time. The ticks are monotonic: whoever sets the machine's clock moves no deadline.
    pub fn read(&mut self) {
        let ticks = self.start.elapsed().as_millis() / TICK.as_millis();
        self.tick = Tick(u32::try_from(ticks).unwrap_or(u32::MAX - 1).saturating_add(1));
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        if now != self.second {
            self.second = now;
            self.date.clear();
            write_date(now, &mut self.date);
        }
    }

    /// The tick of the last look.
    pub fn tick(&self) -> Tick {
        self.tick
    }

    /// The `Date` of the last look.
    pub fn date(&self) -> &[u8] {
        &self.date
    }

    /// How long until a tick comes.
    pub fn until(&self, tick: Tick) -> Duration {
        let due = TICK * tick.0.saturating_sub(1);
        due.saturating_sub(self.start.elapsed())
    }
}
