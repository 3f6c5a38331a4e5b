//! The errors that end a trial.

use std::fmt;
use std::io;

use crate::client::follow::Error;

/// An error that ends a trial without a result.
#[derive(Debug)]
pub enum CompareError {
    Io(io::Error),
    /// The server refused, or its response is invalid.
    Client(Error),
    /// No server accepts connections at the host and port that the error names.
    Unreachable(io::Error),
    /// Not all clients followed the topic in time.
    TooFewClients {
        following: usize,
        clients: usize,
        /// The last error of a connection, if there was one.
        reason: Option<String>,
    },
    /// An event could not be published.
    Publish(String),
}

impl fmt::Display for CompareError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Client(error) => error.fmt(f),
            Self::Unreachable(error) => write!(f, "{error}: check that the server is running"),
            Self::TooFewClients { following, clients, reason } => {
                let reason = reason.as_deref().unwrap_or("no response");
                write!(
                    f,
                    "only {following} of {clients} clients follow the topic ({reason}): check the server's limit \
                     on connections"
                )
            }
            Self::Publish(reason) => write!(f, "an event could not be published: {reason}"),
        }
    }
}

impl std::error::Error for CompareError {}

impl From<io::Error> for CompareError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Error> for CompareError {
    fn from(error: Error) -> Self {
        Self::Client(error)
    }
}
