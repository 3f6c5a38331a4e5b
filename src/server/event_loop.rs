//! The event loop: the only code that knows the poll, the listener and the real clock. The order of
//! an iteration is written down in [`EventLoop::run_once`].

use std::hash::{BuildHasher, RandomState};
use std::io::{self, Read};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::{TcpListener, TcpStream, UnixStream};
use mio::{Events, Interest, Poll, Token, Waker};

use super::clock::Clock;
use super::connection::Readiness;
use super::connections::Connections;
use super::context::LoopContext;
use super::options::Options;
use super::slab::Key;
use super::work::{Phase, cost};
use crate::hub::{Epoch, Tick};
use crate::transport::Service;

/// The most readiness reports per call of the poll.
const EVENTS: usize = 1024;
/// How many connections beyond the limit are accepted, to be refused with a reason. Further ones
/// wait in the backlog.
const SURPLUS: usize = 64;

const LISTENER: Token = reserved(0);
const STOP: Token = reserved(1);
const WAKE: Token = reserved(2);

/// Returns a token that no connection has: its generation is never reached.
const fn reserved(number: usize) -> Token {
    Token(usize::MAX - number)
}

/// The progress of accepting connections.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Accepting {
    /// The backlog is empty; the poll will report the next connection.
    Done,
    /// The work of the iteration is done; more connections may be queued.
    Pending,
    /// No room is left. Accepting is retried after each close, and every 100 ms.
    Full,
}

/// The poll, the listener and all connections.
pub struct EventLoop {
    poll: Poll,
    events: Events,
    listener: Option<TcpListener>,
    address: SocketAddr,
    accepting: Accepting,
    accepted_at: Tick,
    stop: Option<UnixStream>,
    /// Whether accepted connections have the listener's TCP_NODELAY, as on Linux; unknown before
    /// the first one.
    inherits_nodelay: Option<bool>,
    pub connections: Connections<TcpStream>,
}

impl EventLoop {
    /// Creates an event loop for a socket that listens already. On Linux the connections inherit
    /// its options.
    pub fn new(listener: std::net::TcpListener, mut options: Options) -> io::Result<EventLoop> {
        listener.set_nonblocking(true)?;
        options.policy.access.loopback_only = listener.local_addr()?.ip().to_canonical().is_loopback();
        // The standard library seeds its hashers from the system. An epoch must be unique, but it
        // is not secret.
        let random = RandomState::new();
        let epoch = Epoch::from_random(random.hash_one("epoch"));
        let service = Service::new(epoch, options.hub.clone(), options.policy.clone());
        let cx = LoopContext::new(service, options, Clock::start(), random.hash_one("jitter"));
        let (poll, mut listener) = (Poll::new()?, TcpListener::from_std(listener));
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        Ok(EventLoop {
            poll,
            events: Events::with_capacity(EVENTS),
            address: listener.local_addr()?,
            listener: Some(listener),
            accepting: Accepting::Done,
            accepted_at: Tick::default(),
            stop: None,
            inherits_nodelay: None,
            connections: Connections::new(cx),
        })
    }

    /// Begins the shutdown when a byte from `stop` arrives.
    pub fn stopped_by(&mut self, stop: std::os::unix::net::UnixStream) -> io::Result<()> {
        stop.set_nonblocking(true)?;
        let mut stop = UnixStream::from_std(stop);
        self.poll.registry().register(&mut stop, STOP, Interest::READABLE)?;
        self.stop = Some(stop);
        Ok(())
    }

    /// Returns a waker, with which another thread ends the wait for readiness reports.
    pub fn waker(&self) -> io::Result<Waker> {
        Waker::new(self.poll.registry(), WAKE)
    }

    /// Returns the address of the listener.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Runs until the shutdown is complete.
    pub fn run(mut self) -> io::Result<()> {
        while !self.connections.is_over() {
            self.run_once()?;
        }
        self.connections.finish();
        if let Some(log) = &mut self.connections.cx.log {
            log.finish();
        }
        Ok(())
    }

    /// Runs one iteration:
    ///
    /// 1. Wait for readiness reports, at most until the next deadline.
    /// 2. Serve the reported connections whose last turns were light: read, interpret, respond.
    /// 3. Run the application's timers and calls from other threads. Serve the connections that are
    ///    new, and those that have much to do, alternately.
    /// 4. Deliver new events to their followers.
    /// 5. Handle deadlines.
    /// 6. Accept connections.
    /// 7. Ask for reports of room on sockets that were full for the first time.
    /// 8. Free the connections that have closed, and write the log.
    ///
    /// Each of the steps 2 to 6 ends when its part of the iteration's work is done ([`Phase`]); the
    /// rest is done in the next iteration. A response or an event is written as soon as it exists.
    /// When the socket is full, the poll reports when it has room again.
    fn run_once(&mut self) -> io::Result<()> {
        let timeout = self.timeout();
        match self.poll.poll(&mut self.events, timeout) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => self.connections.cx.clock.read(),
        }
        let began = Instant::now();
        let events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        self.connections.begin_iteration();
        for event in &events {
            match event.token() {
                LISTENER => self.accepting = Accepting::Pending,
                STOP => self.handle_stop(),
                WAKE => self.connections.is_woken = true,
                token if event.is_error() || event.is_write_closed() => {
                    self.connections.handle_broken(Key::of(token));
                }
                token => {
                    let readable = event.is_readable();
                    let readiness = Readiness { readable, ended: event.is_read_closed() };
                    self.connections.report(Key::of(token), readiness);
                }
            }
        }
        self.events = events;
        self.connections.run_iteration();
        if self.connections.is_stopping() {
            self.listener = None;
        }
        if self.accepting == Accepting::Pending || self.should_retry_accept() {
            self.accept();
        }
        self.await_room();
        if self.connections.end_iteration() && self.accepting == Accepting::Full {
            self.accepting = Accepting::Pending;
        }
        if let Some(log) = &mut self.connections.cx.log {
            log.flush();
        }
        self.connections.cx.end_iteration(Some(began.elapsed()));
        Ok(())
    }

    /// Returns how long the poll may wait.
    fn timeout(&mut self) -> Option<Duration> {
        if self.connections.has_work() || self.accepting == Accepting::Pending {
            return Some(Duration::ZERO);
        }
        let retry_accept = (self.accepting == Accepting::Full).then(|| self.connections.cx.now().after(1));
        let next = self.connections.next_deadline().into_iter().chain(retry_accept).min();
        let next = next.map(|tick| self.connections.cx.clock.until(tick));
        next.into_iter().chain(self.connections.until_due()).min()
    }

    fn should_retry_accept(&self) -> bool {
        let is_time = self.accepted_at.after(1) <= self.connections.cx.now();
        self.accepting == Accepting::Full && (is_time || !self.connections.cx.closed.is_empty())
    }

    fn accept(&mut self) {
        self.accepted_at = self.connections.cx.now();
        let limit = self.connections.cx.options.max_connections;
        self.connections.cx.work.begin_phase(Phase::Accept);
        while !self.connections.cx.work.is_phase_over() {
            let Some(listener) = &self.listener else {
                self.accepting = Accepting::Done;
                return;
            };
            if self.connections.len() >= limit.saturating_add(SURPLUS) {
                self.accepting = Accepting::Full;
                return;
            }
            match listener.accept() {
                Ok((stream, _)) => {
                    self.connections.cx.work.charge(cost::ACCEPT);
                    self.add(stream);
                }
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => {
                        self.accepting = Accepting::Done;
                        return;
                    }
                    // The client was gone before the accept (accept(2)); the others still wait.
                    io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted => {}
                    // Out of descriptors or memory, or the network is down.
                    _ => {
                        self.accepting = Accepting::Full;
                        return;
                    }
                },
            }
        }
        self.accepting = Accepting::Pending;
    }

    fn add(&mut self, mut stream: TcpStream) {
        // Every write is complete as it is, so waiting for more to send gains nothing (RFC 896). A
        // socket on which this or the registration fails is broken already.
        if !*self.inherits_nodelay.get_or_insert_with(|| stream.nodelay().unwrap_or(false)) {
            let _ = stream.set_nodelay(true);
        }
        let token = self.connections.next_key().token();
        if self.poll.registry().register(&mut stream, token, Interest::READABLE).is_ok() {
            self.connections.add(stream);
        }
    }

    /// Asks the poll to report when the sockets that were full have room again. It reports that
    /// from now on; before, each connection would begin with a report that its empty socket has
    /// room.
    fn await_room(&mut self) {
        let interest = Interest::READABLE | Interest::WRITABLE;
        for key in std::mem::take(&mut self.connections.cx.full) {
            let Some(stream) = self.connections.stream(key) else { continue };
            if self.poll.registry().reregister(stream, key.token(), interest).is_err() {
                self.connections.handle_broken(key);
            }
        }
    }

    /// Reads the stop stream: the first byte begins the shutdown, the second ends it at once.
    fn handle_stop(&mut self) {
        let mut bytes = [0; 16];
        let signals = match self.stop.as_mut().map(|stop| stop.read(&mut bytes)) {
            Some(Ok(length)) => length.max(1),
            _ => 0,
        };
        for _ in 0..signals {
            self.connections.stop();
        }
    }
}
