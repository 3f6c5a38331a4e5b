//! A blocking follower: opens connections, reconnects and falls back to other transports.

use std::collections::VecDeque;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

use super::connect::connect_tcp;
use super::follow::{Error, Follower, Next, Resource, RetryReason, Shared, Since, Traffic, Transport};
use super::stream::{BufferedStream, Received};
use super::update::{FollowError, Update};

/// Options of a [`Follow`].
#[derive(Clone, Debug)]
pub struct FollowOptions {
    /// The transports in order of preference.
    ///
    /// The client tries the next one when one does not work here, for example because a proxy does
    /// not support WebSockets. It does not do so because the server is temporarily unavailable.
    pub transports: Vec<Transport>,
    /// The position in the topic to start from.
    pub since: Since,
    /// Time for TCP, and then again for the start of the response.
    pub connect_timeout: Duration,
    /// Silence after which a stream counts as broken. The default is three of barewire's
    /// heartbeats. The client pings a WebSocket after half of this time.
    pub idle_timeout: Duration,
    /// Time without success after which the client gives up; `None` means never.
    pub give_up_after: Option<Duration>,
}

impl Default for FollowOptions {
    fn default() -> Self {
        Self {
            transports: vec![Transport::EventStream],
            since: Since::Now,
            connect_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(45),
            give_up_after: None,
        }
    }
}

/// A blocking follower of one topic: an iterator of [`Update`]s that ends after an error.
///
/// It reconnects on its own, resumes after the last id and reports gaps. Dropping it closes its
/// connection.
#[derive(Debug)]
pub struct Follow {
    resource: Resource,
    options: FollowOptions,
    /// Index of the current transport in `options.transports`.
    transport: usize,
    follower: Follower,
    shared: Shared,
    stream: Option<BufferedStream>,
    /// Time of the next request; `None` while a response is being read.
    next_request: Option<Instant>,
    last_request: Instant,
    last_read: Instant,
    is_pinged: bool,
    /// True if the connection has carried an earlier response.
    is_reused: bool,
    /// True if `Opened` was reported since the last `Disconnected`.
    is_reported_open: bool,
    last_success: Instant,
    /// `last_success` before the current request.
    earlier_success: Instant,
    updates: VecDeque<Update>,
    connections: u64,
    error: Option<FollowError>,
    /// True after the iterator has returned its last item.
    is_exhausted: bool,
}

impl Follow {
    /// Creates a follower. It connects at the first call of [`next`](Iterator::next).
    ///
    /// # Errors
    /// [`FollowError::Fatal`] if the system provides no random bytes.
    pub fn new(resource: Resource, options: FollowOptions) -> Result<Self, FollowError> {
        let now = Instant::now();
        let via = options.transports.first().copied().unwrap_or(Transport::EventStream);
        Ok(Self {
            transport: 0,
            follower: Follower::new(via, options.since.clone()),
            shared: Shared::with_system_random()?,
            stream: None,
            next_request: Some(now),
            last_request: now,
            last_read: now,
            is_pinged: false,
            is_reused: false,
            is_reported_open: false,
            last_success: now,
            earlier_success: now,
            updates: VecDeque::new(),
            connections: 0,
            error: None,
            is_exhausted: false,
            resource,
            options,
        })
    }

    /// Returns the current transport.
    pub fn via(&self) -> Transport {
        self.follower.via()
    }

    /// Returns the id that another follower could resume after, if there is one.
    pub fn cursor(&self) -> Option<&str> {
        self.follower.cursor()
    }

    /// Returns the traffic counters.
    pub fn traffic(&self) -> Traffic {
        self.shared.traffic
    }

    /// Returns the number of connections opened.
    pub fn connections(&self) -> u64 {
        self.connections
    }

    /// Waits for the next update until `until` at most. Returns `None` at that time; no update is
    /// lost.
    ///
    /// # Errors
    /// [`FollowError`]. Every later call returns the same error.
    pub fn next_until(&mut self, until: Option<Instant>) -> Result<Option<Update>, FollowError> {
        loop {
            if let Some(update) = self.updates.pop_front() {
                return Ok(Some(update));
            }
            if let Some(error) = &self.error {
                return Err(error.clone());
            }
            match self.step(until) {
                Ok(true) => {}
                Ok(false) => return Ok(None),
                Err(error) => {
                    self.stream = None;
                    // The loop first returns the updates that precede the error.
                    self.error = Some(error);
                }
            }
        }
    }

    /// Performs one step: waits and sends a request, or reads. Returns false if `until` passed
    /// first.
    fn step(&mut self, until: Option<Instant>) -> Result<bool, FollowError> {
        if let Some(due) = self.next_request {
            let stop = until.map_or(due, |until| until.min(due));
            thread::sleep(stop.saturating_duration_since(Instant::now()));
            if Instant::now() < due {
                return Ok(false);
            }
            self.next_request = None;
            self.send_request()?;
            return Ok(true);
        }
        let deadline = self.read_deadline();
        let stop = until.map_or(deadline, |until| until.min(deadline));
        let Some(stream) = &mut self.stream else {
            // A response can only be read on a connection, so a new request opens one.
            self.next_request = Some(Instant::now());
            return Ok(true);
        };
        match stream.fill(Some(stop)) {
            Ok(Received::Data) => self.receive()?,
            Ok(Received::TimedOut) if Instant::now() < deadline => return Ok(false),
            Ok(Received::TimedOut) => self.read_timed_out()?,
            Ok(Received::End) => self.stream_ended()?,
            Err(error) => self.io_error(&error)?,
        }
        Ok(true)
    }

    /// Returns the time by which the next bytes must arrive.
    fn read_deadline(&self) -> Instant {
        let FollowOptions { connect_timeout, idle_timeout, .. } = self.options;
        match self.follower.via() {
            Transport::WebSocket if self.follower.is_streaming() && !self.is_pinged => {
                self.last_read + idle_timeout / 2
            }
            _ if self.follower.is_streaming() => self.last_read + idle_timeout,
            Transport::LongPoll if self.follower.is_awaiting_response() => {
                self.last_request + Duration::from_secs(self.resource.wait.into()) + connect_timeout
            }
            _ => self.last_read + connect_timeout,
        }
    }

    /// Sends a request, on a new connection if there is none.
    fn send_request(&mut self) -> Result<(), FollowError> {
        self.is_reused = self.stream.is_some();
        let mut out = Vec::new();
        self.follower.write_request(&self.resource, &mut self.shared, &mut out)?;
        if self.stream.is_none() {
            let (url, until) = (self.resource.url(), Instant::now() + self.options.connect_timeout);
            let opened = connect_tcp(&url.host, url.port, until)
                .and_then(|stream| BufferedStream::new(stream, Some(self.options.connect_timeout)));
            match opened {
                Ok(stream) => self.stream = Some(stream),
                // An attempt that takes long is not a success, as a connection that lasts is.
                Err(error) => return self.failed(&error.to_string(), Duration::ZERO),
            }
            self.connections += 1;
        }
        (self.last_request, self.earlier_success) = (Instant::now(), self.last_success);
        (self.last_read, self.is_pinged) = (self.last_request, false);
        let written = self.stream.as_mut().map_or(Ok(()), |stream| stream.write(&out));
        written.or_else(|error| self.io_error(&error))
    }

    /// Passes the bytes that were read to the follower.
    fn receive(&mut self) -> Result<(), FollowError> {
        let Some(stream) = &mut self.stream else { return Ok(()) };
        let input = stream.unread();
        let length = input.len();
        let elapsed = self.last_request.elapsed();
        let (mut out, mut notices) = (Vec::new(), 0);
        let (updates, resource, shared) = (&mut self.updates, &self.resource, &mut self.shared);
        let next = self.follower.receive(input, elapsed, resource, shared, &mut out, &mut |notice| {
            notices += 1;
            updates.extend(Update::of(notice));
        });
        stream.consume(length);
        // The next read reports the failure if this write fails.
        let _ = stream.write(&out);
        (self.last_read, self.is_pinged) = (Instant::now(), false);
        self.proceed(next, notices)
    }

    fn stream_ended(&mut self) -> Result<(), FollowError> {
        let is_stale = self.is_stale();
        let (elapsed, mut notices) = (self.last_request.elapsed(), 0);
        let updates = &mut self.updates;
        let next = self.follower.end(elapsed, &self.resource, &mut self.shared, &mut |notice| {
            notices += 1;
            updates.extend(Update::of(notice));
        });
        if is_stale && next.is_ok() {
            self.request_on_new_connection();
            return Ok(());
        }
        self.proceed(next, notices)
    }

    /// Returns whether the server may have ended the connection before it received the request.
    ///
    /// A server may end a kept connection at any time (RFC 9112 §9.5), so this is not a failure.
    fn is_stale(&self) -> bool {
        self.is_reused && self.follower.is_awaiting_response()
    }

    fn request_on_new_connection(&mut self) {
        self.stream = None;
        self.next_request = Some(Instant::now());
    }

    /// Does what the follower asks for after a read that produced `notices` notices.
    fn proceed(&mut self, next: Result<Next, Error>, notices: usize) -> Result<(), FollowError> {
        self.record_progress(&next, notices);
        match next {
            Ok(Next::Read) => Ok(()),
            Ok(Next::Request { after, reuse }) => {
                if !reuse {
                    self.stream = None;
                }
                self.next_request = Some(self.last_request + after);
                Ok(())
            }
            Ok(Next::Reconnect { after, reason }) => {
                // The head of a stream that ends at once without content does not count as a
                // success, or a server that sends only such streams would be tried forever.
                if reason == RetryReason::EmptyStream
                    && self.last_request.elapsed() < self.resource.backoff.max
                {
                    self.last_success = self.earlier_success;
                }
                self.disconnected(&reason.to_string(), after)
            }
            Err(error) => self.fall_back(error),
        }
    }

    /// Reports `Opened` after the first success.
    fn record_progress(&mut self, next: &Result<Next, Error>, notices: usize) {
        let is_success = self.follower.is_streaming() || matches!(next, Ok(Next::Request { .. }));
        if is_success || notices > 0 {
            self.last_success = self.last_read;
            if !self.is_reported_open {
                self.is_reported_open = true;
                // `Opened` precedes the updates of the read that showed the success.
                let at = self.updates.len().saturating_sub(self.updates_of_last_read(notices));
                self.updates.insert(at, Update::Opened(self.follower.via()));
            }
        }
    }

    /// Switches to the next transport if the error suggests that and there is one.
    fn fall_back(&mut self, error: Error) -> Result<(), FollowError> {
        match self.options.transports.get(self.transport + 1) {
            Some(to) if error.suggests_fallback() => {
                let (from, to) = (self.follower.via(), *to);
                self.transport += 1;
                self.is_reported_open = false;
                self.updates.push_back(Update::FellBack { from, to, reason: error });
                self.follower = Follower::new(to, self.follower.since().clone());
                self.request_on_new_connection();
                Ok(())
            }
            _ => Err(error.into()),
        }
    }

    /// Returns how many of the latest updates belong to the last read.
    ///
    /// This can be fewer than its notices, because a cursor is a notice but not an update.
    fn updates_of_last_read(&self, notices: usize) -> usize {
        let is_notice = |update: &&Update| matches!(update, Update::Event(_) | Update::Gap { .. });
        self.updates.iter().rev().take(notices).take_while(is_notice).count()
    }

    /// Handles a missed read deadline: pings a WebSocket once, then drops the connection.
    fn read_timed_out(&mut self) -> Result<(), FollowError> {
        if !self.is_pinged && self.follower.is_streaming() && self.follower.via() == Transport::WebSocket {
            let mut out = Vec::new();
            self.follower.ping(&mut self.shared, &mut out)?;
            self.is_pinged = true;
            // The next read reports the failure if this write fails.
            let _ = self.stream.as_mut().map(|stream| stream.write(&out));
            return Ok(());
        }
        self.failed("the server was silent for too long", self.last_request.elapsed())
    }

    fn io_error(&mut self, error: &io::Error) -> Result<(), FollowError> {
        if self.is_stale() {
            self.request_on_new_connection();
            return Ok(());
        }
        self.failed(&error.to_string(), self.last_request.elapsed())
    }

    /// Handles a connection that could not be opened or has broken, `elapsed` after its request.
    fn failed(&mut self, reason: &str, elapsed: Duration) -> Result<(), FollowError> {
        let retry_in = self.follower.fail(elapsed, &self.resource, &mut self.shared)?;
        self.disconnected(reason, retry_in)
    }

    /// Reports a failure and schedules the next attempt, or gives up.
    fn disconnected(&mut self, reason: &str, mut retry_in: Duration) -> Result<(), FollowError> {
        self.stream = None;
        self.is_reported_open = false;
        let now = Instant::now();
        if let Some(give_up_after) = self.options.give_up_after {
            let left = (self.last_success + give_up_after).saturating_duration_since(now);
            if left.is_zero() {
                return Err(FollowError::GaveUp(reason.to_owned()));
            }
            // The last attempt happens when the time is up, not at a random time before.
            retry_in = retry_in.min(left);
        }
        self.next_request = Some(now + retry_in);
        self.updates.push_back(Update::Disconnected { reason: reason.to_owned(), retry_in });
        Ok(())
    }
}

impl Iterator for Follow {
    type Item = Result<Update, FollowError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_exhausted {
            return None;
        }
        // Without a time limit `next_until` returns an update or an error.
        let next = self.next_until(None).transpose();
        self.is_exhausted = !matches!(next, Some(Ok(_)));
        next
    }
}

impl Drop for Follow {
    fn drop(&mut self) {
        let mut out = Vec::new();
        // A failed write is ignored: the connection is gone then.
        if let (Some(stream), Ok(())) = (&mut self.stream, self.follower.close(&mut self.shared, &mut out)) {
            let _ = stream.write(&out);
        }
    }
}
