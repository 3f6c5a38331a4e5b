//! The loop. Each turn does its work in one order, which is written in [`Server::turn`].

use std::io::{self, Read};
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Interest, Token};

use super::connection::Told;
use super::slab::Key;
use super::{LISTENER, STOP, Server};
use crate::hub::Tick;

/// How many connections are accepted before other work has its turn.
const ACCEPTS_A_TURN: usize = 256;
/// How many connections beyond the limit are accepted, to be told to come again; the others wait in the backlog.
const SURPLUS: usize = 64;

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
        while !self.connections.is_over() {
            self.turn()?;
        }
        self.connections.cx.log.flush();
        Ok(())
    }

    /// One turn: wait, read and apply, go on with what was stopped, hand out what is new, look at deadlines, accept, free
    /// what has closed. Answers and events are written when they are there, and WRITABLE tells when to go on.
    fn turn(&mut self) -> io::Result<()> {
        let timeout = self.timeout();
        match self.poll.poll(&mut self.events, timeout) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => self.connections.cx.clock.read(),
        }
        self.connections.begin_turn();
        let ready = std::mem::take(&mut self.connections.cx.ready);
        let events = std::mem::replace(&mut self.events, mio::Events::with_capacity(0));
        for event in &events {
            match event.token() {
                LISTENER => self.accepting = Accepting::Owed,
                STOP => self.stop(),
                token if event.is_error() || event.is_write_closed() => {
                    self.connections.broken(Key::of(token));
                }
                token => {
                    let (readable, writable) = (event.is_readable(), event.is_writable());
                    let told = Told { readable, writable, ended: event.is_read_closed() };
                    self.connections.serve(Key::of(token), told);
                }
            }
        }
        self.events = events;
        self.connections.turn(ready);
        if self.accepting == Accepting::Owed || self.may_accept_again() {
            self.accept();
        }
        if self.connections.free() && self.accepting == Accepting::Full {
            self.accepting = Accepting::Owed;
        }
        self.connections.hand_out_wire();
        self.connections.cx.log.flush();
        Ok(())
    }

    fn timeout(&mut self) -> Option<Duration> {
        if self.connections.has_work() || self.accepting == Accepting::Owed {
            return Some(Duration::ZERO);
        }
        let next = self.connections.next_deadline().into_iter().chain(self.retry_accept()).min();
        next.map(|tick| self.connections.cx.clock.until(tick))
    }

    fn retry_accept(&self) -> Option<Tick> {
        (self.accepting == Accepting::Full).then(|| self.connections.cx.now().after(1))
    }

    fn may_accept_again(&self) -> bool {
        let retry = self.accepted_at.after(1) <= self.connections.cx.now();
        self.accepting == Accepting::Full && (retry || !self.connections.cx.closed.is_empty())
    }

    fn accept(&mut self) {
        self.accepted_at = self.connections.cx.now();
        let limit = self.connections.cx.options.max_connections;
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
        // Every write is whole as it is: nothing is gained by waiting for more (RFC 896's algorithm). One that can't be
        // set or registered is gone already.
        let _ = stream.set_nodelay(true);
        let interest = Interest::READABLE | Interest::WRITABLE;
        let token = self.connections.next_key().token();
        if self.poll.registry().register(&mut stream, token, interest).is_ok() {
            self.connections.add(stream);
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
            self.listener = None;
            self.connections.stop();
        }
    }
}

/// The tokens that are no connection's: their generation is never reached.
pub(super) const fn special(number: usize) -> Token {
    Token(usize::MAX - number)
}
