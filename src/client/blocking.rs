//! One follower that waits: connections, and coming back to a server that was away.

use std::collections::VecDeque;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

use super::backoff::Backoff;
use super::connect::connect_tcp;
use super::follow::{Error, Follower, Next, Resource, Shared, Since, Traffic, Via};
use super::random::Random;
use super::stream::{BufferedStream, Received};
use super::update::{FollowError, Update};

/// How to follow, beside what.
#[derive(Clone, Debug)]
pub struct FollowOptions {
    /// The transport, and behind it those that are tried in turn when the one before is not to be had here: because of a
    /// proxy that knows no WebSocket, say. A server that is merely away is no reason to try another.
    pub via: Vec<Via>,
    /// From where on.
    pub since: Since,
    /// For TCP, and again for the beginning of an answer.
    pub connect_timeout: Duration,
    /// How long a stream may be silent before it counts as broken: three of barewire's heartbeats. A WebSocket is pinged in
    /// the middle of that time.
    pub idle_timeout: Duration,
    /// Between attempts.
    pub backoff: Backoff,
    /// After how long without an answer as it should be to give up; `None` is never.
    pub give_up_after: Option<Duration>,
}

impl Default for FollowOptions {
    fn default() -> Self {
        Self {
            via: vec![Via::EventStream],
            since: Since::Now,
            connect_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(45),
            backoff: Backoff::default(),
            give_up_after: None,
        }
    }
}

/// Follows one topic, and waits for what comes: an iterator of [`Update`], which ends after an error.
///
/// It comes back by itself, with the last id, and tells of what it could not get. Dropped, it closes its connection.
#[derive(Debug)]
pub struct Follow {
    resource: Resource,
    plan: FollowOptions,
    /// Which of the plan's transports it is at.
    at: usize,
    follower: Follower,
    shared: Shared,
    random: Random,
    wire: Option<BufferedStream>,
    /// When to ask; `None` while an answer is read.
    due: Option<Instant>,
    asked: Instant,
    heard: Instant,
    is_pinged: bool,
    /// Whether an answer has come on this connection before the one that is awaited.
    is_reused: bool,
    /// Whether it was told that all is well, since it was told otherwise.
    is_told: bool,
    /// Attempts in vain.
    attempts: u32,
    /// When all was well at last.
    reached: Instant,
    news: VecDeque<Update>,
    connections: u64,
    ended: Option<FollowError>,
    is_over: bool,
}

impl Follow {
    /// Begins to follow. Nothing is connected before the first [`next`](Iterator::next).
    ///
    /// # Errors
    /// [`FollowError::Ended`] if the system has no random bytes.
    pub fn new(resource: Resource, plan: FollowOptions) -> Result<Self, FollowError> {
        let now = Instant::now();
        let via = plan.via.first().copied().unwrap_or(Via::EventStream);
        Ok(Self {
            at: 0,
            follower: Follower::new(via, plan.since.clone()),
            shared: Shared::with_system_random()?,
            random: Random::new()?,
            wire: None,
            due: Some(now),
            asked: now,
            heard: now,
            is_pinged: false,
            is_reused: false,
            is_told: false,
            attempts: 0,
            reached: now,
            news: VecDeque::new(),
            connections: 0,
            ended: None,
            is_over: false,
            resource,
            plan,
        })
    }

    /// The transport that is used now.
    pub fn via(&self) -> Via {
        self.follower.via()
    }

    /// The id with which another could go on from here, if there is one yet.
    pub fn cursor(&self) -> Option<&str> {
        self.follower.cursor()
    }

    /// What has gone through so far.
    pub fn traffic(&self) -> Traffic {
        self.shared.traffic
    }

    /// How many connections were opened so far.
    pub fn connections(&self) -> u64 {
        self.connections
    }

    /// Waits for news, at most until then; `None` if there are none by then. Nothing is lost: the next call goes on.
    ///
    /// # Errors
    /// [`FollowError`], after which each further call brings the same.
    pub fn next_until(&mut self, until: Option<Instant>) -> Result<Option<Update>, FollowError> {
        loop {
            if let Some(news) = self.news.pop_front() {
                return Ok(Some(news));
            }
            if let Some(error) = &self.ended {
                return Err(error.clone());
            }
            match self.step(until) {
                Ok(true) => {}
                Ok(false) => return Ok(None),
                Err(error) => {
                    self.wire = None;
                    // What came before it is told first.
                    self.ended = Some(error);
                }
            }
        }
    }

    /// Does one thing: waits, asks or reads. False if the time was over before.
    fn step(&mut self, until: Option<Instant>) -> Result<bool, FollowError> {
        if let Some(due) = self.due {
            let stop = until.map_or(due, |until| until.min(due));
            thread::sleep(stop.saturating_duration_since(Instant::now()));
            if Instant::now() < due {
                return Ok(false);
            }
            self.due = None;
            self.ask()?;
            return Ok(true);
        }
        let limit = self.limit();
        let stop = until.map_or(limit, |until| until.min(limit));
        let Some(wire) = &mut self.wire else {
            // It reads only what it has asked for, on a connection.
            self.due = Some(Instant::now());
            return Ok(true);
        };
        match wire.fill(Some(stop)) {
            Ok(Received::More) => self.receive()?,
            Ok(Received::TimedOut) if Instant::now() < limit => return Ok(false),
            Ok(Received::TimedOut) => self.silent()?,
            Ok(Received::End) => self.end()?,
            Err(error) => self.broken(&error)?,
        }
        Ok(true)
    }

    /// Until when something has to come.
    fn limit(&self) -> Instant {
        let FollowOptions { connect_timeout, idle_timeout, .. } = self.plan;
        match self.follower.via() {
            Via::WebSocket if self.follower.is_streaming() && !self.is_pinged => {
                self.heard + idle_timeout / 2
            }
            _ if self.follower.is_streaming() => self.heard + idle_timeout,
            Via::LongPoll if self.follower.is_awaiting_response() => {
                self.asked + Duration::from_secs(self.resource.wait.into()) + connect_timeout
            }
            _ => self.heard + connect_timeout,
        }
    }

    /// Connects, unless there is a connection, and asks.
    fn ask(&mut self) -> Result<(), FollowError> {
        self.is_reused = self.wire.is_some();
        let mut out = Vec::new();
        self.follower.write_request(&self.resource, &mut self.shared, &mut out)?;
        if self.wire.is_none() {
            let (url, until) = (self.resource.url(), Instant::now() + self.plan.connect_timeout);
            let opened = connect_tcp(&url.host, url.port, until)
                .and_then(|stream| BufferedStream::new(stream, Some(self.plan.connect_timeout)));
            match opened {
                Ok(wire) => self.wire = Some(wire),
                Err(error) => return self.disconnected(&error.to_string(), Duration::ZERO),
            }
            self.connections += 1;
        }
        self.asked = Instant::now();
        (self.heard, self.is_pinged) = (self.asked, false);
        let written = self.wire.as_mut().map_or(Ok(()), |wire| wire.write(&out));
        written.or_else(|error| self.broken(&error))
    }

    /// Takes what was read.
    fn receive(&mut self) -> Result<(), FollowError> {
        let Some(wire) = &mut self.wire else { return Ok(()) };
        let input = wire.unread();
        let length = input.len();
        let (mut out, mut notices) = (Vec::new(), 0);
        let news = &mut self.news;
        let next = self.follower.receive(input, &self.resource, &mut self.shared, &mut out, &mut |notice| {
            notices += 1;
            news.extend(Update::of(notice));
        });
        wire.consume(length);
        // If it can't be written, the next read tells.
        let _ = wire.write(&out);
        (self.heard, self.is_pinged) = (Instant::now(), false);
        self.go_on(next, notices)
    }

    fn end(&mut self) -> Result<(), FollowError> {
        let is_stale = self.is_reused && self.follower.is_awaiting_response();
        let mut notices = 0;
        let news = &mut self.news;
        let next = self.follower.end(&self.resource, &mut self.shared, &mut |notice| {
            notices += 1;
            news.extend(Update::of(notice));
        });
        if is_stale && next.is_ok() {
            // The server had ended the connection while nothing was asked (RFC 9112 §9.5): that is no news.
            self.wire = None;
            self.due = Some(Instant::now());
            return Ok(());
        }
        self.go_on(next, notices)
    }

    fn go_on(&mut self, next: Result<Next, Error>, notices: usize) -> Result<(), FollowError> {
        let is_well = self.follower.is_streaming() || matches!(next, Ok(Next::Request { .. }));
        if is_well || notices > 0 {
            self.reached = self.heard;
            if !self.is_told {
                self.is_told = true;
                // In front of what came with it.
                let at = self.news.len().saturating_sub(self.told_at_once(notices));
                self.news.insert(at, Update::Opened(self.follower.via()));
            }
        }
        // Events are a reason to trust the connection again; a stream that ends each time as it has begun is none.
        let is_lasting = self.heard.saturating_duration_since(self.asked) >= self.plan.backoff.most;
        if self.news.iter().any(|news| matches!(news, Update::Event(_))) || is_lasting {
            self.attempts = 0;
        }
        match next {
            Ok(Next::Read) => Ok(()),
            Ok(Next::Request { after, reuse }) => {
                if !reuse {
                    self.wire = None;
                }
                // A long poll that is answered at once with nothing would make this a busy loop.
                let now = Instant::now();
                let is_hasty = after.is_zero() && notices == 0 && now - self.asked < Duration::from_secs(1);
                let wait = match is_hasty {
                    true => self.backoff(Duration::ZERO)?,
                    false => {
                        self.attempts = 0;
                        after
                    }
                };
                self.due = Some(if is_hasty { now + wait } else { self.asked + wait });
                Ok(())
            }
            Ok(Next::Reconnect { at_least, reason }) => self.disconnected(&reason.to_string(), at_least),
            Err(error) => match self.plan.via.get(self.at + 1) {
                Some(to) if error.suggests_fallback() => {
                    let (from, to) = (self.follower.via(), *to);
                    self.at += 1;
                    self.is_told = false;
                    self.news.push_back(Update::FellBack { from, to, reason: error });
                    self.follower = Follower::new(to, self.follower.since().clone());
                    self.wire = None;
                    self.due = Some(Instant::now());
                    Ok(())
                }
                _ => Err(error.into()),
            },
        }
    }

    /// How many of the last news came with one read: cursors are notices, but no news.
    fn told_at_once(&self, notices: usize) -> usize {
        let is_told = |news: &&Update| matches!(news, Update::Event(_) | Update::Gap { .. });
        self.news.iter().rev().take(notices).take_while(is_told).count()
    }

    /// Nothing has come for too long.
    fn silent(&mut self) -> Result<(), FollowError> {
        if !self.is_pinged && self.follower.is_streaming() && self.follower.via() == Via::WebSocket {
            let mut out = Vec::new();
            self.follower.ping(&mut self.shared, &mut out)?;
            self.is_pinged = true;
            // If it can't be written, the next read tells.
            let _ = self.wire.as_mut().map(|wire| wire.write(&out));
            return Ok(());
        }
        self.disconnected("the server is silent", Duration::ZERO)
    }

    fn broken(&mut self, error: &io::Error) -> Result<(), FollowError> {
        if self.is_reused && self.follower.is_awaiting_response() {
            self.wire = None;
            self.due = Some(Instant::now());
            return Ok(());
        }
        self.disconnected(&error.to_string(), Duration::ZERO)
    }

    fn disconnected(&mut self, why: &str, least: Duration) -> Result<(), FollowError> {
        self.wire = None;
        self.is_told = false;
        let now = Instant::now();
        let mut retry_in = self.backoff(least)?;
        if let Some(give_up_after) = self.plan.give_up_after {
            let left = (self.reached + give_up_after).saturating_duration_since(now);
            if left.is_zero() {
                return Err(FollowError::GaveUp(why.to_owned()));
            }
            // The last attempt is at the end of the time, and not at some moment before.
            retry_in = retry_in.min(left);
        }
        self.due = Some(now + retry_in);
        self.news.push_back(Update::Disconnected { reason: why.to_owned(), retry_in });
        Ok(())
    }

    fn backoff(&mut self, least: Duration) -> Result<Duration, FollowError> {
        let wait = self.plan.backoff.wait(self.attempts, least, &mut self.random)?;
        self.attempts = self.attempts.saturating_add(1);
        Ok(wait)
    }
}

impl Iterator for Follow {
    type Item = Result<Update, FollowError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        // Without a moment to stop at there is always something.
        let next = self.next_until(None).transpose();
        self.is_over = !matches!(next, Some(Ok(_)));
        next
    }
}

impl Drop for Follow {
    fn drop(&mut self) {
        let mut out = Vec::new();
        // Good-bye, if it can still be said.
        if let (Some(wire), Ok(())) = (&mut self.wire, self.follower.close(&mut self.shared, &mut out)) {
            let _ = wire.write(&out);
        }
    }
}
