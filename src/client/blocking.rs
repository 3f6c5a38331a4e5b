//! One follower that waits: connections, and coming back to a server that was away.

use std::collections::VecDeque;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

use super::back_off::BackOff;
use super::connect::connect_tcp;
use super::follow::{Error, Follower, Next, Resource, Room, Since, Traffic, Via};
use super::news::{FollowError, News};
use super::random::Random;
use super::wire::{Filled, Wire};

/// How to follow, beside what.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The transport, and behind it those that are tried in turn when the one before is not to be had here: because of a
    /// proxy that knows no WebSocket, say. A server that is merely away is no reason to try another.
    pub via: Vec<Via>,
    /// From where on.
    pub since: Since,
    /// For TCP, and again for the beginning of an answer.
    pub connect_timeout: Duration,
    /// How long a stream may be silent before it counts as broken: three of barewire's heartbeats. A WebSocket is pinged in
    /// the middle of that time.
    pub silence: Duration,
    /// Between attempts.
    pub back_off: BackOff,
    /// After how long without an answer as it should be to give up; `None` is never.
    pub give_up: Option<Duration>,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            via: vec![Via::EventStream],
            since: Since::Now,
            connect_timeout: Duration::from_secs(10),
            silence: Duration::from_secs(45),
            back_off: BackOff::default(),
            give_up: None,
        }
    }
}

/// Follows one topic, and waits for what comes: an iterator of [`News`], which ends after an error.
///
/// It comes back by itself, with the last id, and tells of what it could not get. Dropped, it closes its connection.
#[derive(Debug)]
pub struct Follow {
    resource: Resource,
    plan: Plan,
    /// Which of the plan's transports it is at.
    at: usize,
    follower: Follower,
    room: Room,
    random: Random,
    wire: Option<Wire>,
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
    news: VecDeque<News>,
    connections: u64,
    ended: Option<FollowError>,
    is_over: bool,
}

impl Follow {
    /// Begins to follow. Nothing is connected before the first [`next`](Iterator::next).
    ///
    /// # Errors
    /// [`FollowError::Ended`] if the system has no random bytes.
    pub fn new(resource: Resource, plan: Plan) -> Result<Self, FollowError> {
        let now = Instant::now();
        let via = plan.via.first().copied().unwrap_or(Via::EventStream);
        Ok(Self {
            at: 0,
            follower: Follower::new(via, plan.since.clone()),
            room: Room::with_system_random()?,
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
        self.room.traffic
    }

    /// How many connections were opened so far.
    pub fn connections(&self) -> u64 {
        self.connections
    }

    /// Waits for news, at most until then; `None` if there are none by then. Nothing is lost: the next call goes on.
    ///
    /// # Errors
    /// [`FollowError`], after which each further call brings the same.
    pub fn next_until(&mut self, until: Option<Instant>) -> Result<Option<News>, FollowError> {
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
            Ok(Filled::More) => self.receive()?,
            Ok(Filled::TimedOut) if Instant::now() < limit => return Ok(false),
            Ok(Filled::TimedOut) => self.silent()?,
            Ok(Filled::End) => self.end()?,
            Err(error) => self.broken(&error)?,
        }
        Ok(true)
    }

    /// Until when something has to come.
    fn limit(&self) -> Instant {
        let Plan { connect_timeout, silence, .. } = self.plan;
        match self.follower.via() {
            Via::WebSocket if self.follower.is_streaming() && !self.is_pinged => self.heard + silence / 2,
            _ if self.follower.is_streaming() => self.heard + silence,
            Via::LongPoll if self.follower.is_unanswered() => {
                self.asked + Duration::from_secs(self.resource.wait.into()) + connect_timeout
            }
            _ => self.heard + connect_timeout,
        }
    }

    /// Connects, unless there is a connection, and asks.
    fn ask(&mut self) -> Result<(), FollowError> {
        self.is_reused = self.wire.is_some();
        let mut out = Vec::new();
        self.follower.ask(&self.resource, &mut self.room, &mut out)?;
        if self.wire.is_none() {
            let (url, until) = (self.resource.url(), Instant::now() + self.plan.connect_timeout);
            let opened = connect_tcp(&url.host, url.port, until)
                .and_then(|stream| Wire::new(stream, Some(self.plan.connect_timeout)));
            match opened {
                Ok(wire) => self.wire = Some(wire),
                Err(error) => return self.away(&error.to_string(), Duration::ZERO),
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
        let next = self.follower.receive(input, &self.resource, &mut self.room, &mut out, &mut |notice| {
            notices += 1;
            news.extend(News::of(notice));
        });
        wire.consume(length);
        // If it can't be written, the next read tells.
        let _ = wire.write(&out);
        (self.heard, self.is_pinged) = (Instant::now(), false);
        self.go_on(next, notices)
    }

    fn end(&mut self) -> Result<(), FollowError> {
        let is_stale = self.is_reused && self.follower.is_unanswered();
        let mut notices = 0;
        let news = &mut self.news;
        let next = self.follower.end(&self.resource, &mut self.room, &mut |notice| {
            notices += 1;
            news.extend(News::of(notice));
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
        let is_well = self.follower.is_streaming() || matches!(next, Ok(Next::Ask { .. }));
        if is_well || notices > 0 {
            self.reached = self.heard;
            if !self.is_told {
                self.is_told = true;
                // In front of what came with it.
                let at = self.news.len().saturating_sub(self.told_at_once(notices));
                self.news.insert(at, News::Opened(self.follower.via()));
            }
        }
        // Events are a reason to trust the connection again; a stream that ends each time as it has begun is none.
        let is_lasting = self.heard.saturating_duration_since(self.asked) >= self.plan.back_off.most;
        if self.news.iter().any(|news| matches!(news, News::Event(_))) || is_lasting {
            self.attempts = 0;
        }
        match next {
            Ok(Next::Read) => Ok(()),
            Ok(Next::Ask { after, reuse }) => {
                if !reuse {
                    self.wire = None;
                }
                // A long poll that is answered at once with nothing would make this a busy loop.
                let now = Instant::now();
                let is_hasty = after.is_zero() && notices == 0 && now - self.asked < Duration::from_secs(1);
                let wait = match is_hasty {
                    true => self.back_off(Duration::ZERO)?,
                    false => {
                        self.attempts = 0;
                        after
                    }
                };
                self.due = Some(if is_hasty { now + wait } else { self.asked + wait });
                Ok(())
            }
            Ok(Next::Return { least, why }) => self.away(&why.to_string(), least),
            Err(error) => match self.plan.via.get(self.at + 1) {
                Some(to) if error.is_unsuitable() => {
                    let (from, to) = (self.follower.via(), *to);
                    self.at += 1;
                    self.is_told = false;
                    self.news.push_back(News::FellBack { from, to, why: error });
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
        let is_told = |news: &&News| matches!(news, News::Event(_) | News::Gap { .. });
        self.news.iter().rev().take(notices).take_while(is_told).count()
    }

    /// Nothing has come for too long.
    fn silent(&mut self) -> Result<(), FollowError> {
        if !self.is_pinged && self.follower.is_streaming() && self.follower.via() == Via::WebSocket {
            let mut out = Vec::new();
            self.follower.ping(&mut self.room, &mut out)?;
            self.is_pinged = true;
            // If it can't be written, the next read tells.
            let _ = self.wire.as_mut().map(|wire| wire.write(&out));
            return Ok(());
        }
        self.away("the server is silent", Duration::ZERO)
    }

    fn broken(&mut self, error: &io::Error) -> Result<(), FollowError> {
        if self.is_reused && self.follower.is_unanswered() {
            self.wire = None;
            self.due = Some(Instant::now());
            return Ok(());
        }
        self.away(&error.to_string(), Duration::ZERO)
    }

    fn away(&mut self, why: &str, least: Duration) -> Result<(), FollowError> {
        self.wire = None;
        self.is_told = false;
        let now = Instant::now();
        let mut back_in = self.back_off(least)?;
        if let Some(give_up) = self.plan.give_up {
            let left = (self.reached + give_up).saturating_duration_since(now);
            if left.is_zero() {
                return Err(FollowError::GaveUp(why.to_owned()));
            }
            // The last attempt is at the end of the time, and not at some moment before.
            back_in = back_in.min(left);
        }
        self.due = Some(now + back_in);
        self.news.push_back(News::Away { why: why.to_owned(), back_in });
        Ok(())
    }

    fn back_off(&mut self, least: Duration) -> Result<Duration, FollowError> {
        let wait = self.plan.back_off.wait(self.attempts, least, &mut self.random)?;
        self.attempts = self.attempts.saturating_add(1);
        Ok(wait)
    }
}

impl Iterator for Follow {
    type Item = Result<News, FollowError>;

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
        if let (Some(wire), Ok(())) = (&mut self.wire, self.follower.close(&mut self.room, &mut out)) {
            let _ = wire.write(&out);
        }
    }
}
