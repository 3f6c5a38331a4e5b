//! What a follower that waits tells, and why it ends.

use std::fmt;
use std::io;
use std::time::Duration;

use super::follow::{Error, Notice, Via};
use crate::protocol::sse::Event;

/// What a [`Follow`](super::Follow) tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Update {
    /// An event.
    Event(Event),
    /// Not all that came after `since` can be had any more; what follows is all that is kept.
    Gap {
        /// What was asked for.
        since: String,
        /// The oldest event that is kept; `None` if none is.
        oldest: Option<String>,
    },
    /// The server answers as it should, for the first time or again.
    Opened(Via),
    /// There is no connection for now.
    Disconnected {
        /// What is in the way.
        reason: String,
        /// After how long the next attempt begins.
        retry_in: Duration,
    },
    /// One transport is not to be had here; the next one is tried.
    FellBack {
        /// The one that is given up.
        from: Via,
        /// The one that is tried next.
        to: Via,
        /// Why.
        reason: Error,
    },
}

impl Update {
    /// In bytes of its own; a cursor is kept, and no news.
    pub(super) fn of(notice: Notice<'_>) -> Option<Self> {
        Some(match notice {
            Notice::Event(event) => Self::Event(Event {
                id: event.id.to_owned(),
                event: event.event.to_owned(),
                data: event.data.to_owned(),
            }),
            Notice::Gap { since, oldest } => {
                Self::Gap { since: since.to_owned(), oldest: oldest.map(str::to_owned) }
            }
            Notice::Cursor(_) => return None,
        })
    }
}

/// Why a [`Follow`](super::Follow) has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FollowError {
    /// For good: to ask again would bring the same.
    Ended(Error),
    /// [`FollowOptions::give_up_after`](super::FollowOptions::give_up_after) was over; what was in the way at last.
    GaveUp(String),
}

impl fmt::Display for FollowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended(error) => error.fmt(f),
            Self::GaveUp(why) => write!(f, "gave up: {why}"),
        }
    }
}

impl std::error::Error for FollowError {}

impl From<Error> for FollowError {
    fn from(error: Error) -> Self {
        Self::Ended(error)
    }
}

impl From<io::Error> for FollowError {
    /// Of the system's errors only the want of random bytes ends it: the others pass.
    fn from(error: io::Error) -> Self {
        Self::Ended(Error::Random(error.kind()))
    }
}
