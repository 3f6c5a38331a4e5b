//! The end of a case that is none of its outcomes.

use std::fmt::Display;

/// The end of a case with none of its outcomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The endpoint does what the requirement forbids.
    Failed {
        /// What the case expected, as the rest of "expected: …".
        expected: String,
        /// What happened instead, as the rest of "observed: …".
        observed: String,
        /// The byte of the endpoint where the failure shows, if there is one.
        at: Option<Mark>,
    },
    /// The endpoint lacks what the case is about. The text says what.
    NotApplicable(String),
}

/// The position of a byte that the endpoint sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The number of the connection in the record.
    pub connection: u64,
    /// The offset in everything that the endpoint sent on the connection.
    pub offset: u64,
}

impl Finding {
    /// Returns a failure.
    pub fn failed(expected: impl Display, observed: impl Display) -> Self {
        Self::Failed { expected: expected.to_string(), observed: observed.to_string(), at: None }
    }

    /// Returns the failure with the byte where it shows.
    pub fn at(self, connection: u64, offset: u64) -> Self {
        match self {
            Self::Failed { expected, observed, .. } => {
                Self::Failed { expected, observed, at: Some(Mark { connection, offset }) }
            }
            other => other,
        }
    }
}
