//! Publishing: one POST for an event, or for many.

use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use super::connect::connect_tcp;
use super::follow::{Error, Next, PublishRequest, PublishStep, Resource, RetryReason};
use super::stream::{BufferedStream, Received};

/// Publishes to one topic, over a connection that is kept from one event to the next.
#[derive(Debug)]
pub struct Publisher {
    resource: Resource,
    wire: Option<BufferedStream>,
    /// The name of the events; `None` is `message`.
    pub event: Option<String>,
    /// For TCP, and again for the answer.
    pub timeout: Duration,
}

/// Why nothing was published, or why it is not known.
#[derive(Debug)]
pub enum PublishError {
    /// The server refuses, or answers what can't be read; [`Error`] says which.
    Refused(Error),
    /// The server can't now, with this status; it asks to be left alone so long.
    Passing {
        /// The status.
        status: u16,
        /// `Retry-After`; zero if it said none.
        retry_after: Duration,
    },
    /// No connection: nothing was published.
    Unreachable(io::Error),
    /// The connection broke, or was silent, before the answer was whole: it may be published, and it may not.
    Unanswered(io::Error),
    /// A line that is empty or holds a line's end, which can't be one of many.
    Line,
}

impl fmt::Display for PublishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(error) => error.fmt(f),
            Self::Passing { status, .. } => write!(f, "the server answers {status}: not now"),
            Self::Unreachable(error) => error.fmt(f),
            Self::Unanswered(error) => {
                write!(f, "no answer, so it is not known whether it is published: {error}")
            }
            Self::Line => f.write_str("one of many events can't be empty or of several lines"),
        }
    }
}

impl std::error::Error for PublishError {}

impl From<Error> for PublishError {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

/// Publishes one event, named `message`, over a connection of its own: the event's id.
///
/// # Errors
/// [`PublishError`].
pub fn publish(url: &str, data: &str) -> Result<String, PublishError> {
    Publisher::new(Resource::new(url, None, &[])?).publish(data)
}

impl Publisher {
    /// A publisher that is not connected yet.
    pub fn new(resource: Resource) -> Self {
        Self { resource, wire: None, event: None, timeout: Duration::from_secs(10) }
    }

    /// Publishes one event: its id.
    ///
    /// # Errors
    /// [`PublishError`].
    pub fn publish(&mut self, data: &str) -> Result<String, PublishError> {
        self.post(data, false)?.pop().ok_or(PublishError::Refused(Error::UnexpectedJson))
    }

    /// Publishes an event for each of these lines, all of them or none: their ids.
    ///
    /// # Errors
    /// [`PublishError`]; [`PublishError::Line`] before anything is sent.
    pub fn publish_lines(&mut self, lines: &[&str]) -> Result<Vec<String>, PublishError> {
        if lines.iter().any(|line| line.is_empty() || line.contains(['\r', '\n'])) {
            return Err(PublishError::Line);
        }
        let mut body = lines.join("\n");
        body.push('\n');
        let ids = self.post(&body, true)?;
        if ids.len() == lines.len() { Ok(ids) } else { Err(PublishError::Refused(Error::UnexpectedJson)) }
    }

    fn post(&mut self, body: &str, is_lines: bool) -> Result<Vec<String>, PublishError> {
        let mut request = PublishRequest::default();
        let mut out = Vec::new();
        request.write(&self.resource, self.event.as_deref(), body, is_lines, &mut out);
        let mut wire = self.connected()?;
        wire.write(&out).map_err(PublishError::Unanswered)?;
        let until = Instant::now() + self.timeout;
        loop {
            let posted = match wire.fill(Some(until)).map_err(PublishError::Unanswered)? {
                Received::More => {
                    let input = wire.unread();
                    let length = input.len();
                    let posted = request.receive(input, &self.resource);
                    wire.consume(length);
                    posted?
                }
                Received::End => request.end()?,
                Received::TimedOut => return Err(PublishError::Unanswered(io::ErrorKind::TimedOut.into())),
            };
            match posted {
                PublishStep::Published { ids, reuse } => {
                    self.wire = reuse.then_some(wire);
                    return Ok(ids);
                }
                PublishStep::Next(Next::Reconnect { reason: RetryReason::Status(status), at_least }) => {
                    return Err(PublishError::Passing { status, retry_after: at_least });
                }
                PublishStep::Next(Next::Read | Next::Request { .. }) => {}
                PublishStep::Next(Next::Reconnect { .. }) => {
                    return Err(PublishError::Unanswered(io::ErrorKind::UnexpectedEof.into()));
                }
            }
        }
    }

    /// The connection that is kept, if the server has not ended it meanwhile; else a new one. A POST that was sent on one that ends
    /// can't be sent again: nobody knows whether it has come (RFC 9110 §9.2.2).
    fn connected(&mut self) -> Result<BufferedStream, PublishError> {
        if let Some(wire) = self.wire.take().filter(BufferedStream::is_quiet) {
            return Ok(wire);
        }
        let url = self.resource.url();
        connect_tcp(&url.host, url.port, Instant::now() + self.timeout)
            .and_then(|stream| BufferedStream::new(stream, Some(self.timeout)))
            .map_err(PublishError::Unreachable)
    }
}
