//! The hub: topics, ids, logs, followers. It knows no socket, no byte of any protocol, and no
//! clock: the caller passes the time in.
//!
//! The one idea of barewire: **the log is the queue**. A topic is an append-only [`Log`] with a
//! retained window. A follower is a cursor into that log and has no queue.

mod encoded;
mod id;
mod log;
mod placement;
mod tick;
mod topics;
mod window;

pub use id::{Epoch, Id, Sequence};
pub use log::{ENCODINGS, Encode, EncodedBuffer, Encoders, Event, Log, Segment};
pub use placement::{Gap, Placement, Since};
pub use tick::Tick;
pub use topics::{DroppedSegment, Follower, Hub, HubLimits, NoRoom, Opener, Topic, TopicKey};
