//! The updates that a blocking follower reports, and the errors that end it.

use std::fmt;
use std::io;
use std::time::Duration;

use super::follow::{Error, Notice, Transport};
use crate::protocol::sse::Event;

/// An update from [`Follow`](super::Follow).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Update {
    /// An event arrived.
    Event(Event),
    /// Events after `since` are no longer kept. The events that follow are all that the server
    /// still has.
    Gap {
        /// The id that the client resumed from.
        since: String,
        /// The oldest event that the server keeps; `None` if it keeps none.
        oldest: Option<String>,
    },
    /// The server responds as expected, for the first time or after a
    /// [`Disconnected`](Self::Disconnected).
    Opened(Transport),
    /// The connection is lost or could not be opened. The client retries on its own.
    Disconnected {
        /// A description of the failure.
        reason: String,
        /// Time until the next attempt.
        retry_in: Duration,
    },
    /// A transport does not work here, so the client tries the next one.
    FellBack {
        /// The transport that failed.
        from: Transport,
        /// The transport that is tried next.
        to: Transport,
        /// The error of the transport that failed.
        reason: Error,
    },
}

impl Update {
    /// Copies a notice. Returns `None` for a cursor, which the follower keeps without an update.
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

/// The error that ended a [`Follow`](super::Follow).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FollowError {
    /// Retrying would fail the same way.
    Fatal(Error),
    /// Nothing worked for [`give_up_after`](super::FollowOptions::give_up_after); the reason of the
    /// last failure.
    GaveUp(String),
}

impl fmt::Display for FollowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fatal(error) => error.fmt(f),
            Self::GaveUp(reason) => write!(f, "gave up: {reason}"),
        }
    }
}

impl std::error::Error for FollowError {}

impl From<Error> for FollowError {
    fn from(error: Error) -> Self {
        Self::Fatal(error)
    }
}

impl From<io::Error> for FollowError {
    /// Converts an error of the random generator. No other system error is fatal: the client
    /// retries.
    fn from(error: io::Error) -> Self {
        Self::Fatal(Error::Random(error.kind()))
    }
}
