//! The loop. Each turn does its work in one order, which is written in [`Server::turn`].

use std::collections::HashMap;
use std::io::{self, Read};
use std::rc::Rc;
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Interest, Token};

use super::connection::{Connection, Told};
use super::delivery::SharedRest;
use super::slab::Key;
use super::{LISTENER, STOP, Server};
use crate::hub::Tick;

/// How many followers are served before other work has its turn.
const SLICE: usize = 1024;
/// How many connections are accepted before other work has its turn.
const ACCEPTS_A_TURN: usize = 256;
/// How many connections beyond the limit are accepted, to be told to come again; the others wait in the backlog.
const SURPLUS: usize = 64;
/// What the shared buffer of a turn may keep from one to the next, in bytes.
const OUT_KEPT: usize = 1 << 20;

/// Where accepting stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Accepting {
    /// All who came were accepted; the poll tells of the next.
    Done,
    /// Others had to have their turn.
    Owed,
    /// There is no room: it is tried again after each close, and each 100 ms.
    Full,
}

impl Server {
    /// Runs until it is told to stop and all connections have ended, or their time is over.
    ///
    /// # Errors
    /// Those of the poll itself. What happens on one connection ends that connection only.
    pub fn run(mut self) -> io::Result<()> {
        while !self.is_over() {
            self.turn()?;
        }
        self.cx.log.flush();
        Ok(())
    }

    fn is_over(&self) -> bool {
        let Some(deadline) = self.drain_until else { return false };
        self.connections.len() == 0 || self.cx.now() >= deadline
    }

    /// One turn: wait, read and apply, go on with what was stopped, hand out what is new, look at deadlines, accept, free
    /// what has closed. Answers and events are written when they are there, and WRITABLE tells when to go on. Nothing is
    /// freed before the end, so a sweep can walk over connections that close under it.
    fn turn(&mut self) -> io::Result<()> {
        let timeout = self.timeout();
        match self.poll.poll(&mut self.events, timeout) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => self.cx.clock.read(),
        }
        let ready = std::mem::take(&mut self.cx.ready);
        let events = std::mem::replace(&mut self.events, mio::Events::with_capacity(0));
        for event in &events {
            match event.token() {
                LISTENER => self.accepting = Accepting::Owed,
                STOP => self.stop(),
                token if event.is_error() || event.is_write_closed() => {
                    self.with(Key::of(token), |connection, _, cx| connection.close(cx));
                }
                token => {
                    let (readable, writable) = (event.is_readable(), event.is_writable());
                    let told = Told { readable, writable, ended: event.is_read_closed() };
                    self.with(Key::of(token), |connection, buffer, cx| connection.serve(told, buffer, cx));
                }
            }
        }
        self.events = events;
        for key in ready {
            let told = Told { writable: true, ..Told::default() };
            self.with(key, |connection, buffer, cx| connection.serve(told, buffer, cx));
        }
        self.sweep();
        self.deadlines();
        if self.accepting == Accepting::Owed || self.may_accept_again() {
            self.accept();
        }
        self.free();
        self.cx.log.flush();
        Ok(())
    }

    fn timeout(&mut self) -> Option<Duration> {
        if !self.cx.ready.is_empty()
            || !self.cx.service.sweeps.is_empty()
            || self.accepting == Accepting::Owed
        {
            return Some(Duration::ZERO);
        }
        let next = self.cx.wheel.next().into_iter().chain(self.drain_until).chain(self.retry_accept()).min();
        next.map(|tick| self.cx.clock.until(tick))
    }

    fn retry_accept(&self) -> Option<Tick> {
        (self.accepting == Accepting::Full).then(|| self.cx.now().after(1))
    }

    fn may_accept_again(&self) -> bool {
        let retry = self.accepted_at.after(1) <= self.cx.now();
        self.accepting == Accepting::Full && (retry || !self.cx.closed.is_empty())
    }

    /// Does something with a connection, if it is still there, and then what has to follow at once.
    fn with(&mut self, key: Key, act: impl FnOnce(&mut Connection, &mut [u8], &mut super::context::Context)) {
        if self.connections.holds(key)
            && let Some(connection) = self.connections.get_mut(key.slot)
        {
            act(connection, &mut self.buffer, &mut self.cx);
            if let Some(topic) = self.cx.service.trim_owed.take() {
                self.cx.service.trim(topic);
            }
            self.end_too_slow();
        }
    }

    /// Hands new events to the followers of each topic that has some, a slice of them a turn.
    fn sweep(&mut self) {
        let mut left = SLICE;
        while let Some(topic) = self.cx.service.sweeps.pop_front() {
            while left > 0
                && let Some(follower) = self.cx.service.hub.sweep_next(topic)
            {
                left -= 1;
                if let Some(connection) = self.connections.get_mut(follower) {
                    connection.deliver(&mut self.cx);
                }
                self.cx.service.hub.served(topic, follower);
            }
            if left == 0 {
                // Unfinished, as far as is known: it goes on next turn, behind the others.
                self.cx.service.sweeps.push_back(topic);
                break;
            }
        }
        self.cx.forget_shared();
    }

    fn deadlines(&mut self) {
        let now = self.cx.now();
        while let Some((entry, keys)) = self.cx.wheel.take_due(now) {
            for key in keys {
                self.with(key, |connection, buffer, cx| connection.deadline(entry, buffer, cx));
            }
        }
        if now >= self.aged_at.after(Tick::PER_SECOND) {
            self.aged_at = now;
            let service = &mut self.cx.service;
            service.hub.age(now, |dropped| service.dropped.push(dropped));
            self.end_too_slow();
        }
    }

    /// Ends the followers that stand in segments which are no longer kept. Each segment's run is shared by those in the
    /// middle of an event in it.
    fn end_too_slow(&mut self) {
        if self.cx.service.dropped.is_empty() {
            return;
        }
        let from = self.cx.service.policy.compress_from;
        for mut dropped in std::mem::take(&mut self.cx.service.dropped) {
            let behind = self.cx.service.hub.topic(dropped.topic).followers.behind().to_vec();
            let mut fallen = Vec::new();
            for follower in behind {
                let following =
                    self.connections.get_mut(follower).and_then(|connection| connection.following());
                let Some(following) =
                    following.filter(|following| following.cursor.segment <= dropped.number)
                else {
                    continue;
                };
                let start = following.cursor.offset as usize;
                let mut end = start;
                if following.cursor.segment == dropped.number {
                    let run = dropped.run(following.encoding.encoder(from));
                    if start == run.bytes().len() {
                        // It has been given all of it: it is behind only with what is its own, and loses nothing.
                        continue;
                    }
                    end = run.event_end(start);
                }
                fallen.push((follower, following.encoding.slot(), start, end));
            }
            let mut runs: HashMap<usize, Rc<Vec<u8>>> = HashMap::new();
            for (follower, slot, start, end) in fallen {
                let shared = (start < end).then(|| {
                    let bytes = runs.entry(slot).or_insert_with(|| Rc::new(dropped.take_bytes(slot)));
                    SharedRest { bytes: Rc::clone(bytes), start, end }
                });
                if let Some(connection) = self.connections.get_mut(follower) {
                    connection.too_slow(shared, &mut self.cx);
                }
            }
        }
    }

    fn accept(&mut self) {
        self.accepted_at = self.cx.now();
        let limit = self.cx.options.max_connections;
        for _ in 0..ACCEPTS_A_TURN {
            let Some(listener) = &self.listener else {
                self.accepting = Accepting::Done;
                return;
            };
            if self.connections.len() >= limit.saturating_add(SURPLUS) {
                self.accepting = Accepting::Full;
                return;
            }
            match listener.accept() {
                Ok((stream, _)) => self.add(stream),
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => {
                        self.accepting = Accepting::Done;
                        return;
                    }
                    // It was gone before it was accepted (accept(2)): no matter for the others.
                    io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted => {}
                    // Out of descriptors or memory, or the network is down: the listener is owed.
                    _ => {
                        self.accepting = Accepting::Full;
                        return;
                    }
                },
            }
        }
        self.accepting = Accepting::Owed;
    }

    fn add(&mut self, mut stream: TcpStream) {
        let key = self.connections.next_key();
        // Every write is whole as it is: nothing is gained by waiting for more (RFC 896's algorithm). One that can't be
        // set or registered is gone already.
        let _ = stream.set_nodelay(true);
        let interest = Interest::READABLE | Interest::WRITABLE;
        if self.poll.registry().register(&mut stream, key.token(), interest).is_err() {
            return;
        }
        let surplus = self.connections.len() >= self.cx.options.max_connections;
        self.cx.service.counters.accepted += 1;
        let connection = Connection::new(stream, key, surplus, &mut self.cx);
        self.connections.insert(connection);
        self.cx.gauges.connections = self.connections.len();
    }

    fn free(&mut self) {
        let closed = std::mem::take(&mut self.cx.closed);
        for slot in &closed {
            // Closing the descriptor takes it out of the poll as well.
            self.connections.remove(*slot);
        }
        if !closed.is_empty() {
            self.cx.gauges.connections = self.connections.len();
            if self.accepting == Accepting::Full {
                self.accepting = Accepting::Owed;
            }
        }
        if self.cx.out.capacity() > OUT_KEPT {
            self.cx.out = Vec::new();
        }
    }

    /// Somebody has written to the stop stream: the first byte starts the drain, the second ends it.
    fn stop(&mut self) {
        let mut bytes = [0; 16];
        let told = match self.stop.as_mut().map(|stop| stop.read(&mut bytes)) {
            Some(Ok(length)) => length.max(1),
            _ => 0,
        };
        for _ in 0..told {
            if self.drain_until.is_some() {
                self.drain_until = Some(Tick(0));
            } else {
                self.drain();
            }
        }
    }

    fn drain(&mut self) {
        self.cx.gauges.draining = true;
        self.listener = None;
        self.drain_until = Some(self.cx.now().after(self.cx.options.drain_timeout * Tick::PER_SECOND));
        let occupied: Vec<u32> = self.connections.occupied().collect();
        for slot in occupied {
            if let Some(connection) = self.connections.get_mut(slot) {
                connection.drain(&mut self.cx);
            }
        }
    }
}

/// The tokens that are no connection's: their generation is never reached.
pub(super) const fn special(number: usize) -> Token {
    Token(usize::MAX - number)
}
