//! Publishing: one POST per call, for one event or for several.

use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use super::connect::connect_tcp;
use super::follow::{Error, Next, PublishRequest, PublishStep, Resource, RetryReason};
use super::stream::{BufferedStream, Received};

/// A publisher to one topic. It keeps its connection open between events.
#[derive(Debug)]
pub struct Publisher {
    resource: Resource,
    stream: Option<BufferedStream>,
    /// The name of the events; `None` means `message`.
    pub event: Option<String>,
    /// The time limit for each step: connecting, a write that makes no progress, and the response.
    pub timeout: Duration,
}

/// The reason why a publish failed, or why its result is unknown.
#[derive(Debug)]
pub enum PublishError {
    /// The server refused the events, or its response is invalid; [`Error`] says which.
    Refused(Error),
    /// The server responded that it cannot publish at the moment.
    Unavailable {
        /// The status code of the response.
        status: u16,
        /// The delay that `Retry-After` requests; zero if the response has no such field.
        retry_after: Duration,
    },
    /// The connection could not be opened. Nothing was published.
    Unreachable(io::Error),
    /// The connection failed or timed out before the response was complete. The events may have
    /// been published.
    NoResponse(io::Error),
    /// One of several events is empty or contains a line break. Such an event can only be published
    /// on its own.
    InvalidLine,
}

impl fmt::Display for PublishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(error) if error.has_clear_status() => error.fmt(f),
            Self::Refused(error) => {
                write!(
                    f,
                    "the event may have been published, but the client cannot read the response: {error}"
                )
            }
            Self::Unavailable { status, .. } => {
                write!(f, "the server cannot publish now (status {status}): try again later")
            }
            Self::Unreachable(error) => error.fmt(f),
            Self::NoResponse(error) => {
                write!(f, "no complete response arrived, but the event may have been published: {error}")
            }
            Self::InvalidLine => f.write_str(
                "one of several events is empty or contains a line break: publish that event on its own",
            ),
        }
    }
}

impl std::error::Error for PublishError {}

impl From<Error> for PublishError {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

/// Publishes one event named `message` over a new connection and returns the event's id.
///
/// # Errors
/// [`PublishError`].
pub fn publish(url: &str, data: &str) -> Result<String, PublishError> {
    Publisher::new(Resource::new(url, None, &[])?).publish(data)
}

impl Publisher {
    /// Creates a publisher. It connects when it first publishes.
    pub fn new(resource: Resource) -> Self {
        Self { resource, stream: None, event: None, timeout: Duration::from_secs(10) }
    }

    /// Publishes one event and returns its id.
    ///
    /// # Errors
    /// [`PublishError`].
    pub fn publish(&mut self, data: &str) -> Result<String, PublishError> {
        self.post(data, false)?.pop().ok_or(PublishError::Refused(Error::UnexpectedJson))
    }

    /// Publishes one event per line, all of them or none, and returns their ids.
    ///
    /// # Errors
    /// [`PublishError`]. If it is [`PublishError::InvalidLine`], nothing was sent.
    pub fn publish_lines(&mut self, lines: &[&str]) -> Result<Vec<String>, PublishError> {
        if lines.iter().any(|line| line.is_empty() || line.contains(['\r', '\n'])) {
            return Err(PublishError::InvalidLine);
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
        let mut stream = self.connected()?;
        stream.write(&out).map_err(PublishError::NoResponse)?;
        let until = Instant::now() + self.timeout;
        loop {
            let step = match stream.fill(Some(until)).map_err(PublishError::NoResponse)? {
                Received::Data => {
                    let input = stream.unread();
                    let length = input.len();
                    let step = request.receive(input, &self.resource);
                    stream.consume(length);
                    step?
                }
                Received::End => request.end()?,
                Received::TimedOut => return Err(PublishError::NoResponse(io::ErrorKind::TimedOut.into())),
            };
            match step {
                PublishStep::Published { ids, reuse } => {
                    self.stream = reuse.then_some(stream);
                    return Ok(ids);
                }
                PublishStep::Next(Next::Reconnect { reason: RetryReason::Status(status), after }) => {
                    return Err(PublishError::Unavailable { status, retry_after: after });
                }
                PublishStep::Next(Next::Read | Next::Request { .. }) => {}
                PublishStep::Next(Next::Reconnect { .. }) => {
                    return Err(PublishError::NoResponse(io::ErrorKind::UnexpectedEof.into()));
                }
            }
        }
    }

    /// Returns the kept connection if the server has not closed it, or opens a new one.
    ///
    /// The check matters because a POST must not be repeated automatically if its connection fails:
    /// the server may have processed it (RFC 9110 §9.2.2).
    fn connected(&mut self) -> Result<BufferedStream, PublishError> {
        if let Some(stream) = self.stream.take().filter(BufferedStream::is_reusable) {
            return Ok(stream);
        }
        let url = self.resource.url();
        connect_tcp(&url.host, url.port, Instant::now() + self.timeout)
            .and_then(|stream| BufferedStream::new(stream, Some(self.timeout)))
            .map_err(PublishError::Unreachable)
    }
}
