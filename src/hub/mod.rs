//! The hub: topics, ids, logs, cursors. It knows no socket, no byte of any protocol, and no clock:
//! time is handed in.
//!
//! The one idea of the whole: **the log is the queue**. A topic is an append-only [`Log`] with a window
//! that is kept; a follower is a [`Cursor`] in it, and has no queue of its own.

mod followers;
mod id;
mod log;
mod segment;
mod topics;

pub use followers::{Follower, Followers};
pub use id::{Epoch, Id, Sequence};
pub use log::{Cursor, Log};
pub use segment::{ENCODINGS, Encoder, Event, Run, Segment};
pub use topics::{Dropped, Gap, Hub, HubLimits, NoRoom, Placement, Since, Topic, TopicKey};

/// A point in time, in tenths of a second since the server's start.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub struct Tick(pub u32);

impl Tick {
    /// How many ticks a second has.
    pub const PER_SECOND: u32 = 10;

    /// This many ticks later.
    pub fn after(self, ticks: u32) -> Tick {
        Tick(self.0.saturating_add(ticks))
    }

    /// This many ticks earlier, or the start.
    pub fn before(self, ticks: u32) -> Tick {
        Tick(self.0.saturating_sub(ticks))
    }
}
